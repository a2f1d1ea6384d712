// Writes squashfs 4.0 images (Documentation/filesystems/squashfs.rst, fs/squashfs/squashfs_fs.h): files, folders and
// symbolic links of root, without fragments, extended attributes and times. The same tree gives the same bytes.
//
//   superblock | blocks of files | inodes | folders | owners | index of owners
import { constants, deflateSync, zstdCompressSync } from 'node:zlib';
import { FormatError } from '../../base/errors.ts';
import type { CpioNode } from '../cpio.ts';

/** Where memory is short, a page that was given up costs the unpacking of its block: 64 KiB, and the image is a fifteenth larger. */
const blockLog = 16;
const blockSize = 1 << blockLog;
const metadataSize = 8192;
const uncompressedBlock = 1 << 24;
const uncompressedMetadata = 0x8000;
const none = 0xffff_ffff_ffff_ffffn;
const type = { folder: 1, file: 2, link: 3 } as const;

/** As the superblock names them; zlib where this Node lacks zstd. */
const compressor = typeof zstdCompressSync === 'function' ? { id: 6, compress: zstd } : { id: 1, compress: deflate };

/** Level 15 makes it a tenth smaller, in 40 times the time: it is built while machines boot. */
function zstd(bytes: Uint8Array): Buffer {
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 3 } });
}

function deflate(bytes: Uint8Array): Buffer {
  return deflateSync(bytes, { level: 6 });
}

interface Folder {
  readonly kind: 'folder';
  readonly children: Map<string, Entry>;
  readonly number: number;
}
type Entry =
  | Folder
  | { readonly kind: 'leaf'; readonly node: Exclude<CpioNode, { kind: 'folder' }>; readonly number: number };

/**
 * @param nodes by their path without a leading slash; folders above a file need not be named
 * @throws FormatError for a folder with too many entries
 */
export function writeSquashfs(nodes: ReadonlyMap<string, CpioNode>): Buffer {
  const { root, count } = treeOf(nodes);
  const data: Buffer[] = [];
  let at = 96;
  const put = (bytes: Buffer): void => {
    data.push(bytes);
    at += bytes.length;
  };
  const inodes = new MetadataWriter();
  const folders = new MetadataWriter();
  const files = new Map<Entry, { readonly start: number; readonly sizes: readonly number[] }>();
  const writeFiles = (folder: Folder): void => {
    for (const child of folder.children.values()) {
      if (child.kind === 'folder') writeFiles(child);
      else if (child.node.kind === 'file') {
        const start = at;
        const sizes: number[] = [];
        for (let from = 0; from < child.node.bytes.length; from += blockSize) {
          const raw = child.node.bytes.subarray(from, from + blockSize);
          const packed = compressor.compress(raw);
          const isSmaller = packed.length < raw.length;
          put(isSmaller ? packed : Buffer.from(raw));
          sizes.push(isSmaller ? packed.length : raw.length | uncompressedBlock);
        }
        files.set(child, { start, sizes });
      }
    }
  };
  writeFiles(root);

  /** Writes an inode, those below it first. @returns where it is */
  const writeInode = (entry: Entry, parent: number): bigint => {
    if (entry.kind === 'leaf') {
      const { node, number } = entry;
      if (node.kind === 'link') {
        const target = Buffer.from(node.target);
        return inodes.add(Buffer.concat([header(type.link, 0o777, number), u32(1), u32(target.length), target]));
      }
      const { start, sizes } = files.get(entry)!;
      const fields = [u32(start), u32(0xffffffff), u32(0), u32(node.bytes.length), ...sizes.map(u32)];
      return inodes.add(Buffer.concat([header(type.file, node.mode ?? 0o644, number), ...fields]));
    }
    const listed = [...entry.children].map(([name, child]) => ({ name, child, at: writeInode(child, entry.number) }));
    const listing = Buffer.concat(listingOf(listed));
    const place = folders.add(listing);
    if (listing.length + 3 > 0xffff) throw new FormatError('squashfs', 'a folder has too many entries');
    const below = listed.filter(({ child }) => child.kind === 'folder').length;
    const block = Number(place >> 16n);
    const fields = [u32(block), u32(2 + below), u16(listing.length + 3), u16(Number(place & 0xffffn)), u32(parent)];
    return inodes.add(Buffer.concat([header(type.folder, 0o755, entry.number), ...fields]));
  };
  const rootAt = writeInode(root, count + 1);

  const inodeTable = at;
  put(inodes.finish());
  const folderTable = at;
  put(folders.finish());
  const owners = new MetadataWriter();
  owners.add(u32(0));
  const ownersAt = at;
  put(owners.finish());
  const ownerTable = at;
  put(u64(BigInt(ownersAt)));

  const superblock = Buffer.concat([
    ...[0x73717368, count, 0, blockSize, 0].map(u32),
    // no fragments, no extended attributes
    ...[compressor.id, blockLog, 0x0010 | 0x0200, 1, 4, 0].map(u16),
    ...[rootAt, BigInt(at), BigInt(ownerTable), none, BigInt(inodeTable), BigInt(folderTable), none, none].map(u64),
  ]);
  // a loop device has whole sectors; the kernel wants room for whole pages
  return Buffer.concat([superblock, ...data, Buffer.alloc(-at & 4095)]);
}

function treeOf(nodes: ReadonlyMap<string, CpioNode>): { readonly root: Folder; readonly count: number } {
  let count = 0;
  const folder = (): Folder => ({ kind: 'folder', children: new Map(), number: ++count });
  const root = folder();
  for (const path of [...nodes.keys()].sort(byBytes)) {
    const node = nodes.get(path)!;
    const parts = path.split('/');
    let here = root;
    for (const part of node.kind === 'folder' ? parts : parts.slice(0, -1)) {
      const next = here.children.get(part) ?? folder();
      if (next.kind !== 'folder') throw new FormatError('squashfs', `${path} is below a file`);
      here.children.set(part, next);
      here = next;
    }
    if (node.kind !== 'folder') here.children.set(parts.at(-1)!, { kind: 'leaf', node, number: ++count });
  }
  const sorted = (of: Folder): void => {
    const entries = [...of.children].sort(([a], [b]) => byBytes(a, b));
    of.children.clear();
    for (const [name, child] of entries) {
      of.children.set(name, child);
      if (child.kind === 'folder') sorted(child);
    }
  };
  sorted(root);
  return { root, count };
}

/** The kernel searches names as bytes. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The entries of a folder, in runs whose inodes are in one block of metadata. */
function listingOf(
  entries: readonly { readonly name: string; readonly child: Entry; readonly at: bigint }[],
): Buffer[] {
  const parts: Buffer[] = [];
  for (let i = 0; i < entries.length; ) {
    const block = entries[i]!.at >> 16n;
    const base = entries[i]!.child.number;
    let end = i;
    while (
      end < entries.length &&
      end - i < 256 &&
      entries[end]!.at >> 16n === block &&
      Math.abs(entries[end]!.child.number - base) < 0x7fff
    )
      end++;
    parts.push(u32(end - i - 1), u32(Number(block)), u32(base));
    for (const { name, child, at } of entries.slice(i, end)) {
      const bytes = Buffer.from(name);
      const kind = child.kind === 'folder' ? type.folder : child.node.kind === 'file' ? type.file : type.link;
      parts.push(
        u16(Number(at & 0xffffn)),
        u16((child.number - base) & 0xffff),
        u16(kind),
        u16(bytes.length - 1),
        bytes,
      );
    }
    i = end;
  }
  return parts;
}

function header(kind: number, mode: number, number: number): Buffer {
  // owner and group are the first of the table, the time is 0
  return Buffer.concat([u16(kind), u16(mode), u16(0), u16(0), u32(0), u32(number)]);
}

/** A stream in compressed blocks of 8 KiB, each behind its length. */
class MetadataWriter {
  readonly #blocks: Buffer[] = [];
  #length = 0;
  #open = Buffer.alloc(0);

  /** @returns the offset of the block in which the bytes begin, and where in it: `BLOCK << 16 | OFFSET` */
  add(bytes: Buffer): bigint {
    const place = (BigInt(this.#length) << 16n) | BigInt(this.#open.length);
    this.#open = Buffer.concat([this.#open, bytes]);
    while (this.#open.length >= metadataSize) {
      this.#write(this.#open.subarray(0, metadataSize));
      this.#open = this.#open.subarray(metadataSize);
    }
    return place;
  }

  finish(): Buffer {
    if (this.#open.length > 0) this.#write(this.#open);
    this.#open = Buffer.alloc(0);
    return Buffer.concat(this.#blocks);
  }

  #write(raw: Buffer): void {
    const packed = compressor.compress(raw);
    const block =
      packed.length < raw.length
        ? [u16(packed.length), packed]
        : [u16(raw.length | uncompressedMetadata), Buffer.from(raw)];
    for (const part of block) {
      this.#blocks.push(part);
      this.#length += part.length;
    }
  }
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}
function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}
function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}
