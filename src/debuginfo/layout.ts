// Structs of the dead kernel in bulk: an array of them, or one, is read at once and looked at as 32-bit words. For
// loops over more structs than a `KernelObject` each would be good for.
//
//   const task = layout(kernel.type('struct task_struct'), { pid: 'pid', stack: 'stack' });
//   const rows = task.read(kernel.space, address, count);
//   rows.words[row * rows.stride + rows.at.pid]
//
//   words   | flags lo | flags hi | lru ... | mapping lo | mapping hi | ...     row 0
//           | flags lo | flags hi | ...                                         row 1
import type { AddressSpace } from '../arch/address_space.ts';
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { FormatError, MemoryFault } from '../base/errors.ts';
import { findMember, sizeOf, type Type, typeName } from './type.ts';

/** Where the members of a struct lie that a loop wants. */
export class Layout<Name extends string> {
  /** Bytes of the struct. */
  readonly size: number;
  /** 32-bit words of the struct. */
  readonly stride: number;
  /** Word in which each member starts; -1: this kernel has none. */
  readonly at: Readonly<Record<Name, number>>;
  /** Bits below each member in its word: 0 unless it is shorter than a word and not at its start. */
  readonly shift: Readonly<Record<Name, number>>;

  /**
   * @param size bytes of the struct
   * @param offsets of the members, in bytes; null for one that is not there
   * @throws FormatError for a struct that is not made of whole words, and an offset outside it
   */
  constructor(what: string, size: number, offsets: Readonly<Record<Name, number | null>>) {
    if (!(size > 0 && size % 4 === 0)) throw new FormatError(what, `${size} bytes are not whole words`);
    this.size = size;
    this.stride = size / 4;
    const at: Record<string, number> = {};
    const shift: Record<string, number> = {};
    for (const [name, offset] of Object.entries<number | null>(offsets)) {
      if (offset !== null && !(offset >= 0 && offset < size)) {
        throw new FormatError(what, `${name} at ${offset} of ${size} bytes`);
      }
      at[name] = offset === null ? -1 : offset >>> 2;
      shift[name] = ((offset ?? 0) & 3) * 8;
    }
    this.at = at as Record<Name, number>;
    this.shift = shift as Record<Name, number>;
  }

  /**
   * Reads structs that follow one another. What cannot be read costs the rows that it touches: they are zeroes.
   * @param first virtual address of the first
   * @param into rows read before, whose room is taken
   */
  read(space: AddressSpace, first: VirtAddr, count: number, into: Rows<Name> | null = null): Rows<Name> {
    const length = count * this.stride;
    const words = into !== null && into.room.length >= length ? into.room : new Uint32Array(length);
    const bytes = new Uint8Array(words.buffer, words.byteOffset, length * 4);
    const rows = new Rows(this, words, count);
    for (let done = 0; done < bytes.length; ) {
      try {
        space.readInto(offsetBy(first, done), bytes.subarray(done));
        break;
      } catch (error) {
        if (!(error instanceof MemoryFault)) throw error;
        done = rows.miss(bytes, done, first, space.memory.pageSize, error);
      }
    }
    if (bigEndianHost) Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).swap32();
    return rows;
  }
}

/** Structs that were read. */
export class Rows<Name extends string> {
  readonly count: number;
  readonly words: Uint32Array;
  readonly stride: number;
  readonly at: Readonly<Record<Name, number>>;
  /** As many words as there is room for; `words` are the first of them. */
  readonly room: Uint32Array;
  /** The first fault met; null when all could be read. */
  fault: MemoryFault | null = null;
  private lost: Uint8Array | null = null;

  constructor(layout: Layout<Name>, room: Uint32Array, count: number) {
    this.count = count;
    this.stride = layout.stride;
    this.at = layout.at;
    this.room = room;
    this.words = room.subarray(0, count * layout.stride);
  }

  /** Whether all of a struct could be read. */
  readable(row: number): boolean {
    return this.lost === null || this.lost[row] === 0;
  }

  /** The 64-bit number that starts at a word of a struct. */
  u64(row: number, word: number): bigint {
    const at = row * this.stride + word;
    return (BigInt(this.words[at + 1]!) << 32n) | BigInt(this.words[at]!);
  }

  /**
   * Takes note of a fault while `bytes` were filled from `done` on.
   * @returns where to go on: behind the page that the fault is about, which reads as zeroes
   */
  miss(bytes: Uint8Array, done: number, first: VirtAddr, pageSize: number, fault: MemoryFault): number {
    this.fault ??= fault;
    this.lost ??= new Uint8Array(this.count);
    const said = Number(fault.address - first);
    const at = said >= done && said < bytes.length ? said : done;
    const inPage = Number((first + BigInt(at)) % BigInt(pageSize));
    const end = Math.min(bytes.length, at + pageSize - inPage);
    bytes.fill(0, at, end);
    const size = this.stride * 4;
    this.lost.fill(1, Math.floor(at / size), Math.ceil(end / size));
    return end;
  }
}

/**
 * The layout of a struct by its type.
 * @param members paths of members, as `findMember` takes them
 * @throws FormatError for a struct that is not made of whole words, and for a bit field
 */
export function layout<Name extends string>(type: Type, members: Readonly<Record<Name, string>>): Layout<Name> {
  const offsets: Record<string, number | null> = {};
  for (const [name, path] of Object.entries<string>(members)) {
    const place = findMember(type, path);
    if (place !== null && place.bitSize !== 0) throw new FormatError(typeName(type), `${path} is a bit field`);
    offsets[name] = place === null ? null : place.bitOffset / 8;
  }
  return new Layout(typeName(type), sizeOf(type), offsets as Record<Name, number | null>);
}

const bigEndianHost = new Uint8Array(new Uint32Array([1]).buffer)[0] === 0;
