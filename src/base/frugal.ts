// Taking little memory, where there is little: in a capture kernel.
import { setFlagsFromString } from 'node:v8';

/**
 * Has the language's engine keep its heap small, at a fifth more processor time: no room for young objects that grows, less
 * inlining. A third of the memory of a process that looks at everything once. To be called before the work begins.
 */
export function beFrugal(): void {
  for (const flag of ['--optimize-for-size', '--semi-space-growth-factor=1']) setFlagsFromString(flag);
}
