import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtAddr } from '../../src/base/address.ts';
import { crashPlace, isNameless, symbolsNamed, withoutClone } from '../../src/commands/place_name.ts';
import { ArraySymbols } from '../../src/debuginfo/ordered_symbols.ts';
import type { KernelSymbol, SymbolPlace } from '../../src/debuginfo/symbol.ts';
import { SymbolTable } from '../../src/debuginfo/symbol_table.ts';

const text = 0xffff_ffff_8100_0000n;

function table(): SymbolTable {
  const symbols: KernelSymbol[] = [];
  const add = (address: bigint, name: string, type = 't'): void =>
    void symbols.push({ address: virtAddr(address), name, type, size: 0, module: null });
  add(text, '_stext', 'T');
  // as kallsyms has them: global before local
  add(text + 0x100n, '__x64_sys_vfork', 'T');
  add(text + 0x100n, '__ia32_sys_vfork', 'T');
  add(text + 0x100n, '__do_sys_vfork');
  add(text + 0x200n, 'kernel_clone', 'T');
  add(text + 0x300n, 'init_stack', 'D');
  add(text + 0x300n, '_sdata', 'D');
  add(text + 0x1000n, '_end', 'B');
  return new SymbolTable(new ArraySymbols(symbols), () => []);
}

function shown(address: bigint): string {
  const symbols = table();
  const place = symbols.at(virtAddr(address));
  assert.ok(place !== null);
  return crashPlace(symbols, place);
}

test('a function of several names has crash’s: the first one where it begins, the last one inside', () => {
  assert.equal(shown(text + 0x100n), '__do_sys_vfork');
  assert.equal(shown(text + 0x110n), '__x64_sys_vfork+16');
  assert.equal(shown(text + 0x204n), 'kernel_clone+4');
});

test('a module’s function of several names, too, but not by the one that every module has', () => {
  const at = virtAddr(0xffff_ffff_c000_0010n);
  const function_ = (name: string): KernelSymbol => ({ address: at, name, type: 't', size: 32, module: 'toy' });
  const symbols = new SymbolTable(null, () => [
    {
      module: { name: 'toy', ranges: [{ start: virtAddr(0xffff_ffff_c000_0000n), size: 4096 }] },
      // as in its symbol table: local before global
      symbols: [function_('toy_exit'), function_('toy_leave'), function_('cleanup_module')],
    },
  ]);
  assert.equal(crashPlace(symbols, symbols.at(at)!), 'toy_exit');
  assert.equal(crashPlace(symbols, symbols.at(virtAddr(at + 15n))!), 'toy_leave+15');
});

test('texts of the code have no names, nor what lies far behind a constant', () => {
  const symbols = table();
  const constant = (offset: number, type: string, address = text): SymbolPlace => ({
    symbol: { address: virtAddr(address), name: 'table', type, size: 8, module: null },
    offset,
  });
  assert.equal(isNameless(symbols, constant(5, 'r'), true), true);
  assert.equal(isNameless(symbols, constant(0, 'r'), true), false);
  assert.equal(isNameless(symbols, constant(5, 'r')), false);
  assert.equal(isNameless(symbols, constant(0x20000, 'R')), true);
  assert.equal(isNameless(symbols, constant(0x20000, 'D')), false);
  const bounds = new SymbolTable(
    new ArraySymbols([
      { address: virtAddr(text), name: '__start_rodata', type: 'D', size: 0, module: null },
      { address: virtAddr(text + 0x1000n), name: '__end_rodata', type: 'D', size: 0, module: null },
    ]),
    () => [],
  );
  assert.equal(isNameless(bounds, constant(5, 'D', text + 8n), true), true);
  assert.equal(isNameless(bounds, constant(5, 'D', text + 0x2000n), true), false);
});

test('an address where a section begins is called by the section, and what lies behind it by its symbols', () => {
  assert.equal(shown(text + 0x300n), '.data');
  assert.equal(shown(text + 0x308n), 'init_stack+8');
});

test('a copy that the compiler made has the name of its function, and is found by it', () => {
  const names = ['twice', 'twice.part.0', 'walk.isra.0', 'odd.part.0.isra.0', 'gone.isra.0.cold', 'deep.constprop.0'];
  const symbols = new SymbolTable(
    new ArraySymbols(
      names.map((name, i) => ({ address: virtAddr(text + BigInt(i) * 16n), name, type: 't', size: 0, module: null })),
    ),
    () => [],
  );
  const found = (name: string): string[] => symbolsNamed(symbols, name).map((symbol) => symbol.name);
  assert.deepEqual(found('walk'), ['walk.isra.0']);
  assert.deepEqual(found('deep'), ['deep.constprop.0']);
  assert.deepEqual(found('twice'), ['twice'], 'what has the name itself goes first');
  assert.deepEqual(found('walk.isra.0'), ['walk.isra.0']);
  assert.deepEqual(found('nosuch'), []);
  assert.deepEqual(names.map(withoutClone), ['twice', 'twice', 'walk', 'odd.part.0', 'gone', 'deep.constprop.0']);
  assert.equal(crashPlace(symbols, symbols.at(virtAddr(text + 36n))!), 'walk+4');
});
