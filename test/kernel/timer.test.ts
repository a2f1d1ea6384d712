// Timers: which base, in what order, and what a broken one costs.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { hrtimerBase } from '../../src/kernel/hrtimer.ts';
import { timerBases } from '../../src/kernel/timer.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const wheelTypes = `
  struct hlist_node { struct hlist_node *next; struct hlist_node **pprev; };
  struct hlist_head { struct hlist_node *first; };
  struct timer_list { struct hlist_node entry; unsigned long expires; void *function; u32 flags; };
  struct timer_base { int lock; struct timer_list *running_timer; unsigned long clk; struct hlist_head vectors[8]; };
`;

function wheel(bases: number): { kernel: SyntheticKernel; base(index: number): KernelObject } {
  const kernel = new SyntheticKernel(wheelTypes);
  const array = kernel.allocate(
    { kind: 'array', element: kernel.type('struct timer_base'), length: bases },
    'timer_bases',
  );
  return { kernel, base: (index) => array.index(index) };
}

function addTimer(kernel: SyntheticKernel, base: KernelObject, bucket: number, expires: number): KernelObject {
  const timer = kernel.allocate('struct timer_list');
  const head = base.member('vectors').index(bucket);
  kernel.set(timer, 'expires', expires);
  kernel.set(timer, 'function', 0x1234);
  kernel.set(timer, 'entry.next', head.member('first').bigint());
  kernel.set(head, 'first', timer.member('entry'));
  return timer;
}

describe('timer wheel', () => {
  test('timers of all buckets stand in the order in which they expire', () => {
    const { kernel, base } = wheel(2);
    for (const [bucket, expires] of [
      [3, 30],
      [1, 20],
      [1, 10],
    ] as const)
      addTimer(kernel, base(1), bucket, expires);
    const running = addTimer(kernel, base(0), 0, 5);
    kernel.set(base(0), 'running_timer', running);
    const [std, def] = timerBases(kernel, 0);
    assert.deepEqual([std!.name, def!.name], ['BASE_STD', 'BASE_DEF']);
    assert.equal(std!.running, running.address);
    assert.equal(def!.running, null);
    assert.deepEqual(
      def!.timers.map(({ expires }) => expires),
      [10n, 20n, 30n],
    );
    assert.equal(def!.timers[0]!.function, 0x1234n);
  });

  test('bases are named by how many a CPU has', () => {
    const names = (count: number): string[] => timerBases(wheel(count).kernel, 0).map(({ name }) => name);
    assert.deepEqual(names(1), ['BASE_STD']);
    assert.deepEqual(names(3), ['BASE_LOCAL', 'BASE_GLOBAL', 'BASE_DEF']);
  });

  test('a bucket that loops, and one on an excluded page, cost themselves and are told', () => {
    const { kernel, base } = wheel(1);
    const looping = addTimer(kernel, base(0), 0, 10);
    kernel.set(looping, 'entry.next', looping.member('entry'));
    kernel.space.exclude(addTimer(kernel, base(0), 1, 20).address);
    addTimer(kernel, base(0), 2, 30);
    const { value, faults } = kernel.faults.collect(() => timerBases(kernel, 0));
    assert.deepEqual(
      value[0]!.timers.map(({ expires }) => expires),
      [10n, 30n],
    );
    assert.deepEqual(faults.map(({ code }) => code).sort(), ['bad-format', 'memory-fault']);
  });
});

const tree = `
  struct rb_node { unsigned long __rb_parent_color; struct rb_node *rb_right; struct rb_node *rb_left; };
  struct rb_root { struct rb_node *rb_node; };
`;

/** Declarations of hrtimers as 5.5 to 7.0 have them, and as 7.1 has them. */
const plain = `${tree}
  struct rb_root_cached { struct rb_root rb_root; struct rb_node *rb_leftmost; };
  struct timerqueue_node { struct rb_node node; s64 expires; };
  struct timerqueue_head { struct rb_root_cached rb_root; };
  struct hrtimer { struct timerqueue_node node; s64 _softexpires; void *function; };
  struct hrtimer_clock_base { int index; int clockid; struct timerqueue_head active; void *get_time; s64 offset; };
  struct hrtimer_cpu_base { int cpu; struct hrtimer_clock_base clock_base[2]; };
`;
const linked = `${tree}
  struct rb_node_linked { struct rb_node node; struct rb_node_linked *prev, *next; };
  struct rb_root_linked { struct rb_root rb_root; struct rb_node_linked *rb_leftmost; };
  struct timerqueue_linked_node { struct rb_node_linked node; s64 expires; };
  struct timerqueue_linked_head { struct rb_root_linked rb_root; };
  struct hrtimer { struct timerqueue_linked_node node; bool is_queued; s64 _softexpires; void *function; };
  struct hrtimer_clock_base { int index; int clockid; struct timerqueue_linked_head active; s64 offset; };
  struct hrtimer_cpu_base { int cpu; struct hrtimer_clock_base clock_base[2]; };
`;

describe('high-resolution timers', () => {
  for (const [layout, types] of Object.entries({ plain, linked })) {
    test(`of a ${layout} tree, with the clock they go by`, () => {
      const kernel = new SyntheticKernel(types);
      const base = kernel.allocate('struct hrtimer_cpu_base', 'hrtimer_bases');
      const [first, second] = [10, 20].map((expires) => {
        const timer = kernel.allocate('struct hrtimer');
        kernel.set(timer, 'node.expires', expires);
        kernel.set(timer, '_softexpires', expires - 1);
        return timer;
      });
      const clock = base.member('clock_base').index(1);
      kernel.set(clock, 'clockid', 7);
      kernel.set(clock, 'offset', 3);
      if (layout === 'plain') {
        const getTime = kernel.reserve(16);
        kernel.define('ktime_get_boottime', getTime, 16);
        kernel.set(clock, 'get_time', getTime);
      }
      kernel.set(clock, 'active.rb_root.rb_root.rb_node', second!.address);
      kernel.set(kernel.object('struct rb_node', second!.address), 'rb_left', first!.address);
      const { clocks } = hrtimerBase(kernel, 0);
      assert.deepEqual(clocks[0]!.timers, []);
      assert.equal(clocks[1]!.getTime, 'ktime_get_boottime');
      assert.equal(clocks[1]!.offset, 3n);
      assert.deepEqual(
        clocks[1]!.timers.map(({ softExpires, expires }) => [softExpires, expires]),
        [
          [9n, 10n],
          [19n, 20n],
        ],
      );
    });
  }
});
