// Plain logs of a serial console server (conserver, ttylog), followed while they grow, through rotation: a file that was
// renamed is read to its end before the new one, and one that was cut is read from its beginning. How far each was read is
// kept, so that what came while nobody followed is read by the next run.
import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Incident } from '../../oops/incident.ts';
import { LogScanner } from '../../oops/scanner.ts';

const chunk = 256 * 1024;
/** Most that is read from one file before others get their turn, in bytes. */
const maxAtOnce = 8 << 20;
/** After so many ms without a line a report is over. */
const quiet = 3000;
/** Names beside a file among which its old one is looked for. */
const maxBeside = 10_000;

/** How far a file was read. */
export interface Position {
  readonly device: number;
  readonly inode: number;
  readonly offset: number;
}

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

  /** @param from where the last run stopped; null: what is in the file already is passed over */
  constructor(path: string, from: Position | null, tell: (incident: Incident) => void) {
    this.path = path;
    this.tell = tell;
    const old = from === null ? null : renamed(path, from);
    this.open(old ?? path);
    if (this.fd === null) return;
    const { size } = fstatSync(this.fd);
    if (from === null) this.offset = size;
    else if (old !== null || (this.inode === from.inode && this.device === from.device))
      this.offset = size < from.offset ? 0 : from.offset;
  }

  get position(): Position | null {
    return this.fd === null ? null : { device: this.device, inode: this.inode, offset: this.offset };
  }

  /**
   * To be called a few times a second.
   * @param now in ms
   * @returns the system's code for why the file cannot be read; null: it can
   */
  tick(now: number): string | null {
    let problem: string | null = null;
    try {
      problem = this.fd === null ? this.open(this.path) : null;
      this.follow(now);
    } catch (error) {
      // a folder, or a server that is gone: the others are read all the same, and this one is looked for again
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      problem = code;
      this.close();
    }
    this.settle(now);
    return problem;
  }

  private follow(now: number): void {
    if (this.fd === null) return;
    if (fstatSync(this.fd).size < this.offset) this.offset = 0;
    const isReplaced = this.wasReplaced();
    if (!this.read(now) || !isReplaced) return;
    this.close();
    this.open(this.path);
    this.read(now);
  }

  private settle(now: number): void {
    if (this.unsettled && now - this.lastRead >= quiet) {
      this.unsettled = false;
      for (const incident of this.scanner.end()) this.tell(incident);
    }
  }

  end(): void {
    for (const incident of this.scanner.end()) this.tell(incident);
    this.close();
  }

  private close(): void {
    if (this.fd !== null) closeSync(this.fd);
    this.fd = null;
  }

  /** @returns why it cannot be: it may not be there yet, and is looked for again */
  private open(path: string): string | null {
    try {
      this.fd = openSync(path, 'r');
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? String(error);
    }
    const { ino, dev } = fstatSync(this.fd);
    // one that could not be read for a while goes on where it was
    if (ino !== this.inode || dev !== this.device) this.offset = 0;
    this.inode = ino;
    this.device = dev;
    return null;
  }

  /** Whether the name is another file's, which is written to: who rotates makes it before the writer takes it. */
  private wasReplaced(): boolean {
    try {
      const { ino, dev, size } = statSync(this.path);
      return (ino !== this.inode || dev !== this.device) && size > 0;
    } catch {
      return false; // gone: what is open is followed until another is there
    }
  }

  /** @returns whether it came to the file's end */
  private read(now: number): boolean {
    for (let done = 0; this.fd !== null && done < maxAtOnce; ) {
      const n = readSync(this.fd, this.buffer, 0, chunk, this.offset);
      if (n === 0) return true;
      this.offset += n;
      done += n;
      this.lastRead = now;
      this.unsettled = true;
      for (const incident of this.scanner.push(this.buffer.subarray(0, n))) this.tell(incident);
    }
    return this.fd === null;
  }
}

/** The name under which the file that was read is now; null: its own, or none beside it. */
function renamed(path: string, { device, inode }: Position): string | null {
  const isIt = (name: string): boolean => {
    try {
      const { ino, dev } = statSync(name);
      return ino === inode && dev === device;
    } catch {
      return false;
    }
  };
  if (isIt(path)) return null;
  try {
    const beside = readdirSync(dirname(path)).slice(0, maxBeside);
    const found = beside.find((name) => name.startsWith(basename(path)) && isIt(join(dirname(path), name)));
    return found === undefined ? null : join(dirname(path), found);
  } catch {
    return null; // the folder is gone
  }
}

/** How far files were read, in a file of its own. */
export class Positions {
  private readonly file: string;
  private readonly known: Map<string, Position>;
  private saved = '';

  constructor(file: string) {
    this.file = file;
    this.known = new Map(readPositions(file));
  }

  of(path: string): Position | null {
    return this.known.get(path) ?? null;
  }

  /** @throws the file system's error */
  save(files: readonly FollowedFile[]): void {
    for (const { path, position } of files) if (position !== null) this.known.set(path, position);
    const text = JSON.stringify([...this.known]);
    if (text === this.saved) return;
    writeFileSync(`${this.file}.new`, text, { mode: 0o640 });
    renameSync(`${this.file}.new`, this.file);
    this.saved = text;
  }
}

function readPositions(file: string): [string, Position][] {
  try {
    const read = JSON.parse(readFileSync(file, 'utf8')) as unknown;
    if (!Array.isArray(read)) return [];
    return read.filter((entry): entry is [string, Position] => {
      if (!Array.isArray(entry) || typeof entry[0] !== 'string' || typeof entry[1] !== 'object') return false;
      const { device, inode, offset } = (entry[1] ?? {}) as Record<string, unknown>;
      return [device, inode, offset].every((value) => typeof value === 'number' && value >= 0);
    });
  } catch {
    return []; // none yet, or not whole: files are followed from their ends
  }
}
