// Of the running machine's memory no page may be read that is broken or gone: to read it kills the machine.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pfn } from '../../src/base/address.ts';
import { MemoryFault } from '../../src/base/errors.ts';
import { readElfCoreHeader } from '../../src/dump/elf_header.ts';
import { ElfStore } from '../../src/dump/elf_store.ts';
import { GuardedStore } from '../../src/dump/live_memory.ts';
import { openDump, openSource } from '../../src/dump/open.ts';
import { PagedMemory } from '../../src/dump/paged_memory.ts';
import { writeElfCore } from '../support/dump_writers/elf_core.ts';
import { vmcoreinfoNote } from '../support/dump_writers/notes.ts';
import { openBytes, page, tempFiles } from '../support/dump_writers/temp_files.ts';

const taskStruct = { name: 'CORE', type: 4, desc: new Uint8Array(64) };
const bytes = (): Uint8Array =>
  writeElfCore({
    segments: [
      { address: 2n ** 64n - 1n, bytes: page(99) }, // vmalloc
      { address: 0x1000, bytes: Uint8Array.of(...page(1), ...page(2), ...page(3), ...page(4), ...page(5)) },
    ],
    notes: [vmcoreinfoNote('PAGESIZE=4096\n'), taskStruct],
  });

describe('the running machine', () => {
  it('has segments without a physical address, which are no fault of the file', (t) => {
    const { info, memory } = openBytes(t, bytes());
    assert.deepEqual(info.warnings, []);
    assert.equal(info.complete, true);
    assert.deepEqual(memory.ramRanges(), [{ start: 0x1000, end: 0x6000 }]);
  });

  it('has five-level offsets beyond 2^53 that are exact all the same', (t) => {
    const odd = bytes();
    const view = new DataView(odd.buffer, odd.byteOffset);
    // the second PT_LOAD, behind the note and the first
    for (const [offset, isTaken] of [
      [0x2e_0000_0000_1000n, true],
      [0x2e_0000_0000_1008n, false],
      [0xfff0_0000_0000_0000n, false],
    ] as const) {
      view.setBigUint64(64 + 2 * 56 + 8, offset, true);
      const source = openSource(tempFiles(t, odd)[0]!);
      const { segments, warnings } = readElfCoreHeader(source);
      source.close();
      assert.equal(segments.count, isTaken ? 1 : 0);
      assert.equal(warnings.length, isTaken ? 0 : 1);
      if (isTaken) assert.equal(BigInt(segments.fileOffset[0]!), offset);
    }
  });

  it('is not a copy of it', (t) => {
    assert.equal(openBytes(t, bytes()).live, null);
  });

  it('gives each page its own content, though the guard reads others while it is loaded', (t) => {
    const [path] = tempFiles(t, bytes());
    const source = openSource(path!);
    t.after(() => source.close());
    const store = new GuardedStore(new ElfStore(source, readElfCoreHeader(source).segments, 4096));
    // room for two pages: all are of one set
    const memory = new PagedMemory(store, 2 * 4096);
    const first = (at: number): number => memory.page(pfn(at))[0]!;
    let isGuarding = false;
    store.setGuard((at) => {
      if (isGuarding) return false;
      isGuarding = true;
      const other = at === 5 ? 1 : at + 1;
      assert.equal(first(other), other);
      isGuarding = false;
      return false;
    });
    for (const at of [1, 2, 1, 3, 2, 4, 5, 4, 1, 1, 3]) assert.equal(first(at), at);
  });

  it('keeps guarded pages from being read, one by one, in runs and in scans', (t) => {
    const [path] = tempFiles(t, bytes());
    const source = openSource(path!);
    t.after(() => source.close());
    const read: number[] = [];
    const elf = new ElfStore(source, readElfCoreHeader(source).segments, 4096);
    const watched = {
      pageSize: 4096,
      maxPfn: elf.maxPfn,
      state: (frame: Parameters<typeof elf.state>[0]) => elf.state(frame),
      load: (frame: Parameters<typeof elf.load>[0], into: Uint8Array) => {
        read.push(frame);
        return elf.load(frame, into);
      },
      loadRun: (frame: Parameters<typeof elf.loadRun>[0], into: Uint8Array) => {
        for (let i = 0; i < into.length / 4096; i++) read.push(frame + i);
        return elf.loadRun(frame, into);
      },
      presentRuns: (from: Parameters<typeof elf.state>[0], to: Parameters<typeof elf.state>[0]) =>
        elf.presentRuns(from, to),
      ramRanges: () => elf.ramRanges(),
    };
    const store = new GuardedStore(watched);
    const memory = new PagedMemory(store);
    store.setGuard((frame) => frame === 3);
    assert.equal(memory.pageState(pfn(3)), 'excluded');
    assert.equal(memory.pageState(pfn(4)), 'present');
    assert.throws(() => memory.page(pfn(3)), MemoryFault);
    assert.deepEqual(memory.page(pfn(2)), page(2));
    assert.throws(() => memory.read(0x1000 as never, new Uint8Array(5 * 4096)), MemoryFault);
    assert.deepEqual(
      [...memory.presentRuns(pfn(0), pfn(9))],
      [
        { first: 1, count: 2 },
        { first: 4, count: 2 },
      ],
    );
    const seen: number[] = [];
    memory.scan(
      pfn(0),
      pfn(9),
      (first, pages) => {
        for (let i = 0; i < pages.length / 4096; i++) seen.push(first + i);
        return true;
      },
      () => assert.fail('a page failed'),
    );
    assert.deepEqual(seen, [1, 2, 4, 5]);
    const into = new Uint8Array(5 * 4096);
    assert.equal(store.loadRun(pfn(1), into), 2);
    assert.equal(store.loadRun(pfn(3), into), 0);
    assert.ok(!read.includes(3), `read ${read}`);
  });

  it('is opened where this machine shows it', {
    skip: !canReadOwnMemory() && 'there is no /proc/kcore to be read',
  }, (t) => {
    const dump = openDump(['/proc/kcore']);
    t.after(() => dump.close());
    assert.notEqual(dump.live, null);
    assert.deepEqual(dump.notes.cpus, []);
  });
});

function canReadOwnMemory(): boolean {
  try {
    openSource('/proc/kcore').close();
    return true;
  } catch {
    return false;
  }
}
