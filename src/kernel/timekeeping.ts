// kernel/time/timekeeping.c: what the clocks showed when they were last updated (at the last tick).
import { NotFoundError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';

/** Nanoseconds. */
export interface Clocks {
  /** CLOCK_REALTIME: since 1970, UTC. */
  readonly realtime: bigint;
  /** CLOCK_MONOTONIC: since boot, without time spent suspended. */
  readonly monotonic: bigint;
  /** CLOCK_BOOTTIME: since boot, with time spent suspended: what uptime(1) shows. */
  readonly boottime: bigint;
}

/** The clocks at the last tick. @throws NotFoundError, MemoryFault */
export function readClocks(kernel: Kernel): Clocks {
  const keeper = timekeeper(kernel);
  const sec = keeper.member('xtime_sec').bigint();
  // the read base moved into tkr with d28ede83791d (3.17) and into tkr_mono with 876e78818def (4.1)
  const base = keeper.optional('tkr_mono') ?? keeper.optional('tkr') ?? keeper;
  const nsec = base.member('xtime_nsec').bigint() >> (base.member('shift').bigint() & 63n);
  const realtime = sec * 1_000_000_000n + nsec;
  const toMonotonic = keeper.member('wall_to_monotonic');
  const monotonic =
    realtime + toMonotonic.member('tv_sec').bigint() * 1_000_000_000n + toMonotonic.member('tv_nsec').bigint();
  const sleep = keeper.optional('offs_boot');
  return { realtime, monotonic, boottime: monotonic + (sleep === null ? 0n : ktime(sleep)) };
}

/** A ktime_t, in nanoseconds: a plain number since 2456e8553544 (4.10), a union with one before. */
export function ktime(time: KernelObject): bigint {
  return (time.optional('tv64') ?? time).bigint();
}

function timekeeper(kernel: Kernel): KernelObject {
  // tk_core has a named type, struct tk_data, since 6.13; since 6.17 it is the first of an array of clocks
  const clocks = kernel.optionalVariable('timekeeper_data');
  if (clocks !== null) return clocks.index(0).member('timekeeper');
  const core = kernel.optionalVariable('tk_core');
  if (core !== null) return core.member('timekeeper');
  // before, tk_core has an anonymous type; the shadow is its copy, made at every update (48cdc135d4840, 3.10)
  const keeper = kernel.optionalVariable('shadow_timekeeper') ?? kernel.optionalVariable('timekeeper');
  if (keeper === null) throw new NotFoundError('symbol', 'shadow_timekeeper');
  return keeper;
}

/**
 * When the kernel died, in seconds since 1970: by the panic's own note, else by the clocks at the last tick.
 * @throws NotFoundError, MemoryFault when neither is there
 */
export function crashTime(kernel: Kernel): number {
  return kernel.vmcoreinfo.crashTime ?? Number(readClocks(kernel).realtime / 1_000_000_000n);
}
