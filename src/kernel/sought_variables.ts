// Variables of kernels that name none of their data (no CONFIG_KALLSYMS_ALL): found by the code of functions that use
// them, which kallsyms does name, and held against what they must be.
//
//   modules: print_modules, m_start, find_module_all, ... all refer to it    and it is a list, of modules
//
// Believed is what most of the functions refer to, if it is what it should be; where two are that, neither. Where no
// function tells, some are looked for among the places where they may be.
import { type VirtAddr, virtAddr } from '../base/address.ts';
import { InquestError } from '../base/errors.ts';
import type { Sought } from '../debuginfo/searched_symbols.ts';
import type { TypeSource } from '../debuginfo/type.ts';
import { referencesOf } from './code_references.ts';
import { type DataUse, dataUses } from './data_uses.ts';
import type { Kernel } from './kernel.ts';

/** The variable of that name; null where it is none of those that can be found this way, or is not found. */
export function seekVariable(kernel: Kernel, name: string): Sought | null {
  const use = Object.hasOwn(dataUses, name) ? dataUses[name]! : null;
  if (use === null || !attempt(() => use.isThere?.(ownTypes(kernel)) ?? true)) return null;
  const others = new Set<bigint>();
  for (const user of use.notUsedBy ?? []) for (const to of referencesOf(kernel, user)) others.add(to);
  const users = new Map<bigint, string[]>();
  for (const user of use.usedBy) {
    for (const to of referencesOf(kernel, user)) {
      if (others.has(to)) continue;
      const by = users.get(to);
      if (by === undefined) users.set(to, [user]);
      else by.push(user);
    }
  }
  let best: { readonly at: VirtAddr; readonly by: readonly string[] } | null = null;
  for (const [to, by] of [...users].sort(([, a], [, b]) => b.length - a.length)) {
    if (best !== null && by.length < best.by.length) break;
    const at = virtAddr(to);
    if (!isPlausible(kernel, at, use, by.length)) continue;
    if (best !== null) return null;
    best = { at, by };
  }
  if (best !== null) return { address: best.at, how: `used by ${best.by.join(', ')}` };
  const places = users.size > 0 || use.places === undefined ? [] : use.places(kernel);
  let only: VirtAddr | null = null;
  for (const at of places) {
    if (!isPlausible(kernel, at, use, 0)) continue;
    if (only !== null) return null;
    only = at;
  }
  return only === null ? null : { address: only, how: 'the only place that looks like it' };
}

/** @param users how many functions refer to it */
function isPlausible(kernel: Kernel, at: VirtAddr, { looksRight }: DataUse, users: number): boolean {
  // code, or another variable; to be asked of the kernel alone, since its modules may be what is sought
  if (kernel.symbols.kernel?.at(at) != null) return false;
  if (looksRight === undefined) return users > 1 && kernel.space.isReadable(at);
  return attempt(() => looksRight(kernel, at));
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
