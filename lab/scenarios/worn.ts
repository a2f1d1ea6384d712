// What kills machines that have run for a while (module/worn_*.c, guest/glutton.c): memory that others write into, locks
// that do not come back, CPUs that wait for each other, disks that fail, and all that memory can be lost to.
import { hungTaskPanics, type Scenario, waysOf } from '../scenario.ts';

const fault = /BUG: (?:kernel NULL pointer|unable to handle)|general protection/;
const badPointer = ['general-protection', 'bad-page-fault'];
const hung = /hung_task: blocked tasks/;
const softLockup = /soft lockup - CPU#/;
const outOfMemory = /Out of memory: .*panic_on_oom/;
const panicsOnWarn = { 'kernel.panic_on_warn': 1 };
const panicsOnLockup = { 'kernel.softlockup_panic': 1, 'kernel.watchdog_thresh': 4 };
const panicsOnOom = { 'vm.panic_on_oom': 1 };
const eats = { sysctl: panicsOnOom, memory: 640, moves: 'memory was filled on purpose' };

const worn = waysOf('worn');

/** A scenario of the guest's program that takes memory. @param first lines that run before it */
function glutton(what: string, about: string, verdict: Scenario['verdict'], first = ''): Scenario {
  const provoke = `${first}glutton ${what} &\nsleep 20\nbusybox tail /dev/zero &\n`;
  return { name: `glutton-${what}`, about, dying: outOfMemory, verdict, provoke, ...eats };
}

export const wornOut: readonly Scenario[] = [
  worn('dma', 'a device writes a packet into a page that was freed and holds a list now', fault, {
    kind: badPointer,
    at: 'worn_walk',
    sentence: /loaded from .*entr(?:y|ies) of a list|loaded from next of the struct worn_node before/,
    never: /NULL/,
  }),
  worn(
    'kref',
    'an object is put once more than it was taken',
    /refcount_t: underflow/,
    { kind: 'use-after-free', at: 'worn_put', says: /underflow/ },
    { sysctl: panicsOnWarn },
  ),
  worn('nullops', 'an open file has no operations', fault, {
    kind: 'null-pointer',
    sentence: /f_op.*NULL/,
  }),
  worn(
    'nest',
    'opening a file opens it again, to the end of the stack',
    /stack guard page was hit|stack overflow|TASK stack/,
    {
      kind: 'stack-overflow',
      says: /worn_open/,
    },
  ),
  worn('container', 'a list holds something of another type', fault, {
    kind: ['bad-page-fault', 'null-pointer'],
    at: 'worn_visit',
    // (BTF has no names of local variables: that it is probe->node, DWARF alone tells)
    sentence: /loaded from (?:probe->node|.* entry 2 of a list that began at worn_probes).*0x1f4/,
  }),
  worn(
    'timerfreed',
    "a timer stands in an object that was freed and is somebody else's",
    fault,
    {
      kind: badPointer,
      says: /timer/,
      sentence: /5a5a5a5a|ZZZZ/,
    },
    { moves: 'objects were made until one lay where the timer was' },
  ),
  worn('irqwork', 'an irq_work whose function is no code', fault, {
    kind: badPointer,
    says: /worn_irq_work.*\[worn\]/,
    sentence: /worn/,
  }),
  worn('tasklet', 'a tasklet without a function', fault, {
    kind: 'null-pointer',
    says: /worn_task_let.*\[worn\]/,
    sentence: /worn/,
  }),
  worn('bitflip', 'one bit of a pointer turned over', fault, {
    kind: badPointer,
    at: 'worn_walk',
    says: /(?:one|single) bit|bit 52/,
  }),
  worn('skbover', 'more is put into a socket buffer than fits', /skb_over_panic|skbuff:/, {
    kind: 'BUG',
    at: 'worn_build',
    says: /socket buffer|skb_over_panic/,
  }),
  worn(
    'kfreebad',
    'kfree() of what no kmalloc() gave',
    /WARNING: |BUG |Oops/,
    { kind: ['WARN', 'BUG', 'bad-page-fault', 'general-protection'], says: /worn_drop/ },
    { sysctl: panicsOnWarn },
  ),
  worn(
    'unlock2',
    'an rwsem that was given back twice lets nobody in',
    hung,
    {
      kind: 'hung-task',
      at: ['worn_unlock2', 'worn_write', 'worn_write.cold'],
      sentence: /rwsem worn_gate/,
      never: /held by (?!nobody)/,
    },
    { sysctl: hungTaskPanics },
  ),
  worn(
    'rcusleep',
    'sleeps in an RCU read-side critical section',
    /Voluntary context switch within RCU/,
    { kind: ['WARN', 'atomic-sleep'], at: 'worn_lookup', sentence: /RCU/ },
    { sysctl: panicsOnWarn },
  ),
  worn(
    'wqdead',
    'a work waits for one behind it in the same ordered workqueue',
    hung,
    { kind: 'hung-task', at: 'worn_first', sentence: /worn_later/, says: /worn_order/ },
    { sysctl: hungTaskPanics },
  ),
  worn(
    'deaf',
    'kthread_stop() of a thread that never looks',
    hung,
    { kind: 'hung-task', at: 'worn_deaf', sentence: /worn_deaf/ },
    { sysctl: hungTaskPanics },
  ),
  worn(
    'mmaplock',
    "a process's mmap_lock, held by who sleeps",
    hung,
    { kind: 'hung-task', sentence: /mmap_lock.*worn_holder/ },
    { sysctl: hungTaskPanics },
  ),
  worn(
    'inodelock',
    "a folder's lock, held by who sleeps",
    hung,
    { kind: 'hung-task', sentence: /(?:i_rwsem|inode).*worn_holder/ },
    { sysctl: hungTaskPanics, after: 'sleep 2; busybox touch /tmp/more &\n' },
  ),
  worn(
    'rtnl',
    'rtnl_lock(), held by who sleeps',
    hung,
    { kind: 'hung-task', sentence: /rtnl.*worn_holder/ },
    { sysctl: hungTaskPanics, after: 'sleep 2; busybox ip link set lo down &\n' },
  ),
  worn(
    'srcu',
    'an SRCU reader that never ends',
    hung,
    { kind: 'hung-task', at: 'worn_srcu', sentence: /SRCU.*worn_domain|worn_domain.*SRCU/ },
    { sysctl: hungTaskPanics },
  ),
  worn(
    'grace',
    'an RCU reader that never ends',
    hung,
    { kind: 'hung-task', at: 'worn_grace', sentence: /grace period/, says: /worn_reader/ },
    { sysctl: hungTaskPanics },
  ),
  worn(
    'softirq',
    'a tasklet that does not end',
    softLockup,
    { kind: 'soft-lockup', at: 'worn_drain' },
    { sysctl: panicsOnLockup },
  ),
  worn(
    'timersync',
    'a timer waits for itself to end',
    softLockup,
    { kind: 'soft-lockup', at: 'worn_tick' },
    { sysctl: panicsOnLockup },
  ),
  worn(
    'dark',
    'a CPU waits for another whose interrupts are off',
    softLockup,
    { kind: 'soft-lockup', says: /CPU 1.*worn_(?:drain|spin)|worn_(?:drain|spin).*CPU 1/ },
    { sysctl: panicsOnLockup },
  ),
  worn(
    'rcuflood',
    'objects are freed by RCU faster than it frees them',
    outOfMemory,
    {
      kind: 'out-of-memory',
      says: [/slab.* the largest cache being worn_ticket /, /RCU|grace period|worn_ticket_free/],
    },
    eats,
  ),
  worn('percpu', 'a module leaks per-CPU memory', outOfMemory, { kind: 'out-of-memory', says: /per-CPU/ }, eats),
  worn(
    'vmalloc',
    'a module leaks vmalloc areas',
    outOfMemory,
    {
      kind: 'out-of-memory',
      // worn_buffer() ends with a jump to vmalloc(), where the compiler likes
      says: /vmalloc.*worn_(buffer|vmalloc)/,
    },
    eats,
  ),
  glutton('tables', 'processes map one page so often that page tables take all memory', {
    kind: 'out-of-memory',
    says: /page tables/,
  }),
  glutton(
    'threads',
    'sleeping threads take all memory for their kernel stacks',
    { kind: 'out-of-memory', says: /kernel stacks/ },
    // the kernel lets threads have an eighth of the memory
    'cd /proc/sys; echo 200000 > kernel/threads-max; echo 200000 > kernel/pid_max; echo 1000000 > vm/max_map_count\n',
  ),
  glutton('sockets', 'sockets full of what nobody reads', { kind: 'out-of-memory', says: /sockets/ }),
  glutton('pipes', 'pipes full of what nobody reads', { kind: 'out-of-memory', says: /pipes/ }),
  {
    name: 'hugetlb-oom',
    about: 'huge pages take most of the memory, and a process the rest',
    provoke: 'echo 200 > /proc/sys/vm/nr_hugepages; busybox tail /dev/zero &\n',
    dying: outOfMemory,
    verdict: { kind: 'out-of-memory', says: /huge pages/ },
    ...eats,
  },
  {
    name: 'ext4-panic',
    about: 'an error in a file system that was mounted with errors=panic',
    provoke: 'mount -o remount,rw,errors=panic /lab; echo lab > /sys/fs/ext4/vda/trigger_fs_error\n',
    dying: /EXT4-fs \(device vda\): panic forced after error/,
    verdict: { kind: 'panic', sentence: /EXT4-fs.*vda/, says: /errors=panic/ },
  },
  {
    name: 'disk-silent',
    about: 'a disk answers no request any more',
    // (readers can be killed, and direct I/O wakes up at times so that nobody calls it hung: who waits for writeback cannot)
    setup: 'echo swallow > /proc/perish\n',
    // not before: whoever syncs would wait for it, too
    provoke: 'busybox dd if=/dev/zero of=/dev/perish0 bs=4k count=1 conv=notrunc,fsync 2> /dev/null &\n',
    moves: 'a process has opened the disk',
    sysctl: hungTaskPanics,
    dying: hung,
    verdict: { kind: 'hung-task', sentence: /perish0/ },
  },
];
