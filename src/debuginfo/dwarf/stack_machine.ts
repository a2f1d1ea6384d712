// The stack machine that runs DWARF expressions: values with their integer types, and what is meant by the topmost.
import { virtAddr } from '../../base/address.ts';
import { assertNever, FormatError, MemoryFault } from '../../base/errors.ts';
import type { LocalPlace } from '../debug_info.ts';
import { Cursor } from './cursor.ts';
import type { ExpressionFrame, ExpressionWidths, IntegerKind } from './expression_frame.ts';

/** Operations of one evaluation, depth of its stack, and of expressions that call others. */
const maxSteps = 10_000;
const maxStack = 1_000;
const maxDepth = 8;
/** Largest piece of a value, in bits. */
const maxPiece = 1 << 20;

/** Why no value comes out: thrown inside, told as a place outside. */
export class Unknown extends Error {}

/** The place that some work finds, or one that says why it is not known. */
export function placeOrUnknown(work: () => LocalPlace): LocalPlace {
  try {
    return work();
  } catch (error) {
    if (error instanceof Unknown || error instanceof MemoryFault || error instanceof FormatError) {
      return { kind: 'none', reason: 'not-known', detail: error.message };
    }
    throw error;
  }
}

const unaryOperations = { abs: 0x19, neg: 0x1f, not: 0x20 } as const;

export function isUnary(op: number): boolean {
  return op === unaryOperations.abs || op === unaryOperations.neg || op === unaryOperations.not;
}

/** and, div, minus, mod, mul, or, plus, shl, shr, shra, xor, eq, ge, gt, le, lt, ne */
const binaryOperations = new Set([
  ...[0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27],
  ...[0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e],
]);

export function isBinary(op: number): boolean {
  return binaryOperations.has(op);
}

/** The type of what has none: an address. */
export const generic: IntegerKind = { size: 8, signed: false };

/** How what is on the stack's top is meant. */
type Meaning =
  | { readonly kind: 'address' }
  | { readonly kind: 'value' }
  | { readonly kind: 'register'; readonly number: number }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'pointer' };

export class StackMachine {
  readonly frame: ExpressionFrame;
  readonly widths: ExpressionWidths;
  private readonly step: (machine: StackMachine, cursor: Cursor) => void;
  private readonly stack: bigint[];
  private readonly kinds: IntegerKind[];
  private steps = 0;
  private depth = 0;
  private meaning: Meaning = { kind: 'address' };
  private parts: { readonly bits: number; readonly place: LocalPlace }[] = [];

  /** @param step does the operation at the cursor */
  constructor(
    step: (machine: StackMachine, cursor: Cursor) => void,
    frame: ExpressionFrame,
    widths: ExpressionWidths,
    initial: readonly bigint[] = [],
  ) {
    this.step = step;
    this.frame = frame;
    this.widths = widths;
    this.stack = [...initial];
    this.kinds = initial.map(() => generic);
  }

  locate(bytes: Uint8Array): LocalPlace {
    if (bytes.length === 0) return { kind: 'none', reason: 'optimized-out', detail: '' };
    this.run(bytes);
    if (this.parts.length > 0) return { kind: 'parts', parts: this.parts };
    return this.place();
  }

  /** The place that the program has described so far; of a register or a value, its eight bytes. */
  private place(): LocalPlace {
    const { meaning } = this;
    switch (meaning.kind) {
      case 'address':
        return { kind: 'memory', address: virtAddr(this.pop()) };
      case 'value':
        return { kind: 'value', bytes: word(this.pop()) };
      case 'register':
        return { kind: 'value', bytes: word(this.register(meaning.number)) };
      case 'bytes':
        return { kind: 'value', bytes: meaning.bytes };
      case 'pointer':
        return { kind: 'none', reason: 'not-known', detail: 'points to a variable that has no address' };
      default:
        return assertNever(meaning);
    }
  }

  pop(): bigint {
    const value = this.stack.pop();
    this.kinds.pop();
    if (value === undefined) throw new Unknown('an expression that takes more than it has');
    return BigInt.asUintN(64, value);
  }

  run(bytes: Uint8Array): void {
    const cursor = new Cursor(bytes, 'DWARF expression');
    while (cursor.at < bytes.length) {
      if (++this.steps > maxSteps) throw new Unknown(`an expression of over ${maxSteps} steps`);
      this.step(this, cursor);
      cursor.check();
    }
  }

  push(value: bigint, kind: IntegerKind = generic): void {
    if (this.stack.length >= maxStack) throw new Unknown(`an expression with over ${maxStack} values`);
    this.stack.push(wrap(value, kind));
    this.kinds.push(kind);
    this.meaning = { kind: 'address' };
  }

  mean(meaning: Meaning): void {
    this.meaning = meaning;
  }

  top(): IntegerKind {
    return this.kinds.at(-1) ?? generic;
  }

  pick(index: number): void {
    const value = this.stack[this.stack.length - 1 - index];
    if (value === undefined) throw new Unknown('an expression that takes more than it has');
    this.push(value, this.kinds[this.kinds.length - 1 - index]);
  }

  /** Brings the topmost of `count` values below the others. */
  rotate(count: number): void {
    if (this.stack.length < count) throw new Unknown('an expression that takes more than it has');
    const at = this.stack.length - count;
    this.stack.splice(at, 0, this.stack.pop()!);
    this.kinds.splice(at, 0, this.kinds.pop()!);
  }

  signedTop(): bigint {
    const kind = this.top();
    const value = this.pop();
    return kind.signed ? BigInt.asIntN(kind.size * 8, value) : value;
  }

  unary(op: number): void {
    const kind = this.top();
    const value = BigInt.asIntN(kind.size * 8, this.pop());
    this.push(op === 0x19 ? (value < 0n ? -value : value) : op === 0x1f ? -value : ~value, kind);
  }

  binary(op: number): void {
    const kind = this.top();
    const bits = kind.size * 8;
    const right = this.pop();
    const left = this.pop();
    // the generic type divides and compares with a sign, and shifts and takes remainders without
    const signed = (value: bigint): bigint =>
      kind === generic || kind.signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
    const unsigned = (value: bigint): bigint => BigInt.asUintN(bits, value);
    const truth = (holds: boolean): bigint => (holds ? 1n : 0n);
    const nonZero = (value: bigint): bigint => {
      if (value === 0n) throw new Unknown('a division by zero');
      return value;
    };
    const shift = unsigned(right) > 63n ? 64n : unsigned(right);
    let result: bigint;
    switch (op) {
      case 0x1a:
        result = left & right;
        break;
      case 0x1b:
        result = signed(left) / nonZero(signed(right));
        break;
      case 0x1c:
        result = left - right;
        break;
      case 0x1d:
        result = kind.signed ? signed(left) % nonZero(signed(right)) : unsigned(left) % nonZero(unsigned(right));
        break;
      case 0x1e:
        result = left * right;
        break;
      case 0x21:
        result = left | right;
        break;
      case 0x22:
        result = left + right;
        break;
      case 0x24:
        result = left << shift;
        break;
      case 0x25:
        result = unsigned(left) >> shift;
        break;
      case 0x26:
        result = BigInt.asIntN(bits, left) >> shift;
        break;
      case 0x27:
        result = left ^ right;
        break;
      case 0x29:
        result = truth(signed(left) === signed(right));
        break;
      case 0x2a:
        result = truth(signed(left) >= signed(right));
        break;
      case 0x2b:
        result = truth(signed(left) > signed(right));
        break;
      case 0x2c:
        result = truth(signed(left) <= signed(right));
        break;
      case 0x2d:
        result = truth(signed(left) < signed(right));
        break;
      default:
        result = truth(signed(left) !== signed(right));
        break;
    }
    this.push(result, kind);
  }

  register(number: number): bigint {
    return this.need(this.frame.register(number), this.frame.registerName(number));
  }

  load(address: bigint, size: number): bigint {
    if (size < 1 || size > 8) throw new Unknown(`a load of ${size} bytes`);
    return littleEndian(this.frame.read(address, size));
  }

  integer(offset: number): IntegerKind {
    const kind = this.frame.integerType(offset);
    if (kind === null || kind.size < 1 || kind.size > 8)
      throw new Unknown('a type that is no integer of up to 64 bits');
    return kind;
  }

  /** Runs the expression of another entry. */
  call(offset: number): void {
    const bytes = this.frame.called(offset);
    if (bytes === null) return;
    if (++this.depth > maxDepth) throw new Unknown('expressions that call each other');
    this.run(bytes);
    this.depth--;
  }

  /** A value that must be known. @param what for the message */
  need(value: bigint | null, what: string): bigint {
    if (value === null) throw new Unknown(`${what} is not known`);
    return value;
  }

  /** Ends a part of the value: what was described since the last one is where it is; nothing: it has no value. */
  part(bits: number): void {
    if (bits > maxPiece) throw new Unknown(`a piece of ${bits} bits`);
    const isEmpty = this.stack.length === 0 && this.meaning.kind === 'address';
    const place: LocalPlace = isEmpty
      ? { kind: 'none', reason: 'optimized-out', detail: '' }
      : placeOrUnknown(() => this.place());
    this.parts.push({ bits, place });
    this.meaning = { kind: 'address' };
  }
}

function wrap(value: bigint, kind: IntegerKind): bigint {
  const bits = kind.size * 8;
  return kind.signed ? BigInt.asUintN(64, BigInt.asIntN(bits, value)) : BigInt.asUintN(bits, value);
}

function word(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return bytes;
}

export function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return value;
}
