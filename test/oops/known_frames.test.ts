// What was found out about a trace is told of that trace again, and never of another one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeFrame } from '../../src/oops/frames.ts';
import { KnownFrames } from '../../src/oops/known_frames.ts';

const frame = { symbol: 'frob', offset: 16, size: 32, module: 'widget', reliable: true };

test('frames that tell the same are known, wherever they were loaded', () => {
  const known = new KnownFrames<string>(2);
  assert.equal(
    known.of('WARN', [makeFrame({ ...frame, address: '0xffffffff81000010' })], () => 'first'),
    'first',
  );
  assert.equal(
    known.of('WARN', [makeFrame({ ...frame, address: '0xffffffff91000010' })], () => 'second'),
    'first',
  );
});

for (const [what, other] of Object.entries({
  function: { symbol: 'frob_all' },
  offset: { offset: 17 },
  module: { module: null },
  guess: { reliable: false },
  inlined: { inline: true },
  source: { source: 'frob.c:1' },
  interrupted: { interrupted: true },
}))
  test(`another ${what} is another trace`, () => {
    const known = new KnownFrames<string>(1);
    known.of('WARN', [makeFrame(frame)], () => 'first');
    assert.equal(
      known.of('WARN', [makeFrame({ ...frame, ...other })], () => 'second'),
      'second',
    );
  });

test('another kind, and frames of another list, are another trace', () => {
  const known = new KnownFrames<string>(1);
  const one = makeFrame(frame);
  known.of('WARN', [one, null], () => 'first');
  assert.equal(
    known.of('BUG', [one, null], () => 'second'),
    'second',
  );
  assert.equal(
    known.of('BUG', [null, one], () => 'third'),
    'third',
  );
});
