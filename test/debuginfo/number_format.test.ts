// Numbers in gdb's formats: as gdb 16.3 printed them in crash 9.0.2.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatNumber, type NumberFormat } from '../../src/debuginfo/number_format.ts';

const cases: readonly [value: bigint, bits: number, signed: boolean, format: NumberFormat, text: string][] = [
  [0x4200002n, 32, false, 'z', '0x04200002'],
  [0x4200002n, 32, false, 't', '100001000000000000000000010'],
  [0x4200002n, 32, false, 'o', '0410000002'],
  [0x4200002n, 32, false, 'f', '1.88079132e-36'],
  [0x4200002n, 32, false, 'c', "2 '\\002'"],
  [321n, 32, true, 'c', "65 'A'"],
  [200n, 32, true, 'c', "-56 '\\310'"],
  [200n, 32, false, 'c', "200 '\\310'"],
  [120n, 32, true, 'f', '1.68155816e-43'],
  [0xffff_ffff_8ca0_0000n, 64, false, 'f', '-nan(0xfffff8ca00000)'],
  [0xffff_ffff_8c34_e140n, 64, false, 'd', '-1942691520'],
  [1n, 16, true, 'z', '0x0001'],
  [-1n, 32, true, 'u', '4294967295'],
  [-1n, 32, true, 'x', '0xffffffff'],
  [-1n, 32, true, 'd', '-1'],
  [7n, 16, true, 'f', '7'],
  [0n, 32, true, 'o', '0'],
  [0n, 32, true, 't', '0'],
  [0n, 32, true, 'a', '0x0'],
];

for (const [value, bits, signed, format, text] of cases) {
  test(`/${format} of ${value} in ${bits} bits${signed ? '' : ', unsigned,'} is ${text}`, () =>
    assert.equal(formatNumber(value, bits, signed, format), text));
}
