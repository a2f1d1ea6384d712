// `inquest pstore`: what dying kernels left in memory, firmware and flash.
import { existsSync } from 'node:fs';
import { FormatError, UsageError } from '../base/errors.ts';
import { count, escapeJson, escapeLogLine, escapeTerminal } from '../base/text.ts';
import { archive } from '../collect/pstore/archive.ts';
import { gatherDeaths, type PstoreDeath } from '../collect/pstore/deaths.ts';
import { ramoopsOf } from '../collect/pstore/dump.ts';
import { decodeFtrace } from '../collect/pstore/ftrace.ts';
import type { RamoopsGeometry } from '../collect/pstore/ramoops.ts';
import { type PstoreReading, readPstore } from '../collect/pstore/read.ts';
import type { PstoreRecord } from '../collect/pstore/record.ts';
import { type KnownName, parseSystemMap } from '../collect/pstore/symbol_names.ts';
import type { Incident } from '../oops/incident.ts';
import { findIncidents } from '../oops/scanner.ts';
import { openNamedKernel } from './open.ts';
import { writeError, writeOut } from './output.ts';
import { isDumpSource, readSource } from './source.ts';

export interface PstoreOptions {
  readonly geometry: RamoopsGeometry;
  /** A System.map, to name the functions of a trace. */
  readonly symbols: string | null;
  /** Where to archive what is found. */
  readonly archive: string | null;
  readonly unlink: boolean;
  /** Print the logs themselves. */
  readonly log: boolean;
  readonly json: boolean;
}

/** Where a machine keeps them: pstore's own file system, and what systemd-pstore moved out of it. */
const usualPlaces = ['/sys/fs/pstore', '/var/lib/systemd/pstore'];

/** A death as JSON: its log's incidents, and its records without their content. */
export interface PstoreDeathData extends Omit<PstoreDeath, 'records'> {
  readonly incidents: readonly Incident[];
  readonly records: readonly Omit<PstoreRecord, 'content'>[];
}

/** What `--json` prints. */
export interface PstoreData {
  readonly deaths: readonly PstoreDeathData[];
  /** Records of no death, with what they hold. */
  readonly others: readonly (Omit<PstoreRecord, 'content'> & ReturnType<typeof contentData>)[];
}

/** @returns 0 with records, 3 with none */
export async function runPstore(places: readonly string[], options: PstoreOptions): Promise<number> {
  if (options.unlink && options.archive === null) throw new UsageError('--unlink needs --archive');
  const readings = (places.length > 0 ? places : usualPlaces.filter((place) => existsSync(place))).map((place) =>
    readPlace(place, options.geometry),
  );
  for (const problem of readings.flatMap(({ problems }) => problems))
    writeError(`inquest: ${escapeTerminal(problem)}\n`);
  const records = readings.flatMap((reading) => reading.records);
  const contents = gatherDeaths(records);
  const names = options.symbols === null ? [] : parseSystemMap(textOf(options.symbols));
  if (options.archive !== null)
    for (const { folder, known, unlinked } of archive(contents, options.archive, options.unlink))
      writeError(
        `inquest: ${known ? 'already archived' : 'archived'}: ${escapeTerminal(folder)}${unlinked.length > 0 ? `; ${count(unlinked.length, 'record')} taken out of pstore` : ''}\n`,
      );
  if (options.json) {
    const deaths = contents.deaths.map(
      ({ records: own, ...death }): PstoreDeathData => ({
        ...death,
        incidents: findIncidents(death.log),
        records: own.map(withoutContent),
      }),
    );
    const others = contents.others.map((record) => ({ ...withoutContent(record), ...contentData(record, names) }));
    const data: PstoreData = { deaths, others };
    writeOut(`${escapeJson(JSON.stringify(data))}\n`);
  } else {
    for (const death of contents.deaths) writeOut(deathText(death, options.log));
    for (const record of contents.others) writeOut(recordText(record, names, options.log));
    if (records.length === 0)
      writeError(`inquest: nothing in ${escapeTerminal((places.length > 0 ? places : usualPlaces).join(', '))}\n`);
  }
  return records.length > 0 ? 0 : 3;
}

function readPlace(place: string, geometry: RamoopsGeometry): PstoreReading {
  if (!existsSync(place)) throw new FormatError(place, 'no such file');
  if (isDumpFile(place)) {
    const kernel = openNamedKernel([place]);
    const region = kernel.faults.attempt('ramoops region', () => ramoopsOf(kernel, place), null);
    if (region === null)
      return { records: [], problems: [`${place}: its kernel had no ramoops region that can be told`] };
    const problems =
      region.missing === null ? [] : [`${place}: the ramoops region is not in the dump: ${region.missing}`];
    return { records: region.records, problems };
  }
  return readPstore(place, geometry);
}

function isDumpFile(place: string): boolean {
  try {
    return isDumpSource(place);
  } catch (error) {
    if (error instanceof FormatError) return false; // a directory
    throw error;
  }
}

function textOf(file: string): string {
  const chunks: Buffer[] = [];
  for (const chunk of readSource(file)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('latin1');
}

function withoutContent({ content: _, ...record }: PstoreRecord): Omit<PstoreRecord, 'content'> {
  return record;
}

/** What a record holds, for JSON: calls of a trace, text, or bytes in base64. */
function contentData(record: PstoreRecord, names: readonly KnownName[]) {
  if (record.type === 'ftrace') return { calls: decodeFtrace(record.content, names) };
  if (record.type === 'console' || record.type === 'pmsg')
    return { text: Buffer.from(record.content).toString('utf8') };
  return { base64: Buffer.from(record.content).toString('base64') };
}

function when(time: number | null): string {
  return time === null || !(Math.abs(time) < 8.64e12) ? 'at an unknown time' : new Date(time * 1000).toISOString();
}

function deathText(death: PstoreDeath, withLog: boolean): string {
  const incidents = findIncidents(death.log);
  const lines = [
    `${death.reason ?? 'Log'}${death.count === null ? '' : ` #${death.count}`}, ${when(death.time)}, ${death.backend}: ${incidents.map(({ title }) => title).join('; ') || 'no incident in it'}`,
    `  ${count(death.records.length, 'part')}, ${count(death.log.split('\n').length - 1, 'line')}${death.missingParts.length > 0 ? `, missing: part ${death.missingParts.join(', ')}` : ''}`,
    ...death.records.flatMap((record) => [
      ...record.problems.map((problem) => `  part ${record.part ?? 1}: ${problem}`),
      ...(record.ecc !== null && record.ecc.corrected > 0
        ? [`  part ${record.part ?? 1}: ${count(record.ecc.corrected, 'damaged byte')} put right by parity`]
        : []),
    ]),
    ...(withLog ? death.log.trimEnd().split('\n') : []),
  ];
  return `${lines.map(escapeLogLine).join('\n')}\n`;
}

function recordText(record: PstoreRecord, names: readonly KnownName[], withLog: boolean): string {
  const lines = [
    `${record.type}, ${when(record.time)}, ${record.backend}: ${count(record.content.length, 'byte')}`,
    ...record.problems.map((problem) => `  ${problem}`),
  ];
  if (record.type === 'ftrace')
    for (const call of decodeFtrace(record.content, names).slice(withLog ? 0 : -20))
      lines.push(
        `  CPU ${String(call.cpu).padStart(3)} ${call.time ?? ''} ${call.name ?? call.address} <- ${call.parentName ?? call.parent}`,
      );
  else if (withLog && record.type !== 'mce' && record.type !== 'other')
    lines.push(...Buffer.from(record.content).toString('utf8').trimEnd().split('\n'));
  return `${lines.map(escapeLogLine).join('\n')}\n`;
}
