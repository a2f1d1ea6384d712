import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddressSpace } from '../../src/arch/address_space.ts';
import { type PhysAddr, physAddr, type VirtAddr, virtAddr } from '../../src/base/address.ts';
import { FormatError, MemoryFault } from '../../src/base/errors.ts';
import { KernelObject } from '../../src/debuginfo/object.ts';
import type { CompoundType, Type } from '../../src/debuginfo/type.ts';
import { listNodes } from '../../src/kernel/list.ts';
import { pagewiseMemory } from '../support/pagewise_memory.ts';

/** One page of memory at virtual address 0x1000; everything else is not mapped. */
class OnePage extends AddressSpace {
  override translate(address: VirtAddr): PhysAddr {
    if (address < 0x1000n || address >= 0x2000n) throw new MemoryFault('kernel', address, 'not-mapped');
    return physAddr(Number(address - 0x1000n));
  }
}

const listHead: CompoundType = {
  kind: 'struct',
  name: 'list_head',
  size: 16,
  get members() {
    const pointer: Type = { kind: 'pointer', size: 8, target: listHead };
    return [
      { name: 'next', type: pointer, bitOffset: 0, bitSize: 0 },
      { name: 'prev', type: pointer, bitOffset: 64, bitSize: 0 },
    ];
  },
};

/** A list head at 0x1000 and `next` links from address to address. */
function list(links: Record<number, number>): KernelObject {
  const page = new Uint8Array(4096);
  const view = new DataView(page.buffer);
  for (const [from, to] of Object.entries(links)) {
    view.setBigUint64(Number(from) - 0x1000, BigInt(to), true);
    if (to >= 0x1000 && to + 16 <= 0x2000) view.setBigUint64(to - 0x1000 + 8, BigInt(from), true);
  }
  const memory = pagewiseMemory({
    pageSize: 4096,
    maxPfn: 1,
    state: () => 'present',
    load: (_pfn, into) => {
      into.set(page);
      return 'present';
    },
    ramRanges: () => [],
  });
  const space = new OnePage(memory, 'kernel');
  const context = { space, types: { find: () => null, all: () => [] } };
  return KernelObject.at(context, listHead, virtAddr(0x1000n));
}

const walk = (head: KernelObject): { nodes: bigint[]; error: unknown } => {
  const nodes: bigint[] = [];
  try {
    for (const node of listNodes(head)) nodes.push(node);
    return { nodes, error: null };
  } catch (error) {
    return { nodes, error };
  }
};

test('an empty list and a list of two', () => {
  assert.deepEqual(walk(list({ 4096: 0x1000 })), { nodes: [], error: null });
  assert.deepEqual(walk(list({ 4096: 0x1100, 4352: 0x1200, 4608: 0x1000 })).nodes, [0x1100n, 0x1200n]);
});

test('backwards gives the reverse', () => {
  assert.deepEqual([...listNodes(list({ 4096: 0x1100, 4352: 0x1200, 4608: 0x1000 }), 'prev')], [0x1200n, 0x1100n]);
});

test('a loop that misses the head ends with an error after what was found', () => {
  const { nodes, error } = walk(list({ 4096: 0x1100, 4352: 0x1200, 4608: 0x1100 }));
  assert.deepEqual(nodes, [0x1100n, 0x1200n]);
  assert.ok(error instanceof FormatError);
});

test('a list that was never initialised is told, not followed to address 0', () => {
  assert.ok(walk(list({})).error instanceof FormatError);
});

test('a node that cannot be read keeps what came before', () => {
  const { nodes, error } = walk(list({ 4096: 0x1100, 4352: 0x9000 }));
  assert.deepEqual(nodes, [0x1100n, 0x9000n]);
  assert.ok(error instanceof MemoryFault && error.reason === 'not-mapped' && error.address === 0x9000n);
});
