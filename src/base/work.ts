// What all long work looks at: whether it is still wanted, and how far it is.
//
// The core is synchronous. Whoever starts work (a command, the report) says what watches it; memory, walkers and
// commands charge what they do to the kernel's slot, a few nanoseconds each time, and are stopped there: when it is no
// longer wanted, or when it is more than the dump can be worth (`budget.ts`).
import { Budget, BudgetError, type Charge, Exhausted, type Limits } from './budget.ts';

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
  private budget: Budget | null = null;
  private limits: Limits | null = null;
  private kept = 0;

  /**
   * Sets how much each part of the work may take, and for `kept` all together. @param limits null: as much as it likes, as
   * at the start
   */
  limit(limits: Limits | null): void {
    this.limits = limits;
  }

  /** @throws Cancelled; BudgetError when a part has taken all it may; Exhausted when it goes on all the same */
  charge(what: Charge, amount: number): void {
    if (what === 'kept') this.keep(amount);
    else this.budget?.charge(what, amount);
    this.current.charge(what, amount);
  }

  /** Nothing that was charged as kept is kept any longer. */
  forget(): void {
    this.kept = 0;
  }

  private keep(amount: number): void {
    if (this.limits !== null && this.kept + amount > this.limits.kept) {
      throw new BudgetError('all that is kept', 'kept', this.limits.kept);
    }
    this.kept += amount;
  }

  /**
   * A piece of work with a budget of its own: the whole of a command or of the report, or within such, a half of that. What
   * it charges counts for what it is a part of, too. To be done by `within`.
   * @param times how many times as much as others it may take
   */
  part(what: string, times = 1): Budget | null {
    if (this.limits === null) return null;
    const factor = this.budget === null ? times : times / 2;
    const { bytes, reads, nodes, text, kept } = this.budget?.limits ?? this.limits;
    const limits = { bytes: bytes * factor, reads: reads * factor, nodes: nodes * factor, text: text * factor, kept };
    return new Budget(what, limits, this.budget);
  }

  /** Does `step` as work of a part. @throws BudgetError when its budget is spent and `step` did not end by itself */
  within<T>(part: Budget | null, step: () => T): T {
    const before = this.budget;
    this.budget = part;
    try {
      return step();
    } catch (error) {
      throw error instanceof Exhausted && error.budget === part ? error.error : error;
    } finally {
      this.budget = before;
    }
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

/** Work that ends by itself after a time. */
export class ShortWork implements Work {
  private readonly until: number;
  private turns = 0;

  /** @param most in ms, from now on */
  constructor(most: number) {
    this.until = performance.now() + most;
  }

  /** @throws Cancelled when the time is over */
  charge(): void {
    // to ask for the time costs more than what is charged, mostly
    if (this.turns++ % 64 === 0 && performance.now() > this.until) throw new Cancelled();
  }

  progress(): void {
    this.charge();
  }
}
