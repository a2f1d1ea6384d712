import assert from 'node:assert/strict';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../../src/base/errors.ts';
import { receive } from '../../src/host/receive.ts';

const base = mkdtempSync(join(tmpdir(), 'inquest-receive-'));
after(() => rmSync(base, { recursive: true }));
const into = join(base, 'dumps');
mkdirSync(into);
const crash = `${into}/web1-2026-11-21-194500`;

/** @param text what comes over the wire */
function send(command: string, text = ''): void {
  const file = join(base, 'input');
  writeFileSync(file, text);
  const fd = openSync(file, 'r');
  try {
    receive(into, command, fd);
  } finally {
    closeSync(fd);
  }
}

test('a folder, a file in one go, and a stream that gets its name when it is whole', () => {
  send(`mkdir -p '${crash}'`);
  send(
    `cat > '${crash}/verdict.txt.incomplete' && mv '${crash}/verdict.txt.incomplete' '${crash}/verdict.txt'`,
    'it died',
  );
  send(`cat > '${crash}/vmcore.flat.incomplete'`, 'the dump');
  assert.deepEqual(readdirSync(crash).sort(), ['verdict.txt', 'vmcore.flat.incomplete']);
  send(`mv '${crash}/vmcore.flat.incomplete' '${crash}/vmcore.flat'`);
  assert.deepEqual(readdirSync(crash).sort(), ['verdict.txt', 'vmcore.flat']);
  assert.equal(readFileSync(`${crash}/vmcore.flat`, 'utf8'), 'the dump');
});

test('nothing is overwritten, read or deleted, and nothing is written elsewhere', () => {
  writeFileSync(join(base, 'secret'), 'secret');
  mkdirSync(`${into}/other`, { recursive: true });
  symlinkSync(base, `${into}/link`);
  for (const command of [
    `cat > '${crash}/verdict.txt.incomplete' && mv '${crash}/verdict.txt.incomplete' '${crash}/verdict.txt'`,
    `cat '${crash}/verdict.txt'`,
    `rm -rf '${crash}'`,
    `mv '${crash}/verdict.txt.incomplete' '${into}/other/x'`,
    `mkdir -p '${base}/elsewhere'`,
    `mkdir -p '${into}/../elsewhere'`,
    `mkdir -p '${into}/a/b'`,
    `cat > '${into}/link/secret.incomplete'`,
    `cat > '${into}/../secret.incomplete'`,
    `mkdir -p '${crash}'; id`,
    'sh',
    '',
  ])
    assert.throws(() => send(command, 'bad'), UsageError, command);
  assert.equal(readFileSync(join(base, 'secret'), 'utf8'), 'secret');
  assert.deepEqual(readdirSync(base).sort(), ['dumps', 'input', 'secret']);
});

test('no words make it write outside of its folder', () => {
  const word = fc.constantFrom(
    'mkdir -p ',
    'cat > ',
    'mv ',
    ' && ',
    "'",
    into,
    '/..',
    '/',
    'x',
    '.incomplete',
    ';',
    '$(id)',
    '\n',
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), (words) => {
      try {
        send(words.join(''));
      } catch {
        // refused
      }
      assert.deepEqual(readdirSync(base).sort(), ['dumps', 'input', 'secret']);
    }),
    { numRuns: 50 },
  );
});
