// What an address is: everything that is known of it, each part by the walker that knows. The commands `kmem ADDRESS`
// and `find`, names on stacks, and verdicts stand on it.
//
//   address --> symbol, per-CPU variable, module
//           --> task_struct, stack (and the frame there)
//           --> object of a slab cache, its state and its neighbours
//           --> area of vmalloc()
//           --> page frame, what it is used for; a struct page itself
//   user address --> VMA, file
import { type RegionName, regionOf } from '../arch/architecture.ts';
import type { Stack } from '../arch/stacks.ts';
import { type Pfn, type PhysAddr, pfn, type VirtAddr, virtAddr } from '../base/address.ts';
import { MemoryFault } from '../base/errors.ts';
import type { SymbolPlace } from '../debuginfo/symbol.ts';
import { sizeOf } from '../debuginfo/type.ts';
import { backtracer, type Frame } from './backtrace.ts';
import type { Kernel } from './kernel.ts';
import { memoryModel } from './memory_model.ts';
import { userMemory, type VmArea, vmAreaAround } from './mm_types.ts';
import type { Module } from './module.ts';
import { type PageUse, pageFrames } from './page_kind.ts';
import { perKernel } from './per_kernel.ts';
import { taskStack } from './sched.ts';
import { type SlabObjectPlace, slabObjectAt } from './slab_object.ts';
import type { Task } from './task.ts';
import { type VmallocArea, vmallocAreaAt } from './vmalloc.ts';

/** What is known of an address; every part that does not apply, or cannot be known, is null. */
export interface AddressIdentity {
  readonly address: VirtAddr;
  /** The part of the kernel's virtual memory. */
  readonly region: RegionName | null;
  /** The symbol of the kernel or of a module whose memory it lies in. */
  readonly symbol: SymbolPlace | null;
  readonly perCpu: PerCpuPlace | null;
  readonly module: Module | null;
  /** The task whose task_struct it lies in. */
  readonly task: TaskPlace | null;
  readonly stack: StackPlace | null;
  readonly slab: SlabObjectPlace | null;
  readonly vmalloc: VmallocArea | null;
  /** The page frame that it is mapped to. */
  readonly page: PagePlace | null;
  /** The page frame whose `struct page` it lies in. */
  readonly pageStruct: Pfn | null;
  /** For an address of a process. */
  readonly user: UserPlace | null;
}

/** An address in a CPU's copy of per-CPU memory. */
export interface PerCpuPlace {
  readonly cpu: number;
  /** The variable; null in memory that was allocated at run time (alloc_percpu()). */
  readonly symbol: SymbolPlace | null;
  /** What the kernel calls the address in every CPU's copy. */
  readonly base: bigint;
}

export interface TaskPlace {
  readonly task: Task;
  /** Bytes from the task_struct. */
  readonly offset: number;
}

/** An address on a kernel stack. */
export interface StackPlace {
  /** `task`, `IRQ`, `NMI`, ... as crash(8) names it. */
  readonly name: string;
  readonly start: VirtAddr;
  readonly end: VirtAddr;
  /** Whose it is; null for a CPU's. */
  readonly task: Task | null;
  /** The CPU that it belongs to; null for a task's. */
  readonly cpu: number | null;
  /** The function whose frame it lies in; null where that is not known, and below what is in use. */
  readonly frame: Frame | null;
  /** True for an address below all frames, whose content is left over. */
  readonly unused: boolean;
}

export interface PagePlace {
  readonly pfn: Pfn;
  readonly physical: PhysAddr;
  /** What the page frame is used for; null where the kernel does not tell. */
  readonly use: PageUse | null;
  /** Virtual address of its `struct page`; null where it has none. */
  readonly structPage: VirtAddr | null;
}

export interface UserPlace {
  readonly task: Task;
  readonly area: VmArea;
}

/**
 * Everything that is known of an address. Throws nothing for what the dump holds.
 * @param task whose memory a user address is of; null if there is none
 */
export function identify(kernel: Kernel, pointer: VirtAddr, task: Task | null = null): AddressIdentity {
  const { faults, arch } = kernel;
  const address = kernel.space.untagged(pointer);
  const attempt = <T>(what: string, work: () => T | null): T | null => faults.attempt(what, work, null);
  const isKernel = arch.isKernelAddress(address);
  const symbol = isKernel ? kernel.place(address) : null;
  const place = isKernel ? attempt('slabs', () => slabObjectAt(kernel, address)) : null;
  const region = isKernel ? (regionOf(arch, address)?.name ?? null) : null;
  return {
    address,
    region,
    symbol,
    perCpu: isKernel && symbol === null ? attempt('per-CPU memory', () => perCpuPlace(kernel, address)) : null,
    module: isKernel ? attempt('modules', () => moduleAt(kernel, address)) : null,
    task: isKernel ? attempt('tasks', () => taskAt(kernel, address)) : null,
    stack: isKernel ? attempt('stacks', () => stackAt(kernel, address)) : null,
    slab: place,
    vmalloc: isKernel && place === null ? attempt('vmalloc areas', () => vmallocAreaAt(kernel, address)) : null,
    page: attempt('page', () => pagePlace(kernel, address, isKernel ? null : task)),
    pageStruct: isKernel ? attempt('struct page', () => pageStructAt(kernel, address)) : null,
    user: isKernel || task === null ? null : attempt('VMA', () => userPlace(kernel, task, address)),
  };
}

/** The module in whose memory an address lies. */
function moduleAt(kernel: Kernel, address: VirtAddr): Module | null {
  const isIn = ({ ranges }: Module): boolean =>
    ranges.some(({ start, size }) => address >= start && address - start < BigInt(size));
  return kernel.modules.find(isIn) ?? null;
}

/** Largest part of per-CPU memory of a CPU believed: pcpu_unit_size is some MiB where vmalloc space is no matter. */
const maxUnit = 1n << 30n;

/** The first chunk of per-CPU memory: variables of the kernel, room for those of modules, then what was allocated first. */
function perCpuPlace(kernel: Kernel, address: VirtAddr): PerCpuPlace | null {
  const start = kernel.ownSymbol('__per_cpu_start')?.address;
  const end = kernel.ownSymbol('__per_cpu_end')?.address;
  if (start === undefined || end === undefined || kernel.ownSymbol('__per_cpu_offset') === null) return null;
  const unit = kernel.optionalVariable('pcpu_unit_size')?.bigint() ?? end - start;
  for (const cpu of kernel.cpus.possible) {
    const base = BigInt.asUintN(64, address - kernel.perCpuOffset(cpu));
    if (base < start || base - start >= (unit < maxUnit ? unit : end - start)) continue;
    return { cpu, symbol: base < end ? perCpuSymbol(kernel, base) : null, base };
  }
  return null;
}

function perCpuSymbol(kernel: Kernel, base: bigint): SymbolPlace | null {
  const symbols = kernel.symbols.kernel;
  if (symbols === null) return null;
  const symbol = symbols.symbol(symbols.lastNotAbove(virtAddr(base)));
  return symbol === null ? null : { symbol, offset: Number(base - symbol.address) };
}

/** Ranges of addresses that lie apart, by their start. */
interface Range<T> {
  readonly start: bigint;
  readonly end: bigint;
  readonly of: T;
}

function rangeAt<T>(ranges: readonly Range<T>[], address: bigint): Range<T> | null {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle]!.start <= address) low = middle + 1;
    else high = middle;
  }
  const found = ranges[low - 1];
  return found !== undefined && address < found.end ? found : null;
}

function sorted<T>(ranges: Range<T>[]): readonly Range<T>[] {
  return ranges.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
}

const taskStructs = perKernel((kernel) => {
  // arch_task_struct_size: without room for what registers this machine's processors have not (x86)
  const whole = sizeOf(kernel.type('struct task_struct'));
  const size = BigInt(Math.min(whole, kernel.optionalVariable('arch_task_struct_size')?.number() ?? whole));
  return sorted(kernel.tasks.all.map((task) => ({ start: task.address, end: task.address + size, of: task })));
});

function taskAt(kernel: Kernel, address: VirtAddr): TaskPlace | null {
  const found = rangeAt(taskStructs(kernel), address);
  return found === null ? null : { task: found.of, offset: Number(address - found.start) };
}

/** Kernel stacks: of every task, and what CPUs have besides. */
const stacks = perKernel((kernel) => {
  const ranges: Range<{ task: Task | null; cpu: number | null; name: string }>[] = [];
  for (const task of kernel.tasks.all) {
    const stack = kernel.faults.attempt('stack of a task', () => taskStack(kernel, task), null);
    if (stack === null) continue;
    const end = stack.start + BigInt(stack.size);
    ranges.push({ start: stack.start, end, of: { task, cpu: null, name: 'task' } });
  }
  const { unwinder } = backtracer(kernel);
  for (const cpu of kernel.cpus.possible) {
    const own = kernel.faults.attempt('stacks of a CPU', () => unwinder.stacks(virtAddr(0n), cpu), [] as Stack[]);
    for (const { kind, name, start, end } of own) {
      if (kind !== 'task') ranges.push({ start, end, of: { task: null, cpu, name } });
    }
  }
  return sorted(ranges);
});

function stackAt(kernel: Kernel, address: VirtAddr): StackPlace | null {
  const found = rangeAt(stacks(kernel), address);
  if (found === null) return null;
  const { task, cpu, name } = found.of;
  const frames = framesOf(kernel, task ?? (cpu === null ? null : kernel.tasks.active(cpu))).filter(
    ({ stackPointer }) => stackPointer >= found.start && stackPointer < found.end,
  );
  // a frame reaches from its stack pointer up to the next one's
  const frame = frames.findLast(({ stackPointer }) => stackPointer <= address) ?? null;
  return {
    name,
    start: virtAddr(found.start),
    end: virtAddr(found.end),
    task,
    cpu,
    frame,
    unused: frames.length > 0 && frame === null,
  };
}

function framesOf(kernel: Kernel, task: Task | null): readonly Frame[] {
  if (task === null) return [];
  return kernel.faults.attempt('backtrace', () => backtracer(kernel).of(task).frames, []);
}

function pagePlace(kernel: Kernel, address: VirtAddr, task: Task | null): PagePlace | null {
  const isKernel = kernel.arch.isKernelAddress(address);
  if (!isKernel && task === null) return null;
  let physical: PhysAddr;
  try {
    physical = isKernel ? kernel.space.translate(address) : userMemory(kernel, task!).translate(address);
  } catch (error) {
    if (error instanceof MemoryFault) return null; // not mapped: no page, and nothing that is lost
    throw error;
  }
  return physicalPage(kernel, physical);
}

/** The page frame at a physical address; null where there is no memory. */
export function physicalPage(kernel: Kernel, physical: PhysAddr): PagePlace | null {
  const frame = pfn(Math.floor(physical / kernel.dump.memory.pageSize));
  const structPage = memoryModel(kernel)?.pageStruct(frame) ?? null;
  if (structPage === null && frame >= kernel.dump.memory.maxPfn) return null;
  const use = structPage === null ? null : (pageFrames(kernel)?.use(frame) ?? null);
  return { pfn: frame, physical, use: use === null || use.kind === 'none' ? null : use, structPage };
}

function pageStructAt(kernel: Kernel, address: VirtAddr): Pfn | null {
  const model = memoryModel(kernel);
  if (model === null || regionOf(kernel.arch, address)?.name !== 'vmemmap') return null;
  const first = model.pageStruct(pfn(0));
  const size = BigInt(model.pageStructSize);
  // memory maps begin at a multiple of their structs' size, so that it does not matter where frame 0 is
  const phase = first === null ? 0n : first % size;
  return model.pfnOf(virtAddr(address - ((address - phase) % size)));
}

function userPlace(kernel: Kernel, task: Task, address: VirtAddr): UserPlace | null {
  const mm = task.object.member('mm');
  if (mm.isNull) return null;
  const area = vmAreaAround(kernel, mm.deref(), address);
  return area === null ? null : { task, area };
}
