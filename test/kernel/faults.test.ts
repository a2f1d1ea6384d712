import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryFault, NotFoundError } from '../../src/base/errors.ts';
import { FaultLog } from '../../src/kernel/faults.ts';

const excluded = (): never => {
  throw new MemoryFault('kernel', 0xff00n, 'excluded');
};

test('a fault costs a part, and says address and reason', () => {
  const log = new FaultLog();
  const { value, faults } = log.collect(() => log.attempt('task list', excluded, 'rest'));
  assert.equal(value, 'rest');
  assert.equal(faults.length, 1);
  assert.deepEqual(
    { what: faults[0]!.what, reason: faults[0]!.reason, address: faults[0]!.address },
    { what: 'task list', reason: 'excluded', address: '0xff00' },
  );
});

test('a bug does not hide as a fault', () => {
  const log = new FaultLog();
  assert.throws(
    () =>
      log.collect(() =>
        log.attempt(
          'x',
          () => {
            throw new TypeError('bug');
          },
          null,
        ),
      ),
    TypeError,
  );
});

test('what is read once tells its faults to everyone who uses it', () => {
  const log = new FaultLog();
  let runs = 0;
  const tasks = log.memo(() => {
    runs++;
    return log.attempt('task list', excluded, []);
  });
  for (let i = 0; i < 2; i++) {
    const { faults } = log.collect(() => tasks());
    assert.equal(faults.length, 1);
  }
  assert.equal(runs, 1);
});

test('a value that asks for itself while it is made is an error, not a hang', () => {
  const log = new FaultLog();
  const loop: () => number = log.memo(() => loop() + 1);
  assert.throws(() => loop(), Error);
});

test('the same fault again is told once, and a flood is cut', () => {
  const log = new FaultLog();
  const { faults } = log.collect(() => {
    for (let i = 0; i < 1000; i++) log.record('x', new NotFoundError('symbol', 'same'));
    for (let i = 0; i < 1000; i++) log.record('x', new NotFoundError('symbol', `s${i}`));
  });
  assert.ok(faults.length <= 200);
  assert.equal(faults.filter((f) => f.message.endsWith('same')).length, 1);
});
