// Hardware errors of a file, whatever it is: a log, a record of pstore, firmware's records, a dump.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { findCperRecords } from '../pstore/cper_record.ts';
import { type PstoreReading, readPstore } from '../pstore/read.ts';
import { bootErrors, cperErrors, isBootErrors } from './cper.ts';
import type { HardwareError } from './hardware_error.ts';
import { HardwareLog, hardwareErrors } from './log_errors.ts';
import { machineCheckOfBytes } from './raw_mce.ts';

/** Firmware's records are small. */
const maxRecords = 64 * 1024 * 1024;

/** Records of pstore: machine checks as such, and the logs. */
export function errorsOfPstore({ records }: PstoreReading): HardwareError[] {
  return records.flatMap(({ type, content }) => {
    if (type === 'mce') {
      const error = machineCheckOfBytes(content);
      return error === null ? [] : [error];
    }
    return type === 'dmesg' || type === 'console' ? hardwareErrors(content) : [];
  });
}

/** Errors of a file that is bytes and no text; null: it is neither firmware's nor pstore's. */
export function errorsOfImage(path: string): HardwareError[] | null {
  const image = head(path);
  if (!image.subarray(0, 65536).includes(0)) return null;
  if (isBootErrors(image)) return bootErrors(image);
  const errors = findCperRecords(image).length > 0 ? cperErrors(image) : [];
  try {
    return [...errors, ...errorsOfPstore(readPstore(path))];
  } catch {
    return errors.length > 0 ? errors : null; // nothing of pstore in it: text with NULs, perhaps
  }
}

/** @param chunks of text */
export function errorsOfText(chunks: Iterable<Uint8Array>): {
  readonly errors: readonly HardwareError[];
  readonly dropped: number;
} {
  const log = new HardwareLog();
  for (const chunk of chunks) log.push(chunk);
  log.end();
  return log;
}

function head(path: string): Uint8Array {
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(Math.min(fstatSync(fd).size, maxRecords));
    let length = 0;
    while (length < bytes.length) {
      const n = readSync(fd, bytes, length, bytes.length - length, length);
      if (n === 0) break;
      length += n;
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}
