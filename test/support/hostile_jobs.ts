// What a hostile dump may cost, whatever is done with it.
import assert from 'node:assert/strict';
import { inquest } from '../cli/run.ts';

export const jobs: Readonly<Record<string, (dump: string) => readonly string[]>> = {
  report: (dump) => ['report', '--json', dump],
  info: (dump) => ['info', dump],
  oops: (dump) => ['oops', dump],
  log: (dump) => ['log', dump],
  'log -a': (dump) => ['crash', '-s', dump, '-c', 'log -a'],
  ps: (dump) => ['crash', '-s', dump, '-c', 'ps'],
  mod: (dump) => ['crash', '-s', dump, '-c', 'mod'],
  'bt -a': (dump) => ['crash', '-s', dump, '-c', 'bt -a'],
};

const maxSeconds = 10;
const maxMemory = 500 * 1024 * 1024;
/** A job that waits for something instead of working is ended after so many ms; other processes may have the processor for long. */
const maxWait = 180_000;

let most = { seconds: 0, slowest: '', memory: 0, largest: '' };

/** What the jobs since the last call took at most, in a line. */
export function mostTaken(): string {
  const { seconds, slowest, memory, largest } = most;
  most = { seconds: 0, slowest: '', memory: 0, largest: '' };
  return `most: ${seconds.toFixed(1)} s (${slowest}), ${Math.round(memory / 1e6)} MB (${largest})`;
}

/** Runs the program, a process of its own, and holds it against the promise: 10 seconds of the processor, 500 MB, and an end that it chose itself. */
export async function withinLimits(dump: string, job: string): Promise<string> {
  let [seconds, memory] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const { status, signal, stdout, stderr } = await inquest(jobs[job]!(dump), {
    timeout: maxWait,
    account: (...taken) => {
      [seconds, memory] = taken;
    },
  });
  if (Number.isFinite(seconds) && seconds > most.seconds) most = { ...most, seconds, slowest: job };
  if (Number.isFinite(memory) && memory > most.memory) most = { ...most, memory, largest: job };
  assert.ok(
    signal === null && [0, 1, 3].includes(status ?? -1),
    `${job}: status ${status}, signal ${signal}: ${stderr.slice(-500)}`,
  );
  assert.ok(seconds < maxSeconds, `${job}: ${seconds} s`);
  assert.ok(memory < maxMemory, `${job}: ${Math.round(memory / 1e6)} MB`);
  assert.doesNotMatch(
    stderr,
    /Invalid string length|call stack|heap out of memory|is not a function|undefined|\n\s+at /,
  );
  return stdout;
}
