// Verdicts on deaths that a test made: from the stack, from the log, and from both.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ReportKind } from '../../src/oops/kinds.ts';
import { analyse } from '../../src/triage/analyse.ts';
import { blamedStack } from '../../src/triage/blamed_stack.ts';
import { reachVerdict } from '../../src/triage/verdict.ts';
import { DyingKernel, exception, type StackItem, user } from '../support/dying_kernel.ts';
import { shownText } from '../support/shown.ts';

/** From a system call of a module. */
const write: readonly StackItem[] = ['frob[widget]', 'vfs_write', 'do_syscall_64', user];
const oops: readonly StackItem[] = ['machine_kexec', '__crash_kexec', 'crash_kexec', 'oops_end'];
const panic: readonly StackItem[] = ['machine_kexec', '__crash_kexec', 'panic'];
const fault = (at: string | bigint, rdx = 0n): StackItem => exception('asm_exc_page_fault', at, { rdx });
const tick = exception('asm_sysvec_apic_timer_interrupt', 'frob+0x10');

/** `mov 0x240(%rdx),%eax` */
const load = '8b 82 40 02 00 00';
const ud2 = '0f 0b';

interface Death {
  readonly stack: readonly StackItem[];
  readonly log?: readonly string[];
  /** Code at frob+0x10. */
  readonly code?: string;
  readonly comm?: string;
}

function death({ stack, log = [], code, comm = 'sh' }: Death): DyingKernel {
  const dying = DyingKernel.make({ log });
  if (code !== undefined) dying.code('frob+0x10[widget]', code);
  dying.panicOn(1, dying.task({ pid: 7, comm }), stack);
  return dying;
}

const verdict = (dying: DyingKernel) => reachVerdict(dying.facts);
const analysed = (dying: DyingKernel) => {
  dying.writeTables();
  return analyse(dying.context);
};

describe('without a log, the stack tells the kind and the code to blame', () => {
  const cases: readonly (readonly [ReportKind, string, Death])[] = [
    ['null-pointer', 'frob', { code: load, stack: [...oops, 'exc_page_fault', fault('frob+0x10'), ...write.slice(1)] }],
    [
      'bad-page-fault',
      'frob',
      { code: load, stack: [...oops, 'exc_page_fault', fault('frob+0x10', 0xffff_c900_9999_0000n), ...write.slice(1)] },
    ],
    [
      'general-protection',
      'frob',
      {
        code: load,
        stack: [
          ...oops,
          'exc_general_protection',
          exception('asm_exc_general_protection', 'frob+0x10', { rdx: 0xdead_0000_0000_0100n }),
          ...write.slice(1),
        ],
      },
    ],
    [
      'divide-error',
      'frob',
      { stack: [...oops, 'exc_divide_error', exception('asm_exc_divide_error', 'frob+0x10'), user] },
    ],
    [
      'BUG',
      'frob',
      { code: ud2, stack: [...oops, 'exc_invalid_op', exception('asm_exc_invalid_op', 'frob+0x10'), user] },
    ],
    [
      'invalid-opcode',
      'frob',
      { code: '0f ff', stack: [...oops, 'exc_invalid_op', exception('asm_exc_invalid_op', 'frob+0x10'), user] },
    ],
    [
      'list-corruption',
      'frob',
      {
        stack: [
          ...oops,
          'exc_invalid_op',
          exception('asm_exc_invalid_op', '__list_del_entry_valid_or_report+0x20'),
          ...write,
        ],
      },
    ],
    [
      'WARN',
      'frob',
      {
        code: ud2,
        stack: [
          ...panic,
          'check_panic_on_warn',
          '__warn',
          'exc_invalid_op',
          exception('asm_exc_invalid_op', 'frob+0x10'),
          user,
        ],
      },
    ],
    [
      'atomic-sleep',
      'frob',
      { stack: [...panic, 'check_panic_on_warn', '__schedule', 'schedule', 'msleep', ...write] },
    ],
    [
      'atomic-sleep',
      'frob',
      { stack: [...panic, 'check_panic_on_warn', '__schedule_bug', '__schedule', 'schedule', ...write] },
    ],
    [
      'stack-overflow',
      'frob',
      {
        stack: [
          ...oops,
          'handle_stack_overflow',
          'exc_double_fault',
          exception('asm_exc_double_fault', 'frob+0x10'),
          user,
        ],
      },
    ],
    [
      'double-fault',
      'frob',
      { stack: [...panic, 'exc_double_fault', exception('asm_exc_double_fault', 'frob+0x10'), user] },
    ],
    ['soft-lockup', 'frob', { stack: [...panic, 'watchdog_timer_fn', 'hrtimer_interrupt', tick, 'vfs_write', user] }],
    ['rcu-stall', 'frob', { stack: [...panic, 'print_cpu_stall', 'rcu_sched_clock_irq', tick, user] }],
    // panic_on_rcu_stall() inlined
    ['rcu-stall', 'frob', { stack: [...panic, 'rcu_sched_clock_irq', 'update_process_times', tick, user] }],
    [
      'hard-lockup',
      'frob',
      {
        stack: [
          ...panic,
          'nmi_panic',
          'watchdog_hardlockup_check',
          'exc_nmi',
          exception('end_repeat_nmi', 'frob+0x10'),
          user,
        ],
      },
    ],
    [
      'nmi',
      'frob',
      {
        stack: [...panic, 'nmi_panic', 'unknown_nmi_error', 'exc_nmi', exception('end_repeat_nmi', 'frob+0x10'), user],
      },
    ],
    // what was interrupted had itself come from a fault, which is not what killed
    [
      'nmi',
      'frob',
      {
        stack: [
          ...panic,
          'nmi_panic',
          'ghes_notify_nmi',
          'exc_nmi',
          exception('end_repeat_nmi', 'frob+0x10'),
          'exc_page_fault',
          user,
        ],
      },
    ],
    [
      'machine-check',
      'frob',
      { stack: [...panic, 'mce_panic', 'do_machine_check', exception('asm_exc_machine_check', 'frob+0x10'), user] },
    ],
    ['out-of-memory', 'frob', { stack: [...panic, 'out_of_memory', '__alloc_pages', ...write] }],
    ['sysrq', 'sysrq_handle_crash', { stack: [...panic, 'sysrq_handle_crash', '__handle_sysrq', 'vfs_write', user] }],
    // before panic() was called, it wrote through NULL
    [
      'sysrq',
      'sysrq_handle_crash',
      { stack: [...oops, 'exc_page_fault', fault('sysrq_handle_crash+0x16'), '__handle_sysrq', user] },
    ],
    ['BUG', 'frob', { stack: [...panic, 'check_panic_on_warn', 'end_report', 'kasan_report', ...write] }],
    ['panic', 'frob', { stack: [...panic, ...write] }],
    // nothing but the kernel's own ways of dying: whoever called panic()
    ['panic', 'do_exit', { stack: [...panic, 'do_exit', 'do_group_exit', user] }],
  ];
  for (const [kind, blamed, given] of cases) {
    const name = given.stack
      .filter((item) => typeof item === 'string')
      .slice(3, 6)
      .join(' < ');
    test(`${kind}: ${name}`, () => {
      const { panic: told, disagreements } = verdict(death(given));
      assert.deepEqual([told.kind, told.rip?.symbol, told.source], [kind, blamed, 'memory']);
      assert.deepEqual([told.cpu, told.pid, told.comm, told.culprit], [1, 7, 'sh', null]);
      assert.deepEqual(disagreements, []);
    });
  }

  test('a call through a bad pointer: the address is where it went, the caller is blamed', () => {
    const dying = death({ stack: [...oops, 'exc_page_fault', fault(0xffff_ffff_c0de_baben), ...write] });
    const { panic: told } = verdict(dying);
    assert.deepEqual(
      [told.kind, told.faultAddress, told.rip?.symbol],
      ['bad-page-fault', '0xffffffffc0debabe', 'frob'],
    );
    assert.match(
      told.message,
      /^Bad function pointer: jumped to address 0xffffffffc0debabe, .*, called in frob\+0x50 \[widget\]/,
    );
  });

  test('a call through NULL is a NULL pointer', () => {
    const { panic: told } = verdict(death({ stack: [...oops, 'exc_page_fault', fault(0n), ...write] }));
    assert.deepEqual([told.kind, told.faultAddress], ['null-pointer', '0x0000000000000000']);
    assert.match(told.message, /jumped to address 0x0, a NULL pointer, called in frob/);
  });

  test('the task that panicked is missing from the dump: its CPU is named, and the code is still found', () => {
    const dying = death({ code: load, stack: [...oops, 'exc_page_fault', fault('frob+0x10'), ...write.slice(1)] });
    const stack = dying.tasks.byPid(7)!.object.member('stack').bigint();
    dying.lose(7);
    // where its stack is, the CPU's own account tells
    dying.define('cpu_current_top_of_stack', 0xffff_8881_0000_2000n, 8);
    dying.space.words(dying.perCpuAddress('cpu_current_top_of_stack', 1), stack + 0x4000n);
    const { panic: told } = verdict(dying);
    assert.deepEqual([told.kind, told.rip?.symbol, told.cpu, told.pid], ['null-pointer', 'frob', 1, null]);
    assert.match(told.message, / in frob\+0x10 \[widget\], run by CPU 1\.$/);
  });
});

function assertMessage(given: Death, pattern: RegExp): void {
  assert.match(verdict(death(given)).panic.message, pattern);
}

describe('the log', () => {
  const nullLog = [
    'BUG: kernel NULL pointer dereference, address: 0000000000000240',
    'Oops: Oops: 0000 [#1] SMP NOPTI',
    'CPU: 1 UID: 0 PID: 7 Comm: sh Tainted: G           OE       6.12.0 #1',
    'RIP: 0010:frob+0x10/0x100 [widget]',
    'Call Trace:',
    ' <TASK>',
    ' vfs_write+0x50/0x100',
    ' </TASK>',
    '---[ end trace 0000000000000000 ]---',
  ];
  const nullStack = [...oops, 'exc_page_fault', fault('frob+0x10'), ...write.slice(1)];

  test('an oops that went straight into the kdump kernel is the death, without a panic line', () => {
    const { panic: told, disagreements } = verdict(death({ log: nullLog, code: load, stack: nullStack }));
    assert.equal(told.title, 'BUG: unable to handle kernel NULL pointer dereference in frob');
    assert.deepEqual([told.kind, told.source, disagreements], ['null-pointer', 'log and memory', []]);
    assert.notEqual(told.signature, null);
  });

  test('where the panicking task cannot be read, the log says who it was', () => {
    const dying = death({ log: nullLog, code: load, stack: nullStack });
    dying.lose(7);
    const { panic: told } = verdict(dying);
    assert.deepEqual([told.kind, told.pid, told.comm, told.culprit], ['null-pointer', 7, 'sh', null]);
  });

  test('an oops of another task on another CPU, which did not kill, is not the death', () => {
    const dying = DyingKernel.make({ log: nullLog });
    dying.panicOn(0, dying.task({ pid: 9, comm: 'other' }), [...panic, 'spam[junk]', 'vfs_write', user]);
    const analysis = analysed(dying);
    assert.deepEqual([analysis.panic.kind, analysis.panic.rip?.symbol], ['panic', 'spam']);
    const earlier = analysis.findings.find(({ title }) => title.startsWith('The kernel was in trouble before'));
    assert.match(earlier!.title, /NULL pointer dereference in frob/);
    assert.match(shownText(earlier!.evidence[0]!), /BUG: kernel NULL pointer dereference/);
  });

  test('log and stack that tell of different deaths: the log is followed, and the reader is told', () => {
    const { panic: told, disagreements } = verdict(
      death({ log: nullLog, stack: [...panic, 'out_of_memory', '__alloc_pages', ...write] }),
    );
    assert.equal(told.kind, 'null-pointer');
    assert.match(
      disagreements.join('\n'),
      /The log tells of null-pointer, the panicking task's stack of out-of-memory/,
    );
  });

  test('a function that the log blames and the stack lacks', () => {
    const log = nullLog.map((line) => line.replace('frob', 'elsewhere'));
    const { disagreements } = verdict(death({ log, code: load, stack: nullStack }));
    assert.match(disagreements.join('\n'), /The log blames elsewhere, which is not on the stack of sh/);
  });

  test('the address that is printed when a stack overflows is hashed, and is no address that faulted', () => {
    const log = [
      'BUG: TASK stack guard page was hit at 00000000b93819a0 (stack is 00000000374b765a..00000000fea7691d)',
      'Oops: stack guard page: 0000 [#1] PREEMPT SMP NOPTI',
      'CPU: 1 UID: 0 PID: 7 Comm: sh Not tainted 6.12.0 #1',
      'RIP: 0010:frob+0x10/0x100 [widget]',
    ];
    const stack = [
      ...oops,
      'handle_stack_overflow',
      'exc_double_fault',
      exception('asm_exc_double_fault', 'frob+0x10'),
      user,
    ];
    const { panic: told } = verdict(death({ log, stack }));
    assert.deepEqual([told.kind, told.faultAddress], ['stack-overflow', null]);
  });

  test('a kernel that did not die: said plainly, whatever trouble it had', () => {
    const dying = DyingKernel.make({ log: nullLog });
    dying.task({ pid: 7, comm: 'sh' });
    const analysis = analysed(dying);
    assert.deepEqual([analysis.panic.kind, analysis.panic.cpu, analysis.panic.source], ['unknown', null, 'nothing']);
    assert.match(shownText(analysis.findings[0]!.evidence[0]!), /counter = -1/);
    assert.match(
      analysis.panic.message,
      /^Nothing in this dump says that the kernel died: no CPU panicked, and the log tells of no death/,
    );
    assert.match(
      analysis.panic.message,
      /trouble that it survived: BUG: unable to handle kernel NULL pointer dereference in frob\.$/,
    );
  });
});

describe('lockups of another CPU than the one that panicked', () => {
  const log = [
    'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:',
    'rcu: \t0-....: (2100 ticks this GP) idle=3d54/1/0x4000000000000000 softirq=1/1 fqs=525',
    'rcu: \t(detected by 1, t=2102 jiffies, g=5, q=30 ncpus=2)',
    'Sending NMI from CPU 1 to CPUs 0:',
    'NMI backtrace for cpu 0',
    'CPU: 0 UID: 0 PID: 9 Comm: spinner Not tainted 6.12.0 #1',
    'RIP: 0010:spin+0x10/0x100 [widget]',
    'Call Trace:',
    ' <TASK>',
    ' vfs_write+0x50/0x100',
    ' </TASK>',
    'Kernel panic - not syncing: RCU Stall',
  ];

  test('the task that ran there is the culprit, and its stack is shown', () => {
    const dying = DyingKernel.make({ log });
    dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), [...panic, 'rcu_sched_clock_irq', tick, 'vfs_write', user]);
    dying.runs(0, dying.task({ pid: 9, comm: 'spinner' }), [
      'crash_nmi_callback',
      'exc_nmi',
      exception('end_repeat_nmi', 'spin+0x10[widget]'),
      'vfs_write',
      user,
    ]);
    const analysis = analysed(dying);
    assert.deepEqual(analysis.panic.culprit, { pid: 9, comm: 'spinner', cpu: 0 });
    assert.deepEqual([analysis.panic.kind, analysis.panic.rip?.symbol], ['rcu-stall', 'spin']);
    assert.equal(
      analysis.panic.message,
      'CPU 0 held up RCU in spin+0x10 [widget], running spinner (pid 9): no grace period could end.',
    );
    assert.equal(analysis.tasks[0]!.role, 'stuck');
    assert.match(shownText(analysis.tasks[0]!.stack!), /exception RIP: spin\+16/);
  });
});

test('a soft lockup names the spinlock that the CPU waits for', () => {
  const dying = DyingKernel.make();
  const lock = dying.allocate('unsigned int', 'widget_lock');
  dying.space.words(lock.address, 1n);
  dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), [
    ...panic,
    'watchdog_timer_fn',
    exception('asm_sysvec_apic_timer_interrupt', 'native_queued_spin_lock_slowpath+0x10', { rdi: lock.address }),
    '_raw_spin_lock',
    ...write,
  ]);
  const { panic: told } = verdict(dying);
  assert.equal(
    told.message,
    'CPU 1 was stuck in the kernel in frob+0x50 [widget], running sh (pid 7): it spins on the lock widget_lock.',
  );
});

test('a soft lockup without a lock names the loop, and the mutex that the CPU holds meanwhile', () => {
  const dying = DyingKernel.make();
  const task = dying.task({ pid: 7, comm: 'sh' });
  const mutex = dying.allocate('struct mutex', 'widget_mutex');
  dying.set(mutex, 'owner.counter', BigInt.asIntN(64, task.address));
  dying.link(mutex.member('wait_list').address);
  dying.code('frob+0x10[widget]', 'f3 90 eb fc'); // pause; jmp back
  dying.panicOn(1, task, [
    ...panic,
    'watchdog_timer_fn',
    exception('asm_sysvec_apic_timer_interrupt', 'frob+0x12', { rdi: mutex.address }),
    'vfs_write',
    'do_syscall_64',
    user,
  ]);
  assert.equal(
    verdict(dying).panic.message,
    'CPU 1 was stuck in the kernel in frob+0x12 [widget], running sh (pid 7): frob() goes round a loop that nothing leads out of, and holds the mutex widget_mutex.',
  );
});

test('a soft lockup names what other CPUs spin on at the same time', () => {
  for (const [theirs, told] of [
    [
      'widget_other',
      /it spins on the lock widget_lock, while CPU 0, running peer \(pid 8\), spins on the lock widget_other: .*different orders.*\.$/,
    ],
    ['widget_lock', /it spins on the lock widget_lock, while CPU 0, running peer \(pid 8\), spins on it, too\.$/],
  ] as const) {
    const dying = DyingKernel.make();
    const lock = dying.allocate('unsigned int', 'widget_lock');
    const other = dying.allocate('unsigned int', 'widget_other');
    for (const { address } of [lock, other]) dying.space.words(address, 1n);
    const spins = (entry: string, address: bigint): readonly StackItem[] => [
      exception(entry, 'native_queued_spin_lock_slowpath+0x10', { rdi: address }),
      '_raw_spin_lock',
      ...write,
    ];
    dying.runs(0, dying.task({ pid: 8, comm: 'peer' }), [
      'crash_nmi_callback',
      'exc_nmi',
      ...spins('end_repeat_nmi', theirs === 'widget_lock' ? lock.address : other.address),
    ]);
    dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), [
      ...panic,
      'watchdog_timer_fn',
      ...spins('asm_sysvec_apic_timer_interrupt', lock.address),
    ]);
    assert.match(verdict(dying).panic.message, told);
  }
});

describe('a CPU that waits for the answer of another', () => {
  const waiting = (queued: bigint | null) => {
    const dying = DyingKernel.make();
    if (queued !== null) dying.perCpuPointer('call_single_queue', 0, queued);
    dying.runs(0, dying.task({ pid: 8, comm: 'peer' }), [
      'crash_nmi_callback',
      'exc_nmi',
      exception('end_repeat_nmi', 'widget_drain+0x7', { rflags: 0x2n }),
      ...write,
    ]);
    dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), [
      ...panic,
      'watchdog_timer_fn',
      exception('asm_sysvec_apic_timer_interrupt', 'smp_call_function_many_cond+0x10', {}),
      ...write,
    ]);
    return analysed(dying);
  };
  test('names the one that does not answer, and what it does instead', () => {
    const { panic: dead, findings } = waiting(0xffff_8881_0000_2000n);
    assert.match(
      dead.message,
      /it waits for an answer of CPU 0, which runs widget_drain\+0x7 for peer \(pid 8\), with interrupts off\.$/,
    );
    assert.ok(findings.some(({ title }) => title.startsWith('CPU 0 did not run what it was asked to')));
  });
  test('blames nobody who has answered, or whose queue cannot be read', () => {
    for (const queued of [0n, null]) assert.doesNotMatch(waiting(queued).panic.message, /answer/);
  });
});

test('a CPU whose watchdog found it stuck, too, has not faulted', () => {
  const dying = DyingKernel.make();
  const [lock, other] = ['widget_lock', 'widget_other'].map((name) => dying.allocate('unsigned int', name));
  for (const { address } of [lock!, other!]) dying.space.words(address, 1n);
  const spins = (address: bigint): readonly StackItem[] => [
    'watchdog_timer_fn',
    exception('asm_sysvec_apic_timer_interrupt', 'native_queued_spin_lock_slowpath+0x10', { rdi: address }),
    '_raw_spin_lock',
    ...write,
  ];
  dying.runs(0, dying.task({ pid: 8, comm: 'peer' }), [
    'crash_nmi_callback',
    'exc_nmi',
    exception('end_repeat_nmi', 'panic_smp_self_stop+0x10'),
    'panic',
    ...spins(other!.address),
  ]);
  dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), [...panic, ...spins(lock!.address)]);
  const { message } = verdict(dying).panic;
  assert.match(
    message,
    /spins on the lock widget_lock, while CPU 0, running peer \(pid 8\), spins on the lock widget_other/,
  );
  assert.match(
    message,
    /CPU 0 was dying, too: peer \(pid 8\) had been interrupted, and found to be wrong, in native_queued/,
  );
  assert.doesNotMatch(message, /faulted/);
});

test('code that no symbol covers is blamed by its address, not its caller', () => {
  const dying = death({ stack: [...oops, 'exc_page_fault', fault(0xffff_ffff_8101_0010n), ...write] });
  assert.match(verdict(dying).panic.message, / in unnamed code at ffffffff81010010, run by sh/);
});

test('messages do not end in two full stops', () => {
  assertMessage(
    {
      log: ['Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000009.'],
      stack: [...panic, 'do_exit', user],
    },
    /[^.]\.$/,
  );
});

test('a CPU that panicked for no reason that can be told: not claimed to have called panic()', () => {
  const { panic: told } = verdict(death({ stack: ['machine_kexec', '__crash_kexec', ...write] }));
  assert.deepEqual([told.kind, told.source], ['unknown', 'nothing']);
  assert.match(told.message, /^The kernel died in frob\+0x50 \[widget\], in sh \(pid 7\), for a reason that neither/);
});

test('an NMI that found the panicking CPU idle was for the CPU that was stuck with interrupts off', () => {
  const dying = DyingKernel.make({
    log: [
      'Uhhuh. NMI received for unknown reason 21 on CPU 1.',
      'Kernel panic - not syncing: NMI: Not continuing',
      'CPU: 1 PID: 0 Comm: swapper/1 Not tainted 6.12.1 #1',
    ],
  });
  const stop = (rflags: bigint): StackItem[] => [
    'crash_nmi_callback',
    'exc_nmi',
    exception('end_repeat_nmi', 'frob+0x10', { cs: 0x10n, rflags }),
    'vfs_write',
    user,
  ];
  dying.space.words(dying.address('panic_cpu'), 1n);
  dying.runs(0, dying.task({ pid: 7, comm: 'sh' }), stop(0x6n));
  const { panic: told } = verdict(dying);
  assert.deepEqual([told.kind, told.rip?.symbol], ['nmi', 'frob']);
  assert.deepEqual(told.culprit, { pid: 7, comm: 'sh', cpu: 0 });
  assert.match(told.message, /on CPU 1, which was idle, while CPU 0 ran sh \(pid 7\) in frob\+0x10\.$/);
});

test('a dump without stacks or symbols shows the stack that its log has', () => {
  const dying = DyingKernel.make({
    log: [
      'BUG: kernel NULL pointer dereference, address: 0000000000000140',
      'Oops: Oops: 0000 [#1] SMP NOPTI',
      'CPU: 1 UID: 0 PID: 7 Comm: sh Not tainted 6.12.0 #1',
      'RIP: 0010:frob+0x10/0x100 [widget]',
      'Call Trace:',
      ' <TASK>',
      ' ? spill+0x50/0x100',
      ' vfs_write+0x50/0x100',
      ' </TASK>',
      'Kernel panic - not syncing: Fatal exception',
    ],
  });
  const { frames } = blamedStack(dying.facts, reachVerdict(dying.facts));
  assert.deepEqual(
    frames.map(({ name, address }) => [name, address]),
    [['vfs_write', null]],
  );
});
