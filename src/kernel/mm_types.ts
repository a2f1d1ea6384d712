// include/linux/mm_types.h: the memory of a process.
import type { MappedSpace } from '../arch/kernel_space.ts';
import type { VirtAddr } from '../base/address.ts';
import { FormatError, NotFoundError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { mapleEntries } from './maple_tree.ts';
import { rbEntries } from './rbtree.ts';
import { readSwapped } from './swapped_pages.ts';
import type { Task } from './task.ts';

/**
 * The virtual memory of a process.
 * @throws NotFoundError for a kernel thread, or a process that has given its memory up; MemoryFault
 */
export function userMemory(kernel: Kernel, task: Task): MappedSpace {
  const mm = task.object.member('mm');
  if (mm.isNull) throw new NotFoundError('user memory', `of PID ${task.pid}`, 'it has none');
  return addressSpaceOf(kernel, mm.deref());
}

/** The virtual memory of a `struct mm_struct`, with what was swapped out and is still in memory. @throws MemoryFault */
export function addressSpaceOf(kernel: Kernel, mm: KernelObject): MappedSpace {
  return readSwapped(kernel, kernel.arch.userSpace(kernel.space.translate(mm.member('pgd').pointer())));
}

/** A `struct vm_area_struct`: a range of user addresses mapped alike. */
export interface VmArea {
  /** Virtual address of the vm_area_struct. */
  readonly address: VirtAddr;
  /** First user address. */
  readonly start: VirtAddr;
  /** First user address beyond it. */
  readonly end: VirtAddr;
  /** VM_* (include/linux/mm.h). */
  readonly flags: bigint;
  /** Virtual address of the `struct file` that it maps; 0 for anonymous memory. */
  readonly file: VirtAddr;
  /** Where in the file it starts, in pages; of anonymous memory, `start` in pages when it was mapped. */
  readonly pageOffset: bigint;
}

/** Most VMAs of a process: sysctl_max_map_count is 65530 unless raised, and its type is an int. */
const maxAreas = 4_000_000;

/**
 * VMAs of a `struct mm_struct` by ascending address. Those that cannot be read are faults; where a list is broken, the
 * tree beside it has the rest.
 * @throws NotFoundError when the type does not tell how they are kept
 */
export function* vmAreas(kernel: Kernel, mm: KernelObject): Generator<VmArea> {
  const read = (area: KernelObject) => kernel.faults.attempt('VMA', () => vmAreaAt(area), null);
  // a maple tree since d4af56c5c7c6 and 763ecb035029 (6.1); a list and a red-black tree before
  const maple = mm.optional('mm_mt');
  if (maple !== null) {
    for (const { entry } of mapleEntries(maple, kernel.faults)) {
      const area = (entry & 3n) === 0n ? read(kernel.object('struct vm_area_struct', entry)) : null;
      if (area !== null) yield area;
    }
    return;
  }
  let last = -1n;
  const whole = kernel.faults.attempt('VMAs', () => mm.member('mmap'), null);
  if (whole !== null) {
    let at = kernel.faults.attempt('VMAs', () => whole.pointer(), 0n as VirtAddr);
    let isWhole = at !== 0n;
    for (let n = 0; at !== 0n; n++) {
      const area = n < maxAreas ? read(kernel.object('struct vm_area_struct', at)) : null;
      // they ascend: a list that leads back does not
      if (area === null || area.start <= last) {
        isWhole = false;
        break;
      }
      yield area;
      last = area.start;
      at = kernel.faults.attempt(
        'VMAs',
        () => kernel.object('struct vm_area_struct', area.address).member('vm_next').pointer(),
        0n as VirtAddr,
      );
    }
    if (isWhole) return;
  }
  for (const object of rbEntries(mm.member('mm_rb'), 'struct vm_area_struct', 'vm_rb', kernel.faults)) {
    const area = read(object);
    if (area !== null && area.start > last) yield area;
  }
}

/** The VMA of a `struct mm_struct` that a user address lies in; null for none. @throws as `vmAreas` */
export function vmAreaAround(kernel: Kernel, mm: KernelObject, address: VirtAddr): VmArea | null {
  for (const area of vmAreas(kernel, mm)) {
    if (area.end > address) return area.start <= address ? area : null;
  }
  return null;
}

/** @throws MemoryFault; FormatError for a range that ends before it starts */
export function vmAreaAt(area: KernelObject): VmArea {
  const start = area.member('vm_start').pointer();
  const end = area.member('vm_end').pointer();
  if (end <= start) throw new FormatError(`VMA at ${area.address.toString(16)}`, 'ends before it starts');
  const flags = area.member('vm_flags');
  return {
    address: area.address,
    start,
    end,
    flags: flags.bigint(),
    file: area.member('vm_file').pointer(),
    pageOffset: area.member('vm_pgoff').bigint(),
  };
}
