// kernel/rcu/tree.h: grace periods of RCU, and who keeps one from ending.
//
//   rcu_state { gp_seq, gp_start } --> rcu_node (leaf) { qsmask: CPUs that have not reported, gp_tasks --> tasks in readers }
import type { VirtAddr } from '../base/address.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { listNodes } from './list.ts';
import { perKernel } from './per_kernel.ts';
import type { Task } from './task.ts';

export interface GracePeriod {
  /** Its number: gp_seq without the state in its low bits. */
  readonly sequence: bigint;
  /** True while one is going on. */
  readonly running: boolean;
  /** When the last one began, in jiffies; null where the kernel does not note it. */
  readonly started: bigint | null;
  /** CPUs that have not passed through a quiescent state since it began. */
  readonly cpus: readonly number[];
  /** Tasks that were preempted within a reader and that it waits for (CONFIG_PREEMPT_RCU). */
  readonly tasks: readonly Task[];
  /** The thread that runs grace periods; null where it cannot be told. */
  readonly thread: Task | null;
}

/** RCU's grace period when the kernel died; null where it cannot be read. */
export const gracePeriod = perKernel(readGracePeriod);

function readGracePeriod(kernel: Kernel): GracePeriod | null {
  return kernel.faults.attempt(
    'RCU grace period',
    () => {
      const state = kernel.variable('rcu_state');
      const sequence = BigInt.asUintN(64, state.member('gp_seq').bigint());
      const cpus: number[] = [];
      const tasks: Task[] = [];
      for (const leaf of leaves(kernel)) {
        const mask = BigInt.asUintN(64, leaf.member('qsmask').bigint());
        const first = leaf.member('grplo').number();
        for (const cpu of kernel.cpus.possible) {
          const bit = cpu - first;
          if (bit >= 0 && bit < 64 && ((mask >> BigInt(bit)) & 1n) === 1n) cpus.push(cpu);
        }
        tasks.push(...blockedReaders(kernel, leaf));
      }
      const thread = state.optional('gp_kthread')?.pointer() ?? (0n as VirtAddr);
      return {
        sequence: sequence >> 2n,
        running: (sequence & 3n) !== 0n,
        started: state.optional('gp_start')?.bigint() ?? null,
        cpus: cpus.sort((a, b) => a - b),
        tasks,
        thread: kernel.tasks.byAddress(thread),
      };
    },
    null,
  );
}

/** The lowest level of the tree, to which CPUs report. */
function leaves(kernel: Kernel): KernelObject[] {
  const found = new Map<bigint, KernelObject>();
  for (const cpu of kernel.cpus.possible) {
    kernel.faults.attempt(
      `RCU data of CPU ${cpu}`,
      () => {
        const node = kernel.perCpu('rcu_data', cpu).member('mynode').deref();
        found.set(node.address, node);
      },
      undefined,
    );
  }
  return [...found.values()];
}

/** The tasks that the grace period waits for: of those preempted in readers, from gp_tasks to the end of the list. */
function blockedReaders(kernel: Kernel, leaf: KernelObject): Task[] {
  const first = leaf.optional('gp_tasks')?.pointer() ?? 0n;
  if (first === 0n) return [];
  const tasks: Task[] = [];
  let reached = false;
  for (const node of listNodes(leaf.member('blkd_tasks'))) {
    reached ||= node === first;
    if (!reached) continue;
    const { address } = kernel.object('struct list_head', node).containerOf('struct task_struct', 'rcu_node_entry');
    const task = kernel.tasks.byAddress(address);
    if (task !== null) tasks.push(task);
  }
  return tasks;
}
