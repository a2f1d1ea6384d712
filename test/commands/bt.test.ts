import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UsageError } from '../../src/base/errors.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { set } from '../../src/commands/session/set.ts';
import { bt } from '../../src/commands/tasks/bt/bt.ts';
import { backtracer } from '../../src/kernel/backtrace.ts';
import { DyingKernel, exception, user } from '../support/dying_kernel.ts';
import { assertGolden } from '../support/golden.ts';
import { run } from '../support/run_command.ts';

/**
 * CPU 1 panicked in a timer interrupt of pid 7; CPU 0, which ran pid 9, was stopped by an NMI; CPU 2 was idle;
 * pid 12, a thread of 7, sleeps. Names of functions and tasks hold what must not reach a terminal.
 */
function scene(): { dying: DyingKernel; run: (...args: string[]) => string; problems: () => string[] } {
  const dying = DyingKernel.make({ cpus: 3 });
  const nasty = dying.task({ pid: 9, comm: 'x\x1b[31m"\n' });
  const sh = dying.task({ pid: 7, comm: 'sh' });
  const thread = dying.task({ pid: 12, tgid: 7, comm: 'sh-worker' });
  const counter = dying.allocate('unsigned long', 'widget_count');
  dying.panicOn(1, sh, [
    'machine_kexec',
    { words: [0x1111n, counter.address, dying.codeAt('printk+0x20')] },
    'panic',
    'watchdog_timer_fn',
    'hrtimer_interrupt',
    'sysvec_apic_timer_interrupt',
    exception('asm_sysvec_apic_timer_interrupt', 'spin+0x22[widget]', { rax: 1n, rdx: 0xdead_beefn }),
    'frob[widget]',
    { words: [0x2222n, 0x3333n] },
    'vfs_write',
    'do_syscall_64',
    user,
  ]);
  dying.runs(0, nasty, [
    'crash_nmi_callback',
    'exc_nmi',
    exception('end_repeat_nmi', 'copy_page.isra.0+0x8'),
    'vfs_read',
    'do_syscall_64',
    user,
  ]);
  dying.sleeps(thread, ['schedule', 'futex_wait', 'do_syscall_64', user], 1);
  dying.writeTables();
  let problems: string[] = [];
  return {
    dying,
    run: (...args) => {
      const output = run(bt, dying.context, args);
      problems = output.faults.map(({ message }) => message);
      return output.text;
    },
    problems: () => problems,
  };
}

const golden = (name: string): URL => new URL(`golden/bt.${name}.txt`, import.meta.url);

describe('bt prints what scripts read', () => {
  for (const [name, args] of [
    ['panicked', []],
    ['symbols', ['-s']],
    ['symbols-hex', ['-sx']],
    ['words', ['-f']],
    ['words-symbolic', ['-F']],
    ['text', ['-t']],
    ['text-from-base', ['-T']],
    ['exceptions', ['-e']],
    ['nmi', ['9']],
    ['nmi-text', ['-t', '9']],
    ['nmi-words', ['-f', '9']],
    ['sleeper', ['12']],
    ['all', ['-a']],
  ] as const) {
    test(`bt ${args.join(' ')}`, () => {
      const { run, problems } = scene();
      const text = run(...args);
      assert.deepEqual(problems(), []);
      assert.doesNotMatch(text, /\x1b/);
      assertGolden(golden(name), text);
    });
  }

  test('-r: every word of the stack, two a line', () => {
    const lines = scene().run('-r').split('\n');
    assert.equal(lines[1], 'ffffc90000010000:  0000000057ac6e9d 0000000000000000 ');
    assert.equal(lines.filter((line) => /^[0-9a-f]{16}:/.test(line)).length, 1024);
  });
});

const pids = (text: string): string[] => [...text.matchAll(/^PID: (\S+)/gm)].map(([, pid]) => pid!);

describe('whose stack', () => {
  for (const [args, expected] of [
    [[], ['7']],
    [['-p'], ['7']],
    [['-a'], ['9', '7', '0']],
    [
      ['-a', '-n', 'idle'],
      ['9', '7'],
    ],
    [['-c', '1'], ['7']],
    [
      ['-c', '0,2'],
      ['9', '0'],
    ],
    [['-c1-2', '-n', 'idle'], ['7']],
    [
      ['-g', '12'],
      ['7', '12'],
    ],
    [
      ['12', '9'],
      ['12', '9'],
    ],
  ] as const) {
    test(`bt ${args.join(' ')}`, () => assert.deepEqual(pids(scene().run(...args)), expected));
  }

  test('a task by its address, with and without 0x', () => {
    const { dying, run } = scene();
    const address = dying.tasks.byPid(12)!.address.toString(16);
    assert.deepEqual([pids(run(address)), pids(run(`0x${address}`))], [['12'], ['12']]);
  });

  test('-p is the task that panicked, whatever task was chosen', () => {
    const { dying, run } = scene();
    dying.context.task = dying.tasks.byPid(12)!;
    assert.deepEqual([pids(run()), pids(run('-p'))], [['12'], ['7']]);
  });

  test('where the task that panicked cannot be read, what its CPU ran is shown all the same', () => {
    const { dying, run, problems } = scene();
    const stack = dying.tasks.byPid(7)!.object.member('stack').bigint();
    dying.lose(7);
    dying.define('cpu_current_top_of_stack', 0xffff_8881_0000_2000n, 8);
    dying.space.words(dying.perCpuAddress('cpu_current_top_of_stack', 1), stack + 0x4000n);
    const text = run();
    assert.match(text, /^PID: \? .*CPU: 1 .*COMMAND: "\?"\n #0 \[[0-9a-f]+\] machine_kexec/);
    assert.match(text, /exception RIP: spin\+34/);
    assert.match(problems().join(), /task/);
  });
});

describe('set -a', () => {
  test('a task declared active is shown as one, though its stack was shown before; in this context alone', () => {
    const { dying, run: inFirst } = scene();
    const other = new CommandContext(dying);
    const frames = (text: string): string[] => [...text.matchAll(/^ *#\d+ \[[0-9a-f]+\] (\w+)/gm)].map((m) => m[1]!);
    assert.deepEqual(frames(inFirst('12')).slice(0, 2), ['__schedule', 'schedule']);
    run(set, dying.context, ['-a', '12']);
    // where its CPU was is not in the dump: whatever is found, it is not where it was switched away
    assert.notDeepEqual(frames(inFirst('12')).slice(0, 2), ['__schedule', 'schedule']);
    assert.deepEqual([pids(inFirst('-c', '0')), pids(run(bt, other, ['-c', '0']).text)], [['12'], ['9']]);
    assert.deepEqual(frames(run(bt, other, ['12']).text).slice(0, 2), ['__schedule', 'schedule']);
    assert.equal(dying.tasks.active(0)?.pid, 9);
  });
});

describe('what is wrong with a stack', () => {
  test('-v: none overflowed', () => assert.equal(scene().run('-v'), 'No stack overflows detected\n'));

  test('-v: a mark that was written over', () => {
    const { dying, run } = scene();
    dying.space.words(dying.tasks.byPid(12)!.object.member('stack').bigint(), 0x4141_4141_4141_4141n);
    assert.match(run('-v'), /^PID: 12 .*"sh-worker": possible stack overflow: .* is 4141414141414141\n$/);
  });

  test('a stack that is not in the dump: the header, no frames, and why', () => {
    const { dying, run, problems } = scene();
    const base = dying.tasks.byPid(12)!.object.member('stack').bigint();
    for (let page = 0n; page < 4n; page++) dying.space.exclude(base + page * 4096n);
    const text = run('12');
    assert.match(text, /^PID: 12 /);
    assert.match(`${text}${problems().join()}`, /excluded by the dump's filter/);
  });

  test('-r of a stack with a hole keeps the addresses right', () => {
    const { dying, run } = scene();
    const base = dying.tasks.byPid(7)!.object.member('stack').bigint();
    dying.space.exclude(base + 4096n);
    const lines = run('-r').split('\n');
    assert.equal(lines[1 + 256], 'ffffc90000011000:  (not readable)   (not readable)   ');
    assert.equal(lines[1 + 512], 'ffffc90000012000:  0000000000000000 0000000000000000 ');
  });

  test('a task that gave its stack back', () => {
    const { dying, run } = scene();
    dying.set(dying.tasks.byPid(12)!.object, 'stack', 0);
    assert.match(run('12'), /^PID: 12 .*\n\(no stack\)\n$/);
    for (const option of ['-r', '-t', '-e']) assert.match(run(option, '12'), /^PID: 12 /, option);
  });
});

describe('wrong usage is refused, not guessed at', () => {
  for (const args of [
    ['-z'],
    ['-c'],
    ['-c', '9'],
    ['-c', '1-'],
    ['-n', 'busy'],
    ['99'],
    ['nonsense'],
    ['--all'],
    ['ffff888000000000'],
  ]) {
    test(`bt ${args.join(' ')}`, () => assert.throws(() => scene().run(...args), UsageError));
  }
});

test('-E: what overflowed its stack faulted below it: the double fault has its registers', () => {
  const { dying, run } = scene();
  const task = dying.tasks.byPid(9)!;
  const stacks = backtracer(dying).stacks(task);
  const own = stacks.find(({ kind }) => kind === 'task')!;
  const fault = stacks.find(({ kind }) => kind === 'exception')!;
  const saved = fault.start + 64n;
  const frame = (sp: bigint): void => {
    const general = new Array<bigint>(15).fill(0n);
    dying.space.words(saved, ...general, 0n, dying.codeAt('recurse+0x10'), 0x10n, 0x1_0046n, sp, 0x18n);
  };
  frame(own.start - 40n);
  assert.match(run('-E'), new RegExp(`KERNEL-MODE EXCEPTION FRAME AT: ${saved.toString(16)}\\n.*recurse\\+16`));
  frame(own.start - 0x10_0000n);
  assert.doesNotMatch(run('-E'), /recurse/, 'a stack pointer that is near no stack is none');
});
