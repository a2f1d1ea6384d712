// An error that nobody expected: said shortly, with the lines of the sources, and as what it is.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isBug } from '../../src/base/bug.ts';
import { FormatError } from '../../src/base/errors.ts';
import { version } from '../../src/base/version.ts';
import { inquest } from './run.ts';

const sample = fileURLToPath(new URL('../../samples/vmcore', import.meta.url));
/** Breaks the language under the program, so that it has a bug. */
const broken = {
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(
    "process.argv.length > 2 && (String.prototype.padEnd = () => { throw new TypeError('broken\\n\\u001b[31m') })",
  )}`,
};

test('the version is that of the package', () => {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  assert.equal(version, manifest.version);
});

test('a bug of the program is told in a few lines of the sources, and as one', async () => {
  const { status, stderr } = await inquest(['info', sample], { environment: broken });
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^inquest: TypeError: broken\\x0a\\x1b\[31m\n {4}at .*\(src\/[a-z_/]+\.ts:\d+\)\n.*src\/cli\/main\.ts:\d+/s,
  );
  assert.match(stderr, new RegExp(`bug of inquest ${version} .*\\n.*Please report`));
  assert.ok(stderr.length < 1500, stderr);
});

test('a bug in a command is told by its shell, which goes on', async () => {
  const run = await inquest(['crash', '-s', sample, '-c', 'mod', '-c', 'sym schedule'], { environment: broken });
  assert.equal(run.status, 1);
  assert.match(run.stderr, /^mod: TypeError: broken.*\n {4}at .*\(src\/commands\/.*\.ts:\d+\)\n/);
  assert.match(run.stdout, / schedule$/m);
});

test('what is not the fault of the program is no bug of it', async () => {
  const { stderr } = await inquest(['info', '/nosuch']);
  assert.equal(stderr, 'inquest: /nosuch: no such file\n');
  assert.ok(!isBug(new FormatError('x', 'y')));
  // from a thread it comes without its class
  assert.ok(!isBug(structuredClone(new FormatError('x', 'y'))));
  assert.ok(isBug(structuredClone(new TypeError('x'))));
});
