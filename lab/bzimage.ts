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
    default:
      throw new Error(`bzImage payload begins with ${payload.toString('hex', 0, 4)}: neither xz nor zstd`);
  }
}
