import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UsageError } from '../../src/base/errors.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { ps } from '../../src/commands/tasks/ps/ps.ts';
import { run } from '../support/run_command.ts';
import type { SyntheticKernel } from '../support/synthetic_kernel.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

/** Two CPUs; init (1) with a child sh (5), which CPU 1 runs; kthreadd (2); a second shell (6) that names itself strangely. */
function household(): { kernel: SyntheticKernel; run: (...args: string[]) => string; problems: () => string[] } {
  const kernel = machine({ cpus: 2 });
  const node = kernel.allocate('struct pglist_data', 'contig_page_data');
  kernel.set(node, 'node_present_pages', 1000);
  const init = newTask(kernel, { pid: 1, comm: 'init' });
  const kthreadd = newTask(kernel, { pid: 2, comm: 'kthreadd', flags: 0x20_0040, state: 0x402 });
  const sh = newTask(kernel, { pid: 5, comm: 'sh', cpu: 1, state: 0, parent: init });
  const odd = newTask(kernel, { pid: 6, comm: '\x1b[31msh', parent: sh });
  linkTasks(kernel, [init, kthreadd, sh, odd]);
  kernel.set(init, 'children.next', 0xffff_8880_dead_0000n); // a list of children that cannot be followed
  kernel.set(kernel.perCpu('runqueues', 1), 'curr', sh);
  kernel.set(kernel.perCpu('runqueues', 0), 'clock', 90_061_001_000_000n);
  kernel.set(kernel.perCpu('runqueues', 1), 'clock', 2_000_000_000n);
  kernel.set(sh, 'sched_info.last_arrival', 1_500_000_000n);
  kernel.set(init, 'sched_info.last_arrival', 1_000_000n);
  kernel.set(init, 'policy', 1);
  kernel.set(init, 'thread.sp', 0xffff_c900_0000_3e48n);
  const mm = kernel.allocate('struct mm_struct');
  kernel.set(mm, 'total_vm', 565);
  kernel.set(mm, 'rss_stat[1].count', 123);
  kernel.set(init, 'mm', mm);
  let problems: string[] = [];
  const context = new CommandContext(kernel);
  return {
    kernel,
    run: (...args) => {
      const output = run(ps, context, args);
      problems = output.faults.map(({ message }) => message);
      return output.text;
    },
    problems: () => problems,
  };
}

/** Addresses differ with how a test allocates: they are not what is looked at. */
const masked = (text: string): string => text.replace(/ffff8[0-9a-f]{11}/g, 'TASK'.padEnd(16));

describe('ps', () => {
  test('prints the table that scripts read', () => {
    const { run, problems } = household();
    assert.equal(
      masked(run()),
      `      PID    PPID  CPU       TASK        ST  %MEM      VSZ      RSS  COMM
>       0       0   0  TASK              RU   0.0        0        0  [swapper/0]
        0       0   1  TASK              RU   0.0        0        0  [swapper/1]
        1       0   0  TASK              IN  12.3     2260      492  init
        2       0   0  TASK              ID   0.0        0        0  [kthreadd]
>       5       1   1  TASK              RU   0.0        0        0  sh
        6       5   0  TASK              IN   0.0        0        0  \\x1b[31msh
`,
    );
    assert.deepEqual(problems(), []);
  });

  const pids = (text: string): number[] =>
    [...text.matchAll(/^[> ] +(\d+) /gm)].map(([, pid]) => Number(pid)).filter((pid) => pid > 0);
  for (const [args, wanted] of [
    [['-k'], [2]],
    [['-u'], [1, 5, 6]],
    [['-A'], [5]],
    [['-I'], [1, 2, 5, 6]],
    [['-y', 'FIFO'], [1]],
    [['-y', '1'], [1]],
    [
      ['5', '1', '5'],
      [5, 1],
    ],
    [['sh'], [5]],
    [["'sh$'"], [5, 6]],
    [
      ["'^k'", '1'],
      [2, 1],
    ],
  ] as const) {
    test(`selects by ${args.join(' ')}`, () => assert.deepEqual(pids(household().run(...args)), wanted));
  }

  test('counts states', () => {
    assert.equal(household().run('-S'), '  RU: 3\n  IN: 2\n  ID: 1\n');
  });

  test('shows the stack pointer of tasks that do not run', () => {
    const text = household().run('-s', '1', '5');
    assert.match(text, /^ {6}PID {4}PPID {2}CPU {6}KSTACKP {6}ST /);
    assert.match(text, /^ {8}1 .* ffffc90000003e48 {2}IN/m);
    assert.match(text, /^> {7}5 .* {9}-- {9}RU/m);
  });

  test('ancestors start with the first, children and threads stand under their task', () => {
    const { run } = household();
    assert.deepEqual(
      [...run('-p', '6').matchAll(/^( *)PID: (\d+)/gm)].map(([, indent, pid]) => `${indent}${pid}`),
      ['0', ' 1', '  5', '   6'],
    );
    assert.deepEqual(
      [...run('-p', '0').matchAll(/COMMAND: "(.*)"/g)].map(([, comm]) => comm),
      ['swapper/0', 'swapper/0', 'swapper/1'],
      'an idle task is below the first, as its PPID says',
    );
    assert.deepEqual(
      [...run('-c', '1').matchAll(/PID: (\d+)/g)].map(([, pid]) => pid),
      ['1', '5'],
    );
    assert.match(run('-c', '2'), /\n {2}\(no children\)\n$/);
    assert.match(run('-g', '1'), /\n {2}\(no threads\)\n$/);
  });

  test('-m and -l sort by when a task last ran, latest first', () => {
    const { run } = household();
    assert.deepEqual(
      run('-m', '1', '5')
        .split('\n')
        .map((line) => line.slice(0, 40)),
      ['[0 00:00:00.500] [RU]  PID: 5        TAS', '[1 01:01:01.000] [IN]  PID: 1        TAS', ''],
    );
    assert.match(run('-l', '1', '5'), /^\[1500000000\] \[RU\] .*\n\[ {3}1000000\] \[IN\]/);
    assert.match(run('-l', '-C', '0,1', '1', '5'), /^CPU: 0\n\[.*PID: 1 .*\n\nCPU: 1\n\[.*PID: 5 /);
  });

  test('the time of one task stands where it does among all', () => {
    assert.match(household().run('-l', '1'), /^\[ {3}1000000\] \[IN\]/);
  });

  test('-t of all goes by when they were made, of some by how they were asked for', () => {
    const { kernel, run } = household();
    const made = (order: readonly number[]): void =>
      order.forEach((pid, i) => {
        const task = kernel.tasks.byPid(pid)!;
        kernel.set(task.object, 'start_time', BigInt(i + 1) * 1_000_000_000n);
      });
    made([6, 1, 5, 2]);
    const pids = (text: string): string[] => [...text.matchAll(/PID: (\d+)/g)].map(([, pid]) => pid!);
    assert.deepEqual(pids(run('-t', '5', '6')), ['5', '6']);
    assert.deepEqual(
      pids(run('-t')).filter((pid) => pid !== '0'),
      ['6', '1', '5', '2'],
    );
  });

  test('-G of a thread is its process', () => {
    const { kernel, run } = household();
    const thread = newTask(kernel, { pid: 11 });
    kernel.set(thread, 'tgid', 5);
    linkTasks(kernel, [...kernel.tasks.all.filter(({ pid }) => pid > 0).map(({ object }) => object), thread]);
    kernel.forget();
    assert.match(run('-G', '11'), /^ +PID .*\n> +5 +1 .*\n$/);
  });

  test('a parent that cannot be read is a dash and a fault, not an end', () => {
    const { kernel, run, problems } = household();
    const orphan = newTask(kernel, { pid: 9 });
    kernel.set(orphan, 'real_parent', 0xffff_8000_dead_0000n);
    linkTasks(kernel, [orphan]);
    assert.match(run('9'), /^ {8}9 {7}- {3}0/m);
    assert.match(problems().join(), /not mapped/);
  });

  for (const args of [['-z'], ['nobody'], ['-p', '-c'], ['-y', 'FAST'], ['-C', '0'], ['-l', '-C', '9'], ["'('"]]) {
    test(`refuses ${args.join(' ')}`, () => assert.throws(() => household().run(...args), UsageError));
  }
});
