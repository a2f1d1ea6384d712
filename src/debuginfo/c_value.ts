// Values of C types, read whole: a tree that holds nothing of the memory any more. How it looks as text is in
// c_value_text.ts, as data in c_value_data.ts.
//
// Memory is read piece by piece, so that a page that is not in the dump costs the values on it and no others.
import type { AddressSpace } from '../arch/address_space.ts';
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import { assertNever, FormatError, type MemoryFault } from '../base/errors.ts';
import { typeText } from './c_declaration.ts';
import type { KernelObject } from './object.ts';
import { type EnumType, type IntType, type Member, sizeOf, strip, type Type } from './type.ts';

/** A pointer, or a place, with what it means. */
export interface CPointer {
  readonly address: VirtAddr;
  /** `schedule+4`; null where it is no place that has a name. */
  readonly symbol: string | null;
  /** Of a char pointer that is not null: what it points to. */
  readonly text: CText | null;
}

/** Characters in memory. */
export interface CText {
  readonly bytes: Uint8Array;
  /** - `nul`: ends there   - `more`: goes on   - `lost`: the next byte, at `bytes.length`, cannot be read */
  readonly end: 'nul' | 'more' | 'lost';
  readonly address: VirtAddr;
}

/** How much there is of an array, and how text shows it. */
interface CElements {
  readonly length: number;
  readonly shown: number;
  readonly isTall: boolean;
}

/** One value with everything in it. */
export type CValue =
  | { readonly kind: 'struct'; readonly members: readonly { readonly name: string; readonly value: CValue }[] }
  /** The first elements; `length` is the array's own; text has `shown` of them at most, one a line where it `isTall`. */
  | ({ readonly kind: 'array'; readonly elements: readonly CValue[] } & CElements)
  /** A char array: its first bytes; `length` without one last NUL. */
  | ({ readonly kind: 'chars'; readonly bytes: Uint8Array; readonly hasLastNul: boolean } & CElements)
  /** An array without a length: where it starts. */
  | ({ readonly kind: 'open-array' } & CPointer)
  | ({ readonly kind: 'pointer' } & CPointer)
  | ({ readonly kind: 'function'; readonly type: string } & CPointer)
  /** `bitSize` is 0 for what is no bit field. */
  | { readonly kind: 'int'; readonly type: IntType; readonly value: bigint; readonly bitSize: number }
  | { readonly kind: 'enum'; readonly type: EnumType; readonly value: bigint }
  /** The bits of a floating point number. */
  | { readonly kind: 'float'; readonly bits: bigint; readonly size: number }
  /** It cannot be read. */
  | { readonly kind: 'unavailable' }
  | { readonly kind: 'void' | 'incomplete' }
  /** Too deep, or too much. */
  | { readonly kind: 'cut' };

/** How values are read. */
export interface ValueReading {
  /** What an address means: `schedule+4`, or null. Asked for every pointer that is not null; `isText`: it is of characters. */
  readonly symbolize: (address: VirtAddr, isText: boolean) => string | null;
  /** Most elements of an array, most characters of one, that text has of it (crash's `print_max`); 256 unless told. */
  readonly shown?: number;
  /** Whether text has the elements of arrays one a line (crash's `print_array`). */
  readonly isTall?: boolean;
  /** Told of memory that could not be read, once for each page of it. */
  readonly onFault?: (fault: MemoryFault) => void;
}

const maxDepth = 48;
/** Most values read as one. */
const maxValues = 200_000;
/** Most elements of an array, and most characters of one. */
const maxElements = 16_384;
const maxChars = 65_536;
const defaultShown = 256;
/** Most characters of what a pointer points to. */
const maxString = 256;

/** Reads a value. Pointers are not followed, but those to characters. @throws MemoryFault when not a byte can be read */
export function readValue(object: KernelObject, reading: ValueReading): CValue {
  return new ValueReader(object.context.space, reading).object(object);
}

class ValueReader {
  private readonly space: AddressSpace;
  private readonly reading: ValueReading;
  private readonly pieces = new Map<VirtAddr, { bytes: Uint8Array; fault: MemoryFault | null }>();
  private readonly shown: number;
  private readonly isTall: boolean;
  private values = 0;
  private read = 0;
  private readonly faults = new Set<MemoryFault>();
  /** The first of them. */
  private first: MemoryFault | null = null;

  constructor(space: AddressSpace, reading: ValueReading) {
    this.space = space;
    this.reading = reading;
    this.shown = reading.shown ?? defaultShown;
    this.isTall = reading.isTall ?? false;
  }

  object(object: KernelObject): CValue {
    if (!object.isInMemory) return this.scalar(object.type, object.bigint(), 0);
    const value = this.at(object.type, object.address, object.bitOffset, object.bitSize, 0);
    if (this.read === 0 && this.first !== null) throw this.first;
    return value;
  }

  /** @param depth levels of braces around it */
  private at(type: Type, address: VirtAddr, bitOffset: number, bitSize: number, depth: number): CValue {
    if (depth > maxDepth || ++this.values > maxValues) return { kind: 'cut' };
    const t = strip(type);
    switch (t.kind) {
      case 'void':
      case 'incomplete':
        return { kind: t.kind };
      case 'function':
        return { ...this.pointer(address, null), kind: 'function', type: typeText(t) };
      case 'struct':
      case 'union':
        return this.struct(t.members, address, depth);
      case 'array':
        return this.array(t.element, t.length, address, depth);
      case 'int':
      case 'enum':
      case 'pointer':
      case 'float': {
        const width = bitSize > 0 ? bitSize : t.size * 8;
        const raw = this.bits(address, bitOffset, width);
        if (raw === null) return { kind: 'unavailable' };
        const signed = (t.kind === 'int' || t.kind === 'enum') && t.signed;
        return this.scalar(type, signed ? BigInt.asIntN(width, raw) : raw, bitSize);
      }
      default:
        return assertNever(t);
    }
  }

  private struct(members: readonly Member[], address: VirtAddr, depth: number): CValue {
    return {
      kind: 'struct',
      members: members.map(({ name, type, bitOffset, bitSize }) => {
        const at = offsetBy(address, Math.floor(bitOffset / 8));
        return { name, value: this.at(type, at, bitOffset % 8, bitSize, depth + 1) };
      }),
    };
  }

  private array(element: Type, length: number, address: VirtAddr, depth: number): CValue {
    const size = sizeOf(element);
    if (length === 0 || size === 0) {
      return { ...this.pointer(address, isChar(element) ? address : null), kind: 'open-array' };
    }
    if (isChar(element)) return this.chars(address, length);
    const elements: CValue[] = [];
    for (let i = 0; i < Math.min(length, maxElements); i++) {
      const value = this.at(element, offsetBy(address, i * size), 0, 0, depth + 1);
      elements.push(value);
      if (value.kind === 'cut') break;
    }
    return { kind: 'array', elements, length, shown: this.shown, isTall: this.isTall };
  }

  private chars(address: VirtAddr, length: number): CValue {
    const last = this.bytes(offsetBy(address, length - 1), 1);
    const hasLastNul = last?.[0] === 0;
    const whole = hasLastNul ? length - 1 : length;
    const bytes = this.bytes(address, Math.min(whole, maxChars));
    if (bytes === null) return { kind: 'unavailable' };
    return { kind: 'chars', bytes, length: whole, hasLastNul, shown: this.shown, isTall: this.isTall };
  }

  /** What a char pointer points to, up to a NUL. */
  private string(address: VirtAddr): CText {
    const pageSize = this.space.memory.pageSize;
    const parts: Uint8Array[] = [];
    let length = 0;
    const done = (end: CText['end']): CText => ({ bytes: concat(parts), end, address });
    while (length < maxString) {
      const at = offsetBy(address, length);
      const room = Math.min(maxString - length, pageSize - Number(at & BigInt(pageSize - 1)));
      const bytes = this.bytes(at, room);
      if (bytes === null) return done('lost');
      const nul = bytes.indexOf(0);
      parts.push(nul < 0 ? bytes : bytes.subarray(0, nul));
      if (nul >= 0) return done('nul');
      length += bytes.length;
    }
    return done('more');
  }

  private scalar(type: Type, value: bigint, bitSize: number): CValue {
    const t = strip(type);
    switch (t.kind) {
      case 'pointer': {
        const address = virtAddr(value);
        return { ...this.pointer(address, isChar(t.target) && address !== 0n ? address : null), kind: 'pointer' };
      }
      case 'enum':
        return { kind: 'enum', type: t, value };
      case 'float':
        return { kind: 'float', bits: value, size: t.size };
      case 'int':
        return { kind: 'int', type: t, value, bitSize };
      default:
        return { ...this.pointer(virtAddr(value), null), kind: 'pointer' };
    }
  }

  /** @param text where characters are to be read, or null */
  private pointer(address: VirtAddr, text: VirtAddr | null): CPointer {
    const symbol = address === 0n ? null : this.reading.symbolize(address, text !== null);
    return { address, symbol, text: text === null ? null : this.string(text) };
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
        this.note(piece.fault, at);
        return null;
      }
      result.set(piece.bytes.subarray(inPage, inPage + n), done);
      done += n;
    }
    this.read += length;
    return result;
  }

  /** Tells of each page once. @param at the first address of it that was wanted, by which it is told */
  private note(fault: MemoryFault | null, at: VirtAddr): void {
    if (fault === null || this.faults.has(fault)) return;
    this.faults.add(fault);
    const told = fault.address < at ? (this.space.readUpTo(at, 1).fault ?? fault) : fault;
    this.first ??= told;
    this.reading.onFault?.(told);
  }
}

function isChar(type: Type): boolean {
  const t = strip(type);
  return t.kind === 'int' && t.encoding === 'char' && t.size === 1;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
