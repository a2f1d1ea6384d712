// Values of the dead kernel with their C types: what `task->mm->pgd` is in C is
// `task.member('mm').member('pgd')` here. An object is either a place in memory (read when asked for)
// or a computed scalar.
import type { AddressSpace } from '../arch/address_space.ts';
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import { latin1 } from '../base/byte_reader.ts';
import { FormatError, InquestError, NotFoundError } from '../base/errors.ts';
import { findMember, type MemberPlace, memberOf, sizeOf, strip, type Type, type TypeSource, typeName } from './type.ts';

/** What an object needs to follow pointers and to name types. */
export interface ObjectContext {
  readonly space: AddressSpace;
  readonly types: TypeSource;
  /** An object's value as C, for people. @throws MemoryFault */
  readonly print?: (object: KernelObject) => string;
}

interface MemoryPlace {
  readonly address: VirtAddr;
  /** First bit, counted from the least significant bit of the byte at `address`; 0 unless a bit field. */
  readonly bitOffset: number;
  /** 0 for an ordinary object. */
  readonly bitSize: number;
}

export class KernelObject {
  readonly context: ObjectContext;
  readonly type: Type;
  private readonly place: MemoryPlace | null;
  private readonly scalar: bigint | null;

  private constructor(context: ObjectContext, type: Type, place: MemoryPlace | null, scalar: bigint | null) {
    this.context = context;
    this.type = type;
    this.place = place;
    this.scalar = scalar;
  }

  /** The object of a type at a virtual address. Nothing is read yet. */
  static at(context: ObjectContext, type: Type | string, address: VirtAddr): KernelObject {
    return new KernelObject(context, resolve(context, type), { address, bitOffset: 0, bitSize: 0 }, null);
  }

  /** A scalar that is not in memory, wrapped to its type's width. */
  static value(context: ObjectContext, type: Type | string, value: bigint): KernelObject {
    const resolved = resolve(context, type);
    return new KernelObject(context, resolved, null, wrap(resolved, value));
  }

  /** True for a place in memory, false for a computed value. */
  get isInMemory(): boolean {
    return this.place !== null;
  }

  /** Virtual address of the first byte. @throws FormatError for a computed value */
  get address(): VirtAddr {
    if (this.place === null) throw new FormatError(typeName(this.type), 'a computed value has no address');
    return this.place.address;
  }

  /** Width of a bit field in bits; 0 for anything else. */
  get bitSize(): number {
    return this.place?.bitSize ?? 0;
  }

  /** First bit of a bit field, from the least significant of the byte at `address`; 0 for anything else. */
  get bitOffset(): number {
    return this.place?.bitOffset ?? 0;
  }

  /** Size in bytes. */
  get size(): number {
    return sizeOf(this.type);
  }

  /**
   * A member, by path (`se.vruntime`, `comm[0]`). Of a pointer, the member of what it points to.
   * @throws NotFoundError if the type has no such member; MemoryFault if a pointer on the way cannot be read
   */
  member(path: string): KernelObject {
    const base = this.structured();
    return base.sub(memberOf(base.type, path));
  }

  /** The member, or null if the type has none: for members that come and go between kernels. */
  optional(path: string): KernelObject | null {
    const target = this.structuredType();
    const place = findMember(target, path);
    return place === null ? null : this.structured().sub(place);
  }

  /** The first of several paths that the type has. @throws NotFoundError when it has none of them */
  memberAmong(...paths: string[]): KernelObject {
    for (const path of paths) {
      const found = this.optional(path);
      if (found !== null) return found;
    }
    throw new NotFoundError('member', `${typeName(this.structuredType())}.${paths.join(' or .')}`);
  }

  /** Whether the type (or what it points to) has a member of that path. */
  has(path: string): boolean {
    return findMember(this.structuredType(), path) !== null;
  }

  /** Element `index` of an array, or of what a pointer points to. Not checked against the array's length. */
  index(index: number): KernelObject {
    const t = strip(this.type);
    if (t.kind === 'array') {
      return KernelObject.at(this.context, t.element, offsetBy(this.address, index * sizeOf(t.element)));
    }
    if (t.kind === 'pointer') {
      return KernelObject.at(this.context, t.target, offsetBy(this.pointer(), index * sizeOf(t.target)));
    }
    throw new FormatError(typeName(this.type), 'neither an array nor a pointer');
  }

  /** Every element of an array, at most `limit`. */
  *elements(limit = 1 << 20): Generator<KernelObject> {
    const t = strip(this.type);
    if (t.kind !== 'array') throw new FormatError(typeName(this.type), 'not an array');
    for (let i = 0; i < Math.min(t.length, limit); i++) yield this.index(i);
  }

  /** What a pointer points to. */
  deref(): KernelObject {
    return this.index(0);
  }

  /** The value of a scalar: sign-extended if its type is signed; a pointer unsigned. @throws MemoryFault */
  bigint(): bigint {
    if (this.scalar !== null) return this.scalar;
    const place = this.place!;
    const t = strip(this.type);
    const signed = (t.kind === 'int' && t.signed) || (t.kind === 'enum' && t.signed);
    if (place.bitSize > 0) {
      const bytes = this.context.space.read(place.address, Math.ceil((place.bitOffset + place.bitSize) / 8));
      const bits = littleEndian(bytes) >> BigInt(place.bitOffset);
      return signed ? BigInt.asIntN(place.bitSize, bits) : BigInt.asUintN(place.bitSize, bits);
    }
    const size = scalarSize(this.type);
    const raw =
      size === 8
        ? this.context.space.u64(place.address)
        : size === 4
          ? BigInt(this.context.space.u32(place.address))
          : littleEndian(this.context.space.read(place.address, size));
    return signed ? BigInt.asIntN(size * 8, raw) : raw;
  }

  /** As `bigint`, as a number. @throws FormatError if it is not exact (above 2^53) */
  number(): number {
    const value = this.bigint();
    const n = Number(value);
    if (!Number.isSafeInteger(n)) {
      throw new FormatError(typeName(this.type), `value 0x${BigInt.asUintN(64, value).toString(16)} is out of range`);
    }
    return n;
  }

  bool(): boolean {
    return this.bigint() !== 0n;
  }

  /** The value of a pointer (or of an integer that holds one); for an array or struct, its own address, as C decays it. */
  pointer(): VirtAddr {
    const kind = strip(this.type).kind;
    if (kind === 'array' || kind === 'function' || kind === 'struct' || kind === 'union') return this.address;
    return virtAddr(this.context.space.untagged(this.bigint()));
  }

  get isNull(): boolean {
    return this.pointer() === 0n;
  }

  /** Text of a char array (up to its end) or of what a char pointer points to (at most `max` bytes), up to a NUL. */
  string(max = 4096): string {
    const t = strip(this.type);
    if (t.kind === 'array') {
      const length = sizeOf(t);
      if (length > 0) return latin1(this.context.space.read(this.address, Math.min(length, max)));
      return this.context.space.cString(this.address, max); // a flexible array
    }
    return this.context.space.cString(this.pointer(), max);
  }

  /** Name of the enumerator that the value has, or null. */
  enumName(): string | null {
    const t = strip(this.type);
    if (t.kind !== 'enum') return null;
    const value = this.bigint();
    return t.values.find((e) => e.value === value)?.name ?? null;
  }

  /** The object's bytes, a copy. @throws MemoryFault */
  bytes(): Uint8Array {
    return this.context.space.read(this.address, this.size);
  }

  /** `&object`: a pointer value. */
  addressOf(): KernelObject {
    return KernelObject.value(this.context, { kind: 'pointer', size: 8, target: this.type }, this.address);
  }

  /** The same value as another scalar type; of a place in memory that is no scalar, the same place as another type. */
  cast(type: Type | string): KernelObject {
    const to = resolve(this.context, type);
    const kind = strip(this.type).kind;
    if (kind === 'struct' || kind === 'union') return KernelObject.at(this.context, to, this.address);
    return KernelObject.value(this.context, to, kind === 'array' ? this.address : this.bigint());
  }

  /**
   * `container_of(this, type, member)`: of a pointer, the struct around what it points to; of a place,
   * the struct around it.
   */
  containerOf(type: Type | string, member: string): KernelObject {
    const container = resolve(this.context, type);
    const inner = strip(this.type).kind === 'pointer' ? this.pointer() : this.address;
    const place = memberOf(container, member);
    return KernelObject.at(this.context, container, offsetBy(inner, -(place.bitOffset / 8)));
  }

  /** Whether two objects are the same: the same place and type, or of scalars the same value. @throws MemoryFault */
  equals(other: KernelObject): boolean {
    const [mine, its] = [this.comparable(), other.comparable()];
    return mine.isPlace === its.isPlace && mine.value === its.value && (!mine.isPlace || this.size === other.size);
  }

  /** Which is the greater: negative where the other is. Of what is no scalar, by address. @throws MemoryFault */
  compare(other: KernelObject): number {
    const [mine, its] = [this.comparable().value, other.comparable().value];
    return mine < its ? -1 : mine > its ? 1 : 0;
  }

  /** So that `<` and `==` with numbers compare values: of what is no scalar, addresses. @throws MemoryFault */
  valueOf(): bigint {
    return this.comparable().value;
  }

  private comparable(): { readonly isPlace: boolean; readonly value: bigint } {
    switch (strip(this.type).kind) {
      case 'int':
      case 'enum':
      case 'pointer':
        return { isPlace: false, value: this.bigint() };
      default:
        return { isPlace: true, value: this.address };
    }
  }

  /** The value as C, as `p` prints it; where it cannot be read, its type and place, and why. */
  toString(): string {
    const { print } = this.context;
    const place =
      this.place === null
        ? `(${typeName(this.type)})${String(this.scalar)}`
        : `${typeName(this.type)} at ${this.place.address.toString(16)}`;
    if (print === undefined) return place;
    try {
      return print(this);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      return `<${place}: ${error.message}>`;
    }
  }

  /** As `toString`: a template would take the number that `valueOf` gives. */
  [Symbol.toPrimitive](hint: string): string | bigint {
    return hint === 'string' ? this.toString() : this.valueOf();
  }

  private sub(member: MemberPlace): KernelObject {
    if (this.place === null) throw new FormatError(typeName(this.type), 'a computed value has no members');
    const address = offsetBy(this.place.address, Math.floor(member.bitOffset / 8));
    return new KernelObject(
      this.context,
      member.type,
      { address, bitOffset: member.bitOffset % 8, bitSize: member.bitSize },
      null,
    );
  }

  /** This, or what it points to, if it is a pointer. */
  private structured(): KernelObject {
    return strip(this.type).kind === 'pointer' ? this.deref() : this;
  }

  private structuredType(): Type {
    const t = strip(this.type);
    return t.kind === 'pointer' ? t.target : this.type;
  }
}

function resolve(context: ObjectContext, type: Type | string): Type {
  if (typeof type !== 'string') return type;
  let name = type.trimEnd();
  let pointers = 0;
  for (; name.endsWith('*'); pointers++) name = name.slice(0, -1).trimEnd();
  let found: Type | null = name === 'void' ? { kind: 'void' } : context.types.find(name);
  if (found === null) throw new NotFoundError('type', name);
  for (; pointers > 0; pointers--) found = { kind: 'pointer', size: 8, target: found };
  return found;
}

function scalarSize(type: Type): number {
  const t = strip(type);
  switch (t.kind) {
    case 'int':
    case 'float':
    case 'pointer':
    case 'enum':
      return t.size;
    default:
      throw new FormatError(typeName(type), 'not a scalar');
  }
}

function wrap(type: Type, value: bigint): bigint {
  const t = strip(type);
  switch (t.kind) {
    case 'int':
      if (t.encoding === 'bool') return value === 0n ? 0n : 1n;
      return t.signed ? BigInt.asIntN(t.size * 8, value) : BigInt.asUintN(t.size * 8, value);
    case 'enum':
      return t.signed ? BigInt.asIntN(t.size * 8, value) : BigInt.asUintN(t.size * 8, value);
    default:
      return BigInt.asUintN(64, value);
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return value;
}
