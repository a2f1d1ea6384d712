// Writes DWARF from trees of entries. An entry is a tag, attributes and entries inside; values choose their forms:
//
//   text        DW_FORM_strp            { ref: 'label' }   ref4, to the entry with that label
//   number      data4                   { address: 0x..n } addr
//   bigint      sdata                   { section: 0x10 }  sec_offset
//   true        flag_present            { expression: [] } exprloc
//                                       { form, bytes }    as it is
//
//   new DwarfWriter().unit([entry('base_type', { name: 'int', byteSize: 4, encoding: 5 }, [], 'int')])
import { attribute, form, tag } from '../../src/debuginfo/dwarf/constants.ts';
import { ByteWriter } from './dump_writers/byte_writer.ts';
import { ElfWriter } from './elf_writer.ts';

export type Value =
  | string
  | number
  | bigint
  | true
  | { readonly ref: string }
  | { readonly address: bigint }
  | { readonly section: number }
  | { readonly expression: readonly number[] }
  | { readonly form: number; readonly bytes: readonly number[] };

export interface Entry {
  readonly tag: number;
  readonly attributes: Readonly<Partial<Record<keyof typeof attribute, Value>>>;
  readonly inside: readonly Entry[];
  readonly label: string | null;
}

export function entry(
  name: keyof typeof tag,
  attributes: Entry['attributes'] = {},
  inside: readonly Entry[] = [],
  label: string | null = null,
): Entry {
  return { tag: tag[name], attributes, inside, label };
}

/** A row of a line table, which begins a statement unless it says `within` one; null ends a sequence. */
export type LineRow =
  | readonly [address: bigint, file: number, line: number, statement?: 'within']
  | readonly [address: bigint, end: null];

export function uleb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return bytes;
}

export function sleb(value: number | bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (;;) {
    const byte = Number(rest & 0x7fn);
    rest >>= 7n;
    const done = (rest === 0n && (byte & 0x40) === 0) || (rest === -1n && (byte & 0x40) !== 0);
    bytes.push(done ? byte : byte | 0x80);
    if (done) return bytes;
  }
}

export class DwarfWriter {
  readonly version: 4 | 5;
  /** Whose entries are or were moved: what a skeleton and its .dwo file have in common. */
  private readonly split: { readonly type: 'skeleton' | 'whole'; readonly id: bigint } | null;
  private readonly info = new ByteWriter();
  private readonly abbreviations = new ByteWriter();
  private readonly strings = new ByteWriter().u8(0);
  private readonly stringOffsets = new Map<string, number>();
  private readonly lineBytes = new ByteWriter();
  private readonly ranges = new ByteWriter();
  private readonly more = new Map<string, ByteWriter>();

  /** @param split writes a skeleton, or what was moved out of one: a .dwo file */
  constructor(version: 4 | 5 = 5, split: DwarfWriter['split'] = null) {
    this.version = version;
    this.split = split;
  }

  /** Bytes of a section that is written by hand. */
  section(name: string): ByteWriter {
    let bytes = this.more.get(name);
    if (bytes === undefined) {
      bytes = new ByteWriter();
      this.more.set(name, bytes);
    }
    return bytes;
  }

  /** A unit with its entries inside the unit's own, whose attributes may be given. @returns its offset in .debug_info */
  unit(entries: readonly Entry[], attributes: Entry['attributes'] = {}): number {
    const root: Entry = {
      tag: tag.compileUnit,
      attributes: { name: 'a.c', compDir: '/src', ...attributes },
      inside: entries,
      label: null,
    };
    return this.put(root, null);
  }

  /** A unit of one type, the entry with the label: in .debug_info or, in version 4, in .debug_types. */
  typeUnit(signature: bigint, entries: readonly Entry[], label: string): void {
    this.put({ tag: 0x41, attributes: {}, inside: entries, label: null }, { signature, label });
  }

  private put(root: Entry, type: { readonly signature: bigint; readonly label: string } | null): number {
    const info = type !== null && this.version === 4 ? this.section('.debug_types') : this.info;
    const start = info.length;
    const abbreviationsAt = this.abbreviations.length;
    const body = new ByteWriter();
    const labels = new Map<string, number>();
    const references: { readonly at: number; readonly label: string }[] = [];
    const headerSize = (this.version === 5 ? 12 : 11) + (type === null ? 0 : 12) + (this.split === null ? 0 : 8);
    let code = 0;
    const write = (one: Entry): void => {
      if (one.label !== null) labels.set(one.label, headerSize + body.length);
      this.abbreviations.put(Uint8Array.from([...uleb(++code), ...uleb(one.tag), one.inside.length > 0 ? 1 : 0]));
      body.put(Uint8Array.from(uleb(code)));
      for (const [name, value] of Object.entries(one.attributes) as [keyof typeof attribute, Value][]) {
        const { of, bytes } = this.encode(value, (label) => references.push({ at: body.length, label }));
        this.abbreviations.put(Uint8Array.from([...uleb(attribute[name]), ...uleb(of)]));
        body.put(bytes);
      }
      this.abbreviations.u16(0);
      for (const child of one.inside) write(child);
      if (one.inside.length > 0) body.u8(0);
    };
    write(root);
    this.abbreviations.u8(0);
    const bytes = body.done();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (const { at, label } of references) {
      const target = labels.get(label);
      if (target === undefined) throw new Error(`no entry has the label ${label}`);
      view.setUint32(at, target, true);
    }
    info.u32(headerSize - 4 + bytes.length).u16(this.version);
    if (this.version === 5) {
      info
        .u8(this.split !== null ? { skeleton: 4, whole: 5 }[this.split.type] : type === null ? 1 : 2)
        .u8(8)
        .u32(abbreviationsAt);
    } else info.u32(abbreviationsAt).u8(8);
    if (this.split !== null) info.u64(this.split.id);
    if (type !== null) info.u64(type.signature).u32(labels.get(type.label)!);
    info.put(bytes);
    return start;
  }

  /** A line program; files as [name, folder's number]. @returns what DW_AT_stmt_list says */
  lines(
    folders: readonly string[],
    files: readonly (readonly [name: string, folder: number])[],
    rows: readonly LineRow[],
  ): number {
    const at = this.lineBytes.length;
    const tables = new ByteWriter();
    tables
      .u8(1)
      .u8(1)
      .u8(1)
      .u8(0xfb)
      .u8(14)
      .u8(13)
      .put(Uint8Array.from([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]));
    if (this.version === 5) {
      tables.put(Uint8Array.from([1, 1, form.string, ...uleb(folders.length)]));
      for (const folder of folders) tables.text(folder, folder.length + 1);
      tables.put(Uint8Array.from([2, 1, form.string, 2, form.udata, ...uleb(files.length)]));
      for (const [name, folder] of files) tables.text(name, name.length + 1).put(Uint8Array.from(uleb(folder)));
    } else {
      for (const folder of folders) tables.text(folder, folder.length + 1);
      tables.u8(0);
      for (const [name, folder] of files)
        tables.text(name, name.length + 1).put(Uint8Array.from([...uleb(folder), 0, 0]));
      tables.u8(0);
    }
    const program = new ByteWriter();
    let [file, line] = [1, 1];
    let begins = true;
    for (const row of rows) {
      program.put(Uint8Array.from([0, 9, 2])).u64(row[0]);
      if (row[1] === null) {
        program.put(Uint8Array.from([0, 1, 1]));
        [file, line] = [1, 1];
        begins = true;
        continue;
      }
      if (begins !== (row[3] === undefined)) program.u8(6);
      begins = row[3] === undefined;
      if (row[1] !== file) program.put(Uint8Array.from([4, ...uleb(row[1])]));
      program.put(Uint8Array.from([3, ...sleb(row[2]! - line), 1]));
      [file, line] = [row[1], row[2]!];
    }
    const [head, body] = [tables.done(), program.done()];
    const fixed = this.version === 5 ? 8 : 6;
    this.lineBytes.u32(fixed + head.length + body.length).u16(this.version);
    if (this.version === 5) this.lineBytes.u8(8).u8(0);
    this.lineBytes.u32(head.length).put(head).put(body);
    return at;
  }

  /** A list of ranges. @returns what DW_AT_ranges says */
  rangeList(list: readonly (readonly [start: bigint, end: bigint])[]): number {
    const at = this.ranges.length;
    if (this.version === 4) this.ranges.u64(-1).u64(0); // addresses as they are, not from the unit's lowest
    for (const [start, end] of list) {
      if (this.version === 5) this.ranges.u8(6);
      this.ranges.u64(start).u64(end);
    }
    if (this.version === 5) this.ranges.u8(0);
    else this.ranges.u64(0).u64(0);
    return at;
  }

  /** Adds the sections to an ELF file. */
  addTo(elf: ElfWriter): ElfWriter {
    const suffix = this.split?.type === 'whole' ? '.dwo' : '';
    elf
      .section(`.debug_info${suffix}`, { bytes: this.info.done() })
      .section(`.debug_abbrev${suffix}`, { bytes: this.abbreviations.done() });
    elf
      .section(`.debug_str${suffix}`, { bytes: this.strings.done() })
      .section(`.debug_line${suffix}`, { bytes: this.lineBytes.done() });
    elf.section(`${this.version === 5 ? '.debug_rnglists' : '.debug_ranges'}${suffix}`, { bytes: this.ranges.done() });
    for (const [name, bytes] of this.more) elf.section(`${name}${suffix}`, { bytes: bytes.done() });
    return elf;
  }

  elf(): Uint8Array {
    return this.addTo(new ElfWriter()).bytes();
  }

  private encode(value: Value, refer: (label: string) => void): { of: number; bytes: Uint8Array } {
    const out = new ByteWriter();
    if (value === true) return { of: form.flagPresent, bytes: out.done() };
    if (typeof value === 'string') return { of: form.strp, bytes: out.u32(this.string(value)).done() };
    if (typeof value === 'number') return { of: form.data4, bytes: out.u32(value).done() };
    if (typeof value === 'bigint') return { of: form.sdata, bytes: Uint8Array.from(sleb(value)) };
    if ('ref' in value) {
      refer(value.ref);
      return { of: form.ref4, bytes: out.u32(0).done() };
    }
    if ('address' in value) return { of: form.addr, bytes: out.u64(value.address).done() };
    if ('section' in value) return { of: form.secOffset, bytes: out.u32(value.section).done() };
    if ('expression' in value)
      return { of: form.exprloc, bytes: Uint8Array.from([...uleb(value.expression.length), ...value.expression]) };
    return { of: value.form, bytes: Uint8Array.from(value.bytes) };
  }

  private string(text: string): number {
    let at = this.stringOffsets.get(text);
    if (at === undefined) {
      at = this.strings.length;
      this.strings.text(text, text.length + 1);
      this.stringOffsets.set(text, at);
    }
    return at;
  }
}
