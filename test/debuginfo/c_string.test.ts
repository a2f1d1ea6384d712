import assert from 'node:assert/strict';
import { test } from 'node:test';
import { charLiteral, stringLiteral } from '../../src/debuginfo/c_string.ts';

test('a text is written as gdb writes it: a digit behind an escape as it is', () => {
  assert.equal(stringLiteral(Buffer.from('a\x001b', 'latin1')), '"a\\0001b"');
  assert.equal(stringLiteral(Buffer.from([0xe7, 0xcb, 0x39, 0x00])), '"\\347\\3139\\000"');
  assert.equal(stringLiteral(Buffer.from('a"b\\c\x1b[1m\x7f\n', 'latin1')), '"a\\"b\\\\c\\033[1m\\177\\n"');
});

test('a character has its own quote escaped only', () => {
  assert.deepEqual([39n, 34n, -1n, 0n, 256n + 65n].map(charLiteral), ["'\\''", "'\"'", "'\\377'", "'\\000'", "'A'"]);
});
