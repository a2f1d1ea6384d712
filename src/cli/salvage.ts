// `inquest salvage`: what is left of a damaged dump, as a dump.
import { UsageError } from '../base/errors.ts';
import { count, escapeTerminal } from '../base/text.ts';
import type { PageCompression } from '../dump/dump.ts';
import { hasZstd } from '../save/compress.ts';
import type { Salvaged } from '../save/salvage.ts';
import { writeOut } from './output.ts';
import { wholeNumber } from './save.ts';
import { runSaveJob } from './save_job.ts';

/** The options as the command line has them. */
export interface SalvageArguments {
  readonly compress?: PageCompression;
  readonly threads?: string;
  readonly force?: boolean;
  readonly progress?: boolean;
  readonly json?: boolean;
}

/** Salvages. @returns the exit status: 1 if anything is lost */
export async function runSalvage(files: readonly string[], given: SalvageArguments): Promise<number> {
  if (files.length < 2) throw new UsageError('salvage takes a dump and where to write what is left of it');
  const job = {
    kind: 'salvage',
    files: files.slice(0, -1),
    target: files.at(-1)!,
    options: {
      compression: given.compress ?? (hasZstd() ? 'zstd' : 'zlib'),
      overwrite: given.force ?? false,
      ...(given.threads === undefined ? {} : { threads: wholeNumber('--threads', given.threads) }),
    },
  } as const;
  const salvaged = await runSaveJob(job, given.progress ? 'percent' : 'terminal');
  writeOut(given.json ? `${JSON.stringify(salvaged)}\n` : summary(salvaged));
  return salvaged.pages.lost > 0 ? 1 : 0;
}

/** Lost ranges that are shown; `--json` has them all. */
const mostRanges = 20;

function summary({ file, written, pages, lost, kinds, problem, warnings }: Salvaged): string {
  const rows = [
    `${escapeTerminal(file)}: ${(written / 1e6).toFixed(1)} MB`,
    `${count(pages.saved, 'page')} of ${pages.expected} saved${pages.lost > 0 ? `, ${pages.lost} lost` : ''}`,
  ];
  if (pages.lost > 0 && kinds !== null) {
    rows.push(`lost, by what it was: ${kinds.map(({ kind, frames }) => `${kind} ${frames}`).join(', ')}`);
  }
  for (const { start, end } of lost.slice(0, mostRanges)) {
    rows.push(
      `lost  ${start.toString(16).padStart(12)} - ${(end - 1).toString(16).padStart(12)}  ${(end - start) / 1024} KiB`,
    );
  }
  if (lost.length > mostRanges) rows.push(`lost  ${lost.length - mostRanges} more ranges: --json lists them`);
  for (const warning of warnings) rows.push(`warning: ${escapeTerminal(warning)}`);
  rows.push(
    problem === null
      ? 'the kernel in it can be analysed'
      : `the kernel in it cannot be analysed: ${escapeTerminal(problem)}`,
  );
  return `${rows.join('\n')}\n`;
}
