// What the threads of threads.test.ts run: a task's number, times that of the data.
import { serve } from '../../src/base/threads.ts';

serve<number, number, number>((factor) => {
  if (factor === 0) throw new RangeError('nothing to work with');
  return (task) => {
    if (task < 0) throw new RangeError(`task ${task}`);
    return { result: factor * task };
  };
});
