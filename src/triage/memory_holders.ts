// Who keeps memory that counters know by its kind alone: of slab, sockets and what waits for RCU; of pages that nobody counts,
// sockets and pipes.
import { virtAddr } from '../base/address.ts';
import { count, hex16 } from '../base/text.ts';
import { fileMemory, type HeldByFiles } from '../kernel/file_memory.ts';
import type { Kernel } from '../kernel/kernel.ts';
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

/** Part of the memory that somebody must keep to be told of. */
const notable = 0.1;

/** Who keeps most of a use of memory; null where nobody that can be told keeps much. @param total bytes of all memory */
export function holderOf(kernel: Kernel, use: string, total: number): Holder | null {
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

/** Who asked for most of what vmalloc() gave; null where nobody did for a half of it. */
function asksForVmalloc(kernel: Kernel): Holder | null {
  const callers = new Map<bigint, { bytes: number; areas: number; example: VmStruct }>();
  let all = 0;
  for (const { vm } of vmallocAreas(kernel)) {
    if (vm === null || vm.pages === 0) continue;
    const bytes = vm.pages * kernel.dump.memory.pageSize;
    all += bytes;
    // one function may ask at several places
    const by = kernel.place(vm.caller)?.symbol.address ?? vm.caller;
    const known = callers.get(by);
    callers.set(by, {
      bytes: (known?.bytes ?? 0) + bytes,
      areas: (known?.areas ?? 0) + 1,
      example: known?.example ?? vm,
    });
  }
  const [most] = [...callers].sort((a, b) => b[1].bytes - a[1].bytes);
  if (most === undefined || most[1].bytes < all / 2) return null;
  const [by, { bytes, areas, example }] = most;
  return {
    words: `${objectName(kernel, virtAddr(by))} asked for ${mebibytes(bytes)} of it in ${count(areas, 'area')}`,
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
