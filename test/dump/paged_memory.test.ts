// The page cache: a page that was driven out of its set is inflated once for all that.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Pfn, pfn } from '../../src/base/address.ts';
import { MemoryFault } from '../../src/base/errors.ts';
import { PagedMemory, pageFault } from '../../src/dump/paged_memory.ts';

const pageSize = 4096;
const frames = 64;

/** Pages that hold their number, of which every seventh cannot be decoded. */
function machine(cachedPages: number, victims: number) {
  let loads = 0;
  const memory = new PagedMemory(
    {
      pageSize,
      maxPfn: frames,
      state: () => 'present',
      load(frame: Pfn, into: Uint8Array) {
        into.fill(0xee);
        if (frame % 7 === 6) throw pageFault(frame, pageSize, 'corrupt', 'as told');
        loads++;
        into.fill(frame);
        return 'present';
      },
      loadRun: () => 0,
      presentRuns: () => [],
      ramRanges: () => [],
    },
    cachedPages * pageSize,
    victims * pageSize,
  );
  const visit = (): void => {
    for (let i = 0; i < frames; i++) {
      if (i % 7 === 6) assert.throws(() => memory.page(pfn(i)), MemoryFault);
      else assert.ok(memory.page(pfn(i)).every((byte) => byte === i));
    }
  };
  return {
    memory,
    /** How many pages were decoded for going through all of them once. */
    round(): number {
      const before = loads;
      visit();
      return loads - before;
    },
  };
}

describe('pages that were driven out', () => {
  const good = frames - 9;
  test('are there, where all fit', () => {
    const { round } = machine(8, frames);
    assert.deepEqual([round(), round(), round()], [good, 0, 0]);
  });
  test('are decoded anew, where none are kept, or not all fit', () => {
    assert.deepEqual(machine(8, 0).round(), good);
    const none = machine(8, 0);
    const some = machine(8, 16);
    for (let i = 0; i < 5; i++) {
      assert.ok(none.round() > 0);
      assert.ok(some.round() > 0);
    }
  });
  test('are forgotten with the others', () => {
    const { memory, round } = machine(8, frames);
    round();
    memory.forget();
    assert.equal(round(), good);
  });
});
