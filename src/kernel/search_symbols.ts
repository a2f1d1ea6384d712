// The symbols of a kernel that does not tell all of them: what can be found by search.
import type { VirtAddr } from '../base/address.ts';
import type { Kallsyms } from '../debuginfo/kallsyms.ts';
import { SearchedSymbols } from '../debuginfo/searched_symbols.ts';
import type { Kernel } from './kernel.ts';
import { seekVariable } from './sought_variables.ts';

/** What is known before the search. */
export interface KnownSymbols {
  /** The symbols that the kernel tells; null for none. */
  readonly kallsyms: Kallsyms | null;
  /** Start of the kernel's code, virtual. */
  readonly text: VirtAddr;
  /** Where the search for its data begins, virtual. */
  readonly start: VirtAddr;
}

/** Looks for what is asked for, when it is asked for. */
export function searchSymbols(kernel: Kernel, { kallsyms, text, start }: KnownSymbols): SearchedSymbols {
  const { space, vmcoreinfo } = kernel;
  return new SearchedSymbols({
    space,
    vmcoreinfo,
    kallsyms,
    text,
    start,
    isCode: (address) => kernel.arch.space.isExecutable(address),
    seek: (name) => seekVariable(kernel, name),
  });
}
