import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { pfn, physAddr } from '../../src/base/address.ts';
import { FormatError, MemoryFault, UnsupportedError } from '../../src/base/errors.ts';
import { type ElfCoreOptions, type ElfSegment, writeElfCore } from '../support/dump_writers/elf_core.ts';
import { flatten } from '../support/dump_writers/flattened.ts';
import { writeKdump } from '../support/dump_writers/kdump.ts';
import { prstatusNote, vmcoreinfoNote } from '../support/dump_writers/notes.ts';
import { openBytes, page } from '../support/dump_writers/temp_files.ts';

const segments: readonly ElfSegment[] = [
  { address: 0x1000, bytes: Uint8Array.of(...page(1), ...page(2)) },
  { address: 0x10_0000, bytes: page(256), memorySize: 0x4000 },
];
const notes = [vmcoreinfoNote('OSRELEASE=6.1\nPAGESIZE=4096\n'), prstatusNote(9, Array(27).fill(3n))];
const small: ElfCoreOptions = { segments, notes };

describe('ELF header', () => {
  it('refuses what is ELF but not a 64-bit little-endian core, and says what it is', (t) => {
    assert.throws(() => openBytes(t, writeElfCore({ ...small, type: 2 })), /an executable \(a vmlinux\?\)/);
    assert.throws(() => openBytes(t, writeElfCore({ ...small, type: 1 })), /a relocatable file/);
    assert.throws(() => openBytes(t, writeElfCore({ ...small, type: 77 })), /type 77/);
    for (const [options, expected] of [
      [{ wordSize: 32 }, /32-bit/],
      [{ littleEndian: false }, /big-endian/],
    ] as const) {
      assert.throws(
        () => openBytes(t, writeElfCore({ ...small, ...options })),
        (error) => {
          assert.ok(error instanceof UnsupportedError);
          assert.match(error.message, expected);
          return true;
        },
      );
    }
    const odd = writeElfCore(small);
    odd[4] = 7;
    assert.throws(() => openBytes(t, odd), /word size 7/);
  });

  it('refuses a header that is cut or has impossible sizes', (t) => {
    const refuse = (bytes: Uint8Array, expected: RegExp): void => {
      assert.throws(
        () => openBytes(t, bytes),
        (error) => error instanceof FormatError && expected.test(error.message),
      );
    };
    refuse(writeElfCore(small).subarray(0, 40), /ends inside its header/);
    refuse(writeElfCore({ ...small, lies: { programHeaderSize: 32 } }), /program headers of 32 bytes/);
    refuse(writeElfCore({ ...small, lies: { programHeaders: 0 } }), /no program headers/);
    refuse(writeElfCore({ ...small, countInSection: true, lies: { sections: 0 } }), /section 0/);
    refuse(writeElfCore({ ...small, countInSection: true, lies: { sections: 1e9 } }), /section 0/);
    refuse(writeElfCore({ ...small, countInSection: true, lies: { programHeaders: 0xffffffff } }), /4294967295/);
    refuse(writeElfCore(small).subarray(0, 64), /no program headers/);
  });

  it('keeps the segments that are possible beside impossible ones', (t) => {
    const dump = openBytes(
      t,
      writeElfCore({
        ...small,
        segments: [
          ...segments,
          { address: 2n ** 64n - 4096n, bytes: page(3) },
          { address: 0x20_0000, bytes: page(4), memorySize: 2n ** 63n },
        ],
      }),
    );
    assert.deepEqual(dump.memory.page(pfn(2)), page(2));
    assert.equal(dump.info.complete, false);
    assert.match(dump.info.warnings.join('\n'), /2 program headers with impossible/);
  });

  it('reads what it can of a table of program headers that is cut', (t) => {
    const bytes = writeElfCore({ ...small, lies: { programHeaders: 2 }, countInSection: true });
    const view = new DataView(bytes.buffer);
    view.setUint32(64 + 3 * 56 + 44, 4_000_000, true); // section 0's sh_info
    const dump = openBytes(t, bytes);
    assert.deepEqual(dump.memory.page(pfn(1)), page(1));
    assert.match(dump.info.warnings.join('\n'), /program headers are cut off/);
  });

  it('opens an arm64 dump with its registers and page size', (t) => {
    const registers = Array.from({ length: 34 }, (_, i) => BigInt(i));
    const dump = openBytes(
      t,
      writeElfCore({
        machine: 183,
        segments: [{ address: 0x4000_0000, bytes: page(8, 65536) }],
        notes: [prstatusNote(2, registers), vmcoreinfoNote('PAGESIZE=65536\n')],
      }),
    );
    assert.equal(dump.info.machine, 'aarch64');
    assert.equal(dump.memory.pageSize, 65536);
    assert.deepEqual(dump.memory.page(pfn(0x4000)), page(8, 65536));
    const { x0, x30, sp, pc, pstate } = dump.notes.cpus[0]!.registers;
    assert.deepEqual([x0, x30, sp, pc, pstate], [0n, 30n, 31n, 32n, 33n]);
  });

  it('names a machine that it does not know, and keeps its notes to itself', (t) => {
    const dump = openBytes(t, writeElfCore({ ...small, machine: 999 }));
    assert.equal(dump.info.machine, 'elf machine 999');
    assert.deepEqual(dump.notes.cpus, []);
  });

  it('reads more program headers than 16 bits count', (t) => {
    const many = Array.from({ length: 65_600 }, (_, i) => ({ address: i * 8192, bytes: Uint8Array.of(i, i >> 8) }));
    const dump = openBytes(t, writeElfCore({ segments: many, notes }));
    assert.equal(dump.memory.page(pfn(2 * 65_599))[1], (65_599 >> 8) & 0xff);
    assert.equal(dump.info.pages.present, 65_600);
  });
});

describe('ELF pages', () => {
  it('tells the states of pages apart', (t) => {
    const dump = openBytes(t, writeElfCore(small));
    const states = [0, 1, 2, 3, 0x100, 0x101, 0x103, 0x104, 1e15].map((frame) => dump.memory.pageState(pfn(frame)));
    const out = 'not-in-dump';
    assert.deepEqual(states, [out, 'present', 'present', out, 'present', 'excluded', 'excluded', out, out]);
    assert.deepEqual(dump.info.pages, { total: 6, present: 3, lost: 0 });
    assert.deepEqual(dump.memory.ramRanges(), [
      { start: 0x1000, end: 0x3000 },
      { start: 0x10_0000, end: 0x10_4000 },
    ]);
    assert.equal(dump.info.format, 'elf');
    assert.equal(dump.info.compression, 'none');
    assert.equal(dump.info.complete, true);
  });

  it('reads what is there of a cut file and counts what is not', (t) => {
    const whole = writeElfCore(small);
    const dump = openBytes(t, whole.subarray(0, whole.length - 4096 - 10));
    assert.deepEqual(
      [1, 2, 0x100].map((frame) => dump.memory.pageState(pfn(frame))),
      ['present', 'truncated', 'truncated'],
    );
    assert.throws(
      () => dump.memory.page(pfn(2)),
      (error) => error instanceof MemoryFault && error.reason === 'truncated' && error.address === 0x2000n,
    );
    assert.deepEqual(dump.info.pages, { total: 6, present: 1, lost: 2 });
    assert.equal(dump.info.complete, false);
  });

  it("knows makedumpfile's mark of an incomplete dump", (t) => {
    const dump = openBytes(t, writeElfCore({ ...small, flags: 1 }));
    assert.equal(dump.info.complete, false);
    assert.match(dump.info.warnings.join(), /incomplete/);
  });

  it('finds notes in several segments, stops at one that is impossible', (t) => {
    const dump = openBytes(t, writeElfCore({ segments, notes: [[notes[1]!], [notes[0]!], [notes[1]!]] }));
    assert.equal(dump.notes.cpus.length, 2);
    assert.equal(dump.notes.vmcoreinfo, 'OSRELEASE=6.1\nPAGESIZE=4096\n');
    const broken = writeElfCore({ segments, notes: [[notes[1]!, notes[0]!], [notes[1]!]] });
    new DataView(broken.buffer).setUint32(64 + 4 * 56 + 4, 0xffff_fff0, true); // the first note's size
    const other = openBytes(t, broken);
    assert.equal(other.notes.vmcoreinfo, null);
    assert.equal(other.notes.cpus.length, 1);
    assert.match(other.info.warnings.join(), /impossible or cut/);
  });

  it('reads a flattened core', (t) => {
    const dump = openBytes(t, flatten(writeElfCore(small), 777));
    assert.deepEqual(dump.memory.page(pfn(0x100)), page(256));
    assert.equal(dump.info.description, 'ELF core, flattened');
  });

  it('refuses to be split, and to be mixed with another format', (t) => {
    assert.throws(() => openBytes(t, writeElfCore(small), writeElfCore(small)), /never split/);
    assert.throws(
      () => openBytes(t, writeElfCore(small), writeKdump({ pages: new Map([[1, page(1)]]) })),
      /not a part/,
    );
  });

  it('reads as the segments say, however they overlap, in whatever order, and off page bounds', (t) => {
    const segment = fc
      .record({ address: fc.nat(5 * 4096), length: fc.nat(9000), tail: fc.nat(9000) })
      .filter(({ length, tail }) => length + tail > 0);
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 6 }), (list) => {
        // Overlapping segments of one memory agree, as the kernel's do.
        const memory = Uint8Array.from({ length: 16 * 4096 }, (_, i) => (i * 31) % 251);
        const known = new Uint8Array(memory.length); // 2 content, 1 described only
        for (const { address, length, tail } of list) {
          for (let i = address; i < address + length + tail; i++)
            known[i] = Math.max(known[i]!, i < address + length ? 2 : 1);
        }
        const dump = openBytes(
          t,
          writeElfCore({
            segments: list.map(({ address, length, tail }) => ({
              address,
              bytes: memory.subarray(address, address + length),
              memorySize: length + tail,
            })),
          }),
        );
        const counts = { total: 0, present: 0, lost: 0 };
        for (let frame = 0; frame < 16; frame++) {
          const of = known.subarray(frame * 4096, (frame + 1) * 4096);
          const best = Math.max(...of);
          assert.equal(dump.memory.pageState(pfn(frame)), ['not-in-dump', 'excluded', 'present'][best]);
          if (best > 0) counts.total++;
          if (best < 2) continue;
          counts.present++;
          const expected = memory.slice(frame * 4096, (frame + 1) * 4096).map((byte, i) => (of[i] === 2 ? byte : 0));
          assert.deepEqual(dump.memory.page(pfn(frame)), expected);
        }
        assert.deepEqual(dump.info.pages, counts);
        const inRanges = new Uint8Array(memory.length);
        for (const { start, end } of dump.memory.ramRanges()) inRanges.fill(1, start, end);
        assert.deepEqual(
          inRanges,
          known.map((k) => Math.min(k, 1)),
        );
      }),
      { numRuns: 100 },
    );
  });

  it('reads across segments that touch', (t) => {
    const dump = openBytes(
      t,
      writeElfCore({
        segments: [
          { address: 0x2000, bytes: page(2) },
          { address: 0x1000, bytes: page(1) },
        ],
      }),
    );
    const into = new Uint8Array(16);
    dump.memory.read(physAddr(0x2000 - 8), into);
    assert.deepEqual(into, Uint8Array.of(...page(1).subarray(4088), ...page(2).subarray(0, 8)));
  });
});
