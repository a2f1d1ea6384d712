// kmem: counts and states that people act on. What cannot be known must not look like a fact.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { physAddr, virtAddr } from '../../src/base/address.ts';
import { NotFoundError, UsageError } from '../../src/base/errors.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { kmem } from '../../src/commands/memory/kmem/kmem.ts';
import { type NodeData, nodesText } from '../../src/commands/memory/kmem/nodes.ts';
import { sizeText } from '../../src/commands/memory/kmem/use.ts';
import { MemoryMap, pageShapes } from '../support/memory_map.ts';
import { run } from '../support/run_command.ts';
import { SlabWriter, sheafTypes, slubTypes } from '../support/slab_writer.ts';

function machine(types = slubTypes(true)) {
  const writer = new SlabWriter(types);
  const cache = writer.cache({ name: 'dentry', size: 64 });
  const context = new CommandContext(writer.kernel);
  const kmemOf = (line: string) =>
    run(
      kmem,
      context,
      line.split(' ').filter((word) => word !== ''),
    );
  return { writer, cache, context, kmemOf };
}

const hex = (n: bigint): string => n.toString(16).padStart(16, '0');

describe('kmem, wrong usage', () => {
  const { kmemOf } = machine();
  for (const line of [
    '',
    '-i -V',
    '-S=x',
    '-i=x',
    '-s nosuch',
    '-m nosuch',
    '-g zz',
    '-P zz',
    '-p 7fffffffffff',
    '-c',
    '-q',
  ]) {
    test(`"${line}" is refused`, () =>
      assert.throws(
        () => kmemOf(line),
        (e) => e instanceof UsageError || e instanceof NotFoundError,
      ));
  }
});

describe('kmem -s, -S', () => {
  const { writer, cache, kmemOf } = machine();
  const active = writer.slab(cache, { objects: 4, free: [0] });
  writer.active(cache, 1, active, [3]);
  const onNode = writer.slab(cache, { objects: 3, free: [2, 1] });
  writer.partial(cache, onNode);
  const at = (slab: typeof active, index: number): string => hex(writer.objectAddress(cache, slab, index));

  test('a line for each cache: what is free anywhere is not allocated', () => {
    assert.equal(
      kmemOf('-s').text,
      `CACHE             OBJSIZE  ALLOCATED     TOTAL  SLABS  SSIZE  NAME\n${hex(cache.address)}       64          3         7      2     4k  dentry\n`,
    );
  });
  test('every slab with its objects, those in use in brackets, those of a CPU marked', () => {
    assert.equal(
      kmemOf('-S dentry').text.split('\n').slice(2).join('\n'),
      `CPU 0 KMEM_CACHE_CPU:
  ${hex(cache.member('cpu_slab').pointer())}
CPU 0 SLAB:
  (empty)
CPU 0 PARTIAL:
  (empty)
CPU 1 KMEM_CACHE_CPU:
  ${hex(cache.member('cpu_slab').pointer() + 0x1000n)}
CPU 1 SLAB:
  SLAB              MEMORY            NODE  TOTAL  ALLOCATED  FREE
  ${hex(active.address)}  ${hex(active.memory)}     ?      4          2     2
  FREE / [ALLOCATED]
   ${at(active, 0)}  (cpu 1 cache)
  [${at(active, 1)}]
  [${at(active, 2)}]
   ${at(active, 3)}  (cpu 1 cache)
CPU 1 PARTIAL:
  (empty)
KMEM_CACHE_NODE   NODE  SLABS  PARTIAL  PER-CPU
${hex(writer.node(cache).address)}     0      2        1        0
NODE 0 PARTIAL:
  SLAB              MEMORY            NODE  TOTAL  ALLOCATED  FREE
  ${hex(onNode.address)}  ${hex(onNode.memory)}     ?      3          1     2
NODE 0 FULL:
  (not tracked)

`,
    );
  });
  test('-S=cpus leaves other CPUs out, -I a cache, list shows where each is', () => {
    assert.match(kmemOf('-S=0 dentry').text, /^CPU 0 SLAB/m);
    assert.throws(() => kmemOf('-S=77 dentry'), UsageError);
    assert.match(kmemOf('-s -I dentry,filp').text, new RegExp(`\n${hex(cache.address)} \\[IGNORED\\] +dentry\n$`));
    assert.equal(kmemOf('-s list').text, `${hex(cache.address)} dentry\n`);
  });
  test('an address shows its slab and its object alone', () => {
    const text = kmemOf(`-s ${at(onNode, 2)}`).text;
    assert.match(text, new RegExp(`FREE / \\[ALLOCATED\\]\n {3}${at(onNode, 2)} {2}\n$`));
    assert.match(kmemOf(`-s ${at(onNode, 0)}`).text, new RegExp(`\n {2}\\[${at(onNode, 0)}\\]\n$`));
  });
  test('an address in no slab is said to be in none', () => {
    assert.throws(() => kmemOf(`-s ${hex(cache.address)}`.replace(/.$/, '8')), NotFoundError);
  });
  test('a name with control characters cannot forge a line', () => {
    const forged = machine();
    forged.writer.cache({ name: 'evil\n\x1b[31mffff', size: 64 });
    assert.match(forged.kmemOf('-s').text, /evil\\x0a\\x1b\[31mffff\n/);
  });
});

describe('kmem -s where the dump lacks pages', () => {
  test('objects whose list cannot be read are neither free nor in use, and the fault is told', () => {
    const { writer, cache, kmemOf } = machine();
    const slab = writer.slab(cache, { objects: 2, free: [1] });
    writer.active(cache, 0, slab, [0]);
    writer.kernel.space.exclude(slab.memory);
    const { text, faults } = kmemOf('-S dentry');
    assert.match(text, /\(free or not: not known\)|\(cpu 0 cache\)/);
    assert.doesNotMatch(text, /\[ffff/);
    assert.ok(faults.some(({ reason }) => reason === 'excluded'));
  });
  test('a cache without a readable name keeps its line', () => {
    const { writer, cache, kmemOf } = machine();
    writer.kernel.space.exclude(cache.member('name').pointer());
    assert.match(kmemOf('-s').text, /\(unknown\)\n$/);
  });
});

describe('kmem -S with sheaves', () => {
  test('their objects are listed, and are not allocated', () => {
    const { writer, cache, kmemOf } = machine(sheafTypes);
    const slab = writer.slab(cache, { objects: 3, free: [] });
    const object = writer.objectAddress(cache, slab, 1);
    writer.sheaf(cache, 0, 'main', [object]);
    writer.barn(cache, [writer.objectAddress(cache, slab, 2)]);
    const { text } = kmemOf('-S dentry');
    assert.match(text, / 64 {10}1 {9}3 /);
    assert.match(text, new RegExp(`CPU 0 MAIN SHEAF:\n {2}[0-9a-f]{16} {2}OBJECTS: 1\n {3}${hex(object)}\n`));
    assert.match(text, /NODE 0 BARN:\n/);
  });
});

describe('kmem ADDRESS', () => {
  test('a slab object, with its cache and whether it is in use', () => {
    const { writer, cache, kmemOf } = machine();
    const slab = writer.slab(cache, { objects: 3, free: [2] });
    const text = kmemOf(hex(writer.objectAddress(cache, slab, 1) + 8n)).text;
    assert.match(text, /dentry\n/);
    assert.match(text, new RegExp(`\\[${hex(writer.objectAddress(cache, slab, 1))}\\]\n`));
  });
  test('an address that nothing is known of says so', () => {
    const { kmemOf } = machine();
    assert.match(kmemOf('ffffc90000000000').text, /nothing is known of it/);
  });
});

test('sizes are whole or have one digit, in the largest unit that fits', () => {
  assert.deepEqual(
    [0, 4096, 1023 * 1024, 2 ** 20, 218_087_424, 12.72 * 2 ** 20, 2 ** 30, 1.5 * 2 ** 30].map(sizeText),
    ['0', '4 KB', '1023 KB', '1 MB', '208 MB', '12.7 MB', '1 GB', '1.5 GB'],
  );
});

test('-m shows members as what they are: bits in hexadecimal, numbers in decimal, counts with their sign', () => {
  const map = new MemoryMap(pageShapes['6.1']!).page(0, 'reserved');
  const members = 'flags,_refcount,_mapcount,page_type,index,lru';
  const rows = run(kmem, new CommandContext(map.kernel), ['-m', members]).text.split('\n');
  assert.equal(rows[0], '      PAGE        flags  _refcount  _mapcount  page_type  index  lru');
  assert.equal(
    rows[1],
    'ffffea0000000000  0000000000001000  00000000  -1  4294967295  0  0000000000000000,0000000000000000  ',
  );
});

test('-n has a rule between nodes, as scripts expect that divide its text by it', () => {
  const node = (id: number, pfn: number): NodeData => {
    const start = { map: virtAddr(0xffea_0000_0000_0000n + BigInt(pfn) * 64n), physical: physAddr(pfn * 4096), pfn };
    const zone = { zone: 0, name: 'DMA32', spanned: 102_400, address: virtAddr(0xffff_8880_0000_0000n), start };
    return { id, spanned: 102_400, address: zone.address, start, zones: [zone] };
  };
  const text = nodesText({ kind: 'nodes', nodes: [node(0, 1), node(1, 102_400)], sections: [], blocks: [] });
  const [first, second, ...more] = text.split(`\n${'-'.repeat(67)}\n\n`);
  assert.deepEqual(more, []);
  assert.match(first!, /^NODE .*\n {2}0 /);
  assert.equal(
    second,
    [
      'NODE    SIZE      PGLIST_DATA       BOOTMEM_DATA       NODE_ZONES   ',
      '  1    102400   ffff888000000000        ----        ffff888000000000',
      '    MEM_MAP          START_PADDR    START_MAPNR',
      'ffea000000640000      19000000         102400  ',
      '',
      'ZONE  NAME         SIZE       MEM_MAP      START_PADDR  START_MAPNR',
      '  0   DMA32      102400  ffea000000640000     19000000       102400',
      '',
      '',
    ].join('\n'),
  );
});
