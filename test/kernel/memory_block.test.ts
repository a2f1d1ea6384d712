// Blocks of memory as /sys has them: which memory was online when the kernel died.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { virtAddr } from '../../src/base/address.ts';
import { memoryBlocks } from '../../src/kernel/memory_block.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const types = (state: string): string => `
  struct xarray { int lock; void *xa_head; };
  struct xa_node { u8 shift; u8 offset; u8 count; u8 values; void *slots[64]; };
  enum memory_block_state { MEM_ONLINE, MEM_GOING_OFFLINE, MEM_OFFLINE };
  struct kobject { char *name; };
  struct device { struct kobject kobj; };
  struct memory_block { u64 start_section_nr; ${state}; int nid; struct device dev; };
`;
const roots = 0xffff_c900_0000_0000n;
const info = `SYMBOL(mem_section)=${roots.toString(16)}\nLENGTH(mem_section)=1\nSIZE(mem_section)=16\nOFFSET(mem_section.section_mem_map)=0\nNUMBER(SECTION_SIZE_BITS)=27\nSIZE(page)=64\n`;

function machine(state: string, states: readonly number[]): SyntheticKernel {
  const kernel = new SyntheticKernel(types(state), info);
  const table = kernel.allocate('struct xarray', 'memory_blocks');
  const node = kernel.allocate('struct xa_node');
  kernel.set(table, 'xa_head', node.address | 2n);
  kernel.space.words(kernel.allocate('unsigned int', 'sections_per_block').address, 2n);
  for (const [i, value] of states.entries()) {
    const block = kernel.allocate('struct memory_block');
    kernel.set(block, 'start_section_nr', i * 2);
    kernel.set(block, 'state', value);
    kernel.set(block, 'nid', 1);
    const name = kernel.reserve(16);
    kernel.space.write(name, Buffer.from(`memory${i}\0`));
    kernel.set(block, 'dev.kobj.name', name);
    kernel.set(node, `slots[${i}]`, block);
  }
  return kernel;
}

describe('blocks of memory', () => {
  for (const [name, member, states] of [
    ['bits', 'u64 state', [1, 4, 77]],
    ['an enumeration', 'enum memory_block_state state', [0, 2, 77]],
  ] as const) {
    test(`in order, their state as ${name}`, () => {
      assert.deepEqual(
        memoryBlocks(machine(member, states)).map((b) => [b.name, b.start, b.end, b.node, b.state]),
        [
          ['memory0', 0, 0x1000_0000, 1, 'ONLINE'],
          ['memory1', 0x1000_0000, 0x2000_0000, 1, 'OFFLINE'],
          ['memory2', 0x2000_0000, 0x3000_0000, 1, 'UNKNOWN'],
        ],
      );
    });
  }
  test('a block that is missing costs itself', () => {
    const kernel = machine('u64 state', [1, 1]);
    const first = kernel.space.pointer(
      virtAddr((kernel.variable('memory_blocks').member('xa_head').pointer() & ~2n) + 8n),
    );
    kernel.space.exclude(first);
    const { value, faults } = kernel.faults.collect(() => memoryBlocks(kernel));
    assert.deepEqual(
      value.map((b) => b.name),
      ['memory1'],
    );
    assert.equal(faults.length, 1);
  });
  test('an older kernel has no table of them', () => {
    assert.deepEqual(memoryBlocks(new SyntheticKernel(types('u64 state'), info)), []);
  });
});
