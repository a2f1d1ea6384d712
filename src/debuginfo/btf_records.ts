// The records of a BTF blob, by number, without building types of them: where each starts, its name, kind
// and fields. Every offset is checked here, once; see btf.ts for the format's shape and source.
import { latin1 } from '../base/byte_reader.ts';
import { FormatError, UnsupportedError } from '../base/errors.ts';
import { escapeTerminal } from '../base/text.ts';

import { NameIndex, type StringSection } from './btf_names.ts';

/** BTF_KIND_* of include/uapi/linux/btf.h. */
export const kinds = {
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  forward: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  function: 12,
  prototype: 13,
  variable: 14,
  section: 15,
  float: 16,
  declTag: 17,
  typeTag: 18,
  enum64: 19,
} as const;

const magic = 0xeb9f;
const bigEndianMagic = 0x9feb;
/** Bytes of the header that every version has, up to and including str_len. */
const minHeader = 24;
const recordHead = 12;
/** Longest name: the kernel's own limit is 512 bytes (KSYM_NAME_LEN). */
const maxName = 4096;
/** Most records of a blob that are looked at: kernels with every option have some 200,000. */
const mostRecords = 1_000_000;

/** What the one pass over all records does with each kind. */
const role = { unknown: 0, known: 1, namedType: 2, enum: 3, section: 4 } as const;

/** For each kind its role, and the bytes behind a record's head: `fixed`, and `each` for everyone of its count. */
class Layout {
  readonly roles = new Uint8Array(128);
  readonly fixed = new Uint8Array(128);
  readonly each = new Uint8Array(128);

  constructor() {
    const { known, namedType } = role;
    this.set(known, 0, 0, kinds.pointer, kinds.volatile, kinds.const, kinds.restrict, kinds.function, kinds.typeTag);
    this.set(known, 4, 0, kinds.variable, kinds.declTag);
    this.set(known, 12, 0, kinds.array);
    this.set(known, 0, 8, kinds.prototype);
    this.set(namedType, 0, 0, kinds.forward, kinds.typedef, kinds.float);
    this.set(namedType, 4, 0, kinds.int);
    this.set(namedType, 0, 12, kinds.struct, kinds.union, kinds.enum64);
    this.set(role.enum, 0, 8, kinds.enum);
    this.set(role.section, 0, 12, kinds.section);
  }

  /** Newer blobs tell the layout of kinds, so that a reader may step over those it does not know. */
  learn(table: Uint8Array): void {
    for (let kind = 1; kind < 128 && 4 * kind + 4 <= table.length; kind++) {
      const fixed = table[4 * kind]!;
      const each = table[4 * kind + 1]!;
      if (this.roles[kind] === role.unknown && fixed % 4 === 0 && each % 4 === 0) {
        this.set(role.known, fixed, each, kind);
      }
    }
  }

  private set(as: number, fixed: number, each: number, ...of: readonly number[]): void {
    for (const kind of of) {
      this.roles[kind] = as;
      this.fixed[kind] = fixed;
      this.each[kind] = each;
    }
  }
}

export class BtfRecords {
  /** Number of the first record. */
  readonly first: number;
  /** One more than the number of the last record. */
  readonly end: number;
  /** First damage met. */
  problem: FormatError | null = null;
  /** Numbers of the records that are types with names, ascending: INT, STRUCT, UNION, ENUM, FWD, TYPEDEF, FLOAT, ENUM64. */
  readonly namedTypes: Uint32Array;
  private readonly namesOfTypes: Uint32Array;
  /** Numbers of the DATASEC records. */
  readonly sections: number[] = [];
  /** True when any ENUM has kind_flag set: then those without it are unsigned. */
  tellsEnumSigns = false;
  private readonly base: BtfRecords | null;
  private readonly view: DataView;
  /** Offset in the blob of each record. */
  private readonly offsets: Uint32Array;
  private readonly strings: StringSection;

  /** @throws FormatError, UnsupportedError for a blob that is not little-endian BTF */
  constructor(bytes: Uint8Array, first: number, base: BtfRecords | null) {
    this.first = first;
    this.base = base;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const { view } = this;
    this.tellsEnumSigns = base?.tellsEnumSigns ?? false;
    if (bytes.length < minHeader) throw new FormatError('BTF header', `has ${bytes.length} of ${minHeader} bytes`);
    const found = view.getUint16(0, true);
    if (found === bigEndianMagic) throw new UnsupportedError('BTF header', 'big-endian BTF');
    if (found !== magic) {
      throw new FormatError('BTF header', `magic is 0x${found.toString(16)}, expected 0x${magic.toString(16)}`);
    }
    if (view.getUint8(2) !== 1) throw new UnsupportedError('BTF header', `version ${view.getUint8(2)}, expected 1`);
    const headerSize = view.getUint32(4, true);
    if (headerSize < minHeader || headerSize > bytes.length) {
      throw new FormatError('BTF header', `header size is ${headerSize}, blob size ${bytes.length}`);
    }
    const section = (field: number, what: string) => {
      const start = headerSize + view.getUint32(field, true);
      const size = view.getUint32(field + 4, true);
      if (start + size > bytes.length) {
        this.note(`${what} end at 0x${(start + size).toString(16)}, blob at 0x${bytes.length.toString(16)}`);
      }
      return { start: Math.min(start, bytes.length), end: Math.min(start + size, bytes.length) };
    };
    const span = section(8, 'types');
    const text = section(16, 'strings');
    const layout = new Layout();
    if (headerSize >= 32) {
      const table = section(24, 'layouts');
      layout.learn(bytes.subarray(table.start, table.end));
    }
    const before = base?.strings ?? null;
    const firstString = before === null ? 0 : before.first + before.bytes.length;
    this.strings = { first: firstString, bytes: bytes.subarray(text.start, text.end), base: before };

    const words = wordsOf(bytes, span.start, span.end);
    const end = words.length;
    const most = Math.min(mostRecords, Math.floor((4 * end) / recordHead));
    const offsets = new Uint32Array(most);
    const types = new Uint32Array(most);
    const typeNames = new Uint32Array(most);
    let n = 0;
    let named = 0;
    let at = 0; // in words, as all sizes are multiples of them
    const { roles, fixed, each } = layout;
    // Every process that asks for a type runs this before it is compiled: hence no calls, and words instead of a DataView.
    while (at + recordHead / 4 <= end) {
      if (n === mostRecords) {
        this.note(`more than ${mostRecords} types`);
        break;
      }
      const info = words[at + 1]!;
      const kind = (info >>> 24) & 0x7f;
      const as = roles[kind]!;
      if (as === role.unknown) {
        this.note(`type ${first + n} is of unknown kind ${kind}`);
        break;
      }
      const next = at + ((recordHead + fixed[kind]! + each[kind]! * (info & 0xffffff)) >>> 2);
      if (next > end) {
        const last = span.start + 4 * next;
        this.note(`type ${first + n} ends at 0x${last.toString(16)}, the types at 0x${span.end.toString(16)}`);
        break;
      }
      if (as !== role.known) {
        if (as === role.section) this.sections.push(first + n);
        if (as === role.enum && info >>> 31 === 1) this.tellsEnumSigns = true;
        const name = words[at]!;
        if (as !== role.section && name !== 0) {
          types[named] = first + n;
          typeNames[named++] = name;
        }
      }
      offsets[n++] = span.start + 4 * at;
      at = next;
    }
    this.offsets = offsets.subarray(0, n);
    this.namedTypes = types.subarray(0, named);
    this.namesOfTypes = typeNames.subarray(0, named);
    this.end = first + n;
  }

  /** BTF_KIND_* of a record, of this blob or of the base; 0 for void and for numbers that no record has. */
  kind(id: number): number {
    const at = this.place(id);
    return at === null ? 0 : kindOf(at.view.getUint32(at.offset + 4, true));
  }

  /** Number of members, enumerators, parameters or section entries (`vlen`). */
  count(id: number): number {
    const { view, offset } = this.placeOf(id);
    return countOf(view.getUint32(offset + 4, true));
  }

  /** `kind_flag`. */
  flag(id: number): boolean {
    const { view, offset } = this.placeOf(id);
    return view.getUint32(offset + 4, true) >>> 31 === 1;
  }

  /** The size in bytes, or the number of the type referred to: which, the kind says. */
  sizeOrType(id: number): number {
    const { view, offset } = this.placeOf(id);
    return view.getUint32(offset + 8, true);
  }

  /** Word `index` of what follows the record's head. */
  word(id: number, index: number): number {
    const { view, offset } = this.placeOf(id);
    return view.getUint32(offset + recordHead + 4 * index, true);
  }

  /** Offset of a record's name in the strings; 0 for none. */
  nameOffset(id: number): number {
    const { view, offset } = this.placeOf(id);
    return view.getUint32(offset, true);
  }

  /** @throws FormatError as `string` */
  name(id: number): string {
    return this.string(this.nameOffset(id));
  }

  /**
   * Text at an offset into base's and own strings, control characters escaped.
   * @throws FormatError for an offset outside, or a string without end
   */
  string(offset: number): string {
    if (offset === 0) return '';
    let section = this.strings;
    while (offset < section.first && section.base !== null) section = section.base;
    const { bytes, first } = section;
    const at = offset - first;
    const limit = Math.min(bytes.length, at + maxName);
    let end = at;
    while (end < limit && bytes[end] !== 0) end++; // not indexOf(), which would look through all of a text without NUL
    if (end >= limit) {
      throw new FormatError('BTF strings', `no name at offset 0x${offset.toString(16)}`);
    }
    return escapeTerminal(latin1(bytes, at, end));
  }

  /** Finds numbers by name. @param names offset in the strings of the name of each */
  index(numbers: Uint32Array, names: Uint32Array): NameIndex {
    return new NameIndex(numbers, names, this.strings);
  }

  /** Finds `namedTypes` by name. */
  indexTypes(): NameIndex {
    return this.index(this.namedTypes, this.namesOfTypes);
  }

  /** Finds FUNC records by name. */
  indexFunctions(): NameIndex {
    const ids: number[] = [];
    const names: number[] = [];
    for (const [i, at] of this.offsets.entries()) {
      if (kindOf(this.view.getUint32(at + 4, true)) !== kinds.function) continue;
      ids.push(this.first + i);
      names.push(this.view.getUint32(at, true));
    }
    return this.index(Uint32Array.from(ids), Uint32Array.from(names));
  }

  /** Entries of a DATASEC: number of the VAR, offset in the section and size, in bytes. */
  *sectionEntries(id: number): Iterable<{ variable: number; offset: number; size: number }> {
    const { view, offset } = this.placeOf(id);
    const end = offset + recordHead + 12 * countOf(view.getUint32(offset + 4, true));
    for (let at = offset + recordHead; at < end; at += 12) {
      yield {
        variable: view.getUint32(at, true),
        offset: view.getUint32(at + 4, true),
        size: view.getUint32(at + 8, true),
      };
    }
  }

  /** For an INT: fewer bits than its bytes hold, or not at their start. Compilers made bit fields so until kind_flag (4.20). */
  isPartialInt(id: number): boolean {
    const word = this.word(id, 0);
    return (word & 0xff) !== this.sizeOrType(id) * 8 || ((word >>> 16) & 0xff) !== 0;
  }

  private place(id: number): { view: DataView; offset: number } | null {
    if (id < this.first) return this.base?.place(id) ?? null;
    return id < this.end ? { view: this.view, offset: this.offsets[id - this.first]! } : null;
  }

  private placeOf(id: number): { view: DataView; offset: number } {
    const place = this.place(id);
    if (place === null) throw new FormatError('BTF', `type ${id} is out of range, there are ${this.end}`);
    return place;
  }

  private note(problem: string): void {
    this.problem ??= new FormatError('BTF', problem);
  }
}

const littleEndianHost = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** The bytes from `start` to `end` as little-endian words: a view of them where that can be. */
function wordsOf(bytes: Uint8Array, start: number, end: number): Uint32Array {
  const length = Math.floor((end - start) / 4);
  const at = bytes.byteOffset + start;
  if (littleEndianHost && at % 4 === 0) return new Uint32Array(bytes.buffer, at, length);
  const view = new DataView(bytes.buffer, at, 4 * length);
  return new Uint32Array(length).map((_, i) => view.getUint32(4 * i, true));
}

// The kind has 5 bits and the count 16 in kernels up to 7.0; the bits between were zero, and are given to
// both as they grow.
function kindOf(info: number): number {
  return (info >>> 24) & 0x7f;
}

function countOf(info: number): number {
  return info & 0xffffff;
}
