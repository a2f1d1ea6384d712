// include/linux/path.h, fs/d_path.c: the name of what a dentry stands for, through the mounts above it.
//
//   dentry data.txt -> d_parent tmp's root = mnt_root of the mount on /tmp -> mnt_mountpoint tmp -> d_parent / ...
//
// The name reaches up to the root of the mount namespace, whatever root the process has that opened the file.
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { latin1 } from '../base/byte_reader.ts';
import { FormatError } from '../base/errors.ts';
import { findMember, offsetOf, type Type } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { perKernel } from './per_kernel.ts';

/** Most dentries and mounts on the way up: PATH_MAX is 4096 bytes, of which a name takes two. */
const maxSteps = 4096;
/** Longest name of a dentry that is read, in bytes: those of files have 255 at most, made-up ones may have more. */
const maxName = 4096;
/** Dentries kept: tasks share most of theirs. */
const maxKept = 200_000;

/** What a dentry is called. Names are as in memory: escape them before printing. */
export interface PathName {
  /**
   * As in /proc/PID/fd: `/tmp/data.txt`, `socket:[123]`, `pipe:[5]`, `anon_inode:[eventfd]`. It begins with `?/`
   * where a part of the way up cannot be read.
   */
  readonly path: string;
  /** The dentry's own name: `data.txt`, `TCPv6`; empty for a pipe. */
  readonly name: string;
  /** True when the file has been unlinked. */
  readonly deleted: boolean;
  /** False for what is in no directory, whatever its path looks like: sockets, pipes, memfds, System V segments. */
  readonly placed: boolean;
}

interface Dentry {
  readonly parent: VirtAddr;
  readonly name: string;
  readonly inode: VirtAddr;
  readonly operations: VirtAddr;
  readonly isHashed: boolean;
}

interface MountPlace {
  readonly root: VirtAddr;
  readonly parent: VirtAddr;
  readonly mountpoint: VirtAddr;
}

/** The names of a kernel's dentries. */
export const pathNames = perKernel((kernel: Kernel) => new PathNames(kernel));

export class PathNames {
  private readonly kernel: Kernel;
  private readonly dentries = new Map<bigint, Dentry>();
  private readonly mounts = new Map<bigint, MountPlace>();
  private readonly namers = new Map<bigint, string | null>();
  private readonly dentry: Record<'parent' | 'name' | 'length' | 'inode' | 'operations' | 'pprev', number>;
  private readonly mountType: Type;
  private readonly mnt: number;

  /** @throws NotFoundError when the types of dentries and mounts are not known */
  constructor(kernel: Kernel) {
    this.kernel = kernel;
    const type = kernel.type('struct dentry');
    const optional = (path: string): number => {
      const place = findMember(type, path);
      return place === null ? -1 : place.bitOffset / 8;
    };
    this.dentry = {
      parent: offsetOf(type, 'd_parent'),
      name: offsetOf(type, 'd_name.name'),
      length: offsetOf(type, 'd_name.len'),
      inode: optional('d_inode'),
      operations: optional('d_op'),
      pprev: optional('d_hash.pprev'),
    };
    this.mountType = kernel.type('struct mount');
    this.mnt = offsetOf(this.mountType, 'mnt');
  }

  /**
   * The name of a dentry. What cannot be read of the way up is a fault; the rest stands.
   * @param vfsmount virtual address of the `struct vfsmount` that it was reached through; 0 if that is not known, and
   *   the name then ends at the root of its file system
   * @throws MemoryFault when the dentry itself cannot be read
   */
  of(vfsmount: VirtAddr, dentry: VirtAddr): PathName {
    const first = this.read(dentry);
    const isOwnParent = first.parent === dentry;
    const deleted = !first.isHashed && !isOwnParent;
    const namer = this.namer(first.operations);
    const made = this.madeName(namer, first);
    if (made !== null) return { path: made, name: first.name, deleted: namer === 'simple_dname', placed: false };
    const mount = vfsmount === 0n ? null : offsetBy(vfsmount, -this.mnt);
    if (isOwnParent && mount !== null && first.name !== '/') {
      // made for one file, and in no directory: what is not said by its operations, its name says
      const place = this.kernel.faults.attempt('mount', () => this.mount(mount), null);
      if (place !== null && place.root !== dentry)
        return { path: first.name, name: first.name, deleted, placed: false };
    }
    return { path: this.up(mount, dentry), name: first.name, deleted, placed: true };
  }

  /** Where a mount is mounted, by its `struct mount`; `/` for the root of a namespace. Faults as `of`. */
  ofMount(mount: VirtAddr): string {
    return this.kernel.faults.attempt(
      'mount',
      () => {
        const { parent, mountpoint } = this.mount(mount);
        return parent === mount || parent === 0n ? '/' : this.up(parent, mountpoint);
      },
      '?',
    );
  }

  /** The inode of a dentry; 0 for a negative one. @throws MemoryFault */
  inodeOf(dentry: VirtAddr): VirtAddr {
    return this.read(dentry).inode;
  }

  /** Names from a dentry up to the topmost root. */
  private up(firstMount: VirtAddr | null, from: VirtAddr): string {
    const names: string[] = [];
    let mount = firstMount;
    let dentry = from;
    const whole = this.kernel.faults.attempt(
      'path',
      () => {
        for (let steps = 0; steps < maxSteps; steps++) {
          const place = mount === null ? null : this.mount(mount);
          const isMountRoot = place !== null && dentry === place.root;
          const { parent, name } = isMountRoot ? { parent: dentry, name: '' } : this.read(dentry);
          if (parent !== dentry) {
            names.push(name);
            dentry = parent;
            continue;
          }
          // the root of a mount, or of a tree that hangs nowhere: it goes on where the mount is, if that is anywhere
          if (place === null || place.parent === mount || place.parent === 0n) return true;
          mount = place.parent;
          dentry = place.mountpoint;
        }
        throw new FormatError('path', `has more than ${maxSteps} steps`);
      },
      false,
    );
    return `${whole ? '' : '?'}/${names.reverse().join('/')}`;
  }

  /** Names that the kernel makes up for what is in no directory (`d_dname`), as /proc/PID/fd shows them; null for all else. */
  private madeName(namer: string | null, { name, inode }: Dentry): string | null {
    switch (namer) {
      case 'pipefs_dname':
        return `pipe:[${this.inodeNumber(inode)}]`;
      case 'sockfs_dname':
        return `socket:[${this.inodeNumber(inode)}]`;
      case 'anon_inodefs_dname':
        return `anon_inode:${name}`;
      case 'pidfs_dname':
        return 'anon_inode:[pidfd]';
      case 'ns_dname':
        return `${this.namespaceName(inode)}:[${this.inodeNumber(inode)}]`;
      case 'dmabuffs_dname':
        return `/dmabuf:${name}`;
      case 'simple_dname':
        return `/${name}`;
      default:
        return null;
    }
  }

  private namer(operations: VirtAddr): string | null {
    if (operations === 0n) return null;
    let known = this.namers.get(operations);
    if (known === undefined) {
      known = this.kernel.faults.attempt(
        'dentry operations',
        () => {
          const namer = this.kernel.object('struct dentry_operations', operations).member('d_dname').pointer();
          return namer === 0n ? null : (this.kernel.place(namer)?.symbol.name ?? null);
        },
        null,
      );
      this.namers.set(operations, known);
    }
    return known;
  }

  private inodeNumber(inode: VirtAddr): string {
    const read = () => String(this.kernel.object('struct inode', inode).member('i_ino').bigint());
    return this.kernel.faults.attempt('inode', read, '?');
  }

  /** `net`, `mnt`, ... (`ns_get_name` in fs/nsfs.c). */
  private namespaceName(inode: VirtAddr): string {
    const read = () => {
      const common = this.kernel.object('struct inode', inode).member('i_private').pointer();
      return this.kernel.object('struct ns_common', common).member('ops').member('name').string(32);
    };
    return this.kernel.faults.attempt('namespace', read, '?');
  }

  private read(address: VirtAddr): Dentry {
    const known = this.dentries.get(address);
    if (known !== undefined) return known;
    const { space } = this.kernel;
    const at = this.dentry;
    const word = (offset: number): VirtAddr => space.pointer(offsetBy(address, offset));
    const nameAt = word(at.name);
    const length = Math.min(maxName, space.u32(offsetBy(address, at.length)));
    const dentry: Dentry = {
      parent: word(at.parent),
      name: nameAt === 0n || length === 0 ? '' : latin1(space.read(nameAt, length)),
      inode: at.inode < 0 ? (0n as VirtAddr) : word(at.inode),
      operations: at.operations < 0 ? (0n as VirtAddr) : word(at.operations),
      isHashed: at.pprev < 0 || word(at.pprev) !== 0n,
    };
    if (this.dentries.size >= maxKept) this.dentries.clear();
    this.dentries.set(address, dentry);
    return dentry;
  }

  private mount(address: VirtAddr): MountPlace {
    let place = this.mounts.get(address);
    if (place === undefined) {
      const mount = this.kernel.object(this.mountType, address);
      place = {
        root: mount.member('mnt.mnt_root').pointer(),
        parent: mount.member('mnt_parent').pointer(),
        mountpoint: mount.member('mnt_mountpoint').pointer(),
      };
      this.mounts.set(address, place);
    }
    return place;
  }
}
