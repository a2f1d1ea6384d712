// Types built from DWARF entries, one at a time; what a type refers to is built when it is looked at.
import { FormatError } from '../../base/errors.ts';
import { baseTypeName } from '../c_base_type.ts';
import type { CompoundType, Enumerator, FunctionType, IncompleteType, Member, Type } from '../type.ts';
import { attribute, form, tag } from './constants.ts';
import { Cursor } from './cursor.ts';
import type { Die } from './die.ts';
import type { EntryFile } from './entry_source.ts';

/** Most steps from a type through pointers, arrays, qualifiers and typedefs to what it is made of. */
const maxChain = 64;
/** Most members of a struct, those of its anonymous ones counted in. */
const maxMembers = 1_000_000;
/** Deepest nesting of anonymous structs. */
const maxNesting = 16;
/** Most dimensions of an array. */
const maxDimensions = 32;

const voidType: Type = { kind: 'void' };

/** DW_ATE_*: what the bits of a base type mean. */
const encoding = { boolean: 2, float: 4, signed: 5, signedChar: 6, unsignedChar: 8, complexFloat: 3 } as const;
const plusUconst = 0x23; // DW_OP_plus_uconst

/** The definition of a type that a unit only declares (`struct x;`), from wherever one is; null if there is none. */
export type Complete = (declared: IncompleteType) => Type | null;

/** The types of a file (and of dwz's file behind it), each built once. */
export class DwarfTypes {
  private readonly complete: Complete;
  private readonly known = new Map<EntryFile, Map<number, Type>>();

  constructor(complete: Complete) {
    this.complete = complete;
  }

  /** The type that an entry's DW_AT_type (or that of what it is an instance of) refers to; void without one. @throws FormatError */
  typeOf(die: Die): Type {
    const target = die.withAttribute(attribute.type)?.reference(attribute.type) ?? null;
    return target === null ? voidType : this.type(target);
  }

  /** The type that an entry is. @throws FormatError for an entry that is no type, and for types made of themselves */
  type(die: Die): Type {
    let types = this.known.get(die.unit.file);
    if (types === undefined) {
      types = new Map();
      this.known.set(die.unit.file, types);
    }
    let type = types.get(die.offset);
    if (type === undefined) {
      type = this.build(die);
      types.set(die.offset, type);
    }
    return type;
  }

  /** The type of a function. */
  functionType(die: Die): FunctionType {
    const once = lazy(() => this.parameters(die));
    const resolve = (): Type => this.typeOf(die);
    return {
      kind: 'function',
      get returns() {
        return resolve();
      },
      get parameters() {
        return once().parameters;
      },
      get variadic() {
        return once().variadic;
      },
    };
  }

  private build(die: Die): Type {
    switch (die.tag) {
      case tag.baseType:
        return baseType(die);
      case tag.structureType:
      case tag.classType:
      case tag.unionType:
        return this.compound(die);
      case tag.enumerationType:
        return this.enumeration(die);
      case tag.pointerType:
      case tag.referenceType:
      case tag.rvalueReferenceType: {
        const size = die.number(attribute.byteSize) ?? die.unit.addressSize;
        return this.referring(die, (target) => ({
          kind: 'pointer',
          size,
          get target() {
            return target();
          },
        }));
      }
      case tag.typedef: {
        const { name } = die;
        return this.referring(die, (target) => ({
          kind: 'typedef',
          name,
          get target() {
            return target();
          },
        }));
      }
      case tag.constType:
        return this.qualified(die, 'const');
      case tag.volatileType:
        return this.qualified(die, 'volatile');
      case tag.restrictType:
        return this.qualified(die, 'restrict');
      case tag.atomicType:
        checkChain(die);
        return this.typeOf(die);
      case tag.arrayType:
        return this.array(die);
      case tag.subroutineType:
      case tag.subprogram:
        checkChain(die);
        return this.functionType(die);
      case tag.unspecifiedType:
        return voidType;
      default:
        throw new FormatError(
          die.unit.file.what,
          `the entry at 0x${die.offset.toString(16)} (tag 0x${die.tag.toString(16)}) is no type`,
        );
    }
  }

  private qualified(die: Die, kind: 'const' | 'volatile' | 'restrict'): Type {
    return this.referring(die, (target) => ({
      kind,
      get target() {
        return target();
      },
    }));
  }

  /** A type that refers to one other. */
  private referring(die: Die, make: (target: () => Type) => Type): Type {
    checkChain(die);
    return make(() => this.typeOf(die));
  }

  private array(die: Die): Type {
    checkChain(die);
    const lengths: number[] = [];
    for (const child of die.children()) {
      if (child.tag !== tag.subrangeType) continue;
      lengths.push(subrangeLength(child));
      if (lengths.length > maxDimensions)
        throw new FormatError(die.unit.file.what, `more than ${maxDimensions} dimensions`);
    }
    if (lengths.length === 0) lengths.push(0);
    const element = (): Type => this.typeOf(die);
    return lengths.reduceRight<() => Type>((inner, length) => {
      const array: Type = {
        kind: 'array',
        length,
        get element() {
          return inner();
        },
      };
      return () => array;
    }, element)();
  }

  private compound(die: Die): Type {
    const apart = die.reference(attribute.signature); // defined in a unit of its own (-fdebug-types-section)
    if (apart !== null && !apart.has(attribute.signature)) return this.type(apart);
    const kind = die.tag === tag.unionType ? 'union' : 'struct';
    const { name } = die;
    if (die.flag(attribute.declaration)) {
      const declared: IncompleteType = { kind: 'incomplete', tag: kind, name };
      return this.complete(declared) ?? declared;
    }
    const members = lazy(() => {
      countMembers(die, 0);
      return this.members(die);
    });
    return {
      kind,
      name,
      size: die.number(attribute.byteSize) ?? 0,
      get members() {
        return members();
      },
    };
  }

  private members(die: Die): Member[] {
    const list: Member[] = [];
    for (const child of die.children()) {
      if (child.tag === tag.member || child.tag === tag.inheritance) {
        if (child.has(attribute.declaration) || child.has(attribute.external)) continue; // C++'s static members
        list.push(this.member(child));
      } else if (child.tag === tag.variantPart) list.push(this.variants(child));
    }
    return list;
  }

  private member(die: Die): Member {
    const name = die.tag === tag.inheritance ? '' : (die.string(attribute.name) ?? '');
    const bitSize = die.number(attribute.bitSize) ?? 0;
    return {
      name,
      type: this.typeOf(die),
      bitOffset: bitOffsetOf(die, bitSize, () => this.storageSize(die)),
      bitSize,
    };
  }

  /** Bytes of what a bit field lies in, for DWARF 3's way of counting from its other end. */
  private storageSize(die: Die): number {
    const own = die.number(attribute.byteSize);
    if (own !== null) return own;
    let target: Die | null = die.reference(attribute.type);
    for (let i = 0; i < maxChain && target !== null; i++) {
      const size = target.number(attribute.byteSize);
      if (size !== null) return size;
      target = target.reference(attribute.type);
    }
    return 0;
  }

  /** Rust's enums: the variants share their place, like the members of a union; `discriminant` tells which it is. */
  private variants(part: Die): Member {
    const members: Member[] = [];
    const discriminant = part.reference(0x15); // DW_AT_discr
    if (discriminant !== null) members.push({ ...this.member(discriminant), name: 'discriminant' });
    for (const variant of part.children()) {
      for (const child of variant.children()) if (child.tag === tag.member) members.push(this.member(child));
    }
    const type: CompoundType = { kind: 'union', name: '', size: 0, members };
    return { name: '', type, bitOffset: 0, bitSize: 0 };
  }

  private enumeration(die: Die): Type {
    const apart = die.reference(attribute.signature);
    if (apart !== null && !apart.has(attribute.signature)) return this.type(apart);
    const { name } = die;
    if (die.flag(attribute.declaration)) {
      const declared: IncompleteType = { kind: 'incomplete', tag: 'enum', name };
      return this.complete(declared) ?? declared;
    }
    const values: Enumerator[] = [];
    for (const child of die.children()) {
      if (child.tag !== tag.enumerator) continue;
      // GCC writes what is not negative as plain data, of the size that it needs
      values.push({ name: child.name, value: child.bigint(attribute.constValue) ?? 0n });
      if (values.length > maxMembers) throw new FormatError(die.unit.file.what, `an enum of over ${maxMembers} values`);
    }
    const size = die.number(attribute.byteSize) ?? 4;
    return { kind: 'enum', name, size, signed: values.some(({ value }) => value < 0n), values };
  }

  private parameters(die: Die): { parameters: FunctionType['parameters']; variadic: boolean } {
    // an instance of an inlined function names its parameters again; what is declared alone has all
    const from = die.has(attribute.abstractOrigin) || die.has(attribute.specification) ? (die.origin ?? die) : die;
    const parameters: { name: string; type: Type }[] = [];
    let variadic = false;
    for (const child of from.children()) {
      if (child.tag === tag.unspecifiedParameters) variadic = true;
      else if (child.tag === tag.formalParameter) parameters.push({ name: child.name, type: this.typeOf(child) });
    }
    return { parameters, variadic };
  }
}

function baseType(die: Die): Type {
  const name = baseTypeName(die.name);
  const size = die.number(attribute.byteSize) ?? 0;
  const of = die.number(attribute.encoding);
  if (of === encoding.float || of === encoding.complexFloat) return { kind: 'float', name, size };
  const isChar = of === encoding.signedChar || of === encoding.unsignedChar;
  return {
    kind: 'int',
    name,
    size,
    signed: of === encoding.signed || of === encoding.signedChar,
    encoding: of === encoding.boolean ? 'bool' : isChar ? 'char' : 'integer',
  };
}

function subrangeLength(die: Die): number {
  const count = die.number(attribute.count);
  if (count !== null) return Math.max(0, count);
  // an array of unknown length has no bound, or one of -1 in as many bits as its form has
  const bound = die.bigint(attribute.upperBound) ?? -1n;
  if (bound < 0n || bound === 0xffff_ffffn || bound > BigInt(Number.MAX_SAFE_INTEGER)) return 0;
  return Number(bound) + 1;
}

/** Where a member begins, in bits; of a bit field, its least significant bit. */
function bitOffsetOf(die: Die, bitSize: number, storageSize: () => number): number {
  const bits = die.number(attribute.dataBitOffset);
  if (bits !== null) return bits;
  const bytes = memberLocation(die);
  const fromTop = die.number(attribute.bitOffset);
  // DWARF 3 counts from the most significant bit of the storage, whatever the byte order
  if (fromTop !== null) return bytes * 8 + storageSize() * 8 - fromTop - bitSize;
  return bytes * 8;
}

function memberLocation(die: Die): number {
  const constant = die.number(attribute.dataMemberLocation);
  if (constant !== null) return constant;
  const block = die.block(attribute.dataMemberLocation);
  if (block === null || block[0] !== plusUconst) return 0;
  return new Cursor(block, die.unit.file.what, 1).uleb();
}

/** @throws FormatError where following what a type is made of does not end: the type would be made of itself */
function checkChain(die: Die): void {
  let at: Die | null = die;
  for (let steps = 0; at !== null; steps++) {
    if (steps === maxChain) {
      throw new FormatError(
        die.unit.file.what,
        `the type at 0x${die.offset.toString(16)} is made of itself, or nested too deep`,
      );
    }
    switch (at.tag) {
      case tag.pointerType:
      case tag.referenceType:
      case tag.rvalueReferenceType:
      case tag.typedef:
      case tag.constType:
      case tag.volatileType:
      case tag.restrictType:
      case tag.atomicType:
      case tag.arrayType:
      case tag.subroutineType:
        at = at.form(attribute.type) === form.refSig8 ? null : at.reference(attribute.type);
        break;
      default:
        at = null;
    }
  }
}

/**
 * Number of members of a struct with those of anonymous members counted in, so that searches through them are known
 * to end. @throws FormatError where they would not, or hardly
 */
function countMembers(die: Die, depth: number): number {
  const { what } = die.unit.file;
  if (depth > maxNesting)
    throw new FormatError(what, `the type at 0x${die.offset.toString(16)} is nested too deep, or contains itself`);
  let total = 0;
  const seen = new Map<number, number>();
  for (const child of die.children()) {
    total++;
    if (total > maxMembers)
      throw new FormatError(what, `the type at 0x${die.offset.toString(16)} has over ${maxMembers} members`);
    if (child.tag !== tag.member || child.has(attribute.name)) continue;
    const inner = child.reference(attribute.type);
    if (inner === null || (inner.tag !== tag.structureType && inner.tag !== tag.unionType)) continue;
    const size = seen.get(inner.offset) ?? countMembers(inner, depth + 1);
    seen.set(inner.offset, size);
    total += size;
  }
  return total;
}

function lazy<T>(work: () => T): () => T {
  let done: { readonly value: T } | null = null;
  return () => {
    done ??= { value: work() };
    return done.value;
  };
}
