// The files of one machine:
//
//   DIR/HOST/2024-06-01T120300Z.log       plain kernel log of a boot, named by when it began
//   DIR/HOST/2024-06-01T120300Z.jsonl     the same records, one a line
//   DIR/HOST/2024-06-01T120300Z.2.log     goes on when the first is large or old
//
// Lines are only ever appended, and whole: what a kill leaves half written is taken off at the next start. Oldest files
// go when a machine has more than its share.
import {
  appendFileSync,
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { linesAfter } from './lines.ts';

export interface FileLimits {
  /** A file that is larger goes on in another, in bytes. */
  readonly fileBytes: number;
  /** One that is older, in ms. */
  readonly fileAge: number;
  /** All files of a machine, in bytes. */
  readonly hostBytes: number;
}

/** Of a machine. */
const maxFiles = 1000;
/** Records may be so many times as large as their log: mostly they are twice, with user data much more. */
const recordsShare = 4;

interface OpenFile {
  readonly fd: number;
  readonly path: string;
  size: number;
}

/** Where a boot's records stand, to go on with them. */
export interface LastRecord {
  readonly boot: string;
  /** Null: basic netconsole. */
  readonly sequence: number | null;
  readonly microseconds: number;
  readonly release: string | null;
  /** When it was received, in ms since 1970. */
  readonly received: number;
}

export class BootFiles {
  private readonly directory: string;
  private readonly limits: FileLimits;
  /** When the boot began whose files are made with its first lines. */
  private pending: number | null = null;
  private boot: string | null = null;
  private number = 1;
  private since = 0;
  private log: OpenFile | null = null;
  private records: OpenFile | null = null;

  /** @param directory of the machine; made when its first line comes */
  constructor(directory: string, limits: FileLimits) {
    this.directory = directory;
    this.limits = limits;
  }

  /** The next lines are another boot's, which began at `began`, in ms since 1970. */
  begin(began: number): void {
    this.close();
    this.pending = began;
  }

  /**
   * The last record of the newest boot, after what is half written was taken off. The files go on with it when `goOn` is
   * called.
   */
  last(): LastRecord | null {
    const newest = this.newest();
    if (newest === null) return null;
    for (const suffix of ['.log', '.jsonl']) mend(join(this.directory, `${newest.name}${suffix}`));
    this.catchUp(newest.name);
    const records = tailOf(join(this.directory, `${newest.name}.jsonl`), 4 * smallTail)
      .trimEnd()
      .split('\n');
    // gaps are lines, too
    const line = records.findLast((record) => /"us":\d/.test(record)) ?? '';
    try {
      const record = JSON.parse(line) as Partial<Record<string, unknown>>;
      const { seq, us, received, release = null } = record;
      if ((typeof seq !== 'number' && seq !== null) || typeof us !== 'number' || typeof received !== 'number')
        return null;
      return {
        boot: newest.boot,
        sequence: seq,
        microseconds: us,
        release: typeof release === 'string' ? release : null,
        received,
      };
    } catch {
      return null; // empty, or not ours: another boot's files are begun
    }
  }

  /** Records are written before their lines: a kill in between leaves lines out, which are made of the records again. */
  private catchUp(name: string): void {
    const path = join(this.directory, `${name}.log`);
    const last = tailOf(path, smallTail).split('\n').at(-2) ?? '';
    const records = join(this.directory, `${name}.jsonl`);
    // mostly the last one is there
    const missing = linesAfter(last, tailOf(records, smallTail)) ?? linesAfter(last, tailOf(records, largeTail));
    if (missing !== null && missing !== '') appendFileSync(path, missing, { mode: 0o640 });
  }

  /** The next lines go on with the newest files that `last` found, which are taken to begin `now`, in ms since 1970. */
  goOn(now: number): void {
    const newest = this.newest();
    if (newest === null) return;
    this.boot = newest.boot;
    this.number = newest.number;
    this.since = now;
  }

  /** Appends whole lines. @throws the file system's error: nothing of what was given is then in the files */
  append(log: Buffer, records: Buffer, now: number): void {
    if (this.pending !== null) {
      this.beginFiles(this.pending, now);
      this.pending = null;
    } else if (this.log === null) {
      this.open(this.boot ?? bootName(now), this.number, now);
      this.keepShare();
    }
    const full =
      this.log!.size + log.length > this.limits.fileBytes ||
      this.records!.size + records.length > recordsShare * this.limits.fileBytes ||
      now - this.since > this.limits.fileAge;
    if (full && this.log!.size > 0) {
      const { boot, number } = this;
      this.close();
      this.open(boot!, number + 1, now);
      this.keepShare();
    }
    const [recordsBefore, logBefore] = [this.records!.size, this.log!.size];
    try {
      // records first: who reads the log finds them
      append(this.records!, records);
      append(this.log!, log);
    } catch (error) {
      takeBack(this.records!, recordsBefore);
      takeBack(this.log!, logBefore);
      throw error;
    }
  }

  private beginFiles(began: number, now: number): void {
    const isNew = mkdirSync(this.directory, { recursive: true, mode: 0o750 }) !== undefined;
    const names = new Set(isNew ? [] : readdirSync(this.directory));
    const base = bootName(began);
    let name = base;
    for (let n = 1; names.has(`${name}.log`) || names.has(`${name}.jsonl`); n++) name = `${base}-${n}`;
    this.open(name, 1, now);
    if (!isNew) this.keepShare();
  }

  /** Gives up its file descriptors until more is appended. */
  close(): void {
    for (const file of [this.log, this.records]) if (file !== null) closeSync(file.fd);
    this.log = null;
    this.records = null;
  }

  get isOpen(): boolean {
    return this.log !== null;
  }

  get path(): string {
    return join(this.directory, `${fileName(this.boot ?? '', this.number)}.log`);
  }

  private open(boot: string, number: number, now: number): void {
    if (boot !== this.boot || number !== this.number) this.since = now;
    this.boot = boot;
    this.number = number;
    const name = fileName(boot, number);
    const log = openForAppend(join(this.directory, `${name}.log`));
    try {
      this.records = openForAppend(join(this.directory, `${name}.jsonl`));
    } catch (error) {
      closeSync(log.fd);
      if (log.size === 0) unlinkSync(log.path);
      throw error;
    }
    this.log = log;
  }

  /** Takes away the oldest files while there are too many bytes, or files. Those that are open stay. */
  private keepShare(): void {
    const files = readdirSync(this.directory)
      .filter((name) => namePattern.test(name))
      .map((name) => {
        const { size, mtimeMs } = statSync(join(this.directory, name));
        return { path: join(this.directory, name), size, mtimeMs };
      })
      .sort((a, b) => a.mtimeMs - b.mtimeMs);
    let total = files.reduce((sum, { size }) => sum + size, 0);
    for (const [n, { path, size }] of files.entries()) {
      if (total <= this.limits.hostBytes && files.length - n <= maxFiles) return;
      if (path === this.log?.path || path === this.records?.path) continue;
      unlinkSync(path);
      total -= size;
    }
  }

  private newest(): { name: string; boot: string; number: number } | null {
    if (!existsSync(this.directory)) return null;
    const found = readdirSync(this.directory)
      .map((name) => namePattern.exec(name))
      .filter((m) => m !== null && m[3] === 'jsonl')
      .map((m) => ({ boot: m![1]!, number: Number(m![2] ?? 1) }))
      .sort((a, b) => (a.boot === b.boot ? b.number - a.number : a.boot < b.boot ? 1 : -1));
    const [first] = found;
    return first === undefined ? null : { name: fileName(first.boot, first.number), ...first };
  }
}

const namePattern = /^(\d{4}-\d\d-\d\dT\d{6}Z(?:-\d{1,6})?)(?:\.(\d{1,6}))?\.(log|jsonl)$/;

/** @param time in ms since 1970; out of range it is taken for the beginning */
function bootName(time: number): string {
  return new Date(Math.abs(time) < 8.64e15 ? Math.max(0, time) : 0).toISOString().replace(/:|\.\d{3}/g, '');
}

function fileName(boot: string, number: number): string {
  return number === 1 ? boot : `${boot}.${number}`;
}

function openForAppend(path: string): OpenFile {
  // before it is opened: whoever has no descriptor for this must not take the file for an empty one
  const size = mend(path);
  return { fd: openSync(path, 'a', 0o640), path, size };
}

function append(file: OpenFile, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file.fd, bytes, done);
  file.size += bytes.length;
}

/** Takes off what a write that failed has left: the disk may be full in the middle of a line. */
function takeBack(file: OpenFile, size: number): void {
  ftruncateSync(file.fd, size);
  file.size = size;
}

const smallTail = 64 * 1024;
/** More than is written at once. */
const largeTail = 8 << 20;

/**
 * Takes off the half of a line that a kill in the middle of a write leaves.
 * @returns the file's size then, in bytes @throws the file system's error, but where there is no file
 */
function mend(path: string): number {
  let fd: number;
  try {
    fd = openSync(path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0; // there is none yet
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    const tail = readTail(fd, size, 4 * smallTail);
    const end = tail.lastIndexOf(10) + 1;
    if (end === tail.length || (end === 0 && tail.length < size)) return size;
    ftruncateSync(fd, size - (tail.length - end));
    return size - (tail.length - end);
  } finally {
    closeSync(fd);
  }
}

/** The end of a file, empty if there is none. */
function tailOf(path: string, most: number): string {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
  try {
    return readTail(fd, fstatSync(fd).size, most).toString('utf8');
  } finally {
    closeSync(fd);
  }
}

function readTail(fd: number, size: number, most: number): Buffer {
  const length = Math.min(size, most);
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const n = readSync(fd, bytes, done, length - done, size - length + done);
    if (n === 0) break;
    done += n;
  }
  return bytes.subarray(0, done);
}
