// ELF notes as dumps carry them: a row of { namesz, descsz, type } + name + desc, both padded to 4 bytes
// (elf.h, Elf64_Nhdr). Only what is understood is read; of the rest name, type and size are kept.
//
//   VMCOREINFO 0    text of the kernel        ERASEINFO 0     text of makedumpfile
//   CORE 1          NT_PRSTATUS, one a CPU    QEMU 0          one a CPU
//   INQUEST 1       what a mini dump holds       LINUX 0x700     NT_VMCOREDD, what a driver left of its device
import { latin1 } from '../base/byte_reader.ts';
import { type ByteSource, readUpTo } from './byte_source.ts';
import { type CpuNoteParser, parsePrstatus, parseQemuCpu } from './cpu_notes.ts';
import type { CpuNote, DeviceDump, DumpNotes, MiniNote } from './dump.ts';
import type { FileRange } from './kdump_header.ts';
import { miniNoteOwner, miniNoteType, parseMiniNote } from './mini_note.ts';

const headerSize = 12;
const longestName = 256;
const longestText = 1024 * 1024;
const longestCpu = 16 * 1024;
/** A machine with 8192 CPUs has two notes for each, and device dumps on top. */
const mostNotes = 65536;
const ntPrstatus = 1;
/** NT_VMCOREDD: a name of 44 bytes, then the data (struct vmcoredd_header, include/uapi/linux/vmcore.h, Linux 4.18). */
const ntDeviceDump = 0x700;
const deviceNameSize = 44;

/**
 * Reads every note of the given parts of a file. Notes that are cut or impossible end their part.
 * @param machine as uname names it: whose registers the CPU notes have
 */
export function readNotes(source: ByteSource, ranges: readonly FileRange[], machine: string): MutableNotes {
  const notes: MutableNotes = {
    vmcoreinfo: null,
    cpus: [],
    eraseInfo: null,
    mini: null,
    devices: [],
    all: [],
    warnings: [],
  };
  const counts = { prstatus: 0, qemu: 0 };
  const addCpu = (kind: 'prstatus' | 'qemu', parse: CpuNoteParser, desc: Uint8Array): void => {
    const index = counts[kind]++;
    const cpu = parse(desc, machine);
    if (cpu !== null) notes.cpus.push({ index, source: kind, ...cpu });
  };
  for (const range of ranges) {
    const end = Math.min(range.offset + range.size, source.size);
    if (end < range.offset + range.size) notes.warnings.push('the notes are cut');
    for (let at = range.offset; at + headerSize <= end; ) {
      const header = new DataView(readUpTo(source, at, headerSize).slice().buffer);
      if (header.byteLength < headerSize) break;
      const nameSize = header.getUint32(0, true);
      const size = header.getUint32(4, true);
      const type = header.getUint32(8, true);
      if (nameSize === 0 && size === 0) break; // the kernel ends a CPU's notes with an empty one
      const descAt = at + headerSize + align4(nameSize);
      if (nameSize > longestName || descAt + size > end) {
        notes.warnings.push(
          `a note of 0x${size.toString(16)} bytes at offset 0x${at.toString(16)} is impossible or cut`,
        );
        break;
      }
      const name = latin1(readUpTo(source, at + headerSize, nameSize));
      notes.all.push({ name, type, size });
      if (notes.all.length >= mostNotes) {
        notes.warnings.push(`more than ${mostNotes} notes`);
        return notes;
      }
      const desc = (limit: number): Uint8Array => readUpTo(source, descAt, Math.min(size, limit));
      if (name === 'VMCOREINFO' && type === 0) notes.vmcoreinfo ??= latin1(desc(longestText)) || null;
      else if (name === 'ERASEINFO' && type === 0) notes.eraseInfo ??= latin1(desc(longestText)) || null;
      else if (name === miniNoteOwner && type === miniNoteType) notes.mini ??= parseMiniNote(latin1(desc(longestText)));
      else if (name === 'CORE' && type === ntPrstatus) addCpu('prstatus', parsePrstatus, desc(longestCpu));
      else if (name === 'QEMU' && type === 0) addCpu('qemu', parseQemuCpu, desc(longestCpu));
      else if (name === 'LINUX' && type === ntDeviceDump && size > deviceNameSize) {
        const device = latin1(desc(deviceNameSize)).replace(/\0.*$/s, '');
        notes.devices.push({ name: device, offset: descAt + deviceNameSize, size: size - deviceNameSize });
      }
      at = descAt + align4(size);
    }
  }
  return notes;
}

/** More notes than any machine has, in bytes. */
const mostRaw = 64 * 1024 * 1024;

/** The notes of the given parts of a file, as they stand there. */
export function rawNotes(source: ByteSource, ranges: readonly FileRange[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let size = 0;
  for (const range of ranges) {
    const bytes = readUpTo(source, range.offset, Math.min(range.size, mostRaw - size));
    const whole = bytes.subarray(0, endOfNotes(bytes));
    parts.push(whole);
    size += whole.length;
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** Where the last note ends that is whole. */
function endOfNotes(bytes: Uint8Array): number {
  let end = 0;
  for (const { end: next } of notesIn(bytes)) end = next;
  return end;
}

/** One note among others: offsets in bytes. */
export interface NotePlace {
  readonly name: string;
  readonly type: number;
  readonly start: number;
  readonly desc: number;
  readonly size: number;
  /** Where the next one starts. */
  readonly end: number;
}

/** The notes in some bytes, as far as they are whole. An empty one, with which the kernel ends a CPU's, ends them too. */
export function* notesIn(bytes: Uint8Array): Generator<NotePlace> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let start = 0; start + headerSize <= bytes.length; ) {
    const nameSize = view.getUint32(start, true);
    const size = view.getUint32(start + 4, true);
    const desc = start + headerSize + align4(nameSize);
    const end = desc + align4(size);
    if ((nameSize === 0 && size === 0) || nameSize > longestName || end > bytes.length) return;
    const name = latin1(bytes, start + headerSize, start + headerSize + nameSize);
    yield { name, type: view.getUint32(start + 8, true), start, desc, size, end };
    start = end;
  }
}

/** A note as bytes. */
export function noteBytes(name: string, type: number, desc: Uint8Array): Uint8Array {
  const nameBytes = Buffer.from(`${name}\0`, 'latin1');
  const bytes = Buffer.alloc(headerSize + align4(nameBytes.length) + align4(desc.length));
  bytes.writeUInt32LE(nameBytes.length, 0);
  bytes.writeUInt32LE(desc.length, 4);
  bytes.writeUInt32LE(type, 8);
  bytes.set(nameBytes, headerSize);
  bytes.set(desc, headerSize + align4(nameBytes.length));
  return bytes;
}

/** Text that a header points to (the kdump sub header's VMCOREINFO and erase info); null where there is none. */
export function readText(source: ByteSource, range: FileRange): string | null {
  if (range.size === 0) return null;
  const text = latin1(readUpTo(source, range.offset, Math.min(range.size, longestText)));
  return text === '' ? null : text;
}

function align4(size: number): number {
  return Math.ceil(size / 4) * 4;
}

/** Notes while they are gathered, and what was odd with them. */
export interface MutableNotes extends DumpNotes {
  vmcoreinfo: string | null;
  cpus: CpuNote[];
  eraseInfo: string | null;
  mini: MiniNote | null;
  devices: DeviceDump[];
  all: { name: string; type: number; size: number }[];
  warnings: string[];
}
