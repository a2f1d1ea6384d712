import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AddressSet } from '../../src/base/address_set.ts';
import { BudgetError, type Limits, limitsFor } from '../../src/base/budget.ts';
import { WorkSlot } from '../../src/base/work.ts';
import { FaultLog } from '../../src/kernel/faults.ts';

const small: Limits = { bytes: 100, reads: 100, nodes: 100, text: 100, kept: 100 };

function limited(): WorkSlot {
  const slot = new WorkSlot();
  slot.limit(small);
  return slot;
}

const isSpent = (charge: string) => (error: unknown) => error instanceof BudgetError && error.charge === charge;

describe('a piece of work', () => {
  test('ends once it has taken all it may, and what was done until then stands', () => {
    const slot = limited();
    let done = 0;
    assert.throws(
      () =>
        slot.within(slot.part('walk'), () => {
          for (;;) {
            slot.charge('nodes', 1);
            done++;
          }
        }),
      isSpent('nodes'),
    );
    assert.equal(done, 100);
  });

  test('is not limited where nobody set limits', () => {
    const slot = new WorkSlot();
    slot.within(slot.part('walk'), () => slot.charge('nodes', 1e9));
  });

  test('has half of what the work around it has, and counts for that', () => {
    const slot = limited();
    const whole = slot.part('report');
    const part = (): void => slot.within(slot.part('part'), () => slot.charge('nodes', 45));
    slot.within(whole, () => {
      assert.throws(() => slot.within(slot.part('greedy'), () => slot.charge('nodes', 51)), isSpent('nodes'));
      part();
      part();
      assert.throws(part, (error) => error instanceof BudgetError && error.what === 'report');
    });
    slot.within(slot.part('the next'), part);
  });

  test('that takes refusals for faults and goes on is ended all the same', () => {
    const slot = limited();
    const faults = new FaultLog();
    let tries = 0;
    assert.throws(
      () =>
        slot.within(slot.part('stubborn'), () => {
          for (;;) {
            tries++;
            faults.attempt('item', () => slot.charge('reads', 1), undefined);
          }
        }),
      isSpent('reads'),
    );
    assert.ok(tries < 20_000, `${tries} tries`);
    assert.equal(faults.uncollected.faults[0]?.code, 'budget');
  });

  test('what is kept counts for the session, until it is forgotten', () => {
    const slot = limited();
    slot.charge('kept', 60);
    assert.throws(() => slot.charge('kept', 60), isSpent('kept'));
    slot.charge('kept', 40);
    slot.forget();
    slot.charge('kept', 60);
  });
});

test('limits grow with the dump, from floors on, and with what the user asks for', () => {
  const [tiny, large] = [limitsFor(1), limitsFor(100 * 2 ** 30)];
  assert.ok(tiny.nodes > 100_000);
  for (const what of ['bytes', 'reads', 'nodes', 'text', 'kept'] as const) {
    assert.ok(large[what] > tiny[what]);
    assert.equal(limitsFor(1, 3)[what], 3 * tiny[what]);
  }
});

test('dumps that are larger than what is promised of may cause more for each byte, but keep no more', () => {
  const [most, larger] = [limitsFor(100 * 2 ** 20), limitsFor(200 * 2 ** 20)];
  for (const what of ['bytes', 'reads', 'nodes', 'text'] as const) assert.ok(larger[what] >= 4 * most[what], what);
  assert.ok(larger.kept <= 2 * most.kept * 1.25);
});

test('a set of addresses holds what was added, and nothing else', () => {
  const set = new AddressSet();
  const base = 0xffff_8880_0000_0000n;
  for (let i = 0n; i < 5000n; i++) assert.equal(set.add(base + i * 64n), true);
  for (let i = 0n; i < 5000n; i++) assert.equal(set.add(base + i * 64n), false);
  assert.equal(set.has(base + 32n), false);
  assert.equal(set.has(0n), false);
  assert.equal(set.add(0n), true);
  assert.equal(set.add(0n), false);
  assert.equal(set.has(0n), true);
  assert.equal(set.has(base), true);
  assert.equal(set.size, 5001);
});
