// kernel/trace/trace_sched_switch.c: names of the tasks that events were traced of, which may be dead by now.
import { latin1 } from '../../base/byte_reader.ts';
import type { Kernel } from '../kernel.ts';
import { perKernel } from '../per_kernel.ts';

const nameSize = 16;
/** Most names believed: saved_cmdlines_size is at most PID_MAX_DEFAULT by default. */
const maxNames = 1 << 20;

/** Names by pid: those that tracing saved, and those of the tasks there are. */
export const taskNames = perKernel((kernel: Kernel): ReadonlyMap<number, string> => {
  const names = new Map<number, string>();
  kernel.faults.attempt(
    'names of traced tasks',
    () => {
      const pointer = kernel.ownSymbol('savedcmd');
      const address = pointer === null ? 0n : kernel.space.pointer(pointer.address);
      if (address === 0n) return;
      const saved = kernel.object('struct saved_cmdlines_buffer', address as never);
      const count = Math.min(saved.member('cmdline_num').number(), maxNames);
      const pids = saved.member('map_cmdline_to_pid');
      // a pointer until 44dc5c41b5b1 (6.8)
      const text = saved.member('saved_cmdlines').pointer();
      const bytes = kernel.space.read(text, count * nameSize);
      for (let i = 0; i < count; i++) {
        const pid = pids.index(i).number();
        const name = latin1(bytes, i * nameSize, (i + 1) * nameSize);
        if (pid > 0 && pid < 1 << 22 && name !== '') names.set(pid, name);
      }
    },
    undefined,
  );
  for (const task of kernel.tasks.all) if (!names.has(task.pid)) names.set(task.pid, task.comm);
  names.set(0, '<idle>');
  return names;
});
