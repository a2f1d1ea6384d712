// What could not be read, kept beside what could. Walkers record faults and go on; whoever shows their
// result shows the faults too.
import { BudgetError } from '../base/budget.ts';
import { FormatError, type InquestError, MemoryFault, NotFoundError } from '../base/errors.ts';

/** One thing that could not be had, and why. */
export interface Fault {
  /** What was being read, in words: `task list`, `module names`. */
  readonly what: string;
  /** Stable code of the error (`memory-fault`, `bad-format`, `not-found`, `budget`; `usage` of an argument). */
  readonly code: string;
  /** For memory faults: why (`excluded`, `not-mapped`, ...). */
  readonly reason: string | null;
  /** For memory faults: the address, as `0x…`. */
  readonly address: string | null;
  readonly message: string;
}

/** Most faults kept for one piece of work: a corrupt list can make thousands, and they all say the same. */
const maxFaults = 200;
/** Most that are told apart, to count each once. */
const maxSeen = 10_000;

/** What work gave, with every fault that was recorded meanwhile. */
export interface Collected<T> {
  readonly value: T;
  readonly faults: readonly Fault[];
  /** How many different faults came after those that are kept. */
  readonly dropped: number;
}

/** Gathers the faults of one piece of work that is done in steps (the items of a generator). */
export class FaultCollector {
  readonly faults: Fault[] = [];
  /** How many came after those that are kept. */
  dropped = 0;
  private readonly log: FaultLog;
  private readonly seen = new Set<string>();
  /** The values that are computed once whose faults this has. */
  private readonly retold = new Set<Collected<unknown>>();

  constructor(log: FaultLog) {
    this.log = log;
  }

  /** Does one step. Its faults reach whoever collects around it, too. */
  during<T>(step: () => T): T {
    return this.log.into(this, step);
  }

  add(fault: Fault): void {
    const key = `${fault.what}\n${fault.message}`;
    if (this.seen.has(key)) return;
    if (this.seen.size < maxSeen) this.seen.add(key);
    if (this.faults.length < maxFaults) this.faults.push(fault);
    else this.dropped++;
  }

  /** The faults of a value that is computed once. @param heard true if they were added one by one, as they were met */
  retell(known: Collected<unknown>, heard: boolean): void {
    if (this.retold.has(known)) return;
    this.retold.add(known);
    if (heard) return;
    for (const fault of known.faults) this.add(fault);
    this.dropped += known.dropped;
  }
}

/** Collects faults for whoever asked; nested work adds its faults to the outer collections. */
export class FaultLog {
  private readonly collectors: FaultCollector[] = [];
  /** What was recorded while nobody collected: a library's user may look here. */
  readonly uncollected = new FaultCollector(this);

  /** Runs `work` and returns its value with every fault that was recorded meanwhile. */
  collect<T>(work: () => T): Collected<T> {
    const collector = this.collector();
    const value = collector.during(work);
    return { value, faults: collector.faults, dropped: collector.dropped };
  }

  /** As `collect`, of work that is a question whose failure is an answer: nobody around it is told of its faults. */
  apart<T>(work: () => T): Collected<T> {
    const around = this.collectors.splice(0);
    try {
      return this.collect(work);
    } finally {
      this.collectors.push(...around);
    }
  }

  /** For work that is done in steps. */
  collector(): FaultCollector {
    return new FaultCollector(this);
  }

  /** Runs `step` with its faults added to `collector`, and to those that collect already. */
  into<T>(collector: FaultCollector, step: () => T): T {
    this.collectors.push(collector);
    try {
      return step();
    } finally {
      this.collectors.pop();
    }
  }

  /**
   * Records an error that costs only a part of the result.
   * @throws the error itself if it is not about the dump's content: a bug must not hide as a fault
   */
  record(what: string, error: unknown): void {
    this.add(toFault(what, error));
  }

  /** Records that a part of what was asked for is not to be had, whatever the dump holds: one argument of several. */
  refuse(what: string, { code, message }: InquestError): void {
    this.add({ what, code, reason: null, address: null, message });
  }

  /** Runs `work`; if the dump's content makes it fail, records that and returns `fallback`. */
  attempt<T, F>(what: string, work: () => T, fallback: F): T | F {
    try {
      return work();
    } catch (error) {
      this.record(what, error);
      return fallback;
    }
  }

  /** A value computed once. The faults of computing it are told again to everyone who uses it. */
  memo<T>(work: () => T): () => T {
    let known: Collected<T> | null = null;
    return () => {
      const isNew = known === null;
      known ??= this.collect(work);
      if (known.faults.length > 0) this.retell(known, isNew);
      return known.value;
    };
  }

  private retell(known: Collected<unknown>, isNew: boolean): void {
    if (this.collectors.length === 0) this.uncollected.retell(known, false);
    else for (const collector of this.collectors) collector.retell(known, isNew);
  }

  private add(fault: Fault): void {
    if (this.collectors.length === 0) this.uncollected.add(fault);
    else for (const collector of this.collectors) collector.add(fault);
  }
}

function toFault(what: string, error: unknown): Fault {
  if (error instanceof MemoryFault) {
    const { code, reason, address, message } = error;
    return { what, code, reason, address: `0x${address.toString(16)}`, message };
  }
  if (error instanceof FormatError || error instanceof NotFoundError || error instanceof BudgetError) {
    return { what, code: (error as InquestError).code, reason: null, address: null, message: error.message };
  }
  throw error;
}
