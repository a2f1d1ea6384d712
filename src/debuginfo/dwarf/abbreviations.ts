// A table of abbreviations (.debug_abbrev), digested so that entries can be walked at the speed of memory: for each
// abbreviation its tag, its attributes as numbers, and how many bytes it takes if all its values have a fixed size.
import { FormatError } from '../../base/errors.ts';
import type { SectionBytes } from '../elf/section_bytes.ts';
import { attribute, form } from './constants.ts';
import { Cursor, fixedSize, type Widths } from './cursor.ts';

/** Most abbreviations and attributes of one table: compilers write a few hundred. */
const mostEntries = 1_000_000;
/** Highest code that is found by position; compilers count from 1. */
const mostDense = 1 << 20;
const firstRead = 1 << 14;
const largestTable = 1 << 26;

export class AbbreviationTable {
  /** By position in the table. */
  readonly tags: Uint16Array;
  readonly children: Uint8Array;
  /** Bytes of all values, or -1 if that depends on them. */
  readonly sizes: Int32Array;
  /** First of its attributes in `attributes` and `forms`; the next one's is the end. */
  readonly starts: Uint32Array;
  readonly attributes: Uint16Array;
  readonly forms: Uint16Array;
  /** Values of attributes that have them here (DW_FORM_implicit_const), by position in `attributes`. */
  readonly constants: ReadonlyMap<number, bigint>;
  /** How to jump over what is inside an entry: its attribute `sibling` by position in `attributes`, or -1. */
  readonly siblings: Int32Array;
  private readonly positions: Int32Array;
  /** Bytes of the values before each attribute, or -1 if that depends on them. */
  private readonly before: Int32Array;

  private constructor(digest: Digest) {
    this.tags = new Uint16Array(digest.tags);
    this.children = new Uint8Array(digest.children);
    this.sizes = new Int32Array(digest.sizes);
    this.starts = new Uint32Array([...digest.starts, digest.attributes.length]);
    this.attributes = new Uint16Array(digest.attributes);
    this.forms = new Uint16Array(digest.forms);
    this.constants = digest.constants;
    this.before = new Int32Array(digest.before);
    this.siblings = new Int32Array(digest.siblings);
    this.positions = new Int32Array(digest.highest + 1).fill(-1);
    for (const [position, code] of digest.codes.entries()) this.positions[code] = position;
  }

  /** @throws FormatError for a table that is cut, or of impossible size */
  static read(section: SectionBytes, offset: number, widths: Widths): AbbreviationTable {
    for (let length = firstRead; ; length *= 8) {
      const bytes = section.readUpTo(offset, length);
      const digest = digestTable(bytes, section.what, widths);
      if (digest !== null) return new AbbreviationTable(digest);
      if (bytes.length < length || length > largestTable) {
        throw new FormatError(section.what, `the table at 0x${offset.toString(16)} does not end`);
      }
    }
  }

  /** Position in `attributes` of an attribute of an abbreviation; -1 if it does not have it. */
  attribute(abbreviation: number, name: number): number {
    const end = this.starts[abbreviation + 1]!;
    for (let i = this.starts[abbreviation]!; i < end; i++) if (this.attributes[i] === name) return i;
    return -1;
  }

  /** Moves from where an entry's values begin to the value of the attribute at a position in `attributes`. */
  seek(cursor: Cursor, abbreviation: number, position: number, widths: Widths): void {
    const before = this.before[position]!;
    if (before >= 0) cursor.at += before;
    else for (let i = this.starts[abbreviation]!; i < position; i++) cursor.skip(this.forms[i]!, widths);
  }

  /** Moves from where an entry's values begin to where they end. */
  skip(cursor: Cursor, abbreviation: number, widths: Widths): void {
    const size = this.sizes[abbreviation]!;
    if (size >= 0) cursor.at += size;
    else {
      const end = this.starts[abbreviation + 1]!;
      for (let i = this.starts[abbreviation]!; i < end; i++) cursor.skip(this.forms[i]!, widths);
    }
  }

  /** Position of the abbreviation with this code; -1 if there is none. */
  position(code: number): number {
    return this.positions[code] ?? -1;
  }
}

interface Digest {
  readonly codes: number[];
  highest: number;
  readonly tags: number[];
  readonly children: number[];
  readonly sizes: number[];
  readonly starts: number[];
  readonly attributes: number[];
  readonly forms: number[];
  readonly constants: Map<number, bigint>;
  readonly before: number[];
  readonly siblings: number[];
}

/** Null if the bytes end before the table does. */
function digestTable(bytes: Uint8Array, what: string, widths: Widths): Digest | null {
  const digest: Digest = {
    codes: [],
    highest: 0,
    tags: [],
    children: [],
    sizes: [],
    starts: [],
    attributes: [],
    forms: [],
    constants: new Map(),
    before: [],
    siblings: [],
  };
  const cursor = new Cursor(bytes, what);
  for (;;) {
    const code = cursor.uleb();
    if (cursor.at > bytes.length) return null;
    if (code === 0) return digest;
    if (code > mostDense) throw new FormatError(what, `abbreviation code ${code}`);
    digest.codes.push(code);
    digest.highest = Math.max(digest.highest, code);
    digest.tags.push(cursor.uleb());
    digest.children.push(cursor.u8());
    digest.starts.push(digest.attributes.length);
    digest.siblings.push(-1);
    let size = 0;
    for (;;) {
      const name = cursor.uleb();
      const of = cursor.uleb();
      if (of === form.implicitConst) digest.constants.set(digest.attributes.length, cursor.sleb64());
      if (cursor.at > bytes.length) return null;
      if (name === 0 && of === 0) break;
      if (name === attribute.sibling) digest.siblings[digest.siblings.length - 1] = digest.attributes.length;
      digest.before.push(size);
      digest.attributes.push(name);
      digest.forms.push(of);
      if (digest.attributes.length + digest.codes.length > mostEntries)
        throw new FormatError(what, 'a table of absurd length');
      const fixed = fixedSize(of, widths);
      size = size < 0 || fixed < 0 ? -1 : size + fixed;
    }
    digest.sizes.push(size);
  }
}
