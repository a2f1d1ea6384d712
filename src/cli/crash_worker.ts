// The thread in which the commands of a shell run that is used by hand (src/shell/terminal.ts has the other side).
import { setImmediate } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { CancellableWork } from '../base/work.ts';
import { besideProgress, tellProgress } from '../shell/progress_line.ts';
import { ShellSession } from '../shell/session.ts';
import { type FromWorker, shared, type ToWorker } from '../shell/terminal.ts';
import type { DebugOptions } from './debug_options.ts';
import { openContext } from './open.ts';
import { standardOutput, writeError } from './output.ts';
import { sessionCommands } from './session/entries.ts';

/** What the thread is started with. */
export interface CrashWorkerData {
  readonly files: readonly string[];
  readonly json: boolean;
  readonly debug: DebugOptions;
  readonly memory: SharedArrayBuffer;
  /** Start of the variable `scroll`. */
  readonly scroll: 'on' | 'off' | 'more' | 'CRASHPAGER';
}

/** Milliseconds without a question until the other commands are loaded, and then something is read ahead. */
const afterLines = 300;
/** What is read ahead: what is asked first, and what others need, too. Each for so many ms at most. */
const askedFirst: readonly string[] = ['kmem -s', 'kmem -i', 'ps'];
const mostEach = 150;

const { files, json, debug, memory, scroll } = workerData as CrashWorkerData;
const port = parentPort!;
const words = new Int32Array(memory);
const context = openContext(files, debug);
context.variables.assign('scroll', scroll);
const progress = words.subarray(shared.progress);
const session = new ShellSession(
  context,
  sessionCommands(),
  {
    write: (text) => besideProgress(progress, text, writeError, () => standardOutput.write(text)),
    warn: (text) => besideProgress(progress, text, writeError, () => writeError(text)),
  },
  {
    json,
    work: new CancellableWork(words.subarray(shared.cancel, shared.cancel + 1), (done, total) =>
      tellProgress(progress, done, total),
    ),
    // what is not the end of a line keeps the progress away until the next command
    child: () => besideProgress(progress, 'child', writeError, () => {}),
    rows: () => Atomics.load(words, shared.rows),
    outside: (isOutside) => Atomics.store(words, shared.outside, isOutside ? 1 : 0),
  },
);
/** What is done while the user reads what stands before the prompt, and types. */
const ahead: (() => Promise<void>)[] = [
  () => session.loadAll(),
  ...askedFirst.map((line) => () => session.readAhead(line, mostEach)),
];
/** Lines that wait, and the one that runs. */
let asked = 0;
let isReadingAhead = false;
const idle = setTimeout(() => void whileIdle(), afterLines);

async function whileIdle(): Promise<void> {
  if (isReadingAhead) return;
  isReadingAhead = true;
  while (asked === 0 && ahead.length > 0) {
    await ahead.shift()!();
    // what was typed meanwhile comes first
    await setImmediate();
  }
  isReadingAhead = false;
}

// one line at a time, in order
let turn: Promise<void> = Promise.resolve();
port.on('message', (message: ToWorker) => {
  asked++;
  turn = turn.then(async () => {
    if ('complete' in message) {
      port.postMessage({ completion: await session.complete(message.complete) } satisfies FromWorker);
    } else {
      const goOn = await (message.typed ? session.type(message.run) : session.run(message.run));
      besideProgress(progress, '', writeError, () => {});
      port.postMessage({ goOn } satisfies FromWorker);
    }
    if (--asked === 0 && ahead.length > 0) idle.refresh();
  });
});
port.postMessage({ goOn: true } satisfies FromWorker);
