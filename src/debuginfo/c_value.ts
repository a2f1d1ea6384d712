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
// Memory is read piece by piece, so that a page that is not in the dump costs the values on it and no
// others; those are `<unavailable>`, as gdb has it for what a trace did not collect.
import type { AddressSpace } from '../arch/address_space.ts';
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import { assertNever, FormatError, type MemoryFault } from '../base/errors.ts';
import { typeText } from './c_declaration.ts';
import { charLiteral, stringLiteral } from './c_string.ts';
import type { KernelObject } from './object.ts';
import { type EnumType, findMember, type IntType, type Member, sizeOf, strip, type Type } from './type.ts';

/** How values are shown. */
export interface ValueStyle {
  /** Radix of integers. Pointers are always hexadecimal, enums and strings always text. */
  readonly radix: 10 | 16;
  /** What an address means: `schedule+4`, or null. Asked for every pointer that is not null. */
  readonly symbolize: (address: VirtAddr) => string | null;
  /** Most elements of an array, most characters of a string (crash's `print_max`); 256 unless told. */
  readonly maxElements?: number;
  /** Told of memory that could not be read, once for each page of it. */
  readonly onFault?: (fault: MemoryFault) => void;
}

const defaultMaxElements = 256;
const maxDepth = 48;
/** Most characters of one value. */
const maxText = 16 * 1024 * 1024;
const unavailable = '<unavailable>';

/**
 * A value without its name: `{...}`, `1`, `0xffffffff81234560 <schedule>`.
 * @throws MemoryFault when not a byte of it can be read
 */
export function valueText(object: KernelObject, style: ValueStyle): string {
  return new ValuePrinter(object.context.space, style).object(object, 0);
}

/** A value as `p` prints it: with the type before a pointer, `(struct task_struct *) 0x...`. @throws as `valueText` */
export function printText(object: KernelObject, style: ValueStyle): string {
  const text = valueText(object, style);
  return strip(object.type).kind === 'pointer' && !isPlainCharPointer(object.type)
    ? `(${typeText(object.type)}) ${text}`
    : text;
}

/**
 * A member as crash's `struct NAME.MEMBER ADDRESS` prints it: `  pid = 0,`. A comma follows unless it is the
 * last in its struct, and members of anonymous structs stand as deep as in the whole, both as if the line
 * were cut out of the whole. Null when the type has no such member.
 * @param path `pid`, `se.vruntime`, `pid_links[1]`
 * @throws MemoryFault when nothing of it can be read
 */
export function memberText(object: KernelObject, path: string, style: ValueStyle): string | null {
  if (findMember(object.type, path) === null) return null;
  const member = object.member(path);
  const { depth, last } = whereIs(object.type, path);
  const text = new ValuePrinter(object.context.space, style).object(member, depth);
  return `${'  '.repeat(depth)}${path} = ${text}${last ? '' : ','}`;
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

class ValuePrinter {
  private readonly space: AddressSpace;
  private readonly style: ValueStyle;
  private readonly max: number;
  private readonly pieces = new Map<VirtAddr, { bytes: Uint8Array; fault: MemoryFault | null }>();
  private length = 0;
  private read = 0;
  private readonly faults = new Set<MemoryFault>();

  constructor(space: AddressSpace, style: ValueStyle) {
    this.space = space;
    this.style = style;
    this.max = style.maxElements ?? defaultMaxElements;
  }

  /** @param depth levels of braces around it */
  object(object: KernelObject, depth: number): string {
    if (!object.isInMemory) return this.scalar(object.type, object.bigint(), 0);
    const text = this.at(object.type, object.address, object.bitOffset, object.bitSize, depth);
    const [fault] = this.faults;
    if (this.read === 0 && fault !== undefined) throw fault;
    return text;
  }

  private at(type: Type, address: VirtAddr, bitOffset: number, bitSize: number, depth: number): string {
    if (depth > maxDepth || this.length > maxText) return '...';
    const text = this.text(strip(type), type, address, bitOffset, bitSize, depth);
    this.length += text.length;
    return text;
  }

  private text(
    t: ReturnType<typeof strip>,
    type: Type,
    address: VirtAddr,
    bitOffset: number,
    bitSize: number,
    depth: number,
  ): string {
    switch (t.kind) {
      case 'void':
        return 'void';
      case 'incomplete':
        return '<incomplete type>';
      case 'function':
        return `{${typeText(t)}} ${this.pointer(address)}`;
      case 'struct':
      case 'union':
        return this.struct(t.members, address, depth);
      case 'array':
        return this.array(t.element, t.length, address, depth);
      case 'int':
      case 'enum':
      case 'pointer':
      case 'float': {
        const raw = this.bits(address, bitOffset, bitSize > 0 ? bitSize : t.size * 8);
        if (raw === null) return unavailable;
        const width = bitSize > 0 ? bitSize : t.size * 8;
        const signed = (t.kind === 'int' || t.kind === 'enum') && t.signed;
        return this.scalar(type, signed ? BigInt.asIntN(width, raw) : raw, bitSize);
      }
      default:
        return assertNever(t);
    }
  }

  private struct(members: readonly Member[], address: VirtAddr, depth: number): string {
    if (members.length === 0) return '{<No data fields>}';
    const indent = '  '.repeat(depth + 1);
    const lines: string[] = [];
    for (const { name, type, bitOffset, bitSize } of members) {
      const at = offsetBy(address, Math.floor(bitOffset / 8));
      const value = this.at(type, at, bitOffset % 8, bitSize, depth + 1);
      lines.push(`${indent}${name === '' ? '' : `${name} = `}${value}`);
      if (this.length > maxText) break;
    }
    return `{\n${lines.join(',\n')}\n${'  '.repeat(depth)}}`;
  }

  private array(element: Type, length: number, address: VirtAddr, depth: number): string {
    const size = sizeOf(element);
    // An array without a length is shown as a pointer to where it starts.
    if (length === 0 || size === 0)
      return `${this.pointer(address)}${isChar(element) ? ` ${this.string(address)}` : ''}`;
    if (isChar(element)) return this.charArray(address, length);
    const shown = Math.min(length, this.max);
    const values: string[] = [];
    for (let i = 0; i < shown && this.length <= maxText; i++) {
      values.push(this.at(element, offsetBy(address, i * size), 0, 0, depth + 1));
    }
    return `{${values.join(', ')}${shown < length ? '...' : ''}}`;
  }

  private charArray(address: VirtAddr, length: number): string {
    const last = this.bytes(offsetBy(address, length - 1), 1);
    const whole = last?.[0] === 0 ? length - 1 : length;
    const shown = Math.min(whole, this.max);
    const bytes = this.bytes(address, shown);
    if (bytes === null) return unavailable;
    return `${stringLiteral(bytes)}${shown < whole ? '...' : ''}`;
  }

  /** What a char pointer points to, up to a NUL. */
  private string(address: VirtAddr): string {
    const pageSize = this.space.memory.pageSize;
    const parts: Uint8Array[] = [];
    let length = 0;
    while (length < this.max) {
      const at = offsetBy(address, length);
      const room = Math.min(this.max - length, pageSize - Number(at & BigInt(pageSize - 1)));
      const bytes = this.bytes(at, room);
      if (bytes === null) {
        const error = `<error: Cannot access memory at address 0x${at.toString(16)}>`;
        return length === 0 ? error : `${stringLiteral(Buffer.concat(parts))}${error}`;
      }
      const nul = bytes.indexOf(0);
      parts.push(nul < 0 ? bytes : bytes.subarray(0, nul));
      if (nul >= 0) return stringLiteral(Buffer.concat(parts));
      length += bytes.length;
    }
    return `${stringLiteral(Buffer.concat(parts))}...`;
  }

  private scalar(type: Type, value: bigint, bitSize: number): string {
    const t = strip(type);
    switch (t.kind) {
      case 'pointer': {
        const address = virtAddr(value);
        return isChar(t.target) && address !== 0n
          ? `${this.pointer(address)} ${this.string(address)}`
          : this.pointer(address);
      }
      case 'enum':
        return enumValue(t, value);
      case 'float':
        return floatText(value, t.size);
      case 'int':
        return this.int(t, value, bitSize);
      default:
        return this.pointer(virtAddr(value));
    }
  }

  private int(type: IntType, value: bigint, bitSize: number): string {
    if (this.style.radix === 16) {
      return `0x${BigInt.asUintN(bitSize > 0 ? bitSize : type.size * 8, value).toString(16)}`;
    }
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

  private pointer(address: VirtAddr): string {
    const symbol = address === 0n ? null : this.style.symbolize(address);
    return `0x${address.toString(16)}${symbol === null ? '' : ` <${symbol}>`}`;
  }

  /** `width` bits as an unsigned number, or null if they cannot be read. */
  private bits(address: VirtAddr, bitOffset: number, width: number): bigint | null {
    const length = Math.ceil((bitOffset + width) / 8);
    if (length > 64) throw new FormatError('value', `${length} bytes are too many for a scalar`);
    const bytes = this.bytes(address, length);
    if (bytes === null) return null;
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
    return BigInt.asUintN(width, value >> BigInt(bitOffset));
  }

  /** Bytes of one or more pages, or null if any of them cannot be read. */
  private bytes(address: VirtAddr, length: number): Uint8Array | null {
    const pageSize = this.space.memory.pageSize;
    const result = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const at = offsetBy(address, done);
      const inPage = Number(at & BigInt(pageSize - 1));
      const start = offsetBy(at, -inPage);
      let piece = this.pieces.get(start);
      if (piece === undefined) {
        if (this.pieces.size > 1024) this.pieces.clear();
        piece = this.space.readUpTo(start, pageSize);
        this.pieces.set(start, piece);
      }
      const n = Math.min(length - done, pageSize - inPage);
      if (inPage + n > piece.bytes.length) {
        this.note(piece.fault);
        return null;
      }
      result.set(piece.bytes.subarray(inPage, inPage + n), done);
      done += n;
    }
    this.read += length;
    return result;
  }

  private note(fault: MemoryFault | null): void {
    if (fault === null || this.faults.has(fault)) return;
    this.faults.add(fault);
    this.style.onFault?.(fault);
  }
}

function isChar(type: Type): boolean {
  const t = strip(type);
  return t.kind === 'int' && t.encoding === 'char' && t.size === 1;
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
function enumValue(type: EnumType, value: bigint): string {
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

/** As C's `%.17g` and `%.9g`. Sizes that are not IEEE's come as their bits. */
function floatText(bits: bigint, size: number): string {
  if (size !== 4 && size !== 8) return `0x${bits.toString(16)}`;
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt.asUintN(64, bits), true);
  const value = size === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true);
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  const [mantissa = '', exponent] = value.toPrecision(size === 4 ? 9 : 17).split('e');
  const short = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
  return exponent === undefined ? short : `${short}e${exponent.replace(/^([+-])(\d)$/, '$10$2')}`;
}
