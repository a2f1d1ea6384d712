// The layout of a core file: headers and notes (fs/binfmt_elf.c; uapi/linux/elf.h, uapi/linux/elfcore.h).

const PT_LOAD = 1;
const PT_NOTE = 4;
const ET_CORE = 4;
/** More program headers than this stand in a section header's sh_info (PN_XNUM). */
const manySegments = 0xffff;
const headerSize = 64;
const segmentSize = 56;
const sectionSize = 64;

/** A piece of the process's memory. */
export interface CoreSegment {
  readonly start: bigint;
  /** Exclusive. */
  readonly end: bigint;
  /** Of the memory: 4 read, 2 write, 1 execute (PF_*). */
  readonly flags: number;
  /** Whether the file has its bytes. */
  readonly present: boolean;
}

/**
 * What a core file begins with; behind it follow the bytes of the segments that are present, in their order.
 * @param machine ELF's number of the architecture
 * @param notes all notes, one behind another
 * @returns whole pages
 */
export function coreFileHead(
  machine: number,
  notes: Uint8Array,
  segments: readonly CoreSegment[],
  pageSize: number,
): Uint8Array {
  const count = segments.length + 1;
  const extended = count >= manySegments;
  const headers = headerSize + count * segmentSize + (extended ? sectionSize : 0);
  const head = Buffer.alloc(Math.ceil((headers + notes.length) / pageSize) * pageSize);
  writeHeader(head, machine, count, extended);
  writeSegment(head, headerSize, {
    type: PT_NOTE,
    flags: 0,
    offset: headers,
    address: 0n,
    fileSize: notes.length,
    size: 0,
    align: 4,
  });
  let offset = head.length;
  for (const [i, { start, end, flags, present }] of segments.entries()) {
    const size = Number(end - start);
    const fileSize = present ? size : 0;
    const at = headerSize + (i + 1) * segmentSize;
    writeSegment(head, at, { type: PT_LOAD, flags, offset, address: start, fileSize, size, align: pageSize });
    offset += fileSize;
  }
  if (extended) head.writeUInt32LE(count, headers - sectionSize + 44); // sh_info
  head.set(notes, headers);
  return head;
}

/** One of the notes, of those whose owner is "CORE". */
export function note(type: number, content: Uint8Array): Uint8Array {
  const head = Buffer.alloc(20);
  head.writeUInt32LE(5, 0);
  head.writeUInt32LE(content.length, 4);
  head.writeUInt32LE(type, 8);
  head.write('CORE\0', 12, 'latin1');
  const padding = Buffer.alloc((4 - (content.length % 4)) % 4);
  return Buffer.concat([head, content, padding]);
}

function writeHeader(bytes: Buffer, machine: number, segments: number, extended: boolean): void {
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // ELF, 64 bits, little endian, version 1
  bytes.writeUInt16LE(ET_CORE, 16);
  bytes.writeUInt16LE(machine, 18);
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(BigInt(headerSize), 32); // e_phoff
  bytes.writeUInt16LE(headerSize, 52);
  bytes.writeUInt16LE(segmentSize, 54);
  bytes.writeUInt16LE(extended ? manySegments : segments, 56);
  if (!extended) return;
  bytes.writeBigUInt64LE(BigInt(headerSize + segments * segmentSize), 40); // e_shoff
  bytes.writeUInt16LE(sectionSize, 58);
  bytes.writeUInt16LE(1, 60);
}

function writeSegment(
  bytes: Buffer,
  at: number,
  {
    type,
    flags,
    offset,
    address,
    fileSize,
    size,
    align,
  }: {
    readonly type: number;
    readonly flags: number;
    readonly offset: number;
    readonly address: bigint;
    readonly fileSize: number;
    readonly size: number;
    readonly align: number;
  },
): void {
  bytes.writeUInt32LE(type, at);
  bytes.writeUInt32LE(flags, at + 4);
  bytes.writeBigUInt64LE(BigInt(offset), at + 8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, address), at + 16);
  bytes.writeBigUInt64LE(BigInt(fileSize), at + 32);
  bytes.writeBigUInt64LE(BigInt(size), at + 40);
  bytes.writeBigUInt64LE(BigInt(align), at + 48);
}
