// What was found out about a list of frames, for the next time that they come: a log that says much shows the same
// traces again and again.
import type { Frame } from './frames.ts';
import type { IncidentKind } from './kinds.ts';

interface Known<T> {
  readonly kind: IncidentKind;
  readonly frames: readonly (Frame | null)[];
  readonly found: T;
}

/** Bounded: a list goes where its hash says, and takes the place of the one that was there. */
export class KnownFrames<T> {
  private readonly slots: (Known<T> | undefined)[];

  /** @param size a power of two */
  constructor(size: number) {
    this.slots = new Array<Known<T> | undefined>(size).fill(undefined);
  }

  /**
   * What `find` gives of the frames, now or before: it must depend on nothing else.
   * @param frames null between lists
   */
  of(kind: IncidentKind, frames: readonly (Frame | null)[], find: () => T): T {
    const slot = hashOf(frames) & (this.slots.length - 1);
    const known = this.slots[slot];
    if (known?.kind === kind && sameFrames(known.frames, frames)) return known.found;
    const found = find();
    this.slots[slot] = { kind, frames, found };
    return found;
  }
}

function hashOf(frames: readonly (Frame | null)[]): number {
  let hash = frames.length;
  for (const frame of frames) {
    if (frame !== null) hash ^= (frame.offset ?? 0) * 64 + (frame.size ?? 0);
    hash = Math.imul(hash, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash;
}

function sameFrames(a: readonly (Frame | null)[], b: readonly (Frame | null)[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i] && !same(a[i]!, b[i]!)) return false;
  return true;
}

/** Whether two frames tell the same, wherever they were loaded. */
function same(a: Frame | null, b: Frame | null): boolean {
  return (
    a !== null &&
    b !== null &&
    a.symbol === b.symbol &&
    a.offset === b.offset &&
    a.size === b.size &&
    a.module === b.module &&
    a.reliable === b.reliable &&
    a.inline === b.inline &&
    a.source === b.source &&
    a.interrupted === b.interrupted
  );
}
