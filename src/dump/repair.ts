// Headers of damaged dumps, made anew from what is left: written over the file as it is read, never into it.
//
//   kdump   header <--- its own fields where they can be, else from the sub header
//           sub header <--- its own fields where they can be, else from the header and the notes behind it
//   ELF     header <--- the program headers, which follow it
import { FormatError } from '../base/errors.ts';
import { type ByteSource, readUpTo } from './byte_source.ts';
import { probeElf, readElfCoreHeader } from './elf_header.ts';
import { notesIn } from './elf_notes.ts';
import { kdumpFlags, kdumpSignatures, readKdumpHeader } from './kdump_header.ts';

interface Patch {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A source with some of its bytes replaced. */
class PatchedSource implements ByteSource {
  readonly path: string;
  readonly size: number;
  readonly fileSize: number;
  readonly identity: string;
  readonly flattened: boolean;
  readonly warnings: readonly string[];
  private readonly source: ByteSource;
  private readonly patches: readonly Patch[];

  constructor(source: ByteSource, patches: readonly Patch[], warning: string) {
    this.source = source;
    this.patches = patches;
    this.path = source.path;
    this.size = source.size;
    this.fileSize = source.fileSize;
    this.identity = source.identity;
    this.flattened = source.flattened;
    this.warnings = [...source.warnings, warning];
  }

  read(offset: number, into: Uint8Array): number {
    const got = this.source.read(offset, into);
    for (const { offset: at, bytes } of this.patches) {
      const from = Math.max(at, offset);
      const to = Math.min(at + bytes.length, offset + got);
      if (from < to) into.set(bytes.subarray(from - at, to - at), from - offset);
    }
    return got;
  }

  close(): void {
    this.source.close();
  }
}

/** The source, with a header that can be read if one can be made. What cannot be repaired is given back as it is. */
export function repaired(source: ByteSource): ByteSource {
  if (isReadable(source)) return source;
  for (const [repair, what] of [
    [kdumpPatches, 'the header is damaged: it was made anew'],
    [elfPatches, 'the header is damaged: it was made anew from the program headers'],
  ] as const) {
    const patches = repair(source);
    if (patches === null) continue;
    const patched = new PatchedSource(source, patches, what);
    if (isReadable(patched)) return patched;
  }
  return source;
}

function isReadable(source: ByteSource): boolean {
  try {
    const start = readUpTo(source, 0, 16);
    if (probeElf(start)) readElfCoreHeader(source);
    else if (!kdumpSignatures.includes(Buffer.from(start.subarray(0, 8)).toString('latin1'))) return false;
    else if (!leadsToPages(source)) return false;
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

const headerSize = 464;
const subHeaderSize = 104;
const descriptorSize = 24;
const newestVersion = 6;
const usualBlocks = [4096, 16384, 65536];
/** 64 TiB of 4 KiB pages. */
const mostPages = 2 ** 34;
/** Blocks of notes: registers of 8192 CPUs, and some. */
const mostSubBlocks = 4096;
/** Bytes of notes looked through. */
const mostNotes = 16 * 1024 * 1024;
/** Descriptors looked at to see whether they are any. */
const looked = 64;

/** Whether descriptors of pages are where the header says. One is enough: others may be lost. */
function leadsToPages(source: ByteSource): boolean {
  const { descriptors, blockSize } = readKdumpHeader(source);
  return descriptors >= source.size || isDescriptors(source, descriptors, blockSize);
}

function isDescriptors(source: ByteSource, at: number, blockSize: number): boolean {
  const bytes = readUpTo(source, at, looked * descriptorSize);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i + descriptorSize <= bytes.length; i += descriptorSize) {
    const offset = Number(view.getBigUint64(i, true));
    const [size, flags] = [view.getUint32(i + 8, true), view.getUint32(i + 12, true)];
    if (offset > at && size > 0 && size <= blockSize && [0, 1, 2, 4, 0x20].includes(flags)) return true;
  }
  // nothing was written yet, or nothing of it is left
  return bytes.every((byte) => byte === 0);
}

/** Null where not enough is left. */
function kdumpPatches(source: ByteSource): Patch[] | null {
  const old = readUpTo(source, 0, headerSize);
  if (old.length < headerSize) return null;
  const head = Buffer.from(old);
  const named = head.readInt32LE(428);
  for (const blockSize of new Set([named, ...usualBlocks])) {
    if (!usualBlocks.includes(blockSize) && (blockSize < 4096 || blockSize > 2 ** 18 || blockSize & (blockSize - 1))) {
      continue;
    }
    const sub = Buffer.from(readUpTo(source, blockSize, subHeaderSize));
    if (sub.length < subHeaderSize) continue;
    const notesSize = Number(sub.readBigUInt64LE(56));
    const isSubWhole =
      Number(sub.readBigUInt64LE(48)) === blockSize + subHeaderSize && notesSize < mostSubBlocks * blockSize;
    const fromSub = Number(sub.readBigUInt64LE(96));
    const ofNotes = Math.ceil((subHeaderSize + (isSubWhole ? notesSize : notesBehind(source, blockSize))) / blockSize);
    for (const maxMapnr of [fromSub, head.readUInt32LE(440), pagesBefore(source, blockSize, ofNotes)]) {
      if (maxMapnr === 0 || maxMapnr > mostPages) continue;
      const bitmapBlocks = 2 * Math.ceil(maxMapnr / 8 / blockSize);
      for (const subBlocks of new Set([head.readInt32LE(432), ofNotes])) {
        if (subBlocks < 1 || subBlocks > mostSubBlocks) continue;
        const descriptors = (1 + subBlocks + bitmapBlocks) * blockSize;
        if (descriptors + descriptorSize > source.size || !isDescriptors(source, descriptors, blockSize)) continue;
        return [
          { offset: 0, bytes: headerOf(head, { blockSize, subBlocks, bitmapBlocks, maxMapnr }) },
          {
            offset: blockSize,
            bytes: isSubWhole ? withPages(sub, maxMapnr) : subHeaderOf(source, blockSize, subBlocks, maxMapnr),
          },
        ];
      }
    }
  }
  return null;
}

/** Bytes of the notes behind where the sub header was. */
function notesBehind(source: ByteSource, blockSize: number): number {
  let end = 0;
  for (const note of notesIn(readUpTo(source, blockSize + subHeaderSize, mostNotes))) end = note.end;
  return end;
}

/** How many page frames bitmaps can have that end where descriptors begin; 0 if descriptors are found nowhere. */
function pagesBefore(source: ByteSource, blockSize: number, subBlocks: number): number {
  const start = (1 + subBlocks) * blockSize;
  for (let blocks = 1; blocks <= mostPages / 8 / blockSize; blocks++) {
    const at = start + 2 * blocks * blockSize;
    if (at + descriptorSize > source.size) return 0;
    const first = readUpTo(source, at, descriptorSize);
    if (first.some((byte) => byte !== 0) && isDescriptors(source, at, blockSize)) return blocks * blockSize * 8;
  }
  return 0;
}

function headerOf(
  old: Buffer,
  sizes: { blockSize: number; subBlocks: number; bitmapBlocks: number; maxMapnr: number },
): Uint8Array {
  const bytes = Buffer.alloc(headerSize);
  const isKdump = kdumpSignatures.includes(old.subarray(0, 8).toString('latin1'));
  if (isKdump) old.copy(bytes); // names, time, status
  bytes.write('KDUMP   ', 0, 'latin1');
  const version = old.readInt32LE(8);
  bytes.writeInt32LE(isKdump && version >= 1 && version <= newestVersion ? version : newestVersion, 8);
  bytes.writeUInt32LE((isKdump ? old.readUInt32LE(424) & 0x27 : 0) | kdumpFlags.incomplete, 424);
  bytes.writeInt32LE(sizes.blockSize, 428);
  bytes.writeInt32LE(sizes.subBlocks, 432);
  bytes.writeUInt32LE(sizes.bitmapBlocks, 436);
  bytes.writeUInt32LE(Math.min(sizes.maxMapnr, 0xffff_ffff), 440);
  return bytes;
}

function withPages(sub: Buffer, maxMapnr: number): Uint8Array {
  const bytes = Buffer.from(sub);
  bytes.writeBigUInt64LE(BigInt(maxMapnr), 96);
  return bytes;
}

/** A sub header made of the notes that lie behind it. What was left out is not known: it may have been anything. */
function subHeaderOf(source: ByteSource, blockSize: number, subBlocks: number, maxMapnr: number): Uint8Array {
  const notesAt = blockSize + subHeaderSize;
  const notes = readUpTo(source, notesAt, subBlocks * blockSize - subHeaderSize);
  const bytes = Buffer.alloc(subHeaderSize);
  bytes.writeInt32LE(31, 8);
  let end = 0;
  for (const note of notesIn(notes)) {
    end = note.end;
    if (note.name !== 'VMCOREINFO' || note.type !== 0) continue;
    bytes.writeBigUInt64LE(BigInt(notesAt + note.desc), 32);
    bytes.writeBigUInt64LE(BigInt(note.size), 40);
  }
  bytes.writeBigUInt64LE(BigInt(notesAt), 48);
  bytes.writeBigUInt64LE(BigInt(end), 56);
  return withPages(bytes, maxMapnr);
}

const elfHeaderSize = 64;
const programHeaderSize = 56;
const sectionHeaderSize = 64;
const mostHeaders = 4 * 1024 * 1024;
const machineAt = 18;
const x86 = 62;
const knownMachines: readonly number[] = [x86, 183];

/** Null where no program headers follow. */
function elfPatches(source: ByteSource): Patch[] | null {
  const count = programHeadersIn(source);
  if (count === 0) return null;
  const old = Buffer.from(readUpTo(source, 0, elfHeaderSize));
  const machine = old.readUInt16LE(machineAt);
  const bytes = Buffer.alloc(elfHeaderSize);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes.writeUInt16LE(4, 16); // ET_CORE
  bytes.writeUInt16LE(knownMachines.includes(machine) ? machine : x86, machineAt);
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(BigInt(elfHeaderSize), 32);
  bytes.writeUInt32LE(1, 48); // makedumpfile's mark of an incomplete dump
  bytes.writeUInt16LE(elfHeaderSize, 52);
  bytes.writeUInt16LE(programHeaderSize, 54);
  if (count < 0xffff) {
    bytes.writeUInt16LE(count, 56);
    return [{ offset: 0, bytes }];
  }
  const sectionAt = elfHeaderSize + count * programHeaderSize;
  bytes.writeBigUInt64LE(BigInt(sectionAt), 40);
  bytes.writeUInt16LE(0xffff, 56);
  bytes.writeUInt16LE(sectionHeaderSize, 58);
  bytes.writeUInt16LE(1, 60);
  const section = Buffer.alloc(sectionHeaderSize);
  section.writeUInt32LE(count, 44); // sh_info
  return [
    { offset: 0, bytes },
    { offset: sectionAt, bytes: section },
  ];
}

/** How many program headers of a dump stand behind where the header was. */
function programHeadersIn(source: ByteSource): number {
  const perRead = 4096;
  for (let found = 0; found < mostHeaders; ) {
    const table = readUpTo(source, elfHeaderSize + found * programHeaderSize, perRead * programHeaderSize);
    const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
    for (let at = 0; at + programHeaderSize <= table.length; at += programHeaderSize, found++) {
      const type = view.getUint32(at, true);
      const flags = view.getUint32(at + 4, true);
      const [fileSize, memorySize] = [view.getBigUint64(at + 32, true), view.getBigUint64(at + 40, true)];
      const offset = view.getBigUint64(at + 8, true);
      if ((type !== 1 && type !== 4) || flags > 7 || offset === 0n || memorySize < fileSize) return found;
    }
    if (table.length < perRead * programHeaderSize) return found;
  }
  return mostHeaders;
}
