// C types as text, laid out as gdb's `ptype` and crash(8)'s `struct`, `union` and `whatis` lay them out.
//
//   struct page {                          struct page {
//       unsigned long flags;                  [0] unsigned long flags;
//       union {                                   union {
//           atomic_t _mapcount;              [48]     atomic_t _mapcount;
//           unsigned int page_type;          [48]     unsigned int page_type;
//       };                                        };
//   }                                      }
import { assertNever, FormatError } from '../base/errors.ts';
import {
  type CompoundType,
  type EnumType,
  type FunctionType,
  type QualifiedType,
  sizeOf,
  type Type,
  typeName,
} from './type.ts';

/** Deepest nesting that is spelled out; a corrupt table can nest without end. */
const maxDepth = 24;
/** Most lines of one definition. */
const maxLines = 100_000;
/** Most parameters of a function and the functions among its parameters. */
const maxParameters = 10_000;

/** One line of a struct's body. */
export interface DeclarationLine {
  /** Levels of nesting, 0 for the members of the struct itself. */
  readonly depth: number;
  readonly text: string;
  /** From the start of the outermost struct, in bits; null for a line that opens or closes what has no name. */
  readonly bitOffset: number | null;
  /** Name of the member that the line declares; empty for other lines. */
  readonly name: string;
  /** For the closing line of a member that is spelled out: index of the line that opens it. */
  readonly opens?: number;
}

/** A line, and where its member lies, in bits; null where that is not in the struct, or in several places. */
interface PlacedLine extends DeclarationLine {
  readonly at: number | null;
}

/** How offsets are shown before members. */
export interface OffsetStyle {
  readonly radix: 10 | 16;
  /** When given, virtual addresses are shown: of a struct that lies here. */
  readonly address?: bigint;
}

/**
 * `name` declared as this type: `int (*fn)(int, char *)`, `struct list_head *next`, `char comm[16]`; of a
 * function its prototype, `ssize_t vfs_read(struct file *, char *, size_t, loff_t *)`. With an empty name the type alone: `int (*)(int, char *)`. Anonymous structs are `struct {...}`.
 */
export function declare(type: Type, name: string): string {
  const { base, qualifiers, text } = declarator(type, name, false);
  const words = [...qualifiers, baseText(base)].join(' ');
  return text === '' ? words : `${words} ${text}`;
}

/** The type without a name: `struct task_struct *`, `char (*)[16]`. */
export function typeText(type: Type): string {
  return declare(type, '');
}

/** The lines between a struct's braces. @throws FormatError for a struct of absurd length */
export function memberLines(type: CompoundType): DeclarationLine[] {
  const lines: PlacedLine[] = [];
  addMembers(lines, type, 0, 0, false);
  // what is twice at one place, as in struct_group(), has its offset under the name of the group, too, as crash(8) has it
  const shown = new Map(lines.flatMap(({ name, bitOffset }) => (bitOffset === null ? [] : [[name, bitOffset]])));
  return lines.map(({ at, ...line }) =>
    line.bitOffset === null && line.name !== '' && at !== null && shown.get(line.name) === at
      ? { ...line, bitOffset: at }
      : line,
  );
}

/**
 * A definition as crash's `struct`, `union` and `whatis` print it, with its `SIZE:` line. A struct is spelled
 * out with everything nameless in it, a typedef with what it stands for; of other types only the size is told.
 */
export function definition(type: Type, offsets: OffsetStyle | null = null): string {
  const size = offsets?.radix === 16 ? `0x${sizeOf(type).toString(16)}` : String(sizeOf(type));
  switch (type.kind) {
    case 'struct':
    case 'union':
      return `${body(type, offsets)}\nSIZE: ${size}`;
    case 'enum':
      return enumDefinition(type);
    case 'typedef':
      return `typedef ${spelledOut(type.target, offsets)} ${type.name};\nSIZE: ${size}`;
    default:
      return `SIZE: ${size}`;
  }
}

/**
 * One member as crash's `struct NAME.MEMBER` prints it, between the struct's braces, or null if there is none.
 * Members of anonymous structs are found by their own name.
 */
export function memberDefinition(type: CompoundType, name: string, offsets: OffsetStyle): string | null {
  const lines = memberLines(type);
  const last = lines.findIndex((line) => line.name === name);
  if (last < 0) return null;
  const wanted = lines.slice(lines[last]!.opens ?? last, last + 1);
  return `${header(type)} {\n${withOffsets(wanted, type, offsets).join('\n')}\n}`;
}

/** `enum x {A, B = 5, C}`. */
export function enumText(type: EnumType): string {
  let expected = 0n;
  const values = type.values.map(({ name, value }) => {
    const text = value === expected ? name : `${name} = ${value}`;
    expected = value + 1n;
    return text;
  });
  return `enum ${type.name === '' ? '' : `${type.name} `}{${values.join(', ')}}`;
}

function enumDefinition(type: EnumType): string {
  const values = type.values.map(({ name, value }) => `  ${name} = ${value}\n`);
  return `enum ${type.name === '' ? '' : `${type.name} `}{\n${values.join('')}};`;
}

function header(type: CompoundType): string {
  return type.name === '' ? type.kind : `${type.kind} ${type.name}`;
}

function body(type: CompoundType, offsets: OffsetStyle | null): string {
  const lines = memberLines(type);
  const text =
    offsets === null
      ? lines.map(({ depth, text }) => `${' '.repeat(4 * depth + 4)}${text}`)
      : withOffsets(lines, type, offsets);
  return [`${header(type)} {`, ...text, '}'].join('\n');
}

/** What a typedef stands for, as gdb's `ptype` says it: through all typedefs, structs and enums spelled out. */
function spelledOut(type: Type, offsets: OffsetStyle | null): string {
  const { base, qualifiers, text } = declarator(type, '', true);
  const inner =
    base.kind === 'struct' || base.kind === 'union'
      ? body(base, offsets)
      : base.kind === 'enum'
        ? enumText(base)
        : baseText(base);
  const words = [...qualifiers, inner].join(' ');
  return text === '' ? words : `${words} ${text}`;
}

/** Lines with a column of offsets, as wide as the size of the whole needs. */
function withOffsets(lines: readonly DeclarationLine[], type: CompoundType, style: OffsetStyle): string[] {
  const { address } = style;
  const tag = (bytes: number) => (style.radix === 16 ? `[0x${bytes.toString(16)}]` : `[${bytes}]`);
  const width = 2 + tag(type.size).length;
  return lines.map(({ depth, text, bitOffset }) => {
    const bytes = bitOffset === null ? null : Math.floor(bitOffset / 8);
    const column =
      bytes === null ? '' : address === undefined ? tag(bytes) : `  [${(address + BigInt(bytes)).toString(16)}]`;
    return `${column.padStart(width)} ${' '.repeat(4 * depth)}${text}`;
  });
}

/**
 * @param start bits from the whole's start; null where there are several such places, or it is behind a pointer
 * @param isNamed in a struct that has a member's name: crash(8) shows no offsets of its members
 */
function addMembers(
  lines: PlacedLine[],
  type: CompoundType,
  depth: number,
  start: number | null,
  isNamed: boolean,
): void {
  const { members } = type;
  if (members.length === 0) {
    lines.push({ depth, text: '<no data fields>', bitOffset: null, at: null, name: '' });
    return;
  }
  for (const [i, member] of members.entries()) {
    if (lines.length > maxLines) throw new FormatError(header(type), `over ${maxLines} lines`);
    const at = start === null ? null : start + member.bitOffset;
    const bitOffset = isNamed ? null : at;
    const bits = member.bitSize > 0 ? ` : ${member.bitSize}` : '';
    // Debug information does not tell `x[]` from `x[0]`; C allows `x[]` only at the end of a struct.
    const open = type.kind === 'struct' && i === members.length - 1;
    const { base, qualifiers, text } = declarator(member.type, member.name, false, open);
    if ((base.kind === 'struct' || base.kind === 'union') && base.name === '' && depth < maxDepth) {
      const opens = lines.length;
      lines.push({ depth, text: `${[...qualifiers, base.kind].join(' ')} {`, bitOffset: null, at: null, name: '' });
      const isPlain = text === '' || text === member.name;
      addMembers(lines, base, depth + 1, isPlain ? at : null, isNamed || text !== '');
      const end = text === '' ? '};' : `} ${text};`;
      lines.push({ depth, text: end, bitOffset: member.name === '' ? null : bitOffset, at, name: member.name, opens });
    } else {
      const inner = base.kind === 'enum' && base.name === '' ? enumText(base) : baseText(base);
      const words = [...qualifiers, inner, ...(text === '' ? [] : [text])].join(' ');
      lines.push({ depth, text: `${words}${bits};`, bitOffset, at, name: member.name });
    }
  }
}

type Base = Exclude<Type, QualifiedType>;

interface Declarator {
  /** What pointers, arrays and functions are made of in the end. */
  readonly base: Base;
  readonly qualifiers: readonly string[];
  /** The name with the pointers, arrays and functions around it. */
  readonly text: string;
}

/** C's declarations are written from the inside out: this goes from the type's outside in, and wraps the name. */
function declarator(
  type: Type,
  name: string,
  throughTypedefs: boolean,
  openArray = false,
  limits = { depth: 0, parameters: 0 },
): Declarator {
  let text = name;
  let at = type;
  let qualifiers: string[] = [];
  let afterPointer = false;
  for (let steps = 0; steps < 256; steps++) {
    switch (at.kind) {
      case 'const':
      case 'volatile':
      case 'restrict':
        if (!qualifiers.includes(at.kind)) qualifiers.push(at.kind);
        at = at.target;
        continue;
      case 'typedef':
        if (!throughTypedefs) break;
        at = at.target;
        continue;
      case 'pointer': {
        const own = qualifiers.length === 0 ? '' : ` ${qualifiers.join(' ')}${text === '' ? '' : ' '}`;
        text = `*${own}${text}`;
        qualifiers = [];
        afterPointer = true;
        at = at.target;
        continue;
      }
      case 'array':
        // Qualifiers of an array are its elements'.
        text = `${afterPointer ? `(${text})` : text}[${at.length === 0 && openArray ? '' : at.length}]`;
        afterPointer = false;
        at = at.element;
        continue;
      case 'function': {
        text = `${afterPointer ? `(${text})` : text}(${parameterList(at, limits)})`;
        qualifiers = [];
        afterPointer = false;
        at = at.returns;
        continue;
      }
    }
    const inOrder = ['const', 'volatile', 'restrict'].filter((word) => qualifiers.includes(word));
    return { base: at, qualifiers: inOrder, text };
  }
  throw new FormatError('type', 'nested too deep');
}

/** `int, char *`, or `void`. Function types may refer to each other in a circle: the whole is bounded. */
function parameterList(type: FunctionType, limits: { depth: number; parameters: number }): string {
  if (limits.depth === maxDepth) return '...';
  limits.depth++;
  const list: string[] = [];
  for (const parameter of type.parameters) {
    if (++limits.parameters > maxParameters) throw new FormatError('type', `over ${maxParameters} parameters`);
    const { base, qualifiers, text } = declarator(parameter.type, '', false, false, limits);
    list.push([...qualifiers, baseText(base), ...(text === '' ? [] : [text])].join(' '));
  }
  limits.depth--;
  if (type.variadic) list.push('...');
  return list.length === 0 ? 'void' : list.join(', ');
}

function baseText(base: Base): string {
  switch (base.kind) {
    case 'struct':
    case 'union':
    case 'enum':
      return `${base.kind} ${base.name === '' ? '{...}' : base.name}`;
    case 'incomplete':
      return `${base.tag} ${base.name}`;
    case 'int':
    case 'float':
    case 'typedef':
      return base.name;
    case 'void':
      return 'void';
    case 'pointer':
    case 'array':
    case 'function':
      return typeName(base);
    default:
      return assertNever(base);
  }
}
