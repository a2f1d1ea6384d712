// Where a kernel has what, and what an entry of its page tables says: by its own variables and notes, on each machine.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Arm64Architecture } from '../../src/arch/aarch64/architecture.ts';
import { Arm64KernelSpace, arm64LayoutFromVmcoreinfo } from '../../src/arch/aarch64/kernel_space.ts';
import { type Architecture, regionOf } from '../../src/arch/architecture.ts';
import { X86Architecture } from '../../src/arch/x86_64/architecture.ts';
import { X86KernelSpace, type X86Layout } from '../../src/arch/x86_64/kernel_space.ts';
import { physAddr, virtAddr } from '../../src/base/address.ts';
import { Vmcoreinfo } from '../../src/dump/vmcoreinfo.ts';
import { writePageTables } from '../support/page_table_writer.ts';
import { SyntheticMemory } from '../support/synthetic_memory.ts';

const root = 0x2000;

/** @param tables what is mapped; @param variables content of the kernel's own variables, which lie on its image */
function x86(levels: 4 | 5, tables: string, variables: Readonly<Record<string, bigint>> = {}): Architecture {
  const memory = new SyntheticMemory();
  writePageTables(memory, { levels, encryptionMask: 0n, root, tables: 0x10_0000 }, tables);
  const layout: X86Layout = {
    levels,
    encryptionMask: 0n,
    pageTableRoot: physAddr(root),
    physBase: 0,
    imageSize: 0x4000_0000,
    kaslrOffset: null,
    stext: null,
    note: null,
  };
  const info = new Vmcoreinfo('SIZE(page)=64\n');
  const architecture = new X86Architecture(new X86KernelSpace(memory, layout), layout, info);
  const names = Object.keys(variables);
  for (const [i, name] of names.entries()) memory.writeU64(0x20_0000 + i * 8, variables[name]!);
  architecture.useSymbols((name) =>
    names.includes(name) ? virtAddr(0xffff_ffff_8020_0000n + BigInt(names.indexOf(name) * 8)) : null,
  );
  return architecture;
}

function starts(architecture: Architecture): Record<string, string> {
  return Object.fromEntries(architecture.regions().map(({ name, start }) => [name, start.toString(16)]));
}

describe('the regions of x86_64', () => {
  test('moved by KASLR: where its own variables say', () => {
    const kernel = x86(5, 'ff1459ed00000000 -> 0 2M\nffffffff80200000 -> 200000 2M', {
      page_offset_base: 0xff14_59ed_0000_0000n,
      vmalloc_base: 0xff3e_fbbf_c000_0000n,
      vmemmap_base: 0xffcc_75d7_0000_0000n,
    });
    assert.deepEqual(starts(kernel), {
      'direct-map': 'ff1459ed00000000',
      vmalloc: 'ff3efbbfc0000000',
      vmemmap: 'ffcc75d700000000',
      image: 'ffffffff80000000',
      modules: 'ffffffffc0000000',
    });
    assert.equal(regionOf(kernel, 0xffcc_75d7_000d_da80n)?.name, 'vmemmap');
    assert.equal(regionOf(kernel, 0xffff_ffff_c04b_3000n)?.name, 'modules');
    assert.equal(regionOf(kernel, 0xff00_0000_0000_0000n), null);
  });

  test('not moved: where they are fixed, if the page tables agree', () => {
    assert.deepEqual(starts(x86(4, 'ffff888000000000 -> 0 2M')), {
      'direct-map': 'ffff888000000000',
      vmalloc: 'ffffc90000000000',
      vmemmap: 'ffffea0000000000',
      image: 'ffffffff80000000',
      modules: 'ffffffffc0000000',
    });
  });

  test('not known: left out, not guessed', () => {
    assert.deepEqual(Object.keys(starts(x86(4, 'ffff999000000000 -> 0 2M'))), ['image', 'modules']);
  });

  test('halves of addresses, with four and with five levels; between them is nothing', () => {
    const [four, five] = [x86(4, ''), x86(5, '')];
    const kinds = (address: bigint) =>
      [four, five].map((kernel) => [kernel.isKernelAddress(address), kernel.isUserAddress(address)]);
    assert.deepEqual(kinds(0xffff_8880_0000_0000n), [
      [true, false],
      [true, false],
    ]);
    assert.deepEqual(kinds(0xff14_59ed_0000_0000n), [
      [false, false],
      [true, false],
    ]);
    assert.deepEqual(kinds(0x00f0_0000_0000_0000n), [
      [false, false],
      [false, true],
    ]);
    assert.deepEqual(kinds(0x6b6b_6b6b_6b6b_6b6bn), [
      [false, false],
      [false, false],
    ]);
  });
});

describe('entries of x86_64 page tables', () => {
  const kernel = x86(4, '');
  const entry = (value: bigint, level: 'PMD' | 'PTE' = 'PTE') => kernel.describeEntry(value, level);

  test('a page, a large page, a swapped-out page, nothing', () => {
    assert.deepEqual(entry(0x8000_0000_0376_a025n), {
      present: true,
      physical: 0x376_a000,
      flags: ['PRESENT', 'USER', 'ACCESSED', 'NX'],
      swap: null,
    });
    assert.deepEqual(entry(0x4020_00e3n, 'PMD').physical, 0x4020_0000);
    const swapped = (3n << 59n) | BigInt.asUintN(59, (~0x1234n << 9n) & 0x07ff_ffff_ffff_fe00n);
    assert.deepEqual(entry(swapped), { present: false, physical: null, flags: [], swap: { type: 3, offset: 0x1234n } });
    assert.deepEqual(entry(0n), { present: false, physical: null, flags: [], swap: null });
  });
});

const arm64Info =
  'PAGESIZE=4096\nSYMBOL(swapper_pg_dir)=ffff800008100000\nNUMBER(kimage_voffset)=0xffff7fffc8000000\nNUMBER(VA_BITS)=48\n' +
  'NUMBER(TCR_EL1_T1SZ)=0x10\nNUMBER(PHYS_OFFSET)=0x40000000\nNUMBER(MODULES_VADDR)=0xffff800000000000\n' +
  'NUMBER(MODULES_END)=0xffff800008000000\nNUMBER(VMALLOC_START)=0xffff800008000000\nNUMBER(VMALLOC_END)=0xfffffbfff0000000\n' +
  'NUMBER(VMEMMAP_START)=0xfffffc0000000000\nNUMBER(VMEMMAP_END)=0xfffffe0000000000\n';

function arm64(memory = new SyntheticMemory()): Architecture {
  const info = new Vmcoreinfo(arm64Info);
  const layout = arm64LayoutFromVmcoreinfo(info, 4096);
  return new Arm64Architecture(new Arm64KernelSpace(memory, layout), layout, info);
}

describe('arm64', () => {
  test('its regions are those that VMCOREINFO tells', () => {
    const kernel = arm64();
    kernel.useSymbols((name) =>
      name === '_text' ? virtAddr(0xffff_8000_0820_0000n) : name === '_end' ? virtAddr(0xffff_8000_0920_0000n) : null,
    );
    assert.deepEqual(starts(kernel), {
      'direct-map': 'ffff000000000000',
      modules: 'ffff800000000000',
      vmalloc: 'ffff800008000000',
      image: 'ffff800008200000',
      vmemmap: 'fffffc0000000000',
    });
    // the image lies in vmalloc's part
    assert.equal(regionOf(kernel, 0xffff_8000_0820_1000n)?.name, 'image');
    assert.equal(regionOf(kernel, 0xffff_8000_0a20_1000n)?.name, 'vmalloc');
  });

  test('modules are where KASLR put them, as far as a branch reaches, or all of the module', () => {
    const memory = new SyntheticMemory();
    const kernel = arm64(memory);
    // read through the linear map
    memory.writeU64(0x4020_0000, 0n);
    memory.writeU64(0x4020_0008, 0xffff_a38f_7834_0000n);
    const places: Readonly<Record<string, bigint>> = {
      _text: 0xffff_8000_0820_0000n,
      _end: 0xffff_8000_0920_0000n,
      module_direct_base: 0xffff_0000_0020_0000n,
      module_plt_base: 0xffff_0000_0020_0008n,
    };
    kernel.useSymbols((name) => (places[name] === undefined ? null : virtAddr(places[name])));
    assert.equal(regionOf(kernel, 0xffff_a38f_7839_4008n)?.name, 'modules');
    assert.equal(regionOf(kernel, 0xffff_a38f_f834_0000n)?.name, 'vmalloc');
  });

  test('tags of pointers are no part of an address of a kernel that uses some', () => {
    const kernel = arm64();
    assert.ok(kernel.isKernelAddress(0xffff_8000_0000_0000n));
    assert.ok(!kernel.isKernelAddress(0xf3ff_0000_0000_1000n));
    assert.ok(!kernel.isKernelAddress(0xfffe_8000_0000_0000n));
    assert.ok(kernel.isUserAddress(0xffff_f000_1000n));
    assert.ok(!kernel.isUserAddress(0xffff_8000_0000_0000n));
    kernel.useSymbols((name) => (name === 'kasan_random_tag' ? virtAddr(0xffff_8000_0800_0000n) : null));
    assert.ok(kernel.isKernelAddress(0xf3ff_0000_0000_1000n));
    assert.ok(!kernel.isKernelAddress(0xdead_0000_0000_0122n));
  });

  test('the way through its tables, with the names of their levels; and what an entry says', () => {
    const memory = new SyntheticMemory();
    const table = 0x4010_0000;
    memory.writeU64(table + 0x100 * 8, 0x4020_0003n); // ffff800000000000: PGD 256
    memory.writeU64(0x4020_0000, 0x4020_1003n);
    memory.writeU64(0x4020_1000 + 0x40 * 8, 0x4020_2003n); // PMD 64
    memory.writeU64(0x4020_2000 + 8, 0x0078_0000_4123_4f03n);
    const kernel = arm64(memory);
    const walk = kernel.space.walk(virtAddr(0xffff_8000_0800_1234n));
    assert.deepEqual(
      walk.entries.map(({ level, entryAddress }) => [level, entryAddress.toString(16)]),
      [
        ['PGD', '40100800'],
        ['PUD', '40200000'],
        ['PMD', '40201200'],
        ['PTE', '40202008'],
      ],
    );
    assert.deepEqual([walk.physical, walk.pageSize], [0x4123_4234, 4096]);
    assert.deepEqual(kernel.describeEntry(walk.entries[3]!.value, 'PTE'), {
      present: true,
      physical: 0x4123_4000,
      flags: ['VALID', 'SHARED', 'AF', 'NG', 'PXN', 'UXN'],
      swap: null,
    });
    assert.equal(kernel.describeEntry(0x4060_0701n, 'PMD').physical, 0x4060_0000);
    assert.equal(kernel.space.walk(virtAddr(0xffff_8000_0900_0000n)).fault?.reason, 'not-mapped');
  });
});

test('what BUG() and WARN() are made of', () => {
  const names = (kernel: Architecture, ...codes: string[]) =>
    codes.map((code) => kernel.trapName(Buffer.from(code, 'hex')));
  assert.deepEqual(names(x86(4, ''), '0f0b4889', '670fb93a', '0fb9f6c3', 'd6c3c3c3', '0f05c3c3', ''), [
    'ud2',
    'ud1',
    'ud1',
    'udb',
    null,
    null,
  ]);
  assert.deepEqual(names(arm64(), '000021d4', '200020d4', '0000'), ['brk', null, null]);
});
