import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sourceName } from '../../src/debuginfo/source_name.ts';

const names: readonly (readonly [symbol: string, name: string])[] = [
  ['vfs_write', 'vfs_write'],
  ['vfs_write.cold', 'vfs_write.cold'],
  ['_RNvCs1234_7mycrate3foo', 'mycrate::foo'],
  ['_ZN6kernel5print4call17h0123456789abcdefE', 'kernel::print::call'],
  ['_ZN6widget5Queue4pushEi', 'widget::Queue::push'],
  ['_ZN6widget5Queue4pushEi.cold', 'widget::Queue::push'],
  ['_ZNK6widget5Queue4sizeEv', 'widget::Queue::size'],
  ['_ZN6widget5QueueC2Ev', 'widget::Queue::Queue'],
  ['_ZN6widget5QueueD1Ev', 'widget::Queue::~Queue'],
  ['_ZN12_GLOBAL__N_14frobEv', '(anonymous)::frob'],
  ['_Z4frobi', 'frob'],
  ['_ZL4frobv', 'frob'],
  // templates and operators stay as they are, and so does what only looks like a name
  ['_ZN6widget5QueueIiE4pushEi', '_ZN6widget5QueueIiE4pushEi'],
  ['_ZN6widget5QueueplERKS0_', '_ZN6widget5QueueplERKS0_'],
  ['_ZN99frobE', '_ZN99frobE'],
  ['_ZN', '_ZN'],
  ['_Z', '_Z'],
];

for (const [symbol, name] of names) test(symbol, () => assert.equal(sourceName(symbol), name));

test('any text gives a name, and never an empty one', () => {
  fc.assert(
    fc.property(fc.constantFrom('_ZN', '_Z', '_R', ''), fc.string({ minLength: 1 }), (start, rest) => {
      assert.notEqual(sourceName(start + rest), '');
    }),
  );
});
