// Which slab cache an address belongs to: `rd -S` and `bt -F` must not name the wrong one.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AddressSpace } from '../../src/arch/address_space.ts';
import { type PhysAddr, physAddr, type VirtAddr, virtAddr } from '../../src/base/address.ts';
import { MemoryFault } from '../../src/base/errors.ts';
import { slabAt, slabCacheOf } from '../../src/kernel/slab.ts';
import { x86Over } from '../support/synthetic_architecture.ts';
import { SyntheticKernel, syntheticDump } from '../support/synthetic_kernel.ts';
import { SyntheticMemory } from '../support/synthetic_memory.ts';

const directMap = 0xff11_0000_0000_0000n;
const memorySize = 1 << 20;

class DirectMap extends AddressSpace {
  override translate(address: VirtAddr): PhysAddr {
    const offset = address - directMap;
    if (offset < 0n || offset >= BigInt(memorySize)) throw new MemoryFault('kernel', address, 'not-mapped');
    return physAddr(Number(offset));
  }
}

/** Frames: 1 roots, 2 sections, 4-7 page structures, 8 the cache and its name; 32-33 a slab of two pages. */
function machine(declarations: string, markSlab: (memory: SyntheticMemory, page: number) => void, info: string) {
  const memory = new SyntheticMemory(memorySize);
  const at = (frame: number): VirtAddr => virtAddr(directMap + BigInt(frame * 4096));
  memory.writeU64(1 * 4096, at(2));
  memory.writeU64(2 * 4096, at(4) | 3n);
  memory.write(4 * 4096, new Uint8Array(4 * 4096));
  const page = (frame: number): number => 4 * 4096 + frame * 64;
  for (let frame = 0; frame < 256; frame++) memory.writeU64(page(frame) + 48, 0xffff_ffffn);
  markSlab(memory, page(32));
  memory.writeU64(page(33) + 8, (directMap + BigInt(page(32))) | 1n);
  memory.writeU64(8 * 4096, at(8) + 64n); // kmem_cache.name
  memory.write(8 * 4096 + 64, Buffer.from('dentry\0'));
  const space = new DirectMap(memory, 'kernel');
  const kernel = new SyntheticKernel(
    declarations,
    `SYMBOL(mem_section)=${at(1).toString(16)}\nLENGTH(mem_section)=4\nSIZE(mem_section)=16\nOFFSET(mem_section.section_mem_map)=0\nNUMBER(SECTION_SIZE_BITS)=20\nSIZE(page)=64\nOFFSET(page.flags)=0\nOFFSET(page.compound_head)=8\nOFFSET(page.mapping)=24\nOFFSET(page.private)=40\nOFFSET(page._mapcount)=48\nNUMBER(PG_lru)=5\nNUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129\n${info}`,
    () => ({ dump: syntheticDump(memory), space, arch: x86Over(space, { levels: 5 }) }),
  );
  return { kernel, memory, at, page };
}

const current = () =>
  machine(
    'struct kmem_cache { char *name; }; struct slab { u64 flags; struct kmem_cache *slab_cache; };',
    (memory, page) => {
      memory.writeU64(page + 8, directMap + 8n * 4096n);
      memory.writeU64(page + 48, 0xf500_0000n);
    },
    'NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-184549376',
  );
const older = () =>
  machine(
    'struct kmem_cache { char *name; }; struct page { u64 flags; u64 fill[2]; struct kmem_cache *slab_cache; };',
    (memory, page) => {
      memory.writeU64(page, 1n << 9n);
      memory.writeU64(page + 24, directMap + 8n * 4096n);
    },
    'NUMBER(PG_slab)=9',
  );

describe('the slab cache of an address', () => {
  for (const [name, make] of [
    ['slab as a page type, struct slab (6.10 and later)', current],
    ['slab as a page flag, in struct page (before 5.17)', older],
  ] as const) {
    test(`${name}: by any page of the slab`, () => {
      const { kernel, at, page } = make();
      assert.equal(slabCacheOf(kernel, virtAddr(at(32) + 8n)), 'dentry');
      assert.deepEqual(slabAt(kernel, virtAddr(at(33) + 100n)), {
        cache: at(8),
        name: 'dentry',
        slab: directMap + BigInt(page(32)),
      });
    });
  }
  test('other memory, user addresses and addresses of nothing are in none', () => {
    const { kernel, at } = current();
    for (const address of [at(40), 0x40_0000n, 0xffff_ffff_ffff_fff8n, at(300)]) {
      assert.equal(slabCacheOf(kernel, virtAddr(address)), null);
    }
  });
  test('a page structure, cache or name that cannot be read gives none, and no error', () => {
    for (const frame of [1, 2, 4, 8]) {
      const { kernel, memory, at } = current();
      memory.mark(frame * 4096, 'excluded');
      assert.equal(slabCacheOf(kernel, at(32)), null, `frame ${frame}`);
    }
  });
});
