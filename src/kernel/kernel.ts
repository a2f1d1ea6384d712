// The dead kernel: one opened dump with everything that is read out of it, each thing when first asked
// for and once. Files beside this one walk the kernel's structures, one file a kernel header; they take a
// `Kernel` and give plain data or typed objects.
//
//   dump --- notes: VMCOREINFO ---> address space ---> kallsyms ---> BTF ---> typed objects
//                                        |                            |
//                                        +-------- modules' symbols and types
//
// Each step may fail and costs only what stands on it.

import type { AddressSpace } from '../arch/address_space.ts';
import type { Architecture } from '../arch/architecture.ts';
import { openArchitecture } from '../arch/architectures.ts';
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { FormatError, NotFoundError } from '../base/errors.ts';
import { WorkSlot } from '../base/work.ts';
import { BtfTypes } from '../debuginfo/btf.ts';
import { Kallsyms } from '../debuginfo/kallsyms.ts';
import { KernelObject, type ObjectContext } from '../debuginfo/object.ts';
import type { KernelSymbol, SymbolPlace } from '../debuginfo/symbol.ts';
import { SymbolTable } from '../debuginfo/symbol_table.ts';
import { sizeOf, type Type, type TypeSource } from '../debuginfo/type.ts';
import type { Dump } from '../dump/dump.ts';
import { Vmcoreinfo } from '../dump/vmcoreinfo.ts';
import { findVmcoreinfo } from '../dump/vmcoreinfo_search.ts';
import { installExcludedPageJudge } from './excluded_pages.ts';
import { FaultLog } from './faults.ts';
import { type Module, moduleSymbols, readModules, readModuleTypes } from './module.ts';
import { type Cpus, perCpuOffset, readCpus } from './percpu.ts';
import { readTasks, type TaskTable } from './sched.ts';
import { SessionTypes } from './session_types.ts';
import { declaredType } from './variables.ts';

/** Largest BTF of a kernel believed, in bytes: those with every option have 10 MB or so. */
const maxBtf = 64n * 1024n * 1024n;

export class Kernel implements ObjectContext {
  readonly dump: Dump;
  readonly faults = new FaultLog();
  /** What work is under way, for everything that takes time to charge. */
  readonly work = new WorkSlot();
  readonly vmcoreinfo: Vmcoreinfo;
  /** True when VMCOREINFO was in no note and was found by searching memory. */
  readonly vmcoreinfoFromMemory: boolean;
  readonly arch: Architecture;
  /** The kernel's own virtual memory. */
  readonly space: AddressSpace;

  private readonly perCpuOffsets = new Map<number, bigint>();
  private readonly lazySymbols: () => SymbolTable;
  private readonly lazyTypes: () => SessionTypes;
  private readonly lazyModules: () => readonly Module[];
  private readonly lazyCpus: () => Cpus;
  private readonly lazyTasks: () => TaskTable;

  /**
   * @throws FormatError when not even the kernel's page tables can be found; UnsupportedError for an
   *   architecture whose memory cannot be translated
   */
  constructor(dump: Dump) {
    this.dump = dump;
    const found = dump.notes.vmcoreinfo === null ? findVmcoreinfo(dump.memory) : null;
    this.vmcoreinfoFromMemory = found !== null;
    this.vmcoreinfo = new Vmcoreinfo(dump.notes.vmcoreinfo ?? found ?? '');
    this.arch = openArchitecture(dump, this.vmcoreinfo);
    this.space = this.arch.space;

    this.lazySymbols = this.faults.memo(() => this.openSymbols());
    this.lazyTypes = this.faults.memo(
      () =>
        new SessionTypes(
          this.faults.attempt('BTF', () => this.openBtf(), null),
          this.faults.memo(() => readModuleTypes(this)),
        ),
    );
    this.lazyModules = this.faults.memo(() => readModules(this));
    this.lazyCpus = this.faults.memo(() => readCpus(this));
    this.lazyTasks = this.faults.memo(() => readTasks(this));
    installExcludedPageJudge(this);
  }

  get symbols(): SymbolTable {
    return this.lazySymbols();
  }

  /** Types of the kernel; a type that only modules define is found in theirs. */
  get types(): TypeSource {
    return this.sessionTypes;
  }

  /** BTF of the kernel, or null where the dump has none that can be read. */
  get btf(): BtfTypes | null {
    return this.sessionTypes.base;
  }

  get modules(): readonly Module[] {
    return this.lazyModules();
  }

  get cpus(): Cpus {
    return this.lazyCpus();
  }

  get tasks(): TaskTable {
    return this.lazyTasks();
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
    return this.symbols.kernel?.find(name) ?? null;
  }

  /** A variable of the kernel itself, or null where it has none of that name (or nobody knows its type). */
  optionalVariable(name: string): KernelObject | null {
    const symbol = this.ownSymbol(name);
    const type = symbol === null ? null : this.variableType(name);
    return type === null ? null : this.object(type, symbol!.address);
  }

  /** C type of a global or per-CPU variable: from BTF where it has it, else from the table of well-known ones. */
  variableType(name: string): Type | null {
    const own = this.sessionTypes.variable(name) ?? declaredType(this.types, name);
    const type = own ?? (this.symbols.find(name)?.module == null ? null : this.sessionTypes.moduleVariable(name));
    // an array of unknown length takes what the symbol's size leaves room for
    if (type?.kind === 'array' && type.length === 0) {
      const size = this.symbols.find(name)?.size ?? 0;
      const element = sizeOf(type.element);
      return element > 0 ? { ...type, length: Math.floor(size / element) } : type;
    }
    return type;
  }

  /** Prototype of a function of the kernel or of a module; null where BTF has none. */
  functionType(name: string): Type | null {
    return this.sessionTypes.functionType(name);
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

  /** What one CPU adds to a per-CPU address to reach its own copy, in bytes. @throws NotFoundError, MemoryFault */
  perCpuOffset(cpu: number): bigint {
    let offset = this.perCpuOffsets.get(cpu);
    if (offset === undefined) {
      offset = perCpuOffset(this, cpu);
      this.perCpuOffsets.set(cpu, offset);
    }
    return offset;
  }

  /** The symbol and offset of an address in kernel or module text or data, or null. */
  place(address: VirtAddr): SymbolPlace | null {
    return this.symbols.at(address);
  }

  private get sessionTypes(): SessionTypes {
    return this.lazyTypes();
  }

  private openSymbols(): SymbolTable {
    const kernel = this.faults.attempt(
      'kallsyms',
      () => Kallsyms.open(this.space, this.vmcoreinfo, this.arch.symbolSearch),
      null,
    );
    this.arch.useSymbols((name) => kernel?.find(name)?.address ?? null);
    return new SymbolTable(kernel, () => this.faults.attempt('module symbols', () => moduleSymbols(this), []));
  }

  private openBtf(): BtfTypes {
    // scripts/link-vmlinux.sh and include/asm-generic/vmlinux.lds.h (BTF_SECTION), since 5.2
    const start = this.ownSymbol('__start_BTF')?.address;
    const stop = this.ownSymbol('__stop_BTF')?.address;
    if (start === undefined || stop === undefined) throw new NotFoundError('symbol', '__start_BTF');
    const size = stop - start;
    if (size <= 0n || size > maxBtf) throw new FormatError('BTF', `0x${size.toString(16)} bytes between its symbols`);
    return new BtfTypes(this.space.read(start, Number(size)));
  }
}
