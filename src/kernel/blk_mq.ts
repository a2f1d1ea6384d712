// include/linux/blk-mq.h: requests that the block layer gave to a device and that are not done.
//
//   gendisk --> request_queue --> blk_mq_hw_ctx --+-- tags { bitmap_tags, rqs[tag] } --> request { bio }
//                                                 +-- sched_tags { bitmap_tags, static_rqs[tag] }   where there is an elevator
import type { VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Disk } from './genhd.ts';
import type { Kernel } from './kernel.ts';
import { readSbitmap, setBits } from './sbitmap.ts';
import { xarrayEntries } from './xarray.ts';

/** What is asked of the device (enum req_op). */
export type RequestOperation = 'read' | 'write' | 'flush' | 'discard' | 'other';

export interface BlockRequest {
  /** Virtual address of the `struct request`. */
  readonly address: VirtAddr;
  /** Its tag of the device, or of the elevator while it is queued there. */
  readonly tag: number;
  readonly operation: RequestOperation;
  /** Whether it waits in the kernel, was given to the device, or came back and is being finished (enum mq_rq_state). */
  readonly state: 'queued' | 'issued' | 'complete';
  /** First sector of 512 bytes; null for what has none. */
  readonly sector: number | null;
  /** Bytes. */
  readonly length: number;
  /** When it was made, in nanoseconds of CLOCK_MONOTONIC; null where the kernel did not note it. */
  readonly since: bigint | null;
  /** When it counts as lost, in jiffies. */
  readonly deadline: bigint;
  /** Number of the CPU that made it; null where unknown. */
  readonly cpu: number | null;
  /** Virtual addresses of its `struct bio`s. */
  readonly bios: readonly VirtAddr[];
}

/** Most hardware queues of a device, and bios of a request, that are followed. */
const maxQueues = 8192;
const maxBios = 10_000;

/** enum mq_rq_state: MQ_RQ_IDLE, _IN_FLIGHT, _COMPLETE. */
const states = ['queued', 'issued', 'complete'] as const;

/** The requests of a disk that are not done, of all its hardware queues. A queue or request that cannot be read costs itself. */
export function requestsInFlight(kernel: Kernel, disk: Disk): BlockRequest[] {
  const requests = new Map<bigint, BlockRequest>();
  kernel.faults.attempt(
    `requests of ${disk.name}`,
    () => {
      const queue = kernel.object('struct request_queue', disk.queue);
      for (const context of hardwareQueues(kernel, queue)) {
        kernel.faults.attempt(
          `requests of ${disk.name}`,
          () => {
            for (const request of taggedRequests(kernel, context, disk)) requests.set(request.address, request);
          },
          undefined,
        );
      }
    },
    undefined,
  );
  return [...requests.values()];
}

/** Hardware queues of a request_queue; none for a device that takes bios itself. */
function* hardwareQueues(kernel: Kernel, queue: KernelObject): Generator<KernelObject> {
  // an xarray from 4e5cc99e1e48 (5.19) to 6.18
  const table = queue.optional('hctx_table');
  if (table !== null) {
    for (const { entry } of xarrayEntries(table, kernel.faults)) yield kernel.object('struct blk_mq_hw_ctx', entry);
    return;
  }
  const count = queue.member('nr_hw_queues').number();
  if (count > maxQueues) throw new FormatError('hardware queues', `${count} of one device`);
  const array = queue.member('queue_hw_ctx');
  if (array.isNull) return;
  for (let i = 0; i < count; i++) {
    const context = array.index(i);
    if (!context.isNull) yield context.deref();
  }
}

function* taggedRequests(kernel: Kernel, context: KernelObject, disk: Disk): Generator<BlockRequest> {
  for (const [set, table] of [
    ['tags', 'rqs'],
    ['sched_tags', 'static_rqs'],
  ] as const) {
    const tags = context.member(set);
    if (tags.isNull) continue;
    const requests = tags.member(table);
    for (const map of ['bitmap_tags', 'breserved_tags'] as const) {
      // reserved tags come first
      const first = map === 'breserved_tags' ? 0 : tags.member('nr_reserved_tags').number();
      // the maps are pointers from 222a5ae03cdd (5.10) to 5.15
      for (const bit of setBits(readSbitmap(tags.member(map).member('sb')))) {
        const request = kernel.faults.attempt(
          `request ${first + bit} of ${disk.name}`,
          () => readRequest(requests.index(first + bit), first + bit, disk),
          null,
        );
        if (request !== null) yield request;
      }
    }
  }
}

/** @returns null for a slot that has no request of this disk: a tag may just have been taken, and disks may share tags */
function readRequest(slot: KernelObject, tag: number, disk: Disk): BlockRequest | null {
  if (slot.isNull) return null;
  const request = slot.deref();
  if (request.member('q').pointer() !== disk.queue) return null;
  const state = states[request.member('state').number()];
  if (state === undefined) return null;
  // what `rqs` has for a tag that is just being taken may be another request, that had the tag before
  if (state === 'queued' && !['tag', 'internal_tag'].some((name) => request.member(name).number() === tag)) return null;
  const flags = Number(request.member('cmd_flags').bigint() & 0xffn);
  const sector = request.member('__sector').bigint();
  const made = request.member('start_time_ns').bigint();
  const bios: VirtAddr[] = [];
  for (let bio = request.member('bio'); !bio.isNull && bios.length < maxBios; bio = bio.member('bi_next')) {
    if (bios.includes(bio.pointer())) break;
    bios.push(bio.pointer());
  }
  const cpu = request.member('mq_ctx');
  return {
    address: request.address,
    tag,
    operation: operationOf(flags),
    state,
    sector: sector === 0xffff_ffff_ffff_ffffn ? null : Number(sector),
    length: request.member('__data_len').number(),
    since: made === 0n ? null : made,
    deadline: request.member('deadline').bigint(),
    cpu: cpu.isNull ? null : cpu.member('cpu').number(),
    bios,
  };
}

/** enum req_op (include/linux/blk_types.h): REQ_OP_READ, _WRITE, _FLUSH, _DISCARD; the others are rare. */
function operationOf(flags: number): RequestOperation {
  switch (flags) {
    case 0:
      return 'read';
    case 1:
      return 'write';
    case 2:
      return 'flush';
    case 3:
      return 'discard';
    default:
      return 'other';
  }
}
