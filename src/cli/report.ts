// `inquest report`: what killed the kernel, with the evidence.
import { writeFileSync } from 'node:fs';
import { type ReportFormat, renderReport } from '../report/render.ts';
import { analyse } from '../triage/analyse.ts';
import type { DebugOptions } from './debug_options.ts';
import { isTerminal } from './is_terminal.ts';
import { openContext } from './open.ts';
import { writeOut } from './output.ts';
import { withProgress } from './progress.ts';

export async function runReport(
  files: readonly string[],
  options: { format: ReportFormat; output: string | null; why: boolean; brief: boolean; debug: DebugOptions },
): Promise<number> {
  const analysis = await withProgress('reading the dump', () => analyse(openContext(files, options.debug)));
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
