// A dump that is written anew must be the same dump, but for what it was told to leave out; and one that ends early must
// still be a dump.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { pfn, virtAddr } from '../../src/base/address.ts';
import { FormatError, MemoryFault, UsageError } from '../../src/base/errors.ts';
import { Cancelled, type Work } from '../../src/base/work.ts';
import type { Dump, PageCompression } from '../../src/dump/dump.ts';
import { openDump } from '../../src/dump/open.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { openKernel } from '../../src/kernel/open_kernel.ts';
import { OutputError } from '../../src/save/output.ts';
import { type SaveFilesOptions, saveFiles } from '../../src/save/save_files.ts';
import { selectFrames } from '../../src/save/selection.ts';
import { smallDump } from '../robustness/small_kernel.ts';
import { type PageDescriptor, writeKdump } from '../support/dump_writers/kdump.ts';
import { openBytes, page } from '../support/dump_writers/temp_files.ts';
import { MemoryMap, pageShapes, vmemmap } from '../support/memory_map.ts';

function folderOf(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-save-'));
  test.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

const plain: Omit<SaveFilesOptions, 'targets'> = {
  format: 'kdump',
  compression: 'zlib',
  levels: [0],
  threads: 1,
  flattened: false,
  overwrite: false,
};

function opened(test: TestContext, files: readonly string[]): Kernel {
  const dump = openDump(files);
  test.after(() => dump.close());
  return openKernel(dump);
}

/** Every page that a dump has, and what it says of the others. */
function pagesOf({ memory }: Dump): Map<number, string | Uint8Array> {
  const pages = new Map<number, string | Uint8Array>();
  for (let frame = 0; frame < memory.maxPfn; frame++) {
    const state = memory.pageState(pfn(frame));
    if (state === 'not-in-dump') continue;
    try {
      pages.set(frame, state === 'present' ? memory.page(pfn(frame)).slice() : state);
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
      pages.set(frame, error.reason);
    }
  }
  return pages;
}

/** Formats that can be written. */
const forms: readonly (readonly [name: string, options: Partial<SaveFilesOptions>, files: number])[] = [
  ...(['none', 'zlib', 'lzo', 'snappy', 'zstd'] as const).map(
    (compression: PageCompression) => [compression, { compression }, 1] as const,
  ),
  ['ELF', { format: 'elf', compression: 'none' }, 1],
  ['flattened', { flattened: true }, 1],
  ['flattened ELF', { format: 'elf', compression: 'none', flattened: true }, 1],
  ['split', {}, 3],
];

describe('a dump that is saved', () => {
  for (const [from, first, firstFiles] of forms) {
    it(`from ${from} to every other form has the same pages and says the same`, (t) => {
      const folder = folderOf(t);
      const source = openKernel(openBytes(t, smallDump({ excluded: [] })));
      const given = Array.from({ length: firstFiles }, (_, i) => join(folder, `first.${i}`));
      saveFiles(source, { ...plain, ...first, targets: given });
      const one = opened(t, given);
      const pages = pagesOf(source.dump);
      assert.deepEqual(pagesOf(one.dump), pages);
      for (const [to, second, files] of forms) {
        const targets = Array.from({ length: files }, (_, i) => join(folder, `${to}.${i}`));
        const { lost } = saveFiles(one, { ...plain, ...second, targets });
        assert.equal(lost, 0);
        const other = opened(t, targets);
        assert.deepEqual(pagesOf(other.dump), pages, `to ${to}`);
        assert.deepEqual(other.dump.rawNotes(), source.dump.rawNotes());
        assert.equal(other.dump.notes.vmcoreinfo, source.dump.notes.vmcoreinfo);
        assert.equal(other.dump.info.complete, true);
        assert.deepEqual(
          other.tasks.all.map(({ pid }) => pid),
          source.tasks.all.map(({ pid }) => pid),
        );
        // an ELF core does not tell
        if (first.format !== 'elf' && second.format !== 'elf') assert.equal(other.dump.info.level, 31);
      }
    });
  }

  it('keeps what the notes and headers say, and erase information', (t) => {
    const folder = folderOf(t);
    const pages = pagesOf(openBytes(t, smallDump())) as Map<number, Uint8Array>;
    const small = openBytes(t, smallDump());
    const bytes = writeKdump({
      pages,
      vmcoreinfo: small.notes.vmcoreinfo!,
      eraseInfo: 'erase key size 16\n',
      utsname: { release: '6.12.0-synthetic', nodename: 'lab' },
      level: 1,
    });
    const source = openKernel(openBytes(t, bytes));
    const [kdump, elf, back] = ['kdump', 'elf', 'back'].map((name) => join(folder, name)) as [string, string, string];
    saveFiles(source, { ...plain, targets: [kdump] });
    const { info, notes } = opened(t, [kdump]).dump;
    assert.equal(notes.eraseInfo, 'erase key size 16\n');
    assert.equal(info.level, 1);
    saveFiles(source, { ...plain, format: 'elf', compression: 'none', targets: [elf] });
    assert.equal(opened(t, [elf]).dump.notes.eraseInfo, 'erase key size 16\n');
    saveFiles(opened(t, [elf]), { ...plain, targets: [back] });
    assert.equal(opened(t, [back]).dump.notes.eraseInfo, 'erase key size 16\n');
  });

  it('is the same by threads', (t) => {
    const folder = folderOf(t);
    const source = openKernel(openBytes(t, smallDump()));
    for (const threads of [1, 2]) saveFiles(source, { ...plain, threads, targets: [join(folder, String(threads))] });
    assert.deepEqual(readFileSync(join(folder, '2')), readFileSync(join(folder, '1')));
  });

  it('is divided where crash can count the pages: at multiples of 64 frames, whatever is kept', (t) => {
    const folder = folderOf(t);
    const pages = new Map(Array.from({ length: 700 }, (_, n) => [n % 3 === 0 ? 2 * n : 2 * n + 1, page(n)] as const));
    const small = openBytes(t, smallDump());
    for (const [n, bytes] of pagesOf(small)) pages.set(n, bytes as Uint8Array);
    const source = openKernel(openBytes(t, writeKdump({ pages, vmcoreinfo: small.notes.vmcoreinfo! })));
    const targets = Array.from({ length: 4 }, (_, i) => join(folder, String(i)));
    saveFiles(source, { ...plain, targets });
    const ranges = targets.map((target) => {
      const bytes = readFileSync(target);
      const at = bytes.readUInt32LE(428) + 80;
      return [at, at + 8].map((field) => Number(bytes.readBigUInt64LE(field)));
    });
    assert.equal(ranges[0]![0], 0);
    assert.equal(ranges.at(-1)![1], source.dump.memory.maxPfn);
    for (const [i, [start]] of ranges.slice(1).entries()) {
      assert.equal(start! % 64, 0);
      assert.equal(start, ranges[i]![1]);
      assert.ok(start! > ranges[i]![0]!);
    }
    assert.deepEqual(pagesOf(opened(t, targets).dump), pagesOf(source.dump));
  });

  it('has one page for all that are zeroes, where those are to go; an ELF core has none', (t) => {
    const folder = folderOf(t);
    const pages = new Map([...Array.from({ length: 600 }, (_, n) => [n, page(n % 3 === 0 ? 7 : n)] as const)]);
    for (const n of [1, 2, 3, 400]) pages.set(n, new Uint8Array(4096));
    const small = openBytes(t, smallDump());
    for (const [n, bytes] of pagesOf(small)) pages.set(n, bytes as Uint8Array);
    const zeroes = [...pages.values()].filter((bytes) => bytes.every((byte) => byte === 0)).length;
    const source = openKernel(openBytes(t, writeKdump({ pages, vmcoreinfo: small.notes.vmcoreinfo! })));
    const target = join(folder, 'kdump');
    assert.equal(saveFiles(source, { ...plain, levels: [1], targets: [target] }).zero, zeroes);
    assert.deepEqual(pagesOf(opened(t, [target]).dump), pagesOf(source.dump));
    const elf = join(folder, 'elf');
    saveFiles(source, { ...plain, format: 'elf', compression: 'none', levels: [1], targets: [elf] });
    const found = pagesOf(openDump([elf]));
    assert.equal(found.get(400), 'excluded');
    assert.deepEqual(found.get(5), pages.get(5));
  });

  it('tells of pages that cannot be read, and is marked incomplete', (t) => {
    const folder = folderOf(t);
    const small = openBytes(t, smallDump());
    const pages = pagesOf(small) as Map<number, Uint8Array>;
    for (let n = 0; n < 5; n++) pages.set(n, page(n));
    const descriptor = (n: number, d: PageDescriptor) => {
      if (n === 3) d.size = 99_999;
    };
    const bytes = writeKdump({ pages, vmcoreinfo: small.notes.vmcoreinfo!, compression: 'zlib', lies: { descriptor } });
    const source = openKernel(openBytes(t, bytes));
    const [kdump, elf] = [join(folder, 'kdump'), join(folder, 'elf')];
    assert.equal(saveFiles(source, { ...plain, targets: [kdump] }).lost, 1);
    const { dump } = opened(t, [kdump]);
    assert.equal(dump.info.complete, false);
    assert.equal(pagesOf(dump).get(3), 'truncated');
    assert.deepEqual(pagesOf(dump).get(4), page(4));
    assert.equal(saveFiles(source, { ...plain, format: 'elf', compression: 'none', targets: [elf] }).lost, 1);
    assert.equal(opened(t, [elf]).dump.info.complete, false);
  });
});

describe('a save that ends early', () => {
  it('leaves a dump of what was written, under another name', (t) => {
    const folder = folderOf(t);
    const source = openKernel(openBytes(t, smallDump()));
    const pages = pagesOf(source.dump);
    const whole = join(folder, 'whole');
    const { written } = saveFiles(source, { ...plain, compression: 'none', targets: [whole] });
    fc.assert(
      fc.property(fc.integer({ min: 20_000, max: written - 1 }), (limit) => {
        const target = join(folder, 'cut');
        try {
          saveFiles(source, { ...plain, compression: 'none', targets: [target], limit });
        } catch (error) {
          assert.ok(error instanceof OutputError && error.isFull, String(error));
        }
        assert.ok(!existsSync(target));
        const dump = openDump([`${target}.incomplete`]);
        assert.equal(dump.info.complete, false);
        for (const [frame, bytes] of pagesOf(dump)) {
          if (typeof bytes !== 'string') assert.deepEqual(bytes, pages.get(frame));
        }
        dump.close();
      }),
      { numRuns: 20 },
    );
  });

  it('by a signal does the same', (t) => {
    const folder = folderOf(t);
    const small = openBytes(t, smallDump());
    const pages = pagesOf(small) as Map<number, Uint8Array>;
    for (let n = 0; n < 1500; n++) pages.set(n, page(n));
    const source = openKernel(openBytes(t, writeKdump({ pages, vmcoreinfo: small.notes.vmcoreinfo! })));
    let saved = 0;
    const work: Work = {
      charge: () => {
        if (saved > 0) throw new Cancelled();
      },
      progress: () => saved++,
    };
    const target = join(folder, 'cancelled');
    const save = () => source.work.during(work, () => saveFiles(source, { ...plain, targets: [target] }));
    assert.throws(save, Cancelled);
    assert.deepEqual(readdirSync(folder), ['cancelled.incomplete']);
    assert.equal(openDump([`${target}.incomplete`]).info.complete, false);
  });

  it('takes the next level where the target is full', (t) => {
    const folder = folderOf(t);
    const source = openKernel(openBytes(t, smallDump()));
    const target = join(folder, 'small');
    const whole = saveFiles(source, { ...plain, compression: 'none', targets: [join(folder, 'whole')] });
    const limited = { ...plain, compression: 'none', targets: [target], limit: whole.written - 4096 } as const;
    assert.throws(() => saveFiles(source, { ...limited, levels: [0, 0] }), OutputError);
    const { level } = saveFiles(source, { ...limited, levels: [0, 1] });
    assert.equal(level, 1);
    assert.deepEqual(readdirSync(folder).sort(), ['small', 'whole']);
  });
});

describe('a save that is gone on with', () => {
  const manyPages = 4600;

  for (const [form, options, files] of [
    ['kdump', {}, 1],
    ['kdump without zero pages', { levels: [1] }, 1],
    ['split', {}, 3],
    ['ELF', { format: 'elf', compression: 'none' }, 1],
    ['ELF without zero pages', { format: 'elf', compression: 'none', levels: [1] }, 1],
  ] as const) {
    it(`ends as if it had not been interrupted: ${form}`, (t) => {
      const folder = folderOf(t);
      const small = openBytes(t, smallDump());
      const pages = pagesOf(small) as Map<number, Uint8Array>;
      for (let n = 0; n < manyPages; n++) pages.set(n, n % 50 === 0 ? new Uint8Array(4096) : page(n));
      const bytes = writeKdump({ pages, vmcoreinfo: small.notes.vmcoreinfo!, eraseInfo: 'erase x size 1\n' });
      const source = openKernel(openBytes(t, bytes));
      const named = (name: string) => Array.from({ length: files }, (_, i) => join(folder, `${name}.${i}`));
      const all = { ...plain, ...options, resume: true };
      saveFiles(source, { ...all, targets: named('whole') });
      let isResumed = false;
      fc.assert(
        fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (part) => {
          const work: Work = {
            charge: () => {},
            progress: (done, total) => {
              if (done / total! > part * 0.99) throw new Cancelled();
            },
          };
          const targets = named('again');
          assert.throws(() => source.work.during(work, () => saveFiles(source, { ...all, targets })), Cancelled);
          for (const target of targets) assert.ok(!existsSync(target));
          const { resumed, lost } = saveFiles(source, { ...all, targets });
          isResumed ||= resumed > 0;
          assert.equal(lost, 0);
          const [one, other] = [named('whole'), targets].map((files) => openDump(files));
          if (all.levels[0] !== 0) assert.ok(isDeepStrictEqual(pagesOf(other!), pagesOf(one!)));
          assert.equal(other!.info.complete, true);
          assert.equal(other!.notes.eraseInfo, 'erase x size 1\n');
          one!.close();
          other!.close();
          // pages of zeroes that are written behind the rest have a place of their own
          if (all.levels[0] === 0)
            for (const [i, target] of targets.entries()) {
              assert.ok(readFileSync(target).equals(readFileSync(named('whole')[i]!)));
            }
          for (const target of targets) rmSync(target);
        }),
        { numRuns: 1, examples: [[0.95]] },
      );
      assert.ok(isResumed);
    });
  }

  it('is refused for other pages, and for what cannot be gone on with', (t) => {
    const folder = folderOf(t);
    const source = openKernel(openBytes(t, smallDump()));
    const target = join(folder, 'x');
    saveFiles(source, { ...plain, targets: [`${target}.incomplete`] });
    const other = { ...plain, compression: 'lzo', resume: true, targets: [target] } as const;
    assert.throws(() => saveFiles(source, other), /was begun with other/);
    for (const wrong of [{ flattened: true }, { levels: [1, 31] }, { targets: ['-'] }]) {
      assert.throws(() => saveFiles(source, { ...plain, targets: [target], ...wrong, resume: true }), UsageError);
    }
    // of a save that ended before anything was written nothing is of use
    for (const size of [0, 100, 5000]) {
      writeFileSync(`${target}.incomplete`, Buffer.alloc(size, 0x5a));
      saveFiles(source, { ...plain, resume: true, overwrite: true, targets: [target] });
      assert.deepEqual(pagesOf(openDump([target])), pagesOf(source.dump));
    }
  });
});

describe('a save is refused', () => {
  it('onto a file that is there, onto the dump itself, and for options that do not go together', (t) => {
    const folder = folderOf(t);
    const source = openKernel(openBytes(t, smallDump()));
    const target = join(folder, 'there');
    saveFiles(source, { ...plain, targets: [target] });
    assert.throws(() => saveFiles(source, { ...plain, targets: [target] }), FormatError);
    saveFiles(source, { ...plain, targets: [target], overwrite: true });
    const own = source.dump.description.files[0]!;
    assert.throws(() => saveFiles(source, { ...plain, targets: [own], overwrite: true }), /is the dump to be saved/);
    for (const wrong of [
      { format: 'elf', compression: 'zlib' },
      { levels: [32] },
      { levels: [-1] },
      { format: 'elf', compression: 'none', targets: ['a', 'b'] },
    ] as const) {
      assert.throws(() => saveFiles(source, { ...plain, targets: ['x'], ...wrong }), UsageError);
    }
  });
  it('where the level needs to know what pages were used for, and nothing tells', (t) => {
    const source = openKernel(openBytes(t, smallDump()));
    assert.throws(() => saveFiles(source, { ...plain, levels: [16], targets: [join(folderOf(t), 'x')] }), FormatError);
  });
});

describe('the frames that a level keeps', () => {
  for (const [name, shape] of Object.entries(pageShapes)) {
    it(`of Linux ${name}`, () => {
      const map = new MemoryMap(shape)
        .page(20, 'slab')
        .page(21, 'table')
        .page(22, 'cache')
        .page(23, 'buffers')
        .page(24, 'anonymous')
        .page(25, 'offline')
        .page(26, 'anonymous')
        .freeBlock(32, 3)
        .compound(64, 4, 'anonymous')
        .compound(80, 2, 'slab')
        .compound(512, 9, 'hugetlb');
      map.addFlags(26, map.flag('hwpoison'));
      const { kernel } = map;
      // pages of all those frames, whatever they hold
      for (let frame = 20; frame < 1024; frame++) map.present(frame);
      const has = (level: number, ...frames: number[]) => {
        const { kept } = selectFrames(kernel, level);
        return frames.map((frame) => kept.has(frame));
      };
      const frames = [20, 21, 22, 23, 24, 35, 70, 82, 700, 500];
      const all = frames.map(() => true);
      assert.deepEqual(has(0, ...frames, 25, 26), [...all, false, false], 'what must not be read is never kept');
      for (const [level, gone] of [
        [1, []],
        [2, [22]],
        [4, [22, 23]],
        [8, [24, 70, 700]],
        [16, [35]],
        [31, [22, 23, 24, 35, 70, 700]],
      ] as const) {
        assert.deepEqual(
          has(level, ...frames),
          frames.map((frame) => !(gone as readonly number[]).includes(frame)),
          `level ${level}`,
        );
      }
      const { dropped } = selectFrames(kernel, 8);
      assert.equal(dropped.get('hugetlb'), 512);
      assert.deepEqual([dropped.get('anonymous'), dropped.get('poisoned')], [17, 1]);
    });
  }
  it('whose struct pages are not in the dump are kept', () => {
    const map = new MemoryMap(pageShapes['6.12']!).page(70, 'anonymous');
    for (let frame = 64; frame < 128; frame++) map.present(frame);
    map.kernel.space.exclude(vmemmap + 4096n);
    assert.ok(selectFrames(map.kernel, 31).kept.has(70));
  });
  it('take the parts of the memory map with them that tell of them alone, where that is wanted', () => {
    // 64 struct pages in each page of the map
    const map = new MemoryMap(pageShapes['6.12']!).freeBlock(576, 6).freeBlock(640, 5).page(532, 'kernel');
    const { kernel } = map;
    for (let frame = 512; frame < 704; frame++) map.present(frame);
    const holder = (n: number) =>
      Math.floor(kernel.space.translate(virtAddr(vmemmap + BigInt(n) * 4096n)) / kernel.dump.memory.pageSize);
    const { kept, dropped } = selectFrames(kernel, 16, true);
    assert.deepEqual(
      [8, 9, 10].map((n) => kept.has(holder(n))),
      [true, false, true],
      'of frames 640 to 703 half are kept',
    );
    assert.ok(dropped.get('memory map')! >= 1);
    assert.ok(selectFrames(kernel, 16).kept.has(holder(9)));
  });
});
