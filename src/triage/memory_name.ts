// What an address is, in words of a sentence: a variable, an object of a cache, somebody's stack, or nothing that is mapped.
import { type RegionName, regionOf } from '../arch/architecture.ts';
import { type VirtAddr, virtAddr } from '../base/address.ts';
import { hex } from '../base/text.ts';
import { type AddressIdentity, identify } from '../kernel/identify.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { slabCacheOf } from '../kernel/slab.ts';
import { looksLike } from './fault.ts';
import { label } from './words.ts';

const regionNames: Readonly<Record<RegionName, string>> = {
  'direct-map': 'memory',
  image: "the kernel's image",
  modules: 'memory of modules',
  vmalloc: 'vmalloc memory',
  vmemmap: 'a struct page',
};

/** What is known of an address; null for none of the kernel's, and for what cannot be told. */
function identity(kernel: Kernel, address: bigint): AddressIdentity | null {
  if (!kernel.arch.isKernelAddress(address)) return null;
  return kernel.faults.apart(() =>
    kernel.faults.attempt('what an address is', () => identify(kernel, virtAddr(address)), null),
  ).value;
}

/** The module in whose memory an address lies; null for none. */
export function moduleAt(kernel: Kernel, address: bigint): string | null {
  const symbol = kernel.place(virtAddr(address))?.symbol.module;
  return symbol ?? identity(kernel, address)?.module?.name ?? null;
}

/**
 * `the variable wk [wreck]`, `an object of kmalloc-192`, `the stack of sh (pid 7)`, `freed slab memory (...)`; what the
 * value looks like where it is nothing that is known.
 */
export function memoryName(kernel: Kernel, value: bigint): string {
  if (!kernel.arch.isKernelAddress(value)) return looksLike(kernel, value);
  const known = identity(kernel, value);
  if (known === null) return looksLike(kernel, value);
  const { symbol, perCpu, task, stack, slab, vmalloc, module } = known;
  if (perCpu !== null) return `the per-CPU variable ${perCpu.symbol?.symbol.name ?? ''} of CPU ${perCpu.cpu}`;
  if (symbol !== null) {
    const offset = symbol.offset === 0 ? '' : `+0x${hex(symbol.offset)}`;
    const owner = symbol.symbol.module === null ? '' : ` [${symbol.symbol.module}]`;
    const isCode = kernel.faults.attempt('page tables', () => kernel.arch.space.isExecutable(virtAddr(value)), false);
    return `the ${isCode ? 'function' : 'variable'} ${symbol.symbol.name}${offset}${owner}`;
  }
  if (stack !== null) return `the stack of ${stack.task === null ? `CPU ${stack.cpu}` : label(stack.task)}`;
  if (task !== null) return `the task_struct of ${label(task.task)}`;
  if (slab !== null) return `an object of the slab cache ${slabCacheOf(kernel, virtAddr(value)) ?? '(unknown)'}`;
  if (module !== null) return `memory of the module ${module.name}`;
  if (vmalloc !== null) return 'vmalloc memory';
  const region = regionOf(kernel.arch, value);
  if (!kernel.space.isReadable(virtAddr(value))) return looksLike(kernel, value);
  return region === null ? 'memory of the kernel' : regionNames[region.name];
}

/** An address for sentences: its variable with the module, or what it is with where. */
export function objectName(kernel: Kernel, address: VirtAddr): string {
  const place = kernel.place(address);
  if (place === null) return `at 0x${hex(address)} (${memoryName(kernel, address)})`;
  return `${place.symbol.name}${place.offset === 0 ? '' : `+0x${hex(place.offset)}`}${place.symbol.module === null ? '' : ` [${place.symbol.module}]`}`;
}
