// What functions of the kernel refer to: for finding variables whose names are not in the dump.
import { references } from '../arch/references.ts';
import type { KernelSymbol } from '../debuginfo/symbol.ts';
import type { Kernel } from './kernel.ts';

/** Longest function whose code is looked through, in bytes. */
const maxCode = 64 * 1024;

/** What the compiler calls the parts that it makes of a function. */
const parts: readonly string[] = ['', '.part.0', '.isra.0', '.constprop.0'];

/** The addresses of the kernel's half that a function refers to, its own code left out; none where there is no such function. */
export function referencesOf(kernel: Kernel, name: string): ReadonlySet<bigint> {
  const found = new Set<bigint>();
  for (const part of parts) {
    const symbol = kernel.ownSymbol(name + part);
    if (symbol !== null) for (const to of referencesIn(kernel, symbol)) found.add(to);
  }
  return found;
}

function* referencesIn({ arch, space }: Kernel, { address, size }: KernelSymbol): Iterable<bigint> {
  if (arch.decoder === null || size === 0 || size > maxCode) return;
  const { bytes } = space.readUpTo(address, size);
  for (const { to } of references(arch.decoder, arch.registers, bytes, address)) {
    if (arch.isKernelAddress(to) && (to < address || to >= address + BigInt(size))) yield to;
  }
}
