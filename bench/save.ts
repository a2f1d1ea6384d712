// `node bench/save.ts DUMP [ROUNDS]`: how long inquest and makedumpfile take to filter and compress a raw dump at level 31,
// as whole processes in turn, how much processor time and memory they need, and how large what they write is.
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
const save = (...words: string[]) => [process.execPath, program, 'save', '-d', '31', ...words, dump, target];
const makedumpfile = (...words: string[]) => ['makedumpfile', '-d', '31', ...words, dump, target];
const programs: readonly (readonly [name: string, words: string[]])[] = [
  ['makedumpfile -c --num-threads 2', makedumpfile('-c', '--num-threads', '2')],
  ['makedumpfile -c', makedumpfile('-c')],
  ['makedumpfile -l', makedumpfile('-l')],
  ...(['zlib', 'zstd', 'lzo'] as const).map(
    (how) => [`save ${how}, 2 threads`, save('--compress', how, '--threads', '2')] as const,
  ),
  ['save zlib, 1 thread', save('--compress', 'zlib', '--threads', '1')],
];
try {
  for (let round = 0; round < Number(rounds); round++) {
    for (const [name, words] of programs) {
      const start = performance.now();
      const { status, stderr } = spawnSync('/usr/bin/time', ['-f', '%U %S %M', ...words], { encoding: 'latin1' });
      const wall = (performance.now() - start) / 1000;
      const [user, system, memory] = (stderr.trim().split('\n').at(-1) ?? '').split(' ').map(Number);
      if (status !== 0 || !existsSync(target)) console.log(`${name.padEnd(32)} fails`);
      else {
        const size = (statSync(target).size / 1e6).toFixed(1);
        const used = `${(user! + system!).toFixed(2)} s of processors, ${(memory! / 1024).toFixed(0)} MiB`;
        console.log(`${name.padEnd(32)} ${wall.toFixed(2).padStart(7)} s, ${used}, ${size} MB written`);
      }
      rmSync(target, { force: true });
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
