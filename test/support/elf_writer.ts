// Writes ELF objects from a list of sections: vmlinux, modules, their debug files.
//
//   new ElfWriter('relocatable').section('.text', { code: true, bytes }).symbol('f', '.text', 0x10n).bytes()
import type { ByteSource } from '../../src/dump/byte_source.ts';
import { ByteWriter } from './dump_writers/byte_writer.ts';

export interface SectionSpec {
  readonly bytes?: Uint8Array;
  /** Bytes in memory of a section without content (SHT_NOBITS). */
  readonly noBits?: number;
  readonly address?: bigint;
  /** Is loaded; `code` is loaded and executable. */
  readonly loaded?: boolean;
  readonly code?: boolean;
  /** sh_type, where it is not PROGBITS, NOBITS or, by the name, NOTE. */
  readonly type?: number;
  readonly flags?: number;
}

/** Offset in a section of 8 bytes (or 4) that become the address of a symbol and a sum. */
export interface RelocationSpec {
  readonly at: number;
  readonly symbol: string;
  readonly addend?: bigint;
  /** R_X86_64_64 unless given. */
  readonly type?: number;
}

interface Header {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly type: number;
  readonly flags: number;
  readonly address: bigint;
  readonly size: number;
  readonly link: number;
  readonly info: number;
}

const kinds = { relocatable: 1, executable: 2, shared: 3, core: 4 } as const;

export class ElfWriter {
  private readonly kind: keyof typeof kinds;
  private readonly machine: number;
  private readonly sections: { readonly name: string; readonly spec: SectionSpec }[] = [];
  private readonly symbols: { readonly name: string; readonly section: string; readonly value: bigint }[] = [];
  private readonly relocations: { readonly section: string; readonly list: readonly RelocationSpec[] }[] = [];

  constructor(kind: keyof typeof kinds = 'executable', machine = 62) {
    this.kind = kind;
    this.machine = machine;
  }

  section(name: string, spec: SectionSpec): this {
    this.sections.push({ name, spec });
    return this;
  }

  symbol(name: string, section: string, value: bigint): this {
    this.symbols.push({ name, section, value });
    return this;
  }

  relocate(section: string, list: readonly RelocationSpec[]): this {
    this.relocations.push({ section, list });
    return this;
  }

  buildId(hex: string): this {
    const id = Buffer.from(hex, 'hex');
    const note = new ByteWriter()
      .u32(4)
      .u32(id.length)
      .u32(3)
      .text('GNU', 4)
      .put(id)
      .zeroes((4 - (id.length % 4)) % 4);
    return this.section('.note.gnu.build-id', { bytes: note.done(), type: 7, loaded: true });
  }

  /** The bytes of a section as they were given. */
  content(name: string): Uint8Array {
    return this.sections.find((section) => section.name === name)?.spec.bytes ?? new Uint8Array(0);
  }

  bytes(): Uint8Array {
    const headers: Header[] = [plain('', { type: 0 })];
    for (const { name, spec } of this.sections) headers.push(plain(name, spec));
    const indexOf = (name: string): number => headers.findIndex((header) => header.name === name);
    if (this.symbols.length > 0) {
      const strings = new StringTable();
      const table = new ByteWriter().zeroes(24);
      for (const { name, section, value } of this.symbols) {
        table.u32(strings.add(name)).u8(0x12).u8(0).u16(indexOf(section)).u64(value).u64(0);
      }
      const link = headers.length + 1;
      headers.push(
        { ...plain('.symtab', { bytes: table.done(), type: 2 }), link },
        plain('.strtab', { bytes: strings.bytes(), type: 3 }),
      );
    }
    for (const { section, list } of this.relocations) {
      const table = new ByteWriter();
      for (const { at, symbol, addend = 0n, type = 1 } of list) {
        const index = this.symbols.findIndex(({ name }) => name === symbol) + 1;
        table.u64(at).u32(type).u32(index).u64(addend);
      }
      headers.push({
        ...plain(`.rela${section}`, { bytes: table.done(), type: 4 }),
        link: indexOf('.symtab'),
        info: indexOf(section),
      });
    }
    return this.layOut(headers);
  }

  private layOut(headers: Header[]): Uint8Array {
    const names = new StringTable();
    for (const { name } of headers) names.add(name);
    const last = names.add('.shstrtab');
    headers.push(plain('.shstrtab', { bytes: names.bytes(), type: 3 }));
    const out = new ByteWriter().zeroes(64);
    const offsets = headers.map(({ bytes }) => {
      out.zeroes((8 - (out.length % 8)) % 8);
      const at = out.length;
      out.put(bytes);
      return at;
    });
    out.zeroes((8 - (out.length % 8)) % 8);
    const tableAt = out.length;
    for (const [i, header] of headers.entries()) {
      out
        .u32(i === headers.length - 1 ? last : names.add(header.name))
        .u32(header.type)
        .u64(header.flags);
      out.u64(header.address).u64(offsets[i]!).u64(header.size).u32(header.link).u32(header.info).u64(8);
      out.u64(header.type === 2 || header.type === 4 ? 24 : 0);
    }
    const file = out.done();
    const start = new ByteWriter().put(Buffer.from('\x7fELF\x02\x01\x01', 'latin1')).zeroes(9);
    start.u16(kinds[this.kind]).u16(this.machine).u32(1).u64(0).u64(0).u64(tableAt).u32(0);
    start
      .u16(64)
      .u16(56)
      .u16(0)
      .u16(64)
      .u16(headers.length)
      .u16(headers.length - 1);
    file.set(start.done());
    return file;
  }
}

function plain(name: string, spec: SectionSpec): Header {
  const { bytes = new Uint8Array(0), noBits, address = 0n, loaded = false, code = false } = spec;
  const type = spec.type ?? (noBits !== undefined ? 8 : 1);
  const flags = spec.flags ?? (code ? 6 : loaded ? 2 : 0);
  return { name, bytes, type, flags, address, size: noBits ?? bytes.length, link: 0, info: 0 };
}

class StringTable {
  private readonly offsets = new Map<string, number>([['', 0]]);
  private readonly parts: Buffer[] = [Buffer.from('\0')];
  private length = 1;

  add(text: string): number {
    const known = this.offsets.get(text);
    if (known !== undefined) return known;
    const at = this.length;
    const bytes = Buffer.from(`${text}\0`, 'latin1');
    this.parts.push(bytes);
    this.length += bytes.length;
    this.offsets.set(text, at);
    return at;
  }

  bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.parts));
  }
}

/** Bytes as a file. */
export function memoryFile(bytes: Uint8Array, path = 'file'): ByteSource {
  return {
    path,
    size: bytes.length,
    fileSize: bytes.length,
    identity: path,
    flattened: false,
    warnings: [],
    read(offset, into) {
      const part = bytes.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    },
    close: () => {},
  };
}
