// kmem -o, -h, -g: per-CPU offsets, pools of huge pages, names of page flags.
import type { VirtAddr } from '../../../base/address.ts';
import { UsageError } from '../../../base/errors.ts';
import { escapeLine, escapeTerminal, hex, hex16 } from '../../../base/text.ts';
import { type HugePagePool, hugePagePools } from '../../../kernel/hugetlb.ts';
import { type PageFlag, pageFlags } from '../../../kernel/page.ts';
import { type CommandContext, parseHex } from '../../context.ts';

export interface PerCpuHead {
  readonly kind: 'per-cpu';
  /** What each CPU adds to a per-CPU address. */
  readonly offsets: readonly { readonly cpu: number; readonly offset: bigint }[];
}

export function collectPerCpu({ kernel }: CommandContext): PerCpuHead {
  const offsets = kernel.cpus.possible.map((cpu) => ({ cpu, offset: kernel.perCpuOffset(cpu) }));
  return { kind: 'per-cpu', offsets };
}

export function perCpuText({ offsets }: PerCpuHead): string {
  const width = String(offsets.at(-1)?.cpu ?? 0).length;
  const lines = offsets.map(({ cpu, offset }) => `  CPU ${String(cpu).padStart(width)}: ${hex(offset)}\n`);
  return `PER-CPU OFFSET VALUES:\n${lines.join('')}`;
}

export interface HugeHead {
  readonly kind: 'huge';
  /** Bytes of a page of the usual size: a huge page has 2^order of them. */
  readonly pageSize: number;
  readonly pools: readonly HugePagePool[];
}

export function collectHuge({ kernel }: CommandContext): HugeHead {
  return { kind: 'huge', pageSize: kernel.dump.memory.pageSize, pools: hugePagePools(kernel) };
}

export function hugeText({ pageSize, pools }: HugeHead): string {
  const size = (order: number): string => {
    const bytes = 2 ** order * pageSize;
    if (bytes >= 2 ** 30) return `${bytes / 2 ** 30}GB`;
    return bytes >= 2 ** 20 ? `${bytes / 2 ** 20}MB` : `${bytes / 1024}KB`;
  };
  const line = ({ address, order, free, total, name }: HugePagePool): string =>
    `${hex16(address)}  ${size(order).padStart(5)}  ${String(free).padStart(6)}  ${String(total).padStart(6)}  ${escapeLine(name)}\n`;
  return `     HSTATE        SIZE    FREE   TOTAL  NAME\n${pools.map(line).join('')}`;
}

export interface FlagsHead {
  readonly kind: 'flags';
  /** The flags word that was given; null for all flags. */
  readonly word: bigint | null;
  readonly flags: readonly PageFlag[];
}

/** @throws UsageError for a word that is no number */
export function collectFlags({ kernel }: CommandContext, given: string | undefined): FlagsHead {
  const all = pageFlags(kernel);
  if (given === undefined) return { kind: 'flags', word: null, flags: all };
  const word: VirtAddr | null = parseHex(given);
  if (word === null) throw new UsageError(`invalid flags: ${escapeTerminal(given)}`);
  return { kind: 'flags', word, flags: all.filter(({ bit }) => (word >> BigInt(bit)) & 1n) };
}

/** Columns of a flag's name and of its value, whatever the kernel's flags. */
const nameWidth = 22;
const valueWidth = 7;

export function flagsText({ word, flags }: FlagsHead): string {
  const name = Math.max(nameWidth, ...flags.map((flag) => flag.name.length));
  const indent = word === null ? '' : '  ';
  const line = ({ name: flag, bit }: PageFlag): string =>
    `${indent}${flag.padEnd(name)}  ${String(bit).padStart(2)}  ${hex(2 ** bit).padStart(valueWidth, '0')}\n`;
  const header = `${indent}${'PAGE-FLAG'.padEnd(name)} BIT  VALUE\n`;
  return `${word === null ? '' : `FLAGS: ${hex(word)}\n`}${header}${flags.map(line).join('')}`;
}
