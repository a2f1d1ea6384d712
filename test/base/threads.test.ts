// Results of threads must be those of the tasks, in their order, whatever the threads did before.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Threads } from '../../src/base/threads.ts';
import { unwatched } from '../../src/base/work.ts';

const numbers = Array.from({ length: 100 }, (_, i) => i);

function started(test: TestContext, count = 2): Threads {
  const threads = new Threads(new URL('./threads_worker.ts', import.meta.url), count);
  test.after(() => threads.end());
  return threads;
}

const run = (threads: Threads, factor: number, tasks: Iterable<number>) =>
  threads.run<number, number>(factor, tasks, unwatched);

describe('threads', () => {
  it('give results in the order of the tasks, run after run', (t) => {
    const threads = started(t);
    for (const factor of [2, 3]) {
      assert.deepEqual(
        [...run(threads, factor, numbers)],
        numbers.map((n) => factor * n),
      );
    }
  });

  it('take nothing from a run that was given up for one of the next', (t) => {
    const threads = started(t);
    const first = run(threads, 2, numbers);
    assert.equal(first.next().value, 0);
    first.return();
    assert.deepEqual([...run(threads, 5, [7, 8])], [35, 40]);
  });

  it('are not waited for while the caller can work', (t) => {
    const here: number[] = [];
    const work = (task: number): number => {
      here.push(task);
      return 2 * task;
    };
    // no thread is ready as soon as this
    assert.deepEqual([...started(t).run<number, number>(2, [1, 2, 3], unwatched, work)], [2, 4, 6]);
    assert.deepEqual(here, [1, 2, 3]);
  });

  it('tell what went wrong in them', (t) => {
    const threads = started(t, 1);
    assert.throws(() => [...run(threads, 0, numbers)], /nothing to work with/);
    assert.throws(() => [...run(threads, 1, [1, -4])], /task -4/);
    assert.deepEqual([...run(threads, 1, [9])], [9]);
  });
});
