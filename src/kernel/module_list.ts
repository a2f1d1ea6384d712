// include/linux/module.h: the loaded modules, with their memory.
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { sizeOf, type Type } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';
import type { Module, ModuleRange } from './module.ts';

/** Most modules believed: a kernel has some hundred, and much is asked of each. */
const maxModules = 4096;

/** Letters of `struct module.taints`, which has the bits of tainted_mask that modules set (kernel/panic.c: taint_flags). */
const moduleTaints: readonly (readonly [bit: number, letter: string])[] = [
  [0, 'P'],
  [12, 'O'],
  [1, 'F'],
  [10, 'C'],
  [13, 'E'],
  [15, 'K'],
  [16, 'X'],
  [18, 'N'],
];

/** Loaded modules in the order of /proc/modules: newest first. A corrupt list gives those before the damage. */
export function readModules(kernel: Kernel): readonly Module[] {
  const modules: Module[] = [];
  kernel.faults.attempt(
    'module list',
    () => {
      const type = kernel.type('struct module');
      const head = kernel.variable('modules');
      // a part of its own: of what was found more can be asked, however the list ended
      kernel.work.within(kernel.work.part('module list'), () => followList(kernel, head, type, modules));
    },
    undefined,
  );
  return modules;
}

/** Adds the modules of the list, as far as it goes. @throws MemoryFault, FormatError, BudgetError where it ends too soon */
function followList(kernel: Kernel, head: KernelObject, type: Type, modules: Module[]): void {
  const size = BigInt(sizeOf(type));
  /** Addresses in units of a module's size: two of the same one overlap. */
  const places = new Set<bigint>();
  for (const object of listEntries(head, type, 'list')) {
    if (places.size >= maxModules) throw new FormatError('module list', `more than ${maxModules} modules`);
    const place = object.address / size;
    if (places.has(place)) throw new FormatError('module list', `modules overlap at ${object.address.toString(16)}`);
    places.add(place);
    kernel.faults.attempt(
      'module',
      () => {
        const module = readModule(kernel, object);
        if (module !== null) modules.push(module);
      },
      undefined,
    );
  }
}

function readModule(kernel: Kernel, object: KernelObject): Module | null {
  const state = object.member('state').enumName();
  if (state === 'MODULE_STATE_UNFORMED') return null; // /proc/modules does not show it either
  const ranges = moduleRanges(object);
  const taints = object.member('taints').bigint();
  // read when asked for: whoever wants symbols only must not be told of users that cannot be read
  const usedBy = kernel.faults.memo(() =>
    object.has('source_list') ? kernel.faults.attempt('module users', () => users(object), []) : [],
  );
  return {
    object,
    name: object.member('name').string(),
    base: ranges[0]?.start ?? virtAddr(0n),
    size: ranges.reduce((sum, range) => sum + range.size, 0),
    ranges,
    state: state === 'MODULE_STATE_COMING' ? 'Loading' : state === 'MODULE_STATE_GOING' ? 'Unloading' : 'Live',
    // MODULE_REF_BASE: the count starts at 1 (kernel/module/main.c, since 3.19)
    refcount: object.has('refcnt') ? Math.max(0, object.member('refcnt.counter').number() - 1) : null,
    get usedBy() {
      return usedBy();
    },
    taints: moduleTaints
      .filter(([bit]) => (taints >> BigInt(bit)) & 1n)
      .map(([, letter]) => letter)
      .join(''),
  };
}

function users(object: KernelObject): string[] {
  const names: string[] = [];
  for (const use of listEntries(object.member('source_list'), 'struct module_use', 'source_list')) {
    names.push(use.member('source').member('name').string());
  }
  return names;
}

function moduleRanges(object: KernelObject): ModuleRange[] {
  const ranges: ModuleRange[] = [];
  const add = (name: string, start: VirtAddr, size: number): void => {
    if (start !== 0n && size > 0) ranges.push({ name, start, size });
  };
  const mem = object.optional('mem');
  if (mem !== null) {
    // since ac3b43283923 ("module: replace module_layout with module_memory"), 6.4
    const kinds = object.context.types.find('enum mod_mem_type');
    let i = 0;
    for (const range of mem.elements(32)) {
      const kind = kinds?.kind === 'enum' ? kinds.values.find((v) => v.value === BigInt(i))?.name : undefined;
      add(
        (kind ?? `mem${i}`).replace(/^MOD_/, '').toLowerCase(),
        range.member('base').pointer(),
        range.member('size').number(),
      );
      i++;
    }
    return ranges;
  }
  for (const name of ['core', 'data', 'init']) {
    const layout = object.optional(`${name}_layout`); // 4.5 to 6.3
    if (layout !== null) {
      const base = layout.member('base').pointer();
      const size = layout.member('size').number();
      const text = Math.min(size, layout.member('text_size').number());
      add(`${name}_text`, base, text);
      add(`${name}_data`, offsetBy(base, text), size - text);
    } else if (object.has(`module_${name}`)) {
      add(name, object.member(`module_${name}`).pointer(), object.member(`${name}_size`).number());
    }
  }
  return ranges;
}
