// The loaded modules, as data: what `module_list.ts` reads, and what a kernel gives.
import type { VirtAddr } from '../base/address.ts';
import type { KernelObject } from '../debuginfo/object.ts';

/** A range of a module's memory: virtual addresses [start, start + size). */
export interface ModuleRange {
  /** `text`, `data`, `rodata`, `ro_after_init`, `init_text`, ... (enum mod_mem_type); `core_text`, `core_data`, ... before 6.4. */
  readonly name: string;
  readonly start: VirtAddr;
  /** Bytes. */
  readonly size: number;
}

export interface Module {
  /** The `struct module`. */
  readonly object: KernelObject;
  readonly name: string;
  /** Where its text starts, as /proc/modules has it. */
  readonly base: VirtAddr;
  /** Bytes of all its memory that is still mapped, as /proc/modules has it. */
  readonly size: number;
  readonly ranges: readonly ModuleRange[];
  /** `Live`, `Loading` or `Unloading`. */
  readonly state: 'Live' | 'Loading' | 'Unloading';
  /** References held, as lsmod shows them; null on kernels that cannot unload. */
  readonly refcount: number | null;
  /** Names of the modules that use this one. */
  readonly usedBy: readonly string[];
  /** Taint letters that loading it set, for example `OE`. */
  readonly taints: string;
}
