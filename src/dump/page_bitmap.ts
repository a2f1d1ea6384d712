// One bit a page frame, kept in the file: is the bit set, and how many bits are set below it (its rank,
// which is the index of the page's descriptor)?
//
//   file    |<-- block: 4 KiB = 32768 bits -->|<-- block -->| ...
//   before  bits set before each block: filled as far as was asked, once
//   block   cached with the number of bits set before each of its 32-bit words
//
// Opening counts nothing; a rank reads the blocks below it once. Memory: 8 bytes a block for the counts,
// which is 8 bytes for 128 MiB of the dead machine's memory, and the cached blocks.
import type { ByteSource } from './byte_source.ts';

const blockBytes = 4096;
const blockBits = blockBytes * 8;
const blockWords = blockBytes / 4;
const cachedBlocks = 64;
/** Blocks read at once where most of a bitmap is gone through: a machine with 1 TiB has 32 MiB of it. */
const perRead = 64;

interface Block {
  readonly index: number;
  readonly words: Uint32Array;
  /** Bits set in the words before each word. */
  readonly below: Uint16Array;
  readonly count: number;
}

export class PageBitmap {
  /** Number of bits, which all lie in the file. Bits beyond read as 0. */
  readonly length: number;
  private readonly source: ByteSource;
  private readonly start: number;
  private readonly blocks: number;
  /** Bits set before block i, for i <= counted. */
  private before: Float64Array;
  private counted = 0;
  private readonly cache: (Block | undefined)[] = new Array<Block | undefined>(cachedBlocks).fill(undefined);

  /**
   * LSB-first bits from a file offset on.
   * @param start file offset in bytes
   * @param length wanted number of bits; less if the source ends before
   */
  constructor(source: ByteSource, start: number, length: number) {
    this.source = source;
    this.start = start;
    this.length = Math.max(0, Math.min(length, (source.size - start) * 8));
    this.blocks = Math.ceil(this.length / blockBits);
    this.before = new Float64Array(1);
  }

  get(bit: number): boolean {
    if (bit < 0 || bit >= this.length) return false;
    const inBlock = bit % blockBits;
    const block = this.block((bit - inBlock) / blockBits);
    return (block.words[inBlock >>> 5]! & (1 << (inBlock & 31))) !== 0;
  }

  /** Number of bits set below `bit`. */
  rank(bit: number): number {
    const at = Math.max(0, Math.min(bit, this.length));
    const inBlock = at % blockBits;
    const index = (at - inBlock) / blockBits;
    this.countBefore(index);
    const before = this.before[index]!;
    if (inBlock === 0) return before;
    const block = this.block(index);
    const word = inBlock >>> 5;
    return before + block.below[word]! + popcount(block.words[word]! & ((1 << (inBlock & 31)) - 1));
  }

  /** Number of bits set. */
  count(): number {
    return this.rank(this.length);
  }

  /**
   * Runs of set bits as [start, end), ascending. At most `limit`: the last run then reaches to the last set
   * bit, gaps and all.
   */
  runs(limit: number): { start: number; end: number }[] {
    const found: { start: number; end: number }[] = [];
    for (const run of this.runsWithin(0, this.length)) {
      found.push(run);
      if (found.length === limit) {
        run.end = Math.max(run.end, this.lastSet() + 1);
        break;
      }
    }
    return found;
  }

  /** Runs of set bits among the bits [from, to), as [start, end), ascending. */
  *runsWithin(from: number, to: number): Generator<{ start: number; end: number }> {
    const last = Math.min(to, this.length);
    let start = -1; // of the run that is open, -1 for none
    let at = Math.max(0, from);
    const room = new Uint32Array(perRead * blockWords);
    while (at < last) {
      const index = Math.floor(at / blockBits);
      const base = index * blockBits;
      const many = Math.min(perRead, this.blocks - index);
      const words = this.words(index, many, room);
      const end = Math.min(last, base + many * blockBits);
      while (at < end) {
        const word = words[(at - base) >>> 5]!;
        // whole words that change nothing are passed at once
        if (at % 32 === 0 && word === (start < 0 ? 0 : 0xffff_ffff)) {
          at += 32;
          continue;
        }
        const set = (word & (1 << (at & 31))) !== 0;
        if (set && start < 0) start = at;
        else if (!set && start >= 0) {
          yield { start, end: at };
          start = -1;
        }
        at++;
      }
    }
    if (start >= 0) yield { start, end: last };
  }

  private lastSet(): number {
    for (let index = this.blocks - 1; index >= 0; index--) {
      const { words } = this.block(index);
      for (let w = blockWords - 1; w >= 0; w--) {
        if (words[w] !== 0) return index * blockBits + w * 32 + 31 - Math.clz32(words[w]!);
      }
    }
    return -1;
  }

  private countBefore(index: number): void {
    if (index <= this.counted) return;
    if (this.before.length <= index) {
      const grown = new Float64Array(Math.min(this.blocks, Math.max(index, 2 * this.before.length)) + 1);
      grown.set(this.before);
      this.before = grown;
    }
    const room = new Uint32Array(Math.min(perRead, index - this.counted) * blockWords);
    for (let at = this.counted; at < index; ) {
      const many = Math.min(perRead, index - at);
      const words = this.words(at, many, room);
      for (let i = 0; i < many; i++, at++) {
        let count = 0;
        for (let w = i * blockWords; w < (i + 1) * blockWords; w++) {
          const word = words[w]!;
          if (word !== 0) count += popcount(word);
        }
        this.before[at + 1] = this.before[at]! + count;
      }
    }
    this.counted = index;
  }

  private block(index: number): Block {
    const cached = this.cache[index % cachedBlocks];
    if (cached !== undefined && cached.index === index) return cached;
    const words = this.words(index, 1);
    const below = new Uint16Array(blockWords);
    let count = 0;
    for (let w = 0; w < blockWords; w++) {
      below[w] = count;
      count += popcount(words[w]!);
    }
    const block = { index, words, below, count };
    this.cache[index % cachedBlocks] = block;
    return block;
  }

  /**
   * The bits of whole blocks as words, zeroes past the end of the bitmap.
   * @param words where to put them
   */
  private words(index: number, blocks: number, words = new Uint32Array(blocks * blockWords)): Uint32Array {
    const bits = Math.min(blocks * blockBits, this.length - index * blockBits);
    const bytes = new Uint8Array(words.buffer, 0, blocks * blockBytes);
    const got = this.source.read(this.start + index * blockBytes, bytes.subarray(0, Math.ceil(bits / 8)));
    bytes.fill(0, got);
    if (bits % 8 !== 0 && got === Math.ceil(bits / 8)) bytes[got - 1]! &= (1 << (bits % 8)) - 1;
    if (bigEndianHost) {
      const view = new DataView(words.buffer);
      for (let w = 0; w < words.length; w++) words[w] = view.getUint32(w * 4, true);
    }
    return words;
  }
}

const bigEndianHost = new Uint8Array(new Uint32Array([1]).buffer)[0] === 0;

function popcount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x5555_5555);
  const nibbles = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
