import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { InquestError, UnsupportedError } from '../../../src/base/errors.ts';
import { ElfFile } from '../../../src/debuginfo/elf/elf_file.ts';
import { isElfObject } from '../../../src/debuginfo/elf/elf_object.ts';
import { Relocator } from '../../../src/debuginfo/elf/relocations.ts';
import { ElfSymbols } from '../../../src/debuginfo/elf/symbols.ts';
import { ByteWriter } from '../../support/dump_writers/byte_writer.ts';
import { ElfWriter, memoryFile } from '../../support/elf_writer.ts';

const open = (bytes: Uint8Array): ElfFile => new ElfFile(memoryFile(bytes));
const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value, 'latin1'));

function compressed(type: number, packed: Uint8Array, size: number): Uint8Array {
  return new ByteWriter().u32(type).u32(0).u64(size).u64(1).put(packed).done();
}

test('what is no ELF object, or one that is not analysed, is refused in words', () => {
  assert.throws(() => open(text('not an ELF file')), /is not an ELF file/);
  assert.throws(() => open(text('\x7fELF\x02\x01')), /cut inside its ELF header/);
  assert.throws(() => open(new ElfWriter('core').bytes()), /is a core dump/);
  const narrow = new ElfWriter().bytes();
  narrow[4] = 1;
  assert.throws(() => open(narrow), UnsupportedError);
  const big = new ElfWriter().bytes();
  big[5] = 2;
  assert.throws(() => open(big), UnsupportedError);
  assert.equal(isElfObject(new ElfWriter('core').bytes()), false);
  assert.equal(isElfObject(new ElfWriter('relocatable').bytes()), true);
});

test('a section that is cut off costs itself, not the file', () => {
  const bytes = new ElfWriter()
    .section('.a', { bytes: text('here') })
    .section('.b', { bytes: text('there') })
    .bytes();
  const view = new DataView(bytes.buffer);
  const table = Number(view.getBigUint64(40, true));
  view.setBigUint64(table + 2 * 64 + 32, 1n << 40n, true); // size of .b
  const file = open(bytes);
  assert.equal(file.content(file.section('.a')!).text(0), 'here');
  assert.throws(() => file.content(file.section('.b')!), /is cut off/);
});

test('a table of sections of absurd length is refused', () => {
  const bytes = new ElfWriter().section('.a', { bytes: text('x') }).bytes();
  const view = new DataView(bytes.buffer);
  view.setUint16(60, 0, true); // the number stands in section 0
  view.setBigUint64(Number(view.getBigUint64(40, true)) + 32, 1n << 50n, true);
  assert.throws(() => open(bytes), /out of range/);
});

test('random changes of a file give a file or an InquestError', () => {
  const whole = new ElfWriter('relocatable')
    .buildId('0011223344')
    .section('.text', { code: true, noBits: 64 })
    .section('.debug_info', { bytes: new Uint8Array(64) })
    .symbol('f', '.text', 8n)
    .relocate('.debug_info', [{ at: 8, symbol: 'f' }])
    .bytes();
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 12 }),
      fc.nat(whole.length),
      (changes, length) => {
        const bytes = whole.slice(0, length + 1);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        try {
          const file = open(bytes);
          const relocator = new Relocator(file, () => 0xffff_ffff_c000_0000n);
          for (const section of file.sections) relocator.content(section).readUpTo(0, 256);
        } catch (error) {
          if (!(error instanceof InquestError)) throw error;
        }
      },
    ),
    { numRuns: 400 },
  );
});

test('the build-id is found among notes', () => {
  const file = open(
    new ElfWriter()
      .section('.notes', { type: 7, bytes: new ByteWriter().u32(4).u32(0).u32(9).text('Xen', 4).done() })
      .buildId('00aabbcc')
      .bytes(),
  );
  assert.equal(file.buildId, '00aabbcc');
  assert.equal(open(new ElfWriter().bytes()).buildId, null);
});

test('sections compressed with zlib read as they were', () => {
  const content = text('a text that is long enough to be packed '.repeat(2000));
  const file = open(
    new ElfWriter()
      .section('.debug_str', { flags: 0x800, bytes: compressed(1, zlib.deflateSync(content), content.length) })
      .section('.zdebug_line', {
        bytes: new ByteWriter()
          .text('ZLIB', 4)
          .u32(0)
          .put(Buffer.from([0, 1, 0x38, 0x80]))
          .put(zlib.deflateSync(content))
          .done(),
      })
      .bytes(),
  );
  assert.deepEqual(
    Buffer.from(file.content(file.section('.debug_str')!).read(0, content.length)),
    Buffer.from(content),
  );
  assert.equal(file.content(file.section('.zdebug_line')!).size, content.length);
});

test('sections compressed with zstd read as they were', { skip: zlib.zstdCompressSync === undefined }, () => {
  const content = text('zstd '.repeat(100_000));
  const packed = compressed(2, zlib.zstdCompressSync(content), content.length);
  const file = open(new ElfWriter().section('.debug_info', { flags: 0x800, bytes: packed }).bytes());
  assert.equal(file.content(file.section('.debug_info')!).text(499_990).length, 10);
});

test('a compressed section that is damaged, cut or of another size is refused', () => {
  const content = text('abc '.repeat(5000));
  const packed = zlib.deflateSync(content);
  const damaged = Buffer.from(packed);
  damaged.fill(0xff, 4, 20);
  const cases: [Uint8Array, RegExp][] = [
    [compressed(1, damaged, content.length), /cannot be unpacked/],
    [compressed(1, packed.subarray(0, packed.length - 6), content.length), /cannot be unpacked/],
    [compressed(1, packed, content.length + 1), /unpacks to 0x4e20 bytes, not to 0x4e21/],
    [compressed(1, packed, 100), /unpacks to more than 100 bytes/],
    [compressed(1, packed, 2 ** 40), /says that it is/],
    [compressed(9, packed, content.length), /compression of type 9/],
    [text('short'), /cut inside its compression header/],
  ];
  for (const [bytes, message] of cases) {
    const file = open(new ElfWriter().section('.debug_info', { flags: 0x800, bytes }).bytes());
    assert.throws(() => file.content(file.section('.debug_info')!), { name: 'FormatError', message });
  }
});

test('relocations of a module are applied where its sections were loaded, wherever a read begins', () => {
  const file = open(
    new ElfWriter('relocatable')
      .section('.text', { code: true, noBits: 0x100 })
      .section('.debug_info', { bytes: new Uint8Array(200_000).fill(0xee) })
      .symbol('f', '.text', 0x40n)
      .symbol('text', '.debug_info', 0n)
      .relocate('.debug_info', [
        { at: 65_532, symbol: 'f', addend: 4n }, // across a window's edge
        { at: 100, symbol: 'f' }, // in no order
        { at: 120, symbol: 'text', addend: 0x1234n, type: 10 },
      ])
      .bytes(),
  );
  const textIndex = file.section('.text')!.index;
  const relocator = new Relocator(file, (section) => (section === textIndex ? 0xffff_ffff_c012_3000n : null));
  const content = relocator.content(file.section('.debug_info')!);
  const at = (offset: number): bigint => {
    const bytes = content.read(offset, 8);
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  };
  assert.equal(at(100), 0xffff_ffff_c012_3040n);
  assert.equal(at(120), 0xeeee_eeee_0000_1234n);
  assert.equal(at(65_532), 0xffff_ffff_c012_3044n);
  assert.equal(at(65_536) & 0xffff_ffffn, 0xffff_ffffn);
  assert.equal(content.read(0, 150_000)[65_532], 0x44); // past the windows
});

test('code that was not loaded has address 0', () => {
  const file = open(
    new ElfWriter('relocatable')
      .section('.init.text', { code: true, noBits: 16 })
      .section('.debug_info', { bytes: new Uint8Array(16).fill(0xee) })
      .symbol('init_module', '.init.text', 8n)
      .relocate('.debug_info', [{ at: 0, symbol: 'init_module' }])
      .bytes(),
  );
  const content = new Relocator(file, () => null).content(file.section('.debug_info')!);
  assert.deepEqual([...content.read(0, 9)], [0, 0, 0, 0, 0, 0, 0, 0, 0xee]);
});

test('symbols are found by name', () => {
  const symbols = ElfSymbols.of(
    open(
      new ElfWriter()
        .section('.text', { code: true, noBits: 16 })
        .symbol('schedule', '.text', 0x10n)
        .symbol('_stext', '.text', 0x20n)
        .bytes(),
    ),
  )!;
  assert.equal(symbols.value('_stext'), 0x20n);
  assert.equal(symbols.value('stext'), null); // the end of another name
  assert.deepEqual(
    symbols.find('schedule').map(({ value }) => value),
    [0x10n],
  );
});
