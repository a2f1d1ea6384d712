// What every command may rely on, by a command that only this file knows.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryFault, UsageError } from '../../src/base/errors.ts';
import { CancellableWork, Cancelled } from '../../src/base/work.ts';
import { call, defineStream } from '../../src/commands/command.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { flag, rest, valued, values } from '../../src/commands/params.ts';
import { commandTable } from '../../src/commands/registry.ts';
import { runCommand } from '../../src/commands/run.ts';
import { ShellSession } from '../../src/shell/session.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

/** Counts, and does what may go wrong on the way. */
const made: number[] = [];
const countTo = defineStream({
  name: 'countto',
  help: { summary: 'counts', description: 'Counts from one.', examples: [['countto -n 3', 'one, two, three']] },
  params: {
    to: valued('n', 'count', values.count, 'where to end'),
    fault: flag('f', 'cannot read the second number', { excludes: ['e'] }),
    fail: flag('e', 'fails after the second number', { excludes: ['f'] }),
    tasks: rest('pid|task', values.task),
  },
  items: 'numbers',
  collect: ({ kernel }, options) => ({
    head: { to: options.to, pids: options.tasks.map(({ pid }) => pid) },
    items: (function* () {
      for (let n = 1; n <= (options.to ?? 2); n++) {
        kernel.work.charge('nodes', 1);
        if (options.fault && n === 2) {
          kernel.faults.record('number', new MemoryFault('kernel', 0xff00n, 'excluded'));
          continue;
        }
        if (options.fail && n === 3) throw new UsageError('three is too many');
        made.push(n);
        yield { n, square: BigInt(n * n) };
      }
      return { whole: !options.fault };
    })(),
  }),
  text: {
    head: ({ pids }) => (pids.length > 0 ? `of ${pids.join(' ')}\n` : ''),
    item: ({ n }, { radix }) => `${n.toString(radix)}\n`,
    tail: ({ whole }) => (whole ? '' : 'not all\n'),
  },
});

const kernel = machine({ cpus: 1 });
linkTasks(kernel, [newTask(kernel, { pid: 1, comm: 'init' }), newTask(kernel, { pid: 42, comm: 'sh' })]);
const commands = commandTable([countTo]);

async function shell(lines: readonly string[], json = false) {
  let out = '';
  let warnings = '';
  const session = new ShellSession(
    new CommandContext(kernel),
    commands,
    {
      write: (text) => {
        out += text;
        return true;
      },
      warn: (text) => {
        warnings += text;
      },
    },
    { json },
  );
  for (const line of lines) await session.run(line);
  return { out, warnings, failed: session.failed };
}

describe('what could not be read', () => {
  test('is told whole by the first command of a session, and by each in JSON', async () => {
    const { warnings } = await shell(['countto -f', 'countto -f -n 3', 'countto -f']);
    const whole = "countto: number: kernel address ff00: excluded by the dump's filter\n";
    assert.equal(warnings, `${whole}countto: 1 fault as before: see "countto -f"\n${whole}`);
    const { out } = await shell(['countto -f', 'countto -f -n 3'], true);
    for (const line of out.trim().split('\n')) assert.equal(JSON.parse(line).faults.length, 1);
  });
});

describe('a command that another file adds', () => {
  test('runs in the shell, in its radix, and in help', async () => {
    assert.equal((await shell(['countto -n3', 'hex', 'countto -n 17'])).out.slice(0, 6), '1\n2\n3\n');
    assert.match((await shell(['hex', 'countto -n 17'])).out, /\n11\n$/);
    assert.match((await shell(['help countto'])).out, /countto \[-f\|-e\] \[-n count\] \[pid\|task\]\.\.\.|-n count/);
    assert.match((await shell(['help -k counts'])).out, /^countto {2}counts$/m);
  });
  test('what could not be read goes to standard error, and into JSON', async () => {
    const { out, warnings } = await shell(['countto -f']);
    assert.deepEqual([out, /ff00/.test(warnings)], ['1\nnot all\n', true]);
    const { faults } = JSON.parse((await shell(['countto -f'], true)).out);
    assert.equal(faults[0].address, '0xff00');
  });
  test('foreach runs it for each task', async () => {
    assert.match((await shell(['foreach user sh countto -n 1'])).out, /^of 42\n1\n$/);
  });
  test('is called with typed options', () => {
    const { value } = call(new CommandContext(kernel), countTo, { to: 2 });
    assert.deepEqual(
      value.items.map(({ square }) => square),
      [1n, 4n],
    );
  });
});

describe('JSON is one whole line, however a command ends', () => {
  for (const [line, data, code] of [
    ['countto -n 1', { to: 1, pids: [], numbers: [{ n: 1, square: '0x1' }], whole: true }, undefined],
    ['countto -z', null, 'usage'],
    ['nosuch', null, 'not-found'],
    [
      'countto -n 9 -e',
      {
        to: 9,
        pids: [],
        numbers: [
          { n: 1, square: '0x1' },
          { n: 2, square: '0x4' },
        ],
      },
      'usage',
    ],
  ] as const) {
    test(line, async () => {
      const { out } = await shell([line], true);
      const printed = JSON.parse(out);
      assert.deepEqual(printed.data, data);
      assert.equal(printed.error?.code, code);
      assert.equal(printed.command, line);
      assert.ok(out.endsWith('\n') && !out.slice(0, -1).includes('\n'));
    });
  }
});

describe('errors', () => {
  test('go to standard error, not among the output, and make the session fail', async () => {
    const { out, warnings, failed } = await shell(['countto -n 9 -e', 'countto -fe']);
    assert.equal(out, '1\n2\n');
    assert.match(warnings, /^countto: three is too many\ncountto: -f and -e exclude each other\n$/);
    assert.equal(failed, true);
  });
});

describe('readers that leave, and users that cancel', () => {
  test('a reader that has seen enough ends the command, which computes little more', () => {
    made.length = 0;
    let read = '';
    const sink = {
      write: (text: string) => {
        read += text;
        return false;
      },
    };
    const { end } = runCommand(countTo, new CommandContext(kernel), ['-n', '1000000'], sink);
    assert.equal(end, 'closed');
    assert.ok(made.length < 5000, `${made.length} computed for ${read.length} characters`);
  });
  test('cancelling ends it where it is; what it is no fault', () => {
    const word = new Int32Array(new SharedArrayBuffer(4));
    let lines = 0;
    const sink = {
      write: () => {
        if (++lines === 2) Atomics.store(word, 0, 1);
        return true;
      },
    };
    const work = new CancellableWork(word);
    const outcome = runCommand(countTo, new CommandContext(kernel), ['-n', '1000000'], sink, { work });
    assert.equal(outcome.end, 'cancelled');
    assert.ok(outcome.error instanceof Cancelled);
    assert.deepEqual(outcome.faults, []);
  });
  test('output may be longer than any string of the machine', () => {
    let length = 0;
    const long = defineStream({
      ...countTo,
      items: 'numbers',
      text: { item: () => 'x'.repeat(1 << 20) },
    });
    const sink = {
      write: (text: string) => {
        length += text.length;
        return true;
      },
    };
    runCommand(long, new CommandContext(kernel), ['-n', '1024'], sink);
    assert.equal(length, 2 ** 30);
  });
});
