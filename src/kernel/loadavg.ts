// include/linux/sched/loadavg.h: the load averages.
import type { Kernel } from './kernel.ts';

/** FSHIFT: bits of precision of avenrun's fixed point numbers. */
const fractionBits = 11;

/** Load over the last 1, 5 and 15 minutes, with the two decimals that /proc/loadavg shows. @throws NotFoundError, MemoryFault */
export function loadAverages(kernel: Kernel): [one: number, five: number, fifteen: number] {
  const avenrun = kernel.variable('avenrun');
  const average = (i: number): number => {
    const rounded = avenrun.index(i).number() + (1 << fractionBits) / 200; // as get_avenrun() and LOAD_FRAC
    return Math.floor((rounded * 100) / (1 << fractionBits)) / 100;
  };
  return [average(0), average(1), average(2)];
}
