// Values of C types as text, laid out as gdb prints them for crash(8)'s `struct`, `p` and `list -s`:
//
//   {                                 members one a line, nested ones two columns further in
//     next = 0xffffffffc04b50c8 <__this_module+8>,
//     pid_links = {{
//         next = 0x0                  an array's elements count as a level
//       }, {
//         next = 0x0
//       }},
//     comm = "init\000\000..."        a char array whole, less one last NUL
//   }
//
// What could not be read is `<unavailable>`, as gdb has it for what a trace did not collect.
import { assertNever } from '../base/errors.ts';
import { typeText } from './c_declaration.ts';
import { charLiteral, stringLiteral } from './c_string.ts';
import type { CPointer, CText, CValue } from './c_value.ts';
import { floatText, formatNumber, type NumberFormat } from './number_format.ts';
import { type EnumType, findMember, type IntType, strip, type Type } from './type.ts';

/** How values are shown. */
export interface ValueStyle {
  /** Radix of integers. Pointers are always hexadecimal, enums and strings always text. */
  readonly radix: 10 | 16;
  /** Of everything that is a number to the machine: characters, enums and pointers, too. In place of `radix`. */
  readonly format?: NumberFormat;
}

const maxDepth = 48;
const unavailable = '<unavailable>';

/** A value without its name: `{...}`, `1`, `0xffffffff81234560 <schedule>`. @param depth levels of braces around it */
export function valueText(value: CValue, style: ValueStyle, depth = 0): string {
  switch (value.kind) {
    case 'struct': {
      if (value.members.length === 0) return '{<No data fields>}';
      const indent = '  '.repeat(depth + 1);
      const lines = value.members.map(
        ({ name, value: member }) =>
          `${indent}${name === '' ? '' : `${name} = `}${valueText(member, style, depth + 1)}`,
      );
      return `{\n${lines.join(',\n')}\n${'  '.repeat(depth)}}`;
    }
    case 'array': {
      const shown = value.elements.slice(0, value.shown);
      const texts = shown.map((element) => valueText(element, style, depth + 1));
      return arrayText(texts, shown.length < value.length, value.isTall, depth);
    }
    case 'chars': {
      if (style.format !== undefined) return charsAsNumbers(value, style.format, depth);
      const shown = value.bytes.subarray(0, value.shown);
      return `${stringLiteral(shown)}${shown.length < value.length ? '...' : ''}`;
    }
    case 'open-array':
      return pointerText(value);
    case 'pointer':
      return pointerText(value, style.format);
    case 'function':
      return `{${value.type}} ${pointerText(value)}`;
    case 'int':
      return intText(value.type, value.value, value.bitSize, style);
    case 'enum':
      return style.format === undefined
        ? enumText(value.type, value.value)
        : formatNumber(value.value, value.type.size * 8, value.type.signed, style.format);
    case 'float':
      return style.format === undefined
        ? floatText(value.bits, value.size)
        : formatNumber(value.bits, value.size * 8, false, style.format);
    case 'unavailable':
      return unavailable;
    case 'void':
      return 'void';
    case 'incomplete':
      return '<incomplete type>';
    case 'cut':
      return '...';
    default:
      return assertNever(value);
  }
}

function arrayText(elements: readonly string[], isCut: boolean, isTall: boolean, depth: number): string {
  const rest = isCut ? '...' : '';
  if (!isTall) return `{${elements.join(', ')}${rest}}`;
  const indent = '  '.repeat(depth + 1);
  return `{\n${elements.map((element) => `${indent}${element}`).join(',\n')}${rest}\n${'  '.repeat(depth)}}`;
}

/** A char array as gdb has it in a format: its last NUL, too. */
function charsAsNumbers(
  { bytes, length, hasLastNul, shown, isTall }: Extract<CValue, { kind: 'chars' }>,
  format: NumberFormat,
  depth: number,
): string {
  const whole = hasLastNul ? length + 1 : length;
  const all = bytes.length < length ? bytes : Uint8Array.from({ length: whole }, (_, i) => bytes[i] ?? 0);
  const texts = Array.from(all.subarray(0, shown), (byte) => formatNumber(BigInt(byte), 8, true, format));
  return arrayText(texts, texts.length < whole, isTall, depth);
}

/** A value as `p` prints it: with the type before a pointer, `(struct task_struct *) 0x...`. */
export function printText(type: Type, value: CValue, style: ValueStyle): string {
  const text = valueText(value, style);
  if (style.format !== undefined) return text;
  return strip(type).kind === 'pointer' && !isPlainCharPointer(type) ? `(${typeText(type)}) ${text}` : text;
}

/**
 * A member as crash's `struct NAME.MEMBER ADDRESS` prints it: `  pid = 0,`. A comma follows unless it is the
 * last in its struct, and members of anonymous structs stand as deep as in the whole, both as if the line
 * were cut out of the whole.
 * @param type of the struct; @param path `pid`, `se.vruntime`, `pid_links[1]`
 */
export function memberText(type: Type, path: string, value: CValue, style: ValueStyle): string {
  const { depth, last } = whereIs(type, path);
  return `${'  '.repeat(depth)}${path} = ${valueText(value, style, depth)}${last ? '' : ','}`;
}

/** Nesting of a member in its struct (1: direct), and whether it is the last of the braces it stands in. */
function whereIs(type: Type, path: string): { depth: number; last: boolean } {
  const steps = path.split('.');
  const step = steps.at(-1)!;
  if (step.includes('[')) return { depth: 1, last: false };
  const holder = steps.length === 1 ? type : findMember(type, steps.slice(0, -1).join('.'))!.type;
  const found = search(holder, step, 1);
  return { depth: steps.length === 1 ? found.depth : 1, last: found.last };
}

function search(type: Type, name: string, depth: number): { depth: number; last: boolean; found: boolean } {
  const t = strip(type);
  if ((t.kind === 'struct' || t.kind === 'union') && depth < maxDepth) {
    for (const [i, member] of t.members.entries()) {
      if (member.name === name) return { depth, last: i === t.members.length - 1, found: true };
      if (member.name !== '') continue;
      const inner = search(member.type, name, depth + 1);
      if (inner.found) return inner;
    }
  }
  return { depth: 1, last: false, found: false };
}

function pointerText({ address, symbol, text }: CPointer, format?: NumberFormat): string {
  if (format !== undefined) {
    return `${formatNumber(address, 64, false, format)}${format === 'a' && symbol !== null ? ` <${symbol}>` : ''}`;
  }
  const place = `0x${address.toString(16)}${symbol === null ? '' : ` <${symbol}>`}`;
  return text === null ? place : `${place} ${charsText(text)}`;
}

/** What a char pointer points to, in quotes. */
export function charsText({ bytes, end, address }: CText): string {
  const literal = stringLiteral(bytes);
  switch (end) {
    case 'nul':
      return literal;
    case 'more':
      return `${literal}...`;
    case 'lost': {
      const error = `<error: Cannot access memory at address 0x${(address + BigInt(bytes.length)).toString(16)}>`;
      return bytes.length === 0 ? error : `${literal}${error}`;
    }
    default:
      return assertNever(end);
  }
}

function intText(type: IntType, value: bigint, bitSize: number, { radix, format }: ValueStyle): string {
  if (format !== undefined) return formatNumber(value, bitSize > 0 ? bitSize : type.size * 8, type.signed, format);
  if (radix === 16) return `0x${BigInt.asUintN(bitSize > 0 ? bitSize : type.size * 8, value).toString(16)}`;
  switch (type.encoding) {
    case 'bool':
      return value === 0n ? 'false' : value === 1n ? 'true' : String(value);
    case 'char':
      return `${value} ${charLiteral(value)}`;
    case 'integer':
      return String(value);
    default:
      return assertNever(type.encoding);
  }
}

/** `char *` itself, of which gdb does not tell the type; `unsigned char *` and names for `char *` it does. */
function isPlainCharPointer(type: Type): boolean {
  let t = type;
  while (t.kind === 'const' || t.kind === 'volatile' || t.kind === 'restrict') t = t.target;
  if (t.kind !== 'pointer') return false;
  let target = t.target;
  while (target.kind === 'const' || target.kind === 'volatile' || target.kind === 'restrict') target = target.target;
  return target.kind === 'int' && target.name === 'char';
}

/** The enumerator's name; flags as `(A | B)`; else the number. */
function enumText(type: EnumType, value: bigint): string {
  const exact = type.values.find((e) => e.value === value);
  if (exact !== undefined) return exact.name;
  if (!isFlags(type) || value < 0n) return String(value);
  if (value === 0n) return '0';
  const names: string[] = [];
  let rest = value;
  for (const e of type.values) {
    if (e.value === 0n || (rest & e.value) === 0n) continue;
    names.push(e.name);
    rest &= ~e.value;
  }
  if (rest !== 0n) names.push(`unknown: 0x${rest.toString(16)}`);
  return `(${names.join(' | ')})`;
}

/** True for an enum whose values are flags: runs of bits, none in two values. */
function isFlags(type: EnumType): boolean {
  let seen = 0n;
  for (const { value } of type.values) {
    if (value < 0n) return false;
    if (value === 0n) continue;
    const run = value / (value & -value) + 1n;
    if ((run & (run - 1n)) !== 0n || (seen & value) !== 0n) return false;
    seen |= value;
  }
  return type.values.length > 0;
}
