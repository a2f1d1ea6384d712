// Explanations of memory that is gone or spoiled, and file systems.
import type { IncidentKind } from '../kinds.ts';
import { oomPanic, panicOnWarn, panicTimeout, warnSysctls } from '../sysctls.ts';
import type { Explanation } from './explanation.ts';

export const memory = {
  'out-of-memory': {
    meaning:
      'An allocation could not be satisfied, nothing more could be reclaimed, and the kernel chose a task to kill (or panicked).',
    causes: [
      'a process or cgroup that needs more than there is',
      'a leak in user space or in the kernel (slab, pages, vmalloc)',
      'memory locked, in hugetlb or tmpfs',
      'a memory cgroup limit',
    ],
    next: [
      'kmem -i',
      'ps -G: largest resident sets',
      'kmem -s: largest slab caches',
      'ipcs; mount for tmpfs',
      'vm %PID',
    ],
    sysctls: [
      oomPanic,
      {
        name: 'vm.oom_kill_allocating_task',
        variables: ['sysctl_oom_kill_allocating_task'],
        meaning: '1: kill the task that asked',
      },
      {
        name: 'vm.overcommit_memory',
        variables: ['sysctl_overcommit_memory'],
        meaning: '0 heuristic, 1 always, 2 never beyond the limit',
      },
      panicTimeout,
    ],
  },
  'slab-corruption': {
    meaning:
      "The slab allocator found an object's red zone, padding or poison overwritten, or a free list that makes no sense.",
    causes: [
      'a write after free ("Poison overwritten")',
      'a write beyond the object ("Redzone overwritten")',
      'a double free',
      'a device writing by DMA into freed memory',
    ],
    next: ['kmem -s ADDRESS', 'rd the object and its neighbours', 'boot with slub_debug=FZPU to catch it earlier'],
    sysctls: warnSysctls,
  },
  'bad-page-state': {
    meaning:
      'A page was freed, allocated or unmapped in a state it must not have (counts, flags or mapping left over).',
    causes: [
      'a page freed twice or still in use',
      'a reference count taken or dropped wrongly',
      'memory corruption, also by hardware',
    ],
    next: ['kmem -p ADDRESS', 'struct page of the address in the message', 'page_owner=on to learn who had it'],
    sysctls: [panicOnWarn],
  },
  'bad-rss-counter': {
    meaning: "A process ended with page counts that are not zero: the kernel's accounting of its memory is off.",
    causes: ['corrupted page tables', 'a driver that maps pages wrongly', 'memory corruption'],
    next: ['log: earlier "Bad page map" messages'],
    sysctls: [],
  },
  'memory-leak': {
    meaning: 'kmemleak found allocated memory to which no pointer exists any more.',
    causes: ['an error path without free', 'an object dropped without its last put'],
    next: ['the trace shows who allocated it', 'kmem -s ADDRESS'],
    sysctls: [],
  },
  filesystem: {
    meaning: 'A file system is set to panic on errors (errors=panic) or met one after which it cannot go on.',
    causes: ['damaged metadata', 'a storage device that lost or corrupted data', 'a bug in the file system'],
    next: ['log | grep -i error', 'fsck on an unmounted copy', 'dev -d; mount'],
    sysctls: [panicTimeout],
  },
} satisfies Partial<Record<IncidentKind, Explanation>>;
