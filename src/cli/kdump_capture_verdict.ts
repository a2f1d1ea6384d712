// `inquest kdump capture-verdict`: the first step in the capture kernel.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { escapeTerminal } from '../base/text.ts';
import { logAsText, readLog } from '../kernel/printk.ts';
import { renderReport } from '../report/render.ts';
import { analyse } from '../triage/analyse.ts';
import { noDebugOptions } from './debug_options.ts';
import { openContext } from './open.ts';

/** Writes vmcore-dmesg.txt first, so that it is there even if the analysis fails; then verdict.txt and verdict.json. */
export function runCaptureVerdict(vmcore: string, folder: string): number {
  const context = openContext([vmcore], noDebugOptions);
  const { kernel } = context;
  writeFileSync(join(folder, 'vmcore-dmesg.txt'), escapeTerminal(logAsText(readLog(kernel))));
  const analysis = analyse(context);
  writeFileSync(join(folder, 'verdict.txt'), renderReport(analysis, 'text', { colour: false, width: 100 }));
  writeFileSync(join(folder, 'verdict.json'), renderReport(analysis, 'json', { colour: false, width: 100 }));
  return 0;
}
