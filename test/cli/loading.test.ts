// What the commands of most runs load: the start of the program is a good part of their time.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inquest } from './run.ts';

const sample = fileURLToPath(new URL('../../samples/vmcore', import.meta.url));
/** Files of the bundle with what few runs want. */
const seldom = [
  'report',
  'further',
  'files_debug_file',
  'aarch64_architecture',
  'kernel_search_symbols',
  'origin_stack_values',
];

/** What a run loads of those files. */
async function loadedBy(args: readonly string[], unwanted: readonly string[]): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-'));
  try {
    const ran = await inquest(args, { environment: { NODE_V8_COVERAGE: folder } });
    assert.equal(ran.status, 0, ran.stderr);
    const loaded = readdirSync(folder)
      .flatMap((file) => (JSON.parse(readFileSync(join(folder, file), 'utf8')) as { result: { url: string }[] }).result)
      .map(({ url }) => /chunks\/(\w+)\.js$/.exec(url)?.[1] ?? '');
    assert.ok(loaded.includes('kernel'), 'the files of the bundle are seen');
    return loaded.filter((chunk) => unwanted.includes(chunk));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

for (const command of ['log', 'bt', 'ps', 'mod', 'sys', 'kmem -s', 'files']) {
  test(`${command} of an ordinary dump loads nothing that few runs want`, async () => {
    assert.deepEqual(await loadedBy(['crash', '-s', sample, '-c', command], seldom), []);
  });
}

test('a save loads no command', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-'));
  try {
    const args = ['save', '-d', '31', '--compress', 'lzo', sample, join(folder, 'saved')];
    assert.deepEqual(await loadedBy(args, [...seldom, 'shell', 'log', 'sys']), []);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
