// What could not be read, kept beside what could. Walkers record faults and go on; whoever shows their
// result shows the faults too.
import { FormatError, type InquestError, MemoryFault, NotFoundError } from '../base/errors.ts';

/** One thing that could not be had, and why. */
export interface Fault {
  /** What was being read, in words: `task list`, `module names`. */
  readonly what: string;
  /** Stable code of the error (`memory-fault`, `bad-format`, `not-found`). */
  readonly code: string;
  /** For memory faults: why (`excluded`, `not-mapped`, ...). */
  readonly reason: string | null;
  /** For memory faults: the address in hexadecimal. */
  readonly address: string | null;
  readonly message: string;
}

/** Most faults kept for one piece of work: a corrupt list can make thousands, and they all say the same. */
const maxFaults = 200;

/** Collects faults for whoever asked; nested work adds its faults to the outer collection. */
export class FaultLog {
  private collectors: Fault[][] = [];

  /** Runs `work` and returns its value with every fault that was recorded meanwhile. */
  collect<T>(work: () => T): { value: T; faults: readonly Fault[] } {
    const faults: Fault[] = [];
    this.collectors.push(faults);
    try {
      return { value: work(), faults };
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
    let known: { value: T; faults: readonly Fault[] } | null = null;
    return () => {
      known ??= this.collect(work);
      for (const fault of known.faults) this.add(fault);
      return known.value;
    };
  }

  private add(fault: Fault): void {
    const faults = this.collectors.at(-1);
    if (faults === undefined || faults.length >= maxFaults) return;
    if (!faults.some((f) => f.message === fault.message && f.what === fault.what)) faults.push(fault);
  }
}

function toFault(what: string, error: unknown): Fault {
  if (error instanceof MemoryFault) {
    const { code, reason, address, message } = error;
    return { what, code, reason, address: address.toString(16), message };
  }
  if (error instanceof FormatError || error instanceof NotFoundError) {
    return { what, code: (error as InquestError).code, reason: null, address: null, message: error.message };
  }
  throw error;
}
