// A save to files by name: `NAME.incomplete` until it is whole, so that a name without that ending is a whole dump.
import { existsSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { FormatError, UsageError } from '../base/errors.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { FileOutput, FlattenedOutput, NoOutput, type Output, OutputError } from './output.ts';
import { checkSaveOptions, isSparse, type SaveOptions, type SaveResult, saveDump } from './save.ts';

export interface SaveFilesOptions extends Omit<SaveOptions, 'level' | 'parts'> {
  /** Levels in the order in which they are tried: the next one where the target is full. */
  readonly levels: readonly number[];
  /** A file, or `-` for a flattened stream to standard output; several for a divided dump. */
  readonly targets: readonly string[];
  /** The flattened form, into a file too. */
  readonly flattened: boolean;
  /** Files that are there may be written over. */
  readonly overwrite: boolean;
  /** Written under its name from the start, and not renamed: for callers that do so themselves. */
  readonly underOwnName?: boolean;
  /** All is done but writing. */
  readonly dryRun?: boolean;
  /** Goes on with what an earlier save with the same options left, where it is there. */
  readonly resume?: boolean;
  /** Bytes that a file may have. */
  readonly limit?: number;
}

export interface SavedFiles extends SaveResult {
  /** The level that it was saved at. */
  readonly level: number;
  readonly files: readonly string[];
}

/**
 * Saves a dump to files. A save that ends early leaves `NAME.incomplete`, a dump of what was written so far.
 * @throws UsageError for options that do not go together; FormatError where a file must not be written; OutputError;
 *   Cancelled
 */
export function saveFiles(kernel: Kernel, options: SaveFilesOptions): SavedFiles {
  const { targets, levels, overwrite, limit } = options;
  const isStream = targets.length === 1 && targets[0] === '-';
  const nameOf = (target: string): string => (options.underOwnName === true ? target : `${target}.incomplete`);
  for (const level of levels) checkSaveOptions({ ...options, level, parts: targets.length });
  if (options.resume === true && (isStream || options.flattened || levels.length > 1 || options.mini != null)) {
    throw new UsageError(
      '--resume goes on with a file of one level: not with a stream, several levels, or a mini dump',
    );
  }
  if (!isStream) for (const target of targets) checkTarget(kernel.dump.description.files, target, overwrite);
  for (const [i, level] of levels.entries()) {
    const isFlat = options.flattened || (options.mini != null && isSparse(options.mini));
    const open = (part: number): Output => {
      if (options.dryRun === true) return new NoOutput();
      if (isStream) return new FlattenedOutput(1);
      const file = new FileOutput(nameOf(targets[part]!), limit, options.resume);
      return isFlat ? new FlattenedOutput(file) : file;
    };
    try {
      const room = isStream || options.dryRun === true ? null : roomFor(targets.map(nameOf));
      const result = saveDump(kernel, open, { ...options, level, room, parts: targets.length });
      if (!isStream && options.dryRun !== true) {
        for (const target of targets) if (nameOf(target) !== target) renameSync(nameOf(target), target);
      }
      return { ...result, level, files: isStream ? [] : targets };
    } catch (error) {
      const isLast = i === levels.length - 1;
      if (isLast || isStream || !(error instanceof OutputError && error.isFull)) throw error;
      for (const target of targets) rmSync(nameOf(target), { force: true });
    }
  }
  throw new FormatError('levels', 'none given');
}

/** @param sources files that are read @throws FormatError where a file must not be written */
export function checkTarget(sources: readonly string[], target: string, overwrite: boolean): void {
  if (!overwrite && existsSync(target)) throw new FormatError(target, 'is there already');
  if (sources.some((source) => isSameFile(source, target))) throw new FormatError(target, 'is the dump to be saved');
}

function isSameFile(a: string, b: string): boolean {
  if (!existsSync(a) || !existsSync(b)) return false;
  const [one, other] = [a, b].map((path) => statSync(path));
  return one!.dev === other!.dev && one!.ino === other!.ino;
}

/** Bytes that files may take: what is free, and what those take that are there and are written over. */
function roomFor(files: readonly string[]): number | null {
  const free = freeSpace(files[0]!);
  return free === null
    ? null
    : files.reduce((sum, file) => sum + (existsSync(file) ? statSync(file).blocks * 512 : 0), free);
}

/** Bytes that are free where a file would be written; null where that cannot be told. */
export function freeSpace(target: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(dirname(target));
    return bavail * bsize;
  } catch {
    return null;
  }
}
