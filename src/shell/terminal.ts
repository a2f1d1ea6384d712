// The shell by hand. The terminal belongs to this thread; commands run in a worker, so that Ctrl-C reaches them.
//
//     main thread                          worker (src/cli/crash_worker.ts)
//     readline  --- { run: line } ------->  session.run(line)  --> writes to the terminal itself
//     SIGINT    --- shared[cancel] = 1 -->  looked at wherever time goes
//               <-- { done, goOn } -------
import { createInterface, type Interface } from 'node:readline';
import type { Worker } from 'node:worker_threads';
import { messageOf } from '../base/errors.ts';

/** Words of the memory that both threads share. */
export const shared = {
  /** Not 0: the command is to end. */
  cancel: 0,
  /** Not 0: what holds the command up is not the command: a child, or a slow reader. */
  outside: 1,
  /** Lines of the screen. */
  rows: 2,
  words: 3,
} as const;

/** What the terminal says to its worker. */
export type ToWorker =
  /** A line that was typed, or one that the program gives. */
  { readonly run: string; readonly typed: boolean } | { readonly complete: string };

/** What the worker says: it is ready for the first line, or for the next; `goOn` is false when it was told to leave. */
export type FromWorker =
  | { readonly goOn: boolean }
  | { readonly completion: readonly [words: readonly string[], replaced: string] };

/** How long a command has to end once it was cancelled, in milliseconds. */
const patience = 2000;

export interface TerminalOptions {
  /** Starts a session in a worker. @param memory as in `shared` */
  readonly start: (memory: SharedArrayBuffer) => Worker;
  /** Command lines to run first. */
  readonly first: readonly string[];
  readonly say: (text: string) => void;
  /** Lines of earlier sessions, the last first. */
  readonly history: readonly string[];
  /** Told of all lines, the last first, each time that one is added. */
  readonly remember: (history: readonly string[]) => void;
}

/** Reads command lines and has them run until the user leaves. */
export class Terminal {
  private readonly options: TerminalOptions;
  private readonly memory = new SharedArrayBuffer(4 * shared.words);
  private readonly words = new Int32Array(this.memory);
  private readonly lines: Interface;
  private worker: Worker | null = null;
  /** Takes the worker's next completion. */
  private completed: ((completion: readonly [readonly string[], string]) => void) | null = null;
  /** Ends the wait for the worker's answer. */
  private answered: ((goOn: boolean) => void) | null = null;

  constructor(options: TerminalOptions) {
    this.options = options;
    this.lines = createInterface({
      input: process.stdin,
      output: process.stdout,
      prompt: 'crash> ',
      historySize: 1000,
      removeHistoryDuplicates: true,
      history: [...options.history],
      completer: (line: string, done: (error: null, result: [string[], string]) => void) => {
        this.completed = ([words, replaced]) => done(null, [[...words], replaced]);
        this.worker?.postMessage({ complete: line } satisfies ToWorker);
      },
    });
    this.lines.on('history', (history: string[]) => options.remember(history));
  }

  /** @throws Error if the session cannot even be opened */
  async run(): Promise<void> {
    const { lines } = this;
    lines.pause();
    const interrupt = (): void => this.cancel();
    process.on('SIGINT', interrupt);
    try {
      let goOn = await this.open();
      for (const line of this.options.first) goOn &&= await this.command(line, false);
      while (goOn) {
        const line = await this.ask();
        goOn = line !== null && (await this.command(line, true));
      }
    } finally {
      process.off('SIGINT', interrupt);
      lines.close();
      await this.worker?.terminate();
    }
  }

  /** The next line; null when the user leaves: by Ctrl-D, or Ctrl-C at an empty prompt. */
  private ask(): Promise<string | null> {
    const { lines } = this;
    return new Promise((resolve) => {
      const done = (line: string | null): void => {
        lines.off('line', done);
        lines.off('close', leave);
        lines.off('SIGINT', clear);
        // children and Ctrl-C need the terminal as a shell leaves it to them
        lines.pause();
        if (process.stdin.isTTY) process.stdin.setRawMode(false);
        resolve(line);
      };
      const leave = (): void => {
        this.options.say('\n');
        done(null);
      };
      const clear = (): void => {
        if (lines.line === '') leave();
        else {
          this.options.say('^C\n');
          lines.write(null, { ctrl: true, name: 'u' });
          lines.prompt();
        }
      };
      lines.on('line', done);
      lines.on('close', leave);
      lines.on('SIGINT', clear);
      if (process.stdin.isTTY) process.stdin.setRawMode(true);
      lines.resume();
      lines.prompt();
    });
  }

  /** Has one line run. @returns false when it asks to leave */
  private command(line: string, typed: boolean): Promise<boolean> {
    Atomics.store(this.words, shared.cancel, 0);
    Atomics.store(this.words, shared.rows, process.stdout.rows || 24);
    const answer = this.answer();
    this.worker?.postMessage({ run: line, typed } satisfies ToWorker);
    return answer;
  }

  /** Starts a worker, and waits until its session is open. */
  private open(): Promise<boolean> {
    Atomics.store(this.words, shared.cancel, 0);
    Atomics.store(this.words, shared.outside, 0);
    const worker = this.options.start(this.memory);
    this.worker = worker;
    const answer = this.answer();
    const isCurrent = (): boolean => this.worker === worker;
    worker.on('message', (message: FromWorker) => {
      if (!isCurrent()) return;
      if ('goOn' in message) this.answered?.(message.goOn);
      else this.completed?.(message.completion);
    });
    worker.on('error', (error) => {
      if (!isCurrent()) return;
      this.options.say(`inquest: ${messageOf(error)}\n`);
      this.answered?.(false);
    });
    worker.on('exit', () => {
      if (isCurrent()) this.answered?.(false);
    });
    return answer;
  }

  private answer(): Promise<boolean> {
    return new Promise((resolve) => {
      this.answered = (goOn) => {
        this.answered = null;
        resolve(goOn);
      };
    });
  }

  /** Ctrl-C while a command runs. */
  private cancel(): void {
    const { answered } = this;
    if (answered === null || Atomics.exchange(this.words, shared.cancel, 1) !== 0) return;
    const replace = (): void => {
      if (this.answered !== answered) return; // it has ended
      if (Atomics.load(this.words, shared.outside) !== 0) setTimeout(replace, patience).unref();
      else void this.replace(answered);
    };
    setTimeout(replace, patience).unref();
  }

  /** Gives a worker up that does not answer. */
  private async replace(answered: (goOn: boolean) => void): Promise<void> {
    const old = this.worker;
    this.worker = null;
    await old?.terminate();
    this.options.say('inquest: the command did not end: the session was opened anew\n');
    answered(await this.open());
  }
}
