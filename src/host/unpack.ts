// What kernels unpack by themselves: an initramfs, and modules.
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { FormatError, messageOf } from '../base/errors.ts';
import { xzUnpacker } from '../debuginfo/elf/unpack_xz.ts';
import { lz4Decompress } from '../dump/lz4.ts';

/** Packings that are told apart, by how they begin. */
const magics: Readonly<Record<string, string>> = {
  '1f8b': 'gzip',
  '28b52ffd': 'zstd',
  fd377a58: 'xz',
  '02214c18': 'lz4',
  '894c5a4f': 'lzo',
  '5d000080': 'lzma',
  '425a68': 'bzip2',
};

/** What it is packed with; null where that is not known. */
export function packing(bytes: Buffer): string | null {
  const start = bytes.toString('hex', 0, 4);
  return Object.entries(magics).find(([magic]) => start.startsWith(magic))?.[1] ?? null;
}

/**
 * @param name for errors
 * @param most bytes that may come out
 * @throws FormatError where it is damaged, cut or larger, or packed in a way that is not unpacked here (lzo, lzma, bzip2)
 */
export function unpack(packed: Buffer, name: string, most: number): Buffer {
  const how = packing(packed);
  try {
    switch (how) {
      case 'gzip':
        return gunzipSync(packed, { maxOutputLength: most });
      case 'zstd':
        return zstdDecompressSync(packed, { maxOutputLength: most });
      case 'xz':
        return unxz(packed, most);
      case 'lz4':
        return unlz4(packed, most);
      default:
    }
  } catch (error) {
    throw new FormatError(name, `cannot be unpacked (${messageOf(error)})`);
  }
  throw new FormatError(name, `packed with ${how ?? `something unknown (${packed.toString('hex', 0, 4)})`}`);
}

function unxz(bytes: Buffer, most: number): Buffer {
  const parts: Buffer[] = [];
  let size = 0;
  const take = (part: Uint8Array): void => {
    size += part.length;
    if (size > most) throw new Error(`more than ${most} bytes`);
    parts.push(Buffer.from(part)); // a view, valid until the next one
  };
  const unpacker = xzUnpacker();
  unpacker.push(bytes, take);
  unpacker.end(take);
  return Buffer.concat(parts);
}

/** The form that `lz4 -l` writes (lib/decompress_unlz4.c): blocks of up to 8 MiB, each behind its length. */
function unlz4(bytes: Buffer, most: number): Buffer {
  const parts: Buffer[] = [];
  const block = Buffer.alloc(8 << 20);
  let size = 0;
  for (let at = 4; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    if (length === 0) break; // padding
    if (length > bytes.length - at - 4) throw new Error('the last block is cut');
    const n = lz4Decompress(bytes.subarray(at + 4, at + 4 + length), block);
    size += n;
    if (size > most) throw new Error(`more than ${most} bytes`);
    parts.push(Buffer.from(block.subarray(0, n)));
    at += 4 + length;
  }
  return Buffer.concat(parts);
}
