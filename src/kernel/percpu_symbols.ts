// include/asm-generic/sections.h, include/linux/module.h: which symbols are per-CPU variables, whose address
// is not where they are.
import type { KernelSymbol, SymbolPlace } from '../debuginfo/symbol.ts';
import type { Kernel } from './kernel.ts';
import { moduleSymbols } from './module_symbols.ts';

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

/**
 * The variable of a module that a per-CPU address (as code has it behind a segment: without any CPU's offset) belongs to;
 * null for the kernel's own, and where none does.
 */
export function modulePerCpuSymbol(kernel: Kernel, address: bigint): SymbolPlace | null {
  for (const module of kernel.modules) {
    const { object } = module;
    const found = kernel.faults.attempt(
      'per-CPU memory of a module',
      () => {
        if (!object.has('percpu_size')) return null;
        const start = object.member('percpu').pointer();
        const size = object.member('percpu_size').bigint();
        return start !== 0n && address >= start && address < start + size ? { start } : null;
      },
      null,
    );
    if (found === null) continue;
    // of that module's symbols, the last one there that does not begin above it
    let last: KernelSymbol | null = null;
    const symbols = moduleSymbols(kernel).find((one) => one.module === module)?.symbols ?? [];
    for (const symbol of symbols)
      if (symbol.address >= found.start && symbol.address <= address && symbol.address >= (last?.address ?? 0n))
        last = symbol;
    return last === null ? null : { symbol: last, offset: Number(address - last.address) };
  }
  return null;
}
