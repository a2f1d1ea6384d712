import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { virtAddr } from '../../src/base/address.ts';
import { NotFoundError, UsageError } from '../../src/base/errors.ts';
import { CommandContext, parseCpus, parseHex, parseNumber, taskHeader } from '../../src/commands/context.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';
import { linkTasks, machine, newTask, taskTypes } from '../support/task_writer.ts';

function context(): CommandContext {
  const kernel = machine({ cpus: 4 });
  linkTasks(kernel, [newTask(kernel, { pid: 1, comm: 'init' }), newTask(kernel, { pid: 12, comm: 'sh' })]);
  return new CommandContext(kernel);
}

describe('a task by what the user wrote', () => {
  test('its pid, its address, with 0x or without', () => {
    const given = context();
    const { address } = given.taskByWord('12');
    assert.equal(given.taskByWord(address.toString(16)).pid, 12);
    assert.equal(given.taskByWord(`0x${address.toString(16)}`).pid, 12);
  });

  for (const word of ['13', '', '-1', 'sh', '0x', '99999999999', '1e1', 'ffff888000000000', '0x12', '\x1b[31m']) {
    test(`${JSON.stringify(word)} is none`, () => {
      assert.throws(
        () => context().taskByWord(word),
        (error) => error instanceof UsageError && !error.message.includes('\x1b'),
      );
    });
  }

  test('none was chosen and none crashed: the first there is', () => assert.equal(context().task.pid, 0));

  test('no tasks at all: said, not a crash of ours', () => {
    const empty = new CommandContext(new SyntheticKernel(taskTypes()));
    assert.throws(() => empty.task, NotFoundError);
  });
});

describe('CPUs', () => {
  for (const [spec, cpus] of [
    ['0', [0]],
    ['3,1', [1, 3]],
    ['1-3', [1, 2, 3]],
    ['0,2-3,2', [0, 2, 3]],
    ['a', [0, 1, 2, 3]],
    ['all', [0, 1, 2, 3]],
  ] as const) {
    test(spec, () => assert.deepEqual(parseCpus(context(), spec), cpus));
  }
  for (const spec of ['', '4', '1,', '-1', '1-', '3-1', '1-9', 'b', '0x1', '1 2', '0-99999']) {
    test(`${JSON.stringify(spec)} is refused`, () => assert.throws(() => parseCpus(context(), spec), UsageError));
  }
});

test('numbers: decimal, hexadecimal by 0x or by its letters', () => {
  assert.deepEqual(['10', '0x10', 'ff', '0xff', '', 'x', '-1', '1.5', '0x1ffffffffffffffff'].map(parseNumber), [
    10n,
    16n,
    255n,
    255n,
    null,
    null,
    null,
    null,
    null,
  ]);
  assert.deepEqual([parseHex('10'), parseHex('0x10'), parseHex('0xg')], [16n, 16n, null]);
});

test("a task's name cannot forge lines of its header", () => {
  const header = taskHeader({ pid: 7, task: virtAddr(0xffff_8880_0000_1000n), cpu: 3, command: 'a\nPID: 1\x1b[2J' });
  assert.equal(header, 'PID: 7        TASK: ffff888000001000  CPU: 3    COMMAND: "a\\x0aPID: 1\\x1b[2J"');
});
