// `inquest kdump capture`: what the script of the capture initramfs runs. It waits while its steps run, and loads little.
import { existsSync, readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { runCapture } from '../host/capture/run.ts';
import type { CapturePlan } from '../host/initramfs/capture_plan.ts';

export async function runCaptureKernel(planFile: string): Promise<number> {
  const plan = JSON.parse(readFileSync(planFile, 'utf8')) as CapturePlan;
  // MiB: garbage is collected before it takes the memory that pages of the dump need
  const heap = Math.max(48, Math.floor(totalmem() / 3 / 2 ** 20));
  const self = (mostHeap: number, ...flags: string[]): string[] => [
    process.execPath,
    '--max-semi-space-size=1',
    `--max-old-space-size=${mostHeap}`,
    ...flags,
    process.argv[1]!,
  ];
  return runCapture(plan, {
    self: self(heap),
    frugal: [self(heap, '--optimize-for-size'), self(48, ...frugalFlags)],
    vmcore: '/proc/vmcore',
    makedumpfile: existsSync('/bin/makedumpfile') ? '/bin/makedumpfile' : null,
    scratch: '/run/inquest',
  });
}

/**
 * Of V8, for the last try: without its compilers less of Node's file is read again and again where memory ends. Slow where there
 * are thousands of tasks.
 */
const frugalFlags = ['--optimize-for-size', '--no-opt', '--no-maglev', '--no-sparkplug'];
