import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { moduleSymbols } from '../../src/kernel/module_symbols.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const common = `
  struct list_head { struct list_head *next, *prev; };
  enum module_state { MODULE_STATE_LIVE, MODULE_STATE_COMING, MODULE_STATE_GOING, MODULE_STATE_UNFORMED };
  struct atomic { int counter; };
  struct module_use { struct list_head source_list; struct list_head target_list; struct module *source, *target; };
  struct mod_kallsyms { void *symtab; unsigned int num_symtab; char *strtab; char *typetab; };
  struct kernel_symbol { int value_offset; int name_offset; int namespace_offset; };
`;
/** 6.4 and later. */
const newTypes = `${common}
  enum mod_mem_type { MOD_TEXT, MOD_DATA, MOD_RODATA, MOD_INIT_TEXT };
  struct module_memory { void *base; unsigned int size; };
  struct module {
    enum module_state state; struct list_head list; char name[56]; struct kernel_symbol *syms; unsigned int num_syms;
    struct module_memory mem[4]; unsigned long taints; struct mod_kallsyms *kallsyms;
    struct list_head source_list; struct atomic refcnt;
  };
`;
/** 4.5 to 6.3. */
const oldTypes = `${common}
  struct module_layout { void *base; unsigned int size; unsigned int text_size; };
  struct module {
    enum module_state state; struct list_head list; char name[56]; struct module_layout core_layout;
    struct module_layout init_layout; unsigned long taints; struct mod_kallsyms *kallsyms;
    struct list_head source_list; struct atomic refcnt;
  };
`;

function kernelWith(types: string, names: readonly string[]): { kernel: SyntheticKernel; modules: KernelObject[] } {
  const kernel = new SyntheticKernel(types);
  const head = kernel.allocate('struct list_head', 'modules');
  const modules = names.map((name, i) => {
    const module = kernel.allocate('struct module');
    kernel.set(module, 'name', name);
    kernel.set(module, 'refcnt.counter', 1);
    const base = 0xffff_ffff_c000_0000n + BigInt(i) * 0x10000n;
    if (module.has('mem')) {
      kernel.set(module, 'mem[0].base', base);
      kernel.set(module, 'mem[0].size', 0x2000);
      kernel.set(module, 'mem[2].base', base + 0x8000n);
      kernel.set(module, 'mem[2].size', 0x1000);
    } else {
      kernel.set(module, 'core_layout.base', base);
      kernel.set(module, 'core_layout.size', 0x5000);
      kernel.set(module, 'core_layout.text_size', 0x2000);
    }
    kernel.link(module.member('source_list').address);
    return module;
  });
  kernel.link(head.address, ...modules.map((module) => module.member('list').address));
  return { kernel, modules };
}

function read(kernel: SyntheticKernel) {
  const { value, faults } = kernel.faults.collect(() => kernel.modules);
  return { modules: value, names: value.map(({ name }) => name), problems: faults.map(({ message }) => message) };
}

test('base and size are those of /proc/modules, in both layouts', () => {
  const fresh = read(kernelWith(newTypes, ['a']).kernel).modules[0]!;
  assert.equal(fresh.base, 0xffff_ffff_c000_0000n);
  assert.equal(fresh.size, 0x3000);
  assert.deepEqual(
    fresh.ranges.map(({ name }) => name),
    ['text', 'rodata'],
  );
  const old = read(kernelWith(oldTypes, ['a']).kernel).modules[0]!;
  assert.equal(old.size, 0x5000);
  assert.deepEqual(
    old.ranges.map(({ start, size }) => [start, size]),
    [
      [old.base, 0x2000],
      [old.base + 0x2000n, 0x3000],
    ],
  );
});

test('state, references, users and taints', () => {
  const { kernel, modules } = kernelWith(newTypes, ['virtio_net', 'net_failover', 'going', 'half']);
  kernel.set(modules[1]!, 'refcnt.counter', 2);
  kernel.set(modules[0]!, 'taints', (1 << 12) | (1 << 13));
  kernel.set(modules[2]!, 'state', 2);
  kernel.set(modules[3]!, 'state', 3); // not there yet: nobody shows it
  const use = kernel.allocate('struct module_use');
  kernel.set(use, 'source', modules[0]!);
  kernel.link(modules[1]!.member('source_list').address, use.member('source_list').address);
  const { modules: found, problems } = read(kernel);
  assert.deepEqual(problems, []);
  assert.deepEqual(
    found.map(({ name, state, refcount, usedBy, taints }) => [name, state, refcount, usedBy, taints]),
    [
      ['virtio_net', 'Live', 0, [], 'OE'],
      ['net_failover', 'Live', 1, ['virtio_net'], ''],
      ['going', 'Unloading', 0, [], ''],
    ],
  );
});

test('an excluded module costs itself and what is behind it; a loop ends', () => {
  const cut = kernelWith(newTypes, ['a', 'b', 'c']);
  cut.kernel.space.exclude(cut.modules[1]!.address);
  const { names, problems } = read(cut.kernel);
  assert.deepEqual(names, ['a']);
  assert.match(problems.join(), /excluded/);

  const loop = kernelWith(newTypes, ['a', 'b']);
  loop.kernel.set(loop.modules[1]!, 'list.next', loop.modules[0]!.member('list').address);
  assert.deepEqual(read(loop.kernel).names, ['a', 'b']);
});

/** Gives a module an ELF symbol table. */
function giveSymbols(
  kernel: SyntheticKernel,
  module: KernelObject,
  symbols: readonly [string, bigint, string][],
): void {
  const table = kernel.allocate('struct mod_kallsyms');
  let strings = '\0';
  const entries = Buffer.alloc(24 * symbols.length);
  for (const [i, [name, value]] of symbols.entries()) {
    entries.writeUInt32LE(strings.length, i * 24);
    entries.writeBigUInt64LE(value, i * 24 + 8);
    strings += `${name}\0`;
  }
  const [symtab, strtab, typetab] = [
    kernel.reserve(entries.length),
    kernel.reserve(strings.length),
    kernel.reserve(symbols.length),
  ];
  kernel.space.write(symtab, entries);
  kernel.space.write(strtab, Buffer.from(strings));
  kernel.space.write(typetab, Buffer.from(symbols.map(([, , type]) => type).join('')));
  for (const [path, value] of Object.entries({ symtab, strtab, typetab, num_symtab: symbols.length })) {
    kernel.set(table, path, BigInt(value));
  }
  kernel.set(module, 'kallsyms', table);
}

test("a module's symbols are those of /proc/kallsyms, exported ones with a capital letter", () => {
  const { kernel, modules } = kernelWith(newTypes, ['crashme']);
  giveSymbols(kernel, modules[0]!, [
    ['crashme_write', 0xffff_ffff_c000_0010n, 't'],
    ['$d', 0xffff_ffff_c000_8000n, 'r'], // a mark for disassemblers, on arm64
    ['crashme_table', 0xffff_ffff_c000_8000n, 'r'],
  ]);
  const exports = kernel.allocate('struct kernel_symbol');
  kernel.set(exports, 'value_offset', BigInt.asUintN(32, 0xffff_ffff_c000_0010n - exports.address));
  kernel.set(modules[0]!, 'syms', exports);
  kernel.set(modules[0]!, 'num_syms', 1);
  const [found] = moduleSymbols(kernel);
  assert.deepEqual(
    found?.symbols.map(({ name, address, module }) => [name, address, module]),
    [
      ['crashme_write', 0xffff_ffff_c000_0010n, 'crashme'],
      ['crashme_table', 0xffff_ffff_c000_8000n, 'crashme'],
    ],
  );
  assert.equal(found?.symbols[1]?.type, 'r');
});

test('a symbol table of absurd length is refused', () => {
  const { kernel, modules } = kernelWith(newTypes, ['bad']);
  giveSymbols(kernel, modules[0]!, [['x', 1n, 't']]);
  const table = kernel.object('struct mod_kallsyms', modules[0]!.member('kallsyms').pointer());
  kernel.set(table, 'num_symtab', 0xffff_ffff);
  const { value, faults } = kernel.faults.collect(() => moduleSymbols(kernel)[0]?.symbols);
  assert.deepEqual(value, []);
  assert.match(faults[0]!.message, /4294967295 symbols is out of range/);
});

test('a list that goes on for longer than its budget gives the modules read until then, of which more can be asked', () => {
  const { kernel } = kernelWith(newTypes, ['a', 'b', 'c', 'd', 'e', 'f']);
  kernel.work.limit({ bytes: 1e9, reads: 1e9, nodes: 8, text: 1e9, kept: 1e9 });
  const { names, problems } = kernel.work.within(kernel.work.part('mod'), () => read(kernel));
  assert.deepEqual(names, ['a', 'b', 'c', 'd']);
  assert.match(problems.join('\n'), /^module list: ended after 4 nodes/);
  assert.deepEqual(
    kernel.modules.map(({ usedBy }) => usedBy),
    [[], [], [], []],
  );
});
