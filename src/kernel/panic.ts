// kernel/panic.c: which CPU and task brought the kernel down, and what taints it.

import type { Kernel } from './kernel.ts';
import type { Task, TaskTable } from './task.ts';

export interface CrashedCpu {
  readonly cpu: number;
  /** What says so. */
  readonly source: 'panic_cpu' | 'crashing_cpu';
}

export interface CrashedTask extends CrashedCpu {
  readonly task: Task;
}

/** The CPU that panicked; null when nothing in memory says which (a kernel that did not panic, or that hung). */
export function crashedCpu(kernel: Kernel): CrashedCpu | null {
  // panic_cpu: 1717f2096b54 (4.5); crashing_cpu: set by crash_save_cpu's callers on x86 and arm64
  for (const source of ['panic_cpu', 'crashing_cpu'] as const) {
    const cpu = kernel.faults.attempt(source, () => readCpu(kernel, source), null);
    if (cpu !== null) return { cpu, source };
  }
  return null;
}

/**
 * The task that was running on the CPU that panicked; null when that is not known, or the task cannot be read.
 * @param tasks what tells who ran where, if not the kernel itself
 */
export function crashedTask(kernel: Kernel, tasks: TaskTable = kernel.tasks): CrashedTask | null {
  const crashed = crashedCpu(kernel);
  const task = crashed === null ? null : tasks.active(crashed.cpu);
  return crashed === null || task === null ? null : { ...crashed, task };
}

/** -1 (PANIC_CPU_INVALID) means no CPU. */
function readCpu(kernel: Kernel, name: string): number | null {
  const variable = kernel.optionalVariable(name);
  if (variable === null) return null;
  const cpu = Number(
    BigInt.asIntN(32, variable.has('counter') ? variable.member('counter').bigint() : variable.bigint()),
  );
  return kernel.cpus.possible.includes(cpu) ? cpu : null;
}

export interface TaintFlag {
  readonly bit: number;
  readonly letter: string;
  readonly meaning: string;
}

/** Documentation/admin-guide/tainted-kernels.rst; bit 0 shows `G` when clear. */
const taintFlags: readonly TaintFlag[] = [
  { bit: 0, letter: 'P', meaning: 'a proprietary module was loaded' },
  { bit: 1, letter: 'F', meaning: 'a module was loaded by force' },
  { bit: 2, letter: 'S', meaning: 'the kernel runs on hardware or with settings that are out of specification' },
  { bit: 3, letter: 'R', meaning: 'a module was unloaded by force' },
  { bit: 4, letter: 'M', meaning: 'a machine check (hardware error) was reported' },
  { bit: 5, letter: 'B', meaning: 'a bad page was found, or page flags were unexpected' },
  { bit: 6, letter: 'U', meaning: 'tainted on the request of a user program' },
  { bit: 7, letter: 'D', meaning: 'the kernel has oopsed or hit a BUG before' },
  { bit: 8, letter: 'A', meaning: 'an ACPI table was overridden' },
  { bit: 9, letter: 'W', meaning: 'a warning was issued before' },
  { bit: 10, letter: 'C', meaning: 'a staging driver was loaded' },
  { bit: 11, letter: 'I', meaning: 'a workaround for a firmware bug is in use' },
  { bit: 12, letter: 'O', meaning: 'an out-of-tree module was loaded' },
  { bit: 13, letter: 'E', meaning: 'an unsigned module was loaded' },
  { bit: 14, letter: 'L', meaning: 'a soft lockup happened before' },
  { bit: 15, letter: 'K', meaning: 'the kernel was live-patched' },
  { bit: 16, letter: 'X', meaning: 'auxiliary taint, defined by the distribution' },
  { bit: 17, letter: 'T', meaning: 'built with the struct randomisation plugin' },
  { bit: 18, letter: 'N', meaning: 'an in-kernel test ran' },
  { bit: 19, letter: 'J', meaning: 'user space used a mutating debug operation in fwctl' },
];

/** What taints the kernel: tainted_mask's flags that are set. Bits that no letter is known for have the letter `?`. */
export function taints(kernel: Kernel): { mask: bigint; flags: TaintFlag[] } {
  const mask = kernel.variable('tainted_mask').bigint();
  const flags: TaintFlag[] = [];
  for (let bit = 0; bit < 64; bit++) {
    if (((mask >> BigInt(bit)) & 1n) === 0n) continue;
    flags.push(taintFlags.find((f) => f.bit === bit) ?? { bit, letter: '?', meaning: `unknown taint bit ${bit}` });
  }
  return { mask, flags };
}
