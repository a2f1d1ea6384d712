// pstore stores a dying kernel's log in parts, newest first: `Panic#1 Part1` is the end of the log. Files joined in
// name order are put back into the order of time; files joined in time order (as systemd-pstore does) pass.
//
// fs/pstore/platform.c: pstore_dump() writes `%s#%d Part%u\n`.
import type { LogLine } from './log_line.ts';

const header = /^(Panic|Oops|Emergency|Shutdown|Halt|Poweroff|Restart|Unknown)#(\d{1,10}) Part(\d{1,6})\s*$/;
const maxHeld = 20_000;

export class PstoreOrder {
  private set: string | undefined;
  private part = 0;
  private parts: { part: number; lines: LogLine[] }[] = [];
  private held = 0;
  private passing = false;

  /** Whether lines are being held back. */
  get holding(): boolean {
    return this.parts.length > 0;
  }

  /** Gives the lines that may go on, in order of time. */
  push(line: LogLine): LogLine[] {
    const m = line.text.length < 64 && line.text.includes('#') ? header.exec(line.text) : null;
    if (m === null) {
      const last = this.parts.at(-1);
      if (last === undefined) return [line];
      last.lines.push(line);
      if (++this.held <= maxHeld) return [];
      this.passing = true;
      return this.flush();
    }
    const set = `${m[1]}#${m[2]}`;
    const part = Number(m[3]);
    const out: LogLine[] = [];
    if (set !== this.set) {
      out.push(...this.flush());
      this.set = set;
      this.passing = part === 1 ? false : this.passing && false;
    } else if (part < this.part) {
      // descending: already in order of time
      out.push(...this.flush());
      this.set = set;
      this.passing = true;
    }
    this.part = part;
    if (!this.passing) this.parts.push({ part, lines: [] });
    return out;
  }

  flush(): LogLine[] {
    const lines = this.parts.sort((a, b) => b.part - a.part).flatMap((part) => part.lines);
    this.parts = [];
    this.held = 0;
    return lines;
  }
}
