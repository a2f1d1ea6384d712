// include/linux/jiffies.h: the count of timer ticks.
import type { Kernel } from './kernel.ts';
import { perKernel } from './per_kernel.ts';
import { readClocks } from './timekeeping.ts';

/** Values of CONFIG_HZ that the architectures offer. */
const tickRates = [100, 250, 300, 1000, 24, 48, 64, 128, 200, 256, 512, 1024, 1200];

/** The timer's ticks: how many there were, and how many a second has. */
export interface Ticks {
  /** As the kernel counts them: not from 0. */
  readonly jiffies: bigint;
  /** CONFIG_HZ: ticks a second. */
  readonly rate: number;
  /** Seconds since the first tick, which came a moment after the clocks began. */
  readonly seconds: number;
}

/**
 * The count of ticks when the kernel died. HZ is no variable of the kernel: it is the rate by which ticks and clocks agree,
 * and by which `tick_nsec` (until 7.0) was made. Null if they agree by none.
 * @throws NotFoundError, MemoryFault
 */
export const ticks = perKernel(readTicks);

function readTicks(kernel: Kernel): Ticks | null {
  const jiffies = readJiffies(kernel);
  const clock = Number(readClocks(kernel).monotonic) / 1e9;
  const length = kernel.faults.attempt('tick_nsec', () => kernel.optionalVariable('tick_nsec')?.number() ?? null, null);
  let best: (Ticks & { readonly error: number }) | null = null;
  for (const rate of tickRates) {
    if (length !== null && Math.abs(length * rate - 1e9) > 1e9 / 100) continue;
    // INITIAL_JIFFIES: 5 minutes before 32 bits overflow
    const seconds = (Number(jiffies) - (2 ** 32 - 300 * rate)) / rate;
    const error = Math.abs(seconds - clock);
    if (seconds < 0 || error >= 5 + clock * 0.02) continue;
    if (best === null || error < best.error) best = { jiffies, rate, seconds, error };
  }
  return best;
}

/** The count of ticks as it stands. @throws NotFoundError, MemoryFault */
export function readJiffies(kernel: Kernel): bigint {
  return kernel.variable('jiffies_64').bigint();
}

/**
 * Seconds since boot by the count of ticks, which is what crash(8) calls the uptime. It starts a moment after the clocks do.
 * Null where ticks and clocks do not agree.
 * @throws NotFoundError, MemoryFault
 */
export function tickUptime(kernel: Kernel): number | null {
  return ticks(kernel)?.seconds ?? null;
}
