// A hash table from names to BTF record numbers. Built over the bytes of the string section, without
// making strings of them: 14,000 type names take about a millisecond, a search in the section takes as
// long for each name that is looked for.
import type { BtfRecords } from './btf_records.ts';

export class NameIndex {
  private readonly records: BtfRecords;
  /** First entry of each hash chain, plus one; a power of two long. */
  private readonly heads: Uint32Array;
  /** Next entry of the chain, plus one. */
  private readonly next: Uint32Array;
  private readonly ids: Uint32Array;

  /** @param ids numbers of the records to find, all with names */
  constructor(records: BtfRecords, ids: Uint32Array) {
    this.records = records;
    this.ids = ids;
    let size = 16;
    while (size < ids.length) size *= 2;
    this.heads = new Uint32Array(size);
    this.next = new Uint32Array(ids.length);
    // From the end, so that chains come in the order of numbers.
    for (let i = ids.length - 1; i >= 0; i--) {
      const { bytes, start } = records.nameBytes(ids[i]!);
      const slot = hashOf(bytes, start) & (size - 1);
      this.next[i] = this.heads[slot]!;
      this.heads[slot] = i + 1;
    }
  }

  /** Numbers of the records of this name, ascending. */
  find(name: string): number[] {
    const wanted = Buffer.from(`${name}\0`, 'latin1');
    const result: number[] = [];
    for (let i = this.heads[hashOf(wanted, 0) & (this.heads.length - 1)]!; i > 0; i = this.next[i - 1]!) {
      const id = this.ids[i - 1]!;
      const { bytes, start } = this.records.nameBytes(id);
      if (wanted.compare(bytes, start, Math.min(start + wanted.length, bytes.length)) === 0) result.push(id);
    }
    return result;
  }
}

/** FNV-1a up to the NUL, or the longest name. */
function hashOf(bytes: Uint8Array, start: number): number {
  let hash = 0x811c9dc5;
  const end = Math.min(bytes.length, start + 512);
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte === 0) break;
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return (hash ^ (hash >>> 15)) >>> 0;
}
