// Whatever holds pstore's records, read: a mounted pstore, an archive, efivarfs, a file of any of these, an image of a
// ramoops region, of a block device, of flash, of a firmware's variable store, of an error record store.
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { FormatError } from '../../base/errors.ts';
import { findCperRecords, readErst } from './cper_record.ts';
import { looksLikeVariableStore, readVariableStore } from './efi_variables.ts';
import { isPstoreName, readNamedFile } from './files.ts';
import { findPages, readMtdoops } from './mtdoops.ts';
import { looksLikeRamoops, type RamoopsGeometry, readRamoops, unknownGeometry } from './ramoops.ts';
import { type PstoreRecord, type RawRecord, RecordReader } from './record.ts';
import { looksLikeZones, readZones } from './zone.ts';

/** Larger images are cut: records stand in reserved memory and small partitions. */
const maxImage = 256 * 1024 * 1024;
/** A record as a file. */
const maxFile = 16 * 1024 * 1024;
const maxFiles = 20_000;
/** Depth of an archive's folders: systemd-pstore makes two. */
const maxDepth = 4;

export interface PstoreReading {
  readonly records: readonly PstoreRecord[];
  /** Files that could not be read, or hold no record, in words. */
  readonly problems: readonly string[];
}

/**
 * Reads a place.
 * @throws FormatError if it is not there, or nothing in it is known
 */
export function readPstore(place: string, geometry: RamoopsGeometry = unknownGeometry): PstoreReading {
  const problems: string[] = [];
  const files = isDirectory(place) ? listFiles(place, problems) : [place];
  const reader = new RecordReader();
  const records: PstoreRecord[] = [];
  for (const file of files) {
    try {
      for (const raw of readFile(file, geometry, file !== place)) {
        const record = reader.read(raw);
        if (record !== null) records.push(record);
      }
    } catch (error) {
      if (file === place) throw error;
      problems.push(`${file}: ${(error as Error).message}`);
    }
    if (reader.problem !== null) {
      problems.push(`${place}: ${reader.problem}`);
      break;
    }
  }
  return { records, problems };
}

function isDirectory(place: string): boolean {
  try {
    return statSync(place).isDirectory();
  } catch (error) {
    throw new FormatError(place, `cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
}

/** Files that pstore named, below a directory; symbolic links are not followed. */
function listFiles(directory: string, problems: string[], depth = 0): string[] {
  const files: string[] = [];
  for (const entry of readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) {
      if (depth < maxDepth) files.push(...listFiles(path, problems, depth + 1));
    } else if (entry.isFile() && isPstoreName(entry.name)) files.push(path);
    if (files.length >= maxFiles) {
      problems.push(`${directory}: more than ${maxFiles} files; the rest is left out`);
      break;
    }
  }
  return files;
}

/** @param byName only as what the name says: a directory may hold anything else */
function readFile(path: string, geometry: RamoopsGeometry, byName: boolean): RawRecord[] {
  const fd = openSync(path, 'r');
  try {
    const stat = fstatSync(fd);
    const name = basename(path);
    if (isPstoreName(name)) {
      if (stat.size > maxFile) throw new FormatError(path, `is ${stat.size} bytes, which no record is`);
      const record = readNamedFile(name, readFileSync(fd), path, stat.mtimeMs / 1000);
      if (record !== null || byName) return record === null ? [] : [record];
    }
    return readImage(readAll(fd, stat.isFile() ? stat.size : maxImage), path, geometry);
  } finally {
    closeSync(fd);
  }
}

/** Devices have no size to ask for: they are read until they end. */
function readAll(fd: number, size: number): Uint8Array {
  const bytes = Buffer.alloc(Math.min(size, maxImage));
  let length = 0;
  while (length < bytes.length) {
    const n = readSync(fd, bytes, length, bytes.length - length, length);
    if (n === 0) break;
    length += n;
  }
  return bytes.subarray(0, length);
}

/** @throws FormatError if nothing in the image is known */
export function readImage(image: Uint8Array, source: string, geometry: RamoopsGeometry = unknownGeometry): RawRecord[] {
  if (geometry.recordSize !== null) return readRamoops(image, source, geometry);
  if (looksLikeVariableStore(image)) return readVariableStore(image, source);
  if (looksLikeZones(image)) return readZones(image, source);
  if (findPages(image).length > 0) return readMtdoops(image, source);
  if (findCperRecords(image).length > 0) return readErst(image, source);
  if (looksLikeRamoops(image)) return readRamoops(image, source, geometry);
  throw new FormatError(source, 'holds nothing of pstore: no zone, page, variable or error record begins in it');
}
