// bpf: the BPF programs and maps that are loaded.
import type { VirtAddr } from '../../base/address.ts';
import { NotFoundError, UsageError } from '../../base/errors.ts';
import { escapeLine, escapeTerminal, hex, hex16 } from '../../base/text.ts';
import { type BpfMap, type BpfProgram, bpfInstructions, bpfMaps, bpfPrograms } from '../../kernel/bpf.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { readClocks } from '../../kernel/timekeeping.ts';
import { center } from '../columns.ts';
import { defineStream } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { flag, type Options, radixParams, valued } from '../params.ts';
import { structSpec } from '../types/struct_spec.ts';
import { type StructValue, structText, structValue } from '../types/struct_value.ts';
import { valueReading } from '../types/value_reading.ts';
import { type BpfLine, bpfLines } from './bpf_text.ts';
import { wallClock } from './time_text.ts';

/** A program. */
export interface BpfProgramRow extends Omit<BpfProgram, 'loadTime'> {
  readonly kind: 'program';
  /** The first of its kind. */
  readonly first: boolean;
  /** Bytes of the pages that it is kept in. */
  readonly memory: number;
  /** Nanoseconds since boot, decimal. */
  readonly loadTime: string;
  /** When it was loaded, seconds since 1970; null where the clocks cannot be read. */
  readonly loaded: number | null;
  /** With `-t` or `-T`: the translated program. */
  readonly instructions: readonly BpfLine[] | null;
  /** With `-j`: its machine code. */
  readonly code_lines: readonly { readonly address: VirtAddr; readonly text: string }[] | null;
  /** With `-s`. */
  readonly structs: readonly StructValue[];
}

/** A map. */
export interface BpfMapRow extends BpfMap {
  readonly kind: 'map';
  /** The first of its kind. */
  readonly first: boolean;
  /** Bytes that it takes: what the kernel counted or, since 5.11, what its entries take at most. */
  readonly memory: number;
  readonly structs: readonly StructValue[];
}

export type BpfItem = BpfProgramRow | BpfMapRow;

const id = { kind: 'number' as const, parse: (word: string) => idOf(word) };

function idOf(word: string): number {
  if (!/^\d{1,10}$/.test(word)) throw new UsageError(`invalid id: ${escapeTerminal(word)}`);
  return Number(word);
}

const params = {
  program: valued('p', 'id', id, 'one program, with all that is known of it'),
  programs: flag('P', 'all programs, with all that is known of them'),
  map: valued('m', 'id', id, 'one map, with all that is known of it'),
  maps: flag('M', 'all maps, with all that is known of them'),
  translated: flag('t', 'with a program: its instructions after the verifier'),
  bytes: flag('T', 'as -t, with the bytes of each instruction'),
  jitted: flag('j', 'with a program: its machine code'),
  structs: flag('s', 'with programs and maps: the structures that they are'),
  ...radixParams,
};

export const bpf = defineStream({
  name: 'bpf',
  help: {
    summary: 'BPF programs and maps',
    description: `Without options, every loaded program with its type, tag and the maps that it uses, and every map with its type and
flags. BPF programs run inside the kernel: what a driver may be blamed for, one of these may have done.`,
    examples: [
      ['bpf', 'is there any?'],
      ['bpf -p 20 -t', 'what does program 20 do?'],
    ],
  },
  params,
  items: 'objects',
  collect: (context, options) => ({ head: null, items: items(context, options) }),
  text: {
    item(item, { options, radix }, _head, index) {
      const shown = options.hex ? 16 : options.decimal ? 10 : radix;
      const full = options.program !== null || options.programs || options.map !== null || options.maps;
      const title = full || item.first ? `${item.first && index > 0 ? '\n' : ''}${heads[item.kind]}` : '';
      return item.kind === 'program'
        ? `${title}${programText(item, full, options.bytes, shown)}`
        : `${title}${mapText(item, full, shown)}`;
    },
    tail: ({ between }) => (between ? '\n' : ''),
  },
});

export interface BpfTail {
  /** Nothing was listed where both kinds were asked for. */
  readonly between: boolean;
}

function* items(context: CommandContext, options: Options<typeof params>): Generator<BpfItem, BpfTail> {
  const { kernel } = context;
  const { program, map } = options;
  const wantsPrograms = program !== null || options.programs;
  const wantsMaps = map !== null || options.maps;
  const all = !wantsPrograms && !wantsMaps;
  let count = 0;
  if (wantsPrograms || all) {
    const clocks = kernel.faults.attempt('clocks', () => readClocks(kernel), null);
    for (const found of bpfPrograms(kernel)) {
      if (program !== null && found.id !== program) continue;
      count++;
      const loaded =
        clocks === null ? null : Number((clocks.realtime - clocks.boottime + found.loadTime) / 1_000_000_000n);
      yield {
        ...found,
        kind: 'program',
        memory: found.pages * kernel.dump.memory.pageSize,
        first: count === 1,
        loadTime: String(found.loadTime),
        loaded,
        instructions: options.translated || options.bytes ? translated(kernel, found) : null,
        code_lines: options.jitted ? machineCode(kernel, found) : null,
        structs: options.structs
          ? [...structOf(context, 'bpf_prog', found.address), ...structOf(context, 'bpf_prog_aux', found.aux)]
          : [],
      };
    }
    if (program !== null && count === 0) throw new NotFoundError('BPF program', String(program));
  }
  const programs = count;
  if (wantsMaps || all) {
    for (const found of bpfMaps(kernel)) {
      if (map !== null && found.id !== map) continue;
      count++;
      yield {
        ...found,
        kind: 'map',
        first: count === programs + 1,
        memory: mapMemory(kernel, found),
        structs: options.structs ? structOf(context, 'bpf_map', found.address) : [],
      };
    }
    if (map !== null && count === programs) throw new NotFoundError('BPF map', String(map));
  }
  return { between: all && count === 0 };
}

function translated(kernel: Kernel, program: BpfProgram): BpfLine[] {
  // calls are relative to this function, once the verifier is done with them
  const base = kernel.ownSymbol('__bpf_call_base')?.address ?? null;
  const callee = (immediate: number): string | null =>
    base === null ? null : (kernel.place((base + BigInt(immediate)) as VirtAddr)?.symbol.name ?? null);
  return kernel.faults.attempt(
    `instructions of BPF program ${program.id}`,
    () => [...bpfLines(bpfInstructions(kernel, program), callee)],
    [],
  );
}

/** Largest machine code that is shown, in bytes. */
const maxCode = 1 << 20;

function machineCode(kernel: Kernel, program: BpfProgram): { address: VirtAddr; text: string }[] {
  const { decoder } = kernel.arch;
  if (decoder === null || program.codeSize === 0) return [];
  return kernel.faults.attempt(`code of BPF program ${program.id}`, () => {
    const code = kernel.space.read(program.code, Math.min(program.codeSize, maxCode));
    const describe = (address: VirtAddr): string | null => {
      const place = kernel.place(address);
      return place === null ? null : `${place.symbol.name}${place.offset === 0 ? '' : `+${place.offset}`}`;
    };
    return [...decoder.text(code, program.code, describe)].map(({ address, text }) => ({ address, text }));
  }, []);
}

function structOf(context: CommandContext, name: string, address: VirtAddr): StructValue[] {
  return context.kernel.faults.attempt(name, () => {
    const spec = structSpec(context, name, 'struct');
    return [structValue(context.kernel.object(spec.type, address), spec, 'values', valueReading(context))];
  }, []);
}

function mapMemory(kernel: Kernel, { pages, keySize, valueSize, maxEntries }: BpfMap): number {
  const { pageSize } = kernel.dump.memory;
  if (pages !== null) return pages * pageSize;
  const entry = Math.ceil((keySize + valueSize) / 8) * 8;
  return Math.ceil((entry * maxEntries) / pageSize) * pageSize;
}

const heads = {
  program: ` ID      BPF_PROG      BPF_PROG_AUX     BPF_PROG_TYPE         TAG         USED_MAPS\n`,
  map: ' ID      BPF_MAP         BPF_MAP_TYPE     MAP_FLAGS\n',
};

function programText(row: BpfProgramRow, full: boolean, withBytes: boolean, radix: 10 | 16): string {
  const columns = [
    String(row.id).padStart(3),
    hex16(row.address),
    hex16(row.aux),
    center(escapeLine(row.type), 15),
    row.tag,
    row.usedMaps.join(','),
  ];
  const line = `${columns.join('  ').trimEnd()}\n`;
  if (!full) return line;
  const loaded = row.loaded === null ? '(unknown)' : wallClock(row.loaded);
  const extra = [
    `     XLATED: ${row.length * 8}  JITED: ${row.codeSize}  MEMLOCK: ${row.memory}\n`,
    `     LOAD_TIME: ${loaded}\n`,
    `     GPL_COMPATIBLE: ${row.gplCompatible ? 'yes' : 'no'}  NAME: ${nameText(row.name)}  UID: ${row.uid ?? '(unused)'}\n`,
  ];
  const instructions = (row.instructions ?? []).map(
    ({ number, bytes, text }) =>
      `${String(number).padStart(4)}: ${escapeLine(text)}\n${withBytes ? `       ${bytes.replace(/..(?!$)/g, '$& ')}\n` : ''}`,
  );
  const code = (row.code_lines ?? []).map(({ address, text }) => `   0x${hex(address)}:\t${escapeTerminal(text)}\n`);
  return [line, ...extra, ...instructions, ...code, ...row.structs.map((one) => structText(one, radix))].join('');
}

function mapText(row: BpfMapRow, full: boolean, radix: 10 | 16): string {
  const line = `${String(row.id).padStart(3)}  ${hex16(row.address)}  ${center(escapeLine(row.type), 15)}  ${row.flags.toString(16).padStart(8, '0')}\n`;
  if (!full) return line;
  const extra = [
    `     KEY_SIZE: ${row.keySize}  VALUE_SIZE: ${row.valueSize}  MAX_ENTRIES: ${row.maxEntries}  MEMLOCK: ${row.memory}\n`,
    `     NAME: ${nameText(row.name)}  UID: ${row.uid ?? '(unused)'}\n`,
  ];
  return [line, ...extra, ...row.structs.map((one) => structText(one, radix))].join('');
}

function nameText(name: string): string {
  return name === '' ? '(unused)' : `"${escapeLine(name)}"`;
}
