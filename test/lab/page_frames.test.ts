// The fact about page frames must see a wrong kind as wrong, and forgive only what can change hands.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { pageFrames } from '../../lab/facts/page_frames.ts';
import { compared, counts, pictureOf } from './world.ts';

const run = (first: number, count: number, kind: string, more = {}) => ({
  first,
  count,
  kind,
  order: 0,
  compound: false,
  private: false,
  poisoned: false,
  ...more,
});
const answer = (...runs: ReturnType<typeof run>[]) => `${JSON.stringify({ command: 'frames', data: { runs } })}\n`;
const bit = (...numbers: number[]) => numbers.reduce((sum, n) => sum | (1n << BigInt(n)), 0n).toString(16);
/** reserved, free, slab of two pages, cache with buffers, a hole, a broken page of a process. */
const kpageflags = [
  `0 10 ${bit(32)}`,
  `10 10 ${bit(10)}`,
  `20 1 ${bit(7, 15)}`,
  `21 1 ${bit(7, 16)}`,
  `22 4 ${bit(5, 35)}`,
  `26 a ${bit(20)}`,
  `30 1 ${bit(5, 12, 19)}`,
  '',
].join('\n');
const right = [
  run(0, 16, 'reserved'),
  run(16, 16, 'free', { order: 4 }),
  run(32, 2, 'slab', { order: 1, compound: true }),
  run(34, 4, 'cache', { private: true }),
  run(38, 10, 'none'),
  run(48, 1, 'anonymous', { poisoned: true }),
];

describe('what page frames are used for', () => {
  const said = (test: TestContext, ...runs: typeof right) =>
    compared(pageFrames, pictureOf(test, { kpageflags }), [answer(...runs)]);

  it('counts frames that are what the guest said, however the runs are cut', (test) => {
    assert.deepEqual(counts(said(test, ...right)), [49, 0, 0]);
    const [first, ...rest] = right;
    assert.deepEqual(counts(said(test, run(0, 5, 'reserved'), run(5, 11, 'reserved'), ...rest)), [49, 0, 0]);
    assert.equal(first?.count, 16);
  });
  it('explains what came and went, and a hole that is reserved', (test) => {
    const changed = right.map((one) => (one.kind === 'free' ? run(16, 16, 'slab') : one));
    assert.deepEqual(counts(said(test, ...changed)), [33, 16, 0]);
    const holes = right.map((one) => (one.kind === 'none' ? run(38, 10, 'reserved') : one));
    assert.deepEqual(counts(said(test, ...holes)), [39, 10, 0]);
  });
  it('calls wrong what cannot have changed', (test) => {
    for (const [kind, wrong] of [
      ['reserved', run(0, 16, 'free')],
      ['free', run(16, 16, 'offline')],
      ['anonymous', run(48, 1, 'anonymous')],
      ['none', run(38, 10, 'kernel')],
    ] as const) {
      const tally = said(test, ...right.map((one) => (one.kind === kind ? wrong : one)));
      assert.deepEqual(counts(tally), [49 - wrong.count, 0, 1], kind);
    }
    assert.deepEqual(counts(said(test, ...right.slice(1))), [33, 0, 1], 'frames that are not in the answer');
  });
  it('takes silence for a hole where the kernel marks none', (test) => {
    const silent = pictureOf(test, { kpageflags: `0 10 ${bit(32)}\n10 10 0\n` });
    for (const [kind, expected] of [
      ['none', [32, 0, 0]],
      ['offline', [32, 0, 0]],
      ['reserved', [16, 16, 0]],
      ['hugetlb', [16, 0, 1]],
    ] as const) {
      const tally = compared(pageFrames, silent, [answer(run(0, 16, 'reserved'), run(16, 16, kind))]);
      assert.deepEqual(counts(tally), expected, kind);
    }
  });
  it('does not forgive more than idles away', (test) => {
    const flags = { kpageflags: `0 10000 ${bit(10)}\n` };
    const tally = compared(pageFrames, pictureOf(test, flags), [answer(run(0, 0x1_0000, 'kernel'))]);
    assert.equal(tally.wrong, 1);
  });
});
