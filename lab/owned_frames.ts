// Page frames that are the kernel's own by its structures: found by following them, not by what `struct page`s say of
// themselves.
import type { MappedSpace } from '../src/arch/kernel_space.ts';
import { offsetBy, pfn, type VirtAddr, virtAddr } from '../src/base/address.ts';
import type { Kernel } from '../src/kernel/kernel.ts';
import { memoryModel } from '../src/kernel/memory_model.ts';
import { userMemory, vmAreas } from '../src/kernel/mm_types.ts';
import { taskStack } from '../src/kernel/sched.ts';
import { slabCaches } from '../src/kernel/slab_cache.ts';
import { slub } from '../src/kernel/slub.ts';
import { vmallocAreas, vmallocKinds } from '../src/kernel/vmalloc.ts';
import { FrameSet } from '../src/save/frame_set.ts';

/** Bytes that one table of the lowest level maps, or a part of that. */
const tableSpan = 2 * 1024 * 1024;

/** Frames by what they are to the kernel. What cannot be followed is left out. */
export function ownedFrames(kernel: Kernel): ReadonlyMap<string, FrameSet> {
  const found = new Map<string, FrameSet>();
  const { memory } = kernel.dump;
  const { pageSize } = memory;
  const take = (what: string, frame: number, count = 1): void => {
    const frames = found.get(what) ?? new FrameSet(memory.maxPfn);
    found.set(what, frames);
    frames.set(frame, count, true);
  };
  const walks = (space: MappedSpace, start: VirtAddr): void => {
    for (const { entryAddress } of space.walk(start).entries) take('page tables', Math.floor(entryAddress / pageSize));
  };
  const range = (what: string, start: VirtAddr, size: number): void => {
    const first = virtAddr(start & ~BigInt(pageSize - 1));
    const end = offsetBy(start, size);
    for (let at = first; at < end; at = offsetBy(at, pageSize)) {
      const { entries, physical } = (kernel.space as MappedSpace).walk(at);
      for (const { entryAddress } of entries) take('page tables', Math.floor(entryAddress / pageSize));
      if (physical !== null) take(what, Math.floor(physical / pageSize));
    }
  };
  const between = (what: string, first: string, last: string): void => {
    const [start, end] = [kernel.ownSymbol(first)?.address, kernel.ownSymbol(last)?.address];
    if (start === undefined || end === undefined || end <= start) return;
    // the kernel frees what nothing is shared with a hypervisor in (mem_encrypt_free_decrypted_mem())
    const freed = kernel.ownSymbol('__start_bss_decrypted_unused')?.address;
    const until = freed !== undefined && freed > start && freed < end ? freed : end;
    range(what, start, Number(until - start));
  };

  for (const [first, last] of [
    ['_stext', '_etext'],
    ['__start_rodata', '__end_rodata'],
    ['_sdata', '_edata'],
    ['__bss_start', '__bss_stop'],
  ] as const)
    between('kernel image', first, last);
  for (const { ranges } of kernel.modules) for (const { start, size } of ranges) range('modules', start, size);
  for (const task of kernel.tasks.all) {
    const stack = taskStack(kernel, task);
    if (stack !== null) range('stacks', stack.start, stack.size);
  }
  const [perCpuStart, perCpuEnd] = [kernel.ownSymbol('__per_cpu_start'), kernel.ownSymbol('__per_cpu_end')];
  for (const cpu of kernel.cpus.possible) {
    const start = offsetBy(perCpuStart?.address ?? virtAddr(0n), kernel.perCpuOffset(cpu));
    if (perCpuEnd) range('per-CPU memory', start, Number(perCpuEnd.address - perCpuStart!.address));
  }
  for (const { start, vm } of vmallocAreas(kernel)) {
    // what is mapped for a process too is its memory; a device's is none
    const kinds = vm === null ? [] : vmallocKinds(vm);
    if (vm === null || vm.pages === 0 || kinds.includes('user') || kinds.includes('ioremap')) continue;
    range('vmalloc areas', start, vm.pages * pageSize);
  }
  const model = memoryModel(kernel);
  if (model !== null) {
    for (const { first, count, base } of model.runs(pfn(0), pfn(memory.maxPfn))) {
      range('memory map', offsetBy(base, first * model.pageStructSize), count * model.pageStructSize);
    }
  }
  for (const task of kernel.tasks.all) {
    kernel.faults.attempt(
      'page tables',
      () => {
        const mm = task.object.member('mm');
        if (mm.isNull) return;
        const space = userMemory(kernel, task);
        for (const { start, end } of vmAreas(kernel, mm.deref())) {
          for (let at = start; at < end; at = offsetBy(at, tableSpan)) walks(space, at);
        }
      },
      undefined,
    );
  }
  for (const cache of slabCaches(kernel)) {
    kernel.faults.attempt(
      'slabs',
      () => {
        const slabs = slub(kernel);
        const pages = ({ pfn: first, objects }: { readonly pfn: number; readonly objects: number }): void =>
          take('slabs', first, Math.ceil((objects * cache.size) / pageSize));
        for (const node of cache.nodes) for (const slab of slabs.partial(node)) pages(slab);
        for (const cpu of kernel.cpus.possible) {
          const own = slabs.cpuSlabs(cache, cpu);
          if (own?.active) pages(own.active.slab);
          for (const slab of own?.partial ?? []) pages(slab);
        }
      },
      undefined,
    );
  }
  return found;
}
