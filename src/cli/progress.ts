// A sign of life on standard error while work takes longer than a second, if that is a terminal. The work is
// synchronous, so another thread watches the clock.
import { Worker } from 'node:worker_threads';
import { isTerminal } from './is_terminal.ts';
import { writeError } from './output.ts';

/** Words of the memory that both threads see. */
const stopped = 0;
const shown = 1;

const watcher = `
const { writeSync } = require('node:fs');
const { workerData: { state, what } } = require('node:worker_threads');
const start = Date.now();
while (Atomics.wait(state, ${stopped}, 0, 1000) === 'timed-out') {
  Atomics.store(state, ${shown}, 1);
  writeSync(2, '\\r\\x1b[Kinquest: ' + what + ', ' + Math.round((Date.now() - start) / 1000) + ' s');
}
`;

/** Does `work`, and shows that it goes on. @param what is going on, as `reading the dump` */
export async function withProgress<T>(what: string, work: () => T | Promise<T>): Promise<T> {
  if (!isTerminal(2)) return work();
  const state = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(watcher, { eval: true, workerData: { state, what } });
  worker.unref();
  try {
    return await work();
  } finally {
    Atomics.store(state, stopped, 1);
    Atomics.notify(state, stopped);
    if (Atomics.load(state, shown) === 1) writeError('\r\x1b[K');
  }
}
