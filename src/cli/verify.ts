// `inquest verify`: is a dump whole?
import { assertNever } from '../base/errors.ts';
import { escapeLine } from '../base/text.ts';
import { unwatched } from '../base/work.ts';
import { type KindCount, type Verdict, type Verification, verifyDump } from '../save/verify.ts';
import { writeOut } from './output.ts';
import { withProgress } from './progress.ts';

/** @returns the exit status: 0 whole, 3 incomplete, 4 damaged, 5 wrongly filtered */
export async function runVerify(files: readonly string[], { json = false }: { json?: boolean }): Promise<number> {
  const found = await withProgress('reading every page', () => verifyDump(files, unwatched));
  writeOut(json ? `${JSON.stringify(found)}\n` : verificationText(found));
  return statusOf(found.verdict);
}

function statusOf(verdict: Verdict): number {
  switch (verdict) {
    case 'whole':
      return 0;
    case 'incomplete':
      return 3;
    case 'damaged':
      return 4;
    case 'wrongly filtered':
      return 5;
    default:
      return assertNever(verdict);
  }
}

function verificationText({
  verdict,
  files,
  pages,
  losses,
  level,
  wronglyKept,
  parts,
  problems,
}: Verification): string {
  const kinds = (counts: readonly KindCount[]): string =>
    counts.map(({ kind, frames }) => `${kind} ${frames}`).join(', ');
  const row = (title: string, text: string): string => `${title.padStart(14)}  ${text}\n`;
  return [
    `${files.map(({ file }) => escapeLine(file)).join(', ')}: ${verdict.toUpperCase()}\n`,
    ...problems.map((problem) => row('', escapeLine(problem))),
    ...files.map(({ sha256 }) => row('SHA-256', sha256)),
    row('pages', `${pages.read} of ${pages.ram} read${pages.lost > 0 ? `, ${pages.lost} lost` : ''}`),
    ...(losses.length > 0 ? [row('lost', kinds(losses))] : []),
    row('level', level === null ? 'not told' : String(level)),
    ...(wronglyKept.length > 0 ? [row('needlessly kept', kinds(wronglyKept))] : []),
    ...parts.map(({ part, found }) => row(part, escapeLine(found ?? 'not readable'))),
  ].join('');
}
