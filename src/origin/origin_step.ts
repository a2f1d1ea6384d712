// What the way back from a fault is made of, and how it ends.
import type { VirtAddr } from '../base/address.ts';
import type { ObjectNow } from './object_now.ts';

/** - `proved`: follows from the code and memory; `likely`: memory may have changed since; `possible`: one of several */
export type StepSureness = 'proved' | 'likely' | 'possible';

/** One step back from the fault. */
export interface OriginStep {
  readonly kind:
    | 'access'
    | 'load'
    | 'argument'
    | 'constant'
    | 'returned'
    | 'computed'
    | 'one-of'
    | 'object'
    | 'unknown';
  /** What happened there, in a sentence without its full stop. */
  readonly words: string;
  /** The instruction; null where it is of none. */
  readonly at: VirtAddr | null;
  /** The command that shows it; of its output, the last lines count. */
  readonly command: string | null;
  readonly sure: StepSureness;
}

/** How the trail ends. */
export type OriginEnd =
  /** in memory: of a variable, or of an object that something points to */
  | 'memory'
  /** in the code itself */
  | 'constant'
  /** in what a function returned */
  | 'returned'
  /** at an argument whose caller is not known to have it from anywhere */
  | 'argument'
  /** in a sum of several values, of which none is bad by itself */
  | 'computed'
  /** where several ways meet, and it is not told which was taken */
  | 'several'
  | 'unknown';

export interface TrailResult {
  /** From the fault backwards. */
  readonly steps: readonly OriginStep[];
  readonly end: OriginEnd;
  /** The least sure of the steps. */
  readonly sure: StepSureness;
  /** The memory that the value came from, and what that is now; null where it came from none. */
  readonly source: (ObjectNow & { readonly address: VirtAddr }) | null;
}
