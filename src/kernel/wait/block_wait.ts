// block/: tasks that wait for a device. Who waits holds what it asked for on its stack, and that points back to the wait:
//
//   stack: completion <--- bio.bi_private       submit_bio_wait()
//                     <--- request.end_io_data  blk_execute_rq()
//   task  <--- iomap_dio.submit.waiter, dio.waiter       direct I/O
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import type { KernelObject } from '../../debuginfo/object.ts';
import { offsetOf } from '../../debuginfo/type.ts';
import { blockDeviceName, disks, partitionName } from '../genhd.ts';
import type { Kernel } from '../kernel.ts';
import { pointersTo } from './completion.ts';
import { queueEntries } from './queue_entry.ts';
import type { Sleeper } from './sleeper.ts';

/** What of a device is waited for. */
export interface BlockWait {
  /**
   * - `bio`, `request`: that it is done
   * - `direct`: that all parts of a direct read or write are done
   * - `tag`: that one of the device's requests is done, so that another can be made
   * - `throttle`: that writeback's or a cgroup's share of the device allows one more
   * - `frozen`: that the queue is no longer frozen, or is empty
   */
  readonly what: 'bio' | 'request' | 'direct' | 'tag' | 'throttle' | 'frozen';
  /** Virtual address of the bio, request, dio or request_queue; null where it was not found. */
  readonly address: VirtAddr | null;
  /** The disk or partition; null where unknown. */
  readonly device: string | null;
}

/**
 * What a task waits for of a device; null where it waits for none in a way that tells.
 * @param completion the completion that it is queued on, if any
 */
export function blockWait(sleeper: Sleeper, completion: VirtAddr | null): BlockWait | null {
  const { kernel } = sleeper;
  return kernel.faults.attempt(
    'wait for a device',
    () =>
      (completion === null ? null : byCompletion(sleeper, completion)) ??
      direct(sleeper) ??
      (sleeper.in(/^blk_mq_get_tag$/) ? tagWait(sleeper) : null) ??
      (sleeper.in(/^(_*rq_qos_wait|_*rq_qos_throttle|wbt_wait|ioc_rqos_throttle)$/)
        ? { what: 'throttle', address: null, device: null }
        : null) ??
      (sleeper.in(/^(blk_mq_freeze_queue_wait|_*bio_queue_enter|blk_queue_enter)/) ? frozen(sleeper) : null),
    null,
  );
}

function byCompletion(sleeper: Sleeper, completion: VirtAddr): BlockWait | null {
  const { kernel } = sleeper;
  if (sleeper.in(/^(submit_bio_wait|bio_await|blk_wait_io|blkdev_issue_|bdev_rw_virt)/)) {
    for (const address of pointersTo(sleeper, 'struct bio', 'bi_private', completion)) {
      const device = kernel.faults.attempt('device of a bio', () => bioDevice(kernel, address), null);
      if (device !== null) return { what: 'bio', address, device };
    }
  }
  if (sleeper.in(/^(blk_execute_rq|blk_rq_poll|nvme_|scsi_execute)/)) {
    for (const address of pointersTo(sleeper, 'struct request', 'end_io_data', completion)) {
      const queue = kernel.object('struct request', address).member('q').pointer();
      return { what: 'request', address, device: diskOfQueue(kernel, queue) };
    }
  }
  return null;
}

function direct(sleeper: Sleeper): BlockWait | null {
  const { kernel, task } = sleeper;
  const bioType = kernel.types.find('struct bio');
  if (bioType !== null && sleeper.in(/^__blkdev_direct_IO_simple/)) {
    // its bio lies on the stack, and is for the task itself until 5.18
    for (const address of sleeper.structsWith(bioType, 'bi_private', task.address)) {
      // the task's address stands elsewhere on the stack, too
      const ends = kernel.place(kernel.object(bioType, address).member('bi_end_io').pointer());
      const device = ends?.symbol.name === 'blkdev_bio_end_io_simple' ? bioDevice(kernel, address) : null;
      if (device !== null) return { what: 'bio', address, device };
    }
  }
  if (sleeper.in(/iomap_dio_rw/)) {
    for (const address of pointersTo(sleeper, 'struct iomap_dio', 'submit.waiter', task.address)) {
      const inode = kernel.object('struct iomap_dio', address).member('iocb').member('ki_filp').member('f_inode');
      return { what: 'direct', address, device: inode.member('i_sb').member('s_id').string() };
    }
  }
  if (sleeper.in(/^(dio_await_|__blockdev_direct_IO|do_blockdev_direct_IO)/)) {
    for (const address of pointersTo(sleeper, 'struct dio', 'waiter', task.address)) {
      return {
        what: 'direct',
        address,
        device: kernel.object('struct dio', address).member('inode').member('i_sb').member('s_id').string(),
      };
    }
  }
  return null;
}

/** Queued on one of the wait queues of a `struct sbitmap_queue`; the stack has it in a `struct sbq_wait`. */
function tagWait(sleeper: Sleeper): BlockWait {
  const { kernel } = sleeper;
  const none: BlockWait = { what: 'tag', address: null, device: null };
  const type = kernel.types.find('struct sbq_wait');
  const entry = queueEntries(sleeper)[0];
  if (type === null || entry === undefined) return none;
  const queue = kernel.object(type, offsetBy(entry.address, -offsetOf(type, 'wait'))).member('sbq');
  if (queue.isNull) return none;
  // which disk's hardware queue has these tags: the request_queue is among what the task works on
  for (const disk of disks(kernel)) {
    if (sleeper.words.includes(disk.queue)) return { what: 'tag', address: disk.queue, device: disk.name };
  }
  return none;
}

function frozen(sleeper: Sleeper): BlockWait | null {
  const { kernel } = sleeper;
  const head = queueEntries(sleeper)[0]?.head;
  if (head == null) return null;
  const address = offsetBy(head, -offsetOf(kernel.type('struct request_queue'), 'mq_freeze_wq'));
  const device = diskOfQueue(kernel, address);
  return device === null ? null : { what: 'frozen', address, device };
}

function diskOfQueue(kernel: Kernel, queue: VirtAddr): string | null {
  return disks(kernel).find((disk) => disk.queue === queue)?.name ?? null;
}

/** The disk or partition that a bio is for. @throws MemoryFault, NotFoundError */
export function bioDevice(kernel: Kernel, bio: VirtAddr): string {
  const object: KernelObject = kernel.object('struct bio', bio);
  // a gendisk and the number of a partition until 309dca309fc3 (5.12)
  const disk = object.optional('bi_disk');
  if (disk !== null) return partitionName(disk.member('disk_name').string(), object.member('bi_partno').number());
  return blockDeviceName(object.member('bi_bdev').deref());
}
