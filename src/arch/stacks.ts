// Kernel stacks, as every machine has them. What stacks a CPU has besides its tasks' is the machine's own matter.
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { MemoryFault } from '../base/errors.ts';
import type { KernelView } from './kernel_view.ts';

export interface Stack {
  /**
   * - `task`: a task's own
   * - `irq`: of interrupts, one for each CPU
   * - `exception`: of an exception or firmware event that has a stack of its own
   * - `overflow`: where a CPU goes when it finds its task's stack full
   * - `entry`: a trampoline on the way in from user mode
   */
  readonly kind: 'task' | 'irq' | 'exception' | 'overflow' | 'entry';
  /** As crash(8) names it: `task`, `IRQ`, `OVERFLOW`, `NMI`, ... */
  readonly name: string;
  /** Virtual addresses [start, end). */
  readonly start: VirtAddr;
  readonly end: VirtAddr;
}

/** True when `length` bytes from `address` lie on the stack. */
export function onStack(stack: Stack, address: bigint, length = 8): boolean {
  return address >= stack.start && address + BigInt(length) <= stack.end;
}

const defaultThreadSize = 16384;

/**
 * Bytes in a task's stack (THREAD_SIZE): the boot task's stack shows it (include/asm-generic/vmlinux.lds.h:
 * INIT_TASK_DATA), or `union thread_union`, which is as large.
 */
export function threadSize(view: KernelView): number {
  for (const [first, last] of [
    ['__start_init_stack', '__end_init_stack'], // since 2cb15faaedeb (6.11)
    ['__start_init_task', '__end_init_task'],
  ] as const) {
    const start = view.symbol(first);
    const end = view.symbol(last);
    if (start === null || end === null) continue;
    const size = Number(end - start);
    if (size >= 4096 && size <= 1 << 20 && Number.isInteger(Math.log2(size))) return size;
  }
  return view.sizeOf('union thread_union') ?? defaultThreadSize;
}

/** A task's own stack. @param base content of `task->stack` */
export function taskStack(view: KernelView, base: VirtAddr): Stack {
  return { kind: 'task', name: 'task', start: base, end: offsetBy(base, threadSize(view)) };
}

/** The stacks of a machine's CPUs, each CPU's looked for when first asked for, and once. */
export class CpuStacks {
  private readonly view: KernelView;
  private readonly find: (view: KernelView, cpu: number) => readonly Stack[];
  private readonly found = new Map<number, readonly Stack[]>();

  /** @param find the stacks of one CPU besides its tasks' */
  constructor(view: KernelView, find: (view: KernelView, cpu: number) => readonly Stack[]) {
    this.view = view;
    this.find = find;
  }

  /** Every stack that a task on a CPU may use: its own first. @param base content of `task->stack` */
  of(base: VirtAddr, cpu: number): readonly Stack[] {
    let stacks = this.found.get(cpu);
    if (stacks === undefined) {
      stacks = this.find(this.view, cpu);
      this.found.set(cpu, stacks);
    }
    return [taskStack(this.view, base), ...stacks];
  }
}

/** A pointer in the kernel's memory; null where it cannot be read. */
export function readPointer(view: KernelView, address: VirtAddr): VirtAddr | null {
  try {
    return view.space.pointer(address);
  } catch (error) {
    if (error instanceof MemoryFault) return null;
    throw error;
  }
}
