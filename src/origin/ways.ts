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
  readonly load: Load;
  /** The memory that had the value. */
  readonly address: VirtAddr;
  /** Entries gone along before it. */
  readonly entries: number;
}

type Load = Extract<Value, { kind: 'load' }>;

/** Entries of a list that are gone along. */
const maxEntries = 100_000;

/** A loop that goes along a list (`p = p->next`). */
interface Loop {
  readonly start: Value;
  readonly load: Load;
  /** Bytes from an entry to where the next is. */
  readonly offset: bigint;
}

/** Null for what is no such loop. @param sources what may have come where its ways meet */
function loopOf(meeting: Meeting, sources: readonly Value[]): Loop | null {
  if (meeting.kind !== 'merge') return null;
  const steps = sources.flatMap((load) => {
    const from = load.kind === 'load' && load.segment === null && load.width === 8 ? offsetFrom(load.address) : null;
    return load.kind === 'load' && from?.base === meeting ? [{ load, offset: from.offset }] : [];
  });
  const [step] = steps;
  const starts = sources.filter((source) => source !== step?.load);
  const [start] = starts;
  if (steps.length !== 1 || step === undefined || starts.length !== 1 || start === undefined) return null;
  return { start, load: step.load, offset: step.offset };
}

/** The entries that a loop goes along, as memory has them now, with what each has for the next. */
function* entriesOf(frame: FrameValues, { start, offset }: Loop): Generator<{ at: bigint; next: bigint | null }> {
  const seen = new Set<bigint>();
  let at = frame.evaluate(start)?.value ?? null;
  while (at !== null && seen.size < maxEntries && !seen.has(at)) {
    seen.add(at);
    frame.kernel.work.charge('nodes', 1);
    const next: bigint | null = frame.word(virtAddr(BigInt.asUintN(64, at + offset)), 8);
    yield { at, next };
    at = next;
  }
}

/**
 * A loop that goes along a list from a value that is known: memory is walked as the loop did until it gives what was
 * found. Null for what is no such loop, or where memory has it nowhere.
 */
export function walk(frame: FrameValues, meeting: Meeting, sources: readonly Value[], bits: bigint): Walked | null {
  const loop = loopOf(meeting, sources);
  if (loop === null) return null;
  let entries = 0;
  for (const { at, next } of entriesOf(frame, loop)) {
    if (next === bits) return { ...loop, address: virtAddr(BigInt.asUintN(64, at + loop.offset)), entries };
    entries++;
  }
  return null;
}

/**
 * What a loop loaded from the entry of a list that it stood at, where nothing holds that entry's address any more
 * (compilers load the next before they use this one): the first entry that has there what was found, and goes on to where
 * the loop is to go next. Null where there is none, or the loop is none along a list.
 */
export function entryOf(frame: FrameValues, load: Load, bits: bigint): Walked | null {
  const from = load.segment === null ? offsetFrom(load.address) : null;
  if (from === null || (from.base.kind !== 'merge' && from.base.kind !== 'choice')) return null;
  const loop = loopOf(from.base, candidates(frame, from.base));
  if (loop === null) return null;
  // a register may still hold what the entry had for the next
  const held = loop.load === load ? null : frame.evaluate(loop.load);
  let entries = 0;
  for (const { at, next } of entriesOf(frame, loop)) {
    const address = virtAddr(BigInt.asUintN(64, at + from.offset));
    if ((held === null || next === held.value) && frame.word(address, load.width) === bits)
      return { ...loop, address, entries };
    entries++;
  }
  return null;
}
