// include/linux/jiffies.h: the count of timer ticks.
import type { Kernel } from './kernel.ts';
import { readClocks } from './timekeeping.ts';

/** Values of CONFIG_HZ that the architectures offer. */
const tickRates = [100, 250, 300, 1000, 24, 48, 64, 128, 200, 256, 512, 1024, 1200];

/**
 * Seconds since boot by the count of ticks, which is what crash(8) calls the uptime. It starts a moment after the
 * clocks do, when the timer does. HZ is no variable of the kernel: it is the rate by which ticks and clocks agree.
 * Null if they agree by none.
 * @throws NotFoundError, MemoryFault
 */
export function tickUptime(kernel: Kernel): number | null {
  const jiffies = Number(kernel.variable('jiffies_64').bigint());
  const clock = Number(readClocks(kernel).monotonic) / 1e9;
  let best: { seconds: number; error: number } | null = null;
  for (const rate of tickRates) {
    // INITIAL_JIFFIES: 5 minutes before 32 bits overflow
    const seconds = (jiffies - (2 ** 32 - 300 * rate)) / rate;
    const error = Math.abs(seconds - clock);
    if (seconds >= 0 && error < 5 + clock * 0.02 && (best === null || error < best.error)) best = { seconds, error };
  }
  return best?.seconds ?? null;
}
