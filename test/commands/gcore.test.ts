// gcore writes files: never over one that is there, never where a process's name leads.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { NotFoundError, UsageError } from '../../src/base/errors.ts';
import { call } from '../../src/commands/command.ts';
import { gcore } from '../../src/commands/tasks/gcore.ts';
import { CommandContext, openDump } from '../../src/index.ts';

const context = new CommandContext(openDump(fileURLToPath(new URL('../../samples/vmcore', import.meta.url))));

test('a file is written once, and is an ELF core file of the process', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gcore-'));
  try {
    const file = join(folder, 'core');
    const tasks = [context.taskByWord('1')];
    const [written] = call(context, gcore, { file, tasks }).value.head;
    const bytes = readFileSync(file);
    assert.equal(written?.size, bytes.length);
    assert.equal(bytes.toString('latin1', 1, 4), 'ELF');
    assert.equal(bytes.readUInt16LE(16), 4);
    assert.equal(written?.withoutRegisters, 0);
    assert.ok(written !== undefined && written.missing > 0); // the sample leaves processes' pages out
    assert.throws(() => call(context, gcore, { file, tasks }), UsageError);
    assert.throws(() => call(context, gcore, { file: join(folder, 'none', 'core'), tasks }), UsageError);
    assert.deepEqual(readdirSync(folder), ['core']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a kernel thread has no memory, and two processes have no one file', () => {
  assert.throws(() => call(context, gcore, { file: '/nonexistent', tasks: [context.taskByWord('2')] }), NotFoundError);
  const tasks = [context.taskByWord('1'), context.taskByWord('1')];
  assert.throws(() => call(context, gcore, { file: '/nonexistent', tasks }), UsageError);
});
