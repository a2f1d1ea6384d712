// kernel/trace/ring_buffer.c: the buffers that events are traced into.
//
//   ftrace_trace_arrays --> trace_array { array_buffer.buffer } --> trace_buffer { buffers[cpu] } --> ring_buffer_per_cpu
//
//   reader_page    head_page --> ... --> commit_page        oldest to newest; links carry flags in their low two bits
//        |             |                      |
//        v             v                      v
//   buffer_data_page { time_stamp, commit, data[] }         data: events, each a header of 32 bits and its content
import { offsetBy, type VirtAddr, virtAddr } from '../../base/address.ts';
import { FormatError } from '../../base/errors.ts';
import type { KernelObject } from '../../debuginfo/object.ts';
import { offsetOf } from '../../debuginfo/type.ts';
import type { Kernel } from '../kernel.ts';
import { listEntries } from '../list.ts';
import { perKernel } from '../per_kernel.ts';

/** One page of a buffer as it lies in memory: what trace-cmd reads, too. */
export interface TracePage {
  /** Time of its first event, nanoseconds of the trace clock. */
  readonly time: bigint;
  /** Bytes of events behind the header of 16 bytes. */
  readonly used: number;
  /** How many of them a reader took already; they count no more. */
  readonly taken: number;
  /** The whole page, with its header. */
  readonly bytes: Uint8Array;
}

/** What one CPU traced. */
export interface TraceCpu {
  readonly cpu: number;
  /** Events that are in it. */
  readonly entries: bigint;
  /** Events that were written over since it was full. */
  readonly overrun: bigint;
  /** Events that were not written since it was full and keeps the oldest. */
  readonly dropped: bigint;
  /** Bytes that it may hold. */
  readonly size: number;
  /** Pages, the oldest first; read as they are asked for. One that cannot be read is left out, with a fault. */
  pages(): Generator<TracePage>;
}

/** A buffer with its name: the kernel's own, or an instance that somebody made. */
export interface TraceArray {
  /** Virtual address of the `struct trace_array`. */
  readonly address: VirtAddr;
  /** Empty for the kernel's own. */
  readonly name: string;
  /** Name of what traces into it: `nop` where only events do, `function`; null where it cannot be read. */
  readonly tracer: string | null;
  /** Name of the clock, as trace_clock of the tracing file system has it: `local`; null where it cannot be told. */
  readonly clock: string | null;
  /** Bytes that the kernel's text lies further than when the events were traced: for those of the boot before. */
  readonly textDelta: bigint;
  /** Events that are switched on: the `struct trace_event_call`s. */
  readonly enabled: readonly VirtAddr[];
  /** Bytes in a page of it. */
  readonly pageSize: number;
  readonly cpus: readonly TraceCpu[];
}

/** An event. */
export interface TraceEvent {
  readonly cpu: number;
  /** Nanoseconds of the trace clock. */
  readonly time: bigint;
  /** Its content: the common fields, then its own. */
  readonly data: Uint8Array;
}

/** Most pages of a CPU believed: 4 GiB of trace. */
const maxPages = 1 << 20;
/** Flags in the low bits of a link: RB_PAGE_HEAD and RB_PAGE_UPDATE. */
const linkFlags = 3n;
/** Bytes before the events: time_stamp and commit. */
export const pageHeader = 16;

/** Every buffer there is, the kernel's own first. */
export const traceArrays = perKernel((kernel: Kernel): readonly TraceArray[] => {
  const found: TraceArray[] = [];
  kernel.faults.attempt(
    'trace buffers',
    () => {
      const arrays = listEntries(kernel.variable('ftrace_trace_arrays'), 'struct trace_array', 'list');
      for (const array of arrays) {
        kernel.faults.attempt('trace buffer', () => found.push(readArray(kernel, array)), 0);
      }
    },
    undefined,
  );
  return found.sort((a, b) => Number(a.name !== '') - Number(b.name !== ''));
});

function readArray(kernel: Kernel, array: KernelObject): TraceArray {
  const name = array.member('name');
  // by name: where a type is only declared for the pointer, that does not lead to its members
  const buffer = kernel.object('struct trace_buffer', array.member('array_buffer.buffer').pointer());
  // sub-buffers of several pages came with 2808e31ec12e (6.8)
  const order = buffer.optional('subbuf_order')?.number() ?? 0;
  if (order > 10) throw new FormatError('trace buffer', `pages of order ${order}`);
  const pageSize = kernel.dump.memory.pageSize * 2 ** order;
  const cpus: TraceCpu[] = [];
  for (const cpu of kernel.cpus.possible) {
    kernel.faults.attempt(
      `trace buffer of CPU ${cpu}`,
      () => {
        const own = buffer.member('buffers').index(cpu);
        if (own.isNull) return;
        const perCpu = kernel.object('struct ring_buffer_per_cpu', own.pointer());
        const overrun = counterOf(perCpu.member('overrun'));
        cpus.push({
          cpu,
          // rb_num_of_entries()
          entries: counterOf(perCpu.member('entries')) - overrun - perCpu.member('read').bigint(),
          overrun,
          dropped: counterOf(perCpu.member('dropped_events')),
          size: perCpu.member('nr_pages').number() * pageSize,
          pages: () => pagesOf(kernel, perCpu, pageSize),
        });
      },
      undefined,
    );
  }
  return {
    address: array.address,
    name: name.isNull ? '' : name.string(256),
    tracer: kernel.faults.attempt(
      'tracer',
      () => {
        const tracer = array.member('current_trace');
        return tracer.isNull ? null : tracer.member('name').string(64);
      },
      null,
    ),
    clock: kernel.faults.attempt(
      'trace clock',
      () => {
        const symbol = kernel.place(buffer.member('clock').pointer());
        return symbol === null ? null : (clocks.get(symbol.symbol.name) ?? symbol.symbol.name);
      },
      null,
    ),
    // from 7a1d1e4b9639 (6.10) on
    textDelta: array.optional('text_delta')?.bigint() ?? 0n,
    enabled: kernel.faults.attempt('events that are on', () => enabledEvents(array), []),
    pageSize,
    cpus,
  };
}

/** trace_clocks[] of kernel/trace/trace.c: the functions, and the names that users know. */
const clocks: ReadonlyMap<string, string> = new Map([
  ['trace_clock_local', 'local'],
  ['trace_clock_global', 'global'],
  ['trace_clock_counter', 'counter'],
  ['trace_clock_jiffies', 'uptime'],
  ['trace_clock', 'perf'],
  ['ktime_get_mono_fast_ns', 'mono'],
  ['ktime_get_raw_fast_ns', 'mono_raw'],
  ['ktime_get_boot_fast_ns', 'boot'],
  ['ktime_get_tai_fast_ns', 'tai'],
  ['trace_clock_x86_tsc', 'x86-tsc'],
]);

/** EVENT_FILE_FL_ENABLED. */
const eventEnabled = 1n;

function enabledEvents(array: KernelObject): VirtAddr[] {
  const found: VirtAddr[] = [];
  for (const file of listEntries(array.member('events'), 'struct trace_event_file', 'list')) {
    if ((file.member('flags').bigint() & eventEnabled) !== 0n) found.push(file.member('event_call').pointer());
  }
  return found;
}

/** local_t: an atomic_long_t in a struct of its own on most machines. */
function counterOf(local: KernelObject): bigint {
  return BigInt.asUintN(64, (local.optional('a.counter') ?? local.optional('counter') ?? local).bigint());
}

function* pagesOf(kernel: Kernel, buffer: KernelObject, pageSize: number): Generator<TracePage> {
  for (const page of bufferPages(kernel, buffer)) {
    const read = kernel.faults.attempt('page of a trace buffer', () => readPage(kernel, page, pageSize), null);
    if (read !== null && read.used > read.taken) yield read;
  }
}

/** The `struct buffer_page`s from the oldest to where it was written last. */
function* bufferPages(kernel: Kernel, buffer: KernelObject): Generator<KernelObject> {
  const reader = buffer.member('reader_page');
  const commit = buffer.member('commit_page').pointer();
  if (!reader.isNull) {
    yield kernel.object('struct buffer_page', reader.pointer());
    if (reader.pointer() === commit) return;
  }
  const type = kernel.type('struct buffer_page');
  const link = offsetOf(type, 'list');
  const count = Math.min(Number(buffer.member('nr_pages').bigint()), maxPages);
  const after = (page: VirtAddr): VirtAddr =>
    offsetBy(virtAddr(kernel.space.pointer(offsetBy(page, link)) & ~linkFlags), -link);
  let page = headPage(kernel, buffer, after, link, count);
  const seen = new Set<bigint>();
  for (let i = 0; i < count && !seen.has(page); i++) {
    seen.add(page);
    yield kernel.object(type, page);
    if (page === commit) return;
    const next = kernel.faults.attempt('page of a trace buffer', () => after(page), null);
    if (next === null) return;
    page = next;
  }
}

/** The oldest page: the one that the link to it is marked for. `head_page` may be some pages behind. */
function headPage(
  kernel: Kernel,
  buffer: KernelObject,
  after: (page: VirtAddr) => VirtAddr,
  link: number,
  count: number,
): VirtAddr {
  const first = buffer.member('head_page').pointer();
  let page = first;
  for (let i = 0; i < count; i++) {
    const before = kernel.space.pointer(offsetBy(page, link + 8));
    if ((kernel.space.pointer(before) & linkFlags) !== 0n) return page;
    page = after(page);
  }
  return first;
}

function readPage(kernel: Kernel, page: KernelObject, size: number): TracePage {
  const bytes = kernel.space.read(page.member('page').pointer(), size);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  // flags of missed events are in the highest bits; what is lost is told behind the events
  const used = Number(view.getBigUint64(8, true) & 0xf_ffffn);
  const taken = page.member('read').number();
  return { time: view.getBigUint64(0, true), used: Math.min(used, size - pageHeader), taken, bytes };
}

/** Kinds of records that are no events (enum ring_buffer_type). */
const padding = 29;
const timeExtend = 30;
const timeStamp = 31;

/** The events of a page that nobody took, in order. A record that cannot be ends them. */
export function* pageEvents(cpu: number, { time: start, used, taken, bytes }: TracePage): Generator<TraceEvent> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = pageHeader + used;
  let time = start;
  for (let at = pageHeader; at + 4 <= end; ) {
    const header = view.getUint32(at, true);
    const kind = header & 0x1f;
    const delta = BigInt(header >>> 5);
    const extra = at + 8 <= end ? view.getUint32(at + 4, true) : null;
    if (kind === padding) {
      // without a time it fills the page; else an event was here that was taken back
      if (delta === 0n || extra === null) return;
      time += delta;
      at += 4 + extra;
      continue;
    }
    if (kind === timeExtend || kind === timeStamp) {
      if (extra === null) return;
      const value = (BigInt(extra) << 27n) | delta;
      // 59 bits of an absolute time are here; the others are those of the time before
      time = kind === timeExtend ? time + value : ((time >> 59n) << 59n) | value;
      at += 8;
      continue;
    }
    time += delta;
    const from = kind === 0 ? at + 8 : at + 4;
    const length = kind === 0 ? (extra ?? 0) - 4 : kind * 4;
    if (length <= 0 || from + length > end) return;
    if (at >= pageHeader + taken) yield { cpu, time, data: bytes.subarray(from, from + length) };
    at = from + Math.ceil(length / 4) * 4;
  }
}
