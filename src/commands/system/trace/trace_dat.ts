// trace.dat, version 6, as trace-cmd and KernelShark read it (trace-cmd.dat.v6(5)):
//
//   magic, version, byte order, word size, page size
//   header_page, header_event          what a page and an event look like
//   formats of the tracers' own events, then of all others by system
//   symbols, texts of trace_printk(), names of tasks
//   number of CPUs
//   options: clock, uname, instances with the offset of their table
//   table: offset and size of each CPU's pages; then, page-aligned, the pages as the kernel's memory has them
import { closeSync, openSync, writeSync } from 'node:fs';
import { offsetOf, sizeOf } from '../../../debuginfo/type.ts';
import type { Kernel } from '../../../kernel/kernel.ts';
import { type EventField, type EventFormat, eventFormats, printkFormats } from '../../../kernel/trace/event_format.ts';
import { pageHeader, type TraceArray } from '../../../kernel/trace/ring_buffer.ts';
import { taskNames } from '../../../kernel/trace/saved_commands.ts';
import { readUtsname } from '../../../kernel/utsname.ts';

/** What was written of a buffer. */
export interface WrittenArray {
  /** Empty for the kernel's own. */
  readonly instance: string;
  readonly pages: number;
}

const optionEnd = 0;
const optionBuffer = 3;
const optionClock = 4;
const optionUname = 5;

/** Writes all buffers of the kernel. @param arrays the kernel's own first; all with pages of one size */
export function writeTraceDat(kernel: Kernel, arrays: readonly TraceArray[], path: string): WrittenArray[] {
  const file = new Writer(path);
  try {
    const pageSize = arrays[0]?.pageSize ?? kernel.dump.memory.pageSize;
    const cpus = Math.max(0, ...arrays.flatMap((array) => array.cpus.map(({ cpu }) => cpu + 1)));
    const formats = eventFormats(kernel);
    file.put([0x17, 0x08, 0x44]);
    file.text('tracing6\0');
    file.put([0, 8]);
    file.u32(pageSize);
    file.text('header_page\0');
    file.sized(headerPage(kernel, pageSize));
    file.text('header_event\0');
    file.sized(headerEvent);
    writeFormats(file, formats);
    file.sized32(symbolsText(kernel));
    file.sized32(printkText(kernel));
    file.sized(namesText(kernel));
    file.u32(cpus);
    file.text('options  \0');
    const [main, ...instances] = arrays;
    if (main !== undefined) file.option(optionClock, `[${main.clock ?? 'local'}]\0`);
    file.option(optionUname, `${unameText(kernel)}\0`);
    const places = instances.map(({ name }) => file.bufferOption(name));
    file.u16(optionEnd);
    const written: WrittenArray[] = [];
    for (const [index, array] of arrays.entries()) {
      // an instance's table lies where its option says
      if (index > 0) file.patch64(places[index - 1]!, file.position);
      written.push({ instance: array.name, pages: writePages(file, array, cpus, pageSize) });
    }
    return written;
  } finally {
    file.close();
  }
}

function writePages(file: Writer, array: TraceArray, cpus: number, pageSize: number): number {
  file.text('flyrecord\0');
  const table = file.position;
  for (let cpu = 0; cpu < cpus; cpu++) {
    file.u64(0);
    file.u64(0);
  }
  let all = 0;
  for (let cpu = 0; cpu < cpus; cpu++) {
    file.align(pageSize);
    const start = file.position;
    for (const { bytes } of array.cpus.find((one) => one.cpu === cpu)?.pages() ?? []) {
      file.put(bytes);
      all++;
    }
    file.patch64(table + cpu * 16, start);
    file.patch64(table + cpu * 16 + 8, file.position - start);
  }
  return all;
}

function writeFormats(file: Writer, formats: readonly EventFormat[]): void {
  const systems = new Map<string, EventFormat[]>();
  for (const format of formats) {
    const list = systems.get(format.system);
    if (list === undefined) systems.set(format.system, [format]);
    else list.push(format);
  }
  const own = systems.get('ftrace') ?? [];
  systems.delete('ftrace');
  file.u32(own.length);
  for (const format of own) file.sized(formatText(format));
  file.u32(systems.size);
  for (const [system, list] of systems) {
    file.text(`${system}\0`);
    file.u32(list.length);
    for (const format of list) file.sized(formatText(format));
  }
}

/** What the `format` file of an event holds. */
function formatText({ name, id, common, fields, print }: EventFormat): string {
  return [
    `name: ${name}`,
    `ID: ${id}`,
    'format:',
    ...common.map(fieldLine),
    '',
    ...fields.map(fieldLine),
    '',
    `print fmt: ${print}`,
    '',
  ].join('\n');
}

function fieldLine({ type, name, offset, size, signed }: EventField): string {
  // the length of an array stands behind the name, as C has it; those of any length have it in the type
  const array = /^(?!__(?:data|rel)_loc)([^[]*)\[([^\]]*)\]$/.exec(type);
  const count = array === null ? '' : `[${arrayLength(array[1]!, array[2]!, size)}]`;
  const declared = array === null ? `${type} ${name}` : `${array[1]} ${name}${count}`;
  return `\tfield:${declared};\toffset:${offset};\tsize:${size};\tsigned:${signed ? 1 : 0};`;
}

/** A length may be a name of the source's: the size tells of characters then. */
function arrayLength(element: string, length: string, size: number): string {
  if (length === '' || /^\d+$/.test(length)) return length;
  return /\bchar\b|\b[us]8\b/.test(element) ? String(size) : length;
}

function headerPage(kernel: Kernel, pageSize: number): string {
  const page = kernel.type('struct buffer_data_page');
  const commit = kernel.types.find('local_t');
  const size = commit === null ? 8 : sizeOf(commit);
  const [time, used] = [offsetOf(page, 'time_stamp'), offsetOf(page, 'commit')];
  return [
    `\tfield: u64 timestamp;\toffset:${time};\tsize:8;\tsigned:0;`,
    `\tfield: local_t commit;\toffset:${used};\tsize:${size};\tsigned:1;`,
    `\tfield: int overwrite;\toffset:${used};\tsize:1;\tsigned:1;`,
    `\tfield: char data;\toffset:${pageHeader};\tsize:${pageSize - pageHeader};\tsigned:1;`,
    '',
  ].join('\n');
}

const headerEvent = `# compressed entry header
\ttype_len    :    5 bits
\ttime_delta  :   27 bits
\tarray       :   32 bits

\tpadding     : type == 29
\ttime_extend : type == 30
\ttime_stamp : type == 31
\tdata max type_len  == 28
`;

/** As /proc/kallsyms. */
function symbolsText(kernel: Kernel): string {
  const lines: string[] = [];
  for (const { address, type, name, module } of kernel.symbols.all()) {
    lines.push(`${address.toString(16).padStart(16, '0')} ${type} ${name}${module === null ? '' : `\t[${module}]`}\n`);
  }
  return lines.join('');
}

function printkText(kernel: Kernel): string {
  const escaped = (text: string): string =>
    text.replace(/[\n\t\\"]/g, (c) => ({ '\n': '\\n', '\t': '\\t', '\\': '\\\\', '"': '\\"' })[c]!);
  return printkFormats(kernel)
    .map(({ address, text }) => `0x${address.toString(16)} : "${escaped(text)}"\n`)
    .join('');
}

function namesText(kernel: Kernel): string {
  return [...taskNames(kernel)]
    .filter(([pid]) => pid !== 0)
    .map(([pid, name]) => `${pid} ${name.replaceAll('\n', '?')}\n`)
    .join('');
}

function unameText(kernel: Kernel): string {
  return kernel.faults.attempt(
    'uname',
    () => {
      const { sysname, nodename, release, version, machine } = readUtsname(kernel);
      return [sysname, nodename, release, version, machine].join(' ');
    },
    '',
  );
}

/** A file written from front to end, but for numbers that are known later. */
class Writer {
  private readonly fd: number;
  position = 0;

  constructor(path: string) {
    this.fd = openSync(path, 'w');
  }

  put(bytes: Uint8Array | readonly number[]): void {
    const all = bytes instanceof Uint8Array ? bytes : Uint8Array.from(bytes);
    for (let done = 0; done < all.length; ) done += writeSync(this.fd, all, done);
    this.position += all.length;
  }

  text(text: string): void {
    this.put(Buffer.from(text, 'latin1'));
  }

  u16(value: number): void {
    this.put([value & 0xff, value >>> 8]);
  }

  u32(value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    this.put(bytes);
  }

  u64(value: number): void {
    this.put(bytes64(value));
  }

  /** Text behind its length, as a number of 64 bits. */
  sized(text: string): void {
    this.u64(text.length);
    this.text(text);
  }

  /** Text behind its length, as a number of 32 bits. */
  sized32(text: string): void {
    this.u32(text.length);
    this.text(text);
  }

  option(id: number, text: string): void {
    this.u16(id);
    this.sized32(text);
  }

  /** The option of an instance, whose offset is filled in later. @returns where */
  bufferOption(name: string): number {
    this.u16(optionBuffer);
    this.u32(8 + name.length + 1);
    const place = this.position;
    this.u64(0);
    this.text(`${name}\0`);
    return place;
  }

  align(to: number): void {
    const rest = this.position % to;
    if (rest > 0) this.put(new Uint8Array(to - rest));
  }

  /** Writes over 64 bits that were written. */
  patch64(at: number, value: number): void {
    writeSync(this.fd, bytes64(value), 0, 8, at);
  }

  close(): void {
    closeSync(this.fd);
  }
}

function bytes64(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
