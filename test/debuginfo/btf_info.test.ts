// Types of modules: without them a module's own structs and functions are nameless in every backtrace and report.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BtfTypes } from '../../src/debuginfo/btf.ts';
import { BtfInfo, btfKind } from '../../src/debuginfo/btf_info.ts';
import type { DebugTarget } from '../../src/debuginfo/debug_info.ts';
import { BtfWriter } from '../support/btf_writer.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

/** Two modules in `btf_modules`: an older one, and the one that is asked after, whose `btf_data` is gone. */
function scene(link: 'whole' | 'without it' | 'in a circle') {
  const kernel = new SyntheticKernel(`
    struct module { void *btf_data; unsigned int btf_data_size; };
  `);
  // the kernel's own types, as its BTF has them
  const base = new BtfWriter();
  const u32 = base.int('unsigned int', 4);
  const module = base.struct('module', 16, []);
  const data = base.pointer(0);
  const btf = base.struct('btf', 16, [
    ['data', data, 0],
    ['data_size', u32, 64],
  ]);
  const listHead = base.struct('list_head', 16, []);
  base.struct('btf_module', 32, [
    ['list', listHead, 0],
    ['module', base.pointer(module), 128],
    ['btf', base.pointer(btf), 192],
  ]);
  const own = new BtfWriter(base);
  own.struct('widget', 8, [['number', u32, 0]]);
  const bytes = own.bytes();

  const head = kernel.reserve(16);
  const [other, wanted] = [kernel.reserve(32), kernel.reserve(32)];
  const [object, stranger] = [kernel.allocate('struct module'), kernel.allocate('struct module')];
  kernel.set(object, 'btf_data_size', bytes.length);
  const read = kernel.reserve(16);
  const text = kernel.reserve(bytes.length);
  kernel.space.write(text, bytes);
  kernel.space.words(read, text, BigInt(bytes.length));
  const next = { whole: wanted, 'without it': head, 'in a circle': other }[link];
  kernel.space.words(head, other, wanted);
  kernel.space.words(other, next, head, stranger.address, 0n);
  kernel.space.words(wanted, head, other, object.address, read);
  const info = new BtfInfo(new BtfTypes(base.bytes()));
  const target = {
    module: { name: 'widget', object },
    space: kernel.space,
    symbol: (name: string) => (name === 'btf_modules' ? head : null),
    base: info,
  } as unknown as DebugTarget;
  return btfKind.open(target);
}

test('a module whose BTF was given back once it was loaded has the copy that the kernel made', () => {
  assert.equal(scene('whole')?.types.find('struct widget')?.kind, 'struct');
});

test('a list without the module, or one that never ends, gives none', () => {
  assert.equal(scene('without it'), null);
  assert.equal(scene('in a circle'), null);
});
