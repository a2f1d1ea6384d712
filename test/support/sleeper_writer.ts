// Tasks that sleep, with the records of their waits on their stacks, where the functions that wait leave them.
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { sizeOf } from '../../src/debuginfo/type.ts';
import { type Wait, waitOf } from '../../src/kernel/wait/wait.ts';
import { DyingKernel } from './dying_kernel.ts';

/** Types that waits of all kinds need. */
const waitTypes = `
  struct wait_queue_head { int lock; struct list_head head; };
  struct wait_queue_entry { unsigned int flags; void *private; void *func; struct list_head entry; };
  struct swait_queue_head { int lock; struct list_head task_list; };
  struct swait_queue { struct task_struct *task; struct list_head task_list; };
  struct completion { unsigned int done; struct swait_queue_head wait; };
`;

/** Bytes of a function's frame that a record may take. */
const room = 256;

export class SleepingKernel {
  readonly kernel: DyingKernel;
  private marks = 0n;
  private pids = 100;

  /** @param types further C declarations @param task further members of task_struct */
  constructor(types = '', task = '') {
    this.kernel = DyingKernel.make({ types: `${waitTypes} ${types}`, task });
  }

  /**
   * Makes a task sleep in these functions, innermost first; the first has room for a record on its stack.
   * @returns the task, and a record of a type at that place
   */
  sleeps(
    functions: readonly string[],
    more: { readonly comm?: string; readonly state?: number; readonly user?: boolean } = {},
  ) {
    const { kernel } = this;
    const mark = 0x1122_3344_0000_0000n + this.marks++;
    const [first, ...others] = functions;
    const words = [mark, ...Array.from({ length: room / 8 }, () => 0n)];
    const flags = more.user === true ? 0x40_0000 : 0x20_0000;
    const pid = this.pids++;
    const task = kernel.task({ pid, comm: more.comm ?? `task${pid}`, flags });
    const end = more.user === true ? ['do_syscall_64'] : ['kthread', 'ret_from_fork_asm'];
    kernel.sleeps(task, ['schedule', first!, { words }, ...others, ...end], more.state ?? 2);
    const at = this.find(task, mark);
    return {
      task,
      /** A struct on the stack, zeroed, at a place in the room that there is. */
      record: (type: string, offset = 0): KernelObject => {
        if (offset + sizeOf(kernel.type(type)) > room) throw new Error(`no room for ${type}`);
        return kernel.object(type, (at + 8n + BigInt(offset)) as never);
      },
      /** Puts a pointer where the function keeps it. */
      keeps: (pointer: bigint, offset = room - 8): void => kernel.space.words(at + 8n + BigInt(offset), pointer),
    };
  }

  /** Queues a task on a wait queue. @param entry a `struct wait_queue_entry` on its stack */
  queues(entry: KernelObject, task: KernelObject, func: string, head: KernelObject): void {
    this.kernel.set(entry, 'private', task);
    this.kernel.set(entry, 'func', this.kernel.codeAt(func));
    this.kernel.link(head.member('head').address, entry.member('entry').address);
  }

  /** Queues a task on a completion. @param entry a `struct swait_queue` on its stack */
  awaits(entry: KernelObject, task: KernelObject, completion: KernelObject): void {
    this.kernel.set(entry, 'task', task);
    this.kernel.link(completion.member('wait.task_list').address, entry.member('task_list').address);
  }

  /** What a task waits for. Nothing may be changed after this was first asked. */
  wait(task: KernelObject): Wait | null {
    this.kernel.writeTables();
    return waitOf(this.kernel, this.kernel.tasks.byAddress(task.address)!);
  }

  private find(task: KernelObject, word: bigint): bigint {
    const base = task.member('stack').bigint();
    for (let at = base; at < base + 0x4000n; at += 8n) if (this.kernel.space.u64(at as never) === word) return at;
    throw new Error('the word is not on the stack');
  }
}
