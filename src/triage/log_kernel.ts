// A kernel of which nothing is left but its log. What a log tells of code stands in for memory: the functions that it
// names get addresses of their own making, and the bytes of its Code: line lie at one of them. So whatever weighs a dump
// weighs a log, too; the addresses are nobody's, and are not shown.
import type { Machine } from '../arch/architecture.ts';
import { machines } from '../arch/architectures.ts';
import { KernelSpace } from '../arch/kernel_space.ts';
import type { PageWalk } from '../arch/page_walk.ts';
import { type PhysAddr, physAddr, type VirtAddr, virtAddr } from '../base/address.ts';
import { MemoryFault } from '../base/errors.ts';
import type { KernelSymbol, SymbolPlace } from '../debuginfo/symbol.ts';
import { SymbolTable } from '../debuginfo/symbol_table.ts';
import type { Dump, DumpInfo } from '../dump/dump.ts';
import { PagedMemory, type PageStore } from '../dump/paged_memory.ts';
import { Vmcoreinfo } from '../dump/vmcoreinfo.ts';
import { Kernel } from '../kernel/kernel.ts';
import type { TaskTable } from '../kernel/task.ts';
import type { Frame } from '../oops/frames.ts';
import type { Incident } from '../oops/incident.ts';

const pageSize = 4096;
/** Where functions are put, each at the start of a room of its own. */
const firstFunction = 0xffff_a000_0000_0000n;
const roomOfFunction = 0x10_0000n;
/** The names that logs have for machines. */
const machineNames: Readonly<Record<string, string>> = { arm64: 'aarch64' };

/** Functions that a log names, with places for them. */
export class LogPlaces {
  private readonly functions = new Map<string, KernelSymbol>();

  /** The address of a frame: its own where the log prints it and knows no name, else one that stands for it. */
  addressOf({ symbol, offset, size, module, address }: Frame): VirtAddr {
    if (symbol === null) return virtAddr(BigInt(address ?? '0x0'));
    const key = `${symbol} ${module ?? ''}`;
    let known = this.functions.get(key);
    if (known === undefined) {
      const start = virtAddr(firstFunction + BigInt(this.functions.size) * roomOfFunction);
      known = { name: symbol, address: start, type: 't', size: Math.max(1, size ?? 1), module };
      this.functions.set(key, known);
    }
    return virtAddr(known.address + BigInt(offset ?? 0));
  }

  /** The function and offset of a frame; null without a name. */
  placeOf(frame: Frame): SymbolPlace | null {
    if (frame.symbol === null) return null;
    this.addressOf(frame);
    const symbol = this.functions.get(`${frame.symbol} ${frame.module ?? ''}`)!;
    return { symbol, offset: frame.offset ?? 0 };
  }

  get symbols(): readonly KernelSymbol[] {
    return [...this.functions.values()];
  }
}

/** Memory that holds the bytes of a Code: line, and nothing else. */
class CodeSpace extends KernelSpace {
  private readonly first: VirtAddr;
  private readonly length: number;
  private readonly places: LogPlaces;

  constructor(bytes: Uint8Array, first: VirtAddr, places: LogPlaces) {
    super(new PagedMemory(codeStore(bytes, Number(first & BigInt(pageSize - 1)))), 'kernel');
    this.first = first;
    this.length = bytes.length;
    this.places = places;
  }

  override translate(address: VirtAddr): PhysAddr {
    const from = Number(address - this.first);
    if (from < 0 || from >= this.length) throw new MemoryFault('kernel', address, 'not-mapped');
    return physAddr(from + Number(this.first & BigInt(pageSize - 1)));
  }

  override walk(address: VirtAddr): PageWalk {
    return {
      entries: [],
      pageSize: null,
      physical: null,
      fault: new MemoryFault('kernel', address, 'not-mapped'),
      swap: null,
    };
  }

  /** Code is what the log has a name for, and what it shows the bytes of. */
  override isExecutable(address: VirtAddr): boolean {
    const isShown = address >= this.first && address < this.first + BigInt(this.length);
    return (
      isShown ||
      this.places.symbols.some((symbol) => address - symbol.address < roomOfFunction && address >= symbol.address)
    );
  }

  protected override mayExecute(): boolean {
    return false;
  }
}

function codeStore(bytes: Uint8Array, offset: number): PageStore {
  const maxPfn = Math.ceil((offset + bytes.length) / pageSize);
  const whole = new Uint8Array(maxPfn * pageSize);
  whole.set(bytes, offset);
  const page = (pfn: number): Uint8Array => whole.subarray(pfn * pageSize, (pfn + 1) * pageSize);
  return {
    pageSize,
    maxPfn,
    state: () => 'present',
    load: (pfn, into) => {
      into.set(page(pfn));
      return 'present';
    },
    loadRun: () => 0,
    presentRuns: () => [],
    ramRanges: () => [],
  };
}

/** The machine that a log is of, as far as it tells; null: one that nothing is known of here. */
export function machineOf(death: Incident | null): Machine | null {
  const name = death?.architecture ?? null;
  if (name === null) return null;
  const own = machineNames[name] ?? name;
  return Object.hasOwn(machines, own) ? machines[own]!() : null;
}

/** @param files the log's name @param size bytes of it */
export function logKernel(death: Incident | null, places: LogPlaces, file: string, size: number): Kernel {
  const code = death?.code ?? null;
  const at = death?.instruction ?? null;
  const isShown = code?.unit === 'byte' && code.fault !== null && at !== null;
  const bytes = isShown ? Uint8Array.from(code.values) : new Uint8Array(0);
  const first = isShown ? virtAddr(places.addressOf(at) - BigInt(code.fault!)) : virtAddr(0n);
  // what no machine of ours printed is read as one all the same: only its words count
  const arch = (machineOf(death) ?? machines['x86_64']!()).over(new CodeSpace(bytes, first, places));
  return new Kernel({
    dump: noDump(arch.space.memory, file, size, death?.architecture ?? arch.name),
    vmcoreinfo: new Vmcoreinfo(''),
    vmcoreinfoFromMemory: false,
    arch,
    space: arch.space,
    live: false,
    symbols: () =>
      new SymbolTable(
        null,
        () => [],
        () => places.symbols,
      ),
    debugInfo: () => [],
    modules: () => [],
    cpus: () => ({ possible: [], present: [], online: [], running: [] }),
    tasks: () => noTasks,
  });
}

const noTasks: TaskTable = {
  all: [],
  byPid: () => null,
  byAddress: () => null,
  threads: () => [],
  active: () => null,
  activeAddress: () => null,
};

function noDump(memory: Dump['memory'], file: string, size: number, machine: string): Dump {
  const info: DumpInfo = {
    files: [file],
    fileSize: size,
    format: 'elf',
    description: 'a log, without a dump',
    flattened: false,
    split: 1,
    version: null,
    compression: 'none',
    level: null,
    machine,
    utsname: null,
    headerTime: null,
    pages: { total: 0, present: 0, lost: 0 },
    lacksMap: false,
    complete: true,
    warnings: [],
  };
  return {
    description: { files: [file] },
    rawNotes: () => new Uint8Array(0),
    memory,
    info,
    notes: { vmcoreinfo: null, cpus: [], eraseInfo: null, mini: null, devices: [], all: [] },
    live: null,
    close: () => {},
  };
}
