// How long the kernel had been up, and since when, as crash(8) has it.
import { tickUptime } from '../../kernel/jiffies.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { readClocks } from '../../kernel/timekeeping.ts';

/** Whole seconds since boot: by the timer's ticks, else by the clocks. @throws NotFoundError, MemoryFault */
export function uptimeSeconds(kernel: Kernel): number {
  const ticks = kernel.faults.attempt('jiffies', () => tickUptime(kernel), null);
  return Math.floor(ticks ?? Number(readClocks(kernel).monotonic) / 1e9);
}

/** When the kernel booted, in whole seconds since 1970: what is added to the log's times. @throws NotFoundError, MemoryFault */
export function bootTime(kernel: Kernel): number {
  return Number(readClocks(kernel).realtime / 1_000_000_000n) - uptimeSeconds(kernel);
}
