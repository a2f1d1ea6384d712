// Types of the kernel's global variables. BTF has only per-CPU ones on most kernels (all of them where
// pahole encoded global variables, 6.13 and later), so the well-known others are declared in
// tables (global_variables.ts, percpu_variables.ts). A name that a kernel does not have costs nothing.
import { parseTypeName } from './c_type_parser.ts';
import type { DebugInfo, DebugInfoKind } from './debug_info.ts';
import { globalVariables } from './global_variables.ts';
import { perCpuVariables } from './percpu_variables.ts';
import { strip, type Type, type TypeSource } from './type.ts';

/** The table as debug information of the kernel: it knows variables, by types that other debug information has. */
export const wellKnownVariables: DebugInfoKind = {
  name: 'well-known variables',
  open({ module, types }): DebugInfo | null {
    if (module !== null) return null;
    return {
      origin: 'well-known variables',
      types: { find: () => null, all: () => [] },
      variable: (name) => declaredType(types, name),
      function: () => null,
      macro: () => null,
      code: null,
    };
  },
};

/**
 * The declared type of a well-known variable, or null. Arrays declared without a length get length 0.
 */
export function declaredType(types: TypeSource, name: string): Type | null {
  const table = [globalVariables, perCpuVariables].find((table) => Object.hasOwn(table, name));
  const text = table?.[name] ?? null;
  return text === null ? null : parseDeclared(types, text);
}

const integer = (name: string, size: number, signed: boolean): Type => ({
  kind: 'int',
  name,
  size,
  signed,
  encoding: 'integer',
});
const unsignedLong = integer('unsigned long', 8, false);
const counted = (type: Type, size: number): Type => ({
  kind: 'struct',
  name: '',
  size,
  members: [{ name: 'counter', type, bitOffset: 0, bitSize: 0 }],
});

/** Types that are the same in every 64-bit kernel: a dump without BTF still says which CPU panicked. */
const knownTypes: Readonly<Record<string, Type>> = {
  char: { kind: 'int', name: 'char', size: 1, signed: true, encoding: 'char' },
  'unsigned char': integer('unsigned char', 1, false),
  bool: { kind: 'int', name: '_Bool', size: 1, signed: false, encoding: 'bool' },
  int: integer('int', 4, true),
  'unsigned int': integer('unsigned int', 4, false),
  long: integer('long', 8, true),
  'unsigned long': unsignedLong,
  u8: integer('u8', 1, false),
  u16: integer('u16', 2, false),
  u32: integer('u32', 4, false),
  __u32: integer('u32', 4, false),
  u64: integer('u64', 8, false),
  size_t: unsignedLong,
  atomic_t: counted(integer('int', 4, true), 4),
  atomic_long_t: counted(integer('long', 8, true), 8),
  atomic64_t: counted(integer('long', 8, true), 8),
  // as long as NR_CPUS says, which only types tell: read no more of it than there are CPUs
  'struct cpumask': {
    kind: 'struct',
    name: 'cpumask',
    size: 1024,
    members: [{ name: 'bits', type: { kind: 'array', element: unsignedLong, length: 128 }, bitOffset: 0, bitSize: 0 }],
  },
};

function knownType(name: string): Type | null {
  return Object.hasOwn(knownTypes, name) ? knownTypes[name]! : null;
}

/**
 * A type as the table has it: `struct x`, `u64`, `char *[]`, `const char[]`, `unsigned long[3]`, `long[enum x]`. Null if this kernel has
 * no such type; a pointer to a type that it lacks is still a pointer.
 */
function parseDeclared(types: TypeSource, declared: string): Type | null {
  const text = declared.replace(/\[(enum \w+)\]$/, (_brackets, name: string) => {
    const counting = types.find(name);
    return `[${counting?.kind === 'enum' ? (counting.values.at(-1)?.value ?? '') : ''}]`;
  });
  const named = (name: string): Type => types.find(name) ?? knownType(name) ?? unknownType(name);
  const type = parseTypeName(text, { typeOfName: named, tagged: named });
  return isIncomplete(type) ? null : type;
}

function unknownType(name: string): Type {
  const [, tag = 'struct', bare = name] = /^(struct|union|enum) (.*)$/.exec(name) ?? [];
  return { kind: 'incomplete', tag: tag as 'struct' | 'union' | 'enum', name: bare };
}

function isIncomplete(type: Type): boolean {
  const t = strip(type);
  return t.kind === 'incomplete' || (t.kind === 'array' && isIncomplete(t.element));
}
