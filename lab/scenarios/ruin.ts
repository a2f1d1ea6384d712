// What drivers do wrong, and the kernel dies of, often somewhere else (module/ruin.c).
import { hungTaskPanics, type Scenario, waysOf } from '../scenario.ts';

const fault = /BUG: |general protection|Oops/;
const noAddress = ['general-protection', 'bad-page-fault'] as const;
const panicsOnWarn = { sysctl: { 'kernel.panic_on_warn': 1 } };

const ruin = waysOf('ruin');

export const ruined: readonly Scenario[] = [
  ruin('nullops', 'an operation that a bus does not have, three structures away', fault, {
    kind: 'null-pointer',
    at: 'ruin_power_down',
    sentence: /loaded from \S*ops->suspend, and that is NULL/,
  }),
  ruin('container', 'the head of an empty list is taken for its first entry', fault, {
    kind: noAddress,
    at: 'ruin_first_bus',
    sentence: /loaded from .*ruin_bank.*0x5000600070008000/,
  }),
  ruin('errfile', 'an error is given to the kernel as a file', fault, {
    kind: ['null-pointer', 'bad-page-fault'],
    at: ['vfs_llseek', 'ruin_size_of'],
    sentence: /ruin_open\(\) returned.*-2/,
  }),
  ruin('dentry', 'a name without an inode', fault, {
    kind: 'null-pointer',
    at: 'ruin_inode_number',
    sentence: /loaded from dentry->d_inode, and that is NULL/,
  }),
  ruin('rodata', "writes to text in a module's read-only data", fault, {
    kind: 'bad-page-fault',
    at: 'ruin_upper',
    says: /read-only|write-protected/,
    sentence: /ruin_title/,
  }),
  ruin('vfreed', 'reads a vmalloc buffer that was given back', fault, {
    kind: 'bad-page-fault',
    at: 'ruin_look_up',
    sentence: /ruin_table/,
  }),
  ruin('rbtree', 'a tree whose node has garbage for a parent', fault, {
    kind: noAddress,
    at: ['rb_insert_color', '__rb_insert_augmented', 'way_rbtree'],
    sentence: /loaded from .*0x42424242424242/,
  }),
  ruin('listadd', 'adds an entry to a list twice', /list_add|kernel BUG/, {
    kind: 'list-corruption',
    at: 'way_listadd',
    says: /double add/,
  }),
  ruin(
    'overrun',
    'writes past objects of a slab cache, over the free list',
    /BUG|general protection|Oops|nobody noticed/,
    { kind: [...noAddress, 'BUG', 'null-pointer', 'use-after-free'], says: /ruin_cell/ },
  ),
  // the count of files tells since 6.13 (file_ref_t)
  ruin(
    'fput',
    "gives a file's last reference back twice, panic_on_warn",
    /imbalanced put/,
    { kind: ['WARN', 'use-after-free'], at: 'ruin_put_file', says: /imbalanced put/ },
    panicsOnWarn,
  ),
  ruin('workuaf', 'a work on the heap whose function was overwritten', fault, {
    kind: noAddress,
    says: /0x4444434343434242/,
    sentence: /a work.*kmalloc-|work.*object of the slab cache kmalloc-/,
  }),
  ruin(
    'softsleep',
    'sleeps in a timer, panic_on_warn',
    /scheduling while atomic/,
    { kind: 'atomic-sleep', at: 'ruin_locks_in_softirq', sentence: /must not sleep/ },
    panicsOnWarn,
  ),
  ruin(
    'spinabba',
    'two CPUs take two spinlocks in two orders',
    /soft lockup - CPU#/,
    { kind: 'soft-lockup', at: ['ruin_sender', 'ruin_receiver'], says: [/ruin_tx_lock/, /ruin_rx_lock/] },
    { sysctl: { 'kernel.softlockup_panic': 1, 'kernel.watchdog_thresh': 4 }, spins: true },
  ),
  ruin('bigframe', 'a function with 16 KiB on the stack', /stack guard page|double fault/, {
    kind: ['stack-overflow', 'double-fault'],
    at: 'ruin_big_frame',
    sentence: /ruin_big_frame.*(?:KiB|bytes)/,
    never: /recursion|calls itself/,
  }),
  ruin(
    'lostirq',
    'waits for an interrupt that does not come',
    /hung_task: blocked tasks/,
    { kind: 'hung-task', at: 'ruin_command', sentence: /wait queue/ },
    { sysctl: hungTaskPanics },
  ),
];
