// Exports of systemd's journal, by boot: `journalctl -o export` (fields a line each, binary ones with their length before
// them; entries end with an empty line) and `-o json`. systemd.journal-export-formats.
import { escapeJson } from '../../base/text.ts';

/** What of an entry is read: the fields that src/oops knows. */
const wanted = new Set([
  'MESSAGE',
  'PRIORITY',
  'SYSLOG_IDENTIFIER',
  '_TRANSPORT',
  '_HOSTNAME',
  '_SOURCE_MONOTONIC_TIMESTAMP',
  '__MONOTONIC_TIMESTAMP',
  '__REALTIME_TIMESTAMP',
  '_BOOT_ID',
]);
const maxField = 1 << 20;

/** Whether a file begins like an export. */
export function isJournalExport(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, 9)).toString('latin1') === '__CURSOR=';
}

export function isJournalJson(head: Uint8Array): boolean {
  const text = Buffer.from(head.subarray(0, 4096)).toString('latin1').trimStart();
  return text.startsWith('{') && /"_BOOT_ID"|"__CURSOR"/.test(text);
}

/** Kernel messages as JSON lines, by the id of their boot, in the order of the boots. */
export function journalBoots(bytes: Buffer, isExport: boolean): Map<string, string[]> {
  const boots = new Map<string, string[]>();
  const add = (boot: string, line: string): void => {
    const lines = boots.get(boot);
    if (lines === undefined) boots.set(boot, [line]);
    else lines.push(line);
  };
  if (isExport) {
    for (const entry of exportEntries(bytes))
      if (entry['_TRANSPORT'] === 'kernel' && entry['MESSAGE'] !== undefined)
        add(entry['_BOOT_ID'] ?? '', escapeJson(JSON.stringify(entry)));
    return boots;
  }
  for (const line of bytes.toString('utf8').split('\n')) {
    if (!/"_TRANSPORT"\s{0,2}:\s{0,2}"kernel"/.test(line)) continue;
    add(/"_BOOT_ID"\s{0,2}:\s{0,2}"([0-9a-f]{32})"/.exec(line)?.[1] ?? '', line);
  }
  return boots;
}

function* exportEntries(bytes: Buffer): Generator<Record<string, string>> {
  let entry: Record<string, string> = {};
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(10, at);
    const stop = end < 0 ? bytes.length : end;
    if (stop === at) {
      yield entry;
      entry = {};
      at = stop + 1;
      continue;
    }
    const equals = bytes.indexOf(0x3d, at);
    if (equals >= 0 && equals < stop) {
      const name = bytes.toString('latin1', at, equals);
      if (wanted.has(name)) entry[name] = bytes.toString('utf8', equals + 1, Math.min(stop, equals + 1 + maxField));
      at = stop + 1;
      continue;
    }
    // a name alone: eight bytes of length, the value, a newline
    if (stop + 9 > bytes.length) return;
    const name = bytes.toString('latin1', at, stop);
    const length = bytes.readBigUInt64LE(stop + 1);
    if (length > BigInt(bytes.length - stop - 9)) return;
    const from = stop + 9;
    if (wanted.has(name)) entry[name] = bytes.toString('utf8', from, from + Math.min(Number(length), maxField));
    at = from + Number(length) + 1;
  }
  if (Object.keys(entry).length > 0) yield entry;
}
