// What a kernel that is booted has inside: BTF is an allocated section, so a module's own can be made against it, and
// the kernel's debug package, a hundred times larger, is not needed.
//
//   x86_64   bzImage: a vmlinux (ELF), compressed
//   arm64    Image, flat; or inside an EFI program that unpacks it ("zboot", Linux 6.1 and later); or gzip of it
//
// Layouts: Documentation/arch/arm64/booting.rst; drivers/firmware/efi/libstub/zboot-header.S; include/uapi/linux/btf.h.
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { vmlinuxOf } from './bzimage.ts';
import { runProgram } from './programs.ts';

/** What libbpf reads the kernel's types from: an ELF file that has BTF, or BTF alone. @throws Error when there is none */
export function btfBearer(image: Buffer): Buffer {
  if (image.readUInt32LE(0x202) === bzImageMagic) return vmlinuxOf(image);
  return btfWithin(flatImage(image));
}

const bzImageMagic = 0x53726448; // HdrS
const arm64Magic = 0x644d5241; // ARM\x64

function flatImage(image: Buffer): Buffer {
  if (image.readUInt32LE(56) === arm64Magic) return image;
  if (image.toString('latin1', 4, 8) !== 'zimg') return gunzipSync(image);
  const start = image.readUInt32LE(8);
  const payload = image.subarray(start, start + image.readUInt32LE(12));
  const kind = image.toString('latin1', 24, 56).replace(/\0.*$/s, '');
  switch (kind) {
    case 'gzip':
      return gunzipSync(payload);
    case 'zstd':
    case 'zstd22':
      return zstdDecompressSync(payload);
    case 'xz':
    case 'xzkern':
      return runProgram('xz', ['--decompress', '--stdout', '--single-stream'], { input: payload });
    default:
      throw new Error(`the kernel's image is compressed by ${kind}: neither gzip, zstd nor xz`);
  }
}

/** The largest piece that has BTF's header, and room for what that tells of. */
function btfWithin(image: Buffer): Buffer {
  const header = Buffer.from([0x9f, 0xeb, 1, 0, 24, 0, 0, 0]); // magic, version, flags, length
  let best: Buffer | null = null;
  for (let at = image.indexOf(header); at >= 0; at = image.indexOf(header, at + 4)) {
    // Types lie after the header, and strings after the types.
    const [types = 1, typesLength = 0, strings = 1, stringsLength = 0] = [8, 12, 16, 20].map((field) =>
      image.readUInt32LE(at + field),
    );
    if (types !== 0 || strings !== typesLength) continue;
    const piece = image.subarray(at, at + 24 + strings + stringsLength);
    if (best === null || piece.length > best.length) best = piece;
  }
  if (best === null) throw new Error("no BTF in the kernel's image");
  return best;
}
