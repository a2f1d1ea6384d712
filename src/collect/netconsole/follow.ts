// Plain logs of a serial console server (conserver, ttylog), followed while they grow, through rotation: a file that was
// renamed is read to its end before the new one, and one that was cut is read from its beginning.
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import type { Incident } from '../../oops/incident.ts';
import { LogScanner } from '../../oops/scanner.ts';

const chunk = 256 * 1024;
/** Most that is read from one file before others get their turn, in bytes. */
const maxAtOnce = 8 << 20;
/** After so many ms without a line a report is over. */
const quiet = 3000;

export class FollowedFile {
  readonly path: string;
  private readonly tell: (incident: Incident) => void;
  private readonly scanner = new LogScanner();
  private fd: number | null = null;
  private inode = 0;
  private device = 0;
  private offset = 0;
  private lastRead = 0;
  private unsettled = false;
  private readonly buffer = Buffer.alloc(chunk);

  /** @param fromStart false: what is in the file already is passed over */
  constructor(path: string, fromStart: boolean, tell: (incident: Incident) => void) {
    this.path = path;
    this.tell = tell;
    this.open();
    if (this.fd !== null && !fromStart) this.offset = fstatSync(this.fd).size;
  }

  /** To be called a few times a second. @param now in ms */
  tick(now: number): void {
    if (this.fd === null) this.open();
    if (this.fd !== null) {
      if (fstatSync(this.fd).size < this.offset) this.offset = 0;
      this.read(now);
      if (this.wasReplaced()) {
        this.read(now);
        closeSync(this.fd);
        this.fd = null;
        this.open();
        this.read(now);
      }
    }
    if (this.unsettled && now - this.lastRead >= quiet) {
      this.unsettled = false;
      for (const incident of this.scanner.end()) this.tell(incident);
    }
  }

  end(): void {
    for (const incident of this.scanner.end()) this.tell(incident);
    if (this.fd !== null) closeSync(this.fd);
    this.fd = null;
  }

  private open(): void {
    try {
      this.fd = openSync(this.path, 'r');
    } catch {
      return; // not there yet, or being rotated: looked for again
    }
    const { ino, dev } = fstatSync(this.fd);
    this.inode = ino;
    this.device = dev;
    this.offset = 0;
  }

  private wasReplaced(): boolean {
    try {
      const { ino, dev } = statSync(this.path);
      return ino !== this.inode || dev !== this.device;
    } catch {
      return false; // gone: what is open is followed until another is there
    }
  }

  private read(now: number): void {
    for (let done = 0; this.fd !== null && done < maxAtOnce; ) {
      const n = readSync(this.fd, this.buffer, 0, chunk, this.offset);
      if (n === 0) return;
      this.offset += n;
      done += n;
      this.lastRead = now;
      this.unsettled = true;
      for (const incident of this.scanner.push(this.buffer.subarray(0, n))) this.tell(incident);
    }
  }
}
