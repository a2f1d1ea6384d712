// What an extension brings is there until it is taken away, and what it hid comes back.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CommandEntry } from '../../src/commands/command_files.ts';
import { Extensions } from '../../src/shell/extensions.ts';

const command = (name: string) =>
  `export const ${name} = { name: '${name}', params: {}, collect: () => ({ head: null, items: [] }) };\n`;

test('loads commands, lists them, and takes them away', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'extend-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'mine.mjs');
  writeFileSync(file, `${command('hello')}${command('ps')}export const other = 1;\n`);
  writeFileSync(join(folder, 'nothing.mjs'), 'export const x = 1;\n');
  const own = (() => {}) as unknown as CommandEntry;
  const entries = new Map<string, CommandEntry>([['ps', own]]);
  const extensions = new Extensions(entries);

  assert.equal(await extensions.run([]), '');
  assert.equal(await extensions.run([file]), `${file}: hello, ps\n`);
  assert.notEqual(entries.get('ps'), own);
  await extensions.run([file]);
  assert.equal(await extensions.run([]), `${file}: hello, ps\n`);
  await extensions.run(['-u']);
  assert.deepEqual([...entries], [['ps', own]], 'loaded twice, what was there before comes back');

  await assert.rejects(extensions.run(['-u', file]), /not loaded/);
  await assert.rejects(extensions.run([join(folder, 'nothing.mjs')]), /exports no command/);
  await assert.rejects(extensions.run(['-l']), /takes files/);
  await assert.rejects(extensions.run(['-z', file]), /takes files/);

  const before = process.env['CRASH_EXTENSIONS'];
  t.after(() => {
    if (before === undefined) delete process.env['CRASH_EXTENSIONS'];
    else process.env['CRASH_EXTENSIONS'] = before;
  });
  process.env['CRASH_EXTENSIONS'] = folder;
  assert.equal(await extensions.run(['-s']), `${file}\n${join(folder, 'nothing.mjs')}\n`);
  assert.equal(await extensions.run(['mine.mjs']), 'mine.mjs: hello, ps\n', 'found where extensions are');
  await extensions.run(['-u', 'mine.mjs']);
  assert.equal(entries.has('hello'), false);
});
