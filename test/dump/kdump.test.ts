import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { type Pfn, pfn, physAddr } from '../../src/base/address.ts';
import { FormatError, MemoryFault, UnsupportedError } from '../../src/base/errors.ts';
import type { Dump } from '../../src/dump/dump.ts';
import { openDump } from '../../src/dump/open.ts';
import { flatten, writeFlattened } from '../support/dump_writers/flattened.ts';
import {
  type Compression,
  type KdumpOptions,
  type PageDescriptor,
  writeKdump,
  writeSplitKdump,
} from '../support/dump_writers/kdump.ts';
import { eraseInfoNote, prstatusNote, qemuCpuNote } from '../support/dump_writers/notes.ts';
import { page, tempFiles } from '../support/dump_writers/temp_files.ts';

function open(test: TestContext, ...files: Uint8Array[]): Dump {
  const dump = openDump(tempFiles(test, ...files));
  test.after(() => dump.close());
  return dump;
}

function pagesOf(...frames: number[]): Map<number, Uint8Array> {
  return new Map(frames.map((frame) => [frame, page(frame)]));
}

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

describe('kdump header', () => {
  it('names another word size or byte order', (t) => {
    const pages = pagesOf(1);
    const ram = [[0, 0x20000]] as const; // as many page frames as make a plausible block size where 64-bit has it
    assert.throws(
      () => open(t, writeKdump({ pages, ram, wordSize: 32 })),
      (error) => {
        assert.ok(error instanceof UnsupportedError);
        assert.match(error.message, /32-bit machine/);
        return true;
      },
    );
    assert.throws(() => open(t, writeKdump({ pages, littleEndian: false })), /big-endian machine/);
    assert.throws(() => open(t, writeKdump({ pages, littleEndian: false, wordSize: 32 })), /32-bit big-endian/);
  });

  it('refuses absurd counts in one clear line', (t) => {
    const refuse = (lies: KdumpOptions['lies'], expected: RegExp): void => {
      const bytes = writeKdump({ ...small, lies });
      assert.throws(
        () => open(t, bytes),
        (error) => {
          assert.ok(error instanceof FormatError);
          assert.match(error.message, expected);
          assert.doesNotMatch(error.message, /\n/);
          return true;
        },
      );
    };
    refuse({ blockSize: 0 }, /block size 0x0/);
    refuse({ blockSize: 4097 }, /block size 0x1001/);
    refuse({ blockSize: 0x80000000 }, /block size/);
    refuse({ subBlocks: 0 }, /0 blocks of sub header/);
    refuse({ subBlocks: 0xffffffff }, /sub header/);
    refuse({ bitmapBlocks: 0 }, /0 of bitmap/);
    refuse({ bitmapBlocks: 0xffffffff }, /impossible size/);
    refuse({ maxMapnr: 0 }, /no page frames/);
    refuse({ maxMapnr: 2n ** 52n }, /impossible size/);
    refuse({ maxMapnr: 2n ** 63n }, /out of range/);
    refuse({ maxMapnr: 300_000 }, /do not fit/);
  });

  it('refuses a file cut inside its headers', (t) => {
    const whole = writeKdump(small);
    assert.throws(() => open(t, whole.subarray(0, 100)), /ends inside it: 100 of 464/);
    assert.throws(() => open(t, whole.subarray(0, 4096)), /kdump sub header: the file ends inside it/);
    assert.throws(() => open(t, writeKdump({ ...small, vmcoreinfo: '' }).subarray(0, 4300)), /nothing is left/);
  });

  it('takes notes and texts that lie outside the file for missing', (t) => {
    const bytes = writeKdump(small);
    const view = new DataView(bytes.buffer);
    for (const field of [32, 48, 64]) {
      view.setBigUint64(4096 + field, 2n ** 60n, true);
      view.setBigUint64(4096 + field + 8, 2n ** 60n, true);
    }
    const dump = open(t, bytes);
    assert.equal(dump.notes.vmcoreinfo, null);
    assert.equal(dump.notes.eraseInfo, null);
    assert.deepEqual(dump.notes.all, []);
    assert.deepEqual(dump.memory.page(pfn(9)), page(9));
  });

  for (let version = 0; version <= 7; version++) {
    it(`reads version ${version}`, (t) => {
      const eraseInfo = 'erase jiffies size 8\n';
      const dump = open(
        t,
        writeKdump({ ...small, version, level: 17, eraseInfo, notes: [prstatusNote(4, Array(27).fill(9n))] }),
      );
      assert.equal(dump.info.version, version);
      assert.equal(dump.info.level, version >= 1 ? 17 : null);
      assert.equal(dump.notes.vmcoreinfo, version >= 3 ? 'OSRELEASE=6.1\n' : null);
      assert.equal(dump.notes.cpus.length, version >= 4 ? 1 : 0);
      assert.equal(dump.notes.eraseInfo, version >= 5 ? eraseInfo : null);
      assert.deepEqual(dump.memory.page(pfn(9)), page(9));
      assert.deepEqual(dump.info.pages, { total: 12, present: 3, lost: 0 });
    });
  }

  it("reads diskdump's signature", (t) => {
    const dump = open(t, writeKdump({ ...small, signature: 'DISKDUMP', version: 1 }));
    assert.deepEqual(dump.memory.page(pfn(2)), page(2));
  });

  it('tells what the header says', (t) => {
    const utsname = { nodename: 'db1', release: '6.1.9', version: '#2 SMP', machine: 'x86_64' };
    const [path] = tempFiles(t, writeKdump({ ...small, utsname, time: 1_700_000_000, level: 31 }));
    const dump = openDump([path!]);
    t.after(() => dump.close());
    assert.deepEqual(dump.info.utsname, { sysname: 'Linux', ...utsname });
    assert.equal(dump.info.headerTime, 1_700_000_000);
    assert.equal(dump.info.level, 31);
    assert.equal(dump.info.machine, 'x86_64');
    assert.equal(dump.info.description, 'kdump-compressed v6, zlib');
    assert.deepEqual(dump.info.files, [path]);
    assert.equal(dump.info.complete, true);
    assert.deepEqual(dump.info.warnings, []);
  });

  it('knows an arm64 dump whose header does not name the machine, and its larger pages', (t) => {
    const vmcoreinfo = 'OSRELEASE=6.1\nNUMBER(VA_BITS)=48\nNUMBER(kimage_voffset)=0xffff800000000000\n';
    const registers = Array.from({ length: 34 }, (_, i) => BigInt(i));
    const pages = new Map([[3, page(3, 65536)]]);
    const utsname = { sysname: '', nodename: '', release: '', version: '', machine: 'Unknown' };
    const dump = open(
      t,
      writeKdump({ pages, vmcoreinfo, utsname, blockSize: 65536, notes: [prstatusNote(1, registers)] }),
    );
    assert.equal(dump.info.machine, 'aarch64');
    assert.equal(dump.info.utsname, null);
    assert.equal(dump.memory.pageSize, 65536);
    assert.deepEqual(dump.memory.page(pfn(3)), page(3, 65536));
  });
});

describe('kdump pages', () => {
  for (const compression of compressions) {
    it(`reads pages stored as ${compression}, and what does not compress as it is`, (t) => {
      const noise = Uint8Array.from({ length: 4096 }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 13) & 0xff);
      const pages = new Map([
        [5, page(5)],
        [6, noise],
        [40_000, page(77)],
      ]);
      const dump = open(t, writeKdump({ pages, compression }));
      for (const [frame, bytes] of pages) assert.deepEqual(dump.memory.page(pfn(frame)), bytes);
      assert.equal(dump.info.compression, compression);
    });
  }

  it('tells the states of pages apart', (t) => {
    const dump = open(t, writeKdump({ pages: pagesOf(3, 100), ram: [[0, 8]], maxMapnr: 128 }));
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
    const dump = open(t, writeKdump({ pages: pagesOf(3), ram: [[0, 8]] }));
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
    const dump = open(t, writeKdump({ pages: pagesOf(3), ram: [[0, 8]] }));
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
          d.offset = 0;
        },
        /lost/,
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
      const dump = open(t, bytes);
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
      const dump = open(t, writeKdump({ pages, compression: 'zlib' }));
      assert.equal(faultOf(() => dump.memory.page(pfn(2))).reason, 'corrupt');
      assert.deepEqual(dump.memory.page(pfn(1)), page(1));
    }
  });

  it('survives a bitmap that says everything was dumped', (t) => {
    const dump = open(t, writeKdump({ ...small, lies: { dumped: () => true } }));
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
    const dump = open(t, writeKdump({ pages: pagesOf(7, 32_767), oneBitmap: true, maxMapnr: 32_768 }));
    assert.deepEqual(dump.memory.page(pfn(32_767)), page(32_767));
    assert.equal(dump.memory.pageState(pfn(8)), 'not-in-dump');
    assert.deepEqual(dump.info.pages, { total: 2, present: 2, lost: 0 });
  });

  it('gives the bytes of any range, across pages', (t) => {
    const pages = new Map(Array.from({ length: 6 }, (_, i) => [i + 2, page(i + 2)]));
    const all = Buffer.concat([...pages.values()]);
    const dump = open(t, writeKdump({ pages, compression: 'lzo' }));
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
    const dump = open(t, writeKdump({ pages: pagesOf(...frames), compression: 'zlib' }));
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
    const dump = open(t, whole.subarray(0, whole.length - 4096 - 100));
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
    const cut = open(t, whole.subarray(0, whole.length - 2 * 4096 - 100));
    assert.deepEqual(cut.info.pages, { total: 5, present: 4, lost: 1 });
    assert.equal(cut.memory.pageState(pfn(5)), 'present');
    assert.equal(open(t, whole).info.complete, true);
  });

  it('opens when the descriptors, the bitmaps or all behind the notes is cut', (t) => {
    const whole = writeKdump({ ...small, pages: pagesOf(1, 2, 40_000), maxMapnr: 40_001 });
    const bitmaps = 2 * 4096;
    const descriptors = bitmaps + 4 * 4096;
    const inDescriptors = open(t, whole.subarray(0, descriptors + 24 + 10));
    assert.equal(inDescriptors.info.pages.lost, 3);
    const inBitmap = open(t, whole.subarray(0, bitmaps + 2 * 4096 + 100));
    assert.equal(inBitmap.memory.pageState(pfn(40_000)), 'truncated');
    const behindNotes = open(t, whole.subarray(0, bitmaps));
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
    const dump = open(t, writeKdump({ ...small, status: 8, lies }));
    assert.deepEqual(dump.info.pages, { total: 12, present: 2, lost: 1 });
    assert.equal(dump.memory.pageState(pfn(2)), 'truncated');
    assert.deepEqual(dump.memory.page(pfn(9)), page(9));
    assert.equal(dump.info.complete, false);
    assert.match(dump.info.warnings.join('\n'), /says that the dump is incomplete/);
  });
});

describe('split kdump', () => {
  const options: KdumpOptions = { ...small, pages: pagesOf(1, 2, 9, 10, 20, 29), ram: [[0, 30]], maxMapnr: 30 };
  const parts = writeSplitKdump(options, [9, 20]);

  it('reads parts given in any order', (t) => {
    for (const order of [
      [0, 1, 2],
      [2, 0, 1],
      [1, 2, 0],
    ]) {
      const dump = open(t, ...order.map((i) => parts[i]!));
      for (const [frame, bytes] of options.pages) assert.deepEqual(dump.memory.page(pfn(frame)), bytes);
      assert.equal(dump.info.split, 3);
      assert.equal(dump.memory.pageState(pfn(3)), 'excluded');
      assert.deepEqual(dump.info.pages, { total: 30, present: 6, lost: 0 });
      assert.equal(dump.notes.vmcoreinfo, 'OSRELEASE=6.1\n');
    }
  });

  it('reads flattened parts', (t) => {
    const dump = open(t, flatten(parts[1]!), parts[0]!, flatten(parts[2]!, 100));
    for (const [frame, bytes] of options.pages) assert.deepEqual(dump.memory.page(pfn(frame)), bytes);
    assert.equal(dump.info.flattened, true);
  });

  it('loses the pages of a cut part only', (t) => {
    const dump = open(t, parts[0]!, parts[1]!.subarray(0, parts[1]!.length - 10), parts[2]!);
    assert.equal(dump.memory.pageState(pfn(10)), 'truncated');
    assert.deepEqual(dump.memory.page(pfn(29)), page(29));
    assert.equal(dump.info.pages.lost, 1);
  });

  it('says which part is missing', (t) => {
    assert.throws(() => open(t, parts[1]!, parts[2]!), /page frames 0x0 to 0x8 is missing/);
    assert.throws(() => open(t, parts[0]!, parts[2]!), /page frames 0x9 to 0x13 is missing/);
    assert.throws(() => open(t, parts[0]!), /page frames 0x9 to 0x1d is missing: 1 file given/);
  });

  it('refuses parts that do not make one dump', (t) => {
    assert.throws(() => open(t, parts[0]!, parts[1]!, parts[1]!, parts[2]!), /are the same part/);
    const [path] = tempFiles(t, parts[0]!);
    assert.throws(() => openDump([path!, path!]), /given twice/);
    const other = writeSplitKdump({ ...options, utsname: { nodename: 'other' } }, [9, 20]);
    assert.throws(() => open(t, parts[0]!, other[1]!, parts[2]!), /parts of different dumps/);
    const overlapping = writeSplitKdump(options, [5, 20]);
    assert.throws(() => open(t, parts[0]!, overlapping[1]!, parts[2]!), /is in two parts/);
    assert.throws(() => open(t, writeKdump(options), parts[1]!), /is not a part of a split dump/);
  });
});

describe('kdump notes', () => {
  it("reads the CPUs' registers, QEMU's as well", (t) => {
    const general = Array.from({ length: 18 }, (_, i) => BigInt(100 + i));
    const segments = Array.from({ length: 10 }, (_, i) => ({ selector: i, limit: 0xffff, base: BigInt(i) << 40n }));
    const dump = open(
      t,
      writeKdump({
        ...small,
        notes: [
          prstatusNote(
            77,
            Array.from({ length: 27 }, (_, i) => BigInt(i)),
          ),
          prstatusNote(
            0,
            Array.from({ length: 27 }, () => 2n ** 64n - 1n),
          ),
          prstatusNote(5, [1n, 2n]),
          { name: 'LINUX', type: 0x700, desc: new Uint8Array(13) },
          qemuCpuNote(general, segments, [1n, 0n, 3n, 0x1000n, 5n], 42n),
          qemuCpuNote(general, segments, [1n, 0n, 3n, 0x1000n, 5n], null),
          qemuCpuNote(general, segments, [1n, 0n, 3n, 0x1000n, 5n], null, 2),
          eraseInfoNote('erase x nullify\n'),
        ],
      }),
    );
    const { cpus, all, eraseInfo } = dump.notes;
    assert.deepEqual(
      cpus.map(({ source, index, pid }) => [source, index, pid]),
      [
        ['prstatus', 0, 77],
        ['prstatus', 1, 0],
        ['qemu', 0, 0],
        ['qemu', 1, 0],
      ],
    );
    assert.equal(cpus[0]!.registers.r15, 0n);
    assert.equal(cpus[0]!.registers.rip, 16n);
    assert.equal(cpus[0]!.registers.rsp, 19n);
    assert.equal(cpus[0]!.registers.gs, 26n);
    assert.equal(cpus[1]!.registers.rip, 2n ** 64n - 1n);
    const qemu = cpus[2]!.registers;
    assert.deepEqual([qemu.rax, qemu.rip, qemu.eflags], [100n, 116n, 117n]);
    assert.deepEqual([qemu.cs, qemu.gs_base, qemu.idt_base], [0n, 4n << 40n, 9n << 40n]);
    assert.deepEqual([qemu.cr0, qemu.cr3, qemu.cr4, qemu.kernel_gs_base], [1n, 0x1000n, 5n, 42n]);
    assert.equal(cpus[3]!.registers.kernel_gs_base, undefined);
    assert.deepEqual(all[3], { name: 'LINUX', type: 0x700, size: 13 });
    assert.equal(all.length, 9);
    assert.equal(eraseInfo, 'erase x nullify\n');
  });
});

describe('flattened kdump', () => {
  it('is read in place, whatever the size of its records', (t) => {
    const bytes = writeKdump({ ...small, eraseInfo: 'erase x size 8\n' });
    for (const size of [24, 1000, 4096, bytes.length]) {
      const dump = open(t, flatten(bytes, size));
      for (const frame of [1, 2, 9]) assert.deepEqual(dump.memory.page(pfn(frame)), page(frame));
      assert.equal(dump.info.flattened, true);
      assert.equal(dump.info.description, 'kdump-compressed v6, zlib, flattened');
      assert.equal(dump.info.complete, true);
      assert.equal(dump.notes.eraseInfo, 'erase x size 8\n');
    }
  });

  it('gives most pages of a stream that was cut', (t) => {
    const stream = flatten(writeKdump({ ...small, compression: 'none' }), 4096);
    const dump = open(t, stream.subarray(0, stream.length - 3000));
    assert.deepEqual(dump.memory.page(pfn(1)), page(1));
    assert.equal(dump.memory.pageState(pfn(9)), 'truncated');
    assert.match(dump.info.warnings.join('\n'), /no end mark/);
    assert.equal(dump.info.complete, false);
  });

  it('is refused when there is no dump in it', (t) => {
    assert.throws(() => open(t, writeFlattened([{ offset: 0, bytes: page(1) }])), /is not a dump/);
    assert.throws(() => open(t, flatten(flatten(writeKdump(small)))), /is not a dump/);
  });
});
