// list: every make of linked list, and lists that a dead kernel left broken.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type VirtAddr, virtAddr } from '../../src/base/address.ts';
import { MemoryFault, NotFoundError, UsageError } from '../../src/base/errors.ts';
import { unwatched } from '../../src/base/work.ts';
import { list } from '../../src/commands/types/list.ts';
import { type WalkEnd, walkList } from '../../src/commands/types/list_walk.ts';
import { CommandKernel, lines } from '../support/command_kernel.ts';
import { SyntheticSpace } from '../support/synthetic_memory.ts';

const declarations = `
  struct list_head { struct list_head *next, *prev; };
  enum state { IDLE, BUSY };
  struct item { int id; struct item *parent; struct list_head link; enum state state; char name[8]; };
  struct owner { u64 fill[2]; struct list_head items; };
`;

/** head <-> a <-> b <-> c, linked by `link`. */
function machine() {
  const kernel = new CommandKernel(declarations);
  const head = kernel.allocate('struct list_head', 'items');
  const items = [1, 2, 3].map((id) => {
    const item = kernel.allocate('struct item', `item_${id}`);
    kernel.set(item, 'id', id);
    kernel.set(item, 'name', `n${id}`);
    return item;
  });
  kernel.link(head.address, ...items.map(({ address }) => address + 16n));
  return { kernel, head, items, addresses: items.map(({ address }) => address.toString(16)) };
}

describe('list, wrong usage', () => {
  const { kernel } = machine();
  for (const line of ['', '-z items', '-H', '-H items item_1 item_2', '-O 8 -H items', '-l 8 items', '-s']) {
    test(`"${line}" is refused`, () => assert.throws(() => kernel.run(list, line), UsageError));
  }
  for (const line of [
    '-H nosuch',
    '-o item.nosuch -H items',
    '-H items nosuch.link',
    '-H items -s item.nosuch',
    '-H items -s nosuch',
  ]) {
    test(`"${line}" names nothing`, () => assert.throws(() => kernel.run(list, line), NotFoundError));
  }
  test('a start that cannot be read is an error', () => assert.throws(() => kernel.run(list, '-H 0'), MemoryFault));
});

describe('list, broken lists', () => {
  test('a circle that misses the head ends, and is told', () => {
    const { kernel, items } = machine();
    kernel.set(items[2]!, 'link.next', items[1]!.address + 16n);
    for (const [line, said] of [
      ['-H items -o item.link', /in a circle/],
      ['-B -H items -o item.link', /in a circle.*2 entries round/],
    ] as const) {
      const output = kernel.run(list, line);
      assert.equal(new Set(lines(output)).size, 3);
      assert.match(output.faults[0]!.message, said);
    }
  });
  test('NULL in the middle ends it', () => {
    const { kernel, items, addresses } = machine();
    kernel.set(items[1]!, 'link.next', 0);
    const output = kernel.run(list, '-H items -o item.link');
    assert.deepEqual(lines(output), addresses.slice(0, 2));
    assert.equal((output.data as { end: string }).end, 'null');
  });
  test('a link into a hole shows what came before, and the fault', () => {
    const { kernel, items } = machine();
    kernel.space.exclude(items[1]!.address);
    const output = kernel.run(list, '-H items -o item.link -s item.id');
    assert.match(output.text, /id = 1/);
    assert.ok(output.faults.some(({ reason }) => reason === 'excluded'));
  });
  test('Brent and the table agree on where any chain of links leads', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(19), { minLength: 1, maxLength: 20 }), (next) => {
        const space = new SyntheticSpace();
        const at = (i: number): VirtAddr => virtAddr(0xffff_8880_0000_0000n + BigInt(i * 8));
        space.map(at(0), 4096);
        for (const [i, to] of next.entries()) space.words(at(i), to < next.length ? at(to) : 0n);
        const walk = (brent: boolean) =>
          walked(
            walkList({ space, work: unwatched, start: at(0), includeStart: true, next: 0, isEnd: () => false, brent }),
          );
        assert.deepEqual(new Set(walk(true).links), new Set(walk(false).links));
        assert.equal(walk(true).end, walk(false).end);
      }),
      { numRuns: 300 },
    );
  });
});

describe('list, all makes', () => {
  const { kernel, items, addresses } = machine();
  const text = (line: string): string[] => lines(kernel.run(list, line));
  test('-H: a head of its own', () => {
    assert.deepEqual(text('-H items -o item.link'), addresses);
    assert.deepEqual(text('item.link -H items'), addresses);
    assert.deepEqual(text('16 -H items'), addresses);
    assert.deepEqual(text('-r item.link -H items'), [...addresses].reverse());
  });
  test('-h: the head is in the first struct', () => {
    const circle = machine();
    circle.kernel.link(...(circle.items.map(({ address }) => address + 16n) as [bigint, ...bigint[]]));
    assert.deepEqual(lines(circle.kernel.run(list, 'item.link -h item_1')), circle.addresses);
  });
  test('-O: the head is in another kind of struct', () => {
    const owner = kernel.allocate('struct owner', 'owner');
    const own = machine().kernel;
    assert.ok(own);
    const child = kernel.allocate('struct item', 'child');
    kernel.link(owner.address + 16n, child.address + 16n);
    assert.deepEqual(text('-o item.link -O owner.items -h owner'), [child.address.toString(16)]);
  });
  test('by a pointer to the next', () => {
    kernel.set(items[0]!, 'parent', items[2]!);
    assert.deepEqual(text('item.parent item_1'), [addresses[0], addresses[2]]);
  });
  test('an empty list is said to be', () => {
    const head = kernel.allocate('struct list_head', 'nothing');
    kernel.link(head.address);
    assert.deepEqual(text('-H nothing'), ['(empty)']);
  });
  test('-e ends it', () => assert.deepEqual(text(`item.link -e ${addresses[2]} -H items`), addresses.slice(0, 2)));
  test('-s shows members, -S plain ones, in the order given', () => {
    assert.deepEqual(text('item.link -H items -s item.id,name').slice(0, 3), [
      addresses[0],
      '  id = 1,',
      '  name = "n1\\000\\000\\000\\000\\000"',
    ]);
    assert.deepEqual(text('item.link -H items -S item.id,name -x').slice(0, 3), [
      addresses[0],
      '  id = 0x1',
      '  name = "n1"',
    ]);
    assert.deepEqual(text('item.link -H items -s item.name -s item.id').slice(2, 3), ['  id = 1,']);
  });
  test('-S has the number of an enumerator, -s its name', () => {
    assert.equal(text('item.link -H items -S item.state')[1], '  state = 0');
    assert.equal(text('item.link -H items -s item.state')[1], '  state = IDLE,');
  });
  test('-l: addresses are those of members', () => {
    const link = (items[0]!.address + 16n).toString(16);
    assert.deepEqual(text(`${link} -l item.link -s item.id`).slice(0, 2), [link, '  id = 1,']);
  });
});

function walked(walk: Generator<VirtAddr, WalkEnd>): { readonly links: readonly VirtAddr[]; readonly end: string } {
  const links: VirtAddr[] = [];
  for (;;) {
    const next = walk.next();
    if (next.done) return { links, end: next.value.end };
    links.push(next.value);
  }
}
