// A dead kernel made by a test: types from C declarations, symbols, and memory written member by member. It has
// what walkers of kernel structures ask a session for; nothing of it comes from a dump.
//
//   const kernel = new SyntheticKernel('struct list_head { struct list_head *next, *prev; };');
//   const head = kernel.allocate('struct list_head', 'modules');       // a symbol, too
//   kernel.set(head, 'next', head.address);
//   readModules(kernel.session)
import type { Architecture } from '../../src/arch/architecture.ts';
import { type VirtAddr, virtAddr } from '../../src/base/address.ts';
import { NotFoundError } from '../../src/base/errors.ts';
import { WorkSlot } from '../../src/base/work.ts';
import { KernelObject, type ObjectContext } from '../../src/debuginfo/object.ts';
import type { KernelSymbol, SymbolPlace } from '../../src/debuginfo/symbol.ts';
import { type MemberPlace, memberOf, sizeOf, strip, type Type, type TypeSource } from '../../src/debuginfo/type.ts';
import type { CpuNote } from '../../src/dump/dump.ts';
import { Vmcoreinfo } from '../../src/dump/vmcoreinfo.ts';
import { FaultLog } from '../../src/kernel/faults.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { type Module, readModules } from '../../src/kernel/module.ts';
import { type Cpus, perCpuOffset, readCpus } from '../../src/kernel/percpu.ts';
import { readTasks, type TaskTable } from '../../src/kernel/sched.ts';
import { declaredType } from '../../src/kernel/variables.ts';
import { parseCTypes } from './c_types.ts';
import { x86Over } from './synthetic_architecture.ts';
import { SyntheticSpace } from './synthetic_memory.ts';

/** Where objects are made: a page for each, so that a test can leave out one without the others. */
const heapStart = 0xffff_8880_0000_0000n;

export class SyntheticKernel implements ObjectContext {
  readonly space = new SyntheticSpace();
  readonly arch: Architecture = x86Over(this.space);
  readonly types: TypeSource;
  readonly faults = new FaultLog();
  readonly work = new WorkSlot();
  readonly vmcoreinfo: Vmcoreinfo;
  readonly btf = null;
  private readonly symbolTable = new Map<string, KernelSymbol>();
  private readonly variableTypes = new Map<string, Type>();
  private next = heapStart;
  private readonly lazyModules = this.faults.memo(() => readModules(this.session));
  private readonly lazyCpus = this.faults.memo(() => readCpus(this.session));
  private readonly lazyTasks = this.faults.memo(() => readTasks(this.session));

  /** @param declarations C declarations of the types; @param vmcoreinfo text of VMCOREINFO */
  constructor(declarations: string, vmcoreinfo = '') {
    this.types = parseCTypes(declarations);
    this.vmcoreinfo = new Vmcoreinfo(vmcoreinfo);
  }

  /** Itself, as what walkers take. */
  get session(): Kernel {
    return this as unknown as Kernel;
  }

  get dump() {
    return {
      memory: this.space.memory,
      info: {
        files: ['vmcore'],
        level: 31,
        complete: true,
        pages: { total: 1, present: 1, lost: 0 },
      },
      notes: { vmcoreinfo: null, cpus: [] as readonly CpuNote[], eraseInfo: null, all: [] },
    };
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

  get symbols() {
    const { symbolTable } = this;
    return {
      find: (name: string): KernelSymbol | null => symbolTable.get(name) ?? null,
      all: (): Iterable<KernelSymbol> => symbolTable.values(),
    };
  }

  place(address: VirtAddr): SymbolPlace | null {
    for (const symbol of this.symbolTable.values()) {
      if (address >= symbol.address && address < symbol.address + BigInt(Math.max(1, symbol.size))) {
        return { symbol, offset: Number(address - symbol.address) };
      }
    }
    return null;
  }

  type(name: string): Type {
    const found = this.types.find(name);
    if (found === null) throw new NotFoundError('type', name);
    return found;
  }

  object(type: Type | string, address: VirtAddr): KernelObject {
    return KernelObject.at(this, type, address);
  }

  ownSymbol(name: string): KernelSymbol | null {
    return this.symbolTable.get(name) ?? null;
  }

  address(symbol: string): VirtAddr {
    const found = this.symbolTable.get(symbol);
    if (found === undefined) throw new NotFoundError('symbol', symbol);
    return found.address;
  }

  variableType(name: string): Type | null {
    return this.variableTypes.get(name) ?? declaredType(this.types, name);
  }

  variable(name: string): KernelObject {
    const address = this.address(name);
    const type = this.variableType(name);
    if (type === null) throw new NotFoundError('type of variable', name);
    return this.object(type, address);
  }

  optionalVariable(name: string): KernelObject | null {
    return this.symbolTable.has(name) ? this.variable(name) : null;
  }

  perCpu(name: string, cpu: number): KernelObject {
    return this.object(this.variableType(name)!, virtAddr(this.address(name) + this.perCpuOffset(cpu)));
  }

  perCpuOffset(cpu: number): bigint {
    return perCpuOffset(this.session, cpu);
  }

  /** Zeroed memory for a type, on pages of its own. @param symbol makes it a variable of that name, too */
  allocate(type: Type | string, symbol?: string): KernelObject {
    const resolved = typeof type === 'string' ? this.type(type) : type;
    const address = this.reserve(sizeOf(resolved));
    if (symbol !== undefined) this.define(symbol, address, sizeOf(resolved), resolved);
    return this.object(resolved, address);
  }

  /** Zeroed memory, from the start of a page. */
  reserve(size: number): VirtAddr {
    const address = virtAddr(this.next);
    this.space.map(address, Math.max(1, size));
    this.next += BigInt(Math.ceil((size + 1) / 4096)) * 4096n;
    return address;
  }

  /** Makes a symbol. */
  define(name: string, address: bigint, size = 8, type?: Type): void {
    this.symbolTable.set(name, { name, address: virtAddr(address), type: 'D', size, module: null });
    if (type !== undefined) this.variableTypes.set(name, type);
  }

  /** Writes a member: a number, an object (a pointer to it), or text (into an array of char). */
  set(object: KernelObject, path: string, value: number | bigint | string | KernelObject): void {
    const place = memberOf(object.type, path);
    if (typeof value === 'string') {
      this.space.write(object.address + BigInt(place.bitOffset / 8), Buffer.from(`${value}\0`, 'latin1'));
    } else this.setNumber(object.address, place, value instanceof KernelObject ? value.address : BigInt(value));
  }

  /** Links nodes into a circle after `head`; each is the address of a `struct list_head`. */
  link(head: bigint, ...nodes: bigint[]): void {
    const circle = [head, ...nodes];
    for (const [i, node] of circle.entries()) {
      this.space.words(node, circle[(i + 1) % circle.length]!, circle[(i + circle.length - 1) % circle.length]!);
    }
  }

  private setNumber(base: bigint, place: MemberPlace, value: bigint): void {
    const address = virtAddr(base + BigInt(Math.floor(place.bitOffset / 8)));
    const size = Math.max(1, sizeOf(strip(place.type)));
    const bytes = this.space.read(address, size);
    let word = 0n;
    for (let i = size - 1; i >= 0; i--) word = (word << 8n) | BigInt(bytes[i]!);
    const shift = BigInt(place.bitOffset % 8);
    const mask = (1n << BigInt(place.bitSize || size * 8)) - 1n;
    word = (word & ~(mask << shift)) | ((value & mask) << shift);
    for (let i = 0; i < size; i++) bytes[i] = Number((word >> BigInt(i * 8)) & 0xffn);
    this.space.write(address, bytes);
  }
}
