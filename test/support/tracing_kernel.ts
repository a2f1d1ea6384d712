// A kernel with buffers of ftrace.
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { SyntheticKernel } from './synthetic_kernel.ts';
import { TracePageWriter } from './trace_page_writer.ts';

const declarations = `
  struct cpumask { unsigned long bits[1]; };
  struct list_head { struct list_head *next, *prev; };
  struct local { long counter; };
  struct tracer { const char *name; };
  struct trace_event_file { struct list_head list; struct trace_event_call *event_call; unsigned long flags; };
  struct array_buffer { struct trace_buffer *buffer; };
  struct trace_array { struct list_head list; char *name; struct array_buffer array_buffer; struct tracer *current_trace; struct list_head events; };
  struct trace_buffer { struct ring_buffer_per_cpu **buffers; void *clock; };
  struct ring_buffer_per_cpu { int cpu; unsigned long nr_pages; struct buffer_page *head_page; struct buffer_page *commit_page; struct buffer_page *reader_page; struct local entries; struct local overrun; struct local dropped_events; unsigned long read; };
  struct buffer_page { struct list_head list; unsigned int read; struct buffer_data_page *page; };
  struct buffer_data_page { unsigned long long time_stamp; unsigned long commit; unsigned char data[1]; };
  struct trace_event_class { const char *system; struct list_head fields; void *get_fields; };
  struct trace_event { int type; };
  struct trace_event_call { struct list_head list; struct trace_event_class *class; const char *name; struct trace_event event; const char *print_fmt; };
  struct tracepoint { const char *name; int enabled; };
  struct ftrace_event_field { struct list_head link; const char *name; const char *type; int offset; int size; int is_signed; };
`;

/** Events of a page: what the 9th byte of each is, which stands for it; or a page that cannot be read. */
export type PageContent = readonly number[] | 'unreadable';

export interface CpuBuffer {
  readonly reader: readonly number[];
  readonly ring: readonly PageContent[];
  /** Which page of the ring is the oldest. */
  readonly head: number;
  /** Where was written last. */
  readonly commit: number | 'reader' | 'nowhere';
}

/** What `event` takes: fields lie one behind the other behind the 8 common bytes. */
export interface EventDeclaration {
  readonly system: string;
  readonly name: string;
  readonly id: number;
  readonly fields: readonly { readonly type: string; readonly name: string; readonly size: number }[];
  readonly print: string;
  /** Whether a tracepoint has the name: what the event points to is then the name's address, which reads as the text `8`. */
  readonly tracepoint?: boolean;
}

export class TracingKernel extends SyntheticKernel {
  private readonly arrays: bigint[] = [];
  private readonly calls: bigint[] = [];
  private readonly arrayHead = this.allocate('struct list_head', 'ftrace_trace_arrays');
  private readonly eventHead = this.allocate('struct list_head', 'ftrace_events');

  constructor() {
    super(declarations);
    const common = this.allocate('struct list_head', 'ftrace_common_fields');
    this.link(common.address);
    this.link(this.eventHead.address);
    this.define('trace_clock_local', 0xffffffff81000000n, 64);
    for (const mask of ['__cpu_possible_mask', '__cpu_present_mask', '__cpu_online_mask']) {
      this.set(this.allocate('struct cpumask', mask), 'bits[0]', 3);
    }
  }

  /** A buffer without CPUs. @param name empty for the kernel's own */
  array(name = ''): KernelObject {
    const array = this.allocate('struct trace_array');
    const buffer = this.allocate('struct trace_buffer');
    const tracer = this.allocate('struct tracer');
    this.set(tracer, 'name', this.text('nop'));
    this.set(array, 'current_trace', tracer);
    this.set(array, 'array_buffer.buffer', buffer);
    if (name !== '') this.set(array, 'name', this.text(name));
    this.set(buffer, 'buffers', this.reserve(2 * 8));
    this.set(buffer, 'clock', 0xffffffff81000000n);
    this.link(array.member('events').address);
    this.arrays.push(array.address);
    this.link(this.arrayHead.address, ...this.arrays);
    this.forget();
    return array;
  }

  /** What a CPU traced; times are one nanosecond apart. */
  cpuBuffer(array: KernelObject, cpu: number, content: CpuBuffer, { overrun = 0 } = {}): void {
    const own = this.allocate('struct ring_buffer_per_cpu');
    let time = 1000n;
    let entries = 0;
    const page = (events: PageContent, type = 0): KernelObject => {
      const made = this.allocate('struct buffer_page');
      if (events === 'unreadable') {
        this.set(made, 'page', 0xffff_8880_7fff_0000n);
        return made;
      }
      const writer = new TracePageWriter(time);
      for (const event of events) {
        time += 1n;
        entries++;
        writer.event(time, Uint8Array.of(type & 0xff, type >> 8, 0, 0, cpu + 1, 0, 0, 0, event, 0, 0, 0));
      }
      const data = this.reserve(4096);
      this.space.write(data, writer.bytes());
      this.set(made, 'page', data);
      return made;
    };
    const reader = page(content.reader, this.typeOf);
    // in the order of time: from the head on
    const { ring, head } = content;
    const pages: KernelObject[] = [];
    for (let i = 0; i < ring.length; i++) {
      const at = (head + i) % ring.length;
      pages[at] = page(ring[at]!, this.typeOf);
    }
    const links = pages.map((one) => one.member('list').address);
    this.link(links[0]!, ...links.slice(1));
    // the link to the head is marked
    const before = links[(head + links.length - 1) % links.length]!;
    this.space.words(before, links[head]! | 1n);
    this.set(own, 'cpu', cpu);
    this.set(own, 'nr_pages', ring.length);
    this.set(own, 'head_page', pages[0]!);
    this.set(own, 'reader_page', reader);
    const { commit } = content;
    if (commit !== 'nowhere') this.set(own, 'commit_page', commit === 'reader' ? reader : pages[commit]!);
    this.set(own, 'entries.counter', entries + overrun);
    this.set(own, 'overrun.counter', overrun);
    const buffers = this.object('struct trace_buffer', array.member('array_buffer.buffer').pointer()).member('buffers');
    this.space.words(buffers.pointer() + BigInt(cpu * 8), own.address);
    this.forget();
  }

  /** What events of buffers made from now on are. */
  typeOf = 0;

  /** Makes an event known. */
  event({ system, name, id, fields, print, tracepoint = false }: EventDeclaration): void {
    const call = this.allocate('struct trace_event_call');
    const owner = this.allocate('struct trace_event_class');
    this.set(owner, 'system', this.text(system));
    this.set(call, 'class', owner);
    this.set(call, 'name', tracepoint ? this.tracepoint(name) : this.text(name));
    this.set(call, 'event.type', id);
    this.set(call, 'print_fmt', this.text(print));
    let offset = 8;
    const links = fields.map((field) => {
      const made = this.allocate('struct ftrace_event_field');
      this.set(made, 'name', this.text(field.name));
      this.set(made, 'type', this.text(field.type));
      this.set(made, 'offset', offset);
      this.set(made, 'size', field.size);
      offset += field.size;
      return made.member('link').address;
    });
    // the kernel puts each before those it has
    this.link(owner.member('fields').address, ...links.reverse());
    this.calls.push(call.address);
    this.link(this.eventHead.address, ...this.calls);
    this.forget();
  }

  private tracepoint(name: string): KernelObject {
    const point = this.allocate('struct tracepoint');
    let page = this.reserve(1);
    while ((page & 0xff00n) !== 0n) page = this.reserve(1);
    this.set(point, 'name', this.text(name, page + 0x38n));
    return point;
  }

  private text(text: string, address: bigint = this.reserve(text.length + 1)): bigint {
    this.space.write(address, Buffer.from(`${text}\0`, 'latin1'));
    return address;
  }
}
