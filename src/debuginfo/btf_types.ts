// Types built from BTF records, one at a time; what a type refers to is built when it is looked at.
import { FormatError } from '../base/errors.ts';
import { type BtfRecords, kinds } from './btf_records.ts';
import { baseTypeName } from './c_base_type.ts';
import type { Enumerator, FunctionType, Member, Type } from './type.ts';

/** BTF does not say how large a pointer is; every machine that is analysed has 64 bits. */
const pointerSize = 8;
/** Most steps from a type through pointers, arrays, qualifiers and typedefs to what it is made of. */
const maxChain = 64;
/** Most members of a struct, those of its anonymous ones counted in. */
const maxMembers = 1_000_000;
/** Deepest nesting of anonymous structs. */
const maxNesting = 16;

type Resolve = (id: number) => Type;

/**
 * @param resolve gives the type of another number
 * @throws FormatError for a number that no type has, a kind that is no type, and types made of themselves
 */
export function buildType(records: BtfRecords, id: number, resolve: Resolve): Type {
  const kind = records.kind(id);
  switch (kind) {
    case kinds.int:
      return intType(records, id);
    case kinds.float:
      return { kind: 'float', name: baseTypeName(records.name(id)), size: records.sizeOrType(id) };
    case kinds.struct:
    case kinds.union:
      return new LazyCompound(records, id, resolve);
    case kinds.enum:
    case kinds.enum64:
      return enumType(records, id, kind === kinds.enum64);
    case kinds.forward:
      return { kind: 'incomplete', tag: records.flag(id) ? 'union' : 'struct', name: records.name(id) };
    case kinds.pointer:
      return new LazyPointer(followed(records, id), resolve);
    case kinds.array:
      return new LazyArray(followed(records, id), records.word(id, 2), resolve);
    case kinds.typedef:
      return new LazyTypedef(records.name(id), followed(records, id), resolve);
    case kinds.const:
      return new LazyQualified('const', followed(records, id), resolve);
    case kinds.volatile:
      return new LazyQualified('volatile', followed(records, id), resolve);
    case kinds.restrict:
      return new LazyQualified('restrict', followed(records, id), resolve);
    case kinds.prototype:
      return new LazyFunction(records, id, followed(records, id), resolve);
    // Their numbers stand for the type behind them: a tag on a type, a function's prototype, a variable's type.
    case kinds.typeTag:
    case kinds.function:
    case kinds.variable:
      return resolve(followed(records, id));
    default:
      throw new FormatError('BTF', `number ${id} is no type (kind ${kind})`);
  }
}

/** The number that a type refers to, after a check that following such numbers ends. */
function followed(records: BtfRecords, id: number): number {
  const first = referredTo(records, id);
  let at = first;
  for (let steps = 0; at !== null && at !== 0; steps++) {
    if (steps === maxChain) throw new FormatError('BTF', `type ${id} is made of itself, or nested too deep`);
    at = referredTo(records, at);
  }
  return first ?? 0;
}

function referredTo(records: BtfRecords, id: number): number | null {
  switch (records.kind(id)) {
    case kinds.pointer:
    case kinds.typedef:
    case kinds.const:
    case kinds.volatile:
    case kinds.restrict:
    case kinds.typeTag:
    case kinds.function:
    case kinds.variable:
    case kinds.prototype:
      return records.sizeOrType(id);
    case kinds.array:
      return records.word(id, 0);
    default:
      return null;
  }
}

function intType(records: BtfRecords, id: number): Type {
  const encoding = (records.word(id, 0) >>> 24) & 0xf;
  const name = baseTypeName(records.name(id));
  // BTF_INT_CHAR is never set by what writes BTF, so the name tells.
  const isChar = (encoding & 2) !== 0 || name === 'char' || name === 'unsigned char' || name === 'signed char';
  return {
    kind: 'int',
    name,
    size: records.sizeOrType(id),
    signed: (encoding & 1) !== 0,
    encoding: (encoding & 4) !== 0 || name === '_Bool' ? 'bool' : isChar ? 'char' : 'integer',
  };
}

function enumType(records: BtfRecords, id: number, wide: boolean): Type {
  const name = records.name(id);
  const count = records.count(id);
  // `enum x;` is written as an enum without values.
  if (count === 0 && name !== '') return { kind: 'incomplete', tag: 'enum', name };
  // kind_flag tells the sign since 6.0 (commit 6089fb325cf7); before, it was 0 and every value was an s32.
  const signed = records.flag(id) || !(wide || records.tellsEnumSigns);
  const values: Enumerator[] = [];
  const words = wide ? 3 : 2;
  for (let i = 0; i < count; i++) {
    const low = BigInt(records.word(id, i * words + 1));
    const value = wide ? low | (BigInt(records.word(id, i * words + 2)) << 32n) : low;
    const name = records.string(records.word(id, i * words));
    values.push({ name, value: signed ? BigInt.asIntN(wide ? 64 : 32, value) : value });
  }
  return { kind: 'enum', name, size: records.sizeOrType(id), signed: values.some(({ value }) => value < 0n), values };
}

class LazyPointer {
  readonly kind = 'pointer';
  readonly size = pointerSize;
  private readonly id: number;
  private readonly resolve: Resolve;

  constructor(id: number, resolve: Resolve) {
    this.id = id;
    this.resolve = resolve;
  }

  get target(): Type {
    return this.resolve(this.id);
  }
}

class LazyArray {
  readonly kind = 'array';
  readonly length: number;
  private readonly id: number;
  private readonly resolve: Resolve;

  constructor(id: number, length: number, resolve: Resolve) {
    this.id = id;
    this.length = length;
    this.resolve = resolve;
  }

  get element(): Type {
    return this.resolve(this.id);
  }
}

class LazyTypedef {
  readonly kind = 'typedef';
  readonly name: string;
  private readonly id: number;
  private readonly resolve: Resolve;

  constructor(name: string, id: number, resolve: Resolve) {
    this.name = name;
    this.id = id;
    this.resolve = resolve;
  }

  get target(): Type {
    return this.resolve(this.id);
  }
}

class LazyQualified {
  readonly kind: 'const' | 'volatile' | 'restrict';
  private readonly id: number;
  private readonly resolve: Resolve;

  constructor(kind: 'const' | 'volatile' | 'restrict', id: number, resolve: Resolve) {
    this.kind = kind;
    this.id = id;
    this.resolve = resolve;
  }

  get target(): Type {
    return this.resolve(this.id);
  }
}

class LazyFunction {
  readonly kind = 'function';
  readonly variadic: boolean;
  private readonly records: BtfRecords;
  private readonly id: number;
  private readonly returned: number;
  private readonly resolve: Resolve;
  private known: FunctionType['parameters'] | null = null;

  constructor(records: BtfRecords, id: number, returned: number, resolve: Resolve) {
    this.records = records;
    this.id = id;
    this.returned = returned;
    this.resolve = resolve;
    // `...` is written as a last parameter without name and type.
    const last = records.count(id) - 1;
    this.variadic = last >= 0 && records.word(id, 2 * last) === 0 && records.word(id, 2 * last + 1) === 0;
  }

  get returns(): Type {
    return this.resolve(this.returned);
  }

  get parameters(): FunctionType['parameters'] {
    if (this.known === null) {
      const count = this.records.count(this.id) - (this.variadic ? 1 : 0);
      const list: { name: string; type: Type }[] = [];
      for (let i = 0; i < count; i++) {
        const name = this.records.string(this.records.word(this.id, 2 * i));
        list.push({ name, type: this.resolve(this.records.word(this.id, 2 * i + 1)) });
      }
      this.known = list;
    }
    return this.known;
  }
}

class LazyCompound {
  readonly kind: 'struct' | 'union';
  readonly name: string;
  readonly size: number;
  private readonly records: BtfRecords;
  private readonly id: number;
  private readonly resolve: Resolve;
  private known: readonly Member[] | null = null;

  constructor(records: BtfRecords, id: number, resolve: Resolve) {
    this.kind = records.kind(id) === kinds.struct ? 'struct' : 'union';
    this.name = records.name(id);
    this.size = records.sizeOrType(id);
    this.records = records;
    this.id = id;
    this.resolve = resolve;
  }

  /** @throws FormatError for members of a type that is not there, and for a struct that contains itself */
  get members(): readonly Member[] {
    if (this.known === null) {
      countMembers(this.records, this.id, 0);
      const count = this.records.count(this.id);
      const list: Member[] = [];
      for (let i = 0; i < count; i++) list.push(this.member(i));
      this.known = list;
    }
    return this.known;
  }

  private member(index: number): Member {
    const { records, id } = this;
    const name = records.string(records.word(id, 3 * index));
    const typeId = records.word(id, 3 * index + 1);
    const offset = records.word(id, 3 * index + 2);
    const type = this.resolve(typeId);
    if (records.flag(id)) return { name, type, bitOffset: offset & 0xffffff, bitSize: offset >>> 24 };
    // Without kind_flag (before 4.20) a bit field's place in its storage is said by its INT.
    const storage = unqualified(records, typeId);
    if (records.kind(storage) !== kinds.int || !records.isPartialInt(storage)) {
      return { name, type, bitOffset: offset, bitSize: 0 };
    }
    const word = records.word(storage, 0);
    return { name, type, bitOffset: offset + ((word >>> 16) & 0xff), bitSize: word & 0xff };
  }
}

/** The number behind typedefs, qualifiers and tags. */
function unqualified(records: BtfRecords, id: number): number {
  let at = id;
  for (let steps = 0; steps <= maxChain; steps++) {
    switch (records.kind(at)) {
      case kinds.typedef:
      case kinds.const:
      case kinds.volatile:
      case kinds.restrict:
      case kinds.typeTag:
        at = records.sizeOrType(at);
        continue;
      default:
        return at;
    }
  }
  throw new FormatError('BTF', `type ${id} is made of itself, or nested too deep`);
}

/**
 * Number of members of a struct with those of anonymous members counted in, so that searches through them
 * are known to end. @throws FormatError where they would not, or hardly
 */
function countMembers(records: BtfRecords, id: number, depth: number): number {
  if (depth > maxNesting) throw new FormatError('BTF', `type ${id} is nested too deep, or contains itself`);
  let total = records.count(id);
  const seen = new Map<number, number>();
  for (let i = 0; i < records.count(id); i++) {
    if (records.word(id, 3 * i) !== 0) continue;
    const inner = unqualified(records, records.word(id, 3 * i + 1));
    const kind = records.kind(inner);
    if (kind !== kinds.struct && kind !== kinds.union) continue;
    const size = seen.get(inner) ?? countMembers(records, inner, depth + 1);
    seen.set(inner, size);
    total += size;
    if (total > maxMembers) throw new FormatError('BTF', `type ${id} has over ${maxMembers} members`);
  }
  return total;
}
