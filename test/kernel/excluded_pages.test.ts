// Zero-filled pages that the dump leaves out, against pages that its filter took: a page must never be read as
// zeroes that may have held anything else.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { AddressSpace } from '../../src/arch/address_space.ts';
import { type PhysAddr, physAddr, pfn as toPfn, type VirtAddr, virtAddr } from '../../src/base/address.ts';
import { MemoryFault } from '../../src/base/errors.ts';
import type { DumpFormat } from '../../src/dump/dump.ts';
import type { PagedMemory } from '../../src/dump/paged_memory.ts';
import { installExcludedPageJudge, installLiveGuard, pageCensus } from '../../src/kernel/excluded_pages.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { MemoryMap, pageShapes } from '../support/memory_map.ts';
import { pagewiseMemory } from '../support/pagewise_memory.ts';
import { x86Over } from '../support/synthetic_architecture.ts';
import { SyntheticKernel, syntheticDump } from '../support/synthetic_kernel.ts';

const directMap = 0xff11_0000_0000_0000n;
/** Frames of: the roots of mem_section, a root, the page structures (256 of 64 bytes), and those under test. */
const rootsFrame = 1;
const sectionsFrame = 2;
const structsFrame = 4;
const frames = 256;
const lru = 1n << 5n;
const privateFlag = 1n << 14n;
const buddy = 0xf000_0000;
const slab = 0xf500_0000;
const hugetlb = 0xf400_0000;

class DirectMap extends AddressSpace {
  override translate(address: VirtAddr): PhysAddr {
    const offset = address - directMap;
    if (offset < 0n || offset >= BigInt(frames * 4096)) throw new MemoryFault('kernel', address, 'not-mapped');
    return physAddr(Number(offset));
  }
}

interface PageFields {
  flags?: bigint;
  mapping?: bigint;
  type?: number;
  private?: bigint;
  head?: bigint;
}

class Machine {
  readonly excluded = new Set<number>();
  readonly bytes = new Uint8Array(frames * 4096);
  private readonly view = new DataView(this.bytes.buffer);
  readonly memory: PagedMemory;
  readonly kernel: Kernel;

  constructor(options: { level?: number | null; format?: DumpFormat; headName?: string } = {}) {
    const { level = 31, format = 'elf', headName = 'compound_head' } = options;
    // no page of the machine is all zeroes by itself, but those that are left out
    for (let frame = 0; frame < frames; frame++) this.bytes[frame * 4096 + 4095] = 1;
    this.memory = pagewiseMemory({
      pageSize: 4096,
      maxPfn: frames,
      state: (pfn) => (this.excluded.has(pfn) ? 'excluded' : 'present'),
      load: (pfn, into) => {
        if (this.excluded.has(pfn)) return 'excluded';
        into.set(this.bytes.subarray(pfn * 4096, (pfn + 1) * 4096));
        return 'present';
      },
      ramRanges: () => [{ start: physAddr(0), end: physAddr(frames * 4096) }],
    });
    const space = new DirectMap(this.memory, 'kernel');
    const pages = { total: frames, present: frames, lost: 0 };
    this.kernel = new SyntheticKernel(
      '',
      [
        `SYMBOL(mem_section)=${this.virtual(rootsFrame).toString(16)}`,
        'LENGTH(mem_section)=4',
        'SIZE(mem_section)=16',
        'OFFSET(mem_section.section_mem_map)=0',
        'NUMBER(SECTION_SIZE_BITS)=20',
        'SIZE(page)=64',
        'OFFSET(page.flags)=0',
        `OFFSET(page.${headName})=8`,
        'OFFSET(page.mapping)=24',
        'OFFSET(page.private)=40',
        'OFFSET(page._mapcount)=48',
        'NUMBER(PG_lru)=5',
        'NUMBER(PG_private)=14',
        'NUMBER(PG_swapcache)=10',
        'NUMBER(PG_swapbacked)=17',
        'NUMBER(PG_hwpoison)=20',
        `NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=${buddy | 0}`,
        `NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=${slab | 0}`,
        `NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=${hugetlb | 0}`,
        'LENGTH(zone.free_area)=11',
      ].join('\n'),
      () => ({ dump: syntheticDump(this.memory, { info: { level, format, pages } }), space, arch: x86Over(space) }),
    );
    this.u64(rootsFrame * 4096, this.virtual(sectionsFrame));
    this.u64(sectionsFrame * 4096, this.virtual(structsFrame) | 3n); // present, has a memory map
    for (let frame = 0; frame < frames; frame++) this.page(frame, {});
    installExcludedPageJudge(this.kernel);
  }

  virtual(frame: number): VirtAddr {
    return virtAddr(directMap + BigInt(frame * 4096));
  }

  structOf(frame: number): bigint {
    return this.virtual(structsFrame) + BigInt(frame * 64);
  }

  page(frame: number, fields: PageFields): this {
    const at = structsFrame * 4096 + frame * 64;
    this.u64(at, fields.flags ?? 0n);
    this.u64(at + 8, fields.head ?? 0n);
    this.u64(at + 24, fields.mapping ?? 0n);
    this.u64(at + 40, fields.private ?? 0n);
    this.view.setUint32(at + 48, fields.type ?? 0xffff_ffff, true);
    this.excluded.add(frame >= 16 ? frame : -1);
    return this;
  }

  state(frame: number): string {
    return this.memory.pageState(toPfn(frame));
  }

  u64(at: number, value: bigint): void {
    this.view.setBigUint64(at, BigInt.asUintN(64, value), true);
  }
}

const uses: [name: string, fields: PageFields, takenBy: number][] = [
  ['kernel memory', {}, 0],
  ['slab', { type: slab, mapping: 0x1000n }, 0],
  ['free', { type: buddy }, 16],
  ['page cache', { flags: lru, mapping: 0xff11_0000_0000_0000n }, 2 | 4],
  ['page cache with private data', { flags: lru | privateFlag, mapping: 0xff11_0000_0000_0000n }, 4],
  ['anonymous memory', { mapping: 0xff11_0000_0000_0001n }, 8],
  ['a huge page', { type: hugetlb }, 8],
];

describe('a missing page', () => {
  for (const [name, fields, takenBy] of uses) {
    test(`of ${name} was zero exactly if no bit of the level takes it`, () => {
      for (let level = 1; level < 32; level += 2) {
        const machine = new Machine({ level }).page(20, fields);
        assert.equal(machine.state(20), (takenBy & level) === 0 ? 'zero' : 'excluded', `level ${level}`);
      }
    });
  }
  test('that is poisoned is excluded at every level', () => {
    assert.equal(new Machine({ level: 1 }).page(20, { flags: 1n << 20n }).state(20), 'excluded');
  });
  test('was not zero if the level leaves no zero pages out', () => {
    for (let level = 0; level < 32; level += 2) assert.equal(new Machine({ level }).state(20), 'excluded');
  });
  test('that was zero reads as zeroes, again and again; an excluded one does not', () => {
    const machine = new Machine().page(21, { type: buddy });
    for (let i = 0; i < 3; i++) {
      assert.deepEqual(machine.memory.page(toPfn(20)), new Uint8Array(4096));
      assert.throws(() => machine.memory.page(toPfn(21)), MemoryFault);
    }
  });
  test('inside a block of free pages is free, behind it is not', () => {
    const machine = new Machine().page(32, { type: buddy, private: 3n });
    assert.deepEqual(
      [32, 33, 39, 40].map((frame) => machine.state(frame)),
      ['excluded', 'excluded', 'excluded', 'zero'],
    );
  });
  test('in the tail of a compound page is what its head is', () => {
    const machine = new Machine();
    machine.page(20, { mapping: 0xff11_0000_0000_0001n }).page(21, { head: machine.structOf(20) | 1n });
    machine.page(24, { type: slab }).page(25, { head: machine.structOf(24) | 1n });
    assert.deepEqual(
      [21, 25].map((frame) => machine.state(frame)),
      ['excluded', 'zero'],
    );
  });
  test('in the tail of a compound page whose head is told by a mask (7.0)', () => {
    const machine = new Machine({ headName: 'compound_info' });
    // frames 64 to 71: their structs begin at a multiple of 512
    machine.page(64, { mapping: 0xff11_0000_0000_0001n }).page(71, { head: -512n | 1n });
    assert.equal(machine.state(71), 'excluded');
  });
  test('is not called zero where a makedumpfile that does not know the kernel takes it for a process’s', () => {
    const machine = new Machine().page(20, { type: slab, mapping: 1n });
    machine.page(24, { type: slab }).page(25, { head: machine.structOf(24) | 1n, mapping: 0xffff_ffffn });
    assert.deepEqual(
      [20, 25].map((frame) => machine.state(frame)),
      ['excluded', 'excluded'],
    );
  });
  test('of a kdump that keeps zero pages was not left out for being zero', () => {
    const machine = new Machine({ format: 'kdump' });
    assert.equal(machine.state(20), 'zero');
    const keeping = new Machine({ format: 'kdump' });
    keeping.bytes.fill(0, 3 * 4096, 4 * 4096); // one page that is there, and all zeroes
    assert.equal(keeping.state(20), 'excluded');
  });
  test('whose page structure is missing, too, is excluded, and nothing goes round in circles', () => {
    const machine = new Machine();
    machine.excluded.add(structsFrame);
    assert.equal(machine.state(20), 'excluded');
    const blind = new Machine();
    blind.excluded.add(rootsFrame);
    assert.equal(blind.state(20), 'excluded');
  });
  test('is judged without throwing, whatever its page structures hold', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 64, maxLength: 512 }),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        (noise, section) => {
          const machine = new Machine();
          machine.bytes.set(noise, structsFrame * 4096 + 20 * 64);
          if (section % 2n === 0n) machine.u64(sectionsFrame * 4096, section);
          assert.match(machine.state(20), /^(zero|excluded)$/);
        },
      ),
      { numRuns: 200 },
    );
  });
});

test('the census counts both', () => {
  const machine = new Machine();
  for (let frame = 128; frame < frames; frame++) machine.page(frame, { mapping: 1n });
  assert.deepEqual(pageCensus(machine.kernel), { zero: 128 - 16, excluded: 128 });
});

for (const [version, shape] of Object.entries(pageShapes)) {
  test(`of a running ${version} kernel, pages that are offline or broken are never read`, () => {
    const map = new MemoryMap(shape);
    map.page(40, 'offline').page(41, 'anonymous').page(42, 'slab');
    const poisoned = map.structOf(43);
    map.kernel.space.words(poisoned.address, map.flag('hwpoison'));
    const guards: ((pfn: ReturnType<typeof toPfn>) => boolean)[] = [];
    const dump = { ...map.kernel.dump, live: { setGuard: (one: (typeof guards)[number]) => void guards.push(one) } };
    const kernel = Object.create(map.kernel, { dump: { value: dump } }) as Kernel;
    installLiveGuard(kernel);
    const guarded = [39, 40, 41, 42, 43, 44].filter((frame) => guards[0]!(toPfn(frame)));
    assert.deepEqual(guarded, [40, 43]);
  });
}
