// include/linux/trace_events.h: which events there are, and what each one's fields are.
//
//   ftrace_events --> trace_event_call { class, name, event.type, print_fmt } --> class.fields --> ftrace_event_field
//   ftrace_common_fields: those that every event begins with
import { type VirtAddr, virtAddr } from '../../base/address.ts';
import type { KernelObject } from '../../debuginfo/object.ts';
import type { Kernel } from '../kernel.ts';
import { listNodes } from '../list.ts';
import { perKernel } from '../per_kernel.ts';

export interface EventField {
  readonly name: string;
  /** As C has it: `char[16]`, `__data_loc char[]`, `unsigned long`. */
  readonly type: string;
  /** Bytes from the start of the event. */
  readonly offset: number;
  readonly size: number;
  readonly signed: boolean;
}

export interface EventFormat {
  /** Virtual address of its `struct trace_event_call`. */
  readonly address: VirtAddr;
  readonly system: string;
  readonly name: string;
  /** What its events have as common_type. */
  readonly id: number;
  readonly common: readonly EventField[];
  readonly fields: readonly EventField[];
  /** How the kernel prints it: a format and its arguments, as C. */
  readonly print: string;
}

/** Most fields of one event. */
const maxFields = 256;

/** Every event that the kernel and its modules have. What cannot be read costs itself. */
export const eventFormats = perKernel((kernel: Kernel): readonly EventFormat[] => {
  const { faults } = kernel;
  const common = faults.attempt(
    'common fields of events',
    () => readFields(kernel, kernel.variable('ftrace_common_fields')),
    [],
  );
  const found: EventFormat[] = [];
  faults.attempt(
    'events',
    () => {
      for (const node of listNodes(kernel.variable('ftrace_events'))) {
        const call = kernel.object('struct list_head', node).containerOf('struct trace_event_call', 'list');
        faults.attempt('event', () => found.push(readFormat(kernel, call, common)), 0);
      }
    },
    undefined,
  );
  return found;
});

function readFormat(kernel: Kernel, call: KernelObject, common: readonly EventField[]): EventFormat {
  const owner = call.member('class').deref();
  const print = call.member('print_fmt');
  return {
    address: call.address,
    system: owner.member('system').string(64),
    name: eventName(kernel, call),
    id: call.member('event.type').number(),
    common,
    fields: readFields(kernel, fieldsOf(kernel, call, owner)),
    print: print.isNull ? '' : print.string(1 << 16),
  };
}

/**
 * A name, or the tracepoint that has it (abb43f6998e3, 3.15): which of the two is told by a flag whose bit has moved. A
 * tracepoint begins with the address of its name, and no text is one: its bytes are all below 0x80.
 */
function eventName(kernel: Kernel, call: KernelObject): string {
  const pointer = call.member('name').pointer();
  const point = kernel.types.find('struct tracepoint') === null ? null : kernel.object('struct tracepoint', pointer);
  if (point !== null && kernel.space.readUpTo(pointer, 8).bytes[7] === 0xff) return point.member('name').string(128);
  return kernel.space.cString(pointer, 128);
}

/** The list of an event's fields: of its class, but for entries of system calls. */
function fieldsOf(kernel: Kernel, call: KernelObject, owner: KernelObject): KernelObject {
  const own = owner.member('get_fields').pointer();
  if (own !== 0n && kernel.place(own)?.symbol.name === 'syscall_get_enter_fields') {
    return kernel.object('struct syscall_metadata', call.member('data').pointer()).member('enter_fields');
  }
  return owner.member('fields');
}

/** Fields are put before the others as they are declared: the last of the list is the first. */
function readFields(kernel: Kernel, head: KernelObject): EventField[] {
  const fields: EventField[] = [];
  for (const node of listNodes(head, 'prev')) {
    if (fields.length >= maxFields) break;
    const field = kernel.object('struct list_head', node).containerOf('struct ftrace_event_field', 'link');
    const type = field.member('type').string(128);
    fields.push({
      name: field.member('name').string(128),
      type,
      offset: field.member('offset').number(),
      size: field.member('size').number(),
      signed: field.member('is_signed').bool(),
    });
  }
  return fields;
}

/** The value of a field that is a number; 0 where the event is too short. */
export function fieldNumber(data: Uint8Array, { offset, size, signed }: EventField): bigint {
  if (offset + size > data.length || size > 8) return 0n;
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(data[offset + i]!);
  return signed ? BigInt.asIntN(size * 8, value) : value;
}

/** True for an array, of a fixed length or not. */
export function isArray({ type }: EventField): boolean {
  return type.includes('[') || type.startsWith('__data_loc') || type.startsWith('__rel_loc');
}

/** The bytes of a field: for one whose place is told by another (`__data_loc`, `__rel_loc`), those. */
export function fieldBytes(data: Uint8Array, field: EventField): Uint8Array {
  const dynamic = /^__(data|rel)_loc/.exec(field.type);
  if (dynamic === null) {
    // the last field of the tracers' own events has no length: it goes to the end
    const end = field.size === 0 ? data.length : Math.min(data.length, field.offset + field.size);
    return data.subarray(Math.min(field.offset, end), end);
  }
  const place = Number(fieldNumber(data, { ...field, size: 4, signed: false }));
  const offset = (place & 0xffff) + (dynamic[1] === 'rel' ? field.offset + 4 : 0);
  return data.subarray(Math.min(offset, data.length), Math.min(offset + (place >>> 16), data.length));
}

/** Texts of trace_printk() that events name by address: what printk_formats of the tracing file system shows. */
export function printkFormats(kernel: Kernel): { readonly address: VirtAddr; readonly text: string }[] {
  const start = kernel.ownSymbol('__start___trace_bprintk_fmt')?.address;
  const stop = kernel.ownSymbol('__stop___trace_bprintk_fmt')?.address;
  if (start === undefined || stop === undefined || stop - start > 1n << 20n) return [];
  const found: { address: VirtAddr; text: string }[] = [];
  for (let at = start; at < stop; at = virtAddr(at + 8n)) {
    kernel.faults.attempt(
      'texts of trace_printk()',
      () => {
        const address = kernel.space.pointer(at);
        if (address !== 0n) found.push({ address, text: kernel.space.cString(address, 1024) });
      },
      undefined,
    );
  }
  return found;
}
