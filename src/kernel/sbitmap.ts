// include/linux/sbitmap.h: bitmaps spread over cache lines, by which the block layer gives out tags.
//
//   sbitmap { depth, shift, map } --> sbitmap_word { word, cleared }[]
//
// A bit that was given back stands in `cleared` (ea86ea2cdced, 5.0) until somebody needs it: it is free, though `word` has it.
import { offsetBy } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { findMember, offsetOf, sizeOf } from '../debuginfo/type.ts';

/** Most bits of one map believed, as many as a request's tag can tell. */
const maxBits = 1 << 22;

export interface Sbitmap {
  /** Bits of the map. */
  readonly depth: number;
  /** Bits in each of its words. */
  readonly bitsPerWord: number;
  readonly words: readonly { readonly word: bigint; readonly cleared: bigint }[];
}

/** @throws MemoryFault; FormatError for what is no sbitmap */
export function readSbitmap(map: KernelObject): Sbitmap {
  const { context } = map;
  const depth = map.member('depth').number();
  const shift = map.member('shift').number();
  const count = map.member('map_nr').number();
  if (depth < 0 || depth > maxBits || shift > 6 || count < 0 || count > maxBits || count * 2 ** shift < depth) {
    throw new FormatError(
      `sbitmap at ${map.address.toString(16)}`,
      `${depth} bits in ${count} words of ${2 ** shift} each`,
    );
  }
  const type = context.types.find('struct sbitmap_word');
  if (type === null) throw new FormatError('sbitmap', 'the type of its words is not known');
  const base = map.member('map').pointer();
  const clearedAt = findMember(type, 'cleared') === null ? null : offsetOf(type, 'cleared');
  const wordAt = offsetOf(type, 'word');
  const size = sizeOf(type);
  const words = Array.from({ length: count }, (_, i) => ({
    word: context.space.u64(offsetBy(base, i * size + wordAt)),
    cleared: clearedAt === null ? 0n : context.space.u64(offsetBy(base, i * size + clearedAt)),
  }));
  return { depth, bitsPerWord: 2 ** shift, words };
}

/** Numbers of the bits in use, ascending. */
export function* setBits({ depth, bitsPerWord, words }: Sbitmap): Generator<number> {
  for (const [i, { word, cleared }] of words.entries()) {
    let used = word & ~cleared;
    for (let bit = 0; used !== 0n && bit < bitsPerWord; bit++, used >>= 1n) {
      const number = i * bitsPerWord + bit;
      if ((used & 1n) === 1n && number < depth) yield number;
    }
  }
}
