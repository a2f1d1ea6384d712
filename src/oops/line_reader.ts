// A stream of bytes as kernel messages, one by one, in constant memory: for who wants the log itself, not
// the incidents in it.
import type { LogLine } from './log_line.ts';
import { RecordReader } from './records.ts';

/** Longest line that is looked at, in bytes; the rest of a longer one is passed over. */
const maxLine = 64 * 1024;

export class LineReader {
  private readonly records = new RecordReader();
  private carry: Buffer = Buffer.alloc(0);
  /** Offset in the input of the first byte of `carry`. */
  private offset = 0;
  private number = 0;
  private skipping = false;

  /** Reads more bytes. Returns the messages that are complete by now, those of other programs (`foreign`) among them. */
  push(chunk: Uint8Array): LogLine[] {
    const bytes = Buffer.concat([this.carry, chunk]);
    const lines: LogLine[] = [];
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      if (this.skipping) this.skipping = false;
      else lines.push(...this.line(bytes, start, end));
      start = end + 1;
    }
    if (bytes.length - start > maxLine) {
      if (!this.skipping) lines.push(...this.line(bytes, start, bytes.length));
      this.skipping = true;
      start = bytes.length;
    }
    this.carry = Buffer.from(bytes.subarray(start));
    this.offset += start;
    return lines;
  }

  /** The input is over. */
  end(): LogLine[] {
    const last = this.carry.length > 0 && !this.skipping ? this.line(this.carry, 0, this.carry.length) : [];
    return [...last, ...this.records.flush()];
  }

  private line(bytes: Buffer, start: number, end: number): LogLine[] {
    this.number++;
    const stop = Math.min(bytes[end - 1] === 13 ? end - 1 : end, start + maxLine);
    return this.records.read(bytes.toString('utf8', start, stop), this.offset + start, this.offset + end, this.number);
  }
}
