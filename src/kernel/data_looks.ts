// What variables look like, for those who search for them without names: each says whether what lies at an address is such a
// one. What cannot be read throws.
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { findMember, sizeOf, type TypeSource } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { xarrayEntries } from './xarray.ts';

export const maxPid = 1 << 22;
const maxCpu = 8191;
/** More hierarchies of control groups than there are controllers. */
const maxHierarchies = 64;

function hasMember(types: Pick<TypeSource, 'find'>, type: string, member: string): boolean {
  const found = types.find(type);
  return found !== null && findMember(found, member) !== null;
}

export function memberAt(kernel: Kernel, type: string, member: string, at: VirtAddr): VirtAddr {
  return kernel.object(type, at).member(member).address;
}

export function pointerIn(kernel: Kernel, type: string, member: string, at: VirtAddr): VirtAddr {
  return kernel.space.pointer(memberAt(kernel, type, member, at));
}

export function functionAt(kernel: Kernel, at: VirtAddr): string {
  return kernel.symbols.kernel?.at(at)?.symbol.name ?? '';
}

/** A `struct list_head`, or what begins as one, that the neighbours on both sides lead back to. */
export function isList({ space }: Kernel, at: VirtAddr): boolean {
  const [next, previous] = [space.pointer(at), space.pointer(offsetBy(at, 8))];
  return space.pointer(offsetBy(next, 8)) === at && space.pointer(previous) === at;
}

/** A list whose first entry, if it has any, is one. @param member the entries' list_head */
export function isListOf(
  kernel: Kernel,
  at: VirtAddr,
  type: string,
  member: string,
  isOne: (entry: VirtAddr) => boolean,
): boolean {
  if (!isList(kernel, at)) return false;
  const next = kernel.space.pointer(at);
  const place = findMember(kernel.type(type), member);
  return place !== null && (next === at || isOne(offsetBy(next, -place.bitOffset / 8)));
}

/** A `struct xarray` (radix_tree_root before) whose top node leads back to it: an empty one looks like nothing. */
export function isXarray(kernel: Kernel, at: VirtAddr): boolean {
  const head = pointerIn(kernel, 'struct xarray', 'xa_head', at);
  if ((head & 3n) !== 2n) return false;
  return pointerIn(kernel, 'struct xa_node', 'array', offsetBy(head, -2)) === at;
}

/** A `struct maple_tree` whose top node leads back to it: in its parent, marked by bit 0 (lib/maple_tree.c). */
export function isMapleTree(kernel: Kernel, at: VirtAddr): boolean {
  const root = pointerIn(kernel, 'struct maple_tree', 'ma_root', at);
  return root !== 0n && kernel.space.pointer((root & ~0xffn) as VirtAddr) === offsetBy(at, 1);
}

export function isText(kernel: Kernel, at: VirtAddr): boolean {
  return /^[\x20-\x7e]+$/.test(kernel.space.cString(at, 256));
}

/** A `struct hstate`: it has the name of its folder in sysfs. */
export function isHugePageSize(kernel: Kernel, at: VirtAddr): boolean {
  return /^hugepages-/.test(kernel.space.cString(memberAt(kernel, 'struct hstate', 'name', at), 32));
}

/** A clock source with a name, where the type has a pointer to one. */
export function hasClock(kernel: Kernel, type: string, member: string, at: VirtAddr): boolean {
  return isText(kernel, pointerIn(kernel, 'struct clocksource', 'name', pointerIn(kernel, type, member, at)));
}

/** A CPU's number, or -1 for none. */
export function isCpu({ space }: Kernel, at: VirtAddr): boolean {
  return isBetween(space.i32(at), -1, maxCpu);
}

/** Whether the limit of pids is a variable: it is a namespace's own since 7863dcc72d0f (6.14). */
export function hasPidLimit(types: Pick<TypeSource, 'find'>): boolean {
  return !hasMember(types, 'struct pid_namespace', 'pid_max');
}

export function isPidLimit({ space }: Kernel, at: VirtAddr): boolean {
  return isBetween(space.i32(at), 301, maxPid);
}

/** A list that the default hierarchy, which is exported, is on. */
export function hasDefaultHierarchy(kernel: Kernel, at: VirtAddr): boolean {
  const hierarchy = kernel.ownSymbol('cgrp_dfl_root')?.address;
  const place = findMember(kernel.type('struct cgroup_root'), 'root_list');
  if (hierarchy === undefined || place === null || !isList(kernel, at)) return false;
  let entry = kernel.space.pointer(at);
  for (let i = 0; i < maxHierarchies && entry !== at; i++) {
    if (entry === offsetBy(hierarchy, place.bitOffset / 8)) return true;
    entry = kernel.space.pointer(entry);
  }
  return false;
}

/** Null, or an address of the kernel. */
export function isPointer({ arch }: Kernel, word: bigint): boolean {
  return word === 0n || arch.isKernelAddress(word);
}

export function isBetween(value: number, low: number, high: number): boolean {
  return value >= low && value <= high;
}

export function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}

/**
 * A table of pointers to entries with a number and a name, in the slot that the number tells (fs/char_dev.c, block/genhd.c).
 * @param slots how many it has
 */
export function isTableByMajor(kernel: Kernel, at: VirtAddr, type: string, member: string, slots: number): boolean {
  let entries = 0;
  for (let slot = 0; slot < slots; slot++) {
    const entry = kernel.space.pointer(offsetBy(at, slot * 8));
    if (entry === 0n) continue;
    const object = kernel.object(type, entry);
    if (object.member(member).number() % slots !== slot || !isText(kernel, object.member('name').address)) return false;
    entries++;
  }
  return entries > 0;
}

/** A `struct kset *` whose folder in sysfs has this name. */
export function isKset(kernel: Kernel, at: VirtAddr, name: string): boolean {
  const kset = kernel.object('struct kset', kernel.space.pointer(at));
  return kernel.space.cString(kset.member('kobj.name').pointer(), 32) === name;
}

/**
 * IDR_RT_MARKER (include/linux/idr.h, include/linux/radix-tree.h): ROOT_IS_IDR and, above the bits of allocations, of which
 * kernels have some 20 to 28, tags at the root.
 */
function isIdrMark(flags: number): boolean {
  return (flags & 0xf_ffff) === 4 && flags !== 4;
}

/** A `struct idr`, which is marked as one; empty, or with such entries. @param isOne whether something is an entry, with its number */
export function isIdrOf(kernel: Kernel, at: VirtAddr, isOne: (entry: VirtAddr, id: number) => boolean): boolean {
  const root = kernel.object('struct idr', at).member('idr_rt');
  if (!isIdrMark(root.member('xa_flags').number())) return false;
  if (root.member('xa_head').pointer() === 0n) return true;
  if (!isXarray(kernel, root.address)) return false;
  for (const { entry, index } of xarrayEntries(root, kernel.faults)) return isOne(entry, Number(index));
  return false;
}

/** A red-black tree whose top node has no parent. @param isOne whether that is an entry's */
export function isTreeOf(
  kernel: Kernel,
  at: VirtAddr,
  type: string,
  member: string,
  isOne: (entry: VirtAddr) => boolean,
): boolean {
  const top = kernel.space.pointer(at);
  const place = findMember(kernel.type(type), member);
  return (
    top !== 0n && place !== null && kernel.space.pointer(top) >> 2n === 0n && isOne(offsetBy(top, -place.bitOffset / 8))
  );
}

/** Entries at an end of the table that are looked at: the code of some has been given back since. */
const fewEntries = 8;

/**
 * Whether an end of the table of `struct bug_entry` (include/asm-generic/bug.h) is here, whose entries begin with how far it is
 * to the trap that they tell of.
 */
export function isBugTable(kernel: Kernel, at: VirtAddr, end: 'start' | 'stop'): boolean {
  const size = sizeOf(kernel.type('struct bug_entry'));
  const isEntry = (n: number): boolean => {
    const entry = offsetBy(at, n * size);
    const trap = offsetBy(entry, kernel.space.i32(entry));
    const { bytes } = kernel.space.readUpTo(trap, 4);
    return kernel.symbols.kernel?.at(trap) != null && bytes.length === 4 && kernel.arch.trapName(bytes) !== null;
  };
  const inside = Array.from({ length: fewEntries }, (_, n) => (end === 'start' ? n : -1 - n));
  return inside.some(isEntry) && !inside.map((n) => -1 - n).some(isEntry);
}

/** Whether a per-CPU variable is what it should be on each CPU. @param isOne asked with the CPU's own address of it */
export function onEveryCpu(kernel: Kernel, at: VirtAddr, isOne: (own: VirtAddr, cpu: number) => boolean): boolean {
  const cpus = kernel.cpus.possible;
  return cpus.length > 0 && cpus.every((cpu) => isOne(offsetBy(at, kernel.perCpuOffset(cpu)), cpu));
}

/** A `struct kprobe_insn_cache`, which says what its pages are called (since d002b8bc6db3, 5.8). */
export function isSlotCache(kernel: Kernel, at: VirtAddr, name: string): boolean {
  return kernel.space.cString(pointerIn(kernel, 'struct kprobe_insn_cache', 'sym', at), 32) === name;
}

/** A per-CPU `struct timer_base`, which has its CPU's number. */
export function isTimerBase(kernel: Kernel, at: VirtAddr): boolean {
  return onEveryCpu(kernel, at, (base, cpu) => {
    const found = kernel.object('struct timer_base', base);
    return found.member('cpu').number() === cpu && isPointer(kernel, found.member('running_timer').pointer());
  });
}
