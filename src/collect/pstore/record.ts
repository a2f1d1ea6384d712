// One record of a pstore: what a dying kernel (or one that ran before) left, with what its storage says of it.
import { type Compression, decompressRecord, isText } from './decompress.ts';

/** Where records were kept. `pstore`: a mounted directory or an archive whose backend the file's name does not tell. */
export type Backend = 'ramoops' | 'efi' | 'erst' | 'blk' | 'mtdoops' | 'mtdpstore' | 'nvram' | 'opal' | 'pstore';

/** `dmesg` the end of the log at a death, `console` what went to the console, `pmsg` what programs wrote. */
export type RecordType = 'dmesg' | 'console' | 'ftrace' | 'pmsg' | 'mce' | 'other';

export interface Ecc {
  /** Bytes that were wrong and could be put right, in header and data. */
  readonly corrected: number;
  /** Blocks (of 128 bytes mostly) that are too damaged for that. */
  readonly unrecoverable: number;
}

export interface PstoreRecord {
  /** File that it was read from. */
  readonly source: string;
  /** Offset of the record in the file, in bytes. */
  readonly offset: number;
  readonly backend: Backend;
  readonly type: RecordType;
  /** Why the kernel wrote it: `Panic`, `Oops`, ...; null: the record does not say. */
  readonly reason: string | null;
  /** Which of the boot's oopses it is about, from 1. */
  readonly count: number | null;
  /** Part of the log: 1 is its end. */
  readonly part: number | null;
  /** When it was written, in seconds since 1970. */
  readonly time: number | null;
  /** How it was compressed; null: it was not. */
  readonly compression: Compression | null;
  readonly ecc: Ecc | null;
  /** What is wrong with it, in words. */
  readonly problems: readonly string[];
  /** Text, decompressed, without pstore's own header; other records as they are. */
  readonly content: Uint8Array;
}

/** What a backend says of a record before its content is looked at. */
export interface RawRecord {
  readonly source: string;
  readonly offset: number;
  readonly backend: Backend;
  readonly type: RecordType;
  /** null: the storage does not say, so that it is tried. */
  readonly compressed: boolean | null;
  readonly content: Uint8Array;
  readonly reason?: string | null;
  readonly count?: number | null;
  readonly part?: number | null;
  readonly time?: number | null;
  readonly ecc?: Ecc | null;
  readonly problems?: readonly string[];
}

/** fs/pstore/platform.c: pstore_dump(); kmsg_dump_reason_str(). */
const header = /^(Panic|Oops|Emergency|Shutdown|Restart|Halt|Poweroff|Unknown)#(\d{1,10}) Part(\d{1,6})\r?\n/;
/** fs/pstore/ram_core.c: persistent_ram_ecc_string(), appended to what a mounted pstore shows. */
const eccNote = /\n?ECC: (?:(\d{1,10}) Corrected bytes, (\d{1,10}) unrecoverable blocks|No errors detected)\n?$/;

/**
 * Bytes that the records of one place may come to, with all that was unpacked in vain: a few bytes may claim to be millions,
 * and several records to be the same bytes.
 */
const maxTogether = 256 * 1024 * 1024;
/** The log of a death, in bytes: no kernel's log buffer is larger. */
const maxLog = 16 * 1024 * 1024;

/** Reads the records of one place, up to as many as memory can hold. */
export class RecordReader {
  private readonly most: number;
  private left: number;

  constructor(most = maxTogether) {
    this.most = most;
    this.left = most;
  }

  /** What there is to say of records that are left out; null: nothing is. */
  get problem(): string | null {
    return this.left >= 0 ? null : `its records come to more than ${this.most >> 20} MiB; the rest is left out`;
  }

  /** Null: there were too many before it. */
  read(raw: RawRecord): PstoreRecord | null {
    if (this.left < 0) return null;
    const record = readRecord(raw, (bytes) => {
      this.left -= bytes;
    });
    this.left -= record.content.length;
    return record;
  }
}

/**
 * Reads a record's content: decompresses it, and takes off what pstore put before and behind the text.
 * @param charge told how many bytes were unpacked
 */
export function readRecord(raw: RawRecord, charge: (bytes: number) => void): PstoreRecord {
  const problems = [...(raw.problems ?? [])];
  let { content } = raw;
  if (raw.type === 'dmesg' && content.length > maxLog) {
    problems.push(`${content.length} bytes, which no log of a death has: its end is left out`);
    content = content.subarray(0, maxLog);
  }
  let compression: Compression | null = null;
  const textual = raw.type === 'dmesg' || raw.type === 'console';
  if (raw.type === 'dmesg' && (raw.compressed ?? !isText(content))) {
    const unpacked = decompressRecord(content, charge);
    if (unpacked === null) problems.push('compressed in a way that is not known, or damaged at its beginning');
    else {
      ({ content, compression } = unpacked);
      if (unpacked.cut) problems.push('cut: its last lines are missing');
    }
  }
  let { reason = null, count = null, part = null, ecc = null } = raw;
  if (textual) {
    const start = Buffer.from(content.subarray(0, 64)).toString('latin1');
    const m = header.exec(start);
    if (m !== null) {
      reason ??= m[1]!;
      count ??= Number(m[2]);
      part ??= Number(m[3]);
      content = content.subarray(m[0].length);
    }
    const end = Buffer.from(content.subarray(Math.max(0, content.length - 80))).toString('latin1');
    const note = eccNote.exec(end);
    if (note !== null) {
      ecc ??= { corrected: Number(note[1] ?? 0), unrecoverable: Number(note[2] ?? 0) };
      content = content.subarray(0, content.length - note[0].length);
    }
    content = withoutPadding(content);
  }
  if (ecc !== null && ecc.unrecoverable > 0)
    problems.push(`${ecc.unrecoverable} blocks are damaged beyond what their parity can correct`);
  const { source, offset, backend, type, time = null } = raw;
  return { source, offset, backend, type, reason, count, part, time, compression, ecc, problems, content };
}

/** Text without the NULs and 0xff (flash that was erased) behind it. */
function withoutPadding(content: Uint8Array): Uint8Array {
  let end = content.length;
  while (end > 0 && (content[end - 1] === 0 || content[end - 1] === 0xff)) end--;
  return content.subarray(0, end);
}
