// What all long work looks at: whether it is still wanted, and how far it is.
//
// The core is synchronous. Whoever starts work (a command, the report) says what watches it; memory, walkers and
// commands charge what they do to the kernel's slot, a few nanoseconds each time, and are stopped there.

/**
 * - `bytes`: read from the dump's file
 * - `nodes`: of lists, trees, arrays and tables visited
 * - `text`: characters produced
 */
export type Charge = 'bytes' | 'nodes' | 'text';

export interface Work {
  /** Accounts for work about to be done. @throws Cancelled when nobody wants it any more */
  charge(what: Charge, amount: number): void;
  /** Tells how far long work is, in units of its own choice. @param total null where it cannot be known */
  progress(done: number, total: number | null): void;
}

/** Thrown through everything when the user cancels: never a fault, never swallowed. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled';
  constructor() {
    super('cancelled');
  }
}

/** Work that nobody watches. */
export const unwatched: Work = { charge: () => {}, progress: () => {} };

/** The place where the work under way is known to everything that it uses. */
export class WorkSlot implements Work {
  private current: Work = unwatched;

  charge(what: Charge, amount: number): void {
    this.current.charge(what, amount);
  }

  progress(done: number, total: number | null): void {
    this.current.progress(done, total);
  }

  /** Does `step` with what it does charged to `work`; what was there before is charged again afterwards. */
  during<T>(work: Work, step: () => T): T {
    const before = this.current;
    this.current = work;
    try {
      return step();
    } finally {
      this.current = before;
    }
  }
}

/** Work that ends when a word of shared memory is no longer zero: another thread cancels it by setting it. */
export class CancellableWork implements Work {
  private readonly word: Int32Array;
  private readonly report: (done: number, total: number | null) => void;

  /** @param word one word over a SharedArrayBuffer */
  constructor(word: Int32Array, report: (done: number, total: number | null) => void = () => {}) {
    this.word = word;
    this.report = report;
  }

  charge(): void {
    if (Atomics.load(this.word, 0) !== 0) throw new Cancelled();
  }

  progress(done: number, total: number | null): void {
    this.charge();
    this.report(done, total);
  }
}
