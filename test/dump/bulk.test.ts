// Reading in bulk gives what reading page by page gives: for every container, whatever is missing or broken.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Pfn, pfn, physAddr } from '../../src/base/address.ts';
import { MemoryFault } from '../../src/base/errors.ts';
import type { PhysicalMemory } from '../../src/dump/dump.ts';
import { reopenDump } from '../../src/dump/open.ts';
import { writeElfCore } from '../support/dump_writers/elf_core.ts';
import { flatten } from '../support/dump_writers/flattened.ts';
import { type Compression, type PageDescriptor, writeKdump } from '../support/dump_writers/kdump.ts';
import { openBytes, page } from '../support/dump_writers/temp_files.ts';

/** What bulk reading hands out, page by page, and which pages it could not read. */
function scanned(memory: PhysicalMemory, from = 0, to = memory.maxPfn + 5) {
  const pages = new Map<number, Uint8Array>();
  const failed = new Map<number, string>();
  let last = -1;
  memory.scan(
    pfn(from),
    pfn(to),
    (first, bytes) => {
      assert.ok(first > last && bytes.length > 0 && bytes.length % memory.pageSize === 0);
      for (let at = 0; at < bytes.length; at += memory.pageSize) {
        last = first + at / memory.pageSize;
        pages.set(last, bytes.slice(at, at + memory.pageSize));
      }
      return true;
    },
    (frame, fault) => {
      assert.equal(fault.address, BigInt(frame) * BigInt(memory.pageSize));
      failed.set(frame, fault.reason);
    },
  );
  return { pages, failed };
}

/** The same, a page at a time. */
function singly(memory: PhysicalMemory, from = 0, to = memory.maxPfn + 5) {
  const pages = new Map<number, Uint8Array>();
  const failed = new Map<number, string>();
  for (let frame = from; frame < to; frame++) {
    if (memory.pageState(pfn(frame)) !== 'present') continue;
    try {
      pages.set(frame, memory.page(pfn(frame)).slice());
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
      failed.set(frame, error.reason);
    }
  }
  return { pages, failed };
}

function presentFrames(memory: PhysicalMemory, from = 0, to = memory.maxPfn + 5): number[] {
  const frames: number[] = [];
  let end = -1;
  for (const { first, count } of memory.presentRuns(pfn(from), pfn(to))) {
    assert.ok(count > 0 && first > end, 'runs are ascending and apart');
    for (let i = 0; i < count; i++) frames.push(first + i);
    end = first + count - 1;
  }
  return frames;
}

function agree(memory: PhysicalMemory, from?: number, to?: number): void {
  const bulk = scanned(memory, from, to);
  const each = singly(memory, from, to);
  assert.deepEqual(bulk, each);
  assert.deepEqual(
    presentFrames(memory, from, to),
    [...each.pages.keys(), ...each.failed.keys()].sort((a, b) => a - b),
  );
}

/** Pages with a run of hundreds among them, so that windows fill. */
const frames = fc
  .tuple(fc.uniqueArray(fc.nat(60), { maxLength: 30 }), fc.nat(200))
  .map(
    ([some, many]) => new Map([...some, ...Array.from({ length: many }, (_, i) => 100 + i)].map((n) => [n, page(n)])),
  );
const compression = fc.constantFrom<Compression>('none', 'zlib', 'lzo', 'snappy', 'zstd');
const runs = { numRuns: 25 };
const neverWritten = (descriptor: PageDescriptor): void => {
  descriptor.offset = 0;
};

describe('scan and presentRuns', () => {
  it('give every page of a kdump that page() gives, cut, broken, flattened or whole', (t) => {
    const lie = fc.constantFrom<((descriptor: PageDescriptor) => void) | null>(
      null,
      (d) => {
        d.offset = 464;
      },
      (d) => {
        d.size = 9999;
      },
      neverWritten,
    );
    fc.assert(
      fc.property(
        frames,
        compression,
        lie,
        fc.double({ min: 0.5, max: 1.5, noNaN: true }),
        (pages, codec, lying, part) => {
          const descriptor = (frame: number, d: PageDescriptor) => (frame % 7 === 3 ? lying?.(d) : undefined);
          const status = lying === neverWritten ? 8 : 0; // such a dump says that it is incomplete
          const whole = writeKdump({ pages, ram: [[0, 320]], compression: codec, status, lies: { descriptor } });
          const bytes = whole.subarray(0, Math.max(3 * 4096, Math.floor(whole.length * part)));
          agree(openBytes(t, bytes).memory);
          if (part > 1) agree(openBytes(t, flatten(bytes)).memory);
        },
      ),
      runs,
    );
  });

  it('give every page of an ELF core: segments that overlap, touch, end within pages, or are cut off', (t) => {
    const segment = fc.record({
      address: fc.nat(40 * 4096),
      length: fc.oneof(
        fc.nat(9000),
        fc.nat(20).map((n) => n * 4096),
      ),
      tail: fc.nat(3 * 4096),
    });
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 6 }), fc.nat(3000), (list, cut) => {
        const segments = list.map(({ address, length, tail }, i) => ({
          address: i % 2 === 0 ? address - (address % 4096) : address,
          bytes: Uint8Array.from({ length }, (_, at) => at * 7 + i),
          memorySize: length + tail,
        }));
        const bytes = writeElfCore({ segments, notes: [] });
        agree(openBytes(t, bytes).memory);
        agree(openBytes(t, bytes.subarray(0, Math.max(800, bytes.length - cut))).memory);
      }),
      runs,
    );
  });

  it('give a part of the memory when asked for one', (t) => {
    const pages = new Map(Array.from({ length: 300 }, (_, i) => [i < 20 ? i * 2 : i, page(i)]));
    for (const bytes of [
      writeKdump({ pages, compression: 'zlib' }),
      writeElfCore({ segments: [...pages].map(([n, bytes]) => ({ address: n * 4096, bytes })), notes: [] }),
    ]) {
      const { memory } = openBytes(t, bytes);
      for (const [from, to] of [
        [0, 1],
        [1, 38],
        [21, 299],
        [299, 300],
        [300, 400],
        [50, 50],
        [60, 10],
      ] as const) {
        agree(memory, from, to);
      }
    }
  });

  it("give the kernel's pages where the blocks are larger", (t) => {
    const block = (seed: number) => Uint8Array.from({ length: 65536 }, (_, i) => (i >> 12) * 16 + seed);
    const descriptor = (block: number, d: PageDescriptor) => {
      if (block === 3) d.size = 9_999_999;
    };
    const { memory } = openBytes(
      t,
      writeKdump({
        pages: new Map([2, 3, 4, 9].map((n) => [n, block(n)])),
        blockSize: 65536,
        compression: 'zlib',
        vmcoreinfo: 'PAGESIZE=4096\n',
        lies: { descriptor },
      }),
    );
    assert.equal(memory.pageSize, 4096);
    agree(memory);
    agree(memory, 35, 150);
  });

  it('stop when the visitor has seen enough', (t) => {
    const pages = new Map(Array.from({ length: 300 }, (_, i) => [i * 2, page(i)]));
    const { memory } = openBytes(t, writeKdump({ pages, compression: 'none' }));
    const seen: Pfn[] = [];
    memory.scan(
      pfn(0),
      pfn(1000),
      (first) => seen.push(first) < 3,
      () => assert.fail(),
    );
    assert.deepEqual(seen, [0, 2, 4]);
  });
});

describe('a long read', () => {
  it('gives what short ones give, with zeroes for zero pages, up to the first page that is not there', (t) => {
    const pages = new Map(Array.from({ length: 200 }, (_, i) => [i, page(i)]));
    pages.delete(77);
    pages.delete(150);
    for (const codec of ['none', 'zlib'] as const) {
      const { memory } = openBytes(t, writeKdump({ pages, ram: [[0, 200]], compression: codec }));
      memory.setExcludedPageJudge((frame) => frame === 77);
      const into = new Uint8Array(160 * 4096).fill(0xee);
      assert.throws(
        () => memory.read(physAddr(10 * 4096 + 5), into),
        (error) => error instanceof MemoryFault && error.address === 150n * 4096n,
      );
      for (let at = 0; at < 140 * 4096 - 5; at += 1000) {
        const address = 10 * 4096 + 5 + at;
        const expected = pages.get(Math.floor(address / 4096))?.[address % 4096] ?? 0;
        assert.equal(into[at], expected, `${codec}, ${at}`);
      }
      assert.equal(into[140 * 4096 - 5], 0xee);
    }
  });
});

describe('a dump', () => {
  it('is opened again from its description, wherever that is taken', (t) => {
    const first = openBytes(t, writeKdump({ pages: new Map([[3, page(3)]]) }));
    const again = reopenDump(structuredClone(first.description));
    t.after(() => again.close());
    assert.deepEqual(again.memory.page(pfn(3)), page(3));
    assert.ok(first.description.files.every((file) => file.startsWith('/')));
  });
});
