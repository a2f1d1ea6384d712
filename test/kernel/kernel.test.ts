// The kernel as its rungs make it: what is asked is read once, what is missing costs itself, and what changes is read anew.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pfn, virtAddr } from '../../src/base/address.ts';
import { MemoryFault, NotFoundError } from '../../src/base/errors.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { runCommand } from '../../src/commands/run.ts';
import { p } from '../../src/commands/types/p.ts';
import type { DebugInfo } from '../../src/debuginfo/debug_info.ts';
import { ArraySymbols } from '../../src/debuginfo/ordered_symbols.ts';
import type { KernelSymbol } from '../../src/debuginfo/symbol.ts';
import { SymbolTable } from '../../src/debuginfo/symbol_table.ts';
import type { Type, TypeSource } from '../../src/debuginfo/type.ts';
import { PagedMemory } from '../../src/dump/paged_memory.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { kernelView } from '../../src/kernel/kernel_view.ts';
import type { Module } from '../../src/kernel/module.ts';
import { perKernel } from '../../src/kernel/per_kernel.ts';
import { parseCTypes } from '../support/c_types.ts';
import { SyntheticKernel, syntheticDump } from '../support/synthetic_kernel.ts';

/** Debug information that knows these types and variables, and counts what it is asked. */
function info(origin: string, declarations: string, variables: Readonly<Record<string, string>> = {}) {
  const types = parseCTypes(declarations);
  const asked: string[] = [];
  const find = (name: string): Type | null => {
    asked.push(name);
    return types.find(name);
  };
  const source: TypeSource = { find, all: () => types.all() };
  const debugInfo: DebugInfo = {
    origin,
    types: source,
    variable(name) {
      asked.push(name);
      const type = variables[name];
      return type === undefined ? null : types.find(type);
    },
    function: () => null,
    macro: () => null,
    code: null,
  };
  return { debugInfo, asked };
}

const module = (name: string): Module => ({ name, ranges: [] }) as unknown as Module;
const symbol = (name: string, owner: string | null = null): KernelSymbol => ({
  name,
  address: virtAddr(0xffff_ffff_8100_0000n),
  type: 'D',
  size: 32,
  module: owner,
});

describe('debug information', () => {
  const best = info('best', 'struct page { int a; };', { counter: 'int' });
  const next = info('next', 'struct page { int a, b; }; struct inode { int c; };', { counter: 'long', limit: 'long' });
  const widget = info('widget', 'struct widget { int d; }; struct inode { int e, f; };', { shared: 'struct widget' });
  const gadget = info('gadget', 'struct gadget { int g; };', { shared: 'struct gadget' });
  const ofModule: Record<string, DebugInfo> = { widget: widget.debugInfo, gadget: gadget.debugInfo };
  const kernel = new SyntheticKernel('', '', () => ({
    debugInfo: (_kernel, of) => (of === null ? [best.debugInfo, next.debugInfo] : [ofModule[of.name]!]),
    modules: () => [module('widget'), module('gadget')],
    symbols: () =>
      new SymbolTable(new ArraySymbols([symbol('counter')]), () => [
        { module: module('gadget'), symbols: [symbol('shared', 'gadget')] },
      ]),
  }));

  test('the best that knows a name is believed; a module is asked when the kernel’s own know nothing', () => {
    assert.equal(kernel.types.find('struct page'), best.debugInfo.types.find('struct page'));
    assert.equal(kernel.types.find('struct inode'), next.debugInfo.types.find('struct inode'));
    assert.equal(kernel.types.find('struct gadget'), gadget.debugInfo.types.find('struct gadget'));
    assert.deepEqual(
      ['counter', 'limit', 'nothing'].map(
        (name) => kernel.variableType(name)?.kind === 'int' && kernel.variableType(name),
      ),
      [best.debugInfo.variable('counter'), next.debugInfo.variable('limit'), false],
    );
  });

  test('of modules that have a variable of one name, the one that the symbol is of tells its type', () => {
    assert.equal(kernel.variableType('shared'), gadget.debugInfo.variable('shared'));
  });

  test('each name is looked up once, those that nobody knows too', () => {
    const look = (): void => {
      for (const name of ['struct page', 'struct nothing']) kernel.types.find(name);
      for (const name of ['counter', 'no_such_variable']) kernel.variableType(name);
      kernel.functionType('no_such_function');
    };
    look();
    const before = [best, next, widget, gadget].map(({ asked }) => asked.length);
    look();
    assert.deepEqual(
      [best, next, widget, gadget].map(({ asked }) => asked.length),
      before,
    );
  });
});

test('symbols are looked up once, missing ones too; asking for the kernel’s own reads no module', () => {
  const looked: string[] = [];
  let modulesRead = 0;
  class Counted extends ArraySymbols {
    override find(name: string): KernelSymbol | null {
      looked.push(name);
      return super.find(name);
    }
  }
  const table = new SymbolTable(new Counted([symbol('here')]), () => {
    modulesRead++;
    return [];
  });
  const kernel = new SyntheticKernel('', '', () => ({ symbols: () => table }));
  for (let i = 0; i < 3; i++) {
    assert.equal(kernel.ownSymbol('here')?.name, 'here');
    assert.equal(kernel.optionalVariable('absent'), null);
  }
  assert.deepEqual([looked, modulesRead], [['here', 'absent'], 0]);
  for (let i = 0; i < 3; i++) assert.throws(() => kernel.address('absent'), NotFoundError);
  assert.deepEqual([looked, modulesRead], [['here', 'absent'], 1]);
});

test('an array declared without a length is as long as its symbol; as declared, it has none', () => {
  const kernel = new SyntheticKernel('struct pair { long a, b; };', '', ({ symbols }) => ({
    debugInfo: () => [
      {
        ...info('x', '').debugInfo,
        variable: () => ({ kind: 'array', element: { kind: 'pointer', size: 8, target: { kind: 'void' } }, length: 0 }),
      },
    ],
    symbols: () => new SymbolTable(symbols, () => []),
  }));
  kernel.define('table', 0xffff_8880_0000_0000n, 40);
  const lengthOf = (type: Type | null): number | null => (type?.kind === 'array' ? type.length : null);
  assert.deepEqual([lengthOf(kernel.variableType('table')), lengthOf(kernel.declaredType('table'))], [5, 0]);
  assert.equal(kernel.variableType('table'), kernel.variableType('table'), 'the same type each time');
});

describe('what is computed once a kernel', () => {
  let runs = 0;
  const read = perKernel((kernel: Kernel) => {
    runs++;
    kernel.faults.record('part', new MemoryFault('kernel', 0xff00n, 'excluded'));
    return kernel.variable('value').number();
  });
  const make = (value: bigint): SyntheticKernel => {
    const kernel = new SyntheticKernel('');
    kernel.space.words(kernel.allocate('int', 'value').address, value);
    return kernel;
  };

  test('is kept for each kernel, and its faults are told to everyone who asks', () => {
    const [one, two] = [make(1n), make(2n)];
    runs = 0;
    assert.deepEqual([read(one), read(two), read(one), read(two), runs], [1, 2, 1, 2, 2]);
    assert.equal(one.faults.collect(() => read(one)).faults.length, 1);
  });

  test('is not kept where it failed', () => {
    const kernel = new SyntheticKernel('');
    assert.throws(() => read(kernel), NotFoundError);
    kernel.space.words(kernel.allocate('int', 'value').address, 7n);
    assert.equal(read(kernel), 7);
  });

  test('the view that architectures have of a kernel is one of them', () => {
    const kernel = make(1n);
    assert.equal(kernelView(kernel), kernelView(kernel));
  });
});

test('a live kernel is read anew by each command; a dead one is not', () => {
  for (const live of [true, false]) {
    const kernel = new SyntheticKernel('', '', () => ({ live }));
    const at = kernel.allocate('int', 'value').address;
    const context = new CommandContext(kernel);
    const twice = perKernel((k) => k.variable('value').number() * 2);
    const shown = (value: bigint): [text: string, twice: number] => {
      kernel.space.words(at, value);
      let text = '';
      const write = (part: string): boolean => {
        text += part;
        return true;
      };
      runCommand(p, context, ['value'], { write });
      return [text.replace(/^.* = (?=\d)/, ''), twice(kernel)];
    };
    assert.deepEqual(shown(1n), ['1\n', 2]);
    assert.deepEqual(shown(2n), ['2\n', live ? 4 : 2]);
  }
});

test('pages of memory that changes are read anew once they are forgotten', () => {
  let content = 1;
  const memory = new PagedMemory({
    pageSize: 4096,
    maxPfn: 4,
    state: () => 'present',
    load(_pfn, into) {
      into.fill(content);
      return 'present';
    },
    loadRun: () => 0,
    presentRuns: () => [],
    ramRanges: () => [],
  });
  assert.equal(memory.page(pfn(1))[0], 1);
  content = 2;
  assert.equal(memory.page(pfn(1))[0], 1);
  memory.forget();
  assert.equal(memory.page(pfn(1))[0], 2);
});

test('closing closes the dump', () => {
  let closed = 0;
  const kernel = new SyntheticKernel('', '', ({ space }) => ({
    dump: { ...syntheticDump(space.memory), close: () => void closed++ },
  }));
  kernel.close();
  assert.equal(closed, 1);
});
