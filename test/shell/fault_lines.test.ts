// What could not be read, as lines: a person reads them beside the output.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Fault } from '../../src/kernel/faults.ts';
import { faultLines } from '../../src/shell/fault_lines.ts';

const fault = (what: string, message: string, reason: string | null = null): Fault => ({
  what,
  code: reason === null ? 'not-found' : 'memory-fault',
  reason,
  address: null,
  message,
});
const cut = (what: string, address: string): Fault => fault(what, `kernel address ${address}: lost`, 'truncated');

describe('lines of faults', () => {
  test('a few that are alike have a line each', () => {
    const faults = ['1', '2', '3'].map((pid) =>
      fault(`stack of pid ${pid}`, `kernel address ${pid}: excluded`, 'excluded'),
    );
    assert.deepEqual(
      faultLines(faults),
      faults.map(({ what, message }) => `${what}: ${message}`),
    );
  });
  test('many that differ in numbers alone are the first and a count', () => {
    const faults = Array.from({ length: 30 }, (_, i) =>
      fault(`stack of pid ${i}`, `kernel address ff${i}: excluded`, 'excluded'),
    );
    assert.deepEqual(faultLines([...faults, fault('log', 'not found: x')]), [
      'stack of pid 0: kernel address ff0: excluded',
      'and 29 more faults of this cause',
      'log: not found: x',
    ]);
  });
  test('what went with the end of the file is one cause', () => {
    const faults = [cut('kallsyms', 'a'), cut('panic_cpu', 'b'), cut('memory size', 'c'), cut('log', 'd')];
    assert.deepEqual(faultLines(faults), [
      'kallsyms: kernel address a: lost',
      'and 3 more faults of this cause (panic_cpu, memory size, log)',
    ]);
  });
  test('what misses lost symbols is one cause; without such a loss each is news', () => {
    const missing = ['a', 'b', 'c', 'd', 'e'].map((name) => fault(`reading ${name}`, `symbol not found: ${name}`));
    assert.deepEqual(faultLines([cut('kallsyms', '1'), ...missing]), [
      'kallsyms: kernel address 1: lost',
      'reading a: symbol not found: a',
      'and 4 more faults of this cause (reading b, reading c, reading d, reading e)',
    ]);
    assert.equal(faultLines(missing).length, 5);
  });
  test('an argument that stands for nothing keeps its line', () => {
    const argument = fault('argument', 'symbol not found: nosuch');
    const missing = ['a', 'b', 'c', 'd'].map((name) => fault(name, `symbol not found: ${name}`));
    assert.equal(faultLines([cut('BTF', '1'), argument, ...missing]).includes('symbol not found: nosuch'), true);
  });
});
