// One object as `struct`, `union`, `*` and `list -s` show it, as data and as text. The text is made while the
// memory is at hand; it is no part of the data.

import { MemoryFault, NotFoundError } from '../../base/errors.ts';
import { escapeTerminal, hex } from '../../base/text.ts';
import { declare, definition, memberDefinition } from '../../debuginfo/c_declaration.ts';
import { memberText, type ValueStyle, valueText } from '../../debuginfo/c_value.ts';
import type { KernelObject } from '../../debuginfo/object.ts';
import { memberOf, sizeOf, strip, type Type } from '../../debuginfo/type.ts';
import type { StructSpec } from './struct_spec.ts';
import { type ValueData, valueData } from './value_data.ts';

/** Rendered text beside data, safe for a terminal: a symbol, so that JSON leaves it out. */
export const asText: unique symbol = Symbol('text');

export interface StructValue {
  readonly type: string;
  readonly address: bigint;
  /** Members asked for by path; all of them otherwise. */
  readonly value: { readonly [member: string]: ValueData } | ValueData;
  readonly [asText]: string;
}

/** How objects are shown: values, addresses of members (`-o`), or with what pointers point to (`-p`). */
export interface StructStyle extends ValueStyle {
  readonly show: 'values' | 'addresses' | 'targets';
}

/** @throws MemoryFault when nothing of the object can be read */
export function structValue(object: KernelObject, spec: StructSpec, style: StructStyle): StructValue {
  const { members } = spec;
  const value =
    members.length === 0
      ? valueData(object)
      : Object.fromEntries(members.map((path) => [path, valueData(object.member(path))]));
  return {
    type: typeTitle(spec),
    address: object.address,
    value,
    [asText]: escapeTerminal(valueLines(object, spec, style)),
  };
}

/** `struct list_head`, `struct atomic_t` for what a typedef names. */
export function typeTitle({ compound, name }: StructSpec): string {
  return `${compound.kind} ${name}`;
}

function valueLines(object: KernelObject, spec: StructSpec, style: StructStyle): string {
  switch (style.show) {
    case 'addresses':
      return definitionText(spec, { radix: style.radix, address: object.address }, style.radix);
    case 'targets': {
      const lines = eachMember(paths(spec), (path) => withTarget(object, path, style));
      return spec.members.length > 0 ? lines.join('') : `${typeTitle(spec)} {\n${lines.join('')}}\n`;
    }
    case 'values':
      if (spec.members.length === 0) return `${typeTitle(spec)} ${valueText(object, style)}\n`;
      return eachMember(spec.members, (path) => `${memberText(object, path, style) ?? ''}\n`).join('');
  }
}

/** Lines of members. One that cannot be read says so, unless all are such. @throws MemoryFault the first one's */
export function eachMember(members: readonly string[], line: (path: string) => string): string[] {
  let first: MemoryFault | null = null;
  let lost = 0;
  const lines = members.map((path) => {
    try {
      return line(path);
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
      first ??= error;
      lost++;
      return `  ${path} = <unavailable>,\n`;
    }
  });
  if (first !== null && lost === members.length) throw first;
  return lines;
}

function paths({ members, compound }: StructSpec): readonly string[] {
  return members.length > 0 ? members : compound.members.filter(({ name }) => name !== '').map(({ name }) => name);
}

/** A member and, if it is a pointer, what it points to. */
function withTarget(object: KernelObject, path: string, style: ValueStyle): string {
  const member = object.member(path);
  const type = strip(member.type);
  if (type.kind !== 'pointer') return `${memberText(object, path, style) ?? ''}\n`;
  const address = member.pointer();
  const line = `  ${declare(member.type, path)} = 0x${hex(address)}\n`;
  if (address === 0n) return `${line}  -> NULL\n`;
  const target = strip(type.target);
  if (target.kind === 'int' && target.encoding === 'char') {
    const text = valueText(member, style);
    const quote = text.indexOf('"');
    return `${line}  -> ${quote < 0 ? '(not accessible)' : text.slice(quote)}\n`;
  }
  const symbol = style.symbolize(address);
  const name = symbol === null ? '' : `<${symbol}>`;
  if (target.kind === 'function' || target.kind === 'void' || target.kind === 'incomplete') {
    const unknown = target.kind === 'function' ? '' : '(unknown target type)';
    return `${line}  -> ${name === '' ? unknown : name}\n`;
  }
  if (!object.context.space.isReadable(address)) return `${line}  -> (not accessible)\n`;
  const text = valueText(member.deref(), style).replaceAll('\n', '\n     ');
  return `${line}  -> ${name === '' ? '' : `${name} `}${text}\n`;
}

/** A type's definition, or those of its members asked for. */
export function definitionText(
  spec: StructSpec,
  offsets: { radix: 10 | 16; address?: bigint } | null,
  radix: 10 | 16,
): string {
  if (spec.members.length > 0) {
    return spec.members.map((path) => `${memberBlock(spec, path, offsets ?? { radix })}\n`).join('');
  }
  const text = definition(spec.type, offsets);
  return `${radix === 16 ? text.replace(/SIZE: (\d+)$/, (_, size: string) => `SIZE: 0x${hex(Number(size))}`) : text}\n`;
}

function memberBlock(spec: StructSpec, path: string, offsets: { radix: 10 | 16; address?: bigint }): string {
  const direct = memberDefinition(spec.compound, path, offsets);
  if (direct !== null) return direct;
  // a path into a member: gdb has no such form, so its place and type on one line
  const place = memberOf(spec.type, path);
  const bytes = Math.floor(place.bitOffset / 8);
  const digits = offsets.radix === 16 ? hex(sizeOf(spec.type)).length + 2 : String(sizeOf(spec.type)).length;
  const at =
    offsets.address === undefined
      ? `[${offsets.radix === 16 ? `0x${hex(bytes)}` : bytes}]`.padStart(digits + 4)
      : `  [${hex(offsets.address + BigInt(bytes))}]`;
  const width = place.bitSize === 0 ? '' : ` : ${place.bitSize}`;
  return `${typeTitle(spec)} {\n${at} ${declare(place.type, path)}${width};\n}`;
}

/** A member as data, for definitions. Offsets and sizes in bytes. */
export interface MemberData {
  readonly name: string;
  readonly type: string;
  readonly offset: number;
  readonly size: number;
  /** For bit fields: first bit in the byte at `offset`, and width. */
  readonly bits?: { readonly offset: number; readonly width: number };
  /** Members of a nameless struct or union. */
  readonly members?: readonly MemberData[];
}

/** Members of a type, or those asked for. */
export function membersData(spec: StructSpec): MemberData[] {
  if (spec.members.length === 0) return membersOf(spec.type, 0, 0);
  return spec.members.map((path) => {
    const place = memberOf(spec.type, path);
    return memberData(path, place.type, place.bitOffset, place.bitSize, 0);
  });
}

function membersOf(type: Type, start: number, depth: number): MemberData[] {
  const t = strip(type);
  if (t.kind !== 'struct' && t.kind !== 'union') throw new NotFoundError('members', t.kind);
  return t.members.map((m) => memberData(m.name, m.type, start + m.bitOffset, m.bitSize, depth));
}

function memberData(name: string, type: Type, bitOffset: number, bitSize: number, depth: number): MemberData {
  const nested = name === '' && depth < 16 ? membersOf(type, bitOffset, depth + 1) : null;
  return {
    name,
    type: declare(type, ''),
    offset: Math.floor(bitOffset / 8),
    size: sizeOf(type),
    ...(bitSize === 0 ? {} : { bits: { offset: bitOffset % 8, width: bitSize } }),
    ...(nested === null ? {} : { members: nested }),
  };
}
