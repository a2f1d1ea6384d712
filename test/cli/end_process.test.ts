// The end of the process: Node's own waits for its threads, some of which may wait for it, for ever.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

test('the process ends with its status, and not by way of Node, but for who measures', () => {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-end-'));
  try {
    const program = join(folder, 'program.mjs');
    const file = new URL('../../src/cli/end_process.ts', import.meta.url).href;
    writeFileSync(
      program,
      `import { endProcess } from '${file}';\nprocess.on('exit', () => console.log('by Node'));\nendProcess(3);\n`,
    );
    const { NODE_OPTIONS, NODE_V8_COVERAGE, ...environment } = process.env;
    const ended = (more: Readonly<Record<string, string>>): readonly [string, number | null] => {
      const { stdout, status } = spawnSync(process.execPath, [program], {
        env: { ...environment, ...more },
        encoding: 'utf8',
      });
      return [stdout, status];
    };
    assert.deepEqual(ended({}), ['', 3]);
    assert.deepEqual(ended({ NODE_OPTIONS: '--no-warnings' }), ['by Node\n', 3]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
