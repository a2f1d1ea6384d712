// What each kind of incident means, what usually causes it, where to look next, and which sysctls decide whether the kernel
// panics on it. Commands are those of `inquest crash` and crash(8).
import type { Incident } from './incident.ts';
import type { IncidentKind } from './kinds.ts';
import {
  hardPanic,
  hungPanic,
  hungTimeout,
  memoryFailureRecovery,
  nmiIo,
  nmiUnknown,
  nmiUnrecovered,
  oomPanic,
  oopsSysctls,
  panicOnOops,
  panicOnWarn,
  panicTimeout,
  rcuPanic,
  rcuTimeout,
  type Sysctl,
  softPanic,
  warnSysctls,
  watchdogThresh,
} from './sysctls.ts';

export interface Explanation {
  /** One or two sentences. */
  meaning: string;
  causes: readonly string[];
  /** Commands or steps, in order; `%PID`, `%CPU`, `%FUNCTION`, `%ADDRESS`, `%MODULE` are filled in by explain(). */
  next: readonly string[];
  sysctls: readonly Sysctl[];
}

const faultSteps: readonly string[] = [
  'bt',
  'dis -lr %ADDRESS',
  'set %PID; bt -f',
  'struct the type that the function works on, with the address from the register',
  'log | tail -200',
];
const sanitizer = (meaning: string, causes: readonly string[]): Explanation => ({
  meaning,
  causes,
  next: [
    'read the "Allocated by" and "Freed by" traces: who owned the memory',
    'bt %PID',
    'kmem ADDRESS for the object',
  ],
  sysctls: [
    panicOnWarn,
    {
      name: 'kasan_multi_shot / kasan.fault',
      variables: ['kasan_arg_fault'],
      meaning: 'boot parameters: report more than once; panic on a report',
    },
  ],
});

const explanations: Record<IncidentKind, Explanation> = {
  'null-pointer': {
    meaning:
      'The kernel used a NULL pointer: it read or wrote at a small address, the offset of a member in a structure that was not there.',
    causes: [
      'a pointer that was never set, or was cleared by another path (a race with teardown)',
      'a function that returned NULL and was not checked',
      'an error path that goes on',
    ],
    next: faultSteps,
    sysctls: oopsSysctls,
  },
  'bad-page-fault': {
    meaning: 'The kernel accessed an address that is not mapped, or in a way its mapping forbids.',
    causes: [
      'a pointer into freed or unloaded memory',
      'a corrupted pointer',
      'an index far out of range',
      'a stack or structure overwritten by its neighbour',
    ],
    next: [...faultSteps, 'vtop of the faulting address; kmem of the address'],
    sysctls: oopsSysctls,
  },
  'general-protection': {
    meaning:
      'The CPU refused an instruction; in kernel code nearly always an access through an address that is not canonical: the pointer is garbage.',
    causes: [
      'memory used after it was freed (look for poison patterns)',
      'a list entry deleted twice (dead000000000100, dead000000000122)',
      'an uninitialised or overwritten pointer',
      'a wrong MSR access',
    ],
    next: [...faultSteps, 'kmem -s of the register that holds the object'],
    sysctls: oopsSysctls,
  },
  'divide-error': {
    meaning: 'The kernel divided by zero, or the quotient did not fit.',
    causes: [
      'a size, rate or count that a device, a file system or user space gave as 0',
      'an average over no samples',
    ],
    next: ['bt', 'dis -lr %ADDRESS', 'look which register the divisor came from'],
    sysctls: oopsSysctls,
  },
  'invalid-opcode': {
    meaning:
      'The CPU met an instruction it does not know: a BUG() (ud2) whose message is missing, or a jump into data.',
    causes: [
      'a failed assertion',
      'a corrupted function pointer',
      'code that needs a CPU feature that is missing',
      'corrupted kernel text',
    ],
    next: ['bt', 'dis -r %ADDRESS', 'rd -x of the code, compared with the vmlinux'],
    sysctls: oopsSysctls,
  },
  BUG: {
    meaning: 'An assertion of the kernel failed: the code met a state that must not exist.',
    causes: ['a bug in the function or in its callers', 'damaged data that the assertion noticed'],
    next: ['read the source line that the message names', 'bt -f', 'dis -lr %ADDRESS'],
    sysctls: oopsSysctls,
  },
  WARN: {
    meaning: 'The kernel noticed something that should not be and went on.',
    causes: ['a bug in the function or in its callers', 'a device or user space that did the unexpected'],
    next: ['read the source line that the message names', 'bt %PID', 'log | grep -B5 -A40 "cut here"'],
    sysctls: warnSysctls,
  },
  'stack-overflow': {
    meaning: 'A kernel stack ran over its end.',
    causes: [
      'unbounded or deep recursion (stacked file systems, network tunnels, block devices)',
      'large arrays on the stack',
      'an interrupt on top of an already deep stack',
    ],
    next: [
      'bt: count the repeating functions',
      'bt -f: find the large frames',
      'task -R stack %PID; struct thread_info',
    ],
    sysctls: oopsSysctls,
  },
  'double-fault': {
    meaning:
      'The CPU faulted while it was entering the handler of another fault; nearly always because the kernel stack pointer was bad.',
    causes: ['a kernel stack overflow', 'a corrupted stack pointer', 'damaged page tables or per-CPU data'],
    next: ['bt', 'compare RSP with the stack of the task: task -R stack', 'bt -a'],
    sysctls: oopsSysctls,
  },
  'list-corruption': {
    meaning:
      'The pointers of a doubly linked list contradict each other: an entry was added or removed that was not in the state it should be.',
    causes: [
      'an entry deleted or added twice',
      'an entry freed while still on a list',
      'list access without its lock',
      'memory overwritten by a neighbour',
    ],
    next: [
      'bt',
      'list -H of the list head',
      'struct list_head of the addresses in the message',
      'kmem -s of the entry: is the object allocated',
    ],
    sysctls: oopsSysctls,
  },
  'use-after-free': sanitizer('Memory was used after it was freed.', [
    'a missing reference',
    'a timer, work item or callback that outlives its object',
    'a race between teardown and use',
  ]),
  'soft-lockup': {
    meaning: 'A CPU ran kernel code for longer than twice kernel.watchdog_thresh without letting anything else run.',
    causes: [
      'a loop that does not end or does not reschedule',
      'a spinlock whose holder is gone or waits for this CPU',
      'very long lists or a flood of work',
      'a virtual CPU that its host did not run',
    ],
    next: [
      'bt -c %CPU',
      'bt -a: who holds what the CPU spins on',
      'dis -lr of the function: what ends the loop',
      'runq',
    ],
    sysctls: [
      softPanic,
      watchdogThresh,
      {
        name: 'kernel.softlockup_all_cpu_backtrace',
        variables: ['sysctl_softlockup_all_cpu_backtrace'],
        meaning: '1: show all CPUs on a soft lockup',
      },
      panicTimeout,
    ],
  },
  'hard-lockup': {
    meaning:
      'A CPU did not take timer interrupts for kernel.watchdog_thresh seconds: it runs with interrupts off, or not at all.',
    causes: [
      'a spinlock taken with interrupts off, whose holder does not let go',
      'a loop with interrupts off',
      'firmware (SMI) or a host that keeps the CPU',
      'hardware that hangs on a read',
    ],
    next: ['bt -c %CPU', 'bt -a: find the holder of the lock', 'dis -lr of the function', 'irq; runq'],
    sysctls: [
      hardPanic,
      watchdogThresh,
      {
        name: 'kernel.nmi_watchdog',
        variables: ['watchdog_hardlockup_user_enabled', 'nmi_watchdog_user_enabled'],
        meaning: '1: the detector is on',
      },
      panicTimeout,
    ],
  },
  'rcu-stall': {
    meaning:
      'An RCU grace period does not end: a CPU or task stays in a read-side section, or the RCU threads do not get to run.',
    causes: [
      'a loop in the kernel with preemption or interrupts off',
      'a task preempted inside rcu_read_lock() by real-time load',
      'a starved rcu_preempt/rcu_sched thread',
      'a very slow console',
      'a virtual CPU that its host did not run',
    ],
    next: ['bt -c %CPU', 'bt -a', 'ps -m | grep rcu: when did the RCU threads run', 'runq'],
    sysctls: [
      rcuPanic,
      rcuTimeout,
      {
        name: 'kernel.max_rcu_stall_to_panic',
        variables: ['sysctl_max_rcu_stall_to_panic'],
        meaning: 'number of stalls after which the kernel panics',
      },
      panicTimeout,
    ],
  },
  'hung-task': {
    meaning: 'A task has slept uninterruptibly for longer than kernel.hung_task_timeout_secs.',
    causes: [
      'a lock whose holder waits itself (deadlock) or died',
      'storage or a network file system that does not answer',
      'a missed wake-up',
      'plain overload',
    ],
    next: [
      'bt %PID',
      'foreach UN bt: all blocked tasks; the one that waits for none of them is the culprit',
      'struct mutex.owner / struct rw_semaphore.owner of the lock',
      'ps -m: since when',
      'dev -d: I/O in flight',
    ],
    sysctls: [
      hungPanic,
      hungTimeout,
      {
        name: 'kernel.hung_task_warnings',
        variables: ['sysctl_hung_task_warnings'],
        meaning: 'how many more reports will be printed; 0: none',
      },
      panicTimeout,
    ],
  },
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
  sysrq: {
    meaning: 'Somebody asked for the crash: `c` in /proc/sysrq-trigger or SysRq-c. The kernel did as it was told.',
    causes: ['an operator, a cluster manager or a test wanted a dump of a system that did not answer'],
    next: ['bt: who wrote it', 'foreach UN bt; runq; log: why somebody wanted it', 'kmem -i'],
    sysctls: [
      { name: 'kernel.sysrq', variables: ['sysrq_enabled'], meaning: 'which SysRq functions are allowed' },
      panicTimeout,
    ],
  },
  'machine-check': {
    meaning: 'The processor reported a hardware error that it could not correct.',
    causes: [
      'a failing memory module, CPU, cache or interconnect',
      'overheating or power',
      'rarely, a device that breaks bus rules',
    ],
    next: [
      'inquest mce FILE: what the banks say, and which part to change',
      'log | grep -i "hardware error"',
      "the machine's own event log (BMC)",
    ],
    sysctls: [
      {
        name: 'mce= (boot), machinecheck*/tolerant',
        variables: ['mca_cfg'],
        meaning: 'whether an uncorrected error panics',
      },
      memoryFailureRecovery,
      panicTimeout,
    ],
  },
  nmi: {
    meaning:
      'A non-maskable interrupt came for which no handler knew the reason, or one that reports a hardware error.',
    causes: [
      'the NMI button or a BMC asking for a dump',
      'memory parity or PCI errors',
      'a watchdog timer of the board',
    ],
    next: ['bt -a', "the machine's own event log (BMC)", 'log | grep -i nmi'],
    sysctls: [nmiUnknown, nmiUnrecovered, nmiIo, panicTimeout],
  },
  'atomic-sleep': {
    meaning:
      'Code that may sleep ran where sleeping is forbidden: with a spinlock held, interrupts off, or preemption disabled.',
    causes: [
      'a sleeping call (mutex, GFP_KERNEL allocation, msleep, user copy) under a spinlock or in an interrupt',
      'an unbalanced preempt_disable() or spin_lock() earlier',
    ],
    next: [
      'bt %PID',
      'look which lock in the trace is held around the call',
      'lockdep prints "locks held" where built in',
    ],
    sysctls: [panicOnWarn, panicTimeout],
  },
  panic: {
    meaning: 'The kernel stopped itself: a part of it called panic() with the reason given.',
    causes: ['the reason says it; the caller of panic() in the trace says who decided'],
    next: ['bt', 'log | tail -100', 'dis -lr of the caller of panic()'],
    sysctls: [panicTimeout, panicOnOops, panicOnWarn],
  },
  unknown: {
    meaning: 'The text shows registers or a trace of a dying kernel, but not what it said first.',
    causes: ['the beginning of the log is missing'],
    next: ['bt', 'log'],
    sysctls: oopsSysctls,
  },
  trap: {
    meaning: 'The CPU raised an exception in kernel mode that the kernel does not handle there.',
    causes: ['corrupted code or registers', 'a debugger or probe left in place', 'a bad stack or segment'],
    next: faultSteps,
    sysctls: oopsSysctls,
  },
  cfi: {
    meaning: 'An indirect call or return did not go where the compiler allows: control flow integrity stopped it.',
    causes: [
      'a function called through a pointer of another type',
      'a corrupted function pointer or return address',
      'an attack',
    ],
    next: ['bt', 'dis -lr %ADDRESS', 'sym of the target named in the message'],
    sysctls: oopsSysctls,
  },
  kasan: sanitizer('KASAN caught an access to memory that is not (or no longer) allocated.', [
    'use after free: a missing reference or a race with teardown',
    'an index or size beyond the object',
    'an object freed twice',
  ]),
  kmsan: sanitizer('KMSAN saw a decision or a copy to user space that depends on memory nobody initialised.', [
    'a structure filled member by member, with holes or a forgotten member',
    'a short read from a device that is taken for whole',
  ]),
  kcsan: {
    meaning: 'KCSAN saw two CPUs access the same memory at once without synchronisation, at least one writing.',
    causes: ['a missing lock', 'a lockless access that should be READ_ONCE()/WRITE_ONCE()'],
    next: ['compare the two traces: which lock should both hold'],
    sysctls: warnSysctls,
  },
  kfence: sanitizer('KFENCE, which samples allocations, caught a bad access to one of them.', [
    'use after free',
    'an access beyond the object',
    'an invalid free',
  ]),
  ubsan: {
    meaning:
      'Code did what the C standard leaves undefined: an index out of bounds, a shift too wide, an overflow, a misaligned access.',
    causes: [
      'an unchecked value from a device, file system image or user space',
      'a flexible array declared with a fixed size',
    ],
    next: ['read the source line that the message names'],
    sysctls: warnSysctls,
  },
  odebug: {
    meaning: 'An object with a life of its own (timer, work item, RCU head) was freed or initialised while active.',
    causes: ['a timer or work item that is not cancelled before its object is freed', 'double initialisation'],
    next: ['the hint in the message names the callback', 'bt %PID', 'timer'],
    sysctls: warnSysctls,
  },
  refcount: {
    meaning:
      'A reference count went below zero, up from zero, or over its limit: an object was or will be used after it is freed.',
    causes: ['one put too many', 'a get on an object that is already going away'],
    next: ['bt %PID', 'struct of the object: kmem -s of its address'],
    sysctls: warnSysctls,
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
  usercopy: {
    meaning:
      'A copy between kernel and user memory would have gone beyond the object or touched memory not meant for users; it was refused.',
    causes: [
      'an unchecked length',
      'a slab cache without a user copy region',
      'a copy from the stack with a wrong size',
    ],
    next: ['bt %PID', 'the message names the object and the length'],
    sysctls: oopsSysctls,
  },
  fortify: {
    meaning:
      'A string or memory function would have gone beyond its buffer, whose size the compiler knew; it was stopped.',
    causes: ['an unchecked length', 'a copy over several members of a structure at once'],
    next: ['bt %PID', 'dis -lr %ADDRESS'],
    sysctls: oopsSysctls,
  },
  'stack-protector': {
    meaning: 'The guard value below the return address was changed: a function wrote beyond a buffer on its stack.',
    causes: [
      'a buffer on the stack of the named function (or one it called) that is too small',
      'a stale pointer into the stack',
    ],
    next: ['bt -f', 'dis -lr of the function: its arrays on the stack'],
    sysctls: [panicTimeout],
  },
  lockdep: {
    meaning:
      'The lock checker found an order or a context of taking locks that can deadlock, even if it did not this time.',
    causes: [
      'two paths that take the same locks in opposite order',
      'a lock taken both in interrupts and with interrupts on',
      'a lock taken twice',
    ],
    next: ['read "Possible unsafe locking scenario" and the chain below it', 'bt %PID'],
    sysctls: [
      panicOnWarn,
      { name: 'kernel.prove_locking', variables: ['prove_locking'], meaning: '1: the checker is on' },
    ],
  },
  'suspicious-rcu': {
    meaning: 'A pointer protected by RCU was read without rcu_read_lock() or the lock that stands in for it.',
    causes: ['a missing rcu_read_lock()', 'the wrong rcu_dereference variant'],
    next: ['read the source line that the message names'],
    sysctls: [panicOnWarn],
  },
  'locks-held': {
    meaning: 'A task went on its way (to user space, exit or the next work item) with a lock still held.',
    causes: ['an error path without unlock'],
    next: ['the message names the lock and where it was taken'],
    sysctls: [panicOnWarn],
  },
  'spinlock-bug': {
    meaning: 'A lock was found in an impossible state: not initialised, held already, or released by somebody else.',
    causes: ['a lock in memory that was freed or never initialised', 'recursion', 'an unlock without lock'],
    next: ['bt', 'struct of the lock at the address in the message', 'kmem ADDRESS'],
    sysctls: oopsSysctls,
  },
  preempt: {
    meaning: 'Per-CPU data was used while the task could be moved to another CPU.',
    causes: ['a missing preempt_disable() or get_cpu()', 'this_cpu_ used where raw_cpu_ was meant'],
    next: ['bt %PID'],
    sysctls: [],
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
  'workqueue-lockup': {
    meaning: 'Work items of a pool have been waiting for long while no worker made progress.',
    causes: [
      'a work item that does not end or does not sleep',
      'a CPU kept busy by something else',
      'all workers blocked on one lock',
    ],
    next: ['foreach kworker bt', 'bt -a', 'runq', 'the message lists pending and in-flight items'],
    sysctls: [
      {
        name: 'workqueue.watchdog_thresh',
        variables: ['wq_watchdog_thresh'],
        meaning: 'seconds until a pool counts as stuck (module parameter)',
      },
      {
        name: 'workqueue.panic_on_stall',
        variables: ['wq_panic_on_stall'],
        meaning: 'number of stalls after which the kernel panics',
      },
    ],
  },
  'memory-leak': {
    meaning: 'kmemleak found allocated memory to which no pointer exists any more.',
    causes: ['an error path without free', 'an object dropped without its last put'],
    next: ['the trace shows who allocated it', 'kmem -s ADDRESS'],
    sysctls: [],
  },
  'netdev-unregister': {
    meaning:
      'A network device cannot go away because somebody still holds a reference to it; whoever removes it waits.',
    causes: ['a leaked reference (dst entry, socket, route, neighbour)', 'a task that holds one and hangs itself'],
    next: ['net', 'foreach UN bt', 'struct net_device.refcnt_tracker where tracked'],
    sysctls: [],
  },
  'hardware-error': {
    meaning: 'Hardware or firmware reported an error (memory controller, PCIe, APEI).',
    causes: ['a failing module, card, cable or slot', 'marginal signals, power or heat'],
    next: [
      'inquest mce FILE: which part it was',
      "the machine's own event log (BMC)",
      'lspci -vv of the device; replace or move it',
      'ras-mc-ctl --errors',
    ],
    sysctls: [memoryFailureRecovery, nmiUnrecovered],
  },
  serror: {
    meaning:
      'The arm64 CPU took an asynchronous or external abort: a bus or memory system answered an access with an error.',
    causes: [
      'an access to a device without clock or power',
      'an address where nothing answers',
      'an uncorrected memory error',
    ],
    next: ['bt -a', 'decode the ESR in the message', "the platform's RAS records"],
    sysctls: [panicTimeout],
  },
  filesystem: {
    meaning: 'A file system is set to panic on errors (errors=panic) or met one after which it cannot go on.',
    causes: ['damaged metadata', 'a storage device that lost or corrupted data', 'a bug in the file system'],
    next: ['log | grep -i error', 'fsck on an unmounted copy', 'dev -d; mount'],
    sysctls: [panicTimeout],
  },
  'root-mount': {
    meaning: 'The kernel found no root file system or no init program to run.',
    causes: [
      'a wrong root= parameter',
      'an initramfs that is missing or lacks the driver',
      'a disk that did not appear',
    ],
    next: ['log: the lines before list the block devices that were found', 'the kernel command line'],
    sysctls: [panicTimeout],
  },
  'init-killed': {
    meaning: 'Process 1 ended or was killed. The system cannot go on without it.',
    causes: [
      'init itself crashed (exitcode 0x0b is SIGSEGV, 0x07 SIGBUS, 0x09 SIGKILL)',
      'a wrong or damaged libc or init binary',
      'an oops in init',
      'init exited (exitcode 0x100 is exit(1))',
    ],
    next: ['log | tail -100', 'bt 1', 'the exit code in the message'],
    sysctls: [panicTimeout],
  },
  kvm: {
    meaning: 'The hypervisor part of the kernel could not go on.',
    causes: ['a bug in KVM', 'a CPU or firmware that behaves unexpectedly', 'a guest state that the CPU refuses'],
    next: ['bt -a', 'log'],
    sysctls: [panicOnOops],
  },
  xen: {
    meaning: 'The Xen hypervisor crashed, or crashed this domain.',
    causes: ['a bug in Xen', 'hardware errors', 'a guest that did what is not allowed'],
    next: ["the hypervisor's own log (xl dmesg)", 'bt -a'],
    sysctls: [],
  },
};

/** The explanation of the incident's kind, its commands filled in for this incident. */
export function explain(incident: Incident): Explanation {
  const general = explanations[incident.kind];
  const { guilty, instruction } = incident;
  const place = instruction !== null && instruction.symbol !== null ? instruction : guilty;
  const values: Record<string, string | null> = {
    '%PID': incident.task?.pid.toString() ?? null,
    '%CPU': incident.cpu?.toString() ?? null,
    '%ADDRESS':
      place === null ? null : place.offset === null ? place.symbol : `${place.symbol}+0x${place.offset.toString(16)}`,
  };
  const next: string[] = [];
  for (const step of general.next) {
    let filled: string | null = step;
    for (const [mark, value] of Object.entries(values)) {
      if (filled?.includes(mark) !== true) continue;
      filled =
        value === null
          ? mark === '%PID' || mark === '%CPU'
            ? filled.replace(` ${mark}`, '').replace(' -c', ' -a')
            : null
          : filled.replaceAll(mark, value);
    }
    if (filled !== null) next.push(filled);
  }
  return { ...general, next };
}

/** Every kind that has an explanation. */
export function kindNames(): readonly IncidentKind[] {
  return Object.keys(explanations) as IncidentKind[];
}

/** The explanation of a kind, where there is no incident to fill its commands in for: those that need one are left out. */
export function explanationOf(kind: IncidentKind): Explanation {
  const general = explanations[kind];
  return { ...general, next: general.next.filter((step) => !step.includes('%')) };
}
