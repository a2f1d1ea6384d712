// Finds the lines worth reading: those in which a word stands that can start an incident. While nothing is wrong this is
// all that looks at the text, so it must pass over most bytes without touching them.
//
// Of each word four bytes are compared, the rarest. Bytes are searched by byte_search.ts; strings, and bytes where that
// cannot be, in Wu and Manber's way: the two bytes at the end of a window of four say how far the window may move on, three
// bytes mostly.
import { type Key, KeySet, keyAt, type SearchedText } from './byte_search.ts';

const width = 4;

/** Where a pair of bytes has its entry: a table that stays in the nearest cache. */
function slot(before: number, last: number): number {
  return ((before << 5) ^ last) & 0x1fff;
}

interface Candidate {
  readonly bytes: Uint8Array;
  /** Where in the word its four bytes stand. */
  readonly offset: number;
}

/** How often a byte stands in log text, roughly: the four bytes that tell a word are chosen to be rare. */
function frequency(byte: number): number {
  if (byte === 0x20) return 8;
  if (byte >= 0x61 && byte <= 0x7a) return 'etaoinsrdlcu'.includes(String.fromCharCode(byte)) ? 6 : 3;
  if (byte >= 0x30 && byte <= 0x39) return 5;
  if (byte >= 0x41 && byte <= 0x5a) return 1;
  return ':.=-]['.includes(String.fromCharCode(byte)) ? 3 : 1;
}

/** The place in a word of the four bytes by which it is found. */
function rarest(bytes: Uint8Array): number {
  let best = 0;
  let lowest = Number.POSITIVE_INFINITY;
  for (let offset = 0; offset + width <= bytes.length; offset++) {
    const f = Array.from(bytes.subarray(offset, offset + width), frequency) as [number, number, number, number];
    const cost = 4 * f[2] * f[3] + f[1] * f[2] + f[0] * f[1];
    if (cost >= lowest) continue;
    lowest = cost;
    best = offset;
  }
  return best;
}

export class KeywordFinder {
  /** By the last two bytes of the window: how far it may move; 0: a word may stand here. */
  private readonly shift = new Uint8Array(0x2000).fill(width - 1);
  /** By the same bytes, where the shift is 0: 1 + index in `candidates`. */
  private readonly bucket = new Uint16Array(0x2000);
  private readonly candidates: Candidate[][] = [];
  /** Words that the tables have not been made of yet. */
  private words: readonly string[];
  private keys: KeySet | undefined;

  /** @param words of four bytes at least, ASCII */
  constructor(words: readonly string[]) {
    const short = words.find((word) => word.length < width);
    if (short !== undefined) throw new RangeError(`word of less than ${width} bytes: ${short}`);
    this.words = words;
  }

  /** Makes the tables, when the first text is searched. */
  private prepare(): void {
    const { words } = this;
    this.words = [];
    const keys = new Set<Key>();
    for (const word of words) {
      const bytes = Buffer.from(word, 'latin1');
      const offset = rarest(bytes);
      keys.add(keyAt(bytes, offset));
      for (let j = 0; j + 2 <= width; j++) {
        const pair = slot(bytes[offset + j]!, bytes[offset + j + 1]!);
        this.shift[pair] = Math.min(this.shift[pair]!, width - 2 - j);
      }
      const last = slot(bytes[offset + 2]!, bytes[offset + 3]!);
      if (this.bucket[last] === 0) this.bucket[last] = this.candidates.push([]);
      this.candidates[this.bucket[last]! - 1]!.push({ bytes, offset });
    }
    this.keys = new KeySet([...keys]);
  }

  /** Whether a word stands in the text. */
  occursIn(text: string): boolean {
    if (this.words.length > 0) this.prepare();
    const { shift, bucket, candidates } = this;
    const length = text.length;
    for (let i = width - 1; i < length; ) {
      const pair = slot(text.charCodeAt(i - 1) & 0xff, text.charCodeAt(i) & 0xff);
      const far = shift[pair]!;
      if (far !== 0) {
        i += far;
        continue;
      }
      for (const { bytes, offset } of candidates[bucket[pair]! - 1]!) {
        const start = i - width + 1 - offset;
        if (start < 0 || start + bytes.length > length) continue;
        let n = 0;
        while (n < bytes.length && text.charCodeAt(start + n) === bytes[n]) n++;
        if (n === bytes.length) return true;
      }
      i++;
    }
    return false;
  }

  /**
   * An offset inside the first word in `bytes[from, to)`, or -1.
   * @param text the same bytes where they can be searched quickly
   */
  find(bytes: Uint8Array, from: number, to: number, text: SearchedText | null): number {
    if (this.words.length > 0) this.prepare();
    if (text === null) return this.findSlowly(bytes, from, to);
    for (let at = text.find(this.keys!, from, to); at >= 0; at = text.find(this.keys!, at + 1, to))
      if (this.standsAt(bytes, at + width - 1, from, to)) return at;
    return -1;
  }

  private findSlowly(bytes: Uint8Array, from: number, to: number): number {
    const { shift } = this;
    for (let i = from + width - 1; i < to; ) {
      const far = shift[slot(bytes[i - 1]!, bytes[i]!)]!;
      if (far === 0 && this.standsAt(bytes, i, from, to)) return i;
      i += far === 0 ? 1 : far;
    }
    return -1;
  }

  /** Whether a word of `bytes[from, to)` has its four bytes in the window that ends at `at`. */
  private standsAt(bytes: Uint8Array, at: number, from: number, to: number): boolean {
    for (const { bytes: word, offset } of this.candidates[this.bucket[slot(bytes[at - 1]!, bytes[at]!)]! - 1] ?? []) {
      const start = at - width + 1 - offset;
      if (start < from || start + word.length > to) continue;
      let n = 0;
      while (n < word.length && bytes[start + n] === word[n]) n++;
      if (n === word.length) return true;
    }
    return false;
  }
}

/** Every word one of which stands in each line that starts an incident (headlines/) or changes how text is read. */
const announcing: readonly string[] = [
  'BUG:',
  'BUG at',
  '(Not tainted): ',
  '(Tainted',
  'WARNING:',
  'INFO:',
  'Oops: ',
  'Oops - ',
  'Kernel panic',
  'PANIC',
  'nable to handle',
  'NULL pointer',
  'general protection',
  'divide error',
  'invalid opcode',
  'double fault',
  '[#1]',
  ' [#1',
  '[#2]',
  ' [#2',
  '[#3]',
  ' [#3',
  '[#4]',
  ' [#4',
  '[#5]',
  ' [#5',
  '[#6]',
  ' [#6',
  '[#7]',
  ' [#7',
  '[#8]',
  ' [#8',
  '[#9]',
  ' [#9',
  'cut here',
  'LOCKUP',
  'lockup',
  'ted stall',
  'starved for',
  "didn't happen",
  'oom-killer',
  'ut of memory',
  'ysrq: ',
  'SysRq',
  'Trigger a crash',
  'Hardware Error]',
  'achine Check',
  'hardware memory error',
  'corrected hardware',
  'Kernel does not support',
  'MCE: ',
  ': Killing',
  'Memory failure',
  'EDAC',
  'AER: ',
  'PCIe Bus Error',
  'NMI received',
  'NMI: ',
  'UBSAN',
  'refcount_t',
  'corruption',
  'double add',
  'ODEBUG',
  'usercopy',
  'exposure attempt',
  'overwrite attempt',
  'detected buffer',
  'skb_over_panic',
  'skb_under_panic',
  'CFI failure',
  'Missing ENDBR',
  'unreferenced object',
  'suspected memory leak',
  'unregister_netdevice',
  'SError',
  'Bad mode in',
  'Unhandled',
  'stack space',
  'stack overflow',
  'overran stack',
  'overflown the kernel stack',
  'ernel tried to',
  'ernel attempted to',
  'scheduling while',
  'scheduling in',
  'yp panic',
  'KVM internal',
  'KVM: entry',
  'Panic on CPU',
  'domain_crash',
  'crashed on cpu',
  'Linux version ',
  'elfcorehdr=',
  "can't die",
  'next should be',
  'prev should be',
  'suspicious RCU',
  'Busy inodes',
  'file count is',
  'duplicate filename',
  'Internal error',
  'slab error',
  'still has objects',
  'pagealloc:',
  'page_poison',
  ': bad p',
  'BERT: Error',
  'hung_task_timeout_secs',
  'Allocated in',
  'is out of range for type',
  'shift exponent',
  'a valid value for type',
  'sleeping function called',
  'bad: scheduling',
  'RIP: 00',
  'NIP [',
  'epc : ',
  'epc   : ',
  'PC is at ',
  'Krnl PSW : ',
  'Call Trace:',
  'Call trace:',
  'Backtrace:',
  '---[ end',
  'Panic#',
  'Oops#',
  'Emergency#',
  'Shutdown#',
  'Unknown#',
  'ncfrag=',
  '"MESSAGE":[',
  '"MESSAGE" : [',
];

export const words = new KeywordFinder(announcing);

/** Those, and what stands in a line that a report may have far below its beginning (farLine in shapes.ts). */
export const farWords = new KeywordFinder([
  ...announcing,
  'NMI backtrace',
  'Sending NMI',
  'Rebooting',
  'task:',
  'Workqueue',
  'held by',
  'held on',
  'Showing',
  'Mem-Info',
  'Tasks state',
  'rcu:',
  'rcu_',
  'CPU: ',
]);
