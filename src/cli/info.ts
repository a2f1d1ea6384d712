// `inquest info`: what a dump file is, and which rungs of the ladder from bytes to typed objects it has.
import { InquestError, messageOf } from '../base/errors.ts';
import { escapeTerminal, hex } from '../base/text.ts';
import { toJson } from '../commands/command.ts';
import type { Dump } from '../dump/dump.ts';
import { pageCensus } from '../kernel/excluded_pages.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { readLog } from '../kernel/printk.ts';
import { crashTime } from '../kernel/timekeeping.ts';
import { readUtsname } from '../kernel/utsname.ts';
import { openBudgeted, openNamedDump } from './open.ts';
import { writeOut } from './output.ts';
import { withProgress } from './progress.ts';

/** One thing that the dump does or does not give. */
interface Rung {
  readonly name: string;
  readonly found: boolean;
  readonly detail: string;
}

const levelBits: readonly (readonly [bit: number, meaning: string])[] = [
  [1, 'zero pages'],
  [2, 'non-private cache'],
  [4, 'private cache'],
  [8, 'user pages'],
  [16, 'free pages'],
];

export async function runInfo(files: readonly string[], options: { json: boolean; budget: number }): Promise<number> {
  const dump = openNamedDump(files);
  let kernel: Kernel | null = null;
  let problem: string | null = null;
  try {
    kernel = openBudgeted(dump, options.budget);
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    problem = messageOf(error);
  }
  const rungs = kernel === null ? [] : await withProgress('looking what is in the dump', () => ladder(kernel!));
  const excluded =
    kernel === null
      ? null
      : kernel.faults.collect(() => kernel.faults.attempt('page frames', () => census(kernel), null)).value;
  if (options.json) writeOut(`${toJson(asData(dump, kernel, problem, rungs, excluded), 2)}\n`);
  else writeOut(asText(dump, kernel, problem, rungs, excluded));
  return 0;
}

function census(kernel: Kernel): Census {
  return kernel.work.within(kernel.work.part('page frames'), () => pageCensus(kernel));
}

type Census = { zero: number; excluded: number } | null;

function ladder(kernel: Kernel): Rung[] {
  const rungs: Rung[] = [];
  /** @param look gives what was found, in words; null if nothing was */
  const rung = (name: string, look: () => string | null): void => {
    try {
      const { value, faults } = kernel.faults.collect(() => kernel.work.within(kernel.work.part(name), look));
      rungs.push({ name, found: value !== null, detail: value ?? faults[0]?.message ?? 'not found' });
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      rungs.push({ name, found: false, detail: error.message });
    }
  };
  const some = (n: number, what: string): string | null => (n > 0 ? `${n}${what}` : null);
  const from = kernel.vmcoreinfoFromMemory ? 'found by searching memory' : 'from the note';
  rung('VMCOREINFO', () => some([...kernel.vmcoreinfo.entries()].length, ` keys, ${from}`));
  rung('page tables', () => (kernel.arch.notes.length === 0 ? kernel.arch.name : kernel.arch.notes.join('; ')));
  rung('symbols', () => some(countOf(kernel.symbols.kernel?.all() ?? []), ' of the kernel (kallsyms)'));
  for (const note of kernel.symbols.notes) rung('data', () => note);
  rung('types', () => {
    for (const { origin, types } of kernel.debugInfo(null)) {
      const found = some(countOf(types.all()), ` named ones of the kernel (${origin})`);
      if (found !== null) return found;
    }
    return null;
  });
  rung(
    'modules',
    () => some(kernel.modules.length, ' loaded') ?? (kernel.ownSymbol('modules') === null ? null : 'none loaded'),
  );
  rung('tasks', () => some(kernel.tasks.all.length, ''));
  rung('log', () => some(readLog(kernel).length, ' records'));
  return rungs;
}

/** What `--json` prints. */
export type InfoData = ReturnType<typeof asData>;

function asData(dump: Dump, kernel: Kernel | null, problem: string | null, rungs: readonly Rung[], census: Census) {
  const { info, notes } = dump;
  return {
    ...info,
    pageSize: dump.memory.pageSize,
    pages: { ...info.pages, missing: info.pages.total - info.pages.present - info.pages.lost, ...census },
    ram: dump.memory.ramRanges(),
    notes: {
      list: notes.all,
      vmcoreinfo: notes.vmcoreinfo,
      cpus: notes.cpus,
      eraseInfo: notes.eraseInfo,
      mini: notes.mini,
    },
    kernel:
      kernel === null
        ? null
        : {
            ...identity(kernel),
            buildId: kernel.vmcoreinfo.buildId,
            arch: kernel.arch.name,
            vmcoreinfoFromMemory: kernel.vmcoreinfoFromMemory,
          },
    problem,
    readable: rungs,
  };
}

function asText(
  dump: Dump,
  kernel: Kernel | null,
  problem: string | null,
  rungs: readonly Rung[],
  census: Census,
): string {
  const { info, notes, memory } = dump;
  const lines: string[] = [];
  const row = (label: string, value: string): void => {
    lines.push(`${label.padStart(14)}  ${escapeTerminal(value)}`);
  };
  for (const [i, file] of info.files.entries()) row(i === 0 ? (info.files.length > 1 ? 'files' : 'file') : '', file);
  row('format', `${info.description}, ${mib(info.fileSize)}`);
  if (info.level !== null) {
    const left = levelBits.filter(([bit]) => info.level! & bit).map(([, meaning]) => meaning);
    row('dump level', `${info.level}: ${left.length === 0 ? 'everything kept' : `without ${left.join(', ')}`}`);
  }
  if (notes.mini !== null) row('MINI', `only the pages that these read: ${notes.mini.holds}`);
  const { total, present, lost } = info.pages;
  const size = memory.pageSize;
  row('memory', `${mib(total * size)} in ${total} pages of ${size} bytes`);
  row('present', `${present} pages, ${mib(present * size)}`);
  if (census !== null && census.zero > 0) row('zero', `${census.zero} pages, left out because they held zeroes`);
  const excluded = census === null ? total - present - lost : census.excluded;
  if (excluded > 0) row('excluded', `${excluded} pages, left out by the dump's filter`);
  if (lost > 0) row('LOST', `${lost} pages, ${mib(lost * size)}: the file is cut or incomplete`);
  if (!info.complete && lost === 0) row('INCOMPLETE', 'the writer did not finish the dump');
  row(
    'notes',
    notes.all.length === 0
      ? 'none'
      : notes.all
          .map((n) => `${n.name} ${hex(n.type)} (${n.size} bytes)`)
          .slice(0, 8)
          .join(', ') + (notes.all.length > 8 ? `, and ${notes.all.length - 8} more` : ''),
  );
  row(
    'CPU registers',
    `of ${Math.max(...['prstatus', 'qemu'].map((source) => notes.cpus.filter((n) => n.source === source).length))} CPUs`,
  );
  if (notes.eraseInfo !== null) row('erased', notes.eraseInfo.trim().replaceAll('\n', '; '));
  for (const warning of info.warnings) row('warning', warning);
  if (kernel !== null) {
    const { buildId } = kernel.vmcoreinfo;
    const { release, crashTime } = identity(kernel);
    row('kernel', `${release ?? info.utsname?.release ?? 'release unknown'} on ${info.machine}`);
    if (buildId !== null) row('build id', buildId);
    if (crashTime !== null) row('crash time', `${new Date(crashTime * 1000).toISOString().replace('.000Z', 'Z')}`);
  }
  if (problem !== null) row('kernel', `cannot be analysed: ${problem}`);
  for (const { name, found, detail } of rungs) row(name, found ? detail : `NOT READABLE: ${detail}`);
  return `${lines.join('\n')}\n`;
}

/** Which kernel, and when it crashed in seconds since 1970: from VMCOREINFO or, without it, from its memory. */
function identity(kernel: Kernel): { release: string | null; crashTime: number | null } {
  const { faults, vmcoreinfo } = kernel;
  return {
    release: vmcoreinfo.release ?? faults.attempt('utsname', () => readUtsname(kernel).release, null),
    crashTime: faults.attempt('time of the crash', () => crashTime(kernel), null),
  };
}

/** How many there are. */
function countOf(items: Iterable<unknown>): number {
  let n = 0;
  for (const _ of items) n++;
  return n;
}

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
