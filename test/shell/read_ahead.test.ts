// What the shell reads before it is asked: nobody sees it, and nothing is different for it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandContext } from '../../src/commands/context.ts';
import { commandTable } from '../../src/commands/registry.ts';
import { ShellSession } from '../../src/shell/session.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

function shell() {
  const kernel = machine({ cpus: 2 });
  const tasks = [1, 42, 43].map((pid) => newTask(kernel, { pid, comm: `task${pid}` }));
  linkTasks(kernel, tasks);
  // the second one leads to memory that is not there
  kernel.set(tasks[1]!, 'tasks.next', 0xdead_0000_0000_0100n);
  const seen = { out: '', warnings: '' };
  const session = new ShellSession(
    new CommandContext(kernel),
    commandTable(),
    {
      write: (text) => {
        seen.out += text;
        return true;
      },
      warn: (text) => {
        seen.warnings += text;
      },
    },
    { json: false },
  );
  return { session, seen };
}

async function asked(most: number | null) {
  const { session, seen } = shell();
  if (most !== null) await session.readAhead('ps', most);
  assert.deepEqual(seen, { out: '', warnings: '' });
  await session.run('ps');
  return seen;
}

test('what was read ahead is shown when it is asked for, with what could not be read', async () => {
  const expected = await asked(null);
  assert.match(expected.out, / 42 .*task42/);
  assert.match(expected.warnings, /task list/);
  assert.deepEqual(await asked(60_000), expected);
});

test('what could not be read ahead in time is read when it is asked for', async () => {
  assert.deepEqual(await asked(-1), await asked(null));
});

test('a word that is no command is passed over', async () => {
  const { session, seen } = shell();
  await session.readAhead('no such command', 1000);
  assert.deepEqual(seen, { out: '', warnings: '' });
});
