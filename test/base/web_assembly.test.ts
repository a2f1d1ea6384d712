import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import { assembled, modules, targetOf } from '../../scripts/wasm.ts';
import { loadModule } from '../../src/base/web_assembly.ts';

for (const path of modules)
  test(`the code of ${basename(path)} is made of the source beside it`, async () => {
    assert.equal(readFileSync(targetOf(path), 'utf8'), await assembled(path));
  });

test('code that the machine cannot run is none, so that a way without it is taken', () => {
  assert.equal(loadModule(Buffer.from('\0asm\x02\0\0\0').toString('base64')), null);
});
