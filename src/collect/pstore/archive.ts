// An archive of what pstore held: a folder a death, which nothing overwrites, and records that are taken out of pstore only
// when their copy is on disk.
//
//   ARCHIVE/2024-06-01T12:03:00Z-ramoops-panic-1-3f2a9c04/
//     dmesg.txt       the log, its parts joined in order of time
//     report.txt      what it says, if there is an incident in it
//     death.json      when, where from, what is missing
//     records/        the records as they were found
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { renderIncident } from '../../oops/render.ts';
import { findIncidents } from '../../oops/scanner.ts';
import type { PstoreContents, PstoreDeath } from './deaths.ts';
import { isPstoreName } from './files.ts';
import type { PstoreRecord } from './record.ts';

export interface Archived {
  readonly folder: string;
  /** It was there already, from an earlier run. */
  readonly known: boolean;
  /** Files that were taken out of pstore. */
  readonly unlinked: readonly string[];
}

/**
 * Archives everything that was read.
 * @param unlink whether to take the records out of pstore; images keep theirs
 */
export function archive(contents: PstoreContents, directory: string, unlink: boolean): Archived[] {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const groups = [
    ...contents.deaths.map((death) => ({ death, records: death.records })),
    ...(contents.others.length > 0 ? [{ death: null, records: contents.others }] : []),
  ];
  return groups.map(({ death, records }) => {
    const folder = join(directory, folderName(death, records));
    const known = existsSync(folder);
    if (!known) write(directory, folder, death, records);
    return { folder, known, unlinked: unlink ? unlinkFiles(records) : [] };
  });
}

/** A name of time and content: the same death gives the same one, another never. */
function folderName(death: PstoreDeath | null, records: readonly PstoreRecord[]): string {
  const hash = createHash('sha256');
  for (const { content, type, part } of records) hash.update(`${type} ${part} ${content.length}\n`).update(content);
  const times = records.map(({ time }) => time).filter((time) => time !== null);
  const time = death?.time ?? (times.length > 0 ? Math.max(...times) : null);
  // times come from records: out of range they are none
  const date =
    time !== null && time >= 0 && time < 8.64e12
      ? new Date(time * 1000).toISOString().replace(/\.\d{3}/, '')
      : 'undated';
  const what =
    death === null
      ? 'records'
      : [death.backend, death.reason?.toLowerCase(), death.count].filter((word) => word != null).join('-');
  return `${date}-${what}-${hash.digest('hex').slice(0, 8)}`;
}

/** Writes a folder whole or not at all: it gets its name when everything in it is on disk. */
function write(directory: string, folder: string, death: PstoreDeath | null, records: readonly PstoreRecord[]): void {
  const building = join(directory, `.new-${process.pid}`);
  rmSync(building, { recursive: true, force: true });
  mkdirSync(join(building, 'records'), { recursive: true, mode: 0o700 });
  const taken = new Set<string>();
  for (const record of records) writeDurably(join(building, 'records', recordName(record, taken)), record.content);
  if (death !== null) {
    writeDurably(join(building, 'dmesg.txt'), death.log);
    const incidents = findIncidents(death.log);
    if (incidents.length > 0)
      writeDurably(join(building, 'report.txt'), incidents.map((incident) => renderIncident(incident)).join('\n'));
    writeDurably(join(building, 'death.json'), `${JSON.stringify(summary(death), null, 2)}\n`);
  }
  syncDirectory(join(building, 'records'));
  syncDirectory(building);
  renameSync(building, folder);
  syncDirectory(directory);
}

function summary(death: PstoreDeath): unknown {
  const { backend, reason, count, time, missingParts, records } = death;
  return { backend, reason, count, time, missingParts, records: records.map(({ content: _, ...rest }) => rest) };
}

function recordName({ source, offset, type, part, compression }: PstoreRecord, taken: Set<string>): string {
  const own = basename(source);
  const name = isPstoreName(own)
    ? own.replace(/\.enc\.z$/, compression === null ? '.enc.z' : '')
    : `${type}-${offset.toString(16)}${part === null ? '' : `-part${part}`}`;
  let unique = name;
  for (let n = 2; taken.has(unique); n++) unique = `${name}.${n}`;
  taken.add(unique);
  return unique;
}

function unlinkFiles(records: readonly PstoreRecord[]): string[] {
  const files = [...new Set(records.map(({ source }) => source))].filter((source) => isPstoreName(basename(source)));
  for (const file of files) unlinkSync(file);
  return files;
}

function writeDurably(path: string, content: string | Uint8Array): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
