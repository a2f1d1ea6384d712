// kernel/rcu/: tasks that wait until every reader that may hold a pointer has let go of it.
import type { VirtAddr } from '../../base/address.ts';
import { type GracePeriod, gracePeriod } from '../rcu_tree.ts';
import type { Sleeper } from './sleeper.ts';

/**
 * - `rcu`, `expedited`: readers of RCU
 * - `tasks`: that every task has been somewhere else (RCU-tasks: for tracing and trampolines)
 * - `barrier`: that all callbacks that were queued have run
 * - `srcu`: readers of one structure
 */
export type GracePeriodKind = 'rcu' | 'expedited' | 'tasks' | 'barrier' | 'srcu';

export interface GracePeriodWait {
  readonly flavour: GracePeriodKind;
  /** RCU's own; null for the other flavours, and where it cannot be read. */
  readonly period: GracePeriod | null;
  /** For SRCU: virtual address of the `struct srcu_struct`; null where it cannot be told. */
  readonly srcu: VirtAddr | null;
}

/** Functions in which tasks wait for each kind; the first that matches stands. */
const flavours: readonly (readonly [RegExp, GracePeriodKind])[] = [
  [/^_*synchronize_srcu|^srcu_barrier/, 'srcu'],
  [/^synchronize_rcu_tasks|^synchronize_rcu_mult|^rcu_barrier_tasks/, 'tasks'],
  [/^rcu_barrier/, 'barrier'],
  [/^(synchronize_rcu_expedited|synchronize_sched_expedited|exp_funnel_lock)/, 'expedited'],
  [/^(_*synchronize_(rcu|sched|net)|_*wait_rcu_gp|cond_synchronize_rcu|rcu_sync_)/, 'rcu'],
];

/** The grace period that a task waits for; null where it waits for none. */
export function gracePeriodWait(sleeper: Sleeper): GracePeriodWait | null {
  const flavour = flavours.find(([pattern]) => sleeper.in(pattern))?.[1];
  if (flavour === undefined) return null;
  const own = flavour === 'rcu' || flavour === 'expedited' || flavour === 'barrier';
  return {
    flavour,
    period: own ? gracePeriod(sleeper.kernel) : null,
    srcu: flavour === 'srcu' ? srcuStruct(sleeper) : null,
  };
}

/** The srcu_struct among what the task works on: the one whose per-CPU data is of CPU 0's copy again. */
function srcuStruct(sleeper: Sleeper): VirtAddr | null {
  const { kernel } = sleeper;
  const known = kernel.types.find('struct srcu_struct');
  if (known === null) return null;
  for (const candidate of sleeper.pointers()) {
    const found = kernel.faults.apart(() =>
      kernel.faults.attempt(
        'srcu_struct',
        () => {
          const srcu = kernel.object(known, candidate);
          const copies = srcu.member('sda').pointer();
          if (copies === 0n) return false;
          // srcu_data.ssp points back
          const data = kernel.object(
            'struct srcu_data',
            (copies + kernel.perCpuOffset(kernel.cpus.possible[0] ?? 0)) as VirtAddr,
          );
          return data.member('ssp').pointer() === candidate;
        },
        false,
      ),
    ).value;
    if (found) return candidate;
  }
  return null;
}
