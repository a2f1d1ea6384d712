// Whole processes, measured from outside: wall time here, processor time and memory by GNU time.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A process to measure. */
export interface Program {
  readonly name: string;
  readonly argv: readonly string[];
  /** Given to its standard input. */
  readonly input: string;
  /** Measured in so many rounds at most: a program that takes seconds needs few. */
  readonly mostRuns: number;
}

export interface Measurement {
  /** Medians. Seconds from start to end. */
  readonly wall: number;
  /** Mean seconds of processor, user and system; null without GNU time. */
  readonly cpu: number | null;
  /** Largest peak of resident memory, MiB; null without GNU time. */
  readonly memory: number | null;
}

const gnuTime = '/usr/bin/time';

/**
 * Runs the programs in turn, round after round, so that what else the machine does hits all of them alike.
 * A program that fails has null.
 */
export function measure(programs: readonly Program[], rounds: number): (Measurement | null)[] {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-bench-'));
  const samples = programs.map((): { wall: number; cpu: number; memory: number }[] => []);
  const failed = programs.map(() => false);
  const timed = existsSync(gnuTime);
  try {
    for (let round = 0; round < rounds; round++) {
      for (const [i, program] of programs.entries()) {
        if (failed[i] || round >= program.mostRuns) continue;
        const file = join(folder, 'time');
        const argv = timed ? [gnuTime, '-q', '-f', '%U %S %M', '-o', file, ...program.argv] : program.argv;
        const start = performance.now();
        const run = spawnSync(argv[0]!, argv.slice(1), { input: program.input, stdio: ['pipe', 'ignore', 'ignore'] });
        const wall = (performance.now() - start) / 1000;
        if (run.status !== 0) {
          failed[i] = true;
          continue;
        }
        const [user, system, kib] = timed ? readFileSync(file, 'utf8').trim().split(' ').map(Number) : [];
        samples[i]!.push({
          wall,
          cpu: (user ?? Number.NaN) + (system ?? Number.NaN),
          memory: (kib ?? Number.NaN) / 1024,
        });
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return samples.map((runs, i) => {
    if (failed[i] || runs.length === 0) return null;
    return {
      wall: median(runs.map((run) => run.wall)),
      cpu: timed ? runs.reduce((sum, run) => sum + run.cpu, 0) / runs.length : null,
      memory: timed ? Math.max(...runs.map((run) => run.memory)) : null,
    };
  });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
