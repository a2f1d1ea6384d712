// Variables of kernels that name none of their data (no CONFIG_KALLSYMS_ALL): found by the code of functions that use
// them, which kallsyms does name, and held against what they must be.
//
//   modules: print_modules, m_start, find_module_all, ... all refer to it    and it is a list, of modules
//
// Believed is what most of the functions refer to, if it is what it should be; of what has no looks of its own (a number),
// what all of them refer to. Where two are that, neither is believed. Where no function tells, some are looked for among
// the places where they may be.
import { type VirtAddr, virtAddr } from '../base/address.ts';
import { InquestError } from '../base/errors.ts';
import type { Sought } from '../debuginfo/searched_symbols.ts';
import type { TypeSource } from '../debuginfo/type.ts';
import { referencesOf } from './code_references.ts';
import { type DataUse, dataUses } from './data_uses.ts';
import type { Kernel } from './kernel.ts';

/** The variable of that name; null where it is none of those that can be found this way, or is not found. */
export function seekVariable(kernel: Kernel, name: string): Sought | null {
  const uses = Object.hasOwn(dataUses, name) ? [dataUses[name]!].flat() : [];
  for (const use of uses) {
    if (!attempt(() => use.isThere?.(ownTypes(kernel)) ?? true)) continue;
    const found = byUse(kernel, use) ?? byPlace(kernel, use);
    if (found === null) continue;
    const size = kernel.faults.attempt(name, () => use.bytes?.(kernel, found.address), undefined);
    return size === undefined ? found : { ...found, size };
  }
  return null;
}

/** What the functions of a variable refer to; null where that is not one alone. */
function byUse(kernel: Kernel, use: DataUse): Sought | null {
  const existing = use.usedBy.filter((user) => kernel.ownSymbol(user) !== null);
  const others = new Set<bigint>();
  for (const user of use.notUsedBy ?? []) for (const to of referencesOf(kernel, user)) others.add(to);
  const users = new Map<bigint, string[]>();
  for (const user of existing) {
    for (const to of referencesOf(kernel, user)) {
      if (others.has(to)) continue;
      const by = users.get(to);
      if (by === undefined) users.set(to, [user]);
      else by.push(user);
    }
  }
  const enough = (by: readonly string[]): boolean =>
    use.looksRight !== undefined || users.size === 1 || (by.length === existing.length && by.length > 1);
  let best: { readonly at: VirtAddr; readonly by: readonly string[] } | null = null;
  for (const [to, by] of [...users].sort(([, a], [, b]) => b.length - a.length)) {
    if (best !== null && by.length < best.by.length) break;
    const at = virtAddr(to);
    if (!enough(by) || !isPlausible(kernel, at, use)) continue;
    if (best !== null) return null;
    best = { at, by };
  }
  return best === null ? null : { address: best.at, how: `used by ${best.by.join(', ')}` };
}

/** The only place that looks right, of those where a variable may be; null where there are none, or several. */
function byPlace(kernel: Kernel, use: DataUse): Sought | null {
  let only: VirtAddr | null = null;
  for (const at of use.places?.(kernel) ?? []) {
    if (!isPlausible(kernel, at, use)) continue;
    if (only !== null) return null;
    only = at;
  }
  return only === null ? null : { address: only, how: 'the only place that looks like it' };
}

function isPlausible(kernel: Kernel, at: VirtAddr, { looksRight, mayBe }: DataUse): boolean {
  // code, or another variable; to be asked of the kernel alone, since its modules may be what is sought
  if (kernel.symbols.kernel?.at(at) != null) return false;
  return attempt(() => (looksRight ?? mayBe)?.(kernel, at) ?? false);
}

/** Types of the kernel itself: what it has not need not be looked for among its modules'. */
function ownTypes(kernel: Kernel): Pick<TypeSource, 'find'> {
  const infos = kernel.debugInfo(null);
  return { find: (name) => infos.map(({ types }) => types.find(name)).find((type) => type !== null) ?? null };
}

/** What cannot be read, or is not known, is not it. */
function attempt(work: () => boolean): boolean {
  try {
    return work();
  } catch (error) {
    if (error instanceof InquestError) return false;
    throw error;
  }
}
