// printk's extended records, as /dev/kmsg and netconsole give them (Documentation/ABI/testing/dev-kmsg,
// Documentation/networking/netconsole.rst):
//
//   [release,]level,sequence,microseconds,flag[,key=value]*;text
//    KEY=value                              the device that the message is about, netconsole's user data
//
// and fragments of those that are longer than a packet, each with the header and `ncfrag=offset/total`, where offset and total
// count the bytes behind the header.

export interface ExtendedHeader {
  /** Kernel release, where netconsole sends it along. */
  readonly release: string | null;
  /** syslog priority: 8 * facility + level; facility 0 is the kernel's. */
  readonly priority: number;
  readonly sequence: number;
  /** Microseconds since boot. */
  readonly microseconds: number;
  /** `-` whole; `c` the first piece of a line; `+` a further one. */
  readonly flag: string;
  /** Who printed it: `T123` a task, `C1` a CPU outside of task context. */
  readonly caller: string | null;
  /** Which bytes of the record's body these are; null: all. */
  readonly fragment: { readonly offset: number; readonly total: number } | null;
  /** Where the body begins in the text that was read. */
  readonly bodyAt: number;
}

/** A header is short: release, numbers, some keys. */
const maxHeader = 1024;

/** Reads the header that a text begins with. Null: it begins with none. By hand: a receiver reads a hundred thousand a second. */
export function parseExtendedHeader(text: string): ExtendedHeader | null {
  const semicolon = text.indexOf(';');
  if (semicolon < 7 || semicolon > maxHeader) return null;
  let at = 0;
  let release: string | null = null;
  let end = endOfDigits(text, 0);
  if (end === 0 || text.charCodeAt(end) !== comma) {
    // a release, in which digits are not all
    end = text.indexOf(',');
    if (end < 1 || end > 64 || end > semicolon || !/^[\w.+~-]+$/.test(text.slice(0, end))) return null;
    release = text.slice(0, end);
    at = end + 1;
    end = endOfDigits(text, at);
  }
  const priority = numberAt(text, at, end, 5);
  const sequenceAt = end + 1;
  end = endOfDigits(text, sequenceAt);
  const sequence = numberAt(text, sequenceAt, end, maxDigits);
  const microsecondsAt = end + 1;
  end = endOfDigits(text, microsecondsAt);
  const microseconds = numberAt(text, microsecondsAt, end, maxDigits);
  const flag = text[end + 1];
  if (priority < 0 || sequence < 0 || microseconds < 0 || (flag !== '-' && flag !== 'c' && flag !== '+')) return null;
  let caller: string | null = null;
  let fragment: ExtendedHeader['fragment'] = null;
  for (let key = end + 2; key < semicolon; ) {
    if (text.charCodeAt(key) !== comma) return null;
    const next = text.indexOf(',', key + 1);
    const stop = next < 0 || next > semicolon ? semicolon : next;
    const word = text.slice(key + 1, stop);
    if (word.startsWith('caller=')) caller = /^[TC]\d{1,10}$/.test(word.slice(7)) ? word.slice(7) : null;
    else if (word.startsWith('ncfrag=')) {
      const m = /^(\d{1,5})\/(\d{1,5})$/.exec(word.slice(7));
      if (m === null) return null;
      fragment = { offset: Number(m[1]), total: Number(m[2]) };
    }
    key = stop;
  }
  return { release, priority, sequence, microseconds, flag, caller, fragment, bodyAt: semicolon + 1 };
}

/** Numbers of so many digits are exact, and so is what is counted from them: no kernel prints longer ones. */
const maxDigits = 15;

const comma = 0x2c;

function endOfDigits(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) >= 0x30 && text.charCodeAt(at) <= 0x39) at++;
  return at;
}

/** The number of digits `text[from, end)`, behind which a comma stands; -1: it is none. */
function numberAt(text: string, from: number, end: number, most: number): number {
  return end === from || end - from > most || text.charCodeAt(end) !== comma ? -1 : Number(text.slice(from, end));
}

/** The text of a record's body as the kernel had it, newlines and all. */
export function recordText(body: string): string {
  const newline = body.indexOf('\n');
  return unescapeRecord(newline < 0 ? body : body.slice(0, newline));
}

/** What stands behind the text: ` KEY=value` a line. */
export function recordFields(body: string): [string, string][] {
  const fields: [string, string][] = [];
  for (let at = body.indexOf('\n'); at >= 0 && fields.length < 64; ) {
    const end = body.indexOf('\n', at + 1);
    const m = /^ ([A-Za-z_][\w.-]{0,63})=(.{0,1000})$/.exec(body.slice(at + 1, end < 0 ? undefined : end));
    if (m !== null) fields.push([m[1]!, unescapeRecord(m[2]!)]);
    at = end;
  }
  return fields;
}

/** Undoes `\xNN`, which stands for control characters, backslashes and bytes above 126. Those are UTF-8, or stay as they are. */
export function unescapeRecord(text: string): string {
  if (!text.includes('\\x')) return text;
  return text.replace(/(?:\\x[0-9a-f]{2})+/g, (run) => Buffer.from(run.replaceAll('\\x', ''), 'hex').toString('utf8'));
}
