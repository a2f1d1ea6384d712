// How much work a dump may cause. Every list, table and read is bounded by itself; together they are not: structures that
// overlap or alias make gigabytes of work out of a small file. What is charged to a `WorkSlot` counts against budgets in
// proportion to the dump's size, with floors that no sound dump of that size meets.
//
//   report -> its parts -> what is read once for them      a charge counts for all of them
//
// A budget that is spent throws at each further charge: an error as of a corrupt structure, so that what was read until
// then stands. Whoever goes on all the same, item by item, is ended for good after some refusals.
import { InquestError } from './errors.ts';

/**
 * - `bytes`: read from the dump's file
 * - `reads`: of memory, whether its page is at hand or not
 * - `nodes`: of lists, trees, arrays and tables visited
 * - `text`: characters produced or kept
 * - `kept`: bytes that are kept as long as the kernel is open
 */
export type Charge = 'bytes' | 'reads' | 'nodes' | 'text' | 'kept';

/** Page frames looked at in passing, many at a time, take as long as one node. */
export const framesPerNode = 64;

/** Most of each kind. */
export type Limits = Readonly<Record<Charge, number>>;

const mega = 1 << 20;
/** Bytes of a file. What it takes is promised for dumps of up to this size: 10 seconds, 500 MB. */
const promised = 100 * mega;
/**
 * How many times as much each byte beyond that may cause. Honest big machines are there: a hundred thousand tasks, whose
 * stacks compress to a tenth; tebibytes whose frames have 64 bytes each of next to nothing. What is kept has to fit memory
 * all the same.
 */
const beyond: Limits = { bytes: 4, reads: 4, nodes: 4, text: 4, kept: 1 };
/** What a dump of any size may take, and what it may take for each byte of its file. */
const floors: Limits = { bytes: 512 * mega, reads: 3 * mega, nodes: mega, text: 32 * mega, kept: 160 * mega };
const shares: Limits = { bytes: 8, reads: 1 / 32, nodes: 1 / 100, text: 1 / 3, kept: 2 };

/** The limits for a dump. @param fileSize bytes of its files @param times what the user asked for: `--budget` */
export function limitsFor(fileSize: number, times = 1): Limits {
  const more = Math.max(0, fileSize - promised);
  const limit = (what: Charge): number =>
    times * Math.max(floors[what], (fileSize - more + more * beyond[what]) * shares[what]);
  return {
    bytes: limit('bytes'),
    reads: limit('reads'),
    nodes: limit('nodes'),
    text: limit('text'),
    kept: limit('kept'),
  };
}

/** More work than any sound dump of its size makes. */
export class BudgetError extends InquestError {
  readonly code: string = 'budget';
  readonly what: string;
  readonly charge: Charge;
  readonly limit: number;
  /** @param what whose budget it was: a command, a part of the report */
  constructor(what: string, charge: Charge, limit: number) {
    super(`${what}: ended after ${words[charge](limit)}, more than a sound dump of this size makes (see --budget)`);
    this.what = what;
    this.charge = charge;
    this.limit = limit;
  }
}

const words: Readonly<Record<Charge, (limit: number) => string>> = {
  bytes: (limit) => `reading ${Math.round(limit / mega)} MiB of the file`,
  reads: (limit) => `${Math.round(limit)} reads of memory`,
  nodes: (limit) => `${Math.round(limit)} nodes`,
  text: (limit) => `${Math.round(limit / mega)} Mi characters`,
  kept: (limit) => `keeping ${Math.round(limit / mega)} MiB`,
};

/** Thrown through everything up to the budget's own part when work goes on after the budget is spent. Never a fault itself. */
export class Exhausted extends Error {
  override readonly name = 'Exhausted';
  readonly budget: Budget;
  readonly error: BudgetError;
  constructor(budget: Budget, error: BudgetError) {
    super(error.message);
    this.budget = budget;
    this.error = error;
  }
}

/** Refusals before work that goes on is ended. */
const maxRefusals = 10_000;

/** What one piece of work may take. */
export class Budget {
  readonly what: string;
  readonly around: Budget | null;
  readonly limits: Limits;
  private readonly spent: Record<Charge, number> = { bytes: 0, reads: 0, nodes: 0, text: 0, kept: 0 };
  private error: BudgetError | null = null;
  private refusals = 0;

  /** @param around the work that this is a part of */
  constructor(what: string, limits: Limits, around: Budget | null) {
    this.what = what;
    this.limits = limits;
    this.around = around;
  }

  /** @throws BudgetError once more is charged than may be, and then at each charge; Exhausted after many of these */
  charge(what: Charge, amount: number): void {
    for (let budget: Budget | null = this; budget !== null; budget = budget.around) budget.spend(what, amount);
  }

  private spend(what: Charge, amount: number): void {
    this.spent[what] += amount;
    if (this.error === null) {
      if (this.spent[what] <= this.limits[what]) return;
      this.error = new BudgetError(this.what, what, this.limits[what]);
    }
    if (++this.refusals > maxRefusals) throw new Exhausted(this, this.error);
    throw this.error;
  }
}
