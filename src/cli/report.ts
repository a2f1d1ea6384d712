// `inquest report`: what killed the kernel, with the evidence.
import { writeFileSync } from 'node:fs';
import { assertNever, FormatError } from '../base/errors.ts';
import { type ReportFormat, renderReport } from '../report/render.ts';
import { analyse, analyseLog } from '../triage/analyse.ts';
import type { Analysis } from '../triage/analysis.ts';
import type { DebugOptions } from './debug_options.ts';
import { inputKind } from './input_kind.ts';
import { isTerminal } from './is_terminal.ts';
import { textOfDeath } from './log_report.ts';
import { openContext } from './open.ts';
import { writeOut } from './output.ts';
import { withProgress } from './progress.ts';

/**
 * The files to report on: of a folder, the dump in it. A log is analysed here and now.
 * @returns the exit status where nothing is left to do
 * @throws FormatError that says what to do where it is packed, or a folder with several dumps or none
 */
async function meant(
  files: readonly string[],
  { format, debug }: { readonly format: ReportFormat; readonly debug: DebugOptions },
): Promise<readonly string[] | Analysis | number> {
  const [file, ...more] = files;
  if (file === undefined || more.length > 0) return files;
  const found = inputKind(file);
  switch (found.kind) {
    case 'dump':
      return files;
    case 'log': {
      const text = textOfDeath(file);
      if (text !== null) return analyseLog(text, file);
      // nobody died: what else the log tells of
      const { runOops } = await import('./oops.ts');
      const status = await runOops(file, { titles: false, json: format === 'json', debug });
      // whoever asks for a report and gets none has named the wrong file
      return status === 0 ? 0 : 1;
    }
    case 'packed':
      throw new FormatError(file, `is packed (${found.how}); unpack it, then name what comes out: ${found.unpack}`);
    case 'directory': {
      const [dump, ...others] = found.dumps;
      if (dump !== undefined && others.length === 0) return [dump];
      const all = [...found.dumps, ...found.logs];
      if (all.length === 0) throw new FormatError(file, 'is a folder without a dump or a log in it');
      throw new FormatError(
        file,
        `is a folder; name one of what is in it:\n${all.map((path) => `  inquest ${path}`).join('\n')}`,
      );
    }
    default:
      return assertNever(found);
  }
}

function isFiles(named: readonly string[] | Analysis): named is readonly string[] {
  return Array.isArray(named);
}

export async function runReport(
  files: readonly string[],
  options: { format: ReportFormat; output: string | null; why: boolean; brief: boolean; debug: DebugOptions },
): Promise<number> {
  const named = await meant(files, options);
  if (typeof named === 'number') return named;
  const analysis = isFiles(named)
    ? await withProgress('reading the dump', () => analyse(openContext(named, options.debug)))
    : named;
  const toTerminal = options.output === null && isTerminal(1);
  const terminal = {
    colour: toTerminal && process.env['NO_COLOR'] === undefined,
    width: Math.min(120, Math.max(60, (toTerminal ? process.stdout.columns : 100) || 100)),
  };
  const view = { why: options.why, brief: options.brief, verdictLast: false };
  const whole = renderReport(analysis, options.format, terminal, view);
  // on a terminal the beginning is out of sight once it was longer than the screen
  const isLong = toTerminal && whole.split('\n').length > (process.stdout.rows || 24);
  const text =
    isLong && options.format === 'text'
      ? renderReport(analysis, options.format, terminal, { ...view, verdictLast: true })
      : whole;
  if (options.output === null) writeOut(text);
  else writeFileSync(options.output, text);
  return 0;
}
