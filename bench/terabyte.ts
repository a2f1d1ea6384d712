// `node bench/terabyte.ts`: how the time that it takes to choose what a dump keeps grows with the machine, from 64 GiB to 1 TiB
// (see memory.ts for the machine), in processor time of one thread.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDump } from '../src/dump/open.ts';
import { openKernel } from '../src/kernel/open_kernel.ts';
import { selectFrames } from '../src/save/selection.ts';
import { writeMachine } from './memory.ts';

const framesPerGib = 262_144;

const folder = mkdtempSync(join(tmpdir(), 'inquest-bench-'));
try {
  for (const gib of [64, 256, 1024]) {
    const path = join(folder, `${gib}`);
    const frames = gib * framesPerGib;
    writeMachine(path, frames);
    const kernel = openKernel(openDump([path]));
    const start = process.cpuUsage();
    const { kept, dropped } = selectFrames(kernel, 31);
    const { user, system } = process.cpuUsage(start);
    const seconds = (user + system) / 1e6;
    const gone = [...dropped.values()].reduce((sum, count) => sum + count, 0);
    const peak = (process.resourceUsage().maxRSS / 1024).toFixed(0);
    console.log(
      `${gib} GiB: ${seconds.toFixed(2)} s, ${((seconds / frames) * 1e9).toFixed(1)} ns a frame; ${kept.count()} kept of ${kept.count() + gone}; peak ${peak} MiB`,
    );
    kernel.close();
    rmSync(path);
  }
} finally {
  rmSync(folder, { recursive: true });
}
