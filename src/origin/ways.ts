// Where ways through the code meet: which values may have come, and which of them can have been what was found.
import type { VirtAddr } from '../base/address.ts';
import { virtAddr } from '../base/address.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { FrameValues } from './frame_values.ts';
import { placeWords } from './place_words.ts';
import { offsetFrom, type Value } from './value.ts';
import { valueWords } from './value_words.ts';

export type Meeting = Extract<Value, { kind: 'merge' | 'choice' }>;

export function candidateWords(kernel: Kernel, value: Value): string {
  switch (value.kind) {
    case 'constant':
      return valueWords(kernel, value.value);
    case 'load':
      return `what ${placeWords(kernel, value.at)} loaded`;
    case 'left':
      return `what the call at ${placeWords(kernel, value.at)} left`;
    case 'entry':
    case 'slot':
      return 'an argument';
    case 'sum':
    case 'extended':
    case 'combined':
    case 'merge':
    case 'choice':
    case 'unknown':
      return 'a value that was computed';
  }
}

/** Values that may have come where ways meet. */
const maxCandidates = 16;

/** What may have come, through merges of merges. */
export function candidates(frame: FrameValues, value: Meeting): Value[] {
  const found = new Set<Value>();
  const seen = new Set<Value>([value]);
  const waiting: Value[] = [value];
  while (waiting.length > 0 && seen.size < 64) {
    const next = waiting.pop()!;
    const sources =
      next.kind === 'merge'
        ? frame.where.flow.sources(next).map((source) => source.value)
        : next.kind === 'choice'
          ? [next.one, next.other]
          : [];
    for (const source of sources) {
      if (seen.has(source)) continue;
      seen.add(source);
      if (source.kind === 'merge' || source.kind === 'choice') waiting.push(source);
      else found.add(source);
    }
  }
  return [...found].slice(0, maxCandidates);
}

/** Whether a value can have been what was found. */
export function judge(frame: FrameValues, value: Value, bits: bigint): 'fits' | 'impossible' | 'open' {
  const known = frame.evaluate(value);
  if (known === null) return 'open';
  if (known.value === bits) return 'fits';
  return known.sure === 'proved' ? 'impossible' : 'open';
}

/** Whether a value is computed from another, through loads and sums. */
export function dependsOn(value: Value, other: Value): boolean {
  if (value === other) return true;
  switch (value.kind) {
    case 'load':
      return dependsOn(value.address, other);
    case 'sum':
      return value.terms.some((term) => dependsOn(term.value, other));
    case 'extended':
      return dependsOn(value.of, other);
    case 'combined':
      return dependsOn(value.left, other) || dependsOn(value.right, other);
    case 'choice':
      return dependsOn(value.one, other) || dependsOn(value.other, other);
    case 'merge':
    case 'constant':
    case 'entry':
    case 'slot':
    case 'left':
    case 'unknown':
      return false;
  }
}

/** A pointer that a loop goes along: where it began, and where a value stood that was found. */
export interface Walked {
  /** What the loop began with. */
  readonly start: Value;
  /** The load by which it goes on. */
  readonly load: Extract<Value, { kind: 'load' }>;
  /** The memory that had the value. */
  readonly address: VirtAddr;
  /** Entries gone along before it. */
  readonly entries: number;
}

/** Entries of a list that are gone along. */
const maxEntries = 100_000;

/**
 * A loop that goes along a list (`p = p->next`) from a value that is known: memory is walked as the loop did until it
 * gives what was found. Null for what is no such loop, or where memory has it nowhere.
 */
export function walk(frame: FrameValues, meeting: Meeting, sources: readonly Value[], bits: bigint): Walked | null {
  if (meeting.kind !== 'merge') return null;
  const steps = sources.flatMap((load) => {
    const from = load.kind === 'load' && load.segment === null && load.width === 8 ? offsetFrom(load.address) : null;
    return load.kind === 'load' && from?.base === meeting ? [{ load, offset: from.offset }] : [];
  });
  const [step] = steps;
  const starts = sources.filter((source) => source !== step?.load);
  const [start] = starts;
  if (steps.length !== 1 || step === undefined || starts.length !== 1 || start === undefined) return null;
  let at = frame.evaluate(start)?.value ?? null;
  const seen = new Set<bigint>();
  for (let entries = 0; at !== null && entries < maxEntries && !seen.has(at); entries++) {
    seen.add(at);
    frame.kernel.work.charge('nodes', 1);
    const address = virtAddr(BigInt.asUintN(64, at + step.offset));
    const next = frame.word(address, 8);
    if (next === bits) return { start, load: step.load, address, entries };
    at = next;
  }
  return null;
}
