// What src/arch asks of a kernel.
import type { KernelView } from '../arch/kernel_view.ts';
import type { VirtAddr } from '../base/address.ts';
import { InquestError } from '../base/errors.ts';
import { findMember, sizeOf } from '../debuginfo/type.ts';
import { generatedCodeAt } from './generated_code.ts';
import { perKernel } from './per_kernel.ts';

/** The answers to a question that may fail: null then, as the interface wants it. Bugs are thrown on. */
function orNull<T>(work: () => T | null): T | null {
  try {
    return work();
  } catch (error) {
    if (error instanceof InquestError) return null;
    throw error;
  }
}

export const kernelView = perKernel((kernel): KernelView => {
  const { symbols } = kernel;
  const address = (name: string): VirtAddr | null => kernel.ownSymbol(name)?.address ?? null;
  const text = (
    [
      ['_stext', '_etext'],
      ['_sinittext', '_einittext'],
      ['__entry_text_start', '__entry_text_end'],
    ] as const
  )
    .map(([first, last]) => ({ start: address(first), end: address(last) }))
    .filter((range): range is { start: VirtAddr; end: VirtAddr } => range.start !== null && range.end !== null);
  const inKernelText = (at: bigint): boolean => text.some(({ start, end }) => at >= start && at < end);
  const inModuleText = (at: bigint): boolean => moduleText(kernel).some(({ start, end }) => at >= start && at < end);

  return {
    space: kernel.space,
    symbol: address,
    functionAt: (at) => {
      const symbol =
        inKernelText(at) || inModuleText(at) ? symbols.at(at)?.symbol : generatedCodeAt(kernel, at)?.symbol;
      return symbol === undefined ? null : { name: symbol.name, start: symbol.address };
    },
    isText: (at) => inKernelText(at) || inModuleText(at) || kernel.arch.space.isExecutable(at), // BPF, trampolines
    generatedCode: (at) => generatedCodeAt(kernel, at),
    perCpu: (name, cpu) => (kernel.ownSymbol(name) === null ? null : orNull(() => kernel.perCpuAddress(name, cpu))),
    offsetOf: (type, member) =>
      orNull(() => {
        const found = kernel.types.find(type);
        const place = found === null ? null : findMember(found, member);
        return place === null ? null : place.bitOffset / 8;
      }),
    sizeOf: (type, member) =>
      orNull(() => {
        const found = kernel.types.find(type);
        if (found === null || member === undefined) return found === null ? null : sizeOf(found);
        const place = findMember(found, member);
        return place === null ? null : sizeOf(place.type);
      }),
  };
});

/** Text of modules. Kernels before 4.5 do not tell text apart: there it is all of a module's memory. */
const moduleText = perKernel((kernel) =>
  kernel.modules.flatMap(({ ranges }) =>
    ranges
      .filter(({ name }) => /text|^(core|init)$/.test(name))
      .map(({ start, size }) => ({ start, end: start + BigInt(size) })),
  ),
);
