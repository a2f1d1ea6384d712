// A hash table from names to BTF record numbers. Built over the bytes of the string section, without
// making strings of them: a search in the section takes a millisecond for each name that is looked for,
// as long as this takes for all of them.

/** Strings that continue each other: a module's follow the kernel's. */
export interface StringSection {
  /** Offset of the first byte of `bytes`; those below are in `base`. */
  readonly first: number;
  readonly bytes: Uint8Array;
  readonly base: StringSection | null;
}

export class NameIndex {
  private readonly ids: Uint32Array;
  private readonly offsets: Uint32Array;
  private readonly strings: StringSection;
  /** First entry of each hash chain, plus one; a power of two long. */
  private readonly heads: Uint32Array;
  /** Next entry of the chain, plus one. */
  private readonly next: Uint32Array;

  /**
   * @param ids numbers of the records to find
   * @param offsets where the name of each is in the strings
   */
  constructor(ids: Uint32Array, offsets: Uint32Array, strings: StringSection) {
    this.ids = ids;
    this.offsets = offsets;
    this.strings = strings;
    let size = 16;
    while (size < ids.length) size *= 2;
    this.heads = new Uint32Array(size);
    this.next = new Uint32Array(ids.length);
    this.fill(this.heads, this.next, offsets, strings.first, strings.bytes);
  }

  /** Numbers of the records of this name, ascending. */
  find(name: string): number[] {
    const wanted = Buffer.from(`${name}\0`, 'latin1');
    const result: number[] = [];
    for (let i = this.heads[slotOf(hashOf(wanted, 0), this.heads)]!; i > 0; i = this.next[i - 1]!) {
      const { bytes, start } = place(this.strings, this.offsets[i - 1]!);
      if (wanted.compare(bytes, start, Math.min(start + wanted.length, bytes.length)) === 0) {
        result.push(this.ids[i - 1]!);
      }
    }
    return result;
  }

  // One loop with everything at hand: at the start of the program it runs before it is compiled.
  private fill(heads: Uint32Array, next: Uint32Array, offsets: Uint32Array, first: number, bytes: Uint8Array): void {
    // From the end, so that chains come in the order of numbers.
    for (let i = offsets.length - 1; i >= 0; i--) {
      const offset = offsets[i]!;
      let hash = seed;
      if (offset < first) {
        const elsewhere = place(this.strings, offset);
        hash = hashOf(elsewhere.bytes, elsewhere.start);
      } else {
        const start = offset - first;
        const end = Math.min(bytes.length, start + longest);
        for (let at = start; at < end; at++) {
          const byte = bytes[at]!;
          if (byte === 0) break;
          hash = Math.imul(hash ^ byte, factor);
        }
      }
      const slot = slotOf(hash, heads);
      next[i] = heads[slot]!;
      heads[slot] = i + 1;
    }
  }
}

// FNV-1a, up to the NUL or as much as tells names apart.
const seed = 0x811c9dc5 | 0;
const factor = 0x01000193;
const longest = 64;

function hashOf(bytes: Uint8Array, start: number): number {
  let hash = seed;
  const end = Math.min(bytes.length, start + longest);
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === 0) break;
    hash = Math.imul(hash ^ byte, factor);
  }
  return hash;
}

function slotOf(hash: number, heads: Uint32Array): number {
  return (hash ^ (hash >>> 15)) & (heads.length - 1);
}

/** Where an offset leads; outside all strings it is the end of them. */
function place(strings: StringSection, offset: number): { bytes: Uint8Array; start: number } {
  let section = strings;
  while (offset < section.first && section.base !== null) section = section.base;
  return { bytes: section.bytes, start: Math.min(Math.max(0, offset - section.first), section.bytes.length) };
}
