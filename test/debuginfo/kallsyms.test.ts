import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type VirtAddr, virtAddr } from '../../src/base/address.ts';
import { FormatError, InquestError, MemoryFault } from '../../src/base/errors.ts';
import { Kallsyms } from '../../src/debuginfo/kallsyms.ts';
import type { KernelSymbol } from '../../src/debuginfo/symbol.ts';
import { Vmcoreinfo } from '../../src/dump/vmcoreinfo.ts';
import {
  type KallsymsOptions,
  MemorySpace,
  type WrittenKallsyms,
  type WrittenSymbol,
  writeKallsyms,
} from '../support/kallsyms_writer.ts';

const stext = 0xffff_ffff_8100_0000n;

/** `n` functions of 16 bytes from `_stext` on, with names that share parts, then `_end`. */
function kernel(n: number): WrittenSymbol[] {
  const symbols: WrittenSymbol[] = [
    { address: stext, type: 'T', name: '_stext' },
    { address: stext, type: 'T', name: '_text' },
  ];
  for (let i = 0; i < n; i++) {
    symbols.push({
      address: stext + BigInt(16 * i + 16),
      type: i % 3 === 0 ? 'T' : 't',
      name: `do_${(i * 7919) % n}_sys`,
    });
  }
  symbols.push({ address: stext + BigInt(16 * n + 16), type: 'B', name: '_end' });
  return symbols;
}

const perCpu: WrittenSymbol[] = [
  { address: 0n, type: 'A', name: 'fixed_percpu_data' },
  { address: 0n, type: 'A', name: '__per_cpu_start' },
  { address: 0x2_1000n, type: 'A', name: 'runqueues' },
];

function lines(symbols: Iterable<WrittenSymbol | KernelSymbol>): string[] {
  return [...symbols].map((s) => `${s.address.toString(16)} ${s.type} ${s.name}`);
}

function open(image: WrittenKallsyms): Kallsyms {
  return Kallsyms.open(new MemorySpace(image.base, image.bytes), new Vmcoreinfo(image.vmcoreinfo));
}

/** Opens without VMCOREINFO's keys of the tables; `_stext` stays unless told otherwise. */
function openBySearch(image: WrittenKallsyms, info: string | null): Kallsyms {
  const range = { start: image.base, end: virtAddr(image.base + BigInt(image.bytes.length)) };
  return Kallsyms.open(new MemorySpace(image.base, image.bytes), info === null ? null : new Vmcoreinfo(info), range);
}

function at(kallsyms: Kallsyms, address: bigint): string | null {
  const place = kallsyms.at(address as VirtAddr);
  return place === null ? null : `${place.symbol.name}+${place.offset}`;
}

const latest: KallsymsOptions = { layout: '7.0', encoding: 'place' };

/** Every form that kernels have had. */
const forms: KallsymsOptions[] = [
  { layout: '4.6', encoding: 'relative', markerSize: 8 },
  { layout: '4.6', encoding: 'relative-percpu', markerSize: 8 },
  { layout: '4.6', encoding: 'absolute', markerSize: 8 },
  { layout: '4.6', encoding: 'relative-percpu' },
  { layout: '6.2', encoding: 'relative' },
  { layout: '6.2', encoding: 'relative-percpu' },
  { layout: '6.2', encoding: 'absolute' },
  { layout: '6.4', encoding: 'relative' },
  { layout: '6.4', encoding: 'relative-percpu' },
  { layout: '6.4', encoding: 'absolute' },
  latest,
];

function patch(image: WrittenKallsyms, table: string, offset: number, bytes: readonly number[]): WrittenKallsyms {
  const copy = Uint8Array.from(image.bytes);
  copy.set(bytes, image.at.get(table)! + offset);
  return { ...image, bytes: copy };
}

test('no tables at all is one clear error', () => {
  const space = new MemorySpace(stext, new Uint8Array(8192));
  assert.throws(() => Kallsyms.open(space, null), FormatError);
  assert.throws(() => Kallsyms.open(space, new Vmcoreinfo('')), FormatError);
  assert.throws(() => Kallsyms.open(space, new Vmcoreinfo(`SYMBOL(_stext)=${stext.toString(16)}`)), FormatError);
});

test('keys that point to unmapped memory are a memory fault, not a crash', () => {
  const image = writeKallsyms(kernel(300), latest);
  assert.throws(
    () => Kallsyms.open(new MemorySpace(0x1000n, new Uint8Array(64)), new Vmcoreinfo(image.vmcoreinfo)),
    MemoryFault,
  );
});

test('absurd counts are refused', () => {
  const image = writeKallsyms(kernel(300), latest);
  for (const count of [0, 0xffff_ffff, 0x0100_0000]) {
    const bytes = [count & 0xff, (count >>> 8) & 0xff, (count >>> 16) & 0xff, count >>> 24];
    assert.throws(() => open(patch(image, 'kallsyms_num_syms', 0, bytes)), FormatError, `${count}`);
  }
});

test('a token index that points out of the token table is refused', () => {
  const image = writeKallsyms(kernel(300), latest);
  assert.throws(() => open(patch(image, 'kallsyms_token_index', 0, [0xff, 0xff])), FormatError);
});

test('addresses that do not put _stext where VMCOREINFO has it are refused', () => {
  const image = writeKallsyms(kernel(300), latest);
  const vmcoreinfo = image.vmcoreinfo.replace(/_stext\)=.*/, '_stext)=ffffffff81000010');
  assert.throws(() => open({ ...image, vmcoreinfo }), FormatError);
});

for (const form of forms) {
  const what = `${form.layout} ${form.encoding}${form.markerSize === 8 ? ', 8-byte markers' : ''}`;
  const symbols = form.encoding === 'relative' || form.encoding === 'place' ? kernel(900) : [...perCpu, ...kernel(900)];

  test(`every symbol is read with its address and type: ${what}`, () => {
    const kallsyms = open(writeKallsyms(symbols, form));
    assert.deepEqual(lines(kallsyms.all()), lines(symbols));
    assert.equal(kallsyms.count, symbols.length);
    assert.equal(kallsyms.find('do_7_sys')?.address, symbols.find((s) => s.name === 'do_7_sys')!.address);
    assert.equal(kallsyms.find('do_7_sy'), null);
    assert.equal(kallsyms.find(''), null);
    assert.equal(at(kallsyms, stext + 0x125n), `${symbols.find((s) => s.address === stext + 0x120n)!.name}+5`);
    assert.deepEqual(kallsyms.faults, []);
  });

  test(`the tables are found without VMCOREINFO's keys: ${what}`, () => {
    const image = writeKallsyms(symbols, form);
    const kallsyms = openBySearch(image, `SYMBOL(_stext)=${stext.toString(16)}`);
    assert.deepEqual(lines(kallsyms.all()), lines(symbols));
    assert.equal(kallsyms.find('do_7_sys')?.address, symbols.find((s) => s.name === 'do_7_sys')!.address);
  });
}

test('without any VMCOREINFO the encoding follows from the text at linux_banner', () => {
  const base = 0xffff_ffff_8200_0000n;
  for (const encoding of ['relative', 'relative-percpu'] as const) {
    // The banner is in the padding in front of the tables.
    const symbols = [...kernel(600).slice(0, -1), { address: base + 64n, type: 'D', name: 'linux_banner' }];
    const image = writeKallsyms(encoding === 'relative' ? symbols : [...perCpu, ...symbols], {
      layout: '4.6',
      encoding,
      base,
    });
    image.bytes.set(Buffer.from('Linux version 4.19.0 (test)'), 64);
    assert.equal(openBySearch(image, null).find('linux_banner')?.address, base + 64n);
    image.bytes.fill(0, 64, 80);
    assert.throws(() => openBySearch(image, null), FormatError);
  }
});

test('without VMCOREINFO and banner, an encoding that puts _stext outside the image is not taken', () => {
  const { bytes, base } = writeKallsyms(kernel(900), { ...latest, base: stext + 0x10_0000n });
  const range = { start: virtAddr(stext), end: virtAddr(base + BigInt(bytes.length)) };
  assert.equal(Kallsyms.open(new MemorySpace(base, bytes), null, range).find('_stext')?.address, stext);
});

test('names of more than 127 bytes have a length of two bytes', () => {
  // No pair of characters repeats, so that nothing is compressed.
  let long = '';
  for (let i = 0; i < 250; i++) long += String.fromCharCode(0x30 + (i % 10), 0x41 + ((i * 7) % 26));
  const symbols = [...kernel(2).slice(0, -1), { address: stext + 0x100n, type: 't', name: long.slice(0, 500) }];
  const kallsyms = open(writeKallsyms(symbols, latest));
  assert.deepEqual(lines(kallsyms.all()), lines(symbols));
  assert.equal(kallsyms.find(long)?.address, stext + 0x100n);
});

test('of symbols at one address the first is named, as the kernel names it, and sizes reach to the next address', () => {
  const symbols: WrittenSymbol[] = [
    { address: stext, type: 'T', name: '_stext' },
    { address: stext, type: 'T', name: '_text' },
    { address: stext + 0x40n, type: 'T', name: 'ksys_sync' },
    { address: stext + 0x40n, type: 'W', name: 'weak_sync' },
    { address: stext + 0x40n, type: 'T', name: '__x64_sync' },
    { address: stext + 0x100n, type: 'D', name: '_end' },
    { address: stext + 0x180n, type: 'd', name: 'scratch' },
  ];
  const kallsyms = open(writeKallsyms(symbols, latest));
  assert.equal(at(kallsyms, stext + 0x3fn), '_stext+63');
  assert.equal(at(kallsyms, stext + 0x40n), 'ksys_sync+0');
  assert.equal(at(kallsyms, stext + 0xffn), 'ksys_sync+191');
  assert.equal(kallsyms.find('__x64_sync')?.size, 0xc0);
  assert.equal(kallsyms.find('_stext')?.size, 0x40);
  assert.equal(kallsyms.find('scratch')?.size, 0);
});

test('only addresses of the image have a symbol: not those of modules, of per-CPU offsets, of anything else', () => {
  const symbols = [...perCpu, ...kernel(10)];
  const kallsyms = open(writeKallsyms(symbols, { layout: '6.4', encoding: 'relative-percpu' }));
  const end = symbols.at(-1)!.address;
  assert.equal(at(kallsyms, end - 1n), `${symbols.at(-2)!.name}+15`);
  for (const address of [
    0n,
    0x2_1000n,
    stext - 1n,
    end,
    end + 0x1000n,
    0xffff_ffff_c000_0000n,
    0xffff_ffff_ffff_ffffn,
  ]) {
    assert.equal(at(kallsyms, address), null, address.toString(16));
  }
  assert.equal(kallsyms.find('runqueues')?.address, 0x2_1000n);
  // The kernel's text is not the end of the last per-CPU variable.
  assert.equal(kallsyms.find('runqueues')?.size, 0);
});

test('where the table has functions alone, data belongs to none', () => {
  const symbols: WrittenSymbol[] = [
    { address: stext, type: 'T', name: '_stext' },
    { address: stext + 0x40n, type: 'T', name: 'schedule' },
    { address: stext + 0x100n, type: 'D', name: '_etext' },
    { address: stext + 0x10_0000n, type: 'T', name: '_sinittext' },
    { address: stext + 0x10_0010n, type: 't', name: 'start_kernel' },
    { address: stext + 0x10_0080n, type: 'T', name: '_einittext' },
  ];
  const kallsyms = open(writeKallsyms(symbols, latest));
  assert.equal(at(kallsyms, stext + 0x41n), 'schedule+1');
  assert.equal(at(kallsyms, stext + 0x8000n), null);
  assert.equal(at(kallsyms, stext + 0x10_0011n), 'start_kernel+1');
  assert.equal(at(kallsyms, stext + 0x10_0081n), null);
});

test('static functions that share a name are all found, by ascending address', () => {
  const symbols: WrittenSymbol[] = kernel(600).map((s, i) => (i % 100 === 50 ? { ...s, name: 'show' } : s));
  for (const form of forms.filter((f) => f.encoding !== 'place' || f.layout === '7.0')) {
    const kallsyms = open(writeKallsyms(symbols, form));
    const expected = symbols.filter((s) => s.name === 'show').map((s) => s.address);
    assert.deepEqual(
      kallsyms.findAll('show').map((s) => s.address),
      expected,
      form.layout,
    );
    assert.equal(kallsyms.find('show')?.address, expected[0]);
  }
});

test('names that an LTO kernel has sorted without their suffix are found all the same', () => {
  const symbols: WrittenSymbol[] = [
    { address: stext, type: 'T', name: '_stext' },
    { address: stext + 0x10n, type: 't', name: 'foo.llvm.123' },
    { address: stext + 0x20n, type: 't', name: 'foo.cold' },
    { address: stext + 0x30n, type: 'T', name: 'zoo' },
  ];
  const image = writeKallsyms(symbols, { layout: '6.4', encoding: 'relative' });
  // Sorted by whole names that is _stext, foo.cold, foo.llvm.123, zoo.
  const kallsyms = open(patch(image, 'kallsyms_seqs_of_names', 3, [0, 0, 1, 0, 0, 2]));
  for (const { name, address } of symbols) assert.equal(kallsyms.find(name)?.address, address, name);
  assert.equal(kallsyms.find('foo'), null);
});

test('an order of names that lies is not relied upon', () => {
  const symbols = kernel(600);
  const image = writeKallsyms(symbols, latest);
  const all = image.at.get('kallsyms_seqs_of_names')!;
  const table = image.bytes.subarray(all, all + 3 * symbols.length);
  for (const fill of [0x00, 0xff, 0x01]) {
    table.fill(fill);
    const kallsyms = open(image);
    for (const { name } of symbols) assert.equal(kallsyms.find(name)?.name, name);
  }
});

test('markers that contradict the names are not used', () => {
  const symbols = kernel(900);
  const image = writeKallsyms(symbols, latest);
  for (const bytes of [
    [1, 0, 0, 0],
    [0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f],
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ]) {
    assert.deepEqual(lines(open(patch(image, 'kallsyms_markers', 0, bytes)).all()), lines(symbols));
  }
});

test('a corrupt name costs its group of 256 and is reported', () => {
  const symbols = kernel(1000);
  const image = writeKallsyms(symbols, latest);
  const marker = new DataView(image.bytes.buffer).getUint32(image.at.get('kallsyms_markers')! + 4, true);
  const kallsyms = open(patch(image, 'kallsyms_names', marker, [0x7f]));
  const left = lines(symbols).filter((_, i) => i < 256 || i >= 512);
  assert.deepEqual(lines(kallsyms.all()), left);
  assert.equal(kallsyms.faults.length, 1);
  assert.equal(at(kallsyms, symbols[300]!.address), null);
  assert.equal(at(kallsyms, symbols[600]!.address), `${symbols[600]!.name}+0`);
  assert.equal(kallsyms.find(symbols[700]!.name)?.address, symbols[700]!.address);
  assert.equal(kallsyms.find(symbols[300]!.name), null);
});

test('an entry out of order is unknown, and its neighbours are not', () => {
  const symbols = kernel(900);
  const image = writeKallsyms(symbols, { layout: '6.4', encoding: 'relative' });
  for (const value of [0xff, 0x00]) {
    const kallsyms = open(patch(image, 'kallsyms_offsets', 4 * 500, [value, value, value, value]));
    assert.deepEqual(lines(kallsyms.all()), lines(symbols.filter((_, i) => i !== 500)));
    assert.equal(kallsyms.find(symbols[500]!.name), null);
    assert.equal(at(kallsyms, symbols[499]!.address), `${symbols[499]!.name}+0`);
    // Whether the symbol before reaches here cannot be told.
    assert.equal(at(kallsyms, symbols[500]!.address), null);
    assert.equal(at(kallsyms, symbols[501]!.address + 3n), `${symbols[501]!.name}+3`);
    assert.equal(kallsyms.faults.length, 1);
  }
});

test('a page of addresses or of names that is not in the dump costs what is on it', () => {
  const symbols = kernel(6000);
  const image = writeKallsyms(symbols, latest);
  const pageOf = (table: string, offset: number) => Math.floor((image.at.get(table)! + offset) / 4096);
  for (const page of [pageOf('kallsyms_offsets', 12_000), pageOf('kallsyms_names', 20_000)]) {
    const space = new MemorySpace(image.base, image.bytes);
    space.lost.add(page);
    const kallsyms = Kallsyms.open(space, new Vmcoreinfo(image.vmcoreinfo));
    const read = lines(kallsyms.all());
    assert.ok(read.length >= 3000 && read.length < 6000, `${read.length}`);
    const whole = new Set(lines(symbols));
    assert.ok(read.every((line) => whole.has(line)));
    assert.ok(kallsyms.faults.every((fault) => fault instanceof MemoryFault));
    let found = 0;
    for (const { address, name } of symbols) {
      const place = kallsyms.at((address + 1n) as VirtAddr);
      if (place === null) continue;
      found++;
      if (name !== '_text') assert.equal(place.symbol.name, name);
    }
    assert.ok(found >= 3000 && found < 6000, `${found}`);
    for (const line of read.slice(1000, 1010))
      assert.equal(kallsyms.find(line.split(' ')[2]!)?.address, BigInt(`0x${line.split(' ')[0]}`));
  }
});

test('a search ends in an image that is full of things like token tables', () => {
  // 256 ascending numbers from 0, over and over.
  const bytes = new Uint8Array(1024 * 1024);
  const halves = new Uint16Array(bytes.buffer);
  for (let i = 0; i < halves.length; i++) halves[i] = (i % 256) * 2;
  const range = { start: virtAddr(stext), end: virtAddr(stext + BigInt(bytes.length)) };
  assert.throws(() => Kallsyms.open(new MemorySpace(stext, bytes), null, range), FormatError);
});

const symbolName = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_.$]{0,60}$/);

test('any set of symbols is read back, by keys and by search', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ gap: fc.integer({ min: 0, max: 0x10_0000 }), name: symbolName }), { maxLength: 300 }),
      fc.constantFrom(...forms.filter((form) => form.layout !== '6.2')),
      (entries, form) => {
        const symbols: WrittenSymbol[] = [{ address: stext, type: 'T', name: '_stext' }];
        let address = stext;
        for (const { gap, name } of entries) {
          address += BigInt(gap);
          symbols.push({ address, type: 't', name });
        }
        const image = writeKallsyms(symbols, form);
        for (const kallsyms of [open(image), openBySearch(image, `SYMBOL(_stext)=${stext.toString(16)}`)]) {
          assert.deepEqual(lines(kallsyms.all()), lines(symbols));
          for (const { name } of symbols.slice(0, 20)) {
            assert.deepEqual(lines(kallsyms.findAll(name)), lines(symbols.filter((s) => s.name === name)));
          }
        }
      },
    ),
    { numRuns: 40 },
  );
});

test('damaged tables give symbols or an error of ours, in bounded time', () => {
  const symbols = [...perCpu, ...kernel(700)];
  const images = forms
    .filter((f) => f.encoding !== 'relative' && f.encoding !== 'place')
    .map((form) => writeKallsyms(symbols, form));
  fc.assert(
    fc.property(
      fc.constantFrom(...images),
      fc.array(fc.tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 16 })), { minLength: 1, maxLength: 12 }),
      fc.boolean(),
      (image, damage, search) => {
        const bytes = Uint8Array.from(image.bytes);
        for (const [where, what] of damage) bytes.set(what, where % (bytes.length - 16));
        const damaged = { ...image, bytes };
        try {
          const kallsyms = search ? openBySearch(damaged, `SYMBOL(_stext)=${stext.toString(16)}`) : open(damaged);
          let n = 0;
          for (const _ of kallsyms.all()) n++;
          assert.ok(n <= kallsyms.count);
          for (const { name, address } of symbols.slice(0, 30)) {
            kallsyms.findAll(name);
            const place = kallsyms.at(address as VirtAddr);
            assert.ok(place === null || place.offset >= 0);
          }
        } catch (error) {
          if (!(error instanceof InquestError)) throw error;
        }
      },
    ),
    { numRuns: 60 },
  );
});
