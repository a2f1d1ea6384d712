// dev -V and -v: what drivers left of their devices in the dump's notes.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { UsageError } from '../../src/base/errors.ts';
import { call } from '../../src/commands/command.ts';
import { gather } from '../../src/commands/run.ts';
import { dev } from '../../src/commands/system/dev.ts';
import { CommandContext, openDump } from '../../src/index.ts';
import { tempDirectory, tempFiles } from '../support/dump_writers/temp_files.ts';
import { writeSyntheticDump } from '../support/synthetic_dump.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

const note = (name: string, data: Uint8Array) => ({
  name: 'LINUX',
  type: 0x700,
  desc: Buffer.concat([Buffer.alloc(44, 0), data]).fill(name, 0, name.length, 'latin1'),
});

test('device dumps are listed, shown and copied byte for byte', (t) => {
  const kernel = machine({ cpus: 1 });
  linkTasks(kernel, [newTask(kernel, { pid: 1, comm: 'init' })]);
  const data = Buffer.from(Array.from({ length: 70_001 }, (_, i) => (i * 7) & 0xff));
  const notes = [
    note('cxgb4_0000:02:00.4', data),
    note('evil\x1b[2J', Buffer.alloc(8, 1)),
    note('empty', Buffer.alloc(0)),
  ];
  const [file] = tempFiles(t, writeSyntheticDump(kernel, { log: ['Linux version 6.12.0-synthetic'], notes }));
  const context = new CommandContext(openDump(file!));
  const rows = (words: readonly string[]): string[] => gather(dev, context, words).text.split('\n').slice(0, -1);

  const [, first, second, ...more] = rows(['-V']);
  assert.match(first!, /^ {4}0 {2}0x[0-9a-f]+ +70001 +cxgb4_0000:02:00\.4$/);
  assert.match(second!, /^ {4}1 {2}0x[0-9a-f]+ +8 +evil\\x1b\[2J$/);
  assert.deepEqual(more, []);
  assert.equal(rows(['-v', '1'])[0]?.slice(16), ':  0101010101010101                    ........');

  const copy = join(tempDirectory(t), 'copy');
  assert.equal(rows(['-v', '0', copy])[0], `70001 bytes of cxgb4_0000:02:00.4 copied to ${copy}`);
  assert.deepEqual(readFileSync(copy), data);

  for (const words of [['-v', '3'], ['-v', '-1'], ['-v', 'x'], ['-V', copy], [copy]]) {
    assert.throws(() => gather(dev, context, words), UsageError, words.join(' '));
  }
  assert.throws(() => gather(dev, context, ['-v', '0', join(copy, 'below')]), UsageError);
  assert.ok(!existsSync(join(copy, 'below')));
  assert.deepEqual(call(context, dev, { deviceDumps: true }).value.items.length, 2);
});
