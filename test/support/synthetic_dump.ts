// A whole vmcore of a kernel that a test made: its memory behind page tables, its symbols as kallsyms, its types
// as BTF, its log where VMCOREINFO says. Small (some hundred KB), and the program takes it for a real one.
//
//   const kernel = machine({ cpus: 2 });
//   const bytes = writeSyntheticDump(kernel, { log: ['Linux version 6.12.0', 'Kernel panic - not syncing: test'] });
import type { Type } from '../../src/debuginfo/type.ts';
import { BtfWriter } from './btf_writer.ts';
import { writeKdump } from './dump_writers/kdump.ts';
import { type Note, prstatusNote } from './dump_writers/notes.ts';
import { type WrittenSymbol, writeKallsyms } from './kallsyms_writer.ts';
import { writePageTables } from './page_table_writer.ts';
import { ringbufferVmcoreinfo, writeRingbuffer } from './printk_writer.ts';
import type { SyntheticKernel } from './synthetic_kernel.ts';
import { pageSize, SyntheticMemory } from './synthetic_memory.ts';

/** Virtual addresses of what is not the kernel's data; physical ones are these less `imageMap`. */
const imageMap = 0xffff_ffff_8000_0000n;
const stext = 0xffff_ffff_8100_0000n;
const root = 0xffff_ffff_8200_0000n;
const symbolsAt = 0xffff_ffff_8220_0000n;
const typesAt = 0xffff_ffff_8280_0000n;
const tablesAt = 0x300_0000;
const dataAt = 0x400_0000;

export interface SyntheticDumpOptions {
  /** Messages of the kernel's log, a line each. */
  readonly log: readonly string[];
  readonly release?: string;
  /** Changes BTF on its way into memory. */
  readonly changeBtf?: (bytes: Uint8Array) => void;
  /** Changes the tables of kallsyms. @param at where each table starts */
  readonly changeKallsyms?: (bytes: Uint8Array, at: ReadonlyMap<string, number>) => void;
  /** Virtual addresses whose pages the dump's filter left out. */
  readonly excluded?: readonly bigint[];
  /** Lines of VMCOREINFO beside the usual ones. */
  readonly vmcoreinfo?: readonly string[];
  /** Pages beside those that the kernel has mapped, by page frame number; null for one that the filter left out. */
  readonly pages?: ReadonlyMap<number, Uint8Array | null>;
  /** ELF notes beside that of the one CPU. */
  readonly notes?: readonly Note[];
  /** makedumpfile's dump level; 31 if not given. */
  readonly level?: number;
}

/** The dump's bytes: kdump-compressed, zlib. */
export function writeSyntheticDump(kernel: SyntheticKernel, options: SyntheticDumpOptions): Uint8Array {
  const prb = kernel.reserve(8);
  writeRingbuffer(
    kernel,
    prb,
    options.log.map((text, i) => ({ text, ns: BigInt(i) * 1_000_000n })),
    { countBits: 10, sizeBits: 16 },
  );
  const btf = writeBtf(kernel);
  options.changeBtf?.(btf);
  const symbols: WrittenSymbol[] = [
    { address: stext, type: 'T', name: '_stext' },
    { address: root - 4096n, type: 'T', name: '_etext' },
    { address: root, type: 'D', name: 'init_top_pgt' },
    { address: typesAt, type: 'R', name: '__start_BTF' },
    { address: typesAt + BigInt(btf.length), type: 'R', name: '__stop_BTF' },
    { address: typesAt + 0x40_0000n, type: 'B', name: '_end' },
    { address: prb, type: 'd', name: 'prb' },
  ];
  for (const { address, type, name } of kernel.symbols.all()) symbols.push({ address, type, name });
  symbols.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  const kallsyms = writeKallsyms(symbols, { layout: '6.4', encoding: 'absolute', base: symbolsAt, padding: 64 });
  options.changeKallsyms?.(kallsyms.bytes, kallsyms.at);

  const memory = new SyntheticMemory();
  const physicalOf = (address: bigint): number => Number(address - imageMap);
  memory.write(physicalOf(symbolsAt), kallsyms.bytes);
  memory.write(physicalOf(typesAt), btf);
  const mappings: string[] = [];
  const map = (address: bigint, physical: number): void => {
    mappings.push(`${address.toString(16)} -> ${physical.toString(16)} 4K rw nx`);
  };
  for (const [start, length] of [
    [symbolsAt, kallsyms.bytes.length],
    [typesAt, btf.length],
  ] as const) {
    for (let at = 0; at < length; at += pageSize) map(start + BigInt(at), physicalOf(start) + at);
  }
  let physical = dataAt;
  const excluded = new Set((options.excluded ?? []).map((address) => address >> 12n));
  const lost: number[] = [];
  for (const { address, bytes } of kernel.space.mappedPages()) {
    map(address, physical);
    if (excluded.has(address >> 12n)) lost.push(physical / pageSize);
    else memory.write(physical, bytes);
    physical += pageSize;
  }
  for (const [frame, bytes] of options.pages ?? []) {
    if (bytes === null) lost.push(frame);
    else memory.write(frame * pageSize, bytes);
  }
  writePageTables(memory, { levels: 4, root: physicalOf(root), tables: tablesAt }, mappings.join('\n'));

  const release = options.release ?? '6.12.0-synthetic';
  return writeKdump({
    pages: memory.written(),
    ram: lost.map((pfn) => [pfn, pfn + 1] as const),
    compression: 'zlib',
    level: options.level ?? 31,
    utsname: { release },
    notes: [prstatusNote(1, new Array<bigint>(27).fill(0n)), ...(options.notes ?? [])],
    vmcoreinfo: [
      kallsyms.vmcoreinfo.replace('OSRELEASE=test', `OSRELEASE=${release}`),
      ringbufferVmcoreinfo(prb),
      'PAGESIZE=4096',
      'KERNELOFFSET=0',
      'CRASHTIME=1700000000',
      'NUMBER(phys_base)=0',
      'NUMBER(pgtable_l5_enabled)=0',
      `SYMBOL(swapper_pg_dir)=${root.toString(16)}`,
      ...(options.vmcoreinfo ?? []),
      '',
    ].join('\n'),
  });
}

/** BTF of all types that have names, of those that they refer to, and of the variables. */
function writeBtf(kernel: SyntheticKernel): Uint8Array {
  const numbers = new Map<Type, number>();
  const found: Type[] = [];
  const number = (type: Type): number => {
    if (type.kind === 'void') return 0;
    let n = numbers.get(type);
    if (n === undefined) {
      n = found.push(type);
      numbers.set(type, n);
    }
    return n;
  };
  for (const type of kernel.types.all()) number(type);
  const variables: [name: string, type: number][] = [];
  for (const { name } of kernel.symbols.all()) {
    const type = kernel.variableType(name);
    if (type !== null) variables.push([name, number(type)]);
  }
  const writer = new BtfWriter();
  // `found` grows while what it holds is written: a record refers to others by number, before they are
  for (const type of found) {
    switch (type.kind) {
      case 'int':
        writer.int(type.name, type.size, { signed: type.signed, bool: type.encoding === 'bool' });
        break;
      case 'pointer':
        writer.pointer(number(type.target));
        break;
      case 'array':
        writer.array(number(type.element), type.length);
        break;
      case 'struct':
      case 'union':
        writer[type.kind](
          type.name,
          type.size,
          type.members.map((m) => [m.name, number(m.type), m.bitOffset, m.bitSize] as const),
        );
        break;
      case 'enum':
        writer.enum(type.name, Object.fromEntries(type.values.map((v) => [v.name, Number(v.value)])));
        break;
      case 'typedef':
        writer.typedef(type.name, number(type.target));
        break;
      case 'incomplete':
        writer.forward(type.name);
        break;
      default:
        throw new Error(`no ${type.kind} in tests' declarations`);
    }
  }
  for (const [name, type] of variables) writer.variable(name, type);
  return writer.bytes();
}
