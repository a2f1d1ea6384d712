// How far a long command is, on one line of a terminal: `search: 37 %, 12 s`. The thread of the terminal draws it while
// the thread of the commands works, and whoever writes output takes it away first.
//
//     quiet --draw--> drawing --> drawn --output--> writing --> quiet (behind a whole line)
//                                                          \-> writing (in the middle of one: nothing is drawn)

/** Words of the memory that both threads share. */
export const sharedProgress = {
  /** One of `states`. */
  state: 0,
  /** In thousandths of the whole; -1 where that is not known. */
  done: 1,
  /** When the command began, or last wrote: milliseconds of the clock, its low 31 bits. */
  since: 2,
  /** When the command began, the same way. */
  began: 3,
  words: 4,
} as const;

const states = { quiet: 0, drawing: 1, drawn: 2, writing: 3 } as const;

/** Silence after which a command counts as long, in milliseconds. */
const silence = 1000;

const clear = '\r\x1b[K';

function now(): number {
  return Date.now() & 0x7fffffff;
}

/** A command begins. @param words as in `sharedProgress` */
export function startProgress(words: Int32Array): void {
  Atomics.store(words, sharedProgress.done, -1);
  Atomics.store(words, sharedProgress.since, now());
  Atomics.store(words, sharedProgress.began, now());
  Atomics.store(words, sharedProgress.state, states.quiet);
}

/** Draws the line, if the command has been silent for a while. @param name of the command */
export function drawProgress(words: Int32Array, name: string, write: (text: string) => void): void {
  if (((now() - Atomics.load(words, sharedProgress.since)) & 0x7fffffff) < silence) return;
  const state = Atomics.load(words, sharedProgress.state);
  if (state !== states.quiet && state !== states.drawn) return;
  if (Atomics.compareExchange(words, sharedProgress.state, state, states.drawing) !== state) return;
  const done = Atomics.load(words, sharedProgress.done);
  const seconds = Math.round(((now() - Atomics.load(words, sharedProgress.began)) & 0x7fffffff) / 1000);
  write(`${clear}${name}: ${done < 0 ? '' : `${Math.floor(done / 10)} %, `}${seconds} s`);
  Atomics.store(words, sharedProgress.state, states.drawn);
  Atomics.notify(words, sharedProgress.state);
}

/** Tells how far the command is. @param total null where it is not known */
export function tellProgress(words: Int32Array, done: number, total: number | null): void {
  const part = total === null || total <= 0 ? -1 : Math.min(1000, Math.floor((done / total) * 1000));
  Atomics.store(words, sharedProgress.done, part);
}

/** Takes the line away, does `output`, and lets it be drawn again when a whole line was written. */
export function besideProgress<T>(words: Int32Array, text: string, write: (text: string) => void, output: () => T): T {
  for (;;) {
    const state = Atomics.load(words, sharedProgress.state);
    if (state === states.drawing) {
      Atomics.wait(words, sharedProgress.state, states.drawing, 100);
      continue;
    }
    if (Atomics.compareExchange(words, sharedProgress.state, state, states.writing) !== state) continue;
    if (state === states.drawn) write(clear);
    break;
  }
  try {
    return output();
  } finally {
    Atomics.store(words, sharedProgress.since, now());
    if (text.endsWith('\n')) Atomics.store(words, sharedProgress.state, states.quiet);
  }
}
