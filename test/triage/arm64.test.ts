// Verdicts on deaths of arm64 kernels: the same rules as elsewhere, on other registers and entry code.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ReportKind } from '../../src/oops/kinds.ts';
import { analyse } from '../../src/triage/analyse.ts';
import { reachVerdict } from '../../src/triage/verdict.ts';
import { DyingArm64, user } from '../support/dying_arm64.ts';
import type { StackItem } from '../support/dying_kernel.ts';
import { exception } from '../support/dying_kernel.ts';
import { markedLines, shownText } from '../support/shown.ts';

const write: readonly StackItem[] = ['vfs_write', 'el0_svc', user];
const fault = (at: string | bigint): StackItem => exception('el1h_64_sync', at, { x0: 0n });
const abort: readonly StackItem[] = ['panic', 'die', 'die_kernel_fault', 'do_mem_abort'];

function death(stack: readonly StackItem[], log: readonly string[] = []): DyingArm64 {
  const dying = DyingArm64.make({ log });
  dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), stack);
  return dying;
}

describe('without a log, the stack of an arm64 kernel tells the kind and the code to blame', () => {
  for (const [kind, at, stack, code] of [
    ['bad-page-fault', 'frob', [...abort, fault('frob+0x10[widget]'), ...write], null],
    ['sysrq', 'sysrq_handle_crash', ['panic', 'sysrq_handle_crash', '__handle_sysrq', ...write], null],
    // brk #0x800 is BUG(); any other undefined instruction is not
    ['BUG', 'frob', ['panic', 'die', 'bug_handler', fault('frob+0x10[widget]'), ...write], '000021d4'],
    ['invalid-opcode', 'frob', ['panic', 'die', 'do_el1_undef', fault('frob+0x10[widget]'), ...write], '00000000'],
    ['machine-check', null, ['panic', 'arm64_serror_panic', 'el1h_64_error_handler', ...write], null],
  ] as const satisfies readonly (readonly [ReportKind, string | null, readonly StackItem[], string | null])[]) {
    test(kind, () => {
      const dying = death(stack);
      if (code !== null) dying.code('frob+0x10[widget]', code);
      const { kind: told, blamed } = reachVerdict(dying.facts);
      assert.equal(told, kind);
      if (at !== null) assert.equal(blamed?.symbol, at);
    });
  }

  test('a call through a bad pointer: the caller is to blame, whom only x30 tells', () => {
    const { blamed } = reachVerdict(death([...abort, fault(0n), 'frob[widget]', ...write]).facts);
    assert.deepEqual([blamed?.symbol, blamed?.module], ['frob', 'widget']);
  });
});

describe('the report of an arm64 kernel', () => {
  test('marks the line of bt that tells of the blamed call, which bt shows by its own address', () => {
    const report = analyse(death(['panic', 'sysrq_handle_crash', '__handle_sysrq', ...write]).context);
    const marked = markedLines(report.stack!).map((text) => text.replace(/\[.*?\] /, ''));
    assert.deepEqual(marked, [' #1 sysrq_handle_crash+76 at ffffffff8100044c']);
    assert.equal(report.panic.rip?.offset, 0x50);
  });

  test('tells by which register the instruction that faulted made its address, and what it touched', () => {
    const log = ['Unable to handle kernel NULL pointer dereference at virtual address 0000000000000240'];
    const fault = exception('el1h_64_sync', 'frob+0x10[widget]', { x1: 0n, x2: 8n });
    const dying = death([...abort, fault, ...write], log);
    dying.code('frob+0x10[widget]', '202041f9'); // ldr x0, [x1, #576]
    const report = analyse(dying.context);
    assert.match(report.panic.message, /tried to read from address 0x240 \(x1 is 0\) in frob\+0x10 \[widget\]/);
    const [finding] = report.findings;
    assert.match(finding?.title ?? '', /reads address 0x240: a NULL pointer/);
    assert.match(finding?.explanation ?? '', /0x240 bytes into what x1 should point to/);
    assert.match(shownText(report.code!), /ldr\tx0, \[x1, #576\]/);
  });

  test('names the spinlock that a stuck CPU waits for, wherever the slow path keeps it', () => {
    const dying = DyingArm64.make({
      log: [
        'watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [sh:7]',
        'Kernel panic - not syncing: softlockup: hung tasks',
      ],
    });
    const lock = dying.allocate('unsigned int', 'widget_lock');
    dying.space.words(lock.address, 1n);
    const spinning = exception('el1h_64_irq', 'queued_spin_lock_slowpath+0x10', { x0: 0x100n, x19: lock.address });
    dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), [
      'panic',
      'watchdog_timer_fn',
      'call_on_irq_stack',
      spinning,
      ...write,
    ]);
    dying.code('queued_spin_lock_slowpath', 'f30300aa'); // mov x19, x0
    assert.match(analyse(dying.context).panic.message, /it spins on the lock widget_lock/);
  });

  test('has the registers of the fault, where the way from there to the dump has no names: as the CPU saved them', () => {
    const log = [
      'Unable to handle kernel NULL pointer dereference at virtual address 0000000000000240',
      'pc : frob+0x60/0x100',
      'Call trace:',
      ' frob+0x60/0x100',
      'Kernel panic - not syncing: Oops: Fatal exception',
    ];
    const dying = death(['frob', ...write], log);
    dying.code('frob+0x60', '202041f9'); // ldr x0, [x1, #576]
    assert.match(analyse(dying.context).panic.message, /tried to read from address 0x240 \(x1 is 0\) in frob\+0x60/);
    // what the log does not tell of may be anything that the CPU did when it was stopped
    const other = death(
      ['frob', ...write],
      log.map((line) => line.replace('0x60', '0x10')),
    );
    assert.equal(analyse(other.context).registers, null);
  });

  test('has the registers of the fault', () => {
    const report = analyse(death([...abort, fault('frob+0x10[widget]'), ...write]).context);
    assert.deepEqual([report.registers?.x0, report.registers?.pc], ['0x0000000000000000', '0xffffffff81000310']);
  });

  test('tells of a stuck CPU whether interrupts were off: pstate.I', () => {
    for (const [pstate, expected] of [
      [0x6040_00c5n, true],
      [0x6040_0005n, false],
    ] as const) {
      const dying = death(
        [
          'panic',
          'watchdog_timer_fn',
          'call_on_irq_stack',
          exception('el1h_64_irq', 'spin+0x10', { pstate }),
          ...write,
        ],
        [
          'watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [sh:7]',
          'Kernel panic - not syncing: softlockup: hung tasks',
        ],
      );
      const titles = analyse(dying.context).findings.map(({ title }) => title);
      assert.equal(
        titles.some((title) => title.includes('with interrupts off')),
        expected,
        titles.join('\n'),
      );
    }
  });
});

describe('where the CPU went to no code', () => {
  const text = 0xffff_4141_4141_4141n;
  const sent = (registers: Record<string, bigint>, at = text) => {
    const dying = death([...abort, exception('el1h_64_sync', at, registers), 'frob[widget]', ...write]);
    dying.code('frob+0x4c[widget]', '20003fd6'); // blr x1
    return analyse(dying.context).panic;
  };

  test('x30 is where it went: a return, whoever is said to have called', () => {
    const { message, confidence, rip } = sent({ x30: text });
    assert.match(message, /^The CPU returned to address 0xffff414141414141, the text "AAAAAA": the return address of /);
    assert.deepEqual([confidence, rip?.symbol], ['likely', 'vfs_write']);
  });

  test('words on top of the stack are the same: it was written over', () => {
    const dying = DyingArm64.make();
    const task = dying.task({ pid: 7, comm: 'sh' });
    dying.panicOn(1, task, [...abort, exception('el1h_64_sync', text, { x30: text }), 'frob[widget]', ...write]);
    // the frame of frob(): below two of 32 bytes and the registers of user mode
    dying.space.words(task.member('stack').bigint() + 0x4000n - 336n - 3n * 32n, text, text, text, 0n);
    const { message, confidence, because } = analyse(dying.context).panic;
    assert.match(message, /the stack was overwritten, 3 words of it with the same value/);
    assert.equal(confidence, 'certain');
    assert.match(because, /so do the 3 words on top of the stack/);
  });

  test('what pointer authentication made of an address that was not signed', () => {
    const spoiled = 0xbfff_4141_4141_4141n;
    const { message } = sent({ x30: spoiled }, spoiled);
    assert.match(message, /^The CPU returned to address 0xffff414141414141, the text "AAAAAA", which was not signed/);
    assert.match(message, /pointer authentication made 0xbfff414141414141 of it/);
  });

  test('PSTATE.BTYPE proves a call; without it a jump by the called function is not excluded', () => {
    const called = sent({ pstate: 0x6040_0805n });
    assert.match(called.message, /^Bad function pointer: jumped to address 0xffff414141414141, .*, called in frob/);
    assert.doesNotMatch(called.because, /does not exclude/);
    assert.match(sent({}).because, /went on by a jump, it does not exclude/);
  });

  test('the log leaves out the caller that x30 tells: it is blamed all the same', () => {
    const log = [
      'Unable to handle kernel paging request at virtual address ffff414141414141',
      'pc : 0xffff414141414141',
      'lr : frob+0x50/0x100 [widget]',
      'Call trace:',
      ' 0xffff414141414141',
      ' vfs_write+0x50/0x80',
      'Kernel panic - not syncing: Oops: Fatal exception',
    ];
    const dying = death([...abort, exception('el1h_64_sync', text), 'frob[widget]', ...write], log);
    assert.deepEqual(reachVerdict(dying.facts).blamed?.symbol, 'frob');
  });
});

describe('no stack left: the kernel has but one word for a full stack and for a stack pointer that is none', () => {
  const overflow = ['panic', 'nmi_panic', 'panic_bad_stack', 'handle_bad_stack'];
  const log = ['Insufficient stack space to handle exception!', 'Kernel panic - not syncing: kernel stack overflow'];

  test('a stack pointer that is none: who loaded it, though twelve exceptions followed in the vector itself', () => {
    const dying = DyingArm64.make({ log });
    dying.define('__entry_text_start', dying.codeAt('el1h_64_sync'), 0);
    dying.define('__entry_text_end', dying.codeAt('vfs_write'), 0);
    const registers = { sp: 0x40n, x0: 0x1000n, x30: dying.codeAt('vfs_write+0x50') };
    const fault = exception('__bad_stack', 'el1h_64_sync', registers);
    dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), [...overflow, fault, 'frob[widget]', ...write]);
    dying.code('vfs_write+0x4', '1f2003d5'.repeat(18)); // nop
    const distance = (dying.codeAt('frob') - dying.codeAt('vfs_write+0x4c')) / 4n;
    const call = 0x9400_0000n | BigInt.asUintN(26, distance); // bl frob
    dying.space.write(dying.codeAt('vfs_write+0x4c'), new Uint8Array(new Uint32Array([Number(call)]).buffer));
    dying.code('frob+0x4', '000082d2 1f000091 e00f1ff8'); // mov x0, #0x1000; mov sp, x0; str x0, [sp, #-16]!
    const { panic } = analyse(dying.context);
    assert.match(
      panic.message,
      /stack pointer was 0x1000, which is no stack in frob\+0xc \[widget\].*from x0.*12 exceptions later it was 0x40/,
    );
    assert.equal(panic.kind, 'double-fault');
  });

  test('a full stack: its guard page is memory of the kernel', () => {
    const dying = DyingArm64.make({ log });
    const task = dying.task({ pid: 7, comm: 'sh' });
    const sp = task.member('stack').bigint() - 16n;
    dying.panicOn(1, task, [...overflow, exception('__bad_stack', 'frob+0x10', { sp }), ...write]);
    const { panic } = analyse(dying.context);
    assert.equal(panic.kind, 'stack-overflow');
    assert.match(panic.message, /The kernel stack of sh \(pid 7\).* overflowed/);
  });
});

describe("what arm64's CPU said of the fault", () => {
  const told = (esr: string, address: bigint, code = '202041f9') => {
    const log = [
      `Unable to handle kernel paging request at virtual address ${address.toString(16)}`,
      'Mem abort info:',
      `  ESR = 0x${esr}`,
      `Internal error: Oops: ${esr} [#1] SMP`,
      'Call trace:',
      ' frob+0x10/0x20 [widget]',
      ' vfs_write+0x50/0x80',
      'Kernel panic - not syncing: Oops: Fatal exception',
    ];
    const dying = death(
      [...abort, exception('el1h_64_sync', 'frob+0x10[widget]', { x1: address - 0x240n }), ...write],
      log,
    );
    dying.code('frob+0x10[widget]', code); // ldr x0, [x1, #576]
    return analyse(dying.context);
  };
  test("a process's memory, which the kernel may not touch just so", () => {
    const { panic, findings } = told('000000009600000f', 0xffff_f000_1240n);
    assert.match(panic.message, /memory of a process, which PAN keeps the kernel from/);
    assert.ok(findings.some(({ title }) => title.includes('level 3 permission fault, read')));
  });
  test('memory whose tag is another', () => {
    assert.match(
      told('0000000096000011', 0xf5ff_0000_0100_1240n).panic.message,
      /another tag than the pointer \(MTE\)/,
    );
  });
});
