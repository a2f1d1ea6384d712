// What waits for a grace period: counted as the kernel counts it, told by function, whatever a list leads to.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rcuBacklog } from '../../src/kernel/rcu_segcblist.ts';
import { machine } from '../support/task_writer.ts';

function waiting(len: 'atomic' | 'plain', lists: readonly (readonly bigint[])[], counted: readonly number[]) {
  const kernel = machine({
    cpus: lists.length,
    more: {
      types: `struct callback_head { struct callback_head *next; void (*func)(struct callback_head *); };
        struct rcu_segcblist { struct callback_head *head; ${len === 'atomic' ? 'struct { long counter; } len;' : 'long len;'} };
        struct rcu_data { int cpu; struct rcu_segcblist cblist; };`,
    },
  });
  kernel.define('rcu_data', 0xffff_8881_0000_8000n, 64, kernel.type('struct rcu_data'));
  const heads = lists.map((functions, cpu) => {
    kernel.space.map(kernel.perCpuAddress('rcu_data', cpu), 64);
    const data = kernel.perCpu('rcu_data', cpu);
    const made = functions.map((function_) => {
      const head = kernel.allocate('struct callback_head');
      kernel.space.words(head.address + 8n, function_);
      return head.address;
    });
    for (const [i, address] of made.entries()) kernel.space.words(address, made[i + 1] ?? 0n);
    kernel.set(data, 'cblist.head', made[0] ?? 0n);
    kernel.set(data, len === 'atomic' ? 'cblist.len.counter' : 'cblist.len', counted[cpu]!);
    return made;
  });
  return { kernel, heads };
}

const [free, put] = [0xffff_ffff_8100_0100n, 0xffff_ffff_8100_0200n];

describe('callbacks that wait for RCU', () => {
  for (const len of ['atomic', 'plain'] as const) {
    test(`of all CPUs, by function (${len} length)`, () => {
      const { kernel, heads } = waiting(len, [[put, free, free], [free]], [3, 1]);
      const { length, seen, functions } = rcuBacklog(kernel)!;
      assert.deepEqual([length, seen], [4, 4]);
      assert.deepEqual(functions, [
        { function: free, count: 3, example: heads[0]![1] },
        { function: put, count: 1, example: heads[0]![0] },
      ]);
    });
  }

  test('a list that comes back to itself, and one that leads nowhere', () => {
    const { kernel, heads } = waiting(
      'plain',
      [
        [free, put],
        [free, put],
      ],
      [2, 2],
    );
    kernel.space.words(heads[0]![1]!, heads[0]![0]!);
    kernel.space.words(heads[1]![1]!, 0xdead_0000_0000n);
    const { value, faults } = kernel.faults.collect(() => rcuBacklog(kernel));
    assert.deepEqual([value!.length, value!.seen, faults.length], [4, 4, 1]);
  });

  test('a kernel without such lists', () => {
    assert.equal(rcuBacklog(machine({})), null);
  });
});
