// VMAs of a process: through the maple tree, and through list and red-black tree of older kernels.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { vmAreas } from '../../src/kernel/mm_types.ts';
import { mapleTypes, writeMapleTree } from '../support/maple_tree_writer.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const common =
  'unsigned long vm_start; unsigned long vm_end; unsigned long vm_flags; void *vm_file; unsigned long vm_pgoff;';
const maple = `${mapleTypes} struct mm_struct { struct maple_tree mm_mt; }; struct vm_area_struct { ${common} };`;
const listed = `
  struct rb_node { unsigned long __rb_parent_color; struct rb_node *rb_right, *rb_left; };
  struct rb_root { struct rb_node *rb_node; };
  struct vm_area_struct { ${common} struct vm_area_struct *vm_next; struct rb_node vm_rb; };
  struct mm_struct { struct vm_area_struct *mmap; struct rb_root mm_rb; };
`;

class World {
  readonly kernel: SyntheticKernel;
  readonly mm: KernelObject;
  readonly areas: KernelObject[] = [];

  constructor(kept: 'maple' | 'listed', starts: readonly number[]) {
    this.kernel = new SyntheticKernel(kept === 'maple' ? maple : listed);
    this.mm = this.kernel.allocate('struct mm_struct');
    for (const start of starts) {
      const area = this.kernel.allocate('struct vm_area_struct');
      this.kernel.set(area, 'vm_start', start);
      this.kernel.set(area, 'vm_end', start + 0x1000);
      this.areas.push(area);
    }
    if (kept === 'maple') {
      writeMapleTree(
        this.kernel,
        this.mm.member('mm_mt'),
        this.areas.map((area, i) => [BigInt(starts[i]!), BigInt(starts[i]! + 0xfff), area.address]),
      );
      return;
    }
    for (const [i, area] of this.areas.entries()) {
      const next = this.areas[i + 1];
      if (i === 0) {
        this.kernel.set(this.mm, 'mmap', area);
        this.kernel.set(this.mm, 'mm_rb.rb_node', area.member('vm_rb'));
      }
      if (next === undefined) continue;
      this.kernel.set(area, 'vm_next', next);
      this.kernel.set(area, 'vm_rb.rb_right', next.member('vm_rb'));
    }
  }

  read() {
    const { value, faults } = this.kernel.faults.collect(() => [...vmAreas(this.kernel, this.mm)]);
    return { starts: value.map(({ start }) => Number(start)), faults: faults.length };
  }
}

for (const kept of ['maple', 'listed'] as const) {
  describe(`VMAs, ${kept}`, () => {
    test('all of them, ascending', () => {
      assert.deepEqual(new World(kept, [0x1000, 0x4000, 0x9000]).read(), {
        starts: [0x1000, 0x4000, 0x9000],
        faults: 0,
      });
    });

    test('none', () => {
      assert.deepEqual(new World(kept, []).read(), { starts: [], faults: 0 });
    });

    test('one that ends before it starts is told and left out', () => {
      const world = new World(kept, [0x1000, 0x4000, 0x9000]);
      world.kernel.set(world.areas[1]!, 'vm_end', 0x3000);
      const { starts, faults } = world.read();
      assert.deepEqual([starts, faults > 0], [[0x1000, 0x9000], true]);
    });
  });
}

describe('VMAs on a broken list', () => {
  test('a list that leads back ends, and the tree has the rest', () => {
    const world = new World('listed', [0x1000, 0x4000, 0x9000]);
    world.kernel.set(world.areas[1]!, 'vm_next', world.areas[0]!);
    assert.deepEqual(world.read().starts, [0x1000, 0x4000, 0x9000]);
  });
});
