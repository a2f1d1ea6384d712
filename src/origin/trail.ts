// The steps from a fault back to where its value came from: through loads, arguments, sums, and ways that meet.
import type { VirtAddr } from '../base/address.ts';
import { virtAddr } from '../base/address.ts';
import { hex } from '../base/text.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { FrameValues } from './frame_values.ts';
import { objectNow, objectWords } from './object_now.ts';
import type { OriginEnd, OriginStep, StepSureness, TrailResult } from './origin_step.ts';
import { parameterWords, passedBy } from './passing.ts';
import { memoryWords, placeWords, symbolOf } from './place_words.ts';
import { linear, offsetFrom, type Value } from './value.ts';
import { calledAt, memberIn, nameOf, placeName, pointedTo, typeLabel } from './value_name.ts';
import { valueWords } from './value_words.ts';
import { candidates, candidateWords, dependsOn, entryOf, judge, type Meeting, type Walked, walk } from './ways.ts';

/** Steps that are taken. */
const maxSteps = 24;

/** Steps from a fault back to where its value came from. */
export class Trail {
  private readonly steps: OriginStep[];
  private end: OriginEnd = 'unknown';
  private source: TrailResult['source'] = null;
  /** How sure the sentence is, where later steps do not matter to it: it names no more than what was passed here. */
  private claimed: StepSureness | null = null;
  /** How the sentence goes on behind the register. */
  private tells: ((what: string, value: string) => string) | null = null;

  constructor(first: OriginStep) {
    this.steps = [first];
  }

  result(): TrailResult {
    return { steps: this.steps, end: this.end, sure: this.claimed ?? this.leastSure(), source: this.source };
  }

  private leastSure(): StepSureness {
    const all = this.steps.map((step) => step.sure);
    return all.includes('possible') ? 'possible' : all.includes('likely') ? 'likely' : 'proved';
  }

  sentence(kernel: Kernel, what: string, value: bigint): string {
    const words = valueWords(kernel, value);
    const told = this.tells?.(what, words) ?? `${what} is ${words}; where it came from cannot be told`;
    return this.source === null ? told : `${told}${objectWords(this.source)}`;
  }

  /**
   * Ends at the word of the stack that the CPU took for a return address.
   * @param address where it still is, or what was written over it along with others
   */
  endOnStack(kernel: Kernel, address: VirtAddr, bits: bigint, sure: StepSureness): void {
    this.end = 'memory';
    this.add('load', `the stack at ${hex(address)} has ${valueWords(kernel, bits)}`, null, `rd ${hex(address)}`, sure);
    this.tells = (what, words) => `${what} was taken from the stack at ${hex(address)}, and that is ${words}`;
    this.found(kernel, address, bits);
  }

  /**
   * Goes back from a value.
   * @param bits what it was; null where that is not known
   * @param name the register that held it; null for none
   */
  follow(frame: FrameValues, value: Value, bits: bigint | null, name: string | null): void {
    if (this.steps.length >= maxSteps) return;
    const { kernel } = frame;
    const what = name ?? 'it';
    switch (value.kind) {
      case 'constant': {
        this.end = 'constant';
        const words = constantWords(kernel, value.value);
        this.add(
          'constant',
          `${frame.name}() itself sets ${what} to ${words}`,
          frame.at,
          `dis -r ${hex(frame.at)}`,
          'proved',
        );
        this.tells ??= (register) => `${register} was set to ${words} by ${frame.name}() itself`;
        return;
      }
      case 'entry':
      case 'slot':
        this.argument(frame, value, bits, what);
        return;
      case 'load':
        this.load(frame, value, bits, what);
        return;
      case 'left': {
        const called = value.returned ? calledAt(frame, value.at) : null;
        if (!value.returned) {
          this.add(
            'unknown',
            `${what} was left by the call at ${placeWords(kernel, value.at)}`,
            value.at,
            `dis ${hex(value.at)} 1`,
            'likely',
          );
          return;
        }
        this.end = 'returned';
        const who = called === null ? 'the function that a pointer leads to' : `${called}()`;
        this.add(
          'returned',
          `${what} is what ${who} returned at ${placeWords(kernel, value.at)}`,
          value.at,
          `dis ${hex(value.at)} 1`,
          'proved',
        );
        this.tells ??= (register, words) =>
          `${register} is what ${who} returned to ${frame.name}(), and that is ${words}`;
        return;
      }
      case 'sum':
        this.sum(frame, value, bits, what);
        return;
      case 'extended':
        this.follow(frame, value.of, null, name);
        return;
      case 'merge':
      case 'choice':
        this.oneOf(frame, value, bits, what);
        return;
      case 'combined':
      case 'unknown': {
        const at = value.kind === 'unknown' ? value.at : null;
        const where = at === null ? '' : ` at ${placeWords(kernel, at)}`;
        this.add('unknown', `${what} was computed${where}`, at, at === null ? null : `dis ${hex(at)} 1`, 'likely');
        return;
      }
    }
  }

  private load(frame: FrameValues, load: Extract<Value, { kind: 'load' }>, bits: bigint | null, what: string): void {
    const { kernel } = frame;
    this.end = 'memory';
    const known = frame.evaluate(load.address);
    const address = known === null ? null : frame.absolute(known.value, load.segment);
    const name = placeName(frame, load);
    const now = address === null ? null : frame.word(address, load.width);
    const mask = load.width >= 8 ? 0xffff_ffff_ffff_ffffn : (1n << BigInt(load.width * 8)) - 1n;
    const agrees = now !== null && bits !== null && now === (bits & mask);
    const entry = address === null && bits !== null ? entryOf(frame, load, bits & mask) : null;
    if (entry !== null) {
      this.entry(frame, load, entry, bits!, what);
      return;
    }
    const where = name?.text ?? `${memoryWords(kernel, address)}${sumWords(frame, load.address)}`;
    const there =
      now === null || bits === null
        ? ''
        : agrees
          ? `: ${valueWords(kernel, now)} is there`
          : `: there is ${valueWords(kernel, now)} now`;
    // a global's address is in the code; another must be known, and hold what was loaded
    const sure = agrees ? 'proved' : 'likely';
    const at = address === null ? '' : ` (${hex(address)})`;
    this.add(
      'load',
      `${placeWords(kernel, load.at)} loaded ${what} from ${where}${name === null ? '' : at}${there}`,
      load.at,
      address === null ? `dis ${hex(load.at)} 1` : `rd ${load.width === 8 ? '' : `-${load.width * 8} `}${hex(address)}`,
      sure,
    );
    this.tells ??= (register, words) =>
      `${register} was loaded from ${where}, and that ${agrees || now === null ? 'is' : 'was'} ${words}${agrees || now === null || bits === null ? '' : ` (now it is ${valueWords(kernel, now)})`}`;
    if (address !== null) this.found(kernel, address, bits ?? now);
    if (name?.isGlobal !== true) this.claimed ??= this.leastSure();
    // how the code got there
    const { terms } = linear(load.address);
    const [only] = terms;
    if (terms.length === 1 && only!.factor === 1n && load.segment === null)
      this.way(frame, only!.value, heldBits(frame, only!.value));
  }

  /** What was loaded from an entry of a list along which a loop went. */
  private entry(
    frame: FrameValues,
    load: Extract<Value, { kind: 'load' }>,
    entry: Walked,
    bits: bigint,
    what: string,
  ): void {
    const { kernel } = frame;
    const start = nameOf(frame, entry.start)?.text ?? 'its first entry';
    const where = `${hex(entry.address)}, in entry ${entry.entries + 1} of a list that began at ${start}`;
    this.add(
      'load',
      `${placeWords(kernel, load.at)} loaded ${what} from ${where}: ${valueWords(kernel, bits)} is there`,
      load.at,
      `rd ${hex(entry.address)}`,
      'likely',
    );
    this.tells ??= (register, words) => `${register} was loaded from ${where}, and that is ${words}`;
    this.found(kernel, entry.address, bits);
  }

  /** The memory that the value came from. */
  private found(kernel: Kernel, address: VirtAddr, bits: bigint | null): void {
    const object = objectNow(kernel, address, bits);
    if (object === null) return;
    this.source = { ...object, address };
    if (object.words !== '') this.add('object', object.words, null, object.command, object.sure);
    if (object.suspect && object.object !== null)
      this.add('object', 'who else points into that object', null, `refs -o ${hex(object.object)}`, object.sure);
  }

  /**
   * How the pointer was come by through which a bad value was loaded: it is good itself.
   * @param bits what it was, if something still holds it
   */
  private way(frame: FrameValues, value: Value, bits: bigint | null): void {
    if (this.steps.length >= maxSteps) return;
    const { kernel } = frame;
    const known = bits ?? frame.evaluate(value)?.value ?? null;
    const shown = known === null ? 'that pointer' : hex(known);
    if (value.kind === 'entry' || value.kind === 'slot') {
      const passed = passedBy(frame, value);
      if (passed === null) return;
      this.add(
        'argument',
        `${shown} is ${parameterWords(frame, value)}, passed by ${passed.caller.name}()`,
        passed.caller.at,
        `dis -r ${hex(passed.caller.at)}`,
        passed.sure,
      );
      this.way(passed.caller, passed.value, bits);
      return;
    }
    if (value.kind === 'load') {
      const place = frame.evaluate(value.address);
      const address = place === null ? null : frame.absolute(place.value, value.segment);
      const now = address === null ? null : frame.word(address, value.width);
      const name = placeName(frame, value);
      const from = name?.text ?? memoryWords(kernel, address);
      this.add(
        'load',
        `${placeWords(kernel, value.at)} loaded ${shown} from ${from}`,
        value.at,
        address === null ? `dis ${hex(value.at)} 1` : `rd ${hex(address)}`,
        now !== null && now === bits ? 'proved' : 'likely',
      );
      const { terms } = linear(value.address);
      const [only] = terms;
      if (terms.length === 1 && only!.factor === 1n && value.segment === null)
        this.way(frame, only!.value, heldBits(frame, only!.value));
      return;
    }
    const name = nameOf(frame, value);
    if (value.kind === 'left' && value.returned && name !== null)
      this.add(
        'returned',
        `${shown} is ${name.text} at ${placeWords(kernel, value.at)}`,
        value.at,
        `dis ${hex(value.at)} 1`,
        'proved',
      );
  }

  private argument(
    frame: FrameValues,
    value: Extract<Value, { kind: 'entry' | 'slot' }>,
    bits: bigint | null,
    what: string,
  ): void {
    const { kernel } = frame;
    const parameter = parameterWords(frame, value);
    const passed = passedBy(frame, value);
    if (passed === null) {
      this.end = 'argument';
      this.add('argument', `${what} is ${parameter}`, frame.where.flow.code.symbol.address, 'bt', 'proved');
      this.tells ??= (register, words) => `${register} is ${parameter}, and that is ${words}`;
      return;
    }
    this.add(
      'argument',
      `${what} is ${parameter}, passed by ${passed.caller.name}()`,
      passed.caller.at,
      `dis -r ${hex(passed.caller.at)}`,
      passed.sure,
    );
    if (passed.value.kind === 'constant') {
      const words = constantWords(kernel, passed.value.value);
      this.end = 'constant';
      this.add(
        'constant',
        `${passed.caller.name}() passes ${words}`,
        passed.caller.at,
        `dis -r ${hex(passed.caller.at)}`,
        'proved',
      );
      this.tells ??= (register) => `${register} is ${parameter}, for which ${passed.caller.name}() passes ${words}`;
      return;
    }
    this.follow(passed.caller, passed.value, bits, parameter);
    if (this.tells === null) this.end = 'argument';
    this.tells ??= (register, words) =>
      `${register} is ${parameter}, passed by ${passed.caller.name}(), and that is ${words}`;
  }

  private sum(frame: FrameValues, value: Extract<Value, { kind: 'sum' }>, bits: bigint | null, what: string): void {
    const { kernel } = frame;
    const [only, other] = value.terms;
    const sign = value.offset < 0n ? '-' : '+';
    const distance = value.offset < 0n ? -value.offset : value.offset;
    if (other === undefined && only!.factor === 1n) {
      if (only!.value.kind === 'entry' && only!.value.register === kernel.arch.registers.stack.pointer) {
        this.end = 'memory';
        this.add('computed', `${what} is an address on the stack of ${frame.name}()`, null, null, 'proved');
        this.tells ??= (register) => `${register} is an address on the stack of ${frame.name}()`;
        return;
      }
      const rest = bits === null ? null : BigInt.asUintN(64, bits - value.offset);
      const array = symbolOf(kernel, BigInt.asUintN(64, value.offset));
      if (array !== null) {
        const index = `${nameOf(frame, only!.value)?.text ?? 'a value'}${rest === null ? '' : ` (0x${hex(rest)})`}`;
        this.end = 'constant';
        this.add('computed', `${what} is the address of ${array} plus ${index}`, null, null, 'proved');
        this.tells ??= (register) => `${register} is the address of ${array} plus ${index}`;
        return;
      }
      const name = nameOf(frame, only!.value);
      const of = name === null ? 'a value' : name.text;
      this.add(
        'computed',
        `${what} is ${of} ${sign} 0x${hex(distance)}${rest === null ? '' : `, of which the first is ${valueWords(kernel, rest)}`}`,
        null,
        null,
        'proved',
      );
      this.follow(frame, only!.value, rest, name?.text ?? null);
      const tells = this.tells;
      if (tells !== null && rest !== null)
        this.tells = (register) =>
          `${register} is ${sign === '+' ? `0x${hex(distance)} more` : `0x${hex(distance)} less`} than a pointer that is bad: ${tells('that', valueWords(kernel, rest))}`;
      return;
    }
    // an array and an index into it, or a distance between two
    const known = value.terms.map((term) => ({ ...term, known: frame.evaluate(term.value) }));
    const parts = known.map(({ value: term, factor, known: part }) => {
      const name = nameOf(frame, term)?.text ?? 'a value';
      const times = factor === 1n ? '' : ` * 0x${hex(BigInt.asUintN(64, factor))}`;
      return `${name}${part === null ? '' : ` (0x${hex(part.value)})`}${times}`;
    });
    const sum = `${parts.join(' + ')}${value.offset === 0n ? '' : ` ${sign} 0x${hex(distance)}`}`;
    this.add('computed', `${what} is ${sum}`, null, null, 'proved');
    const unmapped = known.filter(({ known: part }) => part === null || !kernel.space.isReadable(virtAddr(part.value)));
    const [suspect] = unmapped;
    if (unmapped.length === 1 && suspect !== undefined) {
      const name = nameOf(frame, suspect.value)?.text ?? 'the index';
      this.follow(frame, suspect.value, suspect.known?.value ?? null, name);
      const tells = this.tells;
      if (tells !== null && suspect.known !== null)
        this.tells = (register) =>
          `${register} was computed with an index: ${tells('that', `0x${hex(suspect.known!.value)}`)}`;
    }
    this.tells ??= (register, words) => `${register} was computed as ${sum}, and that is ${words}`;
    if (this.end === 'unknown') this.end = 'computed';
  }

  /** Several ways meet: those that cannot have given the value are left out. */
  private oneOf(frame: FrameValues, value: Meeting, bits: bigint | null, what: string): void {
    const { kernel } = frame;
    const all = candidates(frame, value);
    const judged = all.map((candidate) => ({
      candidate,
      verdict: bits === null ? 'open' : judge(frame, candidate, bits),
    }));
    const left = judged.filter(({ verdict }) => verdict !== 'impossible');
    const fitting = left.filter(({ verdict }) => verdict === 'fits');
    const chosen = left.length === 1 ? left[0]! : fitting.length === 1 ? fitting[0]! : null;
    // what a loop loaded by the pointer of the round before: that pointer is not what it holds now
    const earlier = chosen?.candidate.kind === 'load' && dependsOn(chosen.candidate, value) ? chosen.candidate : null;
    const walked = bits === null || (chosen !== null && earlier === null) ? null : walk(frame, value, all, bits);
    if (walked !== null) {
      const start = nameOf(frame, walked.start)?.text ?? 'the first entry';
      const along = `after ${walked.entries + 1} ${walked.entries === 0 ? 'entry' : 'entries'} of a list that began at ${start}`;
      this.end = 'memory';
      this.add(
        'load',
        `${placeWords(kernel, walked.load.at)} went along a list: ${along}, ${hex(walked.address)} has ${valueWords(kernel, bits!)}`,
        walked.load.at,
        `rd ${hex(walked.address)}`,
        'likely',
      );
      this.tells ??= (register, words) =>
        `${register} was loaded from ${hex(walked.address)}, ${along}, and that is ${words}`;
      this.found(kernel, walked.address, bits);
      return;
    }
    if (chosen !== null) {
      if (judged.length > 1) {
        const sure = left.length === 1 ? 'proved' : 'likely';
        const words = `${what} may come along ${judged.length} ways in ${frame.name}(); ${left.length === 1 ? 'the others cannot have given' : 'of these one has'} ${valueWords(kernel, bits ?? 0n)}`;
        this.add('one-of', words, frame.at, `dis -r ${hex(frame.at)}`, sure);
      }
      if (earlier === null) this.follow(frame, chosen.candidate, bits, what);
      else this.earlierRound(frame, value, earlier, all, what);
      return;
    }
    this.end = 'several';
    const names = [
      ...new Set(left.map(({ candidate }) => nameOf(frame, candidate)?.text ?? candidateWords(kernel, candidate))),
    ];
    const list = names.slice(0, 4).join(', or ');
    const more = names.length > 4 ? `, or ${names.length - 4} others` : '';
    this.add(
      'one-of',
      `${what} is one of several, by the way that was taken through ${frame.name}(): ${list}${more}`,
      frame.at,
      `dis -r ${hex(frame.at)}`,
      'possible',
    );
    this.tells ??= (register, words) => `${register} is ${words}, and was one of: ${list}${more}`;
  }

  /** What a loop loaded through the pointer of the round before, which is not known any more. */
  private earlierRound(
    frame: FrameValues,
    value: Meeting,
    load: Extract<Value, { kind: 'load' }>,
    all: readonly Value[],
    what: string,
  ): void {
    const from = offsetFrom(load.address);
    const of = all.filter((one) => one !== load).map((one) => nameOf(frame, one));
    const type = of.map((name) => pointedTo(name?.type ?? null)).find((one) => one !== null) ?? null;
    const member = type === null || from?.base !== value ? null : memberIn(type, Number(from.offset), load.width);
    const where =
      member === null
        ? 'what the round before of its loop pointed to'
        : `${member.path} of the ${typeLabel(type!)} before it`;
    this.end = 'memory';
    this.add(
      'load',
      `${placeWords(frame.kernel, load.at)} loaded ${what} from ${where}; the pointer to that is gone`,
      load.at,
      `dis ${hex(load.at)} 1`,
      'likely',
    );
    this.tells ??= (register, words) => `${register} was loaded from ${where}, and that is ${words}`;
  }

  private add(
    kind: OriginStep['kind'],
    words: string,
    at: VirtAddr | null,
    command: string | null,
    sure: StepSureness,
  ): void {
    this.steps.push({ kind, words, at, command, sure });
  }
}

/** A constant in code: `ruin_title (0xffffffffc050f3f0)`, or what it looks like. */
function constantWords(kernel: Kernel, value: bigint): string {
  const symbol = symbolOf(kernel, value);
  return symbol === null ? valueWords(kernel, value) : `${symbol} (0x${hex(value)})`;
}

/** ` (device + 0x8 * device->current_link (0x10) + 0x18)`: what an address was made of; empty where that is one value. */
function sumWords(frame: FrameValues, address: Value): string {
  const { terms, offset } = linear(address);
  if (terms.length < 2) return '';
  const parts = terms.map(({ value, factor }) => {
    const known = frame.evaluate(value);
    const bits = known === null ? '' : ` (0x${hex(known.value)})`;
    return `${factor === 1n ? '' : `0x${hex(BigInt.asUintN(64, factor))} * `}${nameOf(frame, value)?.text ?? 'a value'}${bits}`;
  });
  const rest = offset === 0n ? '' : ` ${offset < 0n ? '-' : '+'} 0x${hex(offset < 0n ? -offset : offset)}`;
  return ` (${parts.join(' + ')}${rest})`;
}

/** What a value was, by a register or stack slot that still holds it; not by memory, which may have changed. */
function heldBits(frame: FrameValues, value: Value): bigint | null {
  const known = frame.evaluate(value);
  return known !== null && known.sure === 'proved' ? known.value : null;
}
