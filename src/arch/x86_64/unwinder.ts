// Where to start unwinding: tasks that sleep, CPUs that ran when the kernel died, CPUs that were stopped.
import { offsetBy, type VirtAddr, virtAddr } from '../../base/address.ts';
import { MemoryFault } from '../../base/errors.ts';
import type { KernelView } from '../kernel_view.ts';
import type { OrcLookup } from '../orc_entry.ts';
import { returnHooks } from '../return_hooks.ts';
import { CpuStacks, type Stack, taskStack, threadSize } from '../stacks.ts';
import { lostTrace, type StackTrace, type Unwinder } from '../unwinder.ts';
import { followsCall } from './call_sites.ts';
import { CodeFrames } from './code_frame.ts';
import { isUserMode, ptRegsSize, type Registers, savedRegisters } from './registers.ts';
import { cpuStacks, runningTaskStack } from './stacks.ts';
import { OrcWithTrampolines } from './trampolines.ts';
import { type UnwindStart, unwind } from './unwind.ts';

/**
 * The last functions of a CPU that saved its registers and went to sleep for good, in the order in which they
 * are looked for. What they called left its return address on the stack just below their frame.
 */
const lastFunctions: readonly string[] = [
  'machine_kexec', // the CPU that jumped into the kdump kernel
  'crash_nmi_callback', // those that it stopped (arch/x86/kernel/reboot.c)
];

export class X86Unwinder implements Unwinder {
  readonly frameAddressOf = 'return-address';
  readonly savedSize = ptRegsSize;
  private readonly view: KernelView;
  private readonly orc: OrcLookup;
  private readonly cpuStacks: CpuStacks;
  private readonly codeFrames: CodeFrames;

  constructor(view: KernelView, orc: OrcLookup) {
    this.view = view;
    this.cpuStacks = new CpuStacks(view, cpuStacks);
    this.orc = new OrcWithTrampolines(view, orc);
    this.codeFrames = new CodeFrames(view);
  }

  stacks(base: VirtAddr, cpu: number): readonly Stack[] {
    return this.cpuStacks.of(base, cpu);
  }

  sleeping(base: VirtAddr, thread: (member: string) => VirtAddr, task: VirtAddr | null = null): StackTrace {
    const threadSp = thread('sp');
    // struct inactive_task_frame (since 0100301bfdf5, 4.9): callee-saved registers, rbp, return address
    const type = 'struct inactive_task_frame';
    const bpOffset = this.view.offsetOf(type, 'bp') ?? 40;
    const returnOffset = this.view.offsetOf(type, 'ret_addr') ?? 48;
    try {
      const start = {
        address: this.view.space.pointer(offsetBy(threadSp, returnOffset)),
        framePointer: this.view.space.pointer(offsetBy(threadSp, bpOffset)),
        stackPointer: offsetBy(threadSp, returnOffset + 8),
        registers: null,
      };
      return this.unwind([taskStack(this.view, base)], start, task);
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
      return lostTrace(error.message);
    }
  }

  /** A CPU in the middle of a function, from its registers. The first frame is `interrupted`. */
  fromRegisters(base: VirtAddr, cpu: number, registers: Registers, task: VirtAddr | null = null): StackTrace {
    const start = {
      address: virtAddr(registers.rip ?? 0n),
      stackPointer: virtAddr(registers.rsp ?? 0n),
      framePointer: virtAddr(registers.rbp ?? 0n),
      registers,
    };
    return this.unwind(this.stacks(base, cpu), start, task);
  }

  /**
   * Registers saved by a dying kernel are those before it died: of the exception, or of what the stopping NMI
   * interrupted. So the way out is looked for on the CPU's stacks first: `machine_kexec` on the CPU that panicked,
   * `crash_nmi_callback` on the others.
   */
  active(
    base: VirtAddr,
    cpu: number,
    registers: Registers | null,
    live: boolean,
    task: VirtAddr | null = null,
  ): StackTrace {
    const fromHere = (): StackTrace =>
      registers === null
        ? lostTrace('no registers of this CPU in the dump')
        : this.fromRegisters(base, cpu, registers, task);
    if (live && registers !== null && !this.isLastFunction(registers)) return fromHere();
    const stacks = this.stacks(base, cpu);
    for (const name of lastFunctions) {
      // exception stacks first: what they hold is later than what it interrupted
      for (const stack of [...stacks.slice(1), stacks[0]!]) {
        const found = this.findOnStack(stack, stacks, name, task);
        if (found !== null) return found;
      }
    }
    return fromHere();
  }

  activeCpu(cpu: number, registers: Registers | null, live: boolean): StackTrace {
    const size = BigInt(threadSize(this.view));
    const base = runningTaskStack(this.view, cpu) ?? (registers?.rsp ?? 0n) & ~(size - 1n);
    return this.active(virtAddr(base), cpu, registers, live);
  }

  savedRegisters(at: VirtAddr): Registers | null {
    return savedRegisters(this.view.space, at);
  }

  textAddress(word: bigint): VirtAddr {
    return virtAddr(word);
  }

  private unwind(stacks: readonly Stack[], start: UnwindStart, task: VirtAddr | null): StackTrace {
    const hooks = task === null ? undefined : returnHooks(this.view, task);
    return unwind(this.view, this.orc, this.codeFrames, stacks, start, hooks);
  }

  private isLastFunction(registers: Registers): boolean {
    const name = isUserMode(registers) ? null : this.view.functionAt(virtAddr(registers.rip ?? 0n))?.name;
    return name != null && lastFunctions.includes(name);
  }

  /** The trace from a return address into a function, if one lies on a stack and leads on from there. */
  private findOnStack(stack: Stack, stacks: readonly Stack[], name: string, task: VirtAddr | null): StackTrace | null {
    const start = this.view.symbol(name);
    if (start === null) return null;
    const { bytes } = this.view.space.readUpTo(stack.start, Number(stack.end - stack.start));
    const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const high = Number(start >> 32n);
    for (let at = 0; at + 8 <= bytes.length; at += 8) {
      // most words are no address near the function: bigint only for those that are
      if (words.getUint32(at + 4, true) !== high) continue;
      const address = virtAddr(words.getBigUint64(at, true));
      if (address <= start || this.view.functionAt(virtAddr(address - 1n))?.start !== start) continue;
      if (!followsCall(this.view, address)) continue;
      const from = {
        address,
        stackPointer: offsetBy(stack.start, at + 8),
        framePointer: virtAddr(0n),
        registers: null,
      };
      const trace = this.unwind(stacks, from, task);
      if (trace.frames.length > 1 && trace.frames[1]!.reliable) return trace;
    }
    return null;
  }
}
