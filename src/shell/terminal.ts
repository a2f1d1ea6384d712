// The shell by hand. The terminal belongs to this thread; commands run in a worker, so that Ctrl-C reaches them.
//
//     main thread                          worker (src/cli/crash_worker.ts)
//     readline  --- { run: line } ------->  session.run(line)  --> writes to the terminal itself
//     SIGINT    --- shared[cancel] = 1 -->  looked at wherever time goes
//               <-- { done, goOn } -------
//
// Keys pass through this thread's hands before readline has them, for what readline has not: looking back by Ctrl-R.
import { createInterface, emitKeypressEvents, type Interface, type Key as ReadlineKey } from 'node:readline';
import { PassThrough } from 'node:stream';
import type { Worker } from 'node:worker_threads';
import { problemText } from '../base/bug.ts';
import { escapeLine } from '../base/text.ts';
import { drawProgress, sharedProgress, startProgress } from './progress_line.ts';
import { type Key, ReverseSearch } from './reverse_search.ts';

/** Words of the memory that both threads share. */
export const shared = {
  /** Not 0: the command is to end. */
  cancel: 0,
  /** Not 0: what holds the command up is not the command: a child, or a slow reader. */
  outside: 1,
  /** Lines of the screen. */
  rows: 2,
  /** Where `sharedProgress` begins. */
  progress: 3,
  words: 3 + sharedProgress.words,
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
  /** Command lines to run first, which are not for the history. */
  readonly first: readonly string[];
  /** Command lines that come before those of the terminal. */
  readonly script: readonly string[];
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
  /** What readline reads: keys that this thread hands on. */
  private readonly keys = new PassThrough();
  /** Keys that came while nobody asked for a line, or while the line was being completed. */
  private waiting: { readonly text: string | undefined; readonly key: ReadlineKey }[] = [];
  private asking = false;
  private history: readonly string[];
  /** While Ctrl-R looks back. */
  private search: ReverseSearch | null = null;
  private worker: Worker | null = null;
  /** Takes the worker's next completion. */
  private completed: ((completion: readonly [readonly string[], string]) => void) | null = null;
  /** Ends the wait for the worker's answer. */
  private answered: ((goOn: boolean) => void) | null = null;

  constructor(options: TerminalOptions) {
    this.options = options;
    this.history = options.history;
    this.lines = createInterface({
      input: this.keys,
      output: process.stdout,
      terminal: true,
      prompt: 'crash> ',
      historySize: 1000,
      removeHistoryDuplicates: true,
      history: [...options.history],
      completer: (line: string, done: (error: null, result: [string[], string]) => void) => {
        this.completed = ([words, replaced]) => {
          this.completed = null;
          done(null, [[...words], replaced]);
          // readline puts the words into the line before anything else that waits
          setImmediate(() => this.takeWaiting());
        };
        this.worker?.postMessage({ complete: line } satisfies ToWorker);
      },
    });
    this.lines.on('history', (history: string[]) => {
      this.history = [...history];
      options.remember(history);
    });
    emitKeypressEvents(process.stdin);
    process.stdin.on('keypress', this.onKey);
    process.stdin.on('end', this.onEnd);
  }

  /** @throws Error if the session cannot even be opened */
  async run(): Promise<void> {
    const { lines } = this;
    lines.pause();
    process.stdin.pause();
    const interrupt = (): void => this.cancel();
    process.on('SIGINT', interrupt);
    try {
      let goOn = await this.open();
      for (const line of this.options.first) goOn &&= await this.command(line, false);
      for (const line of this.options.script) goOn &&= await this.command(line, true);
      while (goOn) {
        const line = await this.ask();
        goOn = line !== null && (await this.command(line, true));
      }
    } finally {
      process.off('SIGINT', interrupt);
      process.stdin.off('keypress', this.onKey);
      process.stdin.off('end', this.onEnd);
      lines.close();
      process.stdin.pause();
      await this.worker?.terminate();
    }
  }

  /** The next line; null when the user leaves: by Ctrl-D. Ctrl-C, which may have been meant for a command that just ended, does not. */
  private ask(): Promise<string | null> {
    const { lines } = this;
    return new Promise((resolve) => {
      const done = (line: string | null): void => {
        lines.off('line', done);
        lines.off('close', leave);
        lines.off('SIGINT', clear);
        this.asking = false;
        // children and Ctrl-C need the terminal as a shell leaves it to them
        // (readline that was closed takes no pause)
        if (line !== null) lines.pause();
        process.stdin.pause();
        if (process.stdin.isTTY) process.stdin.setRawMode(false);
        resolve(line);
      };
      const leave = (): void => {
        this.options.say('\n');
        done(null);
      };
      const clear = (): void => {
        this.options.say('^C\n');
        lines.write(null, { ctrl: true, name: 'e' });
        lines.write(null, { ctrl: true, name: 'u' });
        lines.prompt();
      };
      lines.on('line', done);
      lines.on('close', leave);
      lines.on('SIGINT', clear);
      if (process.stdin.isTTY) process.stdin.setRawMode(true);
      lines.resume();
      lines.prompt();
      this.asking = true;
      // several lines that were pasted come at once
      this.takeWaiting();
      process.stdin.resume();
    });
  }

  private readonly onKey = (text: string | undefined, key: ReadlineKey): void => this.take(text, key);
  private readonly onEnd = (): void => {
    this.keys.end();
  };

  /** One key: of the search, or readline's, or to wait for its turn. */
  private take(text: string | undefined, key: ReadlineKey): void {
    if (this.completed !== null && key.ctrl === true && key.name === 'c') this.completed([[], '']);
    if (!this.asking || this.completed !== null || this.waiting.length > 0) {
      this.waiting.push({ text, key });
      return;
    }
    this.press(text, key);
  }

  /** Keys that waited, up to one that makes the next ones wait again. */
  private takeWaiting(): void {
    while (this.asking && this.completed === null) {
      const next = this.waiting.shift();
      if (next === undefined) return;
      this.press(next.text, next.key);
    }
  }

  private press(text: string | undefined, key: ReadlineKey): void {
    if (this.search === null) {
      if (key.ctrl === true && key.name === 'r') this.beginSearch();
      else this.keys.emit('keypress', text, key);
      return;
    }
    const pressed: Key = { text, name: key.name, ctrl: key.ctrl ?? false, meta: key.meta ?? false };
    const step = this.search.key(pressed);
    if (step.kind === 'searching') {
      this.showSearch(this.search);
      return;
    }
    const { line } = this.search;
    this.search = null;
    this.options.say('\r\x1b[K');
    if (step.kind === 'taken' && line !== '') {
      // the whole line that stood there goes, wherever its cursor was
      this.lines.write(null, { ctrl: true, name: 'e' });
      this.lines.write(null, { ctrl: true, name: 'u' });
      this.lines.write(line);
    }
    this.lines.prompt(true);
    if (step.kind === 'taken' && step.pass) this.keys.emit('keypress', text, key);
  }

  private beginSearch(): void {
    this.search = new ReverseSearch(this.history);
    // to the first row of the line that stands there
    const { rows } = this.lines.getCursorPos();
    this.options.say(`${rows > 0 ? `\x1b[${rows}A` : ''}\r\x1b[J`);
    this.showSearch(this.search);
  }

  private showSearch({ prompt, line }: ReverseSearch): void {
    const columns = Math.max(20, process.stdout.columns || 80) - 1;
    this.options.say(`\r\x1b[K${escapeLine(prompt + line).slice(0, columns)}`);
  }

  /** Has one line run. @returns false when it asks to leave */
  private command(line: string, typed: boolean): Promise<boolean> {
    Atomics.store(this.words, shared.cancel, 0);
    Atomics.store(this.words, shared.rows, process.stdout.rows || 24);
    startProgress(this.words.subarray(shared.progress));
    const answer = this.answer();
    this.worker?.postMessage({ run: line, typed } satisfies ToWorker);
    const name = line.trim().split(/\s/)[0] ?? '';
    const clock = setInterval(() => {
      if (Atomics.load(this.words, shared.outside) === 0)
        drawProgress(this.words.subarray(shared.progress), name, this.options.say);
    }, 500);
    return answer.finally(() => clearInterval(clock));
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
      this.options.say(`inquest: ${problemText(error)}`);
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
