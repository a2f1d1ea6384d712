// `inquest save`: a dump written anew.
import { UsageError } from '../base/errors.ts';
import { count } from '../base/text.ts';
import type { PageCompression } from '../dump/dump.ts';
import { dumpLevel } from '../kernel/dump_level.ts';
import { hasZstd } from '../save/compress.ts';
import type { SavedFiles, SaveFilesOptions } from '../save/save_files.ts';
import { writeError, writeOut } from './output.ts';
import { runSaveJob } from './save_job.ts';

/** The options as the command line has them. */
export interface SaveArguments {
  readonly level?: string;
  readonly drop?: string;
  readonly format?: 'kdump' | 'elf';
  readonly compress?: PageCompression;
  readonly flat?: boolean;
  readonly split?: string;
  readonly threads?: string;
  readonly limit?: string;
  readonly force?: boolean;
  readonly excludeUnusedMap?: boolean;
  readonly mini?: boolean;
  readonly redact?: boolean;
  readonly erase?: string;
  readonly resume?: boolean;
  readonly progress?: boolean;
  readonly json?: boolean;
}

/** What `--json` prints. */
export interface SaveData extends Omit<SavedFiles, 'dropped'> {
  /** Frames that were left out, by what they are. */
  readonly dropped: Readonly<Record<string, number>>;
}

/** Saves. @returns the exit status: 1 if pages were lost, or it ended early */
export async function runSave(files: readonly string[], given: SaveArguments): Promise<number> {
  if (files.length < 2) throw new UsageError('save takes a dump and where to write it');
  const target = files.at(-1)!;
  const job = {
    kind: given.mini ? 'mini' : 'save',
    files: files.slice(0, -1),
    options: optionsOf(target, given),
    erase: { redact: given.redact ?? false, rules: given.erase ?? null },
  } as const;
  const saved = await runSaveJob(job, given.progress ? 'percent' : 'terminal');
  const data: SaveData = { ...saved, dropped: Object.fromEntries(saved.dropped) };
  const text = given.json ? `${JSON.stringify(data)}\n` : summary(saved);
  if (target === '-') writeError(text);
  else writeOut(text);
  return saved.lost > 0 ? 1 : 0;
}

/** @throws UsageError */
function optionsOf(target: string, given: SaveArguments): SaveFilesOptions {
  const chosen = ['level', 'drop', 'split'] as const;
  if (given.mini) {
    for (const one of chosen)
      if (given[one] !== undefined) throw new UsageError(`--mini keeps what it keeps: it does not go with --${one}`);
  }
  const format = given.format ?? 'kdump';
  const parts = given.split === undefined ? 1 : wholeNumber('--split', given.split);
  if (parts > 1 && target === '-') throw new UsageError('a stream is not divided');
  return {
    format,
    compression: given.compress ?? (format === 'elf' ? 'none' : hasZstd() ? 'zstd' : 'zlib'),
    levels: levelsOf(given),
    targets: parts === 1 ? [target] : Array.from({ length: parts }, (_, i) => `${target}.${i + 1}`),
    flattened: given.flat ?? false,
    overwrite: given.force ?? false,
    resume: given.resume ?? false,
    leavesMap: given.excludeUnusedMap ?? false,
    ...(given.threads === undefined ? {} : { threads: wholeNumber('--threads', given.threads) }),
    ...(given.limit === undefined ? {} : { limit: sizeOf(given.limit) }),
  };
}

const dropNames: Readonly<Record<string, number>> = {
  zero: dumpLevel.zero,
  cache: dumpLevel.cache,
  'private-cache': dumpLevel.privateCache,
  user: dumpLevel.user,
  free: dumpLevel.free,
};

/** @throws UsageError */
function levelsOf({ level, drop }: SaveArguments): readonly number[] {
  if (level !== undefined && drop !== undefined) throw new UsageError('--level and --drop say the same in two ways');
  if (level !== undefined) {
    return level.split(',').map((word) => {
      if (!/^\d+$/.test(word) || Number(word) > 31) throw new UsageError(`level ${word}: it is 0 to 31`);
      return Number(word);
    });
  }
  let bits = 0;
  for (const word of drop?.split(',') ?? []) {
    const bit = Object.hasOwn(dropNames, word) ? dropNames[word] : undefined;
    if (bit === undefined) throw new UsageError(`--drop ${word}: there are ${Object.keys(dropNames).join(', ')}`);
    bits |= bit;
  }
  return [bits];
}

export function wholeNumber(option: string, word: string): number {
  if (!/^\d{1,4}$/.test(word) || Number(word) < 1) throw new UsageError(`${option} takes a number, not ${word}`);
  return Number(word);
}

const units: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

function sizeOf(word: string): number {
  const match = /^(\d{1,12})([kmgt]?)$/i.exec(word);
  if (match === null) throw new UsageError(`--limit takes a size such as 500M, not ${word}`);
  return Number(match[1]) * units[match[2]!.toLowerCase()]!;
}

function summary({ files, level, ram, pages, dropped, zero, lost, resumed, written }: SavedFiles): string {
  const gone = [...dropped].map(([kind, frames]) => `${kind} ${frames}`);
  if (zero > 0) gone.push(`zero ${zero}`);
  const kept = pages - [...dropped.values()].reduce((sum, frames) => sum + frames, 0) - zero - lost;
  return [
    `${files.join(', ') || 'standard output'}: ${(written / 1e6).toFixed(1)} MB`,
    `${count(kept, 'page')} of ${ram}${level === 0 ? '' : `, level ${level}`}`,
    ...(gone.length > 0 ? [`left out: ${gone.join(', ')}`] : []),
    ...(resumed > 0 ? [`${count(resumed, 'page')} of an earlier save`] : []),
    ...(lost > 0 ? [`${count(lost, 'page')} could not be read`] : []),
    '',
  ].join('\n');
}
