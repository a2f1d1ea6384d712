// `inquest kdump capture-verdict`: the first step in the capture kernel.
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { escapeLine, escapeTerminal } from '../base/text.ts';
import { logAsText, readLog } from '../kernel/printk.ts';
import { renderReport } from '../report/render.ts';
import { analyse, analyseLog } from '../triage/analyse.ts';
import type { Analysis } from '../triage/analysis.ts';
import { noDebugOptions } from './debug_options.ts';
import { textOfDeath } from './log_report.ts';
import { openContext } from './open.ts';
import { writeOut } from './output.ts';

/**
 * Writes what can be known soonest first, so that it is there even if what follows fails: vmcore-dmesg.txt, then verdict.txt and
 * verdict.json as the log alone has them, with a line on standard output that says it, then both by memory.
 */
export function runCaptureVerdict(vmcore: string, folder: string): number {
  const context = openContext([vmcore], noDebugOptions);
  const { kernel } = context;
  const log = join(folder, 'vmcore-dmesg.txt');
  writeFileSync(log, escapeTerminal(logAsText(readLog(kernel))));
  kernel.faults.attempt('the verdict of the log alone', () => writeVerdictOfLog(log, folder), undefined);
  writeVerdict(analyse(context), folder);
  return 0;
}

function writeVerdictOfLog(log: string, folder: string): void {
  const text = textOfDeath(log);
  if (text === null) return;
  const analysis = analyseLog(text, log);
  writeOut(`${escapeLine(analysis.panic.message)}\n`);
  writeVerdict(analysis, folder);
}

function writeVerdict(analysis: Analysis, folder: string): void {
  for (const [name, format] of [
    ['verdict.txt', 'text'],
    ['verdict.json', 'json'],
  ] as const) {
    const path = join(folder, name);
    // whoever is killed meanwhile leaves the one before
    writeFileSync(`${path}.part`, renderReport(analysis, format, { colour: false, width: 100 }));
    renameSync(`${path}.part`, path);
  }
}
