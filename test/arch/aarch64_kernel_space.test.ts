import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Arm64KernelSpace, arm64LayoutFromVmcoreinfo } from '../../src/arch/aarch64/kernel_space.ts';
import { describeEntry } from '../../src/arch/aarch64/paging.ts';
import { physAddr, virtAddr } from '../../src/base/address.ts';
import { FormatError, MemoryFault } from '../../src/base/errors.ts';
import { Vmcoreinfo } from '../../src/dump/vmcoreinfo.ts';
import { SyntheticMemory } from '../support/synthetic_memory.ts';

const imageOffset = 0xffff_8000_0000_0000n;

function vmcoreinfo(vaBits: number, pageSize: number, t1sz = 64 - vaBits, more = ''): Vmcoreinfo {
  return new Vmcoreinfo(
    `PAGESIZE=${pageSize}\nSYMBOL(swapper_pg_dir)=ffff800000100000\nNUMBER(kimage_voffset)=0xffff800000000000\n` +
      `NUMBER(VA_BITS)=${vaBits}\nNUMBER(TCR_EL1_T1SZ)=0x${t1sz.toString(16)}\nSYMBOL(_stext)=ffff800000200000\n${more}`,
  );
}

/** Memory with pages of any size: the synthetic one has 4 KiB pages. */
class LargePages extends SyntheticMemory {
  override readonly pageSize: number;
  constructor(pageSize: number) {
    super();
    this.pageSize = pageSize;
  }
  override page(pfn: number): Uint8Array {
    const bytes = new Uint8Array(this.pageSize);
    for (let at = 0; at < bytes.length; at += 8) {
      new DataView(bytes.buffer).setBigUint64(at, this.readU64(pfn * this.pageSize + at), true);
    }
    return bytes as ReturnType<SyntheticMemory['page']>;
  }
}

/** Maps one page: a table a level from `swapper_pg_dir` on. */
function map(
  memory: SyntheticMemory,
  { vaBits, pageShift }: { vaBits: number; pageShift: number },
  address: bigint,
  physical: number,
  leafShift: number,
  attributes = 0n,
  access = 0x700n,
): void {
  const perLevel = pageShift - 3;
  const levels = Math.ceil((vaBits - pageShift) / perLevel);
  let table = 0x10_0000;
  for (let level = 0; ; level++) {
    const shift = pageShift + (levels - 1 - level) * perLevel;
    const bits = level === 0 ? vaBits - shift : perLevel;
    const index = Number((address >> BigInt(shift)) & ((1n << BigInt(bits)) - 1n));
    if (shift === leafShift) {
      memory.writeU64(table + index * 8, BigInt(physical) | (shift === pageShift ? 3n : 1n) | access | attributes);
      return;
    }
    const next = 0x200_0000 + level * 0x1_0000;
    memory.writeU64(table + index * 8, BigInt(next) | 3n);
    table = next;
  }
}

describe('arm64 kernel addresses', () => {
  for (const [name, vaBits, pageShift, leafShift] of [
    ['4 KiB granule, 48 bits, page', 48, 12, 12],
    ['4 KiB granule, 48 bits, 2 MiB block', 48, 12, 21],
    ['4 KiB granule, 39 bits, page', 39, 12, 12],
    ['16 KiB granule, 47 bits, 32 MiB block', 47, 14, 25],
    ['16 KiB granule, 48 bits, page', 48, 14, 14],
    ['64 KiB granule, 48 bits, page', 48, 16, 16],
    ['64 KiB granule, 42 bits, 512 MiB block', 42, 16, 29],
    ['64 KiB granule, 52 bits, 512 MiB block', 52, 16, 29],
  ] as const) {
    test(name, () => {
      const memory = pageShift === 12 ? new SyntheticMemory() : new LargePages(2 ** pageShift);
      const address = (1n << 64n) - (1n << BigInt(vaBits - 1)) + 0x4000_0000n;
      map(memory, { vaBits, pageShift }, address, 0x4000_0000, leafShift);
      const layout = arm64LayoutFromVmcoreinfo(vmcoreinfo(vaBits, 2 ** pageShift), 4096);
      const space = new Arm64KernelSpace(memory, layout);
      assert.equal(space.translate(virtAddr(address + 0x123n)), 0x4000_0123);
      assert.equal(space.translate(virtAddr(address + 0x123n)), 0x4000_0123);
    });
  }

  test('what the kernel may execute: mapped, and not marked PXN', () => {
    const memory = new SyntheticMemory();
    const address = 0xffff_8000_4000_0000n;
    map(memory, { vaBits: 48, pageShift: 12 }, address, 0x4000_0000, 12);
    const layout = arm64LayoutFromVmcoreinfo(vmcoreinfo(48, 4096), 4096);
    const isExecutable = (at: bigint): boolean => new Arm64KernelSpace(memory, layout).isExecutable(virtAddr(at));
    assert.deepEqual(
      [isExecutable(address), isExecutable(address + 4096n), isExecutable(0x1000n)],
      [true, false, false],
    );
    map(memory, { vaBits: 48, pageShift: 12 }, address, 0x4000_0000, 12, 1n << 53n);
    assert.equal(isExecutable(address), false);
  });

  for (const [name, vaBits, pageShift, leafShift, physical] of [
    // FEAT_LPA2: bits 49 and 48 of the address are bits 49 and 48 of the descriptor, 51 and 50 are its bits 9 and 8
    ['4 KiB granule, 52 bits (LPA2), page', 52, 12, 12, 0x3_0000_4000_0000],
    ['4 KiB granule, 52 bits (LPA2), 1 GiB block', 52, 12, 30, 0x3_0000_4000_0000],
    ['16 KiB granule, 52 bits (LPA2), page', 52, 14, 14, 0x1_8000_4000_0000],
    ['16 KiB granule, 52 bits (LPA2), 32 MiB block', 52, 14, 25, 0x1_8000_4000_0000],
  ] as const) {
    test(`${name}: five levels or four, and addresses of 52 bits`, () => {
      const memory = pageShift === 12 ? new SyntheticMemory() : new LargePages(2 ** pageShift);
      const address = (1n << 64n) - (1n << BigInt(vaBits - 1)) + 0x4000_0000n;
      // SH is no attribute there
      map(memory, { vaBits, pageShift }, address, physical, leafShift, 0n, 0x400n);
      const space = new Arm64KernelSpace(memory, arm64LayoutFromVmcoreinfo(vmcoreinfo(vaBits, 2 ** pageShift), 4096));
      assert.equal(space.translate(virtAddr(address + 0x123n)), physical + 0x123);
      const { entries } = space.walk(virtAddr(address));
      const last = entries.at(-1)!;
      const meaning = describeEntry(last.value, last.level, { vaBits, pageShift, lpa2: true });
      assert.deepEqual([meaning.physical, meaning.flags.includes('SHARED')], [physical, false]);
    });
  }

  test('bits 51 and 50 of an address are where descriptors else say who shares the memory (LPA2)', () => {
    const paging = { vaBits: 52, pageShift: 12, lpa2: true };
    const value = 0x0003_0000_4000_0703n; // bits 49, 48, 30; AF; SH
    assert.equal(describeEntry(value, 'PTE', paging).physical, 0xf_0000_4000_0000);
    assert.deepEqual(describeEntry(value, 'PTE', paging).flags, ['VALID', 'AF']);
    assert.deepEqual(describeEntry(0x4000_0703n, 'PTE', { ...paging, lpa2: false }).flags, ['VALID', 'SHARED', 'AF']);
  });

  test('64 KiB granule: bits 48 to 51 of an address are bits 12 to 15 of the descriptor (LPA)', () => {
    const paging = { vaBits: 52, pageShift: 16, lpa2: false };
    assert.equal(describeEntry(0x4001_a703n, 'PTE', paging).physical, 0xa_0000_4001_0000);
    const memory = new LargePages(65536);
    map(memory, { vaBits: 52, pageShift: 16 }, 0xfff8_0000_4000_0000n, 0x4001_a000, 16);
    const space = new Arm64KernelSpace(memory, arm64LayoutFromVmcoreinfo(vmcoreinfo(52, 65536), 4096));
    assert.equal(space.translate(virtAddr(0xfff8_0000_4000_0042n)), 0xa_0000_4001_0042);
  });

  test('16 KiB granule built for 52 bits, on a CPU with 47: a level less', () => {
    const memory = new LargePages(16384);
    map(memory, { vaBits: 47, pageShift: 14 }, 0xffff_c000_4000_0000n, 0x4000_0000, 14);
    const layout = arm64LayoutFromVmcoreinfo(vmcoreinfo(52, 16384, 17), 4096);
    assert.deepEqual([layout.paging.vaBits, layout.paging.lpa2], [47, false]);
    const space = new Arm64KernelSpace(memory, layout);
    assert.equal(space.translate(virtAddr(0xffff_c000_4000_0123n)), 0x4000_0123);
  });

  test('64 KiB granule built for 52 bits, on a CPU with 48: tables keep their shape', () => {
    const memory = new LargePages(65536);
    const address = 0xffff_8000_4000_0000n;
    map(memory, { vaBits: 52, pageShift: 16 }, address, 0x4000_0000, 16);
    const space = new Arm64KernelSpace(memory, arm64LayoutFromVmcoreinfo(vmcoreinfo(52, 65536, 16), 4096));
    assert.equal(space.translate(virtAddr(address)), 0x4000_0000);
  });

  test('an unmapped address and a user address are not mapped', () => {
    const memory = new SyntheticMemory();
    memory.write(0x10_0000, new Uint8Array(4096));
    const space = new Arm64KernelSpace(memory, arm64LayoutFromVmcoreinfo(vmcoreinfo(48, 4096), 4096));
    for (const address of [0xffff_8000_0000_0000n, 0x1000n]) {
      assert.throws(
        () => space.translate(virtAddr(address)),
        (error) => error instanceof MemoryFault && error.reason === 'not-mapped',
      );
    }
  });

  test('without tables, the image and the linear map are still read', () => {
    const memory = new SyntheticMemory();
    const info = vmcoreinfo(48, 4096, 16, 'NUMBER(PHYS_OFFSET)=0x40000000\nNUMBER(VMALLOC_START)=0xffff800008000000\n');
    const space = new Arm64KernelSpace(memory, arm64LayoutFromVmcoreinfo(info, 4096));
    assert.equal(space.translate(virtAddr(imageOffset + 0x20_1000n)), 0x20_1000);
    assert.equal(space.translate(virtAddr(0xffff_0000_0000_5000n)), 0x4000_5000);
    assert.throws(() => space.translate(virtAddr(0xffff_8000_2000_0000n)), MemoryFault);
  });

  test('without tables, the linear map of a kernel for 52 bits that runs with 48 is read', () => {
    // as a kernel of 6.12 in QEMU tells it
    const more = 'NUMBER(PHYS_OFFSET)=0xfff0d65fc0000000\nNUMBER(VMALLOC_START)=0xffff800080000000\n';
    const info = vmcoreinfo(52, 4096, 16, more);
    const space = new Arm64KernelSpace(new SyntheticMemory(), arm64LayoutFromVmcoreinfo(info, 4096));
    assert.equal(space.translate(virtAddr(0xffff_29a0_829f_3780n)), 0x429f_3780);
  });

  for (const [what, text] of [
    ['no kimage_voffset', 'SYMBOL(swapper_pg_dir)=ffff800000100000\nNUMBER(VA_BITS)=48\n'],
    ['absurd VA_BITS', 'SYMBOL(swapper_pg_dir)=ffff800000100000\nNUMBER(kimage_voffset)=0\nNUMBER(VA_BITS)=99\n'],
    [
      'a root outside memory',
      'SYMBOL(swapper_pg_dir)=ffff800000100000\nNUMBER(kimage_voffset)=0\nNUMBER(VA_BITS)=48\n',
    ],
  ] as const) {
    test(`VMCOREINFO with ${what} is refused`, () => {
      assert.throws(() => arm64LayoutFromVmcoreinfo(new Vmcoreinfo(text), 4096), FormatError);
    });
  }

  test('physical memory has a place in the linear map, as far as that reaches', () => {
    const info = vmcoreinfo(48, 4096, 16, 'NUMBER(PHYS_OFFSET)=0x40000000\nNUMBER(VMALLOC_START)=0xffff800010000000\n');
    const space = new Arm64KernelSpace(new SyntheticMemory(), arm64LayoutFromVmcoreinfo(info, 4096));
    assert.equal(space.linearAddress(physAddr(0x4000_1000)), 0xffff_0000_0000_1000n);
    assert.equal(space.linearAddress(physAddr(0x1000)), null);
    const old = new Arm64KernelSpace(new SyntheticMemory(), arm64LayoutFromVmcoreinfo(vmcoreinfo(48, 4096), 4096));
    assert.equal(old.linearAddress(physAddr(0x4000_1000)), null);
  });

  test('addresses are canonical: poison is none, though its bit 55 is set', () => {
    const memory = new SyntheticMemory();
    map(memory, { vaBits: 48, pageShift: 12 }, 0xffff_0000_0000_0000n, 0x4000_0000, 12);
    const space = new Arm64KernelSpace(memory, arm64LayoutFromVmcoreinfo(vmcoreinfo(48, 4096), 4096));
    assert.equal(space.translate(virtAddr(0xffff_0000_0000_0122n)), 0x4000_0122);
    for (const wrong of [0xdead_0000_0000_0122n, 0xf5ff_0000_0000_0122n, 0xff8f_0000_0000_0122n]) {
      assert.equal(space.isReadable(virtAddr(wrong)), false);
      assert.notEqual(space.walk(virtAddr(wrong)).fault, null);
    }
  });

  test('tags of pointers are no part of the address where the kernel has some (MTE, KASAN)', () => {
    const memory = new SyntheticMemory();
    map(memory, { vaBits: 48, pageShift: 12 }, 0xffff_0000_0000_0000n, 0x4000_0000, 12);
    memory.writeU64(0x4000_0010, 0xf5ff_0000_0000_0040n);
    memory.writeU64(0x4000_0018, 0xdead_0000_0000_0122n);
    const space = new Arm64KernelSpace(memory, arm64LayoutFromVmcoreinfo(vmcoreinfo(48, 4096), 4096));
    assert.equal(space.pointer(virtAddr(0xffff_0000_0000_0010n)), 0xf5ff_0000_0000_0040n);
    space.useSymbols((name) => (name === 'kasan_init_hw_tags_cpu' ? virtAddr(0xffff_8000_0020_0000n) : null));
    assert.equal(space.translate(virtAddr(0xf5ff_0000_0000_0122n)), 0x4000_0122);
    assert.equal(space.pointer(virtAddr(0xffff_0000_0000_0010n)), 0xffff_0000_0000_0040n);
    assert.equal(space.pointer(virtAddr(0xf7ff_0000_0000_0018n)), 0xdead_0000_0000_0122n);
    assert.equal(space.isReadable(virtAddr(0xdead_0000_0000_0122n)), false);
    assert.equal(space.untagged(0x0000_ffff_1234_5678n), 0x0000_ffff_1234_5678n);
  });
});
