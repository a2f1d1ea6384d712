// include/asm-generic/sections.h, include/linux/module.h: which symbols are per-CPU variables, whose address
// is not where they are.
import type { KernelSymbol } from '../debuginfo/symbol.ts';
import type { Kernel } from './kernel.ts';

/** True for a per-CPU variable of the kernel or of a module. Module memory that cannot be read makes no difference. */
export function isPerCpuSymbol(kernel: Kernel, symbol: KernelSymbol): boolean {
  if (symbol.module === null) {
    const start = kernel.symbols.find('__per_cpu_start')?.address;
    const end = kernel.symbols.find('__per_cpu_end')?.address;
    return start !== undefined && end !== undefined && symbol.address >= start && symbol.address < end;
  }
  const module = kernel.modules.find(({ name }) => name === symbol.module);
  if (module === undefined || !module.object.has('percpu_size')) return false;
  return kernel.faults.attempt(
    `per-CPU memory of module ${module.name}`,
    () => {
      const start = module.object.member('percpu').pointer();
      const size = module.object.member('percpu_size').bigint();
      return start !== 0n && symbol.address >= start && symbol.address < start + size;
    },
    false,
  );
}
