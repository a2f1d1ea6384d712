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

for (const command of ['log', 'bt', 'ps', 'mod', 'sys']) {
  test(`${command} of an ordinary dump loads nothing that few runs want`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'inquest-'));
    try {
      const ran = await inquest(['crash', '-s', sample, '-c', command], { environment: { NODE_V8_COVERAGE: folder } });
      assert.equal(ran.status, 0, ran.stderr);
      const loaded = readdirSync(folder)
        .flatMap(
          (file) => (JSON.parse(readFileSync(join(folder, file), 'utf8')) as { result: { url: string }[] }).result,
        )
        .map(({ url }) => /chunks\/(\w+)\.js$/.exec(url)?.[1] ?? '');
      assert.ok(loaded.includes('kernel'), 'the files of the bundle are seen');
      assert.deepEqual(
        loaded.filter((chunk) => seldom.includes(chunk)),
        [],
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
