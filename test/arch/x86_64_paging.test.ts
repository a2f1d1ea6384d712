import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { layoutFromVmcoreinfo, X86KernelSpace, X86UserSpace } from '../../src/arch/x86_64/kernel_space.ts';
import { entryFlags, type PagingMode } from '../../src/arch/x86_64/paging.ts';
import { physAddr, type VirtAddr, virtAddr } from '../../src/base/address.ts';
import { MemoryFault } from '../../src/base/errors.ts';
import { Vmcoreinfo } from '../../src/dump/vmcoreinfo.ts';
import { writePageTables } from '../support/page_table_writer.ts';
import { SyntheticMemory } from '../support/synthetic_memory.ts';

const root = 0x2000;
const tables = 0x10_0000;

function kernel(
  text: string,
  mode: PagingMode = { levels: 4, encryptionMask: 0n },
  memory = new SyntheticMemory(),
): X86KernelSpace {
  writePageTables(memory, { ...mode, root, tables }, text);
  return new X86KernelSpace(memory, {
    ...mode,
    pageTableRoot: physAddr(root),
    physBase: 0,
    imageSize: 0x4000_0000,
    kaslrOffset: null,
    stext: null,
    note: null,
  });
}

function user(text: string, memory = new SyntheticMemory()): X86UserSpace {
  writePageTables(memory, { levels: 4, root, tables }, text);
  return new X86UserSpace(memory, physAddr(root), { levels: 4, encryptionMask: 0n });
}

function faultOf(work: () => unknown): MemoryFault {
  try {
    work();
  } catch (error) {
    if (error instanceof MemoryFault) return error;
    throw error;
  }
  assert.fail('no fault');
}

const at = (address: bigint): VirtAddr => virtAddr(address);

describe('x86_64 page tables that map nothing', () => {
  test('an address without an entry is not mapped, with its own address in the fault', () => {
    const fault = faultOf(() => kernel('').translate(at(0xffff_8880_0000_1234n)));
    assert.equal(fault.reason, 'not-mapped');
    assert.equal(fault.space, 'kernel');
    assert.equal(fault.address, 0xffff_8880_0000_1234n);
  });

  test('an address that is not canonical is not mapped, even if its low bits are', () => {
    const space = kernel('ffff888000000000 -> 40000000 1G');
    assert.equal(faultOf(() => space.translate(at(0x00ff_8880_0000_0000n))).reason, 'not-mapped');
    const five = kernel('ff11000000000000 -> 40000000 1G', { levels: 5, encryptionMask: 0n });
    assert.equal(five.translate(at(0xff11_0000_0000_0010n)), 0x4000_0010);
    assert.equal(faultOf(() => five.translate(at(0x7f11_0000_0000_0010n))).reason, 'not-mapped');
  });

  test('a table outside memory is a fault, not a read of something else', () => {
    const memory = new SyntheticMemory(0x100_0000);
    memory.writeU64(root + 0x888 + 0, 0n);
    memory.writeU64(root + 273 * 8, 0x000f_ffff_ffff_f067n); // PGD entry of ffff888000000000
    const space = new X86UserSpace(memory, physAddr(root), { levels: 4, encryptionMask: 0n });
    assert.equal(faultOf(() => space.translate(at(0xffff_8880_0000_0000n))).reason, 'not-in-dump');
  });

  test('tables that point to themselves end', () => {
    const memory = new SyntheticMemory();
    for (let i = 0; i < 512; i++) memory.writeU64(root + i * 8, BigInt(root) | 0x67n);
    const space = new X86UserSpace(memory, physAddr(root), { levels: 5, encryptionMask: 0n });
    // the last level takes the table itself for the page
    assert.equal(space.translate(at(0x1234_5678n)), root + 0x678);
  });

  test('a table that the filter left out as zeroes maps nothing; one that is lost says so', () => {
    const memory = new SyntheticMemory();
    const space = kernel('ffff888000000000 -> 5000 4K', { levels: 4, encryptionMask: 0n }, memory);
    memory.mark(tables + 0x2000, 'excluded'); // the PTE table
    assert.equal(faultOf(() => space.translate(at(0xffff_8880_0000_0000n))).reason, 'not-mapped');
    memory.mark(tables + 0x2000, 'truncated');
    assert.equal(faultOf(() => space.translate(at(0xffff_8880_0000_0000n))).reason, 'truncated');
  });

  test('swapped pages say where they are; PROT_NONE pages are read', () => {
    const space = user(`
      7f0000001000 swap 3 1234
      7f0000002000 -> 6000 4K protnone
      7f0000003000 -> 7000 4K protnone inverted`);
    const address = at(0x7f00_0000_1010n);
    assert.equal(faultOf(() => space.translate(address)).reason, 'swapped');
    assert.deepEqual(space.walk(address).swap, { type: 3, offset: 0x1234n });
    assert.equal(space.translate(at(0x7f00_0000_2010n)), 0x6010);
    assert.equal(space.translate(at(0x7f00_0000_3010n)), 0x7010);
  });

  test('a cleared present bit in kernel memory is no swap entry', () => {
    const memory = new SyntheticMemory();
    const space = kernel('ffff888000000000 -> 5000 4K', { levels: 4, encryptionMask: 0n }, memory);
    memory.writeU64(tables + 0x2000, 0x5062n);
    assert.equal(faultOf(() => space.translate(at(0xffff_8880_0000_0000n))).reason, 'not-mapped');
  });
});

describe('x86_64 page tables', () => {
  for (const [size, text, offset] of [
    [4096, 'ffff888000001000 -> 9000 4K rw nx', 0x123],
    [0x20_0000, 'ffff888000000000 -> 600000 2M', 0x1_2345],
    [0x4000_0000, 'ffff888000000000 -> 80000000 1G', 0x1234_5678],
  ] as const) {
    test(`a page of ${size} bytes: its offset is kept whole, and the walk names its size`, () => {
      const space = kernel(text);
      const [va, pa] = text.split(/ -> | /).map((word) => Number.parseInt(word.slice(-9), 16));
      const address = at(0xffff_8880_0000_0000n + BigInt(va! % 0x1_0000_0000) + BigInt(offset));
      assert.equal(space.translate(address), pa! + offset);
      assert.equal(space.walk(address).pageSize, size);
      assert.equal(space.walk(address).physical, pa! + offset);
    });
  }

  test('the walk has an entry a level, from PGD down, with their addresses', () => {
    const space = kernel('ff11000000001000 -> 9000 4K rw', { levels: 5, encryptionMask: 0n });
    const { entries } = space.walk(at(0xff11_0000_0000_1000n));
    assert.deepEqual(
      entries.map(({ level }) => level),
      ['PGD', 'P4D', 'PUD', 'PMD', 'PTE'],
    );
    assert.equal(entries[0]!.entryAddress, root + 0x111 * 8);
    assert.equal(entries[4]!.value, 0x9023n);
    assert.deepEqual(entryFlags(entries[4]!.value, 'PTE'), ['PRESENT', 'RW', 'ACCESSED']);
  });

  test("the memory-encryption bit is no part of an address, in tables' entries or pages'", () => {
    const encryptionMask = 1n << 47n;
    const space = kernel('ffff888000001000 -> 9000 4K', { levels: 4, encryptionMask });
    assert.equal(space.translate(at(0xffff_8880_0000_1008n)), 0x9008);
  });

  test('any mapping of any page size is found, at both levels, first and repeated', () => {
    const pages = fc.record({
      levels: fc.constantFrom(4 as const, 5 as const),
      shift: fc.constantFrom(12, 21, 30),
      virtual: fc.bigInt({ min: 0n, max: (1n << 47n) - 1n }),
      physical: fc.integer({ min: 0, max: 2 ** 20 }),
      offset: fc.nat(),
      high: fc.boolean(),
    });
    fc.assert(
      fc.property(pages, ({ levels, shift, virtual, physical, offset, high }) => {
        const size = 2 ** shift;
        const sign = high ? (levels === 5 ? 0xff00_0000_0000_0000n : 0xffff_8000_0000_0000n) : 0n;
        const va = ((virtual >> BigInt(shift)) << BigInt(shift)) | sign;
        const pa = (physical * 4096 - ((physical * 4096) % size)) % 2 ** 32;
        const name = shift === 12 ? '4K' : shift === 21 ? '2M' : '1G';
        const space = kernel(`${va.toString(16)} -> ${pa.toString(16)} ${name}`, { levels, encryptionMask: 0n });
        const inPage = offset % size;
        const address = at(va + BigInt(inPage));
        assert.equal(space.translate(address), pa + inPage);
        assert.equal(space.translate(address), pa + inPage);
        assert.equal(space.walk(address).physical, pa + inPage);
      }),
    );
  });

  test('pages of 2 MiB remembered do not answer for their neighbours, nor for others of the same slot', () => {
    const space = kernel(`
      ffff888000200000 -> 600000 2M
      ffff888008200000 -> e00000 2M
      ffff888000400000 -> 5000 4K`);
    assert.equal(space.translate(at(0xffff_8880_0020_0010n)), 0x60_0010);
    assert.equal(space.translate(at(0xffff_8880_0039_f010n)), 0x79_f010);
    assert.equal(space.translate(at(0xffff_8880_0820_0010n)), 0xe0_0010);
    assert.equal(space.translate(at(0xffff_8880_0040_0010n)), 0x5010);
    assert.equal(faultOf(() => space.translate(at(0xffff_8880_0040_1010n))).reason, 'not-mapped');
  });

  test('pages whose numbers fall into one slot of the cache do not answer for each other', () => {
    const space = kernel(`
      ffff888000001000 -> 9000 4K
      ffff888001001000 -> a000 4K`);
    assert.equal(space.translate(at(0xffff_8880_0000_1000n)), 0x9000);
    assert.equal(space.translate(at(0xffff_8880_0100_1000n)), 0xa000);
    assert.equal(space.translate(at(0xffff_8880_0000_1000n)), 0x9000);
  });
});

describe('the kernel address space', () => {
  test('layout from VMCOREINFO: physical base negative, five levels, encryption mask', () => {
    const layout = layoutFromVmcoreinfo(
      new Vmcoreinfo(
        'SYMBOL(swapper_pg_dir)=ffffffffa9a10000\nNUMBER(phys_base)=-501219328\nNUMBER(pgtable_l5_enabled)=1\n' +
          'NUMBER(sme_mask)=140737488355328\nKERNELOFFSET=27000000\nSYMBOL(_stext)=ffffffffa8000000\n',
      ),
    );
    assert.ok(layout !== null);
    assert.equal(layout.pageTableRoot, 0xbc1_0000);
    assert.equal(layout.levels, 5);
    assert.equal(layout.encryptionMask, 1n << 47n);
    assert.equal(layout.kaslrOffset, 0x2700_0000n);
  });

  for (const [what, text] of [
    ['no phys_base', 'SYMBOL(swapper_pg_dir)=ffffffffa9a10000\n'],
    ['a root outside the image', 'SYMBOL(swapper_pg_dir)=1000\nNUMBER(phys_base)=0\n'],
    ['a root below physical 0', 'SYMBOL(swapper_pg_dir)=ffffffff80001000\nNUMBER(phys_base)=-8192\n'],
    ['a root that is not a page', 'SYMBOL(swapper_pg_dir)=ffffffff80001008\nNUMBER(phys_base)=0\n'],
  ] as const) {
    test(`VMCOREINFO with ${what} gives no layout`, () => {
      assert.equal(layoutFromVmcoreinfo(new Vmcoreinfo(text)), null);
    });
  }

  test('the image is linear once its extent is known; beyond it tables decide', () => {
    const memory = new SyntheticMemory();
    const space = kernel('', { levels: 4, encryptionMask: 0n }, memory);
    space.useKernelImage(at(0xffff_ffff_8100_0000n), at(0xffff_ffff_8200_0000n));
    assert.equal(space.translate(at(0xffff_ffff_8100_0010n)), 0x100_0010);
    assert.equal(faultOf(() => space.translate(at(0xffff_ffff_8200_0000n))).reason, 'not-mapped');
  });

  test('an image extent that contradicts the layout is ignored', () => {
    const space = kernel('ffffffff81000000 -> 600000 2M');
    space.useKernelImage(at(0x1000n), at(0x2000n));
    space.useKernelImage(at(0xffff_ffff_8100_0000n), at(0xffff_ffff_ffff_f000n));
    assert.equal(space.translate(at(0xffff_ffff_8100_0000n)), 0x60_0000);
  });

  test('image addresses are found when their tables are lost', () => {
    const memory = new SyntheticMemory();
    const space = kernel('', { levels: 4, encryptionMask: 0n }, memory);
    memory.mark(root, 'truncated');
    assert.equal(space.translate(at(0xffff_ffff_8100_0010n)), 0x100_0010);
    assert.equal(faultOf(() => space.translate(at(0xffff_8880_0000_0000n))).reason, 'truncated');
  });

  test('text made at run time is told from data by its page', () => {
    const space = kernel(`
      ffffffffc0000000 -> 5000 4K
      ffffffffc0001000 -> 6000 4K rw nx`);
    assert.equal(space.isExecutable(at(0xffff_ffff_c000_0010n)), true);
    assert.equal(space.isExecutable(at(0xffff_ffff_c000_1010n)), false);
    assert.equal(space.isExecutable(at(0xffff_ffff_c000_2010n)), false);
  });

  test('a direct map whose base the tables deny is not used', () => {
    const memory = new SyntheticMemory();
    const variable = 0xffff_8880_0000_8000n;
    const space = kernel('ffff888000000000 -> 0 2M', { levels: 4, encryptionMask: 0n }, memory);
    memory.writeU64(0x8000, 0xffff_9990_0000_0000n);
    space.useSymbols((name) => (name === 'page_offset_base' ? at(variable) : null));
    assert.equal(faultOf(() => space.translate(at(0xffff_9990_0000_0000n))).reason, 'not-mapped');
    memory.writeU64(0x8000, 0xffff_8880_0000_0000n);
    space.useSymbols((name) => (name === 'page_offset_base' ? at(variable) : null));
    assert.equal(space.translate(at(0xffff_8880_1234_5678n)), 0x1234_5678);
  });

  test('physical memory is found in the direct map, once its base is known; without KASLR that base is fixed', () => {
    for (const base of [0xffff_8880_0000_0000n, 0xffff_8800_0000_0000n]) {
      const space = kernel(`${base.toString(16)} -> 0 1G`, { levels: 4, encryptionMask: 0n }, new SyntheticMemory());
      assert.equal(space.linearAddress(physAddr(0x1234)), null);
      space.useSymbols(() => null);
      assert.equal(space.linearAddress(physAddr(0x1_2345_6789)), base + 0x1_2345_6789n);
    }
  });
});
