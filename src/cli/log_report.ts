// What of a log a report is made of: all of a small one; of a large one, what stands around the last death in it.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { fatalIncident } from '../oops/death.ts';
import type { Incident } from '../oops/incident.ts';
import { LogScanner } from '../oops/scanner.ts';
import { keepHeapSmall, readSource } from './source.ts';

/** Logs up to this size are taken whole, in bytes. */
const wholeSize = 8 * 1024 * 1024;
/** Of a larger one: bytes before the death, and from where it began on. */
const before = 1024 * 1024;
const after = 4 * 1024 * 1024;

/** The text; null where it tells of no death. @throws FormatError where it cannot be read */
export function textOfDeath(path: string): Uint8Array | null {
  keepHeapSmall();
  const scanner = new LogScanner();
  const serious: Incident[] = [];
  const take = (incidents: readonly Incident[]): void => {
    // of a log of years, the last ones
    for (const incident of incidents) if (incident.fatal || incident.dieCount !== null) serious.push(incident);
    if (serious.length > maxKept) serious.splice(0, serious.length - maxKept);
  };
  for (const chunk of readSource(path)) take(scanner.push(chunk));
  take(scanner.end());
  const death = fatalIncident(serious.sort((a, b) => a.span.start - b.span.start));
  if (death === null) return null;
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    const from = size <= wholeSize ? 0 : Math.max(0, death.span.start - before);
    const text = Buffer.alloc(size <= wholeSize ? size : Math.min(size - from, before + after));
    const read = text.subarray(0, readSync(fd, text, 0, text.length, from));
    return from === 0 ? read : read.subarray(read.indexOf(10) + 1);
  } finally {
    closeSync(fd);
  }
}

/** Deaths that are kept while a log is read. */
const maxKept = 64;
