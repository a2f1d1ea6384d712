// include/linux/fs.h: open files, inodes and what of them is cached.
import type { VirtAddr } from '../base/address.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { type NamedPath, namedPath } from './fs_struct.ts';
import type { Kernel } from './kernel.ts';
import { perKernel } from './per_kernel.ts';
import { xarrayEntries } from './xarray.ts';

/** S_IFMT's values (include/uapi/linux/stat.h); `anonymous` has none of them: eventfd, epoll, ... before 6.17. */
export type FileKind = 'fifo' | 'character' | 'directory' | 'block' | 'regular' | 'link' | 'socket' | 'anonymous';

const kinds: ReadonlyMap<number, FileKind> = new Map([
  [0o010000, 'fifo'],
  [0o020000, 'character'],
  [0o040000, 'directory'],
  [0o060000, 'block'],
  [0o100000, 'regular'],
  [0o120000, 'link'],
  [0o140000, 'socket'],
]);

/** What a mode says the file is. */
export function fileKind(mode: number): FileKind {
  return kinds.get(mode & 0o170000) ?? 'anonymous';
}

/** What is known of an inode. */
export interface Inode {
  readonly address: VirtAddr;
  /** As ls -i shows it. */
  readonly number: bigint;
  readonly kind: FileKind;
  /** Virtual address of the `struct address_space` of its pages. */
  readonly mapping: VirtAddr;
  readonly superblock: VirtAddr;
  /** Pages (or entries that stand for some, in `mapping`) that are cached; null where the mapping cannot be read. */
  readonly pages: number | null;
}

/** @throws NotFoundError, MemoryFault */
export function inodeAt(kernel: Kernel, address: VirtAddr): Inode {
  const inode = kernel.object('struct inode', address);
  const mapping = inode.member('i_mapping');
  return {
    address,
    number: inode.member('i_ino').bigint(),
    kind: fileKind(inode.member('i_mode').number()),
    mapping: mapping.pointer(),
    superblock: inode.member('i_sb').pointer(),
    pages: kernel.faults.attempt('address_space', () => mapping.member('nrpages').number(), null),
  };
}

/** A `struct file` and what it leads to. */
export interface OpenFile {
  /** Virtual address of the `struct file`. */
  readonly address: VirtAddr;
  /** Null where its dentry cannot be read. */
  readonly path: NamedPath | null;
  /** Null where the inode cannot be read, or there is none. */
  readonly inode: Inode | null;
  readonly dentry: VirtAddr;
}

/** Open files that are kept: processes share those of their parents. */
const maxKept = 20_000;

const openFiles = perKernel(() => new Map<VirtAddr, () => OpenFile>());

/** What a `struct file` leads to; what of that cannot be read is a fault. @throws MemoryFault for the file itself */
export function openFile(kernel: Kernel, address: VirtAddr): OpenFile {
  const known = openFiles(kernel);
  let read = known.get(address);
  if (read === undefined) {
    if (known.size >= maxKept) known.clear();
    read = kernel.faults.memo(() => readOpenFile(kernel, address));
    known.set(address, read);
  }
  return read();
}

function readOpenFile(kernel: Kernel, address: VirtAddr): OpenFile {
  const { faults } = kernel;
  const at = kernel.object('struct file', address).member('f_path');
  const dentry = at.member('dentry').pointer();
  const path = dentry === 0n ? null : faults.attempt('dentry', () => namedPath(kernel, at), null);
  const inode =
    path === null || path.inode === 0n ? null : faults.attempt('inode', () => inodeAt(kernel, path.inode), null);
  return { address, path, inode, dentry };
}

/** A page of a file that is cached: its index in pages, and the `struct page` (or folio); or an entry that stands for one. */
export interface CachedPage {
  readonly index: number;
  /** Virtual address of the `struct page`; null for a shadow or swap entry. */
  readonly page: VirtAddr | null;
  /** Pages from `index` on that the entry is for: folios have several. */
  readonly pages: number;
}

/** The cached pages of an address_space, ascending. Nodes that cannot be read are faults. @throws MemoryFault, NotFoundError */
export function* cachedPages(kernel: Kernel, mapping: KernelObject): Generator<CachedPage> {
  // an xarray since f6bb2a2c0b81 (4.17), named i_pages then; a radix tree before
  const pages = mapping.memberAmong('i_pages', 'page_tree');
  for (const { index, entry, count } of xarrayEntries(pages, kernel.faults)) {
    yield { index, page: (entry & 3n) === 0n ? entry : null, pages: count };
  }
}
