// Searching virtual memory: hits are told by the addresses that the kernel has them at.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Arm64KernelSpace, arm64LayoutFromVmcoreinfo } from '../../src/arch/aarch64/kernel_space.ts';
import { physAddr, virtAddr } from '../../src/base/address.ts';
import { Vmcoreinfo } from '../../src/dump/vmcoreinfo.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { searchKernel } from '../../src/kernel/virtual_search.ts';
import { SyntheticMemory } from '../support/synthetic_memory.ts';

class MemoryFromOneGib extends SyntheticMemory {
  override ramRanges() {
    return [{ start: physAddr(0x4000_0000), end: physAddr(0x8000_0000) }];
  }
}

test('a direct map that begins at memory which does not begin at physical 0 (arm64)', () => {
  const memory = new MemoryFromOneGib();
  memory.writeU64(0x4000_1008, 0x1122_3344_5566_7788n);
  const info = new Vmcoreinfo(
    'PAGESIZE=4096\nSYMBOL(swapper_pg_dir)=ffff800000100000\nNUMBER(kimage_voffset)=0xffff800000000000\n' +
      'NUMBER(VA_BITS)=48\nNUMBER(TCR_EL1_T1SZ)=0x10\nNUMBER(PHYS_OFFSET)=0x40000000\nNUMBER(VMALLOC_START)=0xffff800080000000\n',
  );
  const kernel = {
    dump: { memory, description: null },
    space: new Arm64KernelSpace(memory, arm64LayoutFromVmcoreinfo(info, 4096)),
    work: undefined,
    faults: { record: assert.fail },
  } as unknown as Kernel;
  const pattern = { kind: 'words', size: 8, values: [0x1122_3344_5566_7788n], ignore: 0n } as const;
  const everywhere = { start: virtAddr(0n), end: (1n << 64n) as ReturnType<typeof virtAddr> };
  assert.deepEqual(
    [...searchKernel(kernel, pattern, { ...everywhere, parts: new Set(['direct-map']) })].map(({ address }) => address),
    [0xffff_0000_0000_1008n],
  );
});
