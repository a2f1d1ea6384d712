// arch/x86/include/asm/e820/types.h: the map of physical memory that the firmware gave.
import type { Kernel } from './kernel.ts';

export interface MemoryRange {
  /** Physical addresses [start, end). */
  readonly start: bigint;
  readonly end: bigint;
  /** Name of its type: `E820_RAM`, `E820_RESERVED`; its number where nobody names it. */
  readonly type: string;
}

/** Most entries that are believed: E820_MAX_ENTRIES is 3200 at most. */
const maxEntries = 4096;

/** The firmware's memory map; null on machines without. @throws MemoryFault, NotFoundError for its types */
export function firmwareMemory(kernel: Kernel): MemoryRange[] | null {
  const variable = kernel.optionalVariable('e820_table');
  if (variable === null || variable.isNull) return null;
  const table = variable.deref();
  const count = Math.min(table.member('nr_entries').number(), maxEntries);
  return [...table.member('entries').elements(count)].map((entry) => {
    const start = entry.member('addr').bigint();
    const type = entry.member('type');
    return {
      start,
      end: start + entry.member('size').bigint(),
      type: type.enumName()?.replace(/^E820_TYPE_/, 'E820_') ?? String(type.bigint()),
    };
  });
}
