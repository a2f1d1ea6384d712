// `inquest estimate`: what a dump would hold and take at each level.
import { UsageError } from '../base/errors.ts';
import type { PageCompression } from '../dump/dump.ts';
import { hasZstd } from '../save/compress.ts';
import { type Estimate, estimate, type LevelEstimate } from '../save/estimate.ts';
import { freeSpace } from '../save/save_files.ts';
import { openNamedKernel } from './open.ts';
import { writeOut } from './output.ts';
import { withProgress } from './progress.ts';

export interface EstimateArguments {
  readonly compress?: PageCompression;
  readonly level?: string;
  readonly target?: string;
  readonly json?: boolean;
}

/** What `--json` prints. */
export interface EstimateData extends Estimate {
  /** Bytes free where it would be written; null where no target was named, or that cannot be told. */
  readonly free: number | null;
}

/** Levels that are shown unless others are asked for. */
const usual = [0, 1, 17, 23, 31];

/** @returns the exit status: 1 if a target was named and what was asked for does not fit */
export async function runEstimate(files: readonly string[], given: EstimateArguments): Promise<number> {
  const levels = given.level === undefined ? usual : given.level.split(',').map(levelOf);
  const compression = given.compress ?? (hasZstd() ? 'zstd' : 'zlib');
  const found = await withProgress('estimating', () => estimate(openNamedKernel(files), compression));
  const free = given.target === undefined ? null : freeSpace(given.target);
  const rows = levels.map((level) => found.levels[level]!);
  const data: EstimateData = { ...found, levels: rows, free };
  writeOut(given.json ? `${JSON.stringify(data)}\n` : estimateText(found, rows, free));
  return free !== null && rows.at(-1)!.bytes > free ? 1 : 0;
}

function levelOf(word: string): number {
  if (!/^\d+$/.test(word) || Number(word) > 31) throw new UsageError(`level ${word}: it is 0 to 31`);
  return Number(word);
}

const mib = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;

function estimateText({ pageSize, kinds, compression }: Estimate, rows: readonly LevelEstimate[], free: number | null) {
  const kindRows = kinds
    .toSorted((a, b) => b.pages - a.pages)
    .map((kind) => [
      `${kind.kind}${kind.private ? ', private data' : ''}${kind.poisoned ? ', broken' : ''}`,
      String(kind.pages),
      mib(kind.pages * pageSize),
      kind.sampled === 0 ? '' : `${(100 * kind.zeroes).toFixed(0)}%`,
      kind.sampled === 0 || kind.packed === 0 ? '' : `${((100 * kind.packed) / pageSize).toFixed(0)}%`,
    ]);
  const levelRows = rows.map(({ level, pages, bytes, seconds }) => [
    String(level),
    String(pages),
    mib(bytes),
    `${seconds.toFixed(1)} s`,
    free === null ? '' : bytes <= free ? 'fits' : 'DOES NOT FIT',
  ]);
  return [
    table(['KIND', 'PAGES', 'SIZE', 'ZERO', `BY ${compression.toUpperCase()} TO`], kindRows),
    '\n',
    table(['LEVEL', 'PAGES', 'FILE', 'ONE THREAD', ...(free === null ? [] : [`${mib(free)} FREE`])], levelRows),
  ].join('');
}

/** The first column to the left, the others to the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  return [head, ...rows]
    .map((row) => head.map((_, i) => (i === 0 ? row[i]!.padEnd(widths[i]!) : (row[i] ?? '').padStart(widths[i]!))))
    .map((cells) => `${cells.join('  ').trimEnd()}\n`)
    .join('');
}
