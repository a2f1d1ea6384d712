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
  options: { format: ReportFormat; output: string | null; why: boolean; debug: DebugOptions },
): Promise<number> {
  const analysis = await withProgress('reading the dump', () => analyse(openContext(files, options.debug)));
  const toTerminal = options.output === null && isTerminal(1);
  const terminal = {
    colour: toTerminal && process.env['NO_COLOR'] === undefined,
    width: Math.min(120, Math.max(60, (toTerminal ? process.stdout.columns : 100) || 100)),
  };
  const text = renderReport(analysis, options.format, terminal, { why: options.why });
  if (options.output === null) writeOut(text);
  else writeFileSync(options.output, text);
  return 0;
}
