import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UsageError } from '../../src/base/errors.ts';
import { ascii } from '../../src/commands/code/ascii.ts';
import { evaluate } from '../../src/commands/code/eval.ts';
import { CommandKernel } from '../support/command_kernel.ts';

const kernel = new CommandKernel('');
kernel.define('here', 0xffff_ffff_8100_0000n, 8);

describe('eval', () => {
  for (const [line, hex] of [
    ['1+2', '3'],
    ['1g', '40000000  (1GB)'],
    ['0x10k', '4000  (16KB)'],
    ['(2 << 34)', '800000000  (32GB)'],
    ['~0xff', 'ffffffffffffff00'],
    ['ff', 'ff'],
    ['here + 4', 'ffffffff81000004'],
    ['7 - 8', 'ffffffffffffffff'],
  ] as const) {
    test(line, () => assert.equal(kernel.run(evaluate, line).text.split('\n')[0]!.trimEnd(), `hexadecimal: ${hex}`));
  }
  test('-b has the numbers of the bits', () =>
    assert.match(kernel.run(evaluate, '-b 0x400c').text, /bits set: 14 3 2 \n/));
  test('-b has no line that is too wide', () => {
    const bits = kernel.run(evaluate, '-b 0xffff0000ffff0000').text.split('\n').slice(4, 6);
    assert.deepEqual(bits, [
      '   bits set: 63 62 61 60 59 58 57 56 55 54 53 52 51 50 49 48 31 30 29 28 27 26 ',
      '             25 24 23 22 21 20 19 18 17 16 ',
    ]);
  });
  test('a value with its highest bit set is shown as a negative number, too', () =>
    assert.match(kernel.run(evaluate, '~0xff').text, /18446744073709551360 {2}\(-256\)/));
  for (const line of ['', 'nosuch', '1 +', '12z']) {
    test(`"${line}" is refused`, () => assert.throws(() => kernel.run(evaluate, line), UsageError));
  }
});

describe('ascii', () => {
  test('bytes of a word, lowest first', () =>
    assert.equal(kernel.run(ascii, '6c6f6f70').text, '000000006c6f6f70: pool<NUL><NUL><NUL><NUL>\n'));
  test('the chart has every character once', () => {
    const chart = kernel.run(ascii, '').text;
    for (const c of ["'", '`', '-', '_', '~', 'A', 'DEL', 'NUL']) assert.ok(chart.includes(c), c);
    assert.equal(chart.trim().split('\n').length, 18);
  });
});
