// The dead kernel. It is given the rungs of the ladder that `open_kernel.ts` climbs, and answers what walkers ask:
// names, types, objects, memory. Files beside this one walk the kernel's structures, one file a kernel header; they take
// a `Kernel` and give plain data or typed objects. This file imports none of them.
//
//   dump --- notes: VMCOREINFO ---> address space ---> kallsyms ---> debug information ---> typed objects
//                                        |                                   |
//                                        +------------- modules' symbols and types
//
// Each rung may be missing and costs only what stands on it.

import type { AddressSpace } from '../arch/address_space.ts';
import type { Architecture } from '../arch/architecture.ts';
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { BudgetError } from '../base/budget.ts';
import { FormatError, NotFoundError } from '../base/errors.ts';
import type { WorkSlot } from '../base/work.ts';
import { evaluate } from '../debuginfo/c_expression.ts';
import type { Macro } from '../debuginfo/c_macro.ts';
import { readValue } from '../debuginfo/c_value.ts';
import { printText } from '../debuginfo/c_value_text.ts';
import type { DebugInfo } from '../debuginfo/debug_info.ts';
import { DebugNames } from '../debuginfo/debug_names.ts';
import type { DebugFiles } from '../debuginfo/files/debug_files.ts';
import { KernelObject, type ObjectContext } from '../debuginfo/object.ts';
import type { KernelSymbol, SymbolPlace } from '../debuginfo/symbol.ts';
import { formatPlace, type SymbolTable } from '../debuginfo/symbol_table.ts';
import { type FunctionType, sizeOf, type Type, type TypeSource } from '../debuginfo/type.ts';
import type { Dump } from '../dump/dump.ts';
import type { Vmcoreinfo } from '../dump/vmcoreinfo.ts';
import { type Cpus, maxCpus } from './cpumask.ts';
import { FaultLog } from './faults.ts';
import type { Module } from './module.ts';
import type { TaskTable } from './task.ts';

/** What a kernel is made of. The functions are called when what they give is first asked for, and then no more. */
export interface Rungs {
  /** Physical memory, notes, and what the container says. */
  readonly dump: Dump;
  readonly vmcoreinfo: Vmcoreinfo;
  /** True when VMCOREINFO was in no note and was found by searching memory. */
  readonly vmcoreinfoFromMemory: boolean;
  readonly arch: Architecture;
  /** The kernel's own virtual memory. */
  readonly space: AddressSpace;
  /** True where the kernel still runs, and its memory changes: see `Kernel.forget`. */
  readonly live: boolean;
  readonly symbols: (kernel: Kernel) => SymbolTable;
  /** Debug information of the kernel itself (null) or of a module, best first. */
  readonly debugInfo: (kernel: Kernel, module: Module | null) => readonly DebugInfo[];
  /** Files that debug information is taken from; null where none may be. */
  readonly debugFiles?: DebugFiles | null;
  readonly modules: (kernel: Kernel) => readonly Module[];
  readonly cpus: (kernel: Kernel) => Cpus;
  readonly tasks: (kernel: Kernel) => TaskTable;
}

export class Kernel implements ObjectContext {
  readonly dump: Dump;
  readonly faults = new FaultLog();
  /** What work is under way, for everything that takes time to charge: the memory's own slot. */
  readonly work: WorkSlot;
  readonly vmcoreinfo: Vmcoreinfo;
  readonly vmcoreinfoFromMemory: boolean;
  readonly arch: Architecture;
  readonly space: AddressSpace;
  readonly live: boolean;
  private readonly rungs: Rungs;
  /** What was read once, by what reads it. */
  private readonly known = new Map<unknown, () => unknown>();
  private readonly perCpuOffsets = new Map<number, bigint>();
  /** Types of arrays whose length their symbol tells. */
  private readonly sizedTypes = new Map<string, Type>();

  constructor(rungs: Rungs) {
    this.rungs = rungs;
    this.dump = rungs.dump;
    this.work = rungs.dump.memory.work;
    this.vmcoreinfo = rungs.vmcoreinfo;
    this.vmcoreinfoFromMemory = rungs.vmcoreinfoFromMemory;
    this.arch = rungs.arch;
    this.space = rungs.space;
    this.live = rungs.live;
  }

  /** What `read` gives, read once; the faults of reading it are told again to everyone who asks. See `perKernel`. */
  once<T>(read: (kernel: Kernel) => T): T {
    return this.kept(read, () => read(this));
  }

  /**
   * Drops everything that was read from memory, names and types of modules among it, where the kernel is live also
   * pages and translations: called before each command then. Objects that were given out go on, and read what is there
   * now.
   */
  forget(): void {
    if (this.live) {
      this.dump.memory.forget();
      this.space.forget();
    }
    this.work.forget();
    this.known.clear();
    this.perCpuOffsets.clear();
    this.sizedTypes.clear();
  }

  /** Closes the dump's files and drops what was read. What is asked of the kernel afterwards fails. */
  close(): void {
    this.forget();
    this.debugFiles?.close();
    this.dump.close();
  }

  get symbols(): SymbolTable {
    return this.once(this.rungs.symbols);
  }

  /** Types of the kernel; a type that only modules define is found in theirs. */
  get types(): TypeSource {
    return this.names;
  }

  get modules(): readonly Module[] {
    return this.once(this.rungs.modules);
  }

  get cpus(): Cpus {
    return this.once(this.rungs.cpus);
  }

  get tasks(): TaskTable {
    return this.once(this.rungs.tasks);
  }

  /** Debug information of the kernel itself (null) or of one of its modules, best first. */
  debugInfo(module: Module | null): readonly DebugInfo[] {
    return this.kept(module ?? this.rungs.debugInfo, () => this.rungs.debugInfo(this, module));
  }

  /** Files that debug information is taken from, besides the dump itself; null where none may be. */
  get debugFiles(): DebugFiles | null {
    return this.rungs.debugFiles ?? null;
  }

  /** To be called when other files are to be used for a module: what is known of it is read again when asked for. */
  reopenDebugInfo(module: Module): void {
    this.known.delete(module);
    this.known.delete(openNames);
    this.sizedTypes.clear();
  }

  /** Virtual address of a symbol. @throws NotFoundError */
  address(symbol: string): VirtAddr {
    const found = this.symbols.find(symbol);
    if (found === null) throw new NotFoundError('symbol', symbol);
    return found.address;
  }

  /** The type by name (`struct page`, `pid_t`). @throws NotFoundError */
  type(name: string): Type {
    const found = this.types.find(name);
    if (found === null) throw new NotFoundError('type', name);
    return found;
  }

  /** An object of a named type at a virtual address. Nothing is read yet. @throws NotFoundError for the type */
  object(type: Type | string, address: VirtAddr): KernelObject {
    return KernelObject.at(this, type, address);
  }

  /**
   * The object that a C expression of the kernel's variables and types is: `init_task.tasks`,
   * `((struct task_struct *)0xffff...)->mm`. @throws UsageError for what is no expression; NotFoundError, MemoryFault
   */
  at(expression: string): KernelObject {
    const symbol = (name: string): KernelObject | null => {
      const found = this.symbols.find(name);
      const type = found === null ? null : (this.variableType(name) ?? this.functionType(name) ?? { kind: 'void' });
      return type === null ? null : this.object(type, found!.address);
    };
    return evaluate(expression, { context: this, symbol, macro: (name) => this.macro(name) });
  }

  /** An object's value as `p` prints it: what `String(object)` gives. @throws MemoryFault */
  readonly print = (object: KernelObject): string => {
    const symbolize = (address: VirtAddr): string | null => {
      const place = this.place(address);
      return place === null ? null : formatPlace(place);
    };
    return printText(object.type, readValue(object, { symbolize }), { radix: 10 });
  };

  /** A global variable with its type. @throws NotFoundError if the symbol, or its type, is not known */
  variable(name: string): KernelObject {
    const address = this.address(name);
    const type = this.variableType(name);
    if (type === null) throw new NotFoundError('type of variable', name);
    return this.object(type, address);
  }

  /**
   * A symbol of the kernel itself, or null: for asking what a kernel has. Unlike `symbols.find`, a name that
   * it has not does not make every module's symbols be read.
   */
  ownSymbol(name: string): KernelSymbol | null {
    return this.symbols.own(name);
  }

  /** A variable of the kernel itself, or null where it has none of that name (or nobody knows its type). */
  optionalVariable(name: string): KernelObject | null {
    const symbol = this.ownSymbol(name);
    const type = symbol === null ? null : this.variableType(name);
    return type === null ? null : this.object(type, symbol!.address);
  }

  /** C type of a global or per-CPU variable, or null. An array declared without a length is as long as its symbol. */
  variableType(name: string): Type | null {
    const type = this.declaredType(name);
    if (type?.kind !== 'array' || type.length > 0) return type;
    let sized = this.sizedTypes.get(name);
    if (sized === undefined) {
      const size = this.symbols.find(name)?.size ?? 0;
      const element = sizeOf(type.element);
      sized = element > 0 ? { ...type, length: Math.floor(size / element) } : type;
      this.sizedTypes.set(name, sized);
    }
    return sized;
  }

  /** As `variableType`, as it is declared: an array declared without a length has length 0. */
  declaredType(name: string): Type | null {
    const own = this.names.variable(name, null);
    if (own !== null) return own;
    const module = this.symbols.find(name)?.module ?? null;
    return module === null ? null : this.names.variable(name, module);
  }

  /** Prototype of a function of the kernel or of a module; null where none is known. */
  functionType(name: string): FunctionType | null {
    return this.names.function(name);
  }

  /** What a name was defined as with `#define`, where debug information has macros; else null. */
  macro(name: string): Macro | null {
    return this.names.macro(name);
  }

  /** One CPU's copy of a per-CPU variable. @throws NotFoundError, MemoryFault */
  perCpu(name: string, cpu: number): KernelObject {
    const type = this.variableType(name);
    if (type === null) throw new NotFoundError('type of variable', name);
    return this.object(type, this.perCpuAddress(name, cpu));
  }

  /** Virtual address of one CPU's copy of a per-CPU variable. @throws NotFoundError, MemoryFault */
  perCpuAddress(name: string, cpu: number): VirtAddr {
    return offsetBy(this.address(name), this.perCpuOffset(cpu));
  }

  /**
   * What a CPU adds to the address of a per-CPU variable (or to a `__percpu` pointer) to reach its own copy, in bytes:
   * per_cpu_offset() of include/linux/percpu.h.
   * @throws NotFoundError where an SMP kernel's __per_cpu_offset is not known; MemoryFault
   */
  perCpuOffset(cpu: number): bigint {
    let offset = this.perCpuOffsets.get(cpu);
    if (offset === undefined) {
      if (!Number.isInteger(cpu) || cpu < 0 || cpu >= maxCpus) {
        throw new FormatError('CPU number', `${cpu} is out of range`);
      }
      const offsets = this.ownSymbol('__per_cpu_offset');
      // without CONFIG_SMP there is one copy, at the symbol
      offset = offsets === null ? 0n : this.space.u64(offsetBy(offsets.address, cpu * 8));
      this.perCpuOffsets.set(cpu, offset);
    }
    return offset;
  }

  /** The symbol and offset of an address in kernel or module text or data, or null. */
  place(address: VirtAddr): SymbolPlace | null {
    return this.symbols.at(address);
  }

  private get names(): DebugNames {
    return this.once(openNames);
  }

  private kept<T>(key: unknown, read: () => T): T {
    let value = this.known.get(key);
    if (value === undefined) {
      // what is read once may take as much as who needs it first: what is read for it in turn shall not have half of a half
      const reading = this.faults.memo(() => this.work.within(this.work.part(partName, 2), read));
      let spent: BudgetError | null = null;
      value = () => {
        // what came to no end once will not when asked again
        if (spent !== null) throw spent;
        try {
          return reading();
        } catch (error) {
          if (error instanceof BudgetError && error.what === partName) spent = error;
          throw error;
        }
      };
      this.known.set(key, value);
    }
    return value() as T;
  }
}

/** The budget of what is read once. */
const partName = 'reading';

function openNames(kernel: Kernel): DebugNames {
  return new DebugNames(kernel.debugInfo(null), () =>
    kernel.modules.map((module) => ({ module: module.name, infos: kernel.debugInfo(module) })),
  );
}
