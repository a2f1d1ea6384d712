// Who keeps memory that counters know by its kind alone: of slab, sockets and what waits for RCU; of pages that nobody counts,
// sockets and pipes.
import { type VirtAddr, virtAddr } from '../base/address.ts';
import { count, hex16 } from '../base/text.ts';
import { fileMemory, type HeldByFiles } from '../kernel/file_memory.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { perKernel } from '../kernel/per_kernel.ts';
import { rcuBacklog } from '../kernel/rcu_segcblist.ts';
import { slabAt } from '../kernel/slab.ts';
import { slabCacheAt } from '../kernel/slab_cache.ts';
import { type VmStruct, vmallocAreas } from '../kernel/vmalloc.ts';
import { objectName } from './memory_name.ts';
import { label, mebibytes } from './words.ts';

export interface Holder {
  /** What it is that keeps the memory, with how much that is: a clause of its own. */
  readonly words: string;
  /** What to do about it. */
  readonly advice: string;
  readonly bytes: number;
  /** A command line that shows it, and what that shows. */
  readonly command: string;
  readonly shows: string;
}

/** A use of memory, as the report has it. */
export const perCpuUse = 'per-CPU memory';

/** Part of the memory that somebody must keep to be told of. */
const notable = 0.1;

/** Who keeps most of a use of memory; null where nobody that can be told keeps much. @param total bytes of all memory */
export function holderOf(kernel: Kernel, use: string, total: number): Holder | null {
  if (use === perCpuUse) return kernel.faults.attempt('vmalloc areas', () => tablesOfPerCpu(kernel), null);
  if (use === 'vmalloc') return kernel.faults.attempt('vmalloc areas', () => asksForVmalloc(kernel), null);
  const isSlab = use.startsWith('slab');
  if (!isSlab && !use.startsWith('not counted')) return null;
  const files = kernel.faults.attempt('memory of open files', () => fileMemory(kernel), null);
  const found = [
    files === null ? null : held(files.sockets, 'socket'),
    files === null || isSlab ? null : held(files.pipes, 'pipe'),
    isSlab ? kernel.faults.attempt('RCU callbacks', () => waitsForRcu(kernel), null) : null,
  ];
  const most = found.filter((one) => one !== null).sort((a, b) => b.bytes - a.bytes)[0];
  return most === undefined || total <= 0 || most.bytes / total < notable ? null : most;
}

function held({ count, bytes, most, fullest }: HeldByFiles, what: 'socket' | 'pipe'): Holder | null {
  if (most === null || fullest === null) return null;
  const share = most.bytes >= bytes / 2 ? `, most of it in ${what}s of ${label(most.task)}` : '';
  const done = what === 'socket' ? 'sent' : 'written';
  return {
    words: `${what}s keep ${mebibytes(bytes)}: ${count} have what was ${done} and nobody has read${share}`,
    advice: `Who fills these ${what}s, and who should empty them, is the question: a reader that is stuck or stopped, or one that is gone while somebody else still has its ${what} open.`,
    bytes,
    command:
      what === 'socket'
        ? `struct sock.sk_wmem_alloc,sk_wmem_queued,sk_backlog ${hex16(fullest)}`
        : `struct pipe_inode_info.ring_size,readers,writers,files ${hex16(fullest)}`,
    shows: `The fullest ${what}.`,
  };
}

/** What one function asked vmalloc() for. */
interface Asked {
  readonly by: VirtAddr;
  readonly bytes: number;
  readonly areas: number;
  readonly example: VmStruct;
}

/** Who asked for what vmalloc() gave, those with the most first. @throws MemoryFault, NotFoundError */
const vmallocCallers = perKernel((kernel): readonly Asked[] => {
  const callers = new Map<bigint, Asked>();
  for (const { vm } of vmallocAreas(kernel)) {
    if (vm === null || vm.pages === 0) continue;
    // one function may ask at several places
    const by = virtAddr(kernel.place(vm.caller)?.symbol.address ?? vm.caller);
    const known = callers.get(by);
    callers.set(by, {
      by,
      bytes: (known?.bytes ?? 0) + vm.pages * kernel.dump.memory.pageSize,
      areas: (known?.areas ?? 0) + 1,
      example: known?.example ?? vm,
    });
  }
  return [...callers.values()].sort((a, b) => b.bytes - a.bytes);
});

/** Of mm/percpu.c, which keeps tables of each chunk by vmalloc(): as much again as the memory, where allocations are large. */
function isOfPerCpu(kernel: Kernel, { by }: Asked): boolean {
  return /^pcpu_/.test(kernel.place(by)?.symbol.name ?? '');
}

/** Bytes that vmalloc() gave for the tables of per-CPU memory. @throws MemoryFault, NotFoundError */
export function perCpuTables(kernel: Kernel): number {
  return vmallocCallers(kernel)
    .filter((asked) => isOfPerCpu(kernel, asked))
    .reduce((sum, { bytes }) => sum + bytes, 0);
}

function tablesOfPerCpu(kernel: Kernel): Holder | null {
  const bytes = perCpuTables(kernel);
  const [most] = vmallocCallers(kernel).filter((asked) => isOfPerCpu(kernel, asked));
  if (most === undefined) return null;
  return {
    words: `${mebibytes(bytes)} of it are tables of its chunks, which the kernel counts as vmalloc`,
    advice:
      'What asks for per-CPU memory (alloc_percpu(), once for every CPU) must give it back by free_percpu(): who asks without end is on the stack of who asked last.',
    bytes,
    command: `struct vm_struct.addr,nr_pages,caller ${hex16(most.example.address)}`,
    shows: 'The tables of one chunk.',
  };
}

/** Who asked for most of what vmalloc() gave, but for per-CPU memory; null where nobody did for a half of it. */
function asksForVmalloc(kernel: Kernel): Holder | null {
  const callers = vmallocCallers(kernel).filter((asked) => !isOfPerCpu(kernel, asked));
  const all = callers.reduce((sum, { bytes }) => sum + bytes, 0);
  const [most] = callers;
  if (most === undefined || most.bytes < all / 2) return null;
  const { by, bytes, areas, example } = most;
  return {
    words: `${objectName(kernel, by)} asked for ${mebibytes(bytes)} of it in ${count(areas, 'area')}`,
    advice:
      'What asks for vmalloc() memory must give it back by vfree(): one function with ever more areas leaks them.',
    bytes,
    command: `struct vm_struct.addr,nr_pages,caller ${hex16(example.address)}`,
    shows: 'One of the areas.',
  };
}

/** Objects that are free but for a grace period; null where it cannot be told what they are. */
function waitsForRcu(kernel: Kernel): Holder | null {
  const backlog = rcuBacklog(kernel);
  const [most] = backlog?.functions ?? [];
  if (backlog === null || most === undefined || backlog.seen === 0) return null;
  const slab = slabAt(kernel, most.example);
  const cache = slab === null ? null : slabCacheAt(kernel, slab.cache);
  if (cache === null) return null;
  const objects = Math.round((backlog.length * most.count) / backlog.seen);
  const about = backlog.seen < backlog.length ? 'about ' : '';
  const bytes = objects * cache.size;
  return {
    words: `${about}${objects} objects of ${cache.name ?? 'a cache'} (${mebibytes(bytes)}) wait for nothing but a grace period of RCU, to be freed by ${objectName(kernel, most.function)}`,
    advice:
      'They were given back to call_rcu() faster than grace periods end: a CPU or a reader that keeps one from ending, or a loop that frees without rest (cond_resched() or synchronize_rcu() would slow it).',
    bytes,
    command: `struct callback_head ${hex16(most.example)}`,
    shows: 'One that waits: its function frees it.',
  };
}
