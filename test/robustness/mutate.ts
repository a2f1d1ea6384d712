// Broken dumps made from good ones, the same every time for a seed: what disks, networks, full file systems and
// attackers do to files.
//
//   const { name, bytes } = mutateFile(good, 42);      // name says what was done, for the failure's message
import { readKdumpHeader } from '../../src/dump/kdump_header.ts';

/** A source of numbers that look random and are the same for a seed (mulberry32). */
export class Dice {
  private state: number;

  constructor(seed: number) {
    // seeds that follow one another must not give rows of numbers that do
    this.state = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) | 0;
  }

  /** A number in [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b_79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number in [0, end). */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  /** Small numbers more often than large ones: 1 to `end`. */
  size(end: number): number {
    return Math.max(1, Math.floor(end ** this.next()));
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

/** Numbers that readers trip over: limits of words, signs, pages. */
export const awkwardNumbers: readonly bigint[] = [
  0n,
  1n,
  2n,
  7n,
  63n,
  64n,
  0x7fn,
  0xffn,
  0xfffn,
  0x1000n,
  0x7fffn,
  0xffffn,
  0x10_0000n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_fffen,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x20_0000_0000_0000n,
  0x7fff_ffff_ffff_ffffn,
  0x8000_0000_0000_0000n,
  0xffff_8000_0000_0000n,
  0xffff_ffff_8000_0000n,
  0xffff_ffff_ffff_f000n,
  0xffff_ffff_ffff_fff0n,
  0xffff_ffff_ffff_ffffn,
];

export interface MutatedFile {
  /** What was done. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Writes an awkward number of 1, 2, 4 or 8 bytes over a place in [from, to). */
function awkward(bytes: Uint8Array, dice: Dice, from: number, to: number): string {
  const size = dice.pick([1, 2, 4, 8]);
  const at = from + Math.floor(dice.below(Math.max(1, to - from)) / size) * size;
  const value = BigInt.asUintN(size * 8, dice.pick(awkwardNumbers));
  for (let i = 0; i < size && at + i < bytes.length; i++) bytes[at + i] = Number((value >> BigInt(i * 8)) & 0xffn);
  return `${size} bytes at 0x${at.toString(16)} = 0x${value.toString(16)}`;
}

/** The parts of a dump file whose content the reader's own arithmetic rests on. */
interface Regions {
  /** Headers, in bytes from the start. */
  readonly headers: number;
  readonly bitmaps: readonly [start: number, end: number] | null;
  readonly descriptors: readonly [start: number, end: number] | null;
}

function regionsOf(bytes: Uint8Array): Regions {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 8));
  if (!['KDUMP   ', 'DISKDUMP'].includes(start.toString('latin1'))) {
    return { headers: Math.min(4096, bytes.length), bitmaps: null, descriptors: null };
  }
  const { bitmap, descriptors } = readKdumpHeader({
    path: '',
    size: bytes.length,
    fileSize: bytes.length,
    identity: '',
    flattened: false,
    warnings: [],
    read: (offset, into) => {
      const part = bytes.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    },
    close: () => {},
  });
  return {
    headers: bitmap.offset,
    bitmaps: [bitmap.offset, descriptors],
    descriptors: [descriptors, Math.min(bytes.length, descriptors + 24 * 20_000)],
  };
}

/** One way to break a file; returns the broken bytes (those given, changed, or a part of them) and says what it did. */
type Breaker = (bytes: Uint8Array, dice: Dice, regions: Regions) => MutatedFile;

const breakers: readonly Breaker[] = [
  (bytes, dice) => {
    const n = dice.size(10_000);
    for (let i = 0; i < n; i++) bytes[dice.below(bytes.length)] = dice.below(256);
    return { name: `${n} random bytes`, bytes };
  },
  (bytes, dice) => {
    const value = dice.pick([0, 0xff]);
    const at = dice.below(bytes.length);
    const n = dice.size(bytes.length - at);
    bytes.fill(value, at, at + n);
    return { name: `0x${n.toString(16)} bytes of ${value} at 0x${at.toString(16)}`, bytes };
  },
  (bytes, dice) => {
    const length = dice.next() < 0.4 ? dice.size(bytes.length) : dice.below(bytes.length);
    return { name: `cut to 0x${length.toString(16)} bytes`, bytes: bytes.subarray(0, length) };
  },
  (bytes, dice) => {
    const block = dice.pick([512, 4096, 65536]);
    const a = dice.below(Math.floor(bytes.length / block)) * block;
    const b = dice.below(Math.floor(bytes.length / block)) * block;
    const kept = bytes.slice(a, a + block);
    bytes.copyWithin(a, b, b + block);
    bytes.set(kept.subarray(0, Math.min(block, bytes.length - b)), b);
    return { name: `blocks of ${block} at 0x${a.toString(16)} and 0x${b.toString(16)} swapped`, bytes };
  },
  (bytes, dice, { headers }) => {
    const n = 1 + dice.below(3);
    const done = Array.from({ length: n }, () =>
      // the kdump header's numbers stand from byte 408 on, an ELF header's in the first 64
      awkward(bytes, dice, dice.pick([0, 408, 4096]) % headers, dice.pick([64, 464, 4200, headers])),
    );
    return { name: `header: ${done.join(', ')}`, bytes };
  },
  (bytes, dice, { headers }) => {
    const n = 1 + dice.below(20);
    for (let i = 0; i < n; i++) bytes[dice.below(headers)] = dice.below(256);
    return { name: `${n} random bytes in the header`, bytes };
  },
  (bytes, dice, { bitmaps, headers }) => {
    const [start, end] = bitmaps ?? [0, headers];
    const at = start + dice.below(end - start);
    const n = dice.size(end - at);
    const value = dice.pick([0, 0xff, 0xaa, -1]);
    for (let i = at; i < at + n && i < bytes.length; i++) bytes[i] = value < 0 ? dice.below(256) : value;
    return { name: `bitmap: 0x${n.toString(16)} bytes at 0x${at.toString(16)} of ${value}`, bytes };
  },
  (bytes, dice, { descriptors, headers }) => {
    const [start, end] = descriptors ?? [0, headers];
    const n = dice.size(200);
    const done = Array.from({ length: n }, () => awkward(bytes, dice, start, end));
    return { name: `${n} descriptors: ${done.slice(0, 3).join(', ')}`, bytes };
  },
];

/** A broken copy of a file; the same for the same seed. */
export function mutateFile(good: Uint8Array, seed: number): MutatedFile {
  const dice = new Dice(seed);
  const regions = regionsOf(good);
  let bytes: Uint8Array = good.slice();
  const names: string[] = [];
  for (let n = dice.next() < 0.8 ? 1 : 2; n > 0 && bytes.length > 0; n--) {
    const broken = dice.pick(breakers)(bytes, dice, regions);
    names.push(broken.name);
    bytes = broken.bytes;
  }
  return { name: names.join('; '), bytes };
}
