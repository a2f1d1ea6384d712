import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Vmcoreinfo } from '../../src/dump/vmcoreinfo.ts';

test('absurd values are absent, not NaN or a wrapped number', () => {
  const info = new Vmcoreinfo(
    [
      'SYMBOL(a)=',
      'SYMBOL(b)=fffffffffffffffff',
      'SYMBOL(c)=xyz',
      'SYMBOL(d)=-1',
      'NUMBER(e)=--1',
      'NUMBER(f)=99999999999999999999',
      'SIZE(g)=-4',
      'SIZE(h)=0x10',
      'OFFSET(i.j)=18446744073709551615',
      'PAGESIZE=4097',
      'KERNELOFFSET=zz',
      'CRASHTIME=soon',
    ].join('\n'),
  );
  for (const name of 'abcd') assert.equal(info.symbol(name), null, name);
  assert.equal(info.number('e'), null);
  assert.equal(info.number('f'), null);
  assert.equal(info.size('g'), null);
  assert.equal(info.size('h'), null);
  assert.equal(info.offset('i.j'), null);
  assert.equal(info.pageSize, null);
  assert.equal(info.kernelOffset, null);
  assert.equal(info.crashTime, null);
  assert.equal(info.symbol('absent'), null);
  assert.equal(info.symbol('__proto__'), null);
});

test('lines that are not KEY=value do not hide the ones around them', () => {
  const info = new Vmcoreinfo('garbage\n\n=5\nOSRELEASE=6.12.0\r\nno equals here\nPAGESIZE=4096\nlast');
  assert.equal(info.release, '6.12.0');
  assert.equal(info.pageSize, 4096);
  assert.deepEqual([...info.entries()].length, 2);
});

test('text after a NUL is padding of the note', () => {
  const info = new Vmcoreinfo('PAGESIZE=4096\n\0PAGESIZE=16384\n');
  assert.equal(info.pageSize, 4096);
});

test('an addition repeated by the crash overrides', () => {
  assert.equal(new Vmcoreinfo('CRASHTIME=1\nCRASHTIME=1795233117\n').crashTime, 1795233117);
});

test("each key is read in the kernel's notation", () => {
  const info = new Vmcoreinfo(`OSRELEASE=6.1.0-50-cloud-arm64
BUILD-ID=aa1baf2841c8b47296c91289f85df12f6c8b8bf2
SYMBOL(_stext)=ffffb4b5d7210000
SIZE(page)=64
OFFSET(page.flags)=0
LENGTH(zone.free_area)=11
NUMBER(phys_base)=-274726912
NUMBER(kimage_voffset)=0xffffb4b597000000
NUMBER(VA_BITS)=48
KERNELOFFSET=34b5cf200000
`);
  assert.equal(info.release, '6.1.0-50-cloud-arm64');
  assert.equal(info.buildId, 'aa1baf2841c8b47296c91289f85df12f6c8b8bf2');
  assert.equal(info.symbol('_stext'), 0xffffb4b5d7210000n);
  assert.equal(info.size('page'), 64);
  assert.equal(info.offset('page.flags'), 0);
  assert.equal(info.length('zone.free_area'), 11);
  assert.equal(info.number('phys_base'), -274726912n);
  assert.equal(info.number('kimage_voffset'), 0xffffb4b597000000n);
  assert.equal(info.number('VA_BITS'), 48n);
  assert.equal(info.kernelOffset, 0x34b5cf200000n);
  assert.equal(info.text('KERNELOFFSET'), '34b5cf200000');
});

test('any text parses without throwing, and numbers stay in range', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (junk, value) => {
      const info = new Vmcoreinfo(`${junk.replaceAll('\0', '')}\nNUMBER(n)=${value}\n`);
      assert.equal(info.number('n'), value);
      assert.ok(info.kernelOffset === null || info.kernelOffset >= 0n);
    }),
  );
});
