// Values that code computes, by how it computes them: two places that hold the same value (object) hold the same bits,
// whatever these are. A function's values are made by one `Values`, which makes each of them once.
import type { Operation } from '../arch/effects.ts';
import type { VirtAddr } from '../base/address.ts';

interface Made {
  /** Of the function's values, counted from 0. */
  readonly id: number;
}

export type Value =
  | (Made & { readonly kind: 'constant' /** 64 bits, unsigned. */; readonly value: bigint })
  /** What a register had when the function was entered. */
  | (Made & { readonly kind: 'entry'; readonly register: string })
  /** What the stack had then, at a distance in bytes from the stack pointer at entry. */
  | (Made & { readonly kind: 'slot'; readonly offset: number; readonly width: number })
  /** Terms times their factors, and an offset. */
  | (Made & { readonly kind: 'sum'; readonly terms: readonly Term[]; readonly offset: bigint })
  /** What an instruction loaded, extended to 64 bits. */
  | (Made & {
      readonly kind: 'load';
      readonly at: VirtAddr;
      readonly address: Value;
      /** Whose base is added to the address (`gs`: per-cpu); null for none. */
      readonly segment: string | null;
      readonly width: number;
      readonly signed: boolean;
    })
  /** What a call left in a register; `returned` where that is the function's result. */
  | (Made & { readonly kind: 'left'; readonly at: VirtAddr; readonly register: string; readonly returned: boolean })
  /** Where ways through the code meet: what came along the way that was taken. `place`: the register or slot. */
  | (Made & { readonly kind: 'merge'; readonly block: number; readonly place: string })
  /** One of two, by flags. */
  | (Made & { readonly kind: 'choice'; readonly at: VirtAddr; readonly one: Value; readonly other: Value })
  /** The low bytes of a value, extended to 64 bits. */
  | (Made & { readonly kind: 'extended'; readonly of: Value; readonly width: number; readonly signed: boolean })
  | (Made & {
      readonly kind: 'combined';
      readonly op: Operation;
      readonly left: Value;
      readonly right: Value;
      readonly width: number;
    })
  /** What an instruction wrote into a place that it has no words for. */
  | (Made & { readonly kind: 'unknown'; readonly at: VirtAddr; readonly place: string });

export interface Term {
  readonly value: Value;
  readonly factor: bigint;
}

/** More terms are no address that anyone can follow. */
const maxTerms = 4;
/** Deepest nesting that is kept: what is deeper is unknown. */
const maxDepth = 40;

export class Values {
  private readonly made = new Map<string, Value>();
  private readonly depths = new Map<number, number>();

  /** How many there are. */
  get count(): number {
    return this.made.size;
  }

  constant(value: bigint): Value {
    const bits = BigInt.asUintN(64, value);
    return this.make(`#${bits}`, (id) => ({ id, kind: 'constant', value: bits }));
  }

  entry(register: string): Value {
    return this.make(`e ${register}`, (id) => ({ id, kind: 'entry', register }));
  }

  slot(offset: number, width: number): Value {
    return this.make(`s ${offset} ${width}`, (id) => ({ id, kind: 'slot', offset, width }));
  }

  load(at: VirtAddr, address: Value, segment: string | null, width: number, signed: boolean): Value {
    return this.nested(`l ${at} ${address.id} ${segment} ${width} ${signed}`, at, 'load', [address], (id) => ({
      id,
      kind: 'load',
      at,
      address,
      segment,
      width,
      signed,
    }));
  }

  left(at: VirtAddr, register: string, returned: boolean): Value {
    return this.make(`c ${at} ${register}`, (id) => ({ id, kind: 'left', at, register, returned }));
  }

  merge(block: number, place: string): Value {
    return this.make(`m ${block} ${place}`, (id) => ({ id, kind: 'merge', block, place }));
  }

  choice(at: VirtAddr, one: Value, other: Value): Value {
    if (one === other) return one;
    return this.nested(`? ${at} ${one.id} ${other.id}`, at, 'choice', [one, other], (id) => ({
      id,
      kind: 'choice',
      at,
      one,
      other,
    }));
  }

  unknown(at: VirtAddr, place: string): Value {
    return this.make(`u ${at} ${place}`, (id) => ({ id, kind: 'unknown', at, place }));
  }

  /** The low `width` bytes of a value, extended. */
  extended(of: Value, width: number, signed: boolean): Value {
    if (width >= 8) return of;
    if (of.kind === 'constant') {
      const bits = width * 8;
      return this.constant(signed ? BigInt.asIntN(bits, of.value) : BigInt.asUintN(bits, of.value));
    }
    if (!signed && of.kind === 'load' && !of.signed && of.width <= width) return of;
    if (of.kind === 'extended' && of.width >= width) return this.extended(of.of, width, signed);
    if (!signed && of.kind === 'extended' && !of.signed) return of;
    const key = `x ${of.id} ${width} ${signed}`;
    return this.make(key, (id) => ({ id, kind: 'extended', of, width, signed }), this.depthOf(of) + 1);
  }

  add(left: Value, right: Value): Value | null {
    const one = linear(left);
    const other = linear(right);
    const factors = new Map<Value, bigint>();
    for (const { value, factor } of [...one.terms, ...other.terms]) {
      factors.set(value, BigInt.asIntN(64, (factors.get(value) ?? 0n) + factor));
    }
    return this.sum(factors, one.offset + other.offset);
  }

  times(value: Value, factor: bigint): Value | null {
    const { terms, offset } = linear(value);
    const factors = new Map(terms.map((term) => [term.value, BigInt.asIntN(64, term.factor * factor)] as const));
    return this.sum(factors, offset * factor);
  }

  combined(at: VirtAddr, op: Operation, left: Value, right: Value, width: number): Value {
    const whole = this.computed(at, op, left, right, width);
    return this.extended(whole, width, false);
  }

  private computed(at: VirtAddr, op: Operation, left: Value, right: Value, width: number): Value {
    const shift = right.kind === 'constant' && right.value < 64n ? 1n << right.value : null;
    // an extension of at least the width does not matter to sums of that width
    const inner = (value: Value): Value =>
      width < 8 && value.kind === 'extended' && value.width >= width ? value.of : value;
    let made: Value | null = null;
    if (left.kind === 'constant' && right.kind === 'constant')
      return this.constant(calculate(op, left.value, right.value, width));
    if (op === 'add') made = this.add(inner(left), inner(right));
    else if (op === 'sub') {
      const negative = this.times(inner(right), -1n);
      made = negative === null ? null : this.add(inner(left), negative);
    } else if (op === 'shl' && shift !== null) made = this.times(inner(left), shift);
    else if (op === 'mul' && right.kind === 'constant') made = this.times(inner(left), BigInt.asIntN(64, right.value));
    if (made !== null) return made;
    return this.nested(`b ${op} ${left.id} ${right.id} ${width}`, at, op, [left, right], (id) => ({
      id,
      kind: 'combined',
      op,
      left,
      right,
      width,
    }));
  }

  /** The sum that is left when a place is known to have another form; null where it was never made. */
  findExtended(of: Value, width: number, signed: boolean): Value | null {
    return this.made.get(`x ${of.id} ${width} ${signed}`) ?? null;
  }

  private sum(factors: ReadonlyMap<Value, bigint>, by: bigint): Value | null {
    const offset = BigInt.asIntN(64, by);
    const terms = [...factors]
      .filter(([, factor]) => factor !== 0n)
      .map(([value, factor]) => ({ value, factor }))
      .sort((a, b) => a.value.id - b.value.id);
    const [first] = terms;
    if (first === undefined) return this.constant(offset);
    if (terms.length === 1 && first.factor === 1n && offset === 0n) return first.value;
    if (terms.length > maxTerms) return null;
    const depth = Math.max(...terms.map(({ value }) => this.depthOf(value))) + 1;
    if (depth > maxDepth) return null;
    const key = `+ ${terms.map(({ value, factor }) => `${value.id}*${factor}`).join(' ')} ${offset}`;
    return this.make(key, (id) => ({ id, kind: 'sum', terms, offset }), depth);
  }

  /** A value made of others, or an unknown one where that goes too deep. */
  private nested(key: string, at: VirtAddr, place: string, of: readonly Value[], make: (id: number) => Value): Value {
    const depth = Math.max(...of.map((value) => this.depthOf(value))) + 1;
    return depth > maxDepth ? this.unknown(at, place) : this.make(key, make, depth);
  }

  private depthOf(value: Value): number {
    return this.depths.get(value.id) ?? 0;
  }

  private make(key: string, make: (id: number) => Value, depth = 0): Value {
    let value = this.made.get(key);
    if (value === undefined) {
      value = make(this.made.size);
      this.made.set(key, value);
      if (depth > 0) this.depths.set(value.id, depth);
    }
    return value;
  }
}

/** A value as a sum of terms and an offset. */
export function linear(value: Value): { readonly terms: readonly Term[]; readonly offset: bigint } {
  if (value.kind === 'constant') return { terms: [], offset: BigInt.asIntN(64, value.value) };
  if (value.kind === 'sum') return value;
  return { terms: [{ value, factor: 1n }], offset: 0n };
}

/** A value as one other plus an offset; null where it is no such sum. */
export function offsetFrom(value: Value): { readonly base: Value; readonly offset: bigint } | null {
  const { terms, offset } = linear(value);
  const [only] = terms;
  return terms.length === 1 && only!.factor === 1n ? { base: only!.value, offset } : null;
}

/** What an operation gives, as wide as it is computed, zero-extended. */
export function calculate(op: Operation, left: bigint, right: bigint, width: number): bigint {
  const bits = width * 8;
  const [a, b] = [BigInt.asUintN(bits, left), BigInt.asUintN(bits, right)];
  const shift = b & BigInt(bits === 64 ? 63 : 31);
  const results: Record<Operation, () => bigint> = {
    add: () => a + b,
    sub: () => a - b,
    and: () => a & b,
    or: () => a | b,
    xor: () => a ^ b,
    mul: () => a * b,
    shl: () => a << shift,
    shr: () => a >> shift,
  };
  return BigInt.asUintN(bits, results[op]());
}
