// A fault that a session has told once is not told whole again by every command: but it is never kept back.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Fault } from '../../src/kernel/faults.ts';
import { ToldFaults } from '../../src/shell/told_faults.ts';

const fault = (what: string, message: string): Fault => ({
  what,
  code: 'memory-fault',
  reason: 'excluded',
  address: null,
  message,
});
const list = fault('task list', 'kernel address 41: not mapped');
const threads = fault('threads of a process', 'kernel address 91: not mapped');

describe('faults of a session', () => {
  test('are told whole by the first command, counted by the next, and whole again by the first once more', () => {
    const told = new ToldFaults();
    const whole = ['task list: kernel address 41: not mapped', 'threads of a process: kernel address 91: not mapped'];
    assert.deepEqual(told.lines([list, threads], 'ps'), whole);
    assert.deepEqual(told.lines([list, threads], 'ps -k'), ['2 faults as before: see "ps"']);
    assert.deepEqual(told.lines([threads], 'bt'), ['1 fault as before: see "ps"']);
    assert.deepEqual(told.lines([list, threads], 'ps'), whole);
    assert.deepEqual(told.lines([], 'sys'), []);
  });
  test('that are new are told beside those that are not', () => {
    const told = new ToldFaults();
    told.lines([list], 'ps');
    const stack = fault('stack', 'kernel address 77: excluded');
    assert.deepEqual(told.lines([list, stack], 'bt -a'), [
      'stack: kernel address 77: excluded',
      '1 fault as before: see "ps"',
    ]);
    assert.deepEqual(told.lines([list, stack], 'bt 1'), ['2 faults as before: see "ps", "bt -a"']);
  });
  test('of many of one cause only the first was told: the others are known with it', () => {
    const told = new ToldFaults();
    const many = Array.from({ length: 30 }, (_, i) => fault(`stack of pid ${i}`, `kernel address ff${i}: excluded`));
    assert.equal(told.lines(many, 'foreach bt').length, 2);
    assert.deepEqual(told.lines(many.slice(7, 9), 'bt'), ['2 faults as before: see "foreach bt"']);
  });
  test('many commands, and long ones, are named in few words', () => {
    const told = new ToldFaults();
    const faults = ['a', 'b', 'c', 'd'].map((name) => fault(name, 'lost'));
    for (const [i, one] of faults.entries()) told.lines([one], `${i} ${'x'.repeat(100)}`);
    const [line = ''] = told.lines(faults, 'ps');
    assert.match(line, /^4 faults as before: see "0 x{38}\.\.\.", "1 x{38}\.\.\.", "2 x{38}\.\.\.", \.\.\.$/);
  });
  test('what was asked for and is not there is said each time', () => {
    const told = new ToldFaults();
    const argument = fault('argument', 'symbol not found: nosuch');
    assert.deepEqual(told.lines([argument], 'rd nosuch 1'), ['symbol not found: nosuch']);
    assert.deepEqual(told.lines([argument], 'rd nosuch 2'), ['symbol not found: nosuch']);
  });
});
