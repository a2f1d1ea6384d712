// Work done by several threads while the thread that asked for it waits: the core is synchronous, so results are waited
// for, not awaited.
//
//   tasks --> | thread | thread | ... | --> results, in the order of the tasks
//             each has a port of its own; a word of shared memory counts what was answered
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker, workerData } from 'node:worker_threads';
import { availableMemory } from './available_memory.ts';
import type { Work } from './work.ts';

/** What a thread is started with. */
interface Start {
  readonly port: MessagePort;
  readonly answered: SharedArrayBuffer;
}

/** What a thread is told: what all tasks from now on need, or a task. */
type Order<Data, Task> = { readonly data: Data } | { readonly id: number; readonly task: Task };

interface Answer<Result> {
  /** Of the task; `readyId` where the thread is ready for tasks. */
  readonly id: number;
  readonly result: Result | null;
  /** Why there is no result. */
  readonly problem: Error | null;
}

/** What is large in these threads is no object of the language's heap: little room for young ones is enough. */
const resourceLimits = { maxYoungGenerationSizeMb: 4 };
const readyId = -1;

interface Thread {
  readonly worker: Worker;
  readonly port: MessagePort;
  /** It has what the tasks need. Until then it gets none, and what comes from it is of an earlier run. */
  isReady: boolean;
  /** Tasks that it has. */
  busy: number;
}

/** Tasks that each thread has at most: one to work on, and the next. */
const tasksEach = 2;
/** Milliseconds between looks at whether the work is still wanted. */
const lookEvery = 50;
/** Milliseconds without any answer after which the threads are given up. */
const patience = 120_000;

/** Bytes of free memory that are left to others: in a capture kernel there is little. */
const reserve = 64e6;

/**
 * How many threads there may be: one for each processor, as far as memory is free. What is not enough for two is done
 * without threads of its own.
 * @param each bytes that one takes
 */
export function affordableThreads(each: number): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor((availableMemory() - reserve) / each)));
}

/**
 * Threads that wait to be told what to do. To start one takes 40 ms, in which this thread may do something else. They end
 * with `end`.
 */
export class Threads {
  private readonly answered = new SharedArrayBuffer(4);
  private readonly workers: readonly Thread[];

  /** @param program what the threads run: it calls `serve` */
  constructor(program: URL, count: number) {
    this.workers = Array.from({ length: count }, () => {
      const { port1: port, port2 } = new MessageChannel();
      const worker = new Worker(program, {
        workerData: { port: port2, answered: this.answered } satisfies Start,
        transferList: [port2],
        resourceLimits,
      });
      worker.unref();
      port.unref();
      return { worker, port, isReady: false, busy: 0 };
    });
  }

  /**
   * Has tasks done and gives their results in the order of the tasks. A few more tasks are taken than results are, so what
   * is kept does not grow with their number. Whoever does not take all results ends the threads.
   * @param data what `serve` is given, as plain data
   * @param here does a task in this thread, too, instead of waiting. Its results stay valid.
   * @throws Error when a thread fails, or none answers any more; Cancelled
   */
  *run<Task, Result>(
    data: unknown,
    tasks: Iterable<Task>,
    work: Work,
    here: ((task: Task) => Result) | null = null,
  ): Generator<Result, void, void> {
    const count = new Int32Array(this.answered);
    const results = new Map<number, Result>();
    const source = tasks[Symbol.iterator]();
    let given = 0;
    let next = 0;
    let isOver = false;
    /** Tasks given and not yet asked for the result of. */
    const most = (this.workers.length + 1) * 2 * tasksEach;
    for (const thread of this.workers) {
      thread.port.postMessage({ data } satisfies Order<unknown, Task>);
      thread.isReady = false;
      thread.busy = 0;
    }
    try {
      for (;;) {
        for (const thread of this.workers) {
          while (!isOver && thread.isReady && thread.busy < tasksEach && given - next < most) {
            const { value, done } = source.next();
            if (done === true) isOver = true;
            else {
              thread.port.postMessage({ id: given++, task: value } satisfies Order<unknown, Task>);
              thread.busy++;
            }
          }
        }
        if (results.has(next)) {
          const result = results.get(next)!;
          results.delete(next++);
          yield result;
          continue;
        }
        if (isOver && next === given) return;
        const before = Atomics.load(count, 0);
        let isAny = false;
        for (const thread of this.workers) {
          for (let message = receiveMessageOnPort(thread.port); message; message = receiveMessageOnPort(thread.port)) {
            const { id, result, problem } = message.message as Answer<Result>;
            if (problem !== null) throw problem;
            if (id === readyId) thread.isReady = true;
            else if (thread.isReady) {
              results.set(id, result as Result);
              thread.busy--;
            }
            isAny = true;
          }
        }
        if (isAny) continue;
        if (here !== null && !isOver && given - next < most) {
          const { value, done } = source.next();
          if (done === true) isOver = true;
          else results.set(given++, here(value));
        } else waitFor(count, before, work);
      }
    } finally {
      source.return?.();
    }
  }

  end(): void {
    for (const { worker, port } of this.workers) {
      port.close();
      void worker.terminate();
    }
  }
}

/** As `Threads.run`, by threads that are started for it and end with the generator. */
export function* inThreads<Task, Result>(
  program: URL,
  data: unknown,
  threads: number,
  tasks: Iterable<Task>,
  work: Work,
): Generator<Result, void, void> {
  const started = new Threads(program, threads);
  try {
    yield* started.run<Task, Result>(data, tasks, work);
  } finally {
    started.end();
  }
}

/** Waits until a count is no longer what it was. */
function waitFor(count: Int32Array, before: number, work: Work): void {
  const deadline = performance.now() + patience;
  do {
    work.charge('nodes', 1);
    if (Atomics.wait(count, 0, before, lookEvery) !== 'timed-out') return;
  } while (performance.now() < deadline);
  throw new Error('the threads do not answer');
}

/**
 * The other side: what a thread's program calls. Never returns to anything else.
 * @param prepare makes, of the data that the threads are given, what does a task
 */
export function serve<Data, Task, Result>(
  prepare: (data: Data) => (task: Task) => { readonly result: Result; readonly transfer?: readonly ArrayBuffer[] },
): void {
  const { port, answered } = workerData as Start;
  const count = new Int32Array(answered);
  const answer = (message: Answer<Result>, transfer: readonly ArrayBuffer[] = []): void => {
    port.postMessage(message, [...transfer]);
    Atomics.add(count, 0, 1);
    Atomics.notify(count, 0);
  };
  let perform: ReturnType<typeof prepare> | null = null;
  port.on('message', (order: Order<Data, Task>) => {
    const id = 'data' in order ? readyId : order.id;
    try {
      if ('data' in order) {
        perform = prepare(order.data);
        answer({ id, result: null, problem: null });
      } else {
        const { result, transfer } = perform!(order.task);
        answer({ id, result, problem: null }, transfer);
      }
    } catch (error) {
      answer({ id, result: null, problem: error instanceof Error ? error : new Error(String(error)) });
    }
  });
}

/** Where the program of a thread lies: beside its caller's source, or with the bundle that both are part of. */
export function threadProgram(name: string, callerUrl: string): URL {
  const places = [`./${name}.ts`, `./${name}.js`, `../${name}.js`].map((path) => new URL(path, callerUrl));
  const found = places.find((place) => existsSync(place));
  if (found === undefined) throw new Error(`${name}: not installed`);
  return found;
}
