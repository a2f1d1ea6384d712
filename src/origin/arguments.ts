// The arguments that the functions of a backtrace were called with: by the prototype, where each was passed, and by the
// frame's values, what that was.
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { type FunctionType, sizeOf, strip, type Type } from '../debuginfo/type.ts';
import type { FrameValues, Holder, Known } from './frame_values.ts';
import type { Value } from './value.ts';

export interface Argument {
  readonly name: string;
  readonly type: Type;
  /** What was passed, as wide as its type; null where that cannot be told. */
  readonly known: Known | null;
}

/** Where a parameter is when the function is entered. */
type Passing =
  | { readonly kind: 'register'; readonly name: string }
  | { readonly kind: 'stack'; readonly offset: number };

/**
 * The arguments of the function of a frame, in the prototype's order. Those that no one register carries (structs of more
 * than 8 bytes) are not told.
 */
export function argumentsOf(frame: FrameValues, prototype: FunctionType): Argument[] {
  const places = passings(frame, prototype);
  return prototype.parameters.map(({ name, type }, i) => {
    const place = places[i] ?? null;
    const width = sizeOf(type);
    if (place === null || width === 0 || width > 8) return { name, type, known: null };
    return { name, type, known: frame.evaluatePart(entryValue(frame, place), width) };
  });
}

/** The parameter that a value at the function's entry is; null for none. */
export function parameterOf(
  frame: FrameValues,
  prototype: FunctionType,
  value: Value,
): { readonly index: number; readonly name: string; readonly type: Type } | null {
  const index = passings(frame, prototype).findIndex(
    (place) =>
      place !== null &&
      ((place.kind === 'register' && value.kind === 'entry' && value.register === place.name) ||
        (place.kind === 'stack' && value.kind === 'slot' && value.offset === place.offset)),
  );
  return index < 0 ? null : { index, ...prototype.parameters[index]! };
}

function entryValue({ where }: FrameValues, place: Passing): Value {
  const { values } = where.flow;
  return place.kind === 'register' ? values.entry(place.name) : values.slot(place.offset, 8);
}

/** Words in registers one after another, then on the stack; what is larger than two words is in memory as a whole. */
function passings({ kernel }: FrameValues, { parameters }: FunctionType): (Passing | null)[] {
  const { arguments: registers, stack } = kernel.arch.registers;
  let used = 0;
  let offset = stack.pushedByCall;
  return parameters.map(({ type }) => {
    const words = Math.max(1, Math.ceil(sizeOf(type) / 8));
    const isFloat = strip(type).kind === 'float';
    if (words <= 2 && !isFloat && used + words <= registers.length) {
      const name = registers[used]!;
      used += words;
      return words === 1 ? { kind: 'register', name } : null;
    }
    const place: Passing = { kind: 'stack', offset };
    offset += words * 8;
    return words === 1 ? place : null;
  });
}

/** How an argument is known, in words, and the command that shows it; null where none does. */
export function howKnown(
  frame: FrameValues,
  holder: Holder,
): { readonly words: string; readonly command: string | null } {
  switch (holder.kind) {
    case 'register':
      return { words: holder.name, command: null };
    case 'stack':
      return { words: 'stack', command: `rd ${holder.address.toString(16)}` };
    case 'constant':
      return { words: 'constant', command: callCommand(frame) };
    case 'computed':
      return { words: 'computed', command: callCommand(frame) };
    case 'memory':
      return { words: 'memory', command: `rd -${holder.width * 8} ${holder.address.toString(16)}` };
    case 'caller': {
      const caller = frame.caller?.frame;
      if (caller === undefined) return { words: 'the caller', command: null };
      const inner = howKnown(caller, holder.how);
      return { words: `${caller.name}: ${inner.words}`, command: inner.command ?? callCommand(frame) };
    }
  }
}

/** The instructions up to the call of a frame's function. */
function callCommand(frame: FrameValues): string | null {
  const caller = frame.caller?.frame;
  return caller === undefined ? null : `dis -r ${returnOf(caller).toString(16)}`;
}

function returnOf({ where }: FrameValues): VirtAddr {
  const { flow, position } = where;
  const { address, bytes } = flow.code.instructions[position]!;
  return offsetBy(address, where.isCall ? bytes.length : 0);
}
