// `node bench/save.ts DUMP [ROUNDS]`: how long inquest and makedumpfile take to filter and compress a raw dump at level 31,
// as whole processes in turn, how much processor time and memory they need, and how large what they write is. Of each the
// best round counts: whatever else the machine does only makes them slower.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const [dump, rounds = '3'] = process.argv.slice(2);
const program = resolve('dist/inquest.js');
if (dump === undefined || !existsSync(dump) || !existsSync(program)) {
  console.error('usage: node bench/save.ts DUMP [ROUNDS], after npm run build');
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), 'inquest-bench-save-'));
const target = join(folder, 'out');
const save = (...words: string[]): string[] => [process.execPath, program, 'save', '-d', '31', ...words, dump, target];
const makedumpfile = (...words: string[]) => ['makedumpfile', '-d', '31', ...words, dump, target];
const programs: readonly (readonly [name: string, words: string[]])[] = [
  ['makedumpfile -c --num-threads 2', makedumpfile('-c', '--num-threads', '2')],
  ['makedumpfile -c', makedumpfile('-c')],
  ['makedumpfile -l', makedumpfile('-l')],
  ...(['zlib', 'zstd', 'lzo'] as const).map(
    (how) => [`save ${how}, 2 threads`, save('--compress', how, '--threads', '2')] as const,
  ),
  ...(['zlib', 'lzo'] as const).map(
    (how) => [`save ${how}, 1 thread`, save('--compress', how, '--threads', '1')] as const,
  ),
];
/** Seconds, MiB, and MB written. */
const best = new Map<string, { wall: number; processor: number; memory: number; size: number }>();
try {
  for (let round = 0; round < Number(rounds); round++) {
    for (const [name, words] of programs) {
      const start = performance.now();
      const { status, stderr } = spawnSync('/usr/bin/time', ['-f', '%U %S %M', ...words], { encoding: 'latin1' });
      const wall = (performance.now() - start) / 1000;
      const [user, system, memory] = (stderr.trim().split('\n').at(-1) ?? '').split(' ').map(Number);
      if (status === 0 && existsSync(target)) {
        const before = best.get(name) ?? { wall: Infinity, processor: Infinity, memory: 0, size: 0 };
        best.set(name, {
          wall: Math.min(before.wall, wall),
          processor: Math.min(before.processor, user! + system!),
          memory: Math.max(before.memory, memory! / 1024),
          size: statSync(target).size / 1e6,
        });
      }
      rmSync(target, { force: true });
    }
  }
  for (const [name] of programs) {
    const told = best.get(name);
    const line =
      told === undefined
        ? 'fails'
        : `${told.wall.toFixed(2).padStart(6)} s, ${told.processor.toFixed(2)} s of processors, ` +
          `${told.memory.toFixed(0)} MiB, ${told.size.toFixed(1)} MB written`;
    console.log(`${name.padEnd(32)} ${line}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
