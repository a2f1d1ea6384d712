// What dump levels take: an unfiltered dump is saved at levels 0 to 31, and of each it is checked that
//
//   - pages that belong to the kernel by its own structures (found without the flags of their `struct page`s) are there
//   - what is missing is of a kind that the level names
//   - every command gives what it gives of the unfiltered dump, or reads a page that is missing
//   - makedumpfile, where there is one, takes the same pages
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Pfn, pfn } from '../src/base/address.ts';
import type { MemoryFault } from '../src/base/errors.ts';
import { messageOf } from '../src/base/errors.ts';
import { CommandContext } from '../src/commands/context.ts';
import { commandTable } from '../src/commands/registry.ts';
import { runCommand } from '../src/commands/run.ts';
import type { Dump } from '../src/dump/dump.ts';
import { openDump } from '../src/dump/open.ts';
import { dropKind, takenByLevel } from '../src/kernel/dump_level.ts';
import type { Kernel } from '../src/kernel/kernel.ts';
import { openKernel } from '../src/kernel/open_kernel.ts';
import { pageFrames, pageUse } from '../src/kernel/page_kind.ts';
import { FrameSet } from '../src/save/frame_set.ts';
import { RecordedMemory } from '../src/save/recorded_memory.ts';
import { saveFiles } from '../src/save/save_files.ts';
import { selectFrames } from '../src/save/selection.ts';
import { ownedFrames } from './owned_frames.ts';
import { lastLines } from './programs.ts';
import { type Entry, linesOf } from './sweep.ts';

export interface LevelOptions {
  readonly levels: readonly number[];
  /** Those of the levels at which a dump is written, too. */
  readonly savedAt: readonly number[];
  /** Every command is run on each dump that is written. */
  readonly commands: boolean;
  /** Runs makedumpfile; null for not at all. */
  readonly makedumpfile: string | null;
}

/** What is written of a dump to be looked at. */
const asLzo = { format: 'kdump', compression: 'lzo', flattened: false, overwrite: true, threads: 1 } as const;

/**
 * Checks what levels take of an unfiltered dump.
 * @param file a raw ELF core, or a kdump of level 0
 * @param told is told a line a level
 * @returns what is wrong, in sentences
 */
export function checkLevels(file: string, options: LevelOptions, told: (line: string) => void): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'lab-levels-'));
  const home = process.cwd();
  const path = resolve(file);
  const raw = openKernel(openDump([path]));
  const wrong: string[] = [];
  try {
    process.chdir(folder); // some lines write files
    const words = pageFrames(raw)!.classify(pfn(0), raw.dump.memory.maxPfn);
    const before = present(raw.dump);
    const owned = ownedFrames(raw);
    told(`${file}: ${[...owned].map(([what, frames]) => `${frames.count()} frames of ${what}`).join(', ')}`);
    const lines = options.commands ? allLines(raw) : [];
    const expected = answersOf(raw, lines);
    for (const level of options.levels) {
      const fault = (what: string): void => {
        wrong.push(`level ${level}: ${what}`);
      };
      const { kept, dropped } = selectFrames(raw, level);
      const missing = except(before, kept);
      for (const [what, frames] of owned) {
        const lost = common(missing, frames);
        if (lost.count() > 0) fault(`${lost.count()} pages of ${what} are missing: ${kindsOf(lost, words)}`);
      }
      let unnamed = 0;
      let left = 0;
      for (let frame = 0; frame < words.length; frame++) {
        const isTaken = takenByLevel(pageUse(words[frame]!), level);
        if (missing.has(frame) && !isTaken) unnamed++;
        if (kept.has(frame) && isTaken) left++;
      }
      if (unnamed > 0) fault(`${unnamed} pages are missing that it does not name`);
      if (left > 0) fault(`${left} pages are there that it names`);
      const summed = [...dropped.values()].reduce((sum, count) => sum + count, 0);
      if (summed !== missing.count()) fault(`${missing.count()} pages are missing, and ${summed} were counted`);
      const parts = [`level ${level}: ${kept.count()} pages, without ${kindsOf(missing, words) || 'none'}`];
      if (options.savedAt.includes(level)) {
        const saved = join(folder, 'saved');
        saveFiles(raw, { ...asLzo, levels: [level], targets: [saved] });
        const kernel = openKernel(openDump([saved]));
        const found = present(kernel.dump);
        if (except(found, kept).count() + except(kept, found).count() > 0) fault('the file holds other pages');
        if (lines.length > 0) parts.push(compareAnswers(path, kernel, lines, expected, missing, words, fault));
        kernel.close();
        rmSync(saved);
        const { makedumpfile } = options;
        if (makedumpfile !== null) {
          parts.push(comparePages(makedumpfile, path, level, join(folder, 'theirs'), kept, words));
        }
      }
      told(parts.join('; '));
    }
    return wrong;
  } finally {
    process.chdir(home);
    raw.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Every command with every option. */
function allLines(kernel: Kernel): readonly string[] {
  const { text } = answer(kernel, 'help all', true);
  const { commands } = (JSON.parse(text) as { data: { commands: readonly Entry[] } }).data;
  return [...new Set(commands.flatMap((entry) => linesOf(entry, 'file')))].filter((line) => !isOfTheFile.test(line));
}

/** Lines that tell of the dump file itself, or search all that is in it and so differ wherever anything is missing; and those that take minutes. */
const isOfTheFile = /^(search|find|frames|help|gcore|trace dump|refs|rd -f)\b|ffffffffffffffff/;

function answer(kernel: Kernel, line: string, json = false): { readonly text: string } {
  const [name = '', ...words] = line.match(/'[^']*'|"[^"]*"|\S+/g) ?? [];
  const command = commandTable().get(name);
  if (command === undefined) return { text: `no command ${name}` };
  const pieces: string[] = [];
  const context = new CommandContext(kernel);
  const outcome = runCommand(
    command,
    context,
    words.map((word) => word.replace(/^(['"])(.*)\1$/, '$2')),
    { write: (text) => pieces.push(text) > 0 },
    { json },
  );
  const error = outcome.error === null ? '' : `\nerror: ${messageOf(outcome.error)}`;
  const faults = outcome.faults.map(({ message }) => `\nfault: ${message}`).join('');
  const told = pieces.join('').replace(/^ *DUMPFILE: .*$/m, '');
  const [file = ''] = kernel.dump.info.files;
  return { text: told.replaceAll(file, 'DUMP') + (json ? '' : error + faults) };
}

function answersOf(kernel: Kernel, lines: readonly string[]): readonly string[] {
  return lines.map((line) => answer(kernel, line).text);
}

/** Holds the answers on a filtered dump against those on the whole one. @returns a summary */
function compareAnswers(
  raw: string,
  filtered: Kernel,
  lines: readonly string[],
  expected: readonly string[],
  missing: FrameSet,
  words: Uint16Array,
  fault: (what: string) => void,
): string {
  let differ = 0;
  const kinds = new Set<string>();
  for (const [i, line] of lines.entries()) {
    if (answer(filtered, line).text === expected[i]) continue;
    differ++;
    // a kernel of its own: nothing was read before
    const dump = openDump([raw]);
    const memory = new AllRecorded(dump.memory);
    const kernel = openKernel({ ...dump, memory });
    memory.touched.set(0, memory.maxPfn, false);
    const again = answer(kernel, line).text;
    const read = common(missing, memory.touched);
    if (read.count() === 0) {
      fault(`${line}: answers something else, and reads no page that is missing`);
      if (process.env.LAB_DIFFER)
        writeFileSync(process.env.LAB_DIFFER, `${line}\n${again}\n----\n${answer(filtered, line).text}`, { flag: 'a' });
    } else for (const kind of kindSet(read, words).keys()) kinds.add(kind);
    dump.close();
  }
  const of = kinds.size === 0 ? '' : ` (they read pages of ${[...kinds].join(', ')})`;
  return `${lines.length - differ} of ${lines.length} lines answer the same${of}`;
}

/** Remembers what is scanned, too. */
class AllRecorded extends RecordedMemory {
  override scan(
    from: Pfn,
    to: Pfn,
    visit: (first: Pfn, pages: Uint8Array) => boolean,
    failed: (pfn: Pfn, fault: MemoryFault) => void,
  ): void {
    const seen = (first: Pfn, pages: Uint8Array): boolean => {
      this.touched.set(first, pages.length / this.pageSize, true);
      return visit(first, pages);
    };
    super.scan(from, to, seen, failed);
  }
}

/** Holds the pages kept against those that makedumpfile keeps. @returns a summary */
function comparePages(
  program: string,
  raw: string,
  level: number,
  target: string,
  kept: FrameSet,
  words: Uint16Array,
): string {
  const { status, stdout, stderr } = spawnSync(program, ['-l', '-d', String(level), raw, target], { encoding: 'utf8' });
  if (status !== 0) return `makedumpfile fails: ${lastLines(`${stdout}${stderr}`.trim(), 2)}`;
  const dump = openDump([target]);
  const theirs = present(dump);
  dump.close();
  rmSync(target);
  const [more, fewer] = [except(theirs, kept), except(kept, theirs)];
  if (more.count() + fewer.count() === 0) return 'makedumpfile keeps the same pages';
  const told = [
    ...(more.count() === 0 ? [] : [`also ${kindsOf(more, words)}`]),
    ...(fewer.count() === 0 ? [] : [`not ${kindsOf(fewer, words)}`]),
  ];
  return `makedumpfile keeps ${told.join(', and ')}`;
}

/** Frames whose content is in a dump, or is known there to be zeroes. */
function present({ memory }: Dump): FrameSet {
  const frames = new FrameSet(memory.maxPfn);
  for (const { first, count } of memory.presentRuns(pfn(0), pfn(memory.maxPfn))) frames.set(first, count, true);
  return frames;
}

function common(a: FrameSet, b: FrameSet): FrameSet {
  const both = a.copy();
  for (const [i, byte] of both.bytes.entries()) both.bytes[i] = byte & (b.bytes[i] ?? 0);
  return both;
}

function except(a: FrameSet, b: FrameSet): FrameSet {
  const rest = a.copy();
  for (const [i, byte] of rest.bytes.entries()) rest.bytes[i] = byte & ~(b.bytes[i] ?? 0);
  return rest;
}

function kindSet(frames: FrameSet, words: Uint16Array): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { first, count } of frames.runs()) {
    for (let frame: number = first; frame < first + count; frame++) {
      const use = pageUse(words[frame]!);
      const kind = dropKind(use) ?? use.kind;
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
  }
  return counts;
}

function kindsOf(frames: FrameSet, words: Uint16Array): string {
  return [...kindSet(frames, words)].map(([kind, count]) => `${count} ${kind}`).join(', ');
}
