// kernel/trace/trace_output.c: events as the trace file of the tracing file system shows them.
import { latin1 } from '../../base/byte_reader.ts';
import { FormatError } from '../../base/errors.ts';
import { type EventField, type EventFormat, fieldBytes, fieldNumber } from './event_format.ts';
import { printf, storedArguments } from './kernel_printf.ts';
import { fieldsText, printerOf } from './print_format.ts';
import type { TraceEvent } from './ring_buffer.ts';
import type { TraceNames } from './trace_names.ts';

/** What every event begins with: struct trace_entry. */
export interface EventHead {
  /** Which event it is. */
  readonly type: number;
  /** enum trace_flag_type. */
  readonly flags: number;
  /** Depth of preemption's disabling in the low 4 bits, of migration's in the next. */
  readonly preemptCount: number;
  readonly pid: number;
}

export function eventHead(data: Uint8Array): EventHead {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (data.length < 8) return { type: 0, flags: 0, preemptCount: 0, pid: 0 };
  return { type: view.getUint16(0, true), flags: data[2]!, preemptCount: data[3]!, pid: view.getInt32(4, true) };
}

/** enum trace_flag_type. */
const irqsOff = 1;
const needReschedLazy = 2;
const needResched = 4;
const hardirq = 8;
const softirq = 0x10;
const preemptResched = 0x20;
const nmi = 0x40;
const bhOff = 0x80;

/** The column of letters between CPU and time: `d..2.` (trace_print_lat_fmt). */
export function flagLetters({ flags, preemptCount }: EventHead): string {
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const off = has(irqsOff) ? (has(bhOff) ? 'D' : 'd') : has(bhOff) ? 'b' : '.';
  const resched = (has(needResched) ? 1 : 0) | (has(preemptResched) ? 2 : 0) | (has(needReschedLazy) ? 4 : 0);
  const inside = has(nmi)
    ? has(hardirq)
      ? 'Z'
      : 'z'
    : has(hardirq)
      ? has(softirq)
        ? 'H'
        : 'h'
      : has(softirq)
        ? 's'
        : '.';
  const depth = (count: number): string => (count === 0 ? '.' : count.toString(16));
  return off + '.npNlbLB'[resched]! + inside + depth(preemptCount & 0xf) + depth(preemptCount >> 4);
}

/** What an event says, with its name before it unless it is one of the tracers' own. May be several lines. */
export function eventText(format: EventFormat, data: Uint8Array, names: TraceNames): string {
  const special = format.system === 'ftrace' ? own[format.name] : undefined;
  if (special !== undefined) return special(reader(format, data, names));
  const text = printerOf(format)(data, names);
  const call = format.system === 'syscalls' ? /^sys_(enter|exit)_(.+)/.exec(format.name) : null;
  if (call === null) return `${format.name}: ${text}`;
  return call[1] === 'enter' ? `sys_${call[2]}(${text})` : `sys_${call[2]} -> ${text}`;
}

interface FieldReader {
  readonly names: TraceNames;
  number(name: string): bigint;
  bytes(name: string): Uint8Array;
  /** As `bytes`, to the end of the event. */
  tail(name: string): Uint8Array;
  /** The function at an address, without an offset. */
  symbol(address: bigint): string;
  fields(): string;
}

function reader(format: EventFormat, data: Uint8Array, names: TraceNames): FieldReader {
  const field = (name: string): EventField | undefined => format.fields.find((one) => one.name === name);
  return {
    names,
    number(name) {
      const found = field(name);
      return found === undefined ? 0n : BigInt.asUintN(64, fieldNumber(data, found));
    },
    bytes(name) {
      const found = field(name);
      return found === undefined ? new Uint8Array() : fieldBytes(data, found);
    },
    tail(name) {
      return data.subarray(Math.min(field(name)?.offset ?? data.length, data.length));
    },
    symbol(address) {
      const found = names.symbol(address);
      return found === null ? `0x${address.toString(16)}` : found.name;
    },
    fields: () => fieldsText(format, data, names),
  };
}

/** Events that the tracers make themselves. */
const own: Readonly<Record<string, (event: FieldReader) => string>> = {
  function: ({ number, symbol }) => `${symbol(number('ip'))} <-${symbol(number('parent_ip'))}`,
  print: ({ number, bytes, symbol }) => `${symbol(number('ip'))}: ${ended(latin1(bytes('buf')))}`,
  bputs: ({ number, names, symbol }) =>
    `${symbol(number('ip'))}: ${ended(names.text(number('str')) ?? '(unknown text)')}`,
  bprint: (event) => `${event.symbol(event.number('ip'))}: ${binaryText(event)}`,
  kernel_stack: (event) => `<stack trace>${stackText(callers(event), event.symbol)}`,
  user_stack: ({ bytes }) =>
    `<user stack trace>${stackText(bytes('caller'), (address) => `<${address.toString(16).padStart(16, '0')}>`)}`,
  funcgraph_entry: ({ number, symbol }) => graphText(null, number('depth'), `${symbol(number('func'))}() {`),
  funcgraph_exit: (event) => graphText(duration(event), event.number('depth'), '}'),
};

/** Without the end of the line, which texts of printk have. */
function ended(text: string): string {
  return text.replace(/\n$/, '');
}

function binaryText({ number, bytes, names, fields }: FieldReader): string {
  const format = names.text(number('fmt'));
  if (format === null) return fields();
  try {
    return ended(printf(format, storedArguments(format, bytes('buf')), names));
  } catch (error) {
    if (error instanceof FormatError) return `${ended(format)} (${Buffer.from(bytes('buf')).toString('hex')})`;
    throw error;
  }
}

/** The format says how long the array is, but not truly: there are as many as `size` says, where that is. */
function callers({ number, tail }: FieldReader): Uint8Array {
  const count = Number(number('size'));
  return count === 0 ? tail('caller') : tail('caller').subarray(0, count * 8);
}

function stackText(bytes: Uint8Array, shown: (address: bigint) => string): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = '';
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    const address = view.getBigUint64(at, true);
    if (address === 0n || address === 0xffff_ffff_ffff_ffffn) break;
    text += `\n => ${shown(address)}`;
  }
  return text;
}

function duration({ number }: FieldReader): bigint {
  return BigInt.asUintN(64, number('rettime') - number('calltime'));
}

/** A call whose return follows at once: one line with the time it took. */
export function leafText(
  entry: EventFormat,
  call: TraceEvent,
  exit: EventFormat,
  back: TraceEvent,
  names: TraceNames,
): string {
  const [from, to] = [reader(entry, call.data, names), reader(exit, back.data, names)];
  return graphText(duration(to), from.number('depth'), `${from.symbol(from.number('func'))}();`);
}

/** True where the second event is the return of the call that the first is. */
export function isLeaf(entry: EventFormat, call: TraceEvent, exit: EventFormat, back: TraceEvent): boolean {
  const field = (format: EventFormat, { data }: TraceEvent, name: string): bigint | null => {
    const found = format.fields.find((one) => one.name === name);
    return found === undefined ? null : fieldNumber(data, found);
  };
  return (
    eventHead(call.data).pid === eventHead(back.data).pid &&
    field(entry, call, 'func') === field(exit, back, 'func') &&
    field(entry, call, 'depth') === field(exit, back, 'depth')
  );
}

/** Deepest indentation drawn. */
const maxIndent = 64;

/** As the function_graph tracer has it: microseconds, then the code. */
function graphText(nanoseconds: bigint | null, depth: bigint, code: string): string {
  const time = nanoseconds === null ? '' : `${nanoseconds / 1000n}.${String(nanoseconds % 1000n).padStart(3, '0')} us`;
  return `${time.padStart(14)} | ${'  '.repeat(Math.min(Number(depth), maxIndent))} ${code}`;
}
