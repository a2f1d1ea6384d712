// `inquest kdump capture` and `capture-verdict`: what the script of the capture initramfs runs, and its first step.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { escapeTerminal } from '../base/text.ts';
import { runCapture } from '../host/capture/run.ts';
import type { CapturePlan } from '../host/initramfs/capture_plan.ts';
import { logAsText, readLog } from '../kernel/printk.ts';
import { renderReport } from '../report/render.ts';
import { analyse } from '../triage/analyse.ts';
import { noDebugOptions } from './debug_options.ts';
import { openContext } from './open.ts';

export async function runCaptureKernel(planFile: string): Promise<number> {
  const plan = JSON.parse(readFileSync(planFile, 'utf8')) as CapturePlan;
  // MiB: garbage is collected before it takes the memory that pages of the dump need
  const heap = Math.max(48, Math.floor(totalmem() / 3 / 2 ** 20));
  return runCapture(plan, {
    self: [process.execPath, '--max-semi-space-size=1', `--max-old-space-size=${heap}`, process.argv[1]!],
    vmcore: '/proc/vmcore',
    makedumpfile: existsSync('/bin/makedumpfile') ? '/bin/makedumpfile' : null,
    scratch: '/run/inquest',
  });
}

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
