// What a damaged or hostile vmlinux costs: copies of one, cut or with bytes changed, each read by a whole process.

import { spawnSync } from 'node:child_process';
import { closeSync, copyFileSync, ftruncateSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Comparison, generator, type Setup } from './setup.ts';

/** Seconds of processor time; MiB. */
const mostTime = 10;
const mostMemory = 500;

const commands = [
  'bt --locals',
  'bt -l',
  'p tcp_memory_allocated',
  'p NO_SUCH_MACRO',
  'whatis kmem_cache_node_x',
  'dis -l vfs_write',
  'sym schedule',
];

export function measureDamage({ dump, vmlinux, seed }: Setup, program: string, count: number): Comparison {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-bench-'));
  const damaged = join(folder, 'vmlinux');
  const { size } = statSync(vmlinux);
  const random = generator(seed);
  const differences: string[] = [];
  let [slowest, largest] = [0, 0];
  try {
    for (let i = 0; i < count; i++) {
      copyFileSync(vmlinux, damaged);
      const what = damage(damaged, size, i, random);
      const argv = [
        'crash',
        '-s',
        '--force-debuginfo',
        '--vmlinux',
        damaged,
        dump,
        ...commands.flatMap((one) => ['-c', one]),
      ];
      const run = spawnSync('/usr/bin/time', ['-q', '-f', '%U %S %M', process.execPath, program, ...argv], {
        encoding: 'utf8',
        maxBuffer: 1 << 28,
        timeout: 120_000,
      });
      const [user = 0, system = 0, kib = 0] = run.stderr.trim().split('\n').at(-1)!.split(' ').map(Number);
      slowest = Math.max(slowest, user + system);
      largest = Math.max(largest, kib / 1024);
      const problem =
        run.signal !== null
          ? `ended by ${run.signal}`
          : /internal|TypeError|RangeError|\.js:\d+/.test(run.stderr)
            ? run.stderr.slice(0, 500)
            : user + system > mostTime
              ? `${(user + system).toFixed(1)} s`
              : kib / 1024 > mostMemory
                ? `${(kib / 1024).toFixed(0)} MiB`
                : null;
      if (problem !== null) differences.push(`${what}: ${problem}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return {
    what: `damaged files within ${mostTime} s and ${mostMemory} MiB`,
    compared: count,
    equal: count - differences.length,
    differences,
    notes: [`most: ${slowest.toFixed(1)} s of processor time, ${largest.toFixed(0)} MiB`],
  };
}

/** Cuts a file, or changes few or many of its bytes. @returns what was done */
function damage(path: string, size: number, i: number, random: () => number): string {
  const fd = openSync(path, 'r+');
  try {
    if (i % 3 === 0) {
      const length = Math.floor(random() * size);
      ftruncateSync(fd, length);
      return `cut to ${length} bytes`;
    }
    const changes = i % 3 === 1 ? 2000 : 200_000;
    for (let n = 0; n < changes; n++) {
      writeSync(fd, Uint8Array.of(random() * 256), 0, 1, Math.floor(random() * size));
    }
    return `${changes} bytes changed`;
  } finally {
    closeSync(fd);
  }
}
