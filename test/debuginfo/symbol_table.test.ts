import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type VirtAddr, virtAddr } from '../../src/base/address.ts';
import { Kallsyms } from '../../src/debuginfo/kallsyms.ts';
import { ArraySymbols } from '../../src/debuginfo/ordered_symbols.ts';
import type { KernelSymbol } from '../../src/debuginfo/symbol.ts';
import { formatPlace, type ModuleSymbols, SymbolTable } from '../../src/debuginfo/symbol_table.ts';
import { Vmcoreinfo } from '../../src/dump/vmcoreinfo.ts';
import { MemorySpace, writeKallsyms } from '../support/kallsyms_writer.ts';

const image = 0xffff_ffff_8100_0000n;
const area = 0xffff_ffff_c000_0000n;

function symbol(address: bigint, name: string, module: string | null): KernelSymbol {
  return { address: virtAddr(address), name, type: 't', size: 0, module };
}

function module(name: string, ranges: [start: bigint, size: number][], symbols: [bigint, string][]): ModuleSymbols {
  return {
    module: { name, ranges: ranges.map(([start, size]) => ({ start: virtAddr(start), size })) },
    symbols: symbols.map(([address, text]) => symbol(address, text, name)),
  };
}

function kernel(): Kallsyms {
  const written = writeKallsyms(
    [
      { address: image, type: 'T', name: '_stext' },
      { address: image + 0x40n, type: 'T', name: 'schedule' },
      { address: image + 0x80n, type: 't', name: 'init' },
      { address: image + 0x80n, type: 't', name: 'init_alias' },
      { address: image + 0x1000n, type: 'B', name: '_end' },
    ],
    { layout: '7.0', encoding: 'place' },
  );
  return Kallsyms.open(new MemorySpace(written.base, written.bytes), new Vmcoreinfo(written.vmcoreinfo));
}

/** Two modules, the memory of the second on both sides of the first. */
const modules: ModuleSymbols[] = [
  module(
    'ext4',
    [[area + 0x1_0000n, 0x1000]],
    [
      [area + 0x1_0800n, 'ext4_read'],
      [area + 0x1_0010n, 'init'],
    ],
  ),
  module(
    'jbd2',
    [
      [area, 0x1000],
      [area + 0x2_0000n, 0x1000],
    ],
    [
      [area + 0x10n, 'commit'],
      [area + 0x2_0100n, 'journals'],
    ],
  ),
];

function place(table: SymbolTable, address: bigint): string | null {
  const found = table.at(virtAddr(address));
  return found === null ? null : formatPlace(found);
}

test('an address between the image and the modules, or between two modules, belongs to no symbol', () => {
  const table = new SymbolTable(kernel(), () => modules);
  for (const address of [
    0n,
    image - 1n,
    image + 0x1000n,
    area - 1n,
    area + 0x1000n,
    area + 0x1_1000n,
    area + 0x1_ffffn,
    area + 0x2_1000n,
    2n ** 64n - 1n,
  ]) {
    assert.equal(place(table, address), null, address.toString(16));
  }
});

test('an address before the first symbol of a module is not given to a symbol of its other memory', () => {
  const table = new SymbolTable(kernel(), () => modules);
  assert.equal(place(table, area + 8n), null);
  assert.equal(place(table, area + 0x2_0000n), null);
  assert.equal(place(table, area + 0x2_0100n), 'journals');
});

test('places in the kernel and in modules are named with a decimal offset', () => {
  const table = new SymbolTable(kernel(), () => modules);
  assert.equal(place(table, image + 0x40n), 'schedule');
  assert.equal(place(table, image + 0x50n), 'schedule+16');
  assert.equal(place(table, image + 0xfffn), 'init+3967');
  assert.equal(place(table, area + 0x1_0fffn), 'ext4_read+2047');
  assert.equal(place(table, area + 0x1_001fn), 'init+15');
});

test("the kernel's symbol comes before a module's of the same name", () => {
  const table = new SymbolTable(kernel(), () => modules);
  assert.equal(table.find('init')?.module, null);
  assert.deepEqual(
    table.findAll('init').map((s) => s.module),
    [null, 'ext4'],
  );
  assert.equal(table.find('commit')?.module, 'jbd2');
  assert.equal(table.find('absent'), null);
});

test('a kernel without a readable table still has its modules, and the other way round', () => {
  const alone = new SymbolTable(null, () => modules);
  assert.equal(place(alone, area + 0x10n), 'commit');
  assert.equal(alone.find('schedule'), null);
  assert.equal([...alone.all()].length, 4);
  const bare = new SymbolTable(kernel(), () => []);
  assert.equal(place(bare, area + 0x10n), null);
  assert.equal([...bare.all()].length, 5);
});

test('modules are not read for what the kernel itself has, and once for all else', () => {
  let reads = 0;
  const table = new SymbolTable(kernel(), () => {
    reads++;
    return modules;
  });
  table.find('schedule');
  place(table, image + 0x50n);
  assert.equal(reads, 0);
  table.find('absent');
  table.find('absent');
  place(table, area);
  assert.deepEqual([...table.all()].length, 9);
  assert.equal(reads, 1);
});

test('reading modules may itself ask for symbols that do not exist', () => {
  const table: SymbolTable = new SymbolTable(kernel(), () => {
    assert.equal(table.find('commit'), null);
    assert.equal(table.at(virtAddr(area + 0x10n)), null);
    return modules;
  });
  assert.equal(table.find('commit')?.module, 'jbd2');
});

test('all symbols come by ascending address, kernel and modules together', () => {
  const low = module('low', [[0x1000n, 16]], [[0x1000n, 'below_the_kernel']]);
  const table = new SymbolTable(kernel(), () => [...modules, low]);
  assert.deepEqual(
    [...table.all()].map((s) => s.name),
    ['below_the_kernel', '_stext', 'schedule', 'init', 'init_alias', '_end', 'commit', 'init', 'ext4_read', 'journals'],
  );
  assert.deepEqual(
    table.search('init').map((s) => `${s.name} ${s.module}`),
    ['init null', 'init_alias null', 'init ext4'],
  );
  assert.deepEqual(
    [...(table.ofModule('jbd2') ?? [])].map((s) => s.name),
    ['commit', 'journals'],
  );
  assert.equal(table.ofModule('absent'), null);
});

test('the next and the previous symbol step over aliases and from the kernel into modules', () => {
  const table = new SymbolTable(kernel(), () => modules);
  const walk = (from: bigint, step: (address: VirtAddr) => KernelSymbol | null): string[] => {
    const names: string[] = [];
    for (let s = step(virtAddr(from)); s !== null; s = step(s.address)) names.push(s.name);
    return names;
  };
  const names = ['_stext', 'schedule', 'init', '_end', 'commit', 'init', 'ext4_read', 'journals'];
  assert.deepEqual(
    walk(0n, (a) => table.next(a)),
    names,
  );
  assert.deepEqual(
    walk(2n ** 64n - 1n, (a) => table.previous(a)),
    names.toReversed(),
  );
  assert.equal(table.previous(virtAddr(0n)), null);
});

test('a lookup in any set of symbols agrees with looking at each of them', () => {
  const addresses = fc.array(fc.bigInt({ min: 0n, max: 40n }), { maxLength: 30 });
  fc.assert(
    fc.property(addresses, fc.bigInt({ min: 0n, max: 45n }), (given, wanted) => {
      const symbols = given.map((address, i) => symbol(address, `s${i}`, 'm'));
      const array = new ArraySymbols(symbols);
      let best: KernelSymbol | null = null;
      for (const s of symbols) if (s.address <= wanted && (best === null || s.address > best.address)) best = s;
      assert.equal(array.at(virtAddr(wanted))?.symbol ?? null, best);
      for (const s of symbols) assert.equal(array.find(s.name), s);
      assert.equal(array.count, symbols.length);
    }),
  );
});
