// tree: each kind of tree, by root, by node and inside a struct.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tree } from '../../src/commands/types/tree.ts';
import { CommandKernel } from '../support/command_kernel.ts';
import { mapleTypes, writeMapleTree } from '../support/maple_tree_writer.ts';

const types = `${mapleTypes}
  struct rb_node { unsigned long __rb_parent_color; struct rb_node *rb_right, *rb_left; };
  struct rb_root { struct rb_node *rb_node; };
  struct xa_node { u8 shift; u8 offset; u8 count; u8 nr_values; struct xa_node *parent; void *array;
    unsigned long list[2]; void *slots[64]; };
  struct xarray { int xa_lock; int xa_flags; void *xa_head; };
  struct holder { long before; struct rb_root items; struct xarray pages; struct maple_tree areas; };
  struct item { int id; struct rb_node node; };
`;

class World extends CommandKernel {
  readonly holder;
  /** Three items: 2 at the root, 1 and 3 below. */
  readonly items;

  constructor() {
    super(types);
    this.holder = this.allocate('struct holder', 'holder');
    this.items = [1, 2, 3].map((id) => {
      const item = this.allocate('struct item');
      this.set(item, 'id', id);
      return item;
    });
    const [one, two, three] = this.items;
    this.set(this.holder, 'items.rb_node', two!.member('node'));
    this.set(two!, 'node.rb_left', one!.member('node'));
    this.set(two!, 'node.rb_right', three!.member('node'));
    this.define('items', this.holder.member('items').address, 8, this.type('struct rb_root'));
  }

  text(line: string): string {
    return this.run(tree, line).text;
  }

  /** Addresses of the items as printed. */
  get shown(): string[] {
    return this.items.map((item) => item.address.toString(16));
  }
}

describe('tree', () => {
  test('wrong usage', () => {
    const world = new World();
    for (const [line, problem] of [
      ['0', /invalid start argument: 0/],
      ['-t nosuch items', /invalid tree type/],
      ['-t ra -l items', /red-black/],
      ['-t xarray -v holder', /maple/],
      ['-o nosuch.member items', /invalid -o argument: nosuch\.member/],
      ['-o item.node -s nosuch items', /structure not found/],
    ] as const) {
      assert.throws(() => world.text(line), problem, line);
    }
  });

  test('a red-black tree from its root down, and ascending', () => {
    const world = new World();
    const [one, two, three] = world.shown;
    assert.equal(world.text('-o item.node items'), `${two}\n${one}\n${three}\n`);
    assert.equal(world.text('-t rb -l -o item.node items'), `${one}\n${two}\n${three}\n`);
  });

  test('with positions and members; in a struct; from a node', () => {
    const world = new World();
    const [one, two] = world.shown;
    assert.match(
      world.text('-p -o item.node -s item.id items'),
      new RegExp(`^${two}\\n {2}position: root\\n {2}id = 2,\\n${one}\\n {2}position: root/l\\n {2}id = 1,\\n`),
    );
    assert.match(world.text('-r holder.items -o item.node holder'), new RegExp(`^${two}\\n`));
    const node = world.items[0]!.member('node').address.toString(16);
    assert.equal(world.text(`-o item.node -N ${node}`), `${one}\n`);
  });

  test('an xarray with index and position, from its root and from a node', () => {
    const world = new World();
    const [top, below] = [world.allocate('struct xa_node'), world.allocate('struct xa_node')];
    world.set(top, 'shift', 6);
    world.set(top, 'slots[1]', below.address | 2n);
    world.set(below, 'slots[26]', world.items[0]!);
    world.set(world.holder, 'pages.xa_head', top.address | 2n);
    const [one] = world.shown;
    for (const type of ['x', 'radix']) {
      assert.equal(world.text(`-t ${type} -r holder.pages -p holder`), `${one}\n  index: 90  position: root/1/26\n`);
    }
    assert.match(world.text('-t x -r holder.pages -p -x holder'), /index: 5a {2}position/);
    const link = (below.address | 2n).toString(16);
    assert.equal(world.text(`-t x -N -p ${link}`), `${one}\n  index: 26  position: direct/26\n`);
  });

  test('a maple tree, by entry and with its nodes', () => {
    const world = new World();
    writeMapleTree(world, world.holder.member('areas'), [[0x1000n, 0x1fffn, world.items[0]!.address]]);
    const [one] = world.shown;
    assert.equal(world.text('-t m -r holder.areas -p holder'), `${one}\n  index: 1  position: root/1\n`);
    const lines = world.text('-t maple -r holder.areas -v holder').split('\n');
    assert.match(lines[0]!, /^maple_tree\([0-9a-f]+\) flags 0, height 0 root 0x/);
    assert.match(
      lines[2]!,
      /^0-18446744073709551615: node 0x[0-9a-f]+ depth 0 type 1 parent \(nil\) contents: \(nil\) 4095 0x/,
    );
    assert.deepEqual(lines.slice(3), [
      '  0-4095: 0x0',
      `  4096-8191: 0x${one}`,
      '  8192-18446744073709551615: 0x0',
      '',
    ]);
  });
});
