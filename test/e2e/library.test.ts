// The documentation's example runs as it stands, and finds what the kernel itself said.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));

test('docs/examples/tour.ts runs on the sample', () => {
  const run = spawnSync(process.execPath, [path('docs/examples/tour.ts'), path('samples/vmcore')], {
    encoding: 'utf8',
  });
  assert.equal(run.status, 0, run.stderr);
  const modules = readFileSync(path('samples/truth/modules'), 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[0])
    .filter((name) => name !== '');
  assert.match(run.stdout, new RegExp(`^modules: ${modules.join(' ')}$`, 'm'));
  assert.match(run.stdout, /^its parent is swapper\/0 \(pid 0\)$/m);
  assert.match(run.stdout, /^first on the task list: init$/m);
  assert.match(run.stdout, /^perish is MODULE_STATE_LIVE$/m);
});
