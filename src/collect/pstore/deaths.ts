// Records put together: what one death left. A log is stored in parts, its end first; parts are of one death if backend,
// reason and count agree and they were written within moments, and no part is there twice.
import type { PstoreRecord } from './record.ts';

export interface PstoreDeath {
  readonly backend: PstoreRecord['backend'];
  /** Why the kernel wrote it: `Panic`, `Oops`, ... */
  readonly reason: string | null;
  readonly count: number | null;
  /** When, in seconds since 1970. */
  readonly time: number | null;
  /** The end of the log, oldest line first. */
  readonly log: string;
  /** Parts that are missing between those that are there. */
  readonly missingParts: readonly number[];
  /** Oldest part first. */
  readonly records: readonly PstoreRecord[];
}

export interface PstoreContents {
  /** In order of time. */
  readonly deaths: readonly PstoreDeath[];
  /** Records that belong to no death in particular: the console, programs' messages, traces, machine checks. */
  readonly others: readonly PstoreRecord[];
}

/** Seconds that writing the parts of a log may take: firmware is slow. */
const oneDeath = 60;
/** A part is at least some hundred bytes of a log of at most a few megabytes: what a record says beyond that is not true. */
const maxParts = 1000;

export function gatherDeaths(records: readonly PstoreRecord[]): PstoreContents {
  const logs = records.filter(({ type }) => type === 'dmesg');
  const groups: PstoreRecord[][] = [];
  const alike = new Map<string, PstoreRecord[][]>();
  // in order of time, so that a group is closed by the first record that cannot be its
  for (const record of [...logs].sort((a, b) => (a.time ?? 0) - (b.time ?? 0) || (a.part ?? 1) - (b.part ?? 1))) {
    const key = `${record.backend} ${record.reason} ${record.count}`;
    const open = alike.get(key) ?? [];
    const group = open.findLast((one) => belongs(one, record));
    if (group !== undefined) group.push(record);
    else {
      const begun = [record];
      groups.push(begun);
      // a log that is not in parts is whole
      if (record.part !== null) open.push(begun);
      alike.set(key, open);
    }
  }
  return {
    deaths: groups.map(death).sort((a, b) => (a.time ?? 0) - (b.time ?? 0)),
    others: records.filter(({ type }) => type !== 'dmesg'),
  };
}

/** Whether a record is another part of a log of the same backend, reason and count. */
function belongs([first, ...more]: readonly PstoreRecord[], record: PstoreRecord): boolean {
  return (
    first !== undefined &&
    record.part !== null &&
    Math.abs((first.time ?? 0) - (record.time ?? 0)) <= oneDeath &&
    first.part !== record.part &&
    !more.some(({ part }) => part === record.part)
  );
}

function death(group: readonly PstoreRecord[]): PstoreDeath {
  const records = [...group].sort((a, b) => (b.part ?? 0) - (a.part ?? 0));
  const parts = new Set(records.map(({ part }) => part ?? 1));
  const missingParts: number[] = [];
  const last = Math.min(Math.max(...parts), maxParts);
  for (let part = 1; part < last; part++) if (!parts.has(part)) missingParts.push(part);
  const [first] = records;
  const times = records.map(({ time }) => time).filter((time) => time !== null);
  return {
    backend: first!.backend,
    reason: first!.reason,
    count: first!.count,
    time: times.length === 0 ? null : Math.min(...times),
    log: joined(records, missingParts),
    missingParts,
    records,
  };
}

/** The parts' text, with a line where something is missing. */
function joined(records: readonly PstoreRecord[], missing: readonly number[]): string {
  let text = '';
  let before: number | null = null;
  for (const { content, part } of records) {
    if (before !== null && part !== null && missing.includes(before - 1))
      text += `[inquest: part ${before - 1}${before - 1 > part + 1 ? ` to ${part + 1}` : ''} of the log is missing here]\n`;
    const body = Buffer.from(content).toString('utf8');
    text += body === '' || body.endsWith('\n') ? body : `${body}\n`;
    before = part;
  }
  if (before !== null && before > 1) text += `[inquest: the log's last part${before > 2 ? 's are' : ' is'} missing]\n`;
  return text;
}
