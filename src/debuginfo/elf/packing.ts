// How files are packed.
export type Packing = 'gzip' | 'zlib' | 'zstd' | 'xz';

/** First bytes of packed files. */
const starts: readonly (readonly [packing: Packing, magic: readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b, 8]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]],
];

/** How a file is packed, by its first bytes; null for one that is not. */
export function packingOf(start: Uint8Array): Packing | null {
  return starts.find(([, magic]) => magic.every((byte, i) => start[i] === byte))?.[0] ?? null;
}
