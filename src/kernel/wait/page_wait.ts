// mm/filemap.c, kernel/sched/wait_bit.c: tasks that wait for a bit to be cleared: of a page (folio), or of any word.
//
//   stack: wait_page_queue { folio, bit_nr, wait: func = wake_page_function }
//          wait_bit_queue_entry { key { flags, bit_nr }, wq_entry: func = wake_bit_function or var_wake_function }
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import type { KernelObject } from '../../debuginfo/object.ts';
import { offsetOf, strip } from '../../debuginfo/type.ts';
import { blockDeviceName } from '../genhd.ts';
import type { Kernel } from '../kernel.ts';
import { queueEntries } from './queue_entry.ts';
import { type RpcWait, rpcWait } from './rpc_wait.ts';
import type { Sleeper } from './sleeper.ts';

/** The file that a page belongs to. */
export interface PageFile {
  /** Virtual address of the inode. */
  readonly inode: VirtAddr;
  readonly number: bigint;
  /** Type of the file system: `ext4`. */
  readonly fileSystem: string;
  /** What the file system calls itself: most often the name of its device. */
  readonly device: string;
}

export interface PageWait {
  /** Virtual address of the `struct folio` (`struct page` before 5.16). */
  readonly page: VirtAddr;
  /** Name of the flag without PG_: `locked`, `writeback`; its number where nobody names it. */
  readonly flag: string;
  /** Null for memory of a process, and where it cannot be read. */
  readonly file: PageFile | null;
}

export interface BitWait {
  /** Virtual address of the word; of the variable where `bit` is null. */
  readonly word: VirtAddr;
  /** Null where a variable's change is waited for (wait_var_event()). */
  readonly bit: number | null;
  /** What the word belongs to; null where that is unknown. */
  readonly of:
    | { readonly kind: 'buffer'; readonly address: VirtAddr; readonly device: string; readonly block: bigint }
    | { readonly kind: 'inode'; readonly file: PageFile }
    | ({ readonly kind: 'rpc' } & RpcWait)
    | null;
}

/** The page that a task waits for; null where it waits for none. */
export function pageWait(sleeper: Sleeper): PageWait | null {
  const { kernel } = sleeper;
  const type = kernel.types.find('struct wait_page_queue');
  const entry = queueEntries(sleeper).find(({ wakeFunction }) => wakeFunction === 'wake_page_function');
  if (type === null || entry === undefined) return null;
  return kernel.faults.attempt(
    'wait for a page',
    () => {
      const wait = kernel.object(type, offsetBy(entry.address, -offsetOf(type, 'wait')));
      const page = wait.memberAmong('folio', 'page');
      return {
        page: page.pointer(),
        flag: pageFlag(kernel, wait.member('bit_nr').number()),
        file: kernel.faults.attempt('file of a page', () => fileOfPage(kernel, page.deref()), null),
      };
    },
    null,
  );
}

/** The word or variable that a task waits for; null where it waits for none. */
export function bitWait(sleeper: Sleeper): BitWait | null {
  const { kernel } = sleeper;
  const type = kernel.types.find('struct wait_bit_queue_entry') ?? kernel.types.find('struct wait_bit_queue');
  const entry = queueEntries(sleeper).find(({ wakeFunction }) =>
    /^(wake_bit_function|var_wake_function)$/.test(wakeFunction),
  );
  if (type === null || entry === undefined) return null;
  return kernel.faults.attempt(
    'wait for a bit',
    () => {
      // the entry was named `wait` until 2141713616c6 (4.13)
      const member =
        strip(type).kind === 'struct' && kernel.object(type, entry.address).has('wq_entry') ? 'wq_entry' : 'wait';
      const wait = kernel.object(type, offsetBy(entry.address, -offsetOf(type, member)));
      const word = wait.member('key.flags').pointer();
      const bit = wait.member('key.bit_nr').number();
      return {
        word,
        bit: bit < 0 || entry.wakeFunction === 'var_wake_function' ? null : bit,
        of: kernel.faults.attempt('wait for a bit', () => ownerOfWord(sleeper, word), null),
      };
    },
    null,
  );
}

/** By who waits: a word alone does not tell what it is part of. */
function ownerOfWord(sleeper: Sleeper, word: VirtAddr): BitWait['of'] {
  const { kernel } = sleeper;
  const rpc = rpcWait(sleeper, word);
  if (rpc !== null) return { kind: 'rpc', ...rpc };
  if (sleeper.in(/^(__wait_on_buffer|__lock_buffer|__sync_dirty_buffer|__bread_gfp|bh_read|__bh_read)/)) {
    const type = kernel.type('struct buffer_head');
    const buffer = kernel.object(type, offsetBy(word, -offsetOf(type, 'b_state')));
    return {
      kind: 'buffer',
      address: buffer.address,
      device: blockDeviceName(buffer.member('b_bdev').deref()),
      block: buffer.member('b_blocknr').bigint(),
    };
  }
  if (sleeper.in(/^(__wait_on_freeing_inode|_*inode_wait_for_writeback|wait_on_inode|_*iget|ilookup|inode_wait)/)) {
    const type = kernel.type('struct inode');
    return { kind: 'inode', file: fileOfInode(kernel.object(type, offsetBy(word, -offsetOf(type, 'i_state')))) };
  }
  return null;
}

/** The file whose page it is; null for memory of a process. @throws MemoryFault, NotFoundError */
function fileOfPage(kernel: Kernel, page: KernelObject): PageFile | null {
  const mapping = page.member('mapping').pointer();
  // PAGE_MAPPING_ANON and its like are in the low bits
  if (mapping === 0n || (mapping & 3n) !== 0n) return null;
  const host = kernel.object('struct address_space', mapping).member('host');
  return host.isNull ? null : fileOfInode(host.deref());
}

function fileOfInode(inode: KernelObject): PageFile {
  const superblock = inode.member('i_sb').deref();
  const device = superblock.member('s_id').string();
  return {
    inode: inode.address,
    number: inode.member('i_ino').bigint(),
    fileSystem: superblock.member('s_type').member('name').string(64),
    // a block device's own pages are those of a file on the file system of all block devices
    device:
      device === 'bdev' ? blockDeviceName(inode.containerOf('struct bdev_inode', 'vfs_inode').member('bdev')) : device,
  };
}

function pageFlag(kernel: Kernel, bit: number): string {
  const flags = kernel.types.find('enum pageflags');
  const name = flags?.kind === 'enum' ? flags.values.find(({ value }) => value === BigInt(bit))?.name : undefined;
  return name?.replace(/^PG_/, '') ?? String(bit);
}
