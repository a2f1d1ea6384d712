// The vmlinux inside a bzImage: it still has the kernel's BTF (an allocated section), which is what a module's own
// BTF is made against; so the kernel's debug package, a hundred times larger, is not needed.
// Layout: Documentation/arch/x86/boot.rst, "payload_offset" and "payload_length".
import { zstdDecompressSync } from 'node:zlib';
import { runProgram } from './programs.ts';

/** @throws Error when `image` is no bzImage, or compressed in a way other than Debian's */
export function vmlinuxOf(image: Buffer): Buffer {
  if (image.length < 0x260 || image.readUInt32LE(0x202) !== 0x53726448)
    throw new Error('not a bzImage: no HdrS at 0x202');
  const setup = ((image[0x1f1] || 4) + 1) * 512;
  const start = setup + image.readUInt32LE(0x248);
  // The last four bytes of the payload are the size of what it decompresses to, outside the compressed stream.
  const payload = image.subarray(start, start + image.readUInt32LE(0x24c) - 4);
  switch (payload.toString('hex', 0, 4)) {
    case 'fd377a58':
      return runProgram('xz', ['--decompress', '--stdout', '--single-stream'], { input: payload });
    case '28b52ffd':
      return zstdDecompressSync(payload);
    case '02214c18':
      return lz4Legacy(payload);
    default:
      throw new Error(`bzImage payload begins with ${payload.toString('hex', 0, 4)}: neither xz, zstd nor lz4`);
  }
}

/** LZ4's legacy frame (`lz4 -l`, lz4_Frame_format.md): a magic number, then blocks, each after its size. */
function lz4Legacy(frame: Buffer): Buffer {
  const blocks: Buffer[] = [];
  for (let at = 4; at + 4 <= frame.length; ) {
    const size = frame.readUInt32LE(at);
    blocks.push(lz4Block(frame.subarray(at + 4, at + 4 + size)));
    at += 4 + size;
  }
  return Buffer.concat(blocks);
}

/** One block of at most 8 MiB (lz4_Block_format.md): literals, then a copy of what came before, and so on. */
function lz4Block(block: Buffer): Buffer {
  const out = Buffer.alloc(8 << 20);
  let [at, end] = [0, 0];
  const length = (nibble: number) => {
    let total = nibble;
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; total += byte) byte = block[at++] ?? 0;
    return total;
  };
  while (at < block.length) {
    const token = block[at++] ?? 0;
    const literals = length(token >> 4);
    end += block.copy(out, end, at, at + literals);
    at += literals;
    if (at >= block.length) break;
    const from = end - block.readUInt16LE(at);
    at += 2;
    const copied = length(token & 15) + 4;
    if (from < 0 || end + copied > out.length) throw new Error('lz4 block: a copy leaves the block');
    for (let i = 0; i < copied; i++) out[end++] = out[from + i] ?? 0;
  }
  return out.subarray(0, end);
}
