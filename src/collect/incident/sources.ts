// Witnesses out of files: logs, what `inquest listen` wrote, journal exports, pstore, dumps, or a folder of any of these.
import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { FormatError, InquestError } from '../../base/errors.ts';
import { packingOf } from '../../debuginfo/elf/packing.ts';
import { unpackPieces } from '../../debuginfo/elf/unpack.ts';
import { isDump } from '../../dump/open.ts';
import { gatherDeaths } from '../pstore/deaths.ts';
import { isPstoreName } from '../pstore/files.ts';
import { type PstoreReading, readPstore } from '../pstore/read.ts';
import { BootLog, bootsOf } from './boots.ts';
import { isJournalExport, isJournalJson, journalBoots } from './journal.ts';
import type { Witness } from './witness.ts';

const maxDepth = 5;
const maxFiles = 10_000;
/** Files of a folder that are named when they could not be read. */
const maxTold = 5;
/** Of a longer log only the end is read, in bytes. */
const maxLog = 256 << 20;
const maxJournal = 512 << 20;
const chunk = 1 << 20;

export interface SourceReading {
  readonly witnesses: readonly Witness[];
  /** What could not be read, in sentences. */
  readonly problems: readonly string[];
}

/**
 * Reads sources.
 * @param readDump makes witnesses of a dump: its own, and what it holds of the boots before
 * @throws FormatError for a path that is not there
 */
export function readSources(paths: readonly string[], readDump: (path: string) => Witness[]): SourceReading {
  const problems: string[] = [];
  const witnesses: Witness[] = [];
  for (const path of paths) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) throw new FormatError(path, 'no such file');
    const isFolder = stat.isDirectory();
    const unread: string[] = [];
    for (const file of isFolder ? filesBelow(path, problems) : [path]) {
      try {
        witnesses.push(...readOne(file, readDump, unread));
      } catch (error) {
        if (!(error instanceof InquestError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
        if (!isFolder) throw error;
        unread.push((error as Error).message);
      }
    }
    // a folder may hold anything
    if (unread.length > maxTold) problems.push(`${path}: ${unread.length} files hold nothing of a kernel`);
    else problems.push(...unread);
  }
  return { witnesses, problems };
}

/** Files of a folder; one of pstore's stands for all beside it. */
function filesBelow(folder: string, problems: string[], depth = 0): string[] {
  const files: string[] = [];
  let pstore = false;
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (depth < maxDepth && !entry.name.startsWith('.')) files.push(...filesBelow(path, problems, depth + 1));
    } else if (entry.isFile()) {
      if (isPstoreName(entry.name)) {
        if (!pstore) files.push(folder);
        pstore = true;
      } else if (!entry.name.endsWith('.jsonl')) files.push(path);
    }
    if (files.length >= maxFiles) {
      problems.push(`${folder}: more than ${maxFiles} files; the rest is left out`);
      break;
    }
  }
  return files;
}

/** @param problems what is wrong with a file of which something could be read */
function readOne(path: string, readDump: (path: string) => Witness[], problems: string[]): Witness[] {
  if (statSync(path).isDirectory() || isPstoreName(basename(path))) return pstoreWitnesses(readPstore(path), path);
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    const head = Buffer.alloc(Math.min(size, 65536));
    readSync(fd, head, 0, head.length, 0);
    const packing = packingOf(head);
    if (packing !== null) return packedWitnesses(unpackPieces(packing, path, piecesOf(fd, 0)), path, problems);
    if (isDump(path)) return readDump(path);
    if (isJournal(head)) return journalWitnesses(bytesOf(piecesOf(fd, 0), maxJournal), path);
    if (head.includes(0)) return pstoreWitnesses(readPstore(path), path);
    return logWitnesses(piecesOf(fd, Math.max(0, size - maxLog)), path);
  } finally {
    closeSync(fd);
  }
}

/** A rotated log or an export that was packed. What comes of one that is cut is read. */
function packedWitnesses(pieces: Iterator<Uint8Array>, path: string, problems: string[]): Witness[] {
  const start = pieces.next();
  const first = start.done === true ? new Uint8Array(0) : start.value;
  const readable = function* (): Generator<Uint8Array> {
    yield first;
    try {
      for (let next = pieces.next(); next.done !== true; next = pieces.next()) yield next.value;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      problems.push(error.message);
    }
  };
  if (isJournal(first)) return journalWitnesses(bytesOf(readable(), maxJournal), path);
  if (first.includes(0)) throw new FormatError(path, 'holds no text: unpack it first');
  return logWitnesses(readable(), path);
}

function* piecesOf(fd: number, from: number): Generator<Uint8Array> {
  for (let at = from; ; ) {
    const piece = Buffer.alloc(chunk);
    const n = readSync(fd, piece, 0, chunk, at);
    if (n === 0) return;
    yield piece.subarray(0, n);
    at += n;
  }
}

function bytesOf(pieces: Iterable<Uint8Array>, most: number): Buffer {
  const all: Uint8Array[] = [];
  let length = 0;
  for (const piece of pieces) {
    all.push(piece);
    length += piece.length;
    if (length >= most) break;
  }
  return Buffer.concat(all).subarray(0, most);
}

function isJournal(head: Uint8Array): boolean {
  return isJournalExport(head) || isJournalJson(head);
}

function logWitnesses(pieces: Iterable<Uint8Array>, path: string): Witness[] {
  const received = receivedBoot(path);
  const log = new BootLog({
    source: path,
    kind: received === null ? 'log' : 'netconsole',
    host: received === null ? null : basename(dirname(path)),
    bootTime: received,
  });
  for (const piece of pieces) log.push(piece);
  return log.end();
}

/** When the boot of a file of `inquest listen` began, by the receiver's clock, in ms since 1970; null: it is no such file. */
function receivedBoot(path: string): number | null {
  if (!path.endsWith('.log')) return null;
  let fd: number;
  try {
    fd = openSync(path.replace(/\.log$/, '.jsonl'), 'r');
  } catch {
    return null;
  }
  try {
    const head = Buffer.alloc(65536);
    const text = head.toString('utf8', 0, readSync(fd, head, 0, head.length, 0));
    // what came first may have waited in the sender; the earliest is nearest
    const times = [...text.matchAll(/"us":(\d{1,16}),.{0,4000}?"received":(\d{1,16})/g)].map(
      (m) => Number(m[2]) - Number(m[1]) / 1000,
    );
    return times.length === 0 ? null : Math.round(Math.min(...times));
  } finally {
    closeSync(fd);
  }
}

function journalWitnesses(bytes: Buffer, path: string): Witness[] {
  return [...journalBoots(bytes, isJournalExport(bytes))].flatMap(([bootId, lines]) =>
    bootsOf(`${lines.join('\n')}\n`, {
      source: `${path} (boot ${bootId.slice(0, 8)})`,
      kind: 'log',
      host: null,
      bootTime: null,
    }).map((witness): Witness => ({ ...witness, bootId: bootId === '' ? null : bootId })),
  );
}

/** Deaths of a pstore, and the consoles of boots. */
export function pstoreWitnesses({ records }: PstoreReading, place: string): Witness[] {
  const { deaths, others } = gatherDeaths(records);
  const ofDeaths = deaths.flatMap((death) => {
    const name = `${place}: ${death.reason ?? 'log'}${death.count === null ? '' : `#${death.count}`}`;
    return bootsOf(death.log, { source: name, kind: 'pstore', host: null, bootTime: null }).map(
      (witness): Witness =>
        death.time === null || witness.to === null
          ? witness
          : { ...witness, bootTime: (death.time - witness.to) * 1000 },
    );
  });
  const consoles = others
    .filter(({ type }) => type === 'console')
    .flatMap(({ content, source }) => bootsOf(content, { source, kind: 'pstore', host: null, bootTime: null }));
  return [...ofDeaths, ...consoles];
}
