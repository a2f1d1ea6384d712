// A dead kernel made by a test: types from C declarations, symbols, and memory written member by member, put as rungs
// into the real class. Nothing of it comes from a dump.
//
//   const kernel = new SyntheticKernel('struct list_head { struct list_head *next, *prev; };');
//   const head = kernel.allocate('struct list_head', 'modules');       // a symbol, too
//   kernel.set(head, 'next', head.address);
//   readModules(kernel)
import { type VirtAddr, virtAddr } from '../../src/base/address.ts';
import type { DebugInfo, DebugInfoKind } from '../../src/debuginfo/debug_info.ts';
import { KernelObject } from '../../src/debuginfo/object.ts';
import { SymbolTable } from '../../src/debuginfo/symbol_table.ts';
import { type MemberPlace, memberOf, sizeOf, strip, type Type } from '../../src/debuginfo/type.ts';
import { wellKnownVariables } from '../../src/debuginfo/variables.ts';
import type { CpuNote, Dump, DumpInfo, PhysicalMemory } from '../../src/dump/dump.ts';
import { Vmcoreinfo } from '../../src/dump/vmcoreinfo.ts';
import { generatedCode } from '../../src/kernel/generated_code.ts';
import { Kernel, type Rungs } from '../../src/kernel/kernel.ts';
import { readModules } from '../../src/kernel/module_list.ts';
import { moduleSymbols } from '../../src/kernel/module_symbols.ts';
import { debugInfoOpener } from '../../src/kernel/open_kernel.ts';
import { readCpus } from '../../src/kernel/percpu.ts';
import { readTasks } from '../../src/kernel/sched.ts';
import { parseCTypes } from './c_types.ts';
import { x86Over } from './synthetic_architecture.ts';
import { SyntheticSpace } from './synthetic_memory.ts';
import { SyntheticSymbols } from './synthetic_symbols.ts';

/** Where objects are made: a page for each, so that a test can leave out one without the others. */
const heapStart = 0xffff_8880_0000_0000n;

/** What a synthetic kernel's rungs are made of. */
export interface SyntheticParts {
  readonly space: SyntheticSpace;
  /** The kernel's own symbols. */
  readonly symbols: SyntheticSymbols;
}

export class SyntheticKernel extends Kernel {
  declare readonly space: SyntheticSpace;
  protected readonly ownSymbols: SyntheticSymbols;
  private readonly variableTypes: Map<string, Type>;
  private readonly kinds: DebugInfoKind[];
  private next = heapStart;

  /**
   * @param declarations C declarations of the types
   * @param vmcoreinfo text of VMCOREINFO
   * @param rungs what is to be another way than by default
   */
  constructor(declarations: string, vmcoreinfo = '', rungs: (parts: SyntheticParts) => Partial<Rungs> = () => ({})) {
    const space = new SyntheticSpace();
    const symbols = new SyntheticSymbols();
    const variables = new Map<string, Type>();
    const kinds = [declared(declarations, variables), wellKnownVariables];
    super({
      dump: syntheticDump(space.memory),
      vmcoreinfo: new Vmcoreinfo(vmcoreinfo),
      vmcoreinfoFromMemory: false,
      arch: x86Over(space),
      space,
      live: false,
      symbols: (kernel) =>
        new SymbolTable(
          symbols,
          () => moduleSymbols(kernel),
          () => generatedCode(kernel).map(({ symbol }) => symbol),
        ),
      debugInfo: debugInfoOpener(kinds),
      modules: (kernel) => (kernel.ownSymbol('modules') === null ? [] : readModules(kernel)),
      cpus: readCpus,
      tasks: readTasks,
      ...rungs({ space, symbols }),
    });
    this.ownSymbols = symbols;
    this.variableTypes = variables;
    this.kinds = kinds;
  }

  /** Debug information that is asked after the types and variables of the test. */
  addDebugInfo(info: DebugInfo): void {
    this.kinds.push({ name: info.origin, open: ({ module }) => (module === null ? info : null) });
    this.forget();
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
    this.ownSymbols.replace({ name, address: virtAddr(address), type: 'D', size, module: null });
    if (type !== undefined) this.variableTypes.set(name, type);
    this.forget();
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

/** The types of a test's declarations, with the variables that it made. */
function declared(declarations: string, variables: ReadonlyMap<string, Type>): DebugInfoKind {
  const types = parseCTypes(declarations);
  return {
    name: 'declarations',
    open: ({ module }) =>
      module !== null
        ? null
        : {
            origin: 'declarations',
            types,
            variable: (name) => variables.get(name) ?? null,
            function: () => null,
            macro: () => null,
            code: null,
          },
  };
}

/** A dump of nothing but memory, and what a test adds. */
export function syntheticDump(
  memory: PhysicalMemory,
  { info = {}, cpus = [] }: { readonly info?: Partial<DumpInfo>; readonly cpus?: readonly CpuNote[] } = {},
): Dump {
  return {
    description: { files: ['vmcore'] },
    rawNotes: () => new Uint8Array(0),
    memory,
    info: {
      files: ['vmcore'],
      fileSize: 4096,
      format: 'kdump',
      description: 'kdump-compressed v6, zlib',
      flattened: false,
      split: 1,
      version: 6,
      compression: 'zlib',
      level: 31,
      lacksMap: false,
      machine: 'x86_64',
      utsname: null,
      headerTime: null,
      pages: { total: 1, present: 1, lost: 0 },
      complete: true,
      warnings: [],
      ...info,
    },
    notes: { vmcoreinfo: null, cpus, eraseInfo: null, mini: null, devices: [], all: [] },
    live: null,
    close: () => {},
  };
}
