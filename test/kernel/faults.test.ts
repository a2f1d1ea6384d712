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

const records = (log: FaultLog, count: number): void => {
  for (let i = 0; i < count; i++) log.record('x', new NotFoundError('symbol', `s${i}`));
};

test('what a nested collection has reaches the one around it', () => {
  const log = new FaultLog();
  const { value: inner, faults } = log.collect(() => log.collect(() => log.attempt('task list', excluded, null)));
  assert.deepEqual(faults, inner.faults);
  assert.equal(faults.length, 1);
  assert.deepEqual(log.uncollected.faults, []);
});

test('what nobody collects is kept for whoever asks later, and is bounded', () => {
  const log = new FaultLog();
  const tasks = log.memo(() => log.attempt('task list', excluded, []));
  tasks();
  tasks();
  assert.deepEqual(
    log.uncollected.faults.map(({ what }) => what),
    ['task list'],
  );
  records(log, 1000);
  assert.ok(log.uncollected.faults.length <= 200);
  assert.equal(log.uncollected.faults.length + log.uncollected.dropped, 1001);
});

test('steps of a generator: each step has its faults, and those between steps are not its own', () => {
  const log = new FaultLog();
  function* tasks() {
    yield log.attempt('first', excluded, 1);
    yield 2;
    yield log.attempt('third', excluded, 3);
  }
  const items = tasks();
  const collector = log.collector();
  const { faults: around } = log.collect(() => {
    while (collector.during(() => items.next()).done !== true) log.attempt('between', excluded, null);
  });
  assert.deepEqual(
    collector.faults.map(({ what }) => what),
    ['first', 'third'],
  );
  assert.deepEqual(
    around.map(({ what }) => what),
    ['first', 'between', 'third'],
  );
});

test('how many were dropped is told, also by a value that was computed before, and once', () => {
  const log = new FaultLog();
  const many = log.memo(() => records(log, 1000));
  const first = log.collect(() => [many(), many()]);
  const again = log.collect(() => [many(), many()]);
  assert.deepEqual([first.faults.length, first.dropped], [200, 800]);
  assert.deepEqual([again.faults.length, again.dropped], [200, 800]);
});
