// include/linux/module.h: the loaded modules, with their memory, symbols and types.
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import { ByteReader, latin1 } from '../base/byte_reader.ts';
import { FormatError } from '../base/errors.ts';
import { BtfTypes } from '../debuginfo/btf.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { KernelSymbol } from '../debuginfo/symbol.ts';
import { findMember, sizeOf } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';

/** Largest symbol table or type blob of one module that is believed, in bytes. */
const maxTable = 64 * 1024 * 1024;
/** Most symbols of a module believed; the largest, drivers of graphics cards, have some ten thousand. */
const maxSymbols = 500_000;
/** Longest name of a symbol: KSYM_NAME_LEN. */
const maxName = 512;
/** Most modules believed. */
const maxModules = 65_536;

/** A range of a module's memory: virtual addresses [start, start + size). */
export interface ModuleRange {
  /** `text`, `data`, `rodata`, `ro_after_init`, `init_text`, ... (enum mod_mem_type); `core_text`, `core_data`, ... before 6.4. */
  readonly name: string;
  readonly start: VirtAddr;
  /** Bytes. */
  readonly size: number;
}

export interface Module {
  /** The `struct module`. */
  readonly object: KernelObject;
  readonly name: string;
  /** Where its text starts, as /proc/modules has it. */
  readonly base: VirtAddr;
  /** Bytes of all its memory that is still mapped, as /proc/modules has it. */
  readonly size: number;
  readonly ranges: readonly ModuleRange[];
  /** `Live`, `Loading` or `Unloading`. */
  readonly state: 'Live' | 'Loading' | 'Unloading';
  /** References held, as lsmod shows them; null on kernels that cannot unload. */
  readonly refcount: number | null;
  /** Names of the modules that use this one. */
  readonly usedBy: readonly string[];
  /** Taint letters that loading it set, for example `OE`. */
  readonly taints: string;
}

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
  let found = 0;
  kernel.faults.attempt(
    'module list',
    () => {
      for (const object of listEntries(kernel.variable('modules'), kernel.type('struct module'), 'list')) {
        if (++found > maxModules) throw new FormatError('module list', `more than ${maxModules} modules`);
        kernel.faults.attempt(
          'module',
          () => {
            const module = readModule(kernel, object);
            if (module !== null) modules.push(module);
          },
          undefined,
        );
      }
    },
    undefined,
  );
  return modules;
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

/** Symbols of every module, as /proc/kallsyms has them, per module. */
export function moduleSymbols(kernel: Kernel): { module: Module; readonly symbols: KernelSymbol[] }[] {
  return kernel.modules.map((module) => {
    const read = kernel.faults.memo(() =>
      kernel.faults.attempt(`symbols of module ${module.name}`, () => symbolsOf(kernel, module), []),
    );
    return {
      module,
      get symbols() {
        return read();
      },
    };
  });
}

/** struct mod_kallsyms (since 8244062ef1e5, 4.5; members of struct module before): an ELF symbol table in memory. */
function symbolsOf(kernel: Kernel, module: Module): KernelSymbol[] {
  const table = module.object.optional('kallsyms') ?? module.object;
  const count = table.member('num_symtab').number();
  const symtab = table.member('symtab').pointer();
  const strtab = table.member('strtab').pointer();
  if (count === 0 || symtab === 0n) return [];
  const entrySize = 24; // Elf64_Sym
  if (count > maxSymbols) throw new FormatError(`module ${module.name}`, `${count} symbols is out of range`);
  const reader = new ByteReader(kernel.space.read(symtab, count * entrySize), `symbols of module ${module.name}`);
  const raw: { name: number; value: bigint; size: number; info: number }[] = [];
  let stringsEnd = 0;
  for (let i = 0; i < count; i++) {
    const name = reader.u32();
    const info = reader.u8();
    reader.skip(3);
    const value = reader.u64();
    const size = Number(reader.u64() & 0xffff_ffffn);
    raw.push({ name, value, size, info });
    if (name > stringsEnd) stringsEnd = name;
  }
  if (stringsEnd > maxTable)
    throw new FormatError(`module ${module.name}`, `string offset ${stringsEnd} is out of range`);
  const strings = kernel.space.readUpTo(strtab, stringsEnd + 512).bytes; // past the last name's start: its text
  // the letters moved out of st_info into an array of their own with 1c7651f43777 (5.2)
  const typetab = table.has('typetab') ? kernel.space.read(table.member('typetab').pointer(), count) : null;
  const exported = exportedAddresses(kernel, module);
  const symbols: KernelSymbol[] = [];
  for (const [i, { name, value, size, info }] of raw.entries()) {
    const text = latin1(strings, name, name + maxName);
    if (text === '') continue;
    const letter = String.fromCharCode(typetab?.[i] ?? info);
    const type = exported.has(value) ? letter.toUpperCase() : letter.toLowerCase();
    symbols.push({ name: text, address: virtAddr(value), type, size, module: module.name });
  }
  return symbols;
}

/** Addresses that a module exports: its `struct kernel_symbol`s (include/linux/export.h). */
function exportedAddresses(kernel: Kernel, module: Module): Set<bigint> {
  const addresses = new Set<bigint>();
  const type = kernel.types.find('struct kernel_symbol');
  if (type === null) return addresses;
  // place-relative since 7290d5809571 (4.19) where the architecture has PREL32 relocations
  const relative = findMember(type, 'value_offset') !== null;
  const size = sizeOf(type);
  // gpl_syms went into syms with flags in 7.0
  for (const [list, length] of [
    ['syms', 'num_syms'],
    ['gpl_syms', 'num_gpl_syms'],
  ] as const) {
    if (!module.object.has(list) || !module.object.has(length)) continue;
    const start = module.object.member(list).pointer();
    const n = module.object.member(length).number();
    if (n * size > maxTable) throw new FormatError(`module ${module.name}`, `${n} exported symbols is out of range`);
    for (let i = 0; i < n; i++) {
      const entry = offsetBy(start, i * size);
      addresses.add(relative ? offsetBy(entry, kernel.space.i32(entry)) : kernel.space.u64(entry));
    }
  }
  return addresses;
}

/** Split BTF of every module that carries one (since 36e68442d1af, 5.11). */
export function readModuleTypes(kernel: Kernel): readonly BtfTypes[] {
  const base = kernel.btf;
  if (base === null) return [];
  const found: BtfTypes[] = [];
  for (const module of kernel.modules) {
    if (!module.object.has('btf_data')) break;
    kernel.faults.attempt(
      `types of module ${module.name}`,
      () => {
        const data = module.object.member('btf_data').pointer();
        const size = module.object.member('btf_data_size').number();
        if (data === 0n || size === 0) return;
        if (size > maxTable) throw new FormatError(`BTF of module ${module.name}`, `size ${size} is out of range`);
        found.push(new BtfTypes(kernel.space.read(data, size), base));
      },
      undefined,
    );
  }
  return found;
}
