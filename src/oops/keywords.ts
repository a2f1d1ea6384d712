// Finds the lines worth reading: an Aho-Corasick automaton over bytes with every word that can start an
// incident. One table look-up a byte, whatever the number of words, so that logs of gigabytes are read at the
// speed of memory and regular expressions see only a handful of lines.

export interface Hit {
  /** Offset just after the word that was found, or -1. */
  at: number;
  /** Newlines passed on the way. */
  newlines: number;
}

export class KeywordFinder {
  /** Byte -> column of the table. Column 0: bytes that stand in no word. */
  private readonly column = new Uint8Array(256);
  /** next state * columns; the highest bit set: a word ends here. */
  private readonly table: Uint32Array;

  constructor(words: readonly string[]) {
    let columns = 1;
    for (const word of words) {
      for (const byte of Buffer.from(word, 'latin1')) if (this.column[byte] === 0) this.column[byte] = columns++;
    }
    const next: number[][] = [new Array<number>(columns).fill(-1)];
    const ends: boolean[] = [false];
    for (const word of words) {
      let state = 0;
      for (const byte of Buffer.from(word, 'latin1')) {
        const column = this.column[byte]!;
        if (next[state]![column] === -1) {
          next[state]![column] = next.length;
          next.push(new Array<number>(columns).fill(-1));
          ends.push(false);
        }
        state = next[state]![column]!;
      }
      ends[state] = true;
    }
    // breadth first: failure links become plain transitions
    const fail: number[] = [0];
    const queue: number[] = [];
    for (let column = 0; column < columns; column++) {
      const to = next[0]![column]!;
      if (to <= 0) next[0]![column] = 0;
      else {
        fail[to] = 0;
        queue.push(to);
      }
    }
    for (let i = 0; i < queue.length; i++) {
      const state = queue[i]!;
      if (ends[fail[state]!]) ends[state] = true;
      for (let column = 0; column < columns; column++) {
        const to = next[state]![column]!;
        const other = next[fail[state]!]![column]!;
        if (to === -1) next[state]![column] = other;
        else {
          fail[to] = other;
          queue.push(to);
        }
      }
    }
    this.table = new Uint32Array(next.length * columns);
    for (const [state, row] of next.entries()) {
      for (let column = 0; column < columns; column++) {
        const to = row[column]!;
        this.table[state * columns + column] = (to * columns) | (ends[to] ? 0x8000_0000 : 0);
      }
    }
  }

  /** Whether a word stands in the text. */
  occursIn(text: string): boolean {
    const { column, table } = this;
    let state = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      state = code > 255 ? 0 : table[state + column[code]!]!;
      if (state >= 0x8000_0000) return true;
    }
    return false;
  }

  /** The first word that ends in `bytes[from, to)`. */
  find(bytes: Uint8Array, from: number, to: number): Hit {
    const { column, table } = this;
    let state = 0;
    let newlines = 0;
    for (let i = from; i < to; i++) {
      const byte = bytes[i]!;
      if (byte === 10) {
        newlines++;
        state = 0;
        continue;
      }
      state = table[state + column[byte]!]!;
      if (state >= 0x8000_0000) return { at: i + 1, newlines };
    }
    return { at: -1, newlines };
  }
}

/** Every word one of which stands in each line that starts an incident (headlines.ts) or changes how text is read. */
export const words = new KeywordFinder([
  'BUG',
  'WARNING:',
  'INFO:',
  'Oops',
  'Kernel panic',
  'PANIC',
  'nable to handle',
  'NULL pointer',
  'general protection',
  'divide error',
  'invalid opcode',
  'double fault',
  '[#',
  'cut here',
  'LOCKUP',
  'lockup',
  'stall',
  'jiffies',
  'oom-killer',
  'ut of memory',
  'ysrq: ',
  'SysRq',
  'Trigger a crash',
  'Hardware Error]',
  'achine Check',
  'hardware memory error',
  'mce: ',
  'MCE',
  'Memory failure',
  'EDAC',
  'AER: ',
  'PCIe Bus Error',
  'NMI',
  'UBSAN',
  'refcount_t',
  'corruption',
  'double add',
  'ODEBUG',
  'usercopy',
  'exposure attempt',
  'overwrite attempt',
  'detected buffer',
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
  'bad: scheduling',
  'RIP: 00',
  'Call Trace:',
  'Call trace:',
  '---[ end',
  'Panic#',
  'Oops#',
  'Emergency#',
  'Shutdown#',
  'Unknown#',
  'ncfrag=',
  '"MESSAGE":[',
  '"MESSAGE" : [',
]);
