import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openArchitecture } from '../../src/arch/architectures.ts';
import { locateX86Kernel } from '../../src/arch/x86_64/locate_kernel.ts';
import { virtAddr } from '../../src/base/address.ts';
import { FormatError, UnsupportedError } from '../../src/base/errors.ts';
import type { CpuNote, Dump } from '../../src/dump/dump.ts';
import { Vmcoreinfo } from '../../src/dump/vmcoreinfo.ts';
import { writePageTables } from '../support/page_table_writer.ts';
import { SyntheticMemory } from '../support/synthetic_memory.ts';

function dumpOf(memory: SyntheticMemory, cpus: CpuNote[] = [], machine = 'x86_64'): Dump {
  return {
    description: { files: [] },
    rawNotes: () => new Uint8Array(0),
    memory,
    notes: { vmcoreinfo: null, cpus, eraseInfo: null, mini: null, devices: [], all: [] },
    info: { machine } as Dump['info'],
    live: null,
    close: () => {},
  };
}

/** A kernel whose image lies at physical 0x3e00000, moved by 0x2000000 by KASLR. */
function kernelIn(memory: SyntheticMemory, levels: 4 | 5, encryptionMask = 0n): { root: number } {
  const root = 0x450_0000;
  const directMap = levels === 5 ? 'ff11000000000000' : 'ffff888000000000';
  memory.write(0x3e0_0000, Uint8Array.of(0x48, 0x8d, 0x25, 0, 0, 0, 0)); // startup_64
  writePageTables(
    memory,
    { levels, root, tables: 0x451_0000, encryptionMask },
    `${directMap} -> 0 1G rw nx
     ffffffff83000000 -> 3e00000 2M
     ffffffff83200000 -> 4000000 2M
     ffffffffff000000 -> 5000 4K`,
  );
  return { root };
}

const cpu = (registers: Record<string, bigint>): CpuNote => ({ index: 0, pid: 0, registers, source: 'qemu' });

describe('a kernel that no VMCOREINFO tells of', () => {
  for (const levels of [4, 5] as const) {
    test(`is found in memory by its page tables (${levels} levels), with a note that says so`, () => {
      const memory = new SyntheticMemory(0x800_0000);
      const { root } = kernelIn(memory, levels);
      const layout = locateX86Kernel(dumpOf(memory));
      assert.ok(layout !== null);
      assert.equal(layout.levels, levels);
      assert.equal(layout.pageTableRoot, root);
      assert.equal(layout.physBase, 0x3e0_0000 - 0x300_0000);
      assert.equal(layout.kaslrOffset, 0x200_0000n);
      assert.equal(layout.stext, 0xffff_ffff_8300_0000n);
      assert.match(layout.note ?? '', /found by searching/);
    });
  }

  test("is found by a CPU's CR3, whatever its flags and PCID, and from the user's table of page-table isolation", () => {
    const memory = new SyntheticMemory(0x800_0000);
    const { root } = kernelIn(memory, 4);
    for (const cr3 of [BigInt(root) | 0x8000_0000_0000_0006n, BigInt(root + 0x1000)]) {
      const layout = locateX86Kernel(dumpOf(memory, [cpu({ cr3, cr4: 0n })]));
      assert.equal(layout?.pageTableRoot, root);
      assert.match(layout?.note ?? '', /CR3/);
    }
  });

  test('is found with memory encryption', () => {
    const memory = new SyntheticMemory(0x800_0000);
    kernelIn(memory, 4, 1n << 47n);
    const layout = locateX86Kernel(dumpOf(memory));
    assert.equal(layout?.encryptionMask, 1n << 47n);
    assert.equal(layout?.physBase, 0x3e0_0000 - 0x300_0000);
  });

  test('opens as an architecture that reads kernel memory and says where symbols are to be searched', () => {
    const memory = new SyntheticMemory(0x800_0000);
    kernelIn(memory, 4);
    memory.writeU64(0x3e0_0100, 0x1234n);
    const arch = openArchitecture(dumpOf(memory), new Vmcoreinfo(''));
    assert.equal(arch.space.u64(virtAddr(0xffff_ffff_8300_0100n)), 0x1234n);
    assert.equal(arch.notes.length, 1);
    assert.equal(arch.symbolSearch?.start, 0xffff_ffff_8300_0000n);
  });
});

describe('memory without a kernel', () => {
  test('empty, or full of zeroes, or of tables that map no image: nothing is found, and a clear error', () => {
    const memory = new SyntheticMemory(0x800_0000);
    memory.write(0x20_0000, Uint8Array.of(0x48, 0x8d, 0x25));
    writePageTables(memory, { levels: 4, root: 0x30_0000, tables: 0x31_0000 }, 'ffff888000000000 -> 0 1G');
    assert.equal(locateX86Kernel(dumpOf(memory)), null);
    assert.throws(() => openArchitecture(dumpOf(memory), new Vmcoreinfo('')), FormatError);
  });

  test('CR3 registers that point anywhere', () => {
    const memory = new SyntheticMemory(0x800_0000);
    for (const cr3 of [0n, 0xffff_ffff_ffff_ffffn, 0x7ff_f000n]) {
      assert.equal(locateX86Kernel(dumpOf(memory, [cpu({ cr3 })])), null);
    }
  });

  test('a table whose entries lead to itself ends', () => {
    const memory = new SyntheticMemory(0x800_0000);
    for (let i = 0; i < 512; i++) memory.writeU64(0x30_0000 + i * 8, 0x30_0063n);
    assert.equal(locateX86Kernel(dumpOf(memory, [cpu({ cr3: 0x30_0000n })])), null);
  });

  test('another machine is named', () => {
    assert.throws(
      () => openArchitecture(dumpOf(new SyntheticMemory(), [], 'riscv64'), new Vmcoreinfo('')),
      UnsupportedError,
    );
  });
});
