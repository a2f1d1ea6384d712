// The one idiom for what is computed once a kernel: a walker that is asked again gives what it gave before.
import type { Kernel } from './kernel.ts';

/**
 * A reader whose result is kept as long as its kernel is: `export const swapAreas = perKernel(readSwapAreas)`, then
 * `swapAreas(kernel)`. Faults met while reading are told again to everyone who asks.
 * @param read throws for what cannot be had at all; that is not kept, and the next call tries again
 */
export function perKernel<T>(read: (kernel: Kernel) => T): (kernel: Kernel) => T {
  return (kernel) => kernel.once(read);
}
