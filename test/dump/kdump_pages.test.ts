import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Pfn, pfn, physAddr } from '../../src/base/address.ts';
import { MemoryFault } from '../../src/base/errors.ts';
import { type Compression, type KdumpOptions, type PageDescriptor, writeKdump } from '../support/dump_writers/kdump.ts';
import { openBytes, page, pagesOf } from '../support/dump_writers/temp_files.ts';

function faultOf(run: () => unknown): MemoryFault {
  let fault: unknown = null;
  try {
    run();
  } catch (error) {
    fault = error;
  }
  assert.ok(fault instanceof MemoryFault, `no fault but ${String(fault)}`);
  return fault;
}

const small: KdumpOptions = {
  pages: pagesOf(1, 2, 9),
  ram: [[0, 12]],
  compression: 'zlib',
  vmcoreinfo: 'OSRELEASE=6.1\n',
};
const compressions: readonly Compression[] = ['none', 'zlib', 'lzo', 'snappy', 'zstd'];

describe('kdump pages', () => {
  for (const compression of compressions) {
    it(`reads pages stored as ${compression}, and what does not compress as it is`, (t) => {
      const noise = Uint8Array.from({ length: 4096 }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 13) & 0xff);
      const pages = new Map([
        [5, page(5)],
        [6, noise],
        [40_000, page(77)],
      ]);
      const dump = openBytes(t, writeKdump({ pages, compression }));
      for (const [frame, bytes] of pages) assert.deepEqual(dump.memory.page(pfn(frame)), bytes);
      assert.equal(dump.info.compression, compression);
    });
  }

  it("has the kernel's pages where the blocks are larger, as QEMU writes them for arm64", (t) => {
    const block = (seed: number) => Uint8Array.from({ length: 65536 }, (_, i) => (i >> 12) * 16 + seed);
    const options: KdumpOptions = {
      pages: new Map([
        [2, block(1)],
        [18, block(2)], // takes the place of block 2 among those kept whole
      ]),
      ram: [[0, 4]],
      blockSize: 65536,
      compression: 'zlib',
      vmcoreinfo: 'PAGESIZE=4096\n',
    };
    const { memory, info } = openBytes(t, writeKdump(options));
    assert.equal(memory.pageSize, 4096);
    assert.equal(memory.maxPfn, 19 * 16);
    for (const [frame, byte] of [
      [32, 1],
      [47, 241],
      [18 * 16 + 5, 82],
      [35, 49],
    ] as const) {
      assert.deepEqual(memory.page(pfn(frame)), new Uint8Array(4096).fill(byte), `${frame}`);
    }
    assert.equal(memory.pageState(pfn(31)), 'excluded');
    assert.equal(faultOf(() => memory.page(pfn(31))).address, 31n * 4096n);
    assert.equal(memory.pageState(pfn(64)), 'not-in-dump');
    const across = new Uint8Array(8);
    memory.read(physAddr(33 * 4096 - 4), across);
    assert.deepEqual([...across], [1, 1, 1, 1, 17, 17, 17, 17]);
    assert.deepEqual(info.pages, { total: 5 * 16, present: 2 * 16, lost: 0 });
    // a page size that is larger than the blocks, or none, changes nothing
    for (const vmcoreinfo of ['PAGESIZE=131072\n', 'PAGESIZE=1\n', '']) {
      assert.equal(openBytes(t, writeKdump({ ...options, vmcoreinfo })).memory.pageSize, 65536);
    }
  });

  it('tells the states of pages apart', (t) => {
    const dump = openBytes(t, writeKdump({ pages: pagesOf(3, 100), ram: [[0, 8]], maxMapnr: 128 }));
    const states = [3, 4, 8, 100, 127, 128, -1, 1e18, 0.5].map((frame) => dump.memory.pageState(pfn(frame)));
    const out = 'not-in-dump';
    assert.deepEqual(states, ['present', 'excluded', out, 'present', out, out, out, out, out]);
    assert.equal(faultOf(() => dump.memory.page(pfn(4))).reason, 'excluded');
    for (const frame of [8, 128, -1, 0.5]) assert.equal(faultOf(() => dump.memory.page(pfn(frame))).reason, out);
    assert.deepEqual(dump.memory.ramRanges(), [
      { start: 0, end: 8 * 4096 },
      { start: 100 * 4096, end: 101 * 4096 },
    ]);
  });

  it('reads pages that the judge says were zero, and only those', (t) => {
    const dump = openBytes(t, writeKdump({ pages: pagesOf(3), ram: [[0, 8]] }));
    const asked: Pfn[] = [];
    dump.memory.setExcludedPageJudge((frame) => {
      asked.push(frame);
      return frame === 5;
    });
    assert.deepEqual(
      [3, 4, 5, 8].map((frame) => dump.memory.pageState(pfn(frame))),
      ['present', 'excluded', 'zero', 'not-in-dump'],
    );
    assert.deepEqual(asked, [4, 5]);
    assert.deepEqual(dump.memory.page(pfn(5)), new Uint8Array(4096));
    assert.equal(faultOf(() => dump.memory.page(pfn(4))).reason, 'excluded');
    const crossing = new Uint8Array(8);
    faultOf(() => dump.memory.read(physAddr(3 * 4096 + 4092), crossing));
    assert.deepEqual(crossing, Uint8Array.of(...page(3).subarray(4092), 0, 0, 0, 0));
    dump.memory.setExcludedPageJudge(null);
    assert.equal(dump.memory.pageState(pfn(5)), 'excluded');
  });

  it('does not let a caller spoil what zero pages read as', (t) => {
    const dump = openBytes(t, writeKdump({ pages: pagesOf(3), ram: [[0, 8]] }));
    dump.memory.setExcludedPageJudge(() => true);
    dump.memory.page(pfn(5)).fill(1);
    assert.deepEqual(dump.memory.page(pfn(6)), new Uint8Array(4096));
  });

  it('costs one page, not its neighbours, when a page is corrupt', (t) => {
    const lies: [string, (descriptor: PageDescriptor) => void, RegExp][] = [
      [
        'data that does not inflate',
        (d) => {
          d.offset = 464;
        },
        /zlib/,
      ],
      [
        'no size',
        (d) => {
          d.size = 0;
        },
        /size 0x0/,
      ],
      [
        'a size over a page',
        (d) => {
          d.size = 4097;
        },
        /size 0x1001/,
      ],
      [
        'a size of all bits',
        (d) => {
          d.size = 0xffffffff;
        },
        /size 0xffffffff/,
      ],
      [
        'data outside a file that is not cut',
        (d) => {
          d.offset = 2n ** 60n;
        },
        /corrupt .data at 0x1000000000000000, outside/,
      ],
      [
        'unknown flags',
        (d) => {
          d.flags = 0x40;
        },
        /flags 0x40/,
      ],
      [
        'two compressions',
        (d) => {
          d.flags = 3;
        },
        /flags 0x3/,
      ],
      [
        'a short page said to be raw',
        (d) => {
          d.flags = 0;
        },
        /size/,
      ],
      [
        'another compression',
        (d) => {
          d.flags = 0x20;
        },
        /zstd/,
      ],
      [
        'another compression',
        (d) => {
          d.flags = 2;
        },
        /lzo/,
      ],
      [
        'another compression',
        (d) => {
          d.flags = 4;
        },
        /snappy/,
      ],
    ];
    for (const [what, lie, expected] of lies) {
      const descriptor = (frame: number, found: PageDescriptor): void => {
        if (frame === 2) lie(found);
      };
      const bytes = writeKdump({ ...small, eraseInfo: 'x'.repeat(8192), lies: { descriptor } });
      const dump = openBytes(t, bytes);
      const fault = faultOf(() => dump.memory.page(pfn(2)));
      assert.equal(fault.space, 'physical');
      assert.equal(fault.address, 0x2000n);
      assert.match(fault.message, expected, what);
      assert.deepEqual(dump.memory.page(pfn(1)), page(1), what);
      assert.deepEqual(dump.memory.page(pfn(9)), page(9), what);
      assert.throws(() => dump.memory.page(pfn(2)), MemoryFault, 'a corrupt page must not stay in the cache');
    }
  });

  it('faults on a page that inflates to less or more than a page', (t) => {
    for (const length of [4095, 4097, 100_000]) {
      const pages = new Map([
        [1, page(1)],
        [2, new Uint8Array(length)],
      ]);
      const dump = openBytes(t, writeKdump({ pages, compression: 'zlib' }));
      assert.equal(faultOf(() => dump.memory.page(pfn(2))).reason, 'corrupt');
      assert.deepEqual(dump.memory.page(pfn(1)), page(1));
    }
  });

  it('survives a bitmap that says everything was dumped', (t) => {
    const dump = openBytes(t, writeKdump({ ...small, lies: { dumped: () => true } }));
    const states = Array.from({ length: 12 }, (_, frame) => dump.memory.pageState(pfn(frame)));
    for (let frame = 0; frame < 12; frame++) {
      try {
        assert.equal(dump.memory.page(pfn(frame)).length, 4096);
      } catch (error) {
        assert.ok(error instanceof MemoryFault);
      }
    }
    assert.equal(states[0], 'present', 'the first descriptor goes with the first bit, whatever it should have been');
    assert.equal(dump.info.pages.total, 12);
  });

  it('reads a dump with one bitmap', (t) => {
    // as many page frames as bits, so that there cannot be two
    const dump = openBytes(t, writeKdump({ pages: pagesOf(7, 32_767), oneBitmap: true, maxMapnr: 32_768 }));
    assert.deepEqual(dump.memory.page(pfn(32_767)), page(32_767));
    assert.equal(dump.memory.pageState(pfn(8)), 'not-in-dump');
    assert.deepEqual(dump.info.pages, { total: 2, present: 2, lost: 0 });
  });

  it('gives the bytes of any range, across pages', (t) => {
    const pages = new Map(Array.from({ length: 6 }, (_, i) => [i + 2, page(i + 2)]));
    const all = Buffer.concat([...pages.values()]);
    const dump = openBytes(t, writeKdump({ pages, compression: 'lzo' }));
    fc.assert(
      fc.property(fc.nat(all.length), fc.nat(all.length), (a, b) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const into = new Uint8Array(to - from);
        dump.memory.read(physAddr(2 * 4096 + from), into);
        assert.deepEqual(into, Uint8Array.from(all.subarray(from, to)));
      }),
    );
    const past = new Uint8Array(10);
    const fault = faultOf(() => dump.memory.read(physAddr(8 * 4096 - 4), past));
    assert.equal(fault.address, 0x8000n);
    assert.deepEqual(past.subarray(0, 4), page(7).subarray(4092));
  });

  it('reads pages rightly in any order, more than the cache holds', (t) => {
    // pages of one cache set, and more of them than the set has slots
    const frames = Array.from({ length: 5 }, (_, i) => 2048 * i + 3);
    const dump = openBytes(t, writeKdump({ pages: pagesOf(...frames), compression: 'zlib' }));
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...frames), { maxLength: 30 }), (order) => {
        for (const frame of order) assert.deepEqual(dump.memory.page(pfn(frame)), page(frame));
      }),
    );
  });
});

describe('incomplete kdump', () => {
  it('reads what a cut file still has, and counts what it has not', (t) => {
    const pages = pagesOf(1, 2, 3, 4, 5);
    const whole = writeKdump({ pages, ram: [[0, 8]] });
    const dump = openBytes(t, whole.subarray(0, whole.length - 4096 - 100));
    assert.deepEqual(
      [1, 3, 4, 5, 6].map((frame) => dump.memory.pageState(pfn(frame))),
      ['present', 'present', 'truncated', 'truncated', 'excluded'],
    );
    assert.equal(faultOf(() => dump.memory.page(pfn(5))).reason, 'truncated');
    assert.deepEqual(dump.info.pages, { total: 8, present: 3, lost: 2 });
    assert.equal(dump.info.complete, false);
    assert.match(dump.info.warnings.join('\n'), /2 pages of 5 lost/);
  });

  it('sees that a file is cut when its last pages are the shared page of zeroes', (t) => {
    let shared: number | bigint = 0;
    const lies: KdumpOptions['lies'] = {
      descriptor: (frame, descriptor) => {
        if (frame === 1) shared = descriptor.offset;
        if (frame >= 4) descriptor.offset = shared;
      },
    };
    const whole = writeKdump({ pages: pagesOf(1, 2, 3, 4, 5), lies });
    const cut = openBytes(t, whole.subarray(0, whole.length - 2 * 4096 - 100));
    assert.deepEqual(cut.info.pages, { total: 5, present: 4, lost: 1 });
    assert.equal(cut.memory.pageState(pfn(5)), 'present');
    assert.equal(openBytes(t, whole).info.complete, true);
  });

  it('opens when the descriptors, the bitmaps or all behind the notes is cut', (t) => {
    const whole = writeKdump({ ...small, pages: pagesOf(1, 2, 40_000), maxMapnr: 40_001 });
    const bitmaps = 2 * 4096;
    const descriptors = bitmaps + 4 * 4096;
    const inDescriptors = openBytes(t, whole.subarray(0, descriptors + 24 + 10));
    assert.equal(inDescriptors.info.pages.lost, 3);
    const inBitmap = openBytes(t, whole.subarray(0, bitmaps + 2 * 4096 + 100));
    assert.equal(inBitmap.memory.pageState(pfn(40_000)), 'truncated');
    const behindNotes = openBytes(t, whole.subarray(0, bitmaps));
    for (const dump of [inDescriptors, inBitmap, behindNotes]) {
      assert.equal(dump.info.complete, false);
      assert.equal(dump.notes.vmcoreinfo, 'OSRELEASE=6.1\n');
      assert.equal(dump.memory.pageState(pfn(1)), 'truncated');
    }
  });

  it('knows the mark of an incomplete dump, and pages that were never written', (t) => {
    const lies: KdumpOptions['lies'] = {
      descriptor: (frame, d) => {
        if (frame === 2) d.offset = 0;
      },
    };
    const dump = openBytes(t, writeKdump({ ...small, status: 8, lies }));
    assert.deepEqual(dump.info.pages, { total: 12, present: 2, lost: 1 });
    assert.equal(dump.memory.pageState(pfn(2)), 'truncated');
    assert.deepEqual(dump.memory.page(pfn(9)), page(9));
    assert.equal(dump.info.complete, false);
    assert.match(dump.info.warnings.join('\n'), /says that the dump is incomplete/);
  });
});
