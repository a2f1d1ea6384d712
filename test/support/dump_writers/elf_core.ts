// Makes an ELF core from a few lines:
//
//   writeElfCore({ segments: [{ address: 0x1000, bytes: page(7) }], notes: [vmcoreinfoNote('OSRELEASE=6.1\n')] })
import { ByteWriter } from './byte_writer.ts';
import { type Note, writeNotes } from './notes.ts';

export interface ElfSegment {
  /** Physical address in bytes. */
  readonly address: number | bigint;
  readonly bytes: Uint8Array;
  /** p_memsz; the number of bytes if not given. */
  readonly memorySize?: number | bigint;
}

export interface ElfCoreOptions {
  readonly segments: readonly ElfSegment[];
  /** Each becomes a PT_NOTE segment of its own; one row of notes makes one segment. */
  readonly notes?: readonly Note[] | readonly (readonly Note[])[];
  /** e_machine: 62 (x86_64) if not given; 183 is aarch64. */
  readonly machine?: number;
  /** e_type: 4 (core) if not given. */
  readonly type?: number;
  readonly flags?: number;
  readonly wordSize?: 32 | 64;
  readonly littleEndian?: boolean;
  /** Puts the number of program headers into section 0, as files with 65535 and more do. */
  readonly countInSection?: boolean;
  /** Changes numbers on their way into the header. */
  readonly lies?: { readonly programHeaders?: number; readonly programHeaderSize?: number; readonly sections?: number };
}

const headerSize = 64;
const programHeaderSize = 56;
const sectionHeaderSize = 64;

export function writeElfCore(options: ElfCoreOptions): Uint8Array {
  const { segments, lies = {}, littleEndian = true, wordSize = 64 } = options;
  const noteSegments = isNested(options.notes) ? options.notes : options.notes === undefined ? [] : [options.notes];
  const noteBytes = noteSegments.map((notes) => writeNotes(notes, littleEndian));
  const count = noteBytes.length + segments.length;
  const inSection = options.countInSection ?? count >= 0xffff;
  const sectionAt = headerSize + count * programHeaderSize;
  let dataAt = sectionAt + (inSection ? sectionHeaderSize : 0);

  const writer = new ByteWriter(littleEndian);
  writer.put(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, wordSize === 64 ? 2 : 1, littleEndian ? 1 : 2, 1)).padTo(16);
  writer
    .u16(options.type ?? 4)
    .u16(options.machine ?? 62)
    .u32(1)
    .u64(0)
    .u64(headerSize);
  writer
    .u64(lies.sections ?? (inSection ? sectionAt : 0))
    .u32(options.flags ?? 0)
    .u16(headerSize);
  writer.u16(lies.programHeaderSize ?? programHeaderSize).u16(inSection ? 0xffff : (lies.programHeaders ?? count));
  writer
    .u16(sectionHeaderSize)
    .u16(inSection ? 1 : 0)
    .u16(0);

  const programHeader = (type: number, address: number | bigint, size: number, memory: number | bigint): void => {
    writer.u32(type).u32(0).u64(dataAt).u64(0).u64(address).u64(size).u64(memory).u64(0);
    dataAt += size;
  };
  for (const bytes of noteBytes) programHeader(4, 0, bytes.length, bytes.length);
  for (const { address, bytes, memorySize } of segments) {
    programHeader(1, address, bytes.length, memorySize ?? bytes.length);
  }
  if (inSection)
    writer
      .zeroes(44)
      .u32(lies.programHeaders ?? count)
      .zeroes(16);
  for (const bytes of noteBytes) writer.put(bytes);
  for (const { bytes } of segments) writer.put(bytes);
  return writer.done();
}

function isNested(notes: ElfCoreOptions['notes']): notes is readonly (readonly Note[])[] {
  return notes !== undefined && notes.length > 0 && Array.isArray(notes[0]);
}
