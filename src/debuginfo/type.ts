// The one model of C types, whatever they were read from (BTF now, DWARF later). Types are immutable;
// what a type refers to is resolved when first asked for, so a reader may build them lazily.
import { NotFoundError } from '../base/errors.ts';

export type Type =
  | VoidType
  | IntType
  | FloatType
  | PointerType
  | ArrayType
  | CompoundType
  | EnumType
  | TypedefType
  | QualifiedType
  | FunctionType
  | IncompleteType;

export interface VoidType {
  readonly kind: 'void';
}

export interface IntType {
  readonly kind: 'int';
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly signed: boolean;
  readonly encoding: 'integer' | 'char' | 'bool';
}

export interface FloatType {
  readonly kind: 'float';
  readonly name: string;
  readonly size: number;
}

export interface PointerType {
  readonly kind: 'pointer';
  readonly size: number;
  readonly target: Type;
}

export interface ArrayType {
  readonly kind: 'array';
  readonly element: Type;
  /** Number of elements; 0 for a flexible array member. */
  readonly length: number;
}

export interface Member {
  /** Empty for an anonymous struct or union. */
  readonly name: string;
  readonly type: Type;
  /** From the start of the struct. */
  readonly bitOffset: number;
  /** Width of a bit field in bits; 0 for an ordinary member. */
  readonly bitSize: number;
}

export interface CompoundType {
  readonly kind: 'struct' | 'union';
  /** Tag; empty for an anonymous one. */
  readonly name: string;
  readonly size: number;
  readonly members: readonly Member[];
}

export interface Enumerator {
  readonly name: string;
  readonly value: bigint;
}

export interface EnumType {
  readonly kind: 'enum';
  readonly name: string;
  readonly size: number;
  readonly signed: boolean;
  readonly values: readonly Enumerator[];
}

export interface TypedefType {
  readonly kind: 'typedef';
  readonly name: string;
  readonly target: Type;
}

export interface QualifiedType {
  readonly kind: 'const' | 'volatile' | 'restrict';
  readonly target: Type;
}

export interface FunctionType {
  readonly kind: 'function';
  readonly returns: Type;
  readonly parameters: readonly { readonly name: string; readonly type: Type }[];
  readonly variadic: boolean;
}

/** `struct x;`: declared, never defined in what was read. */
export interface IncompleteType {
  readonly kind: 'incomplete';
  readonly tag: 'struct' | 'union' | 'enum';
  readonly name: string;
}

/** Where types are looked up by name. A name may carry its tag: `struct page`, `union x`, `enum y`. */
export interface TypeSource {
  /** The type, or null. A bare name finds a struct, union, enum, typedef or base type, in that order. */
  find(name: string): Type | null;
  /** Every named type, for searches over all (`whatis -r`). */
  all(): Iterable<Type>;
}

/** Without typedefs and qualifiers. */
export function strip(type: Type): Exclude<Type, TypedefType | QualifiedType> {
  let t = type;
  for (let depth = 0; depth < 64; depth++) {
    switch (t.kind) {
      case 'typedef':
      case 'const':
      case 'volatile':
      case 'restrict':
        t = t.target;
        continue;
      default:
        return t;
    }
  }
  return { kind: 'void' }; // a loop of typedefs, in a corrupt table
}

/** Size in bytes; 0 for void, functions and incomplete types. */
export function sizeOf(type: Type): number {
  const t = strip(type);
  switch (t.kind) {
    case 'void':
    case 'function':
    case 'incomplete':
      return 0;
    case 'array':
      return t.length * sizeOf(t.element);
    default:
      return t.size;
  }
}

/** Where a member lies, seen from the start of the type it was looked up in. */
export interface MemberPlace {
  readonly name: string;
  readonly type: Type;
  readonly bitOffset: number;
  /** 0 for an ordinary member. */
  readonly bitSize: number;
}

/**
 * Finds a member by path: `pid`, `se.vruntime`, `comm[2]`, `tasks.next`. Members of anonymous structs
 * and unions are found by their own name. Pointers are not followed.
 */
export function findMember(type: Type, path: string): MemberPlace | null {
  const base = strip(type);
  let known = places.get(base);
  if (known === undefined) {
    known = new Map();
    places.set(base, known);
  }
  let place = known.get(path);
  if (place === undefined) {
    place = followPath(base, path);
    known.set(path, place);
  }
  return place;
}

/** Paths already looked up: walkers ask for the same few members of the same type over and over. */
const places = new WeakMap<Type, Map<string, MemberPlace | null>>();

function followPath(type: Type, path: string): MemberPlace | null {
  let at: MemberPlace = { name: '', type, bitOffset: 0, bitSize: 0 };
  for (const step of path.split('.')) {
    const match = /^([A-Za-z_$][\w$]*)?((?:\[\d+\])*)$/.exec(step);
    if (match === null) return null;
    if (match[1] !== undefined) {
      const found = directMember(at.type, match[1], 0);
      if (found === null) return null;
      at = { ...found, bitOffset: at.bitOffset + found.bitOffset };
    }
    for (const [, index] of (match[2] ?? '').matchAll(/\[(\d+)\]/g)) {
      const array = strip(at.type);
      if (array.kind !== 'array') return null;
      const element = array.element;
      at = { name: step, type: element, bitOffset: at.bitOffset + Number(index) * sizeOf(element) * 8, bitSize: 0 };
    }
  }
  return at;
}

function directMember(type: Type, name: string, depth: number): MemberPlace | null {
  const t = strip(type);
  if ((t.kind !== 'struct' && t.kind !== 'union') || depth > 16) return null;
  for (const member of t.members) {
    if (member.name === name) return member;
    if (member.name === '') {
      const inner = directMember(member.type, name, depth + 1);
      if (inner !== null) return { ...inner, bitOffset: member.bitOffset + inner.bitOffset };
    }
  }
  return null;
}

/** As `findMember`, for members that must be there. @throws NotFoundError */
export function memberOf(type: Type, path: string): MemberPlace {
  const found = findMember(type, path);
  if (found === null) throw new NotFoundError('member', `${typeName(type)}.${path}`, whyNot(type, path));
  return found;
}

/** Why a path leads nowhere, where that is a pointer on the way; else nothing. */
function whyNot(type: Type, path: string): string {
  const steps = path.split('.');
  for (let i = 1; i < steps.length; i++) {
    const [way, rest] = [steps.slice(0, i).join('.'), steps.slice(i).join('.')];
    const at = findMember(type, way);
    if (at !== null && strip(at.type).kind === 'pointer') {
      return `${way} is a pointer: member('${way}').member('${rest}') follows it`;
    }
  }
  return '';
}

/** Byte offset of a member. @throws NotFoundError */
export function offsetOf(type: Type, path: string): number {
  return memberOf(type, path).bitOffset / 8;
}

/** A short name for messages: `struct task_struct`, `int`, `pid_t`, `void *`. */
export function typeName(type: Type): string {
  switch (type.kind) {
    case 'void':
      return 'void';
    case 'int':
    case 'float':
    case 'typedef':
      return type.name;
    case 'struct':
    case 'union':
    case 'enum':
      return `${type.kind} ${type.name === '' ? '{...}' : type.name}`;
    case 'incomplete':
      return `${type.tag} ${type.name}`;
    case 'pointer':
      return `${typeName(type.target)} *`;
    case 'array':
      return `${typeName(type.element)} [${type.length}]`;
    case 'function':
      return `${typeName(type.returns)} (...)`;
    case 'const':
    case 'volatile':
    case 'restrict':
      return `${type.kind} ${typeName(type.target)}`;
  }
}
