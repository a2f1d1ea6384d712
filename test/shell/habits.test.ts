// What the fingers of crash(8)'s users type.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../../src/base/errors.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { commandTable } from '../../src/commands/registry.ts';
import { History } from '../../src/shell/history.ts';
import { ShellSession } from '../../src/shell/session.ts';
import { nearest } from '../../src/shell/suggest.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

function shell() {
  const kernel = machine({ cpus: 2 });
  linkTasks(kernel, [newTask(kernel, { pid: 1, comm: 'init' }), newTask(kernel, { pid: 42, comm: 'sh' })]);
  let out = '';
  let warnings = '';
  const session = new ShellSession(
    new CommandContext(kernel),
    commandTable(),
    {
      write: (text) => {
        out += text;
        return true;
      },
      warn: (text) => {
        warnings += text;
      },
    },
    { json: false },
  );
  return {
    session,
    type: async (line: string) => {
      out = '';
      warnings = '';
      await session.type(line);
      return { out, warnings };
    },
  };
}

describe('aliases', () => {
  test("crash's own, and one of the session", async () => {
    const { type } = shell();
    assert.match((await type('alias')).out, /^ORIGIN +ALIAS +COMMAND\n[\s\S]*^builtin +dmesg +log $/m);
    await type('alias who set 42');
    assert.match((await type('who')).out, /PID: 42/);
    await type('alias who ""');
    assert.match((await type('who')).warnings, /not found: who/);
  });
  test('an alias that names itself ends', async () => {
    const { type } = shell();
    await type('alias a b');
    await type('alias b a');
    assert.match((await type('a')).warnings, /not found/);
  });
  test('a command keeps its name', async () =>
    assert.match((await shell().type('alias ps set')).warnings, /a command/));
});

describe('history', () => {
  test('!!, a number, r and its text', async () => {
    const { type } = shell();
    await type('set 42');
    await type('eval 1');
    assert.match((await type('!!')).out, /^eval 1\nhexadecimal: 1/);
    assert.match((await type('!1')).out, /^set 42\n/);
    assert.match((await type('r ev')).out, /^eval 1\n/);
    assert.equal((await type('h')).out, '[1] set 42\n[2] eval 1\n[3] eval 1\n[4] set 42\n[5] eval 1\n');
    assert.match((await type('!99')).warnings, /no such line/);
  });
  test('h in a pipe and to a file; lines of files are in it, and may ask for the one before', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'habits-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'lines');
    const list = join(folder, 'list');
    writeFileSync(file, `set 42\nr\nh > ${list}\n`);
    const { type } = shell();
    assert.match((await type(`< ${file}`)).out, /PID: 42[\s\S]*^set 42\n[\s\S]*PID: 42/m);
    assert.equal(readFileSync(list, 'utf8'), `[1] < ${file}\n[2] set 42\n[3] set 42\n`);
    assert.match((await type(`r ev`)).warnings, /no such line/);
  });
  test("a line of the system's shell is none of it", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const history = new History();
        if (/^(!|-?\d+)$/.test(text.trimEnd())) assert.throws(() => history.expand(`!${text}`), UsageError);
        else assert.equal(history.expand(`!${text}`), `!${text}`);
      }),
    );
  });
});

test('what extend says goes where the line says, and a command of a file, too', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'habits-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [file, said] = [join(folder, 'mine.mjs'), join(folder, 'said')];
  writeFileSync(
    file,
    `export const mine = {
  name: 'mine', help: { summary: '', description: '', examples: [] }, params: {}, items: null,
  collect: () => ({ head: 'here', items: (function* () {})() }), text: { head: (head) => head, item: () => '', tail: () => '' },
};`,
  );
  const { type } = shell();
  assert.equal((await type(`extend ${file} > ${said}`)).out, '');
  assert.equal(readFileSync(said, 'utf8'), `${file}: mine\n`);
  assert.equal((await type('mine')).out, 'here');
  await type(`mine > ${said}`);
  assert.equal(readFileSync(said, 'utf8'), 'here');
});

test('what cannot be read is told once, by the address that was asked for', async () => {
  const { type } = shell();
  assert.equal((await type('p *(struct list_head *)24')).warnings, 'p: kernel address 18: not mapped\n');
});

describe('several arguments', () => {
  for (const line of ['ps 77 42', 'ps nosuch 42', 'task -R pid 77 42', 'foreach 77 42 ps', 'btop zz 1000']) {
    test(`the good ones of "${line}" are answered, the bad one is told, and the command has failed`, async () => {
      const { session, type } = shell();
      const { out, warnings } = await type(line);
      assert.match(out, /42|1000: 1/);
      assert.match(warnings, /^\w+: (invalid task or pid value: |not a number: )(77|nosuch|zz)\n/);
      assert.equal(session.failed, true);
    });
  }
  test('no good one is an error', async () => {
    const { out, warnings } = await shell().type('ps 77 78');
    assert.equal(out, '');
    assert.equal(warnings, 'ps: invalid task or pid value: 77\n');
  });
});

describe('foreach', () => {
  test('ps is one table of those tasks', async () => {
    const { type } = shell();
    assert.equal((await type('foreach 42 1 ps')).out, (await type('ps 1 42')).out);
    assert.equal((await type('foreach ST ps')).out, '');
  });
});

describe('words', () => {
  test('a wrong one is answered by the nearest right one', async () => {
    assert.match((await shell().type('foreahc bt')).warnings, /did you mean "foreach"\?/);
    assert.equal(nearest('zzzzzz', ['ps', 'bt']), null);
  });
  test('arguments out of a file: a command for each of its lines', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'habits-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'numbers');
    writeFileSync(file, '1000\n# no line\n\n2000 3000\n');
    const { type } = shell();
    assert.equal((await type(`btop < ${file}`)).out, '1000: 1\n2000: 2\n3000: 3\n');
    assert.equal((await type(`btop 5000 <${file}`)).out, '5000: 5\n1000: 1\n5000: 5\n2000: 2\n3000: 3\n');
    const to = join(folder, 'out');
    await type(`btop < ${file} > ${to}`);
    assert.equal(readFileSync(to, 'utf8'), '1000: 1\n2000: 2\n3000: 3\n');
    assert.match((await type('eval 1 < 2')).out, /decimal: 1 /);
    assert.match((await type('btop < /nosuch/file')).warnings, /no such file/);
  });
  test('glued and borrowed forms', async () => {
    const { type } = shell();
    assert.match((await type('*task_struct.pid init_task')).out, /^ {2}pid = 0/);
    assert.match((await type('task_struct.pid,comm init_task')).out, /^ {2}pid = 0,\n {2}comm = /);
    assert.match((await type('gdb print sizeof(int)')).out, / = 4\n$/);
  });
  test('completion offers commands, options, tasks and members, by what a command declares', async () => {
    const { session } = shell();
    assert.deepEqual(await session.complete('forea'), [['foreach'], 'forea']);
    const [options] = await session.complete('bt -');
    assert.ok(options.includes('-a') && options.includes('-F'), options.join(' '));
    assert.ok((await session.complete('bt '))[0].includes('42'));
    assert.ok((await session.complete('help fore'))[0].includes('foreach'));
    assert.ok((await session.complete('struct task_struct.pi'))[0].includes('task_struct.pid'));
    assert.ok((await session.complete('struct task_st'))[0].includes('task_struct'));
  });
});

describe('variables', () => {
  test("crash's are there, and take its values alone", async () => {
    const { type } = shell();
    for (const line of [
      'set print_max 100',
      'set scroll on',
      'set radix 16',
      'set zero_excluded off',
      'set edit emacs',
    ]) {
      assert.equal((await type(line)).warnings, '', line);
    }
    assert.match((await type('set -v')).out, /print_max: 100\n/);
    assert.match((await type('set redzone maybe')).warnings, /redzone is on or off, not maybe/);
    assert.match((await type('set nosuch on')).warnings, /no such variable/);
  });
});
