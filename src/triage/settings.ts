// The values that sysctls had in the dead kernel.
import type { Kernel } from '../kernel/kernel.ts';
import type { Sysctl } from '../oops/sysctls.ts';
import type { Analysis } from './analysis.ts';

/** Each sysctl with its value; null where this kernel has none of its variables, or it cannot be read. */
export function readSettings(kernel: Kernel, sysctls: readonly Sysctl[]): Analysis['settings'] {
  return sysctls.map(({ name, variables, meaning }) => {
    const variable = variables.find((candidate) => kernel.ownSymbol(candidate) !== null);
    const value =
      variable === undefined
        ? null
        : kernel.faults.attempt(name, () => kernel.variable(variable).bigint().toString(), null);
    return { name, value, meaning };
  });
}
