// One object as `struct`, `union`, `*`, `list -s` and `tree -s` show it: read as data, and drawn from that.
import { offsetBy } from '../../base/address.ts';
import { MemoryFault, NotFoundError } from '../../base/errors.ts';
import { escapeTerminal, hex } from '../../base/text.ts';
import { declare, definition, memberDefinition } from '../../debuginfo/c_declaration.ts';
import { type CText, type CValue, readValue, type ValueReading } from '../../debuginfo/c_value.ts';
import { type ValueData, valueData } from '../../debuginfo/c_value_data.ts';
import { charsText, memberText, type ValueStyle, valueText } from '../../debuginfo/c_value_text.ts';
import { KernelObject } from '../../debuginfo/object.ts';
import { memberOf, offsetOf, sizeOf, strip, type Type } from '../../debuginfo/type.ts';
import type { StructSpec } from './struct_spec.ts';

/** What drawing needs besides the data: types, and values with theirs. A symbol, so that JSON leaves it out. */
export const drawing: unique symbol = Symbol('drawing');

export interface StructValue {
  readonly type: string;
  readonly address: bigint;
  /** Members asked for by path; all of them otherwise. With `-o` the members' addresses. */
  readonly value: ValueData;
  readonly [drawing]: Drawing;
}

/** What is shown of an object. */
type Drawing =
  | { readonly kind: 'whole'; readonly spec: StructSpec; readonly value: CValue }
  | { readonly kind: 'members'; readonly spec: StructSpec; readonly members: readonly MemberValue[] }
  | { readonly kind: 'plain'; readonly spec: StructSpec; readonly members: readonly MemberValue[] }
  | { readonly kind: 'addresses'; readonly spec: StructSpec; readonly address: bigint }
  | { readonly kind: 'targets'; readonly spec: StructSpec; readonly members: readonly TargetValue[] };

interface MemberValue {
  readonly path: string;
  readonly type: Type;
  readonly value: CValue;
}

/** A member and, if it is a pointer, what it points to. */
interface TargetValue extends MemberValue {
  readonly target:
    | { readonly kind: 'none' | 'null' | 'unknown' | 'lost' }
    | { readonly kind: 'text'; readonly text: CText }
    /** A function, or something that has a name. */
    | { readonly kind: 'place'; readonly symbol: string | null }
    | { readonly kind: 'value'; readonly symbol: string | null; readonly value: CValue };
}

/** - `values`   - `plain`: numbers and strings alone (`-S`)   - `addresses` of members (`-o`)   - `targets` (`-p`) */
export type StructShow = 'values' | 'plain' | 'addresses' | 'targets';

/** Reads an object. @throws MemoryFault when nothing of it can be read */
export function structValue(
  object: KernelObject,
  spec: StructSpec,
  show: StructShow,
  reading: ValueReading,
): StructValue {
  const title = { type: typeTitle(spec), address: object.address };
  const drawn = draw(object, spec, show, reading);
  return {
    ...title,
    get value() {
      return dataOf(drawn);
    },
    [drawing]: drawn,
  };
}

function draw(object: KernelObject, spec: StructSpec, show: StructShow, reading: ValueReading): Drawing {
  switch (show) {
    case 'addresses':
      return { kind: 'addresses', spec, address: object.address };
    case 'targets':
      return { kind: 'targets', spec, members: targets(object, spec, reading) };
    case 'values':
    case 'plain':
      if (spec.members.length === 0) return { kind: 'whole', spec, value: readValue(object, reading) };
      return {
        kind: show === 'plain' ? 'plain' : 'members',
        spec,
        members: eachMember(spec.members, (path) => memberValue(object, path, reading)),
      };
  }
}

function memberValue(object: KernelObject, path: string, reading: ValueReading): MemberValue {
  const member = object.member(path);
  return { path, type: member.type, value: readValue(member, reading) };
}

function dataOf(drawn: Drawing): ValueData {
  switch (drawn.kind) {
    case 'whole':
      return valueData(drawn.value);
    case 'members':
    case 'plain':
    case 'targets':
      return Object.fromEntries(
        drawn.members.flatMap(({ path, value }): [string, ValueData][] => {
          const data = valueData(value);
          // members of what has no name are the struct's own
          const isNameless = path === '' && data !== null && typeof data === 'object' && !Array.isArray(data);
          return isNameless ? Object.entries(data as Record<string, ValueData>) : [[path, data]];
        }),
      );
    case 'addresses': {
      const { spec, address } = drawn;
      return Object.fromEntries(
        paths(spec).map((path) => [path, address + BigInt(Math.floor(offsetOf(spec.type, path)))]),
      );
    }
  }
}

/** `struct list_head`, `struct atomic_t` for what a typedef names. */
export function typeTitle({ compound, name }: StructSpec): string {
  return `${compound.kind} ${name}`;
}

/** Members. One that cannot be read is told as such, unless all are. @throws MemoryFault the first one's */
function eachMember<T extends MemberValue>(members: readonly string[], read: (path: string) => T): (T | LostMember)[] {
  let first: MemoryFault | null = null;
  let lost = 0;
  const found = members.map((path) => {
    try {
      return read(path);
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
      first ??= error;
      lost++;
      return { path, type: { kind: 'void' }, value: { kind: 'unavailable' }, target: { kind: 'none' } } as const;
    }
  });
  if (first !== null && lost === members.length) throw first;
  return found;
}

type LostMember = MemberValue & { readonly target: { readonly kind: 'none' } };

function paths({ members, compound }: StructSpec): readonly string[] {
  return members.length > 0 ? members : compound.members.filter(({ name }) => name !== '').map(({ name }) => name);
}

function targets(object: KernelObject, spec: StructSpec, reading: ValueReading): (TargetValue | LostMember)[] {
  const { members, compound } = spec;
  if (members.length > 0) return eachMember(members, (path) => withTarget(object, path, reading));
  return eachMember<TargetValue>(
    compound.members.map((_member, i) => String(i)),
    (index) => {
      const { name, type, bitOffset } = compound.members[Number(index)]!;
      if (name !== '') return withTarget(object, name, reading);
      // what has no name is shown as it stands among the values
      const nameless = KernelObject.at(object.context, type, offsetBy(object.address, bitOffset / 8));
      return { path: '', type, value: readValue(nameless, reading), target: { kind: 'none' } };
    },
  ).map((member, i): TargetValue | LostMember =>
    member.value.kind === 'unavailable' ? { ...member, path: compound.members[i]!.name } : member,
  );
}

function withTarget(object: KernelObject, path: string, reading: ValueReading): TargetValue {
  const member = object.member(path);
  const type = strip(member.type);
  const value = readValue(member, reading);
  const read = { path, type: member.type, value };
  const isNested = path.includes('.'); // of a struct inside, crash(8) follows nothing
  if (type.kind !== 'pointer' || value.kind !== 'pointer' || isNested) return { ...read, target: { kind: 'none' } };
  const { address, symbol, text } = value;
  if (address === 0n) return { ...read, target: { kind: 'null' } };
  if (text !== null) return { ...read, target: { kind: 'text', text } };
  const target = strip(type.target);
  if (target.kind === 'function') return { ...read, target: { kind: 'place', symbol } };
  if (target.kind === 'void' || target.kind === 'incomplete') {
    return { ...read, target: symbol === null ? { kind: 'unknown' } : { kind: 'place', symbol } };
  }
  if (!object.context.space.isReadable(address)) return { ...read, target: { kind: 'lost' } };
  return { ...read, target: { kind: 'value', symbol, value: readValue(member.deref(), reading) } };
}

/** An object as text, safe for a terminal. */
export function structText({ [drawing]: drawn }: StructValue, radix: 10 | 16): string {
  return escapeTerminal(drawnText(drawn, { radix }));
}

function drawnText(drawn: Drawing, style: ValueStyle): string {
  const { spec } = drawn;
  switch (drawn.kind) {
    case 'whole':
      return `${typeTitle(spec)} ${valueText(drawn.value, style)}\n`;
    case 'members':
      return drawn.members.map((member) => memberLine(spec, member, style)).join('');
    case 'plain':
      return drawn.members.map((member) => plainLine(spec, member, style)).join('');
    case 'addresses':
      return definitionText(spec, { radix: style.radix, address: drawn.address }, style.radix);
    case 'targets': {
      const lines = drawn.members.map((member) => targetLines(spec, member, style)).join('');
      return spec.members.length > 0 ? lines : `${typeTitle(spec)} {\n${lines}}\n`;
    }
  }
}

function memberLine(spec: StructSpec, { path, type, value }: MemberValue, style: ValueStyle): string {
  if (value.kind === 'unavailable') return `  ${path} = <unavailable>,\n`;
  if (path === '') return `  ${valueText(value, style, 1)}${spec.compound.members.at(-1)?.type === type ? '' : ','}\n`;
  return `${memberText(spec.type, path, value, style)}\n`;
}

function targetLines(spec: StructSpec, member: TargetValue, style: ValueStyle): string {
  const { path, type, value, target } = member;
  if (target.kind === 'none' || value.kind !== 'pointer') return memberLine(spec, member, style);
  const name = 'symbol' in target && target.symbol !== null ? `<${target.symbol}>` : '';
  const line = `  ${declare(type, path)} = 0x${hex(value.address)}\n`;
  switch (target.kind) {
    case 'null':
      return `${line}  -> NULL\n`;
    case 'text':
      return `${line}  -> ${isLost(target.text) ? '(not accessible)' : charsText(target.text)}\n`;
    case 'place':
      return `${line}  -> ${name}\n`;
    case 'unknown':
      return `${line}  -> (unknown target type)\n`;
    case 'lost':
      return `${line}  -> (not accessible)\n`;
    case 'value': {
      const text = valueText(target.value, style).replaceAll('\n', '\n     ');
      return `${line}  -> ${name === '' ? '' : `${name} `}${text}\n`;
    }
  }
}

function isLost({ bytes, end }: CText): boolean {
  return end === 'lost' && bytes.length === 0;
}

/** A member as `-S` shows it: unsigned numbers and strings, without what gdb adds. */
function plainLine(spec: StructSpec, member: MemberValue, style: ValueStyle): string {
  const { path, value } = member;
  const line = (text: string): string => `  ${path} = ${text}\n`;
  switch (value.kind) {
    case 'pointer': {
      const { address, text } = value;
      return line(`0x${hex(address)}${text === null || isLost(text) ? '' : `  ${charsText(text)}`}`);
    }
    case 'chars': {
      const nul = value.bytes.indexOf(0);
      const bytes = nul < 0 ? value.bytes : value.bytes.subarray(0, nul);
      return line(`"${Buffer.from(bytes).toString('latin1')}"`);
    }
    case 'int':
      if (value.bitSize > 0 || ![1, 2, 4, 8].includes(value.type.size)) return memberLine(spec, member, style);
      return line(unsignedText(BigInt.asUintN(value.type.size * 8, value.value), style.radix));
    case 'enum':
      return line(unsignedText(BigInt.asUintN(value.type.size * 8, value.value), style.radix));
    default:
      return memberLine(spec, member, style);
  }
}

function unsignedText(value: bigint, radix: 10 | 16): string {
  return radix === 16 ? `0x${hex(value)}` : String(value);
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
