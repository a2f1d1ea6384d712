// find and refs: what an address is, and who points to it. A wrong name here is a wrong lead.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NotFoundError, UsageError } from '../../src/base/errors.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { find } from '../../src/commands/memory/find.ts';
import { refs } from '../../src/commands/memory/refs.ts';
import { wr } from '../../src/commands/memory/wr.ts';
import { run } from '../support/run_command.ts';
import { SlabWriter, slubTypes } from '../support/slab_writer.ts';

function machine() {
  const writer = new SlabWriter(
    `${slubTypes(true)} struct dentry { u64 flags; struct dentry *parent; struct list_head lru; };`,
  );
  const cache = writer.cache({ name: 'dentry', size: 64 });
  const slab = writer.slab(cache, { objects: 4, free: [2] });
  writer.active(cache, 1, slab, [0]);
  const context = new CommandContext(writer.kernel);
  const at = (index: number): bigint => writer.objectAddress(cache, slab, index);
  const findOf = (line: string) => run(find, context, line.split(' '));
  return { writer, context, at, findOf, cache };
}

describe('find', () => {
  test('a slab object: its cache, state, member and neighbours', () => {
    const { at, findOf } = machine();
    const { text } = findOf((at(1) + 16n).toString(16));
    assert.match(
      text,
      new RegExp(`slab {2}dentry: object ${at(1).toString(16)} of 64 bytes, in use; struct dentry\\.lru\\.next\n`),
    );
    assert.match(text, /object 1 of 4 in slab/);
    assert.match(text, new RegExp(`before it: ${at(0).toString(16)} free; after it: ${at(2).toString(16)} free\n`));
  });
  test('a free object says who keeps it', () => {
    const { at, findOf } = machine();
    assert.match(findOf(at(0).toString(16)).text, /free, kept by CPU 1/);
  });
  test('a symbol; and an address that nothing is known of', () => {
    const { findOf } = machine();
    assert.match(findOf('slab_caches').text, /symbol {2}slab_caches\n/);
    assert.match(findOf('ffffd00000000000').text, /nothing is known of it/);
  });
  test('a per-CPU variable: every copy, or that of the CPU that is named', () => {
    const { writer, findOf } = machine();
    const { kernel } = writer;
    const counter = kernel.reserve(8) - kernel.perCpuOffset(0);
    kernel.define('__per_cpu_start', counter - 0x1000n);
    kernel.define('__per_cpu_end', counter + 0x1000n);
    kernel.define('counter', counter, 8);
    const copies = [0, 1].map((cpu) => (counter + kernel.perCpuOffset(cpu)).toString(16));
    const addresses = (line: string): string[] => findOf(line).text.match(/^[0-9a-f]{16}$/gm) ?? [];
    assert.deepEqual(addresses('counter'), copies);
    assert.deepEqual(addresses('counter:1'), [copies[1]]);
  });
  test('names with control characters are made safe', () => {
    const { writer, findOf } = machine();
    const cache = writer.cache({ name: 'a\n\x1b[31m', size: 64 });
    const slab = writer.slab(cache, { objects: 2, free: [] });
    assert.match(findOf(slab.memory.toString(16)).text, /slab {2}a\\x0a\\x1b\[31m: object/);
  });
  test('wrong usage', () => {
    const { context } = machine();
    assert.throws(() => run(find, context, []), UsageError);
    assert.throws(() => run(find, context, ['nosuch']), NotFoundError);
    assert.throws(() => run(find, context, ['-p', 'ffffffffffffffff']), UsageError);
  });
});

describe('refs', () => {
  const pointed = () => {
    const found = machine();
    const { writer, at } = found;
    const holder = writer.kernel.allocate('struct dentry', 'root');
    writer.kernel.set(holder, 'parent', at(1));
    writer.kernel.space.words(at(3) + 8n, at(1) + 24n);
    // what is searched as all of memory in a machine without a linear map: an area of vmalloc()
    return { ...found, holder };
  };
  test('a typed call gives each place once, with what it is', () => {
    const { context, at } = pointed();
    const { text } = run(refs, context, [at(1).toString(16)]);
    assert.match(text, new RegExp(`^${at(1).toString(16)}: dentry ${at(1).toString(16)}\\.flags \\(in use\\)\n`));
    assert.match(text, /references?\n$/);
  });
  test('-o needs an object', () => {
    const { context, cache } = pointed();
    assert.throws(() => run(refs, context, ['-o', cache.address.toString(16)]), UsageError);
  });
});

test('wr is refused, with the reason', () => {
  const { context } = machine();
  assert.throws(
    () => run(wr, context, ['-64', 'slab_caches', '0']),
    (e) => e instanceof UsageError && /this is a dump/.test(e.message),
  );
});
