// A frame too many or too few in a set is a page that is lost, or one that must not be read.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { FrameSet } from '../../src/save/frame_set.ts';

const length = 203;
const at = fc.integer({ min: -10, max: length + 10 });
const changes = fc.array(fc.tuple(at, fc.nat(70), fc.boolean()), { maxLength: 30 });

it('a set of frames is what was put in, less what was taken out', () => {
  fc.assert(
    fc.property(changes, at, at, (done, from, to) => {
      const frames = new FrameSet(length);
      const expected = new Array<boolean>(length).fill(false);
      for (const [first, count, isIn] of done) {
        frames.set(first, count, isIn);
        for (let frame = Math.max(0, first); frame < Math.min(length, first + count); frame++) expected[frame] = isIn;
      }
      const found = new Array<boolean>(length).fill(false);
      let last = -1; // the end of the run before
      for (const { first, count } of frames.runs(from, to)) {
        assert.ok(first > last && count > 0, 'runs ascend and are apart');
        last = first + count;
        found.fill(true, first, last);
      }
      const inside = expected.map((isIn, frame) => isIn && frame >= from && frame < to);
      assert.deepEqual(found, inside);
      assert.equal(frames.count(from, to), inside.filter(Boolean).length);
      assert.deepEqual(
        expected.map((_, frame) => frames.has(frame)),
        expected,
      );
    }),
  );
});
