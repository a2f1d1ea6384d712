// include/linux/rcu_segcblist.h: what waits for a grace period of RCU to be called, mostly to free an object.
//
//   rcu_data (each CPU) . cblist { head, len } --> rcu_head { next, func } --> ...
import { type VirtAddr, virtAddr } from '../base/address.ts';
import type { Kernel } from './kernel.ts';
import { perKernel } from './per_kernel.ts';

/** Callbacks of one function. */
export interface WaitingCallbacks {
  /** Virtual address. */
  readonly function: VirtAddr;
  /** How many of those that were looked at. */
  readonly count: number;
  /** Virtual address of one of their `struct rcu_head`. */
  readonly example: VirtAddr;
}

export interface RcuBacklog {
  /** Callbacks on all CPUs. */
  readonly length: number;
  /** How many were looked at. */
  readonly seen: number;
  /** By function, those with the most first. */
  readonly functions: readonly WaitingCallbacks[];
}

/** Callbacks of one CPU that are looked at. */
const maxSeen = 20_000;

/** Callbacks that wait for RCU; null where the kernel's RCU is another. A list that breaks off is a fault. */
export const rcuBacklog = perKernel(readBacklog);

function readBacklog(kernel: Kernel): RcuBacklog | null {
  const { faults } = kernel;
  if (kernel.types.find('struct rcu_segcblist') === null) return null;
  const functions = new Map<bigint, { count: number; example: VirtAddr }>();
  let length = 0;
  let seen = 0;
  for (const cpu of kernel.cpus.possible) {
    faults.attempt(
      `RCU callbacks of CPU ${cpu}`,
      () => {
        const list = kernel.perCpu('rcu_data', cpu).member('cblist');
        const len = list.member('len');
        // atomic where callbacks may be offloaded (CONFIG_RCU_NOCB_CPU)
        length += Math.max(0, Number(BigInt.asIntN(64, (len.optional('counter') ?? len).bigint())));
        let next = list.member('head').pointer();
        const met = new Set<bigint>();
        while (next !== 0n && met.size < maxSeen && !met.has(next)) {
          met.add(next);
          kernel.work.charge('nodes', 1);
          const head = kernel.object('struct callback_head', virtAddr(next));
          const function_ = head.member('func').pointer();
          const known = functions.get(function_);
          if (known === undefined) functions.set(function_, { count: 1, example: virtAddr(next) });
          else known.count++;
          seen++;
          next = head.member('next').pointer();
        }
      },
      undefined,
    );
  }
  return {
    length,
    seen,
    functions: [...functions]
      .map(([address, { count, example }]) => ({ function: virtAddr(address), count, example }))
      .sort((a, b) => b.count - a.count),
  };
}
