// Reads squashfs images back, as Documentation/filesystems/squashfs.rst describes them: enough to see what an image holds.
import { inflateSync, zstdDecompressSync } from 'node:zlib';

/** What an image holds by path: bytes of files, `-> TARGET` of links, `null` of folders. */
export function readSquashfs(image: Buffer): Map<string, Buffer | string | null> {
  const [inodesAt, foldersAt] = [Number(image.readBigUInt64LE(64)), Number(image.readBigUInt64LE(72))];
  const blockSize = image.readUInt32LE(12);
  const unpack = (bytes: Buffer): Buffer =>
    image.readUInt16LE(20) === 6 ? zstdDecompressSync(bytes) : inflateSync(bytes);
  const metadata = (from: number, to: number): { readonly bytes: Buffer; readonly starts: Map<number, number> } => {
    const parts: Buffer[] = [];
    const starts = new Map<number, number>();
    let length = 0;
    for (let at = from; at < to; ) {
      const header = image.readUInt16LE(at);
      const size = header & 0x7fff;
      const raw = image.subarray(at + 2, at + 2 + size);
      const part = header & 0x8000 ? raw : unpack(raw);
      starts.set(at - from, length);
      parts.push(part);
      length += part.length;
      at += 2 + size;
    }
    return { bytes: Buffer.concat(parts), starts };
  };
  const inodes = metadata(inodesAt, foldersAt);
  const ownersAt = Number(image.readBigUInt64LE(Number(image.readBigUInt64LE(48))));
  const folders = metadata(foldersAt, ownersAt);
  const found = new Map<string, Buffer | string | null>();
  const read = (block: number, offset: number, path: string): void => {
    const at = inodes.starts.get(block)! + offset;
    const { bytes } = inodes;
    const kind = bytes.readUInt16LE(at);
    if (kind === 3) {
      found.set(path, `-> ${bytes.toString('utf8', at + 24, at + 24 + bytes.readUInt32LE(at + 20))}`);
    } else if (kind === 2) {
      const size = bytes.readUInt32LE(at + 28);
      const parts: Buffer[] = [];
      let from = bytes.readUInt32LE(at + 16);
      for (let i = 0; i < Math.ceil(size / blockSize); i++) {
        const word = bytes.readUInt32LE(at + 32 + i * 4);
        const raw = image.subarray(from, from + (word & 0xffffff));
        parts.push(word & (1 << 24) ? raw : unpack(raw));
        from += word & 0xffffff;
      }
      found.set(path, Buffer.concat(parts));
    } else {
      if (path !== '') found.set(path, null);
      let entry = folders.starts.get(bytes.readUInt32LE(at + 16))! + bytes.readUInt16LE(at + 26);
      const end = entry + bytes.readUInt16LE(at + 24) - 3;
      while (entry < end) {
        const count = folders.bytes.readUInt32LE(entry) + 1;
        const start = folders.bytes.readUInt32LE(entry + 4);
        entry += 12;
        for (let i = 0; i < count; i++) {
          const size = folders.bytes.readUInt16LE(entry + 6) + 1;
          const name = folders.bytes.toString('utf8', entry + 8, entry + 8 + size);
          read(start, folders.bytes.readUInt16LE(entry), path === '' ? name : `${path}/${name}`);
          entry += 8 + size;
        }
      }
    }
  };
  const root = image.readBigUInt64LE(32);
  read(Number(root >> 16n), Number(root & 0xffffn), '');
  return found;
}
