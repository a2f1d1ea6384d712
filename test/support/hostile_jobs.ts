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

/** Runs the program, and holds it against the promise: 10 seconds of the processor, 500 MB, and an end that it chose itself. */
export async function withinLimits(dump: string, job: string): Promise<string> {
  let [seconds, memory] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const { status, signal, stdout, stderr } = await inquest(jobs[job]!(dump), {
    account: (its, most) => {
      [seconds, memory] = [its, most];
    },
  });
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
