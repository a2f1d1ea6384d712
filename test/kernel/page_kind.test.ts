// What each page frame was used for: a filter drops pages by it, so that a wrong word costs the kernel's own pages, or
// keeps a machine's whole page cache in the dump.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { pfn } from '../../src/base/address.ts';
import { MemoryModel } from '../../src/kernel/memory_model.ts';
import { PageFrames, type PageUse, pageFrames, pageUse } from '../../src/kernel/page_kind.ts';
import { MemoryMap, pageShapes, vmemmap } from '../support/memory_map.ts';

function framesOf(map: MemoryMap): PageFrames {
  const frames = pageFrames(map.kernel);
  assert.ok(frames !== null);
  return frames;
}

/** What a frame is, in words: `slab`, `free 3`, `anonymous 9 tail`. */
function words({ kind, order, tail, compound, private: hasPrivate, poisoned }: PageUse): string {
  return [
    kind,
    ...(order > 0 ? [order] : []),
    ...(compound ? ['compound'] : []),
    ...(tail ? ['tail'] : []),
    ...(hasPrivate ? ['private'] : []),
    ...(poisoned ? ['poisoned'] : []),
  ].join(' ');
}

function said(map: MemoryMap, ...frames: number[]): string[] {
  const found = framesOf(map).classify(pfn(0), map.frames);
  return frames.map((frame) => words(pageUse(found[frame]!)));
}

/** A bit of everything. */
function busy(shape: (typeof pageShapes)[string]): MemoryMap {
  return new MemoryMap(shape)
    .page(0, 'reserved')
    .page(1, 'slab')
    .page(2, 'table')
    .page(3, 'offline')
    .page(4, 'cache')
    .page(5, 'buffers')
    .page(6, 'anonymous')
    .freeBlock(16, 3)
    .freeBlock(24, 0)
    .compound(32, 3, 'slab')
    .compound(40, 2, 'cache')
    .compound(44, 1, 'kernel')
    .compound(64, 6, 'anonymous')
    .compound(512, 9, 'hugetlb');
}

for (const [name, shape] of Object.entries(pageShapes)) {
  describe(`struct page of ${name}`, () => {
    const map = busy(shape);

    test('single pages', () => {
      assert.deepEqual(said(map, 0, 1, 2, 3, 4, 5, 6, 7), [
        'reserved',
        'slab',
        'table',
        'offline',
        'cache',
        'cache private',
        'anonymous',
        'kernel',
      ]);
    });
    test('free blocks, whatever is left in their struct pages, and what is behind them', () => {
      assert.deepEqual(said(map, 15, 16, 17, 18, 23, 24, 25), [
        'kernel',
        'free 3',
        'free 3 tail',
        'free 3 tail',
        'free 3 tail',
        'free',
        'kernel',
      ]);
    });
    test('compound pages: head, second page and last tail', () => {
      assert.deepEqual(said(map, 32, 33, 39, 40, 43, 44, 45, 46, 64, 65, 127, 128), [
        'slab 3 compound',
        'slab 3 compound tail',
        'slab 3 compound tail',
        'cache 2 compound',
        'cache 2 compound tail',
        'kernel 1 compound',
        'kernel 1 compound tail',
        'kernel',
        'anonymous 6 compound',
        'anonymous 6 compound tail',
        'anonymous 6 compound tail',
        'kernel',
      ]);
    });
    test('a huge page, and one whose tails have no struct pages of their own', () => {
      const whole = said(map, 511, 512, 513, 1023);
      assert.deepEqual(whole, ['kernel', 'hugetlb 9 compound', 'hugetlb 9 compound tail', 'hugetlb 9 compound tail']);
      const shared = busy(shape);
      for (let to = 576; to < 1024; to += 64) shared.alias(shape.link === 'compound_head' ? 512 : 576, to);
      assert.deepEqual(said(shared, 512, 513, 576, 640, 641, 1023), [
        'hugetlb 9 compound',
        ...Array.from({ length: 5 }, () => 'hugetlb 9 compound tail'),
      ]);
      assert.equal(words(framesOf(shared).use(pfn(640))), 'hugetlb 9 compound tail', 'asked alone');
    });
    test('a frame asked for alone, or any stretch of frames, is what it is among all', () => {
      const frames = framesOf(map);
      const all = frames.classify(pfn(0), map.frames);
      for (let frame = 0; frame < map.frames; frame++) {
        assert.equal(words(frames.use(pfn(frame))), words(pageUse(all[frame]!)), `frame ${frame}`);
      }
      fc.assert(
        fc.property(fc.nat(map.frames), fc.nat(300), (first, count) => {
          const part = frames.classify(pfn(first), count);
          assert.deepEqual(part.subarray(0, Math.max(0, map.frames - first)), all.subarray(first, first + count));
        }),
      );
    });
    test('the struct page that speaks for a frame', () => {
      const frames = framesOf(map);
      for (const [frame, head] of [
        [7, 7],
        [32, 32],
        [39, 32],
        [127, 64],
      ] as const) {
        assert.equal(frames.headPage(pfn(frame)), vmemmap + BigInt(head * 64), `frame ${frame}`);
      }
      assert.equal(frames.slabPage(pfn(35)), vmemmap + 32n * 64n);
      assert.equal(frames.slabPage(pfn(64)), null);
      assert.equal(frames.slabPage(pfn(7)), null);
    });
    test('pages that the hardware reported broken', () => {
      const broken = busy(shape);
      const bit = map.flag('hwpoison');
      for (const frame of [6, 18, 70]) broken.addFlags(frame, bit);
      assert.deepEqual(said(broken, 6, 18, 70, 71), [
        'anonymous poisoned',
        'free 3 tail poisoned',
        'anonymous 6 compound tail poisoned',
        'anonymous 6 compound tail',
      ]);
      broken.addFlags(512, bit); // says it of all of a huge page
      assert.deepEqual(said(broken, 512, 800), ['hugetlb 9 compound poisoned', 'hugetlb 9 compound tail poisoned']);
    });
  });
}

describe('page frames', () => {
  const shape = pageShapes['6.12']!;

  test('without a memory map, or whose part of it is not in the dump, are none; offline sections are offline', () => {
    const map = busy(shape)
      .section(1, 0n)
      .section(3, vmemmap | 3n);
    const { space } = map.kernel;
    space.exclude(vmemmap + 32n * 64n); // the struct pages of frames 0 to 63
    assert.deepEqual(said(map, 0, 35, 63, 64, 255, 256, 511, 512, 767, 768, 1023), [
      'none',
      'none',
      'none',
      'anonymous 6 compound',
      'kernel',
      'none',
      'none',
      'hugetlb 9 compound',
      'hugetlb 9 compound tail',
      'offline',
      'offline',
    ]);
    assert.deepEqual([...framesOf(map).classify(pfn(5000), 3)], [0, 0, 0]);
  });
  test('in tails of a head that cannot be read are kept as the kernel’s', () => {
    const map = new MemoryMap(shape).compound(0, 7, 'anonymous');
    map.kernel.space.exclude(vmemmap);
    assert.deepEqual(said(map, 0, 64, 127), ['none', 'kernel compound tail', 'kernel compound tail']);
  });
  test('of a kernel without types are told by VMCOREINFO', () => {
    const map = busy(shape);
    const info = [
      'OFFSET(page.flags)=0',
      'OFFSET(page.compound_head)=8',
      'OFFSET(page.mapping)=24',
      'OFFSET(page.private)=40',
      'OFFSET(page._mapcount)=48',
      'NUMBER(PG_lru)=5',
      'NUMBER(PG_private)=14',
      'NUMBER(PG_swapcache)=10',
      'NUMBER(PG_swapbacked)=17',
      'NUMBER(PG_hwpoison)=20',
      'NUMBER(PG_head_mask)=64',
      'NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-268435456',
      'NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-184549376',
      'NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-201326592',
      'NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-251658240',
    ].join('\n');
    const told = new MemoryMap({ ...shape, vmcoreinfo: info });
    const { space, vmcoreinfo } = told.kernel;
    for (let frame = 0; frame < map.frames; frame++) {
      space.write(vmemmap + BigInt(frame * 64), map.structOf(frame).bytes());
    }
    const frames = PageFrames.open(space, MemoryModel.open(space, vmcoreinfo)!, vmcoreinfo, null)!;
    const typed = framesOf(map).classify(pfn(0), map.frames);
    const untold = new Set(['reserved', 'table']);
    for (const [frame, word] of frames.classify(pfn(0), map.frames).entries()) {
      const expected = words(pageUse(typed[frame]!));
      assert.equal(words(pageUse(word)), untold.has(expected) ? 'kernel' : expected, `frame ${frame}`);
    }
  });
  test('are judged without throwing or hanging, whatever their struct pages hold', () => {
    const pattern = fc.constantFrom(
      0,
      1,
      0x40,
      0xf0ff_ffff,
      0xf4ff_ffff,
      0xffff_ffff,
      0xffff_fe01,
      0xffff_ea00,
      9,
      200,
    );
    for (const name of ['5.10', '6.12', '7.0']) {
      const map = new MemoryMap(pageShapes[name]!, 256);
      const frames = framesOf(map);
      fc.assert(
        fc.property(fc.array(pattern, { minLength: 64, maxLength: 512 }), (noise) => {
          map.kernel.space.write(vmemmap + 64n * 64n, new Uint8Array(Uint32Array.from(noise).buffer));
          const all = frames.classify(pfn(0), 256);
          for (const word of all) assert.ok(pageUse(word).kind !== undefined);
          frames.use(pfn(70));
          frames.headPage(pfn(70));
        }),
        { numRuns: 200 },
      );
    }
  });
});
