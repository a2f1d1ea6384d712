// Archives in the "newc" format, as initramfs images are made of (Documentation/driver-api/early-userspace/buffer-format.rst):
// several may follow each other, the first ones uncompressed, the last one compressed.
import { FormatError } from '../base/errors.ts';
import { unpack } from './unpack.ts';

/** An entry of an archive that is written. */
export type CpioNode =
  | { readonly kind: 'folder' }
  | { readonly kind: 'file'; readonly bytes: Uint8Array; readonly mode?: number }
  | { readonly kind: 'link'; readonly target: string };

/**
 * Writes an archive: the same nodes give the same bytes, in whatever order they were added. Folders above a file need not be
 * named.
 * @param nodes by their path without a leading slash
 */
export function writeCpio(nodes: ReadonlyMap<string, CpioNode>): Buffer {
  const all = new Map(nodes);
  for (const path of nodes.keys()) {
    for (let cut = path.lastIndexOf('/'); cut > 0; cut = path.lastIndexOf('/', cut - 1)) {
      const above = path.slice(0, cut);
      if (!all.has(above)) all.set(above, { kind: 'folder' });
    }
  }
  const parts: Buffer[] = [];
  let inode = 1;
  for (const path of [...all.keys()].sort()) {
    const node = all.get(path)!;
    switch (node.kind) {
      case 'folder':
        parts.push(entry(path, inode++, 0o040755, Buffer.alloc(0)));
        break;
      case 'file':
        parts.push(entry(path, inode++, 0o100000 | (node.mode ?? 0o644), node.bytes));
        break;
      case 'link':
        parts.push(entry(path, inode++, 0o120777, Buffer.from(node.target)));
        break;
    }
  }
  parts.push(entry('TRAILER!!!', 0, 0, Buffer.alloc(0)));
  return Buffer.concat(parts);
}

function entry(path: string, inode: number, mode: number, body: Uint8Array): Buffer {
  const name = Buffer.from(`${path}\0`);
  // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode, mode, 0, 0, 1, 0, body.length, 0, 0, 0, 0, name.length, 0];
  const head = Buffer.from(`070701${fields.map((value) => value.toString(16).padStart(8, '0')).join('')}`);
  return Buffer.concat([padded(Buffer.concat([head, name])), padded(body)]);
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}

/** What an initramfs image holds, by path; bytes of its files after unpacking. */
export interface ImageContent {
  readonly paths: readonly string[];
  /** Bytes in memory once it is unpacked. */
  readonly unpacked: number;
  /** Those of them that are files of modules. */
  readonly modules: number;
}

/** Most bytes that an image may unpack to. */
const mostUnpacked = 2 ** 31 - 1;

/**
 * Lists an initramfs image.
 * @throws FormatError where it is cut, damaged, or packed in a way that is not known here (lzo, lzma, bzip2)
 */
export function listImage(image: Buffer): ImageContent {
  const paths: string[] = [];
  let unpacked = 0;
  let modules = 0;
  let at = 0;
  for (let archives = 0; at < image.length && archives < 64; archives++) {
    while (at < image.length && image[at] === 0) at++;
    if (at >= image.length) break;
    if (image.toString('latin1', at, at + 5) !== '07070') {
      const inner = listImage(unpack(image.subarray(at), 'initramfs', mostUnpacked));
      return {
        paths: [...paths, ...inner.paths],
        unpacked: unpacked + inner.unpacked,
        modules: modules + inner.modules,
      };
    }
    for (;;) {
      const header = image.toString('latin1', at, at + 110);
      if (!/^07070[12][0-9a-fA-F]{104}$/.test(header))
        throw new FormatError('initramfs', `no entry at offset 0x${at.toString(16)}`);
      const field = (i: number): number => Number.parseInt(header.slice(6 + i * 8, 14 + i * 8), 16);
      const size = field(6);
      const nameSize = field(11);
      const nameEnd = at + 110 + nameSize;
      const next = align(align(nameEnd) + size);
      if (nameSize === 0 || nameSize > 4096 || align(nameEnd) + size > image.length)
        throw new FormatError('initramfs', 'is cut');
      const name = image.toString('utf8', at + 110, nameEnd - 1);
      at = next;
      if (name === 'TRAILER!!!') break;
      paths.push(name.replace(/^(\.?\/)+/, ''));
      unpacked += size;
      if (/\.ko(\.\w+)?$/.test(name)) modules += size;
      if (paths.length > 1_000_000) throw new FormatError('initramfs', 'has more than a million entries');
      if (at >= image.length) return { paths, unpacked, modules };
    }
  }
  return { paths, unpacked, modules };
}

function align(offset: number): number {
  return (offset + 3) & ~3;
}
