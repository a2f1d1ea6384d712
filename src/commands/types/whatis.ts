// whatis: what a name means: a type with its definition, a variable or function with its declaration; and searches over
// all types by size or by what they contain.
import { NotFoundError, UsageError } from '../../base/errors.ts';
import { escapeTerminal } from '../../base/text.ts';
import { declare, definition, typeText } from '../../debuginfo/c_declaration.ts';
import { macroText } from '../../debuginfo/c_macro.ts';
import { type CompoundType, sizeOf, strip, type Type } from '../../debuginfo/type.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { type Answer, defineStream } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { flag, type Options, rest, valued, values } from '../params.ts';
import { evaluateText } from './expression.ts';
import { type StructSpec, structSpec } from './struct_spec.ts';
import { definitionText, drawing, type MemberData, membersData } from './struct_value.ts';

export type WhatisItem =
  /** A type with its definition. */
  | {
      readonly kind: 'type';
      readonly name: string;
      /** Bytes. */
      readonly size: number;
      readonly [drawing]: Type;
    }
  /** A variable or a function. */
  | { readonly kind: 'symbol'; readonly name: string; readonly declaration: string }
  /** An expression. */
  | { readonly kind: 'expression'; readonly expression: string; readonly type: string }
  /** A macro, as it was defined. */
  | { readonly kind: 'macro'; readonly name: string; readonly text: string }
  /** Members of a type, with their offsets. */
  | {
      readonly kind: 'members';
      readonly type: string;
      readonly members: readonly MemberData[];
      readonly [drawing]: StructSpec;
    }
  /** A type that a search found. */
  | { readonly kind: 'found'; readonly name: string; readonly size: number };

const params = {
  offsets: flag('o', 'offsets of members in definitions'),
  sizes: valued('r', 'size|low-high', values.word, 'search: types of this size in bytes, or of one in this range'),
  member: valued('m', 'type', values.type, 'search: structs and unions with a member of this type, or a pointer to it'),
  names: rest('type|symbol', values.type),
};

/** Deepest nesting of anonymous structs that is searched. */
const maxDepth = 16;

export const whatis = defineStream({
  name: 'whatis',
  help: {
    summary: 'definitions of types, declarations of variables and functions',
    usage: ['[-o] struct|union|typedef|symbol', '[-r size|low-high] [-m type]'],
    description: `Shows the definition of a type, how a variable or function is declared, or the type of an expression.

Types come from the dump itself (BTF) and from debug information in files, where there is some; macros from the latter,
where it was made with -g3.`,
    examples: [
      ['whatis task_struct', 'the definition of a struct'],
      ['whatis vfs_read', 'the prototype of a function'],
      ['whatis -r 4096', 'what is as large as a page'],
      ['whatis -m mm_struct -r 0-512', 'small structs that have, or point to, a struct mm_struct'],
    ],
  },
  params,
  items: 'meanings',
  collect: (context, options): Answer<null, WhatisItem, null> => ({ head: null, items: meanings(context, options) }),
  text: {
    item(item, { options, radix }, _head, index) {
      switch (item.kind) {
        case 'type':
          return `${escapeTerminal(inRadix(definition(item[drawing], options.offsets ? { radix } : null), radix))}\n`;
        case 'members':
          return definitionText(item[drawing], null, radix);
        case 'symbol':
          return `${escapeTerminal(item.declaration)};\n`;
        case 'expression':
          return `${escapeTerminal(item.type)}\n`;
        case 'macro':
          return `${escapeTerminal(item.text)}\n`;
        case 'found':
          return `${index === 0 ? 'SIZE  TYPE\n' : ''}${String(item.size).padStart(4)}  ${escapeTerminal(item.name)}\n`;
      }
    },
  },
});

function* meanings(context: CommandContext, options: Options<typeof params>): Generator<WhatisItem, null> {
  if (options.sizes !== null || options.member !== null) {
    if (options.names.length > 0) throw new UsageError('');
    yield* search(context, options.sizes, options.member);
    return null;
  }
  if (options.names.length === 0) throw new UsageError('');
  yield meaning(context, options.names.join(' '));
  return null;
}

function meaning(context: CommandContext, name: string): WhatisItem {
  const { kernel } = context;
  const type = kernel.types.find(name);
  if (type !== null && type.kind !== 'incomplete') {
    return { kind: 'type', name: typeText(type), size: sizeOf(type), [drawing]: type };
  }
  const symbol = kernel.symbols.find(name);
  const [, first = name] = /^[*&(\s]*([A-Za-z_]\w*)/.exec(name) ?? [];
  if (first !== name && kernel.symbols.find(first) !== null && kernel.types.find(first) === null) {
    const { type: of } = evaluateText(context, name, kernel);
    return { kind: 'expression', expression: name, type: typeText(of) };
  }
  const dot = name.lastIndexOf('.');
  if (symbol === null && dot > 0) {
    const spec = structSpec(context, name, 'any');
    return { kind: 'members', type: typeText(spec.type), members: membersData(spec), [drawing]: spec };
  }
  const declared = kernel.declaredType(name) ?? kernel.functionType(name);
  if (declared !== null) return { kind: 'symbol', name, declaration: declaration(kernel, declared, name) };
  const macro = symbol === null ? kernel.macro(name) : null;
  if (macro !== null) return { kind: 'macro', name, text: macroText(macro) };
  const what = escapeTerminal(name);
  if (symbol === null) throw new NotFoundError('type or symbol', what);
  throw new NotFoundError('type of symbol', what, 'no debug information here knows it');
}

/** A definition with its size in the session's radix. */
function inRadix(text: string, radix: 10 | 16): string {
  return radix === 10
    ? text
    : text.replace(/\nSIZE: (\d+)$/, (_line, size) => `\nSIZE: 0x${Number(size).toString(16)}`);
}

/** A variable or function as it is declared: texts and pointers in an array of no length, numbers in as many as there are. */
function declaration(kernel: Kernel, type: Type, name: string): string {
  const array = strip(type);
  if (array.kind !== 'array' || array.length !== 0) return declare(type, name);
  const element = strip(array.element);
  const isOpen = element.kind === 'pointer' || (element.kind === 'int' && element.size === 1);
  if (isOpen) return declare(type, name).replace(/\[0\]$/, '[]');
  return declare(kernel.variableType(name) ?? type, name);
}

/** Types by size, and structs and unions by what they contain, smaller ones first. */
function search({ kernel }: CommandContext, sizes: string | null, member: string | null): WhatisItem[] {
  const [low, high] = sizes === null ? [0, Number.POSITIVE_INFINITY] : range(sizes);
  const wanted = member === null ? null : member.trim().replace(/^(struct|union|enum) /, '');
  const found = new Map<string, number>();
  for (const type of kernel.types.all()) {
    kernel.work.charge('nodes', 1);
    if (!('name' in type) || type.name === '' || type.kind === 'incomplete') continue;
    const name = type.kind === 'int' ? typeText(type) : type.name;
    if (found.has(name)) continue;
    // another name of a type that has one is no other type
    if (type.kind === 'typedef' && !('name' in type.target && type.target.name === '')) continue;
    const size = kernel.faults.attempt(name, () => sizeOf(type), null);
    if (size === null || size < low || size > high) continue;
    if (wanted !== null) {
      if (type.kind !== 'struct' && type.kind !== 'union') continue;
      if (!kernel.faults.attempt(name, () => contains(type, wanted, 0), false)) continue;
    }
    found.set(name, size);
  }
  return [...found]
    .sort(([a, sizeA], [b, sizeB]) => sizeA - sizeB || (a < b ? -1 : 1))
    .map(([name, size]) => ({ kind: 'found', name, size }));
}

function range(text: string): [low: number, high: number] {
  const match = /^(0x[0-9a-f]+|\d+)(?:-(0x[0-9a-f]+|\d+))?$/i.exec(text);
  if (match === null) throw new UsageError(`invalid size or range: ${escapeTerminal(text)}`);
  const low = Number(match[1]);
  return [low, match[2] === undefined ? low : Number(match[2])];
}

/** Whether a member, or one of a struct in it, is of a type, or points to it. */
function contains(type: CompoundType, wanted: string, depth: number): boolean {
  return type.members.some((member) => {
    let at: Type = member.type;
    for (let steps = 0; steps < 64; steps++) {
      if ('name' in at && at.name === wanted) return true;
      switch (at.kind) {
        case 'pointer':
        case 'typedef':
        case 'const':
        case 'volatile':
        case 'restrict':
          at = at.target;
          continue;
        case 'array':
          at = at.element;
          continue;
      }
      break;
    }
    const inner = strip(member.type);
    const isCompound = inner.kind === 'struct' || inner.kind === 'union';
    return isCompound && depth < maxDepth && contains(inner, wanted, depth + 1);
  });
}
