// The documentation's examples run as they stand, and find what the kernel itself said.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'inquest-examples-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs an example on the sample, with the library's sources (package.test.ts has it from the package). */
function example(name: string): string {
  const file = join(folder, `${name}.ts`);
  const text = readFileSync(path(`docs/examples/${name}.ts`), 'utf8');
  writeFileSync(file, text.replace("'inquest'", JSON.stringify(path('src/index.ts'))));
  const run = spawnSync(process.execPath, [file, path('samples/vmcore')], { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  return run.stdout;
}

test('docs/examples/tour.ts runs on the sample', () => {
  const output = example('tour');
  const modules = readFileSync(path('samples/truth/modules'), 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[0])
    .filter((name) => name !== '');
  assert.match(output, new RegExp(`^modules: ${modules.join(' ')}$`, 'm'));
  assert.match(output, /^its parent is swapper\/0 \(pid 0\)$/m);
  assert.match(output, /^first on the task list: init$/m);
  assert.match(output, /^perish is MODULE_STATE_LIVE$/m);
});

test('docs/examples/blocked.ts: who waits, and for what', () => {
  assert.match(example('blocked'), /^\d+ perish_idler in msleep: no lock that is known$/m);
});

test('docs/examples/by_hand.ts: a list, a hash table, values as C', () => {
  const output = example('by_hand');
  assert.match(output, /^sysfs sysfs$/m);
  assert.match(output, /^inodes of .*sysfs: \d+/m);
  assert.match(output, /^"swapper\/0.* not alone$/m);
});

test('docs/examples/memory_users.ts: slab caches and processes by size', () => {
  const output = example('memory_users');
  assert.match(output, /^slabs: \d+\.\d MiB$/m);
  assert.match(output, /^ {2}task_struct: \d+\.\d MiB, \d+ objects$/m);
  assert.match(output, /^processes: \d+\.\d MiB\n {2}\d+ \S+: \d+\.\d MiB$/m);
});
