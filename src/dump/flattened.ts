// makedumpfile's flattened form (`-F`, and QEMU's default): the bytes of a file as a stream of records, for
// targets that cannot seek (makedumpfile's IMPLEMENTATION and makedumpfile.h, struct makedumpfile_header).
//
//   4096 bytes: "makedumpfile", i64 BE type 1, i64 BE version 1
//   records:    i64 BE offset, i64 BE size, then size bytes that belong at that offset; later ones win
//   end mark:   offset -1, size -1
//
// Read in place, through an index of the records. Both writers fill buffers of one size, so records that
// follow each other in the stream and in the file, and have the same size, are kept as one run:
//
//   stream   |hdr| a |hdr| b |hdr| c |      run = { to: 0x5000, from: offset of a, size, records: 3 }
//   file     | a | b | c |  at 0x5000
import { FormatError } from '../base/errors.ts';
import { count } from '../base/text.ts';
import { type ByteSource, readUpTo } from './byte_source.ts';

const signature = 'makedumpfile\0\0\0\0';
const streamStart = 4096;
const recordHeader = 16;
/** About 100 MB of index. A stream of 1 TiB with the writers' buffers has a tenth of it. */
const mostRuns = 2 * 1024 * 1024;

export function probeFlattened(start: Uint8Array): boolean {
  return Buffer.from(start.subarray(0, signature.length)).toString('latin1') === signature;
}

/** Runs of records, in the order of the stream; struct of arrays. */
class Runs {
  readonly to: number[] = [];
  readonly from: number[] = [];
  readonly size: number[] = [];
  readonly records: number[] = [];

  get length(): number {
    return this.to.length;
  }

  end(run: number): number {
    return this.to[run]! + this.size[run]! * this.records[run]!;
  }

  add(to: number, from: number, size: number): void {
    const last = this.length - 1;
    if (
      last >= 0 &&
      size === this.size[last]! &&
      to === this.end(last) &&
      from === this.from[last]! + (size + recordHeader) * this.records[last]!
    ) {
      this.records[last]!++;
      return;
    }
    this.to.push(to);
    this.from.push(from);
    this.size.push(size);
    this.records.push(1);
  }
}

/** Which run's bytes count where: disjoint pieces [start, end), ascending. */
interface Pieces {
  readonly start: readonly number[];
  readonly end: readonly number[];
  readonly run: readonly number[];
}

/** The file that a flattened stream describes. What no record writes reads as zeroes, as in a sparse file. */
export class FlattenedSource implements ByteSource {
  readonly path: string;
  readonly size: number;
  readonly fileSize: number;
  readonly identity: string;
  readonly flattened = true;
  readonly warnings: readonly string[];
  private readonly stream: ByteSource;
  private readonly runs: Runs;
  private readonly pieces: Pieces;
  private lastPiece = 0;

  /**
   * Reads the header of every record. A stream that is cut gives what it has, with a warning.
   * @param damaged records that make no sense are passed over, up to the next that do
   * @throws FormatError if the stream is of an unknown kind or has not one record
   */
  constructor(stream: ByteSource, damaged = false) {
    this.stream = stream;
    this.path = stream.path;
    this.fileSize = stream.fileSize;
    this.identity = stream.identity;
    const { runs, warnings } = readRuns(stream, damaged);
    this.runs = runs;
    this.warnings = warnings;
    this.pieces = layOut(runs);
    this.size = this.pieces.end.at(-1)!;
  }

  read(offset: number, into: Uint8Array): number {
    const { start, end, run } = this.pieces;
    const length = Math.max(0, Math.min(into.length, this.size - offset));
    let piece = this.pieceAt(offset);
    for (let done = 0; done < length; ) {
      const at = offset + done;
      while (end[piece]! <= at) piece++;
      if (start[piece]! > at) {
        const hole = Math.min(start[piece]! - at, length - done);
        into.fill(0, done, done + hole);
        done += hole;
        continue;
      }
      const of = run[piece]!;
      const size = this.runs.size[of]!;
      const inRun = at - this.runs.to[of]!;
      const inRecord = inRun % size;
      const record = (inRun - inRecord) / size;
      const many = Math.min(size - inRecord, end[piece]! - at, length - done);
      const from = this.runs.from[of]! + record * (size + recordHeader) + inRecord;
      const got = this.stream.read(from, into.subarray(done, done + many));
      done += got;
      if (got < many) return done;
    }
    this.lastPiece = Math.min(piece, end.length - 1);
    return length;
  }

  close(): void {
    this.stream.close();
  }

  /** The first piece that ends beyond `offset`. */
  private pieceAt(offset: number): number {
    const { start, end } = this.pieces;
    if (start[this.lastPiece]! <= offset && offset < end[this.lastPiece]!) return this.lastPiece;
    let low = 0;
    let high = end.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (end[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function readRuns(stream: ByteSource, damaged: boolean): { runs: Runs; warnings: string[] } {
  const what = 'flattened dump';
  const head = readUpTo(stream, 0, streamStart);
  if (head.length < streamStart) throw new FormatError(what, 'the file ends inside its header');
  const headView = new DataView(head.buffer, head.byteOffset);
  const [type, version] = [headView.getBigInt64(16), headView.getBigInt64(24)];
  if (type !== 1n || version !== 1n) {
    throw new FormatError(what, `type ${type} and version ${version}, expected 1 and 1`);
  }
  const runs = new Runs();
  const warnings: string[] = [];
  const window = new RecordWindow(stream);
  let ended = false;
  for (let at = streamStart; !ended; ) {
    if (!window.moveTo(at)) {
      warnings.push('the flattened stream is cut: it has no end mark');
      break;
    }
    const { to, size } = window;
    const from = at + recordHeader;
    if (to === -1 && size === -1) {
      ended = true;
    } else if (damaged && isRecord(to, size) && !isFollowed(stream, at, size)) {
      // what follows is damaged, or this one's size
      const next = nextRecord(stream, from) ?? stream.size;
      const kept = Math.min(size, next - from);
      if (kept > 0) runs.add(to, from, kept);
      at = from + kept;
      warnings.push(`the flattened stream is damaged about offset 0x${at.toString(16)}`);
    } else if (damaged && !isRecord(to, size)) {
      const next = nextRecord(stream, at + 1);
      warnings.push(
        `the flattened stream is damaged from offset 0x${at.toString(16)} ${next === null ? 'on' : `to 0x${next.toString(16)}`}`,
      );
      if (next === null) break;
      at = next;
    } else if (to < 0 || size < 0 || to + size > Number.MAX_SAFE_INTEGER) {
      warnings.push(`the flattened stream has an impossible record at offset 0x${at.toString(16)}; the rest is lost`);
      break;
    } else {
      if (size > 0) runs.add(to, from, Math.min(size, stream.size - from));
      at = from + size;
    }
    if (runs.length > mostRuns) {
      warnings.push(`the flattened stream has more than ${count(mostRuns, 'run')} of records; the rest is lost`);
      break;
    }
  }
  if (runs.length === 0) throw new FormatError(what, 'has no records');
  return { runs, warnings };
}

/** No writer's records are larger: makedumpfile's and inquest's are of 4 MiB at most. */
const largestRecord = 2 ** 28;
/** Records that must follow each other where a stream is taken up again. */
const chain = 4;

/** Whether the record at an offset ends where another begins, or with the stream. */
function isFollowed(stream: ByteSource, at: number, size: number): boolean {
  const end = at + recordHeader + size;
  return end + recordHeader > stream.size || headerAt(stream, end) !== null;
}

function isRecord(to: number, size: number): boolean {
  return to >= 0 && size > 0 && size <= largestRecord && to + size <= Number.MAX_SAFE_INTEGER;
}

function headerAt(stream: ByteSource, at: number): { readonly to: number; readonly size: number } | null {
  const bytes = readUpTo(stream, at, recordHeader);
  if (bytes.length < recordHeader) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [to, size] = [Number(view.getBigInt64(0)), Number(view.getBigInt64(8))];
  return isRecord(to, size) || (to === -1 && size === -1) ? { to, size } : null;
}

/** Where records begin again: several that follow each other, or the last ones of the stream. Null if nowhere. */
function nextRecord(stream: ByteSource, from: number): number | null {
  const step = 1 << 20;
  for (let start = from; start + recordHeader < stream.size; start += step) {
    const bytes = readUpTo(stream, start, step + recordHeader - 1);
    for (let i = 0; i + recordHeader <= bytes.length; i++) {
      // both numbers are far below 2^48: most places are passed at a glance
      if (bytes[i] !== 0 || bytes[i + 1] !== 0 || bytes[i + 8] !== 0 || bytes[i + 9] !== 0) continue;
      if (bytes[i + 10] !== 0 || bytes[i + 11] !== 0) continue;
      if (bytes[i + 12] === 0 && bytes[i + 13] === 0 && bytes[i + 14] === 0 && bytes[i + 15] === 0) continue;
      if (isChain(stream, start + i)) return start + i;
    }
  }
  return null;
}

function isChain(stream: ByteSource, from: number): boolean {
  let at = from;
  for (let i = 0; i < chain; i++) {
    const header = headerAt(stream, at);
    if (header === null) return false;
    if (header.to === -1) return i > 0;
    at += recordHeader + header.size;
    if (at === stream.size) return i > 0;
    if (at > stream.size) return i > 1;
  }
  return true;
}

/** Reads record headers; small records are read many at a time. */
class RecordWindow {
  /** Of the header last moved to: where its bytes belong, and how many; both -1 for the end mark. */
  to = 0;
  size = 0;
  private readonly stream: ByteSource;
  private readonly bytes = new Uint8Array(64 * 1024);
  private readonly view = new DataView(this.bytes.buffer);
  private start = 0;
  private length = 0;
  private previous = 0;

  constructor(stream: ByteSource) {
    this.stream = stream;
  }

  /** Reads the header at `at`; false if the stream ends before or inside its data's first byte. */
  moveTo(at: number): boolean {
    if (at < this.start || at + recordHeader > this.start + this.length) {
      const many = at - this.previous < 4096 ? this.bytes.length : recordHeader;
      this.start = at;
      this.length = this.stream.read(at, this.bytes.subarray(0, many));
    }
    this.previous = at;
    const offset = at - this.start;
    if (this.length - offset < recordHeader) return false;
    this.to = this.i64(offset);
    this.size = this.i64(offset + 8);
    return this.to < 0 || this.size <= 0 || at + recordHeader < this.stream.size;
  }

  private i64(at: number): number {
    return this.view.getInt32(at) * 2 ** 32 + this.view.getUint32(at + 4);
  }
}

/**
 * Sorts runs by where they belong; where they overlap, the one that comes later in the stream wins
 * (makedumpfile writes the header again at the end). A sweep with a heap of the runs that cover the
 * position: n log n, whatever the overlaps.
 */
function layOut(runs: Runs): Pieces {
  const order = Uint32Array.from({ length: runs.length }, (_, i) => i);
  order.sort((a, b) => runs.to[a]! - runs.to[b]! || a - b);
  const start: number[] = [];
  const end: number[] = [];
  const run: number[] = [];
  const covering: number[] = []; // a heap, the latest run on top
  let at = 0;
  for (let next = 0; next < order.length || covering.length > 0; ) {
    while (covering.length > 0 && runs.end(covering[0]!) <= at) popLatest(covering);
    if (covering.length === 0) {
      if (next === order.length) break;
      at = Math.max(at, runs.to[order[next]!]!);
    }
    while (next < order.length && runs.to[order[next]!]! <= at) pushLatest(covering, order[next++]!);
    const top = covering[0];
    if (top === undefined || runs.end(top) <= at) continue;
    const until = next < order.length ? Math.min(runs.end(top), runs.to[order[next]!]!) : runs.end(top);
    if (run.at(-1) === top && end.at(-1) === at) {
      end[end.length - 1] = until;
    } else {
      start.push(at);
      end.push(until);
      run.push(top);
    }
    at = until;
  }
  return { start, end, run };
}

function pushLatest(heap: number[], value: number): void {
  let at = heap.length;
  heap.push(value);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (heap[parent]! >= value) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = value;
}

function popLatest(heap: number[]): void {
  const value = heap.pop()!;
  if (heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && heap[child + 1]! > heap[child]!) child++;
    if (heap[child]! <= value) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = value;
}
