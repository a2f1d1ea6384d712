// Forms in which reports come to a reader: quoted in a mail, with pieces left out, from machines that print little.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findIncidents } from '../../src/oops/scanner.ts';

/** Kind and function to blame of each incident in the text. */
function blamed(lines: readonly string[]): [string, string | null][] {
  return findIncidents(`${lines.join('\n')}\n`).map(({ kind, guilty }) => [kind, guilty?.function ?? null]);
}

const race = [
  'BUG: KCSAN: data-race in pump_stop / pump_drain',
  '',
  'write to 0xffff888012345678 of 4 bytes by task 12 on cpu 1:',
  ' pump_stop+0x14c/0x280',
  ' pump_work+0x20/0x40',
  '',
  'read to 0xffff888012345678 of 4 bytes by task 14 on cpu 0:',
  ' pump_drain+0x77/0x1a0',
];

test('a report that a mail quotes is read', () => {
  for (const mark of ['', ' ', '    ', '> ', '>> > ', '> \t'])
    assert.deepEqual(blamed(race.map((line) => mark + line)), [['kcsan', 'pump_stop']], JSON.stringify(mark));
});

test('a blank line of a quotation may have lost its blanks', () => {
  assert.deepEqual(blamed(race.map((line) => (line === '' ? '>' : `> ${line}`))), [['kcsan', 'pump_stop']]);
});

test('a sentence that quotes a headline is no incident', () => {
  assert.deepEqual(
    blamed(['When it hangs you will see', '', '    BUG: soft lockup - CPU#3 stuck', '', 'and a trace.']),
    [],
  );
  assert.deepEqual(blamed(['> BUG: KASAN: use-after-free in pump_stop', '', 'I think this is fixed.']), []);
});

test("arm's unwinder gives its traces no heading", () => {
  assert.deepEqual(
    blamed([
      'Unable to handle kernel NULL pointer dereference at virtual address 00000068',
      'PC is at _raw_spin_lock_bh+0x20/0x5c',
      'LR is at pump_path_del+0x1c/0x17c [pump]',
      'Process ctl (pid: 4537, stack limit = 0xd83e0238)',
      '[<c021211c>] (_raw_spin_lock_bh) from [<bf8c7648>] (pump_path_del+0x1c/0x17c [pump])',
      '[<bf8c7648>] (pump_path_del [pump]) from [<c05c309c>] (genl_rcv_msg+0x274/0x30c)',
    ]),
    [['null-pointer', 'pump_path_del']],
  );
});

test('the caller of a function without a frame is where the link register points', () => {
  const report = (link: string): string[] => [
    'Unable to handle kernel paging request at virtual address ffff170fc0000000',
    'Internal error: Oops: 0000000096000145 [#1] SMP',
    'pc : __pi_strlen+0x14/0x150',
    `lr : ${link}`,
    'sp : ffff8000094b3a50',
    'Call trace:',
    ' __pi_strlen+0x14/0x150',
    ' pump_version+0x84/0xac',
    ' pump_ioctl+0xa8/0x16c',
  ];
  assert.deepEqual(blamed(report('pump_copy_field+0x30/0x1a4')), [['bad-page-fault', 'pump_copy_field']]);
  assert.deepEqual(blamed(report('__pi_strlen+0x30/0x150')), [['bad-page-fault', 'pump_version']]);
});

test('s390 names the function behind the two words of the PSW', () => {
  assert.deepEqual(
    blamed([
      'Unable to handle kernel pointer dereference in virtual kernel address space',
      'Failing address: 766d615f72615000 TEID: 766d615f72615803 ESOP-2 FSI',
      'Oops: 0038 ilc:2 [#1]SMP',
      'Krnl PSW : 0704c00180000000 00000216ef164cde (pump_name_hash+0x1e/0xb0)',
      '           R:0 T:1 IO:1 EX:1 Key:0 M:1 W:0 P:0 AS:3 CC:0 PM:0 RI:0 EA:3',
    ]),
    [['bad-page-fault', 'pump_name_hash']],
  );
});

test('a CPU that hung may print with a clock that has stopped', () => {
  assert.deepEqual(
    blamed([
      '[   60.474005] rcu: INFO: rcu_sched detected stalls on CPUs/tasks:',
      '[   60.475000] rcu:  1-...0: (0 ticks this GP) idle=02a/1/0x4000000000000000 softirq=1/1 fqs=15000',
      '[   60.475000] rcu:  (detected by 0, t=60002 jiffies, g=-1199, q=1)',
      '[   60.475000] Sending NMI from CPU 0 to CPUs 1:',
      '[    1.760091] NMI backtrace for cpu 1',
      '[    1.760091] CPU: 1 PID: 20 Comm: pumpinit0 Not tainted 4.18.0 #1',
      '[    1.760091] RIP: 0010:pump_init_page+0x10/0x4f',
      '[    1.760091] Call Trace:',
      '[    1.760091]  pump_init_pages+0x8f/0xbf',
      '[    1.760091]  kthread+0x112/0x130',
    ]),
    [['rcu-stall', 'pump_init_pages']],
  );
});

test('each function that was inlined into a warning has a line, and they are one incident', () => {
  assert.deepEqual(
    blamed([
      '------------[ cut here ]------------',
      'refcount_t: underflow; use-after-free.',
      'WARNING: CPU: 0 PID: 8691 at lib/refcount.c:190 refcount_sub_and_test_checked lib/refcount.c:190 [inline]',
      'WARNING: CPU: 0 PID: 8691 at lib/refcount.c:190 refcount_sub_and_test_checked+0x1d0/0x200 lib/refcount.c:180',
      'RIP: 0010:refcount_sub_and_test_checked+0x1d0/0x200 lib/refcount.c:180',
      'Call Trace:',
      ' pump_files+0x40/0x60',
    ]),
    [['refcount', 'pump_files']],
  );
});

test('what KASAN said before it had its name, and before 4.8 of the object', () => {
  assert.deepEqual(
    blamed([
      'BUG: KASan: use after free in pump_msg_free+0x2c9/0x340 [pump] at addr ffff880d59947040',
      'Read of size 8 by task ksoftirqd/2/15',
      '=============================================================================',
      'BUG pump_cache (Tainted: P    B      O   ): kasan: bad access detected',
      '-----------------------------------------------------------------------------',
      'INFO: Allocated in pump_new+0xb3/0x350 [pump] age=14759 cpu=5 pid=27',
    ]),
    [['kasan', 'pump_msg_free']],
  );
});

test('the tick is to blame for what is wrong in it, not for the hangs that it finds', () => {
  assert.deepEqual(blamed(['BUG: KCSAN: data-race in timekeeping_advance / pump_now', '', ...race.slice(2)]), [
    ['kcsan', 'timekeeping_advance'],
  ]);
});

test('mips has the address of an instruction before its name', () => {
  assert.deepEqual(
    blamed([
      '[   36.519177] CPU 1 Unable to handle kernel paging request at virtual address 00000018, epc == 8ed80668, ra == 8ed03454',
      '[   36.529874] Oops[#1]:',
      '[   36.532203] CPU: 1 PID: 3306 Comm: pumpd Not tainted 4.14.87 #0',
      '[   36.590423] epc   : 8ed80668 pump_add_port+0x6c/0x88 [pump_lib]',
      '[   36.597419] ra    : 8ed03454 drv_pump_port+0x7c/0x94 [pump]',
      '[   36.618776] Modules linked in: pump_lib pump',
    ]),
    [['null-pointer', 'pump_add_port']],
  );
});

test('an oops whose head was lost is known by its end', () => {
  const trace = [
    '[  601.856271] [<84d3863c>] pump_drain+0x1bc/0x8fc [pump]',
    '[  601.868001] [<800302dc>] tasklet_hi_action+0x144/0x19c',
    '[  601.878216] [<8002fbcc>] __do_softirq+0x294/0x2e0',
  ];
  const panic = '[  601.992186] Kernel panic - not syncing: Fatal exception in interrupt';
  assert.deepEqual(blamed(['[  601.851135] Call Trace:', ...trace, panic]), [['unknown', 'pump_drain']]);
  assert.deepEqual(
    blamed([
      '[  601.851135] Call Trace:',
      ...trace,
      '[  601.947719] Code: 24020001  a7a20046  8e02000c <8c420054> a7a20048',
      '[  601.967766] ---[ end trace 609676f0e79b0222 ]---',
    ]),
    [['unknown', 'pump_drain']],
  );
  assert.deepEqual(
    blamed([
      '[  223.606866] NIP [c000000000ac0ce8] pump_update+0x18/0xf0',
      '[  223.606907] LR [c000000000159748] pump_walk+0x4a8/0x5f0',
      '[  223.606954] Call Trace:',
      '[  223.606972] [c000003fdc18bc80] [c000000000159400] pump_walk+0x160/0x5f0 (unreliable)',
      '[  223.607287] ---[ end trace 4456a1917aa7e1d7 ]---',
    ]),
    [['unknown', 'pump_update']],
  );
  assert.deepEqual(blamed(['[  601.851135] Call Trace:', ...trace, '[  610.000000] pump: link up']), []);
});

test('before 4.11 a hard lockup was a warning', () => {
  assert.deepEqual(
    blamed([
      '[  418.606052] ------------[ cut here ]------------',
      '[  418.606058] WARNING: CPU: 1 PID: 6133 at kernel/watchdog.c:245 watchdog_overflow_callback+0x9c/0xd0()',
      '[  418.606058] Watchdog detected hard LOCKUP on cpu 1',
      '[  418.606091] CPU: 1 PID: 6133 Comm: rm Not tainted 3.13.0 #80',
      '[  418.606100] Call Trace:',
      '[  418.606101]  <NMI>  [<ffffffff81721506>] dump_stack+0x45/0x56',
      '[  418.606102]  [<ffffffff8106777d>] warn_slowpath_common+0x7d/0xa0',
      '[  418.606103]  [<ffffffff8110d6bc>] watchdog_overflow_callback+0x9c/0xd0',
      '[  418.606104]  <<EOE>>  [<ffffffffa04b2b1a>] pump_spin+0x1a/0x20 [pump]',
    ]),
    [['hard-lockup', 'pump_spin']],
  );
});

test('one stack may end and another begin in the same line', () => {
  assert.deepEqual(
    blamed([
      '[  418.606058] NMI watchdog: Watchdog detected hard LOCKUP on cpu 1',
      '[  418.606091] CPU: 1 PID: 6133 Comm: rm Not tainted 4.9.0 #80',
      '[  418.606100] Call Trace:',
      '[  418.606101]  <NMI>  [<ffffffff81721506>] dump_stack+0x45/0x56',
      '[  418.606103]  [<ffffffff8110d6bc>] watchdog_overflow_callback+0x9c/0xd0',
      '[  418.606104]  <<EOE>>  <IRQ>  [<ffffffffa04b2b1a>] pump_spin+0x1a/0x20 [pump]',
      '[  418.606105]  [<ffffffff8110d6bc>] __do_softirq+0x9c/0xd0',
      '[  418.606106]  <EOI>  [<ffffffff8110d6bc>] vfs_read+0x9c/0xd0',
    ]),
    [['hard-lockup', 'pump_spin']],
  );
});

test("a module's own primitive that waits is not to blame for a hang", () => {
  assert.deepEqual(
    blamed([
      '[39512.886834] INFO: task pump_sync:3553 blocked for more than 120 seconds.',
      '[39512.886929]       Not tainted 4.15.0 #84',
      '[39512.887078] pump_sync       D    0  3553      2 0x80000000',
      '[39512.887084] Call Trace:',
      '[39512.887097]  __schedule+0x24e/0x880',
      '[39512.887104]  schedule+0x2c/0x80',
      '[39512.887118]  cv_wait_common+0x121/0x130 [porting]',
      '[39512.887136]  __cv_wait+0x15/0x20 [porting]',
      '[39512.887213]  pump_read+0x189/0xff0 [pump]',
    ]),
    [['hung-task', 'pump_read']],
  );
});

test('a work item whose last call was a jump left no frame', () => {
  const report = (work: string): string[] => [
    '[   27.285351] rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 0-... } 6 jiffies s: 85 root: 0x1/.',
    '[   27.288773] Task dump for CPU 0:',
    '[   27.289259] task:kworker/u4:4    state:R  running task     stack:    0 pid:  314 ppid:     2 flags:0x00004008',
    `[   27.290203] Workqueue: events_unbound ${work}`,
    '[   27.291091] Call Trace:',
    '[   27.292109]  __schedule+0x246/0x5c0',
    '[   27.292716]  __cond_resched+0x33/0x50',
    '[   27.292990]  process_one_work+0x23c/0x3f0',
    '[   27.293171]  worker_thread+0x50/0x3e0',
  ];
  assert.deepEqual(blamed(report('pump_check [pump]')), [['rcu-stall', 'pump_check']]);
  assert.deepEqual(blamed(report('kfree_rcu_work')), [['rcu-stall', '__cond_resched']]);
});

test('the first bracket may have been left behind', () => {
  assert.deepEqual(
    blamed([
      '407819.286867] BUG: Bad page state in process pumpd  pfn:46c479',
      '407819.288361] page:ffffea000f7afa78 count:-2 mapcount:0 mapping:          (null) index:0x0',
      '[407819.294388] page dumped because: nonzero _count',
      '[407819.295893] Call Trace:',
      '[407819.295894]  dump_stack+0x46/0x5b',
      '[407819.295895]  bad_page+0xf5/0x10f',
      '[407819.295896]  pump_pages+0x10/0x20 [pump]',
    ]),
    [['bad-page-state', 'pump_pages']],
  );
});

test("a header's function that was inlined is not to blame", () => {
  assert.deepEqual(
    blamed([
      'divide error: 0000 [#1] PREEMPT SMP NOPTI',
      'CPU: 0 PID: 14336 Comm: pumpd Not tainted 6.1.0 #1',
      'RIP: 0010:div_u64_rem include/linux/math64.h:29 [inline]',
      'RIP: 0010:div_u64 include/linux/math64.h:128 [inline]',
      'RIP: 0010:pump_share+0xa87/0x1200 drivers/pump/share.c:1486',
      'RSP: 0018:ffffc9000e38f370 EFLAGS: 00010216',
    ]),
    [['divide-error', 'pump_share']],
  );
  assert.deepEqual(
    blamed([
      'BUG: KASAN: use-after-free in list_empty include/linux/list.h:284 [inline]',
      'BUG: KASAN: use-after-free in pump_peek include/linux/pump.h:129 [inline]',
      'BUG: KASAN: use-after-free in pump_change+0x8e2/0x970 drivers/pump/change.c:1615',
      'Read of size 8 at addr ffff88800bf211c0 by task ksoftirqd/1/17',
    ]),
    [['kasan', 'pump_change']],
  );
});

test('an allocator of its own does not make a module leak', () => {
  assert.deepEqual(
    blamed([
      'unreferenced object 0xffff88804b7b5640 (size 32):',
      '  comm "softirq", pid 0, jiffies 4310614523 (age 9737.592s)',
      '  backtrace:',
      '    [<000000004d300c9a>] __kmalloc+0x13c/0x330',
      '    [<00000000114265ca>] kmalloc+0x9/0x10 [pump]',
      '    [<00000000a1b6664e>] pump_zalloc+0x21/0xe0 [pump]',
      '    [<000000004b3c47cc>] pump_dump+0x10/0x50 [pump]',
    ]),
    [['memory-leak', 'pump_dump']],
  );
});

test('a log with stamps or dates may be quoted', () => {
  const report = [
    'BUG: kernel NULL pointer dereference, address: 0000000000000030',
    'Oops: Oops: 0000 [#1] SMP NOPTI',
    'RIP: 0010:pump_access+0x1b/0x350 [pump]',
  ];
  for (const mark of [
    '> Apr 28 10:17:39 host kernel: ',
    '>> Apr  8 10:17:39 host kernel: ',
    '`[  213.136361] ',
    '> [  213.136361] ',
  ])
    assert.deepEqual(blamed(report.map((line) => mark + line)), [['null-pointer', 'pump_access']], mark);
});

const trace = (...names: string[]): string[] => ['Call Trace:', ...names.map((name) => ` ${name}+0x14/0x80`)];

test('who had a trace printed says what was wrong, where the headline is missing', () => {
  const printed = (reporter: string): [string, string | null][] =>
    blamed(trace('show_stack', 'dump_stack_lvl', reporter, 'pump_start', 'pump_ioctl', 'vfs_ioctl'));
  assert.deepEqual(printed('__warn'), [['WARN', 'pump_start']]);
  assert.deepEqual(printed('__might_resched'), [['atomic-sleep', 'pump_start']]);
  assert.deepEqual(printed('ubsan_epilogue'), [['ubsan', 'pump_start']]);
  assert.deepEqual(printed('lockdep_rcu_suspicious'), [['suspicious-rcu', 'pump_start']]);
  assert.deepEqual(printed('warn_alloc'), [], 'a failed allocation is none');
  assert.deepEqual(blamed(trace('pump_start', '__warn', 'vfs_ioctl')), [], 'not one that is only called');
});

test('a report is found by the first line that is left of it', () => {
  assert.deepEqual(
    blamed([
      "index 9 is out of range for type 'pump_stage [8]'",
      ...trace('dump_stack', 'ubsan_epilogue', '__ubsan_handle_out_of_bounds', 'pump_start'),
    ]),
    [['ubsan', 'pump_start']],
  );
  assert.deepEqual(
    blamed([
      "usercopy: Kernel memory exposure attempt detected from SLUB object 'pump' (offset 4, size 4)!",
      ...trace('__check_heap_object', '__check_object_size', 'pump_read', 'vfs_read'),
    ]),
    [['usercopy', 'pump_read']],
  );
  assert.deepEqual(blamed(["index 9 is out of range for type 'pump_stage [8]'", 'said the compiler.']), []);
});

test("UBSAN's second line proves that a mail quotes its first", () => {
  const lines = [
    '  UBSAN: array-index-out-of-bounds in drivers/pump/pump.c:78:17',
    "  index 28 is out of range for type 'pump_stage [16]'",
  ];
  assert.deepEqual(blamed(lines), [['ubsan', null]]);
  assert.deepEqual(blamed(lines.slice(0, 1)), []);
});

test("a jump into a module's variable: the kernel measures what it names from the end of the module's text", () => {
  const [incident] = findIncidents(
    [
      'BUG: unable to handle page fault for address: ffffffffc05f5000',
      '#PF: supervisor instruction fetch in kernel mode',
      'Oops: 0011 [#1] PREEMPT SMP NOPTI',
      'CPU: 0 PID: 177 Comm: busybox Not tainted 6.8.0 #1',
      'RIP: 0010:datapage+0x0/0xffffffffffffd000 [wreck]',
      '',
    ].join('\n'),
  );
  assert.equal(incident?.instruction?.symbol, 'datapage');
  assert.deepEqual([incident?.instruction?.offset, incident?.instruction?.size], [0, null]);
});
