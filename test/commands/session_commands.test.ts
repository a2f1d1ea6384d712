// set, mod, task, help: the shape of what they print, and what they refuse.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { virtAddr } from '../../src/base/address.ts';
import { UsageError } from '../../src/base/errors.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { commands, commandTable } from '../../src/commands/registry.ts';
import { sessionWords } from '../../src/commands/session/session_words.ts';
import { set } from '../../src/commands/session/set.ts';
import { mod } from '../../src/commands/system/mod.ts';
import { contextTaskText } from '../../src/commands/task_context.ts';
import { task } from '../../src/commands/tasks/task.ts';
import { usageForms } from '../../src/commands/usage.ts';
import type { TaskState } from '../../src/kernel/task.ts';
import { run } from '../support/run_command.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

function twoTasks() {
  const kernel = machine({ cpus: 2 });
  const init = newTask(kernel, { pid: 1, comm: 'init' });
  const sh = newTask(kernel, { pid: 42, comm: 'sh', cpu: 1, state: 0 });
  linkTasks(kernel, [init, sh]);
  kernel.set(kernel.perCpu('runqueues', 1), 'curr', sh);
  kernel.space.words(kernel.allocate('struct atomic', 'panic_cpu').address, 1n);
  return { kernel, init, sh, context: new CommandContext(kernel) };
}

describe('foreach', () => {
  const { foreach } = commands;
  function household() {
    const kernel = machine({ cpus: 2 });
    const init = newTask(kernel, { pid: 1, comm: 'init' });
    const thread = newTask(kernel, { pid: 7, comm: 'worker' });
    kernel.set(thread, 'tgid', 1);
    const kthread = newTask(kernel, { pid: 2, comm: 'kthreadd', flags: 0x20_0040 });
    linkTasks(kernel, [init, kthread, thread]);
    const context = new CommandContext(kernel);
    return (...args: string[]): string[] =>
      [...run(foreach, context, args).text.matchAll(/^(?:PID: |> +| +)(\d+) /gm)].map(([, pid]) => pid!);
  }
  test('gleader: processes of users, no kernel threads, no other threads', () => {
    assert.deepEqual(household()('gleader', 'ps'), ['1']);
    assert.deepEqual(household()('user', 'ps'), ['1', '7']);
  });
  test('sig -g: each process once', () => {
    const headers = household()('user', 'sig', '-g').filter((pid) => pid === '1');
    assert.deepEqual(headers, ['1']);
  });
  test('pid 0 is every CPU’s idle task', () => {
    const kernel = machine({ cpus: 2 });
    linkTasks(kernel, [newTask(kernel, { pid: 1, comm: 'init' })]);
    const context = new CommandContext(kernel);
    const idle = kernel.tasks.all.filter((one) => one.pid === 0).length;
    assert.equal(run(task, context, ['-R', 'pid', '0']).text.match(/^PID: 0 /gm)?.length, idle);
  });
});

describe('set', () => {
  test('scope is shown with its symbol, and is nowhere else', () => {
    const kernel = machine({ cpus: 1 });
    kernel.define('schedule', 0xffff_ffff_8100_0000n);
    linkTasks(kernel, [newTask(kernel, { pid: 1, comm: 'init' })]);
    const context = new CommandContext(kernel);
    assert.equal(run(set, context, ['scope', 'schedule']).text, 'scope: ffffffff81000000 (schedule)\n');
    assert.throws(() => run(set, context, ['scope', '1000']), UsageError);
    assert.equal(run(set, context, ['console']).text, 'console: not set\n');
  });

  test('shows the task that panicked, then the one chosen', () => {
    const { context, init, sh } = twoTasks();
    const at = (address: bigint) => address.toString(16);
    assert.equal(
      run(set, context, []).text,
      `    PID: 42\nCOMMAND: "sh"\n   TASK: ${at(sh.address)}  [THREAD_INFO: ${at(sh.address)}]\n    CPU: 1\n  STATE: TASK_RUNNING (PANIC)\n`,
    );
    assert.match(run(set, context, [at(init.address)]).text, /PID: 1\n.*\n.*\n.*\n {2}STATE: TASK_INTERRUPTIBLE \n$/);
    assert.equal(context.task.pid, 1);
    run(set, context, ['-p']);
    assert.equal(context.task.pid, 42);
    run(set, context, ['-c', '0']);
    assert.equal(context.task.comm, 'swapper/0');
  });

  test('-a declares another task to be what its CPU ran', () => {
    const { context, kernel } = twoTasks();
    run(set, context, ['-a', '1']);
    assert.equal(context.tasks.active(0)?.pid, 1);
    assert.equal(context.tasks.byPid(1)?.active, true);
    assert.equal(context.tasks.all[0]?.active, false);
    assert.equal(kernel.tasks.active(0)?.pid, 0, 'the kernel says what it said');
    assert.equal(new CommandContext(kernel).tasks.byPid(1)?.active, false, 'and so do other contexts');
  });

  test('radix is shown and changed', () => {
    const { context } = twoTasks();
    assert.match(run(set, context, ['radix', '16']).text, /^output radix: 16 \(hex\)\n$/);
    assert.equal(context.radix, 16);
    run(set, context, ['dec']);
    assert.equal(context.radix, 10);
    assert.match(run(set, context, ['-v']).text, /^ +scroll: off \(none\)$/m);
  });

  for (const args of [['99'], ['-c', '7'], ['-c', 'x'], ['radix', '7'], ['nonsense', 'on']]) {
    test(`refuses ${args.join(' ')}`, () => assert.throws(() => run(set, twoTasks().context, args), UsageError));
  }
});

describe('task', () => {
  test('-R prints members of task_struct and thread_info, and says which there are not', () => {
    const { context } = twoTasks();
    const { text } = run(task, context, ['-R', 'pid,comm', '-R', 'se.vruntime', '-Rnothing', '1']);
    assert.match(text, /^PID: 1 .*COMMAND: "init"\n {2}pid = 1,\n {2}comm = "init\\000/);
    assert.match(text, /\n {2}se\.vruntime = 0,?\ntask: invalid data structure member reference: nothing\n$/);
  });

  test('without -R prints both structs, numbers as asked', () => {
    const { context } = twoTasks();
    const { text } = run(task, context, ['-x', '42']);
    assert.match(text, /\nstruct task_struct \{\n/);
    assert.match(text, /\n {2}pid = 0x2a,\n/);
    assert.match(text, /\n\nstruct thread_info \{\n {2}flags = 0x0,\n {2}cpu = 0x1\n\}\n$/);
  });

  test('refuses what is no task', () => {
    assert.throws(() => run(task, twoTasks().context, ['ffff0000']), UsageError);
    assert.throws(() => run(task, twoTasks().context, ['-R']), UsageError);
  });
});

test('mod lists modules by address, with columns as wide as they need to be', () => {
  const kernel = new SyntheticKernel(`
    struct list_head { struct list_head *next, *prev; };
    enum module_state { MODULE_STATE_LIVE, MODULE_STATE_COMING };
    enum mod_mem_type { MOD_TEXT, MOD_DATA };
    struct module_memory { void *base; unsigned int size; };
    struct module { enum module_state state; struct list_head list; char name[56]; struct module_memory mem[2]; unsigned long taints; };
  `);
  const head = kernel.allocate('struct list_head', 'modules');
  const modules = (
    [
      ['late', 0xffff_ffff_c001_0000n, 0x100000],
      ['a\nb', 0xffff_ffff_c000_0000n, 0x1000],
    ] as const
  ).map(([name, base, size], i) => {
    const module = kernel.allocate('struct module');
    kernel.set(module, 'name', name);
    kernel.set(module, 'mem[0].base', base);
    kernel.set(module, 'mem[0].size', size);
    kernel.set(module, 'taints', i === 0 ? 0x1000 : 0);
    return module;
  });
  kernel.link(head.address, ...modules.map((module) => module.member('list').address));
  const context = new CommandContext(kernel);
  const [late, early] = modules.map(({ address }) => address.toString(16));
  assert.equal(
    run(mod, context, []).text,
    `     MODULE       NAME       TEXT_BASE         SIZE  OBJECT FILE
${early}  a\\x0ab  ffffffffc0000000     4096  (not loaded)  [CONFIG_KALLSYMS]
${late}  late    ffffffffc0010000  1048576  (not loaded)  [CONFIG_KALLSYMS]
`,
  );
  assert.equal(run(mod, context, ['-t']).text, 'NAME  TAINTS\nlate  O\n');
  assert.throws(() => run(mod, context, ['virtio']), UsageError);
});

test("states have crash's names, bit by bit", () => {
  const text = (state: TaskState, stateBits: number): string | undefined =>
    /STATE: (\S+)/.exec(
      contextTaskText({
        pid: 1,
        command: 'sh',
        task: virtAddr(0n),
        threadInfo: null,
        cpu: 0,
        state,
        stateBits,
        active: false,
        panicked: false,
        ofPid: 1,
      }),
    )?.[1];
  assert.equal(text('RU', 0), 'TASK_RUNNING');
  assert.equal(text('ID', 0x402), 'TASK_UNINTERRUPTIBLE|TASK_NOLOAD');
  assert.equal(text('UN', 0x102), 'TASK_UNINTERRUPTIBLE|TASK_WAKEKILL');
  assert.equal(text('IN', 0x2001), 'TASK_INTERRUPTIBLE');
  assert.equal(text('ST', 0x104), 'TASK_STOPPED|TASK_WAKEKILL');
  assert.equal(text('ZO', 0xa0), 'EXIT_DEAD|EXIT_ZOMBIE');
});

describe('help', () => {
  const { context } = twoTasks();
  const help = (...args: string[]): string => run(commands.help, context, args).text;

  test('lists every command, and explains every one', () => {
    const list = help().split(/\s+/);
    for (const name of commandTable().keys()) {
      assert.ok(list.includes(name), name);
      assert.match(help(name), new RegExp(`^NAME\\n  ${name.replace('*', '\\*')} - `));
    }
    assert.equal(help('all').match(/^NAME$/gm)?.length, commandTable().size + sessionWords.length);
  });

  test('every option in a synopsis is one that the command takes', () => {
    for (const { name, help: page, params } of commandTable().values()) {
      const letters = Object.values(params).map(({ letter }) => letter);
      for (const [, word] of (page.usage ?? []).join(' ').matchAll(/(?<![\w-])-([A-Za-z0-9]+)/g)) {
        const known = letters.includes(word!) || [...word!].every((letter) => letters.includes(letter));
        assert.ok(known, `help ${name}: -${word}`);
      }
    }
  });

  test('every option that has help is in the synopsis', () => {
    for (const { name, help: page, params } of commandTable().values()) {
      const usage = (page.usage ?? usageForms(params)).join(' ');
      const shown = [...usage.matchAll(/(?<![\w-])-(-?[A-Za-z0-9]+)/g)].flatMap(([, word]) => [word!, ...word!]);
      for (const { letter, help } of Object.values(params)) {
        if (letter !== null && help !== '') assert.ok(shown.includes(letter), `help ${name}: -${letter}`);
      }
    }
  });

  test('no line is too wide for a terminal', () => {
    for (const line of help('all').split('\n')) assert.ok(line.length <= 126, line);
  });

  test('what the shell does itself has pages, too', () => {
    assert.match(help(), /\brepeat\b/);
    assert.match(help('extend'), /^NAME\n {2}extend - /);
    for (const name of ['exit', 'q']) assert.match(help(name), /ends the session/);
  });

  test('topics, and what there is no help for', () => {
    assert.match(help('input'), /pipe/);
    assert.match(help('output'), /standard\s+error/);
    assert.throws(() => help('nonsense'), /command not found: nonsense/);
    assert.throws(() => help('-x'), UsageError);
  });
});
