// Where to start unwinding on arm64: tasks that sleep, CPUs that ran when the kernel died, CPUs that were stopped.
import { offsetBy, type VirtAddr, virtAddr } from '../../base/address.ts';
import { MemoryFault } from '../../base/errors.ts';
import type { KernelView } from '../kernel_view.ts';
import type { Registers } from '../registers.ts';
import { returnHooks } from '../return_hooks.ts';
import { CpuStacks, onStack, type Stack, taskStack, threadSize } from '../stacks.ts';
import { lostTrace, type StackTrace, type Unwinder } from '../unwinder.ts';
import { followRecords, type RecordPath, type RecordReader } from './frame_records.ts';
import { arm64RegisterSet, hasEntryRecord, readSaved, type SavedLayout, savedLayout } from './registers.ts';
import { cpuStacks } from './stacks.ts';

/**
 * The last functions of a CPU that saved its registers for the dump and went to sleep for good, in the order in which
 * they are looked for. What they called left its frame record on the stack below theirs.
 */
const lastFunctions: readonly string[] = [
  'machine_kexec', // the CPU that jumped into the kdump kernel
  'ipi_cpu_crash_stop', // those that it stopped (arch/arm64/kernel/smp.c)
];

/** Bit 55 tells the kernel's half of addresses from a process's. */
const kernelBit = 1n << 55n;

/** Processes have nothing on their first page, and addresses of at most 52 bits. */
const userStart = 4096n;
const userLimit = 1n << 52n;

/** Bits of PSTATE that are never set, above the 32 that SPSR_EL1 had at first. */
const noPstateBits = 0xffff_fff0_0000_0000n;

export class Arm64Unwinder implements Unwinder {
  readonly frameAddressOf = 'frame-record';
  private readonly view: KernelView;
  private readonly signature: bigint;
  private readonly layout: SavedLayout;
  private readonly reader: RecordReader;
  private readonly cpuStacks: CpuStacks;

  /**
   * @param signature bits of a kernel address that hold its signature on CPUs that sign return addresses: VMCOREINFO's
   * NUMBER(KERNELPACMASK) (since 203b1152d18c, 5.8); 0 where they do not
   */
  constructor(view: KernelView, signature: bigint) {
    this.view = view;
    this.cpuStacks = new CpuStacks(view, cpuStacks);
    this.signature = BigInt.asUintN(64, signature);
    this.layout = savedLayout(view);
    this.reader = { view, layout: this.layout, textAddress: (word) => this.textAddress(word) };
  }

  get savedSize(): number {
    return this.layout.size;
  }

  stacks(base: VirtAddr, cpu: number): readonly Stack[] {
    return this.cpuStacks.of(base, cpu);
  }

  /** From `struct cpu_context`, in which cpu_switch_to() (arch/arm64/kernel/entry.S) leaves x29, sp and its return address. */
  sleeping(base: VirtAddr, thread: (member: string) => VirtAddr, task: VirtAddr | null = null): StackTrace {
    const start = {
      address: this.textAddress(thread('cpu_context.pc')),
      framePointer: thread('cpu_context.fp'),
      stackPointer: thread('cpu_context.sp'),
      registers: null,
    };
    return followRecords(this.reader, this.path([taskStack(this.view, base)], task), start);
  }

  /**
   * Registers saved by a dying kernel are those before it died: of the exception, or of what the stopping interrupt
   * interrupted. So the way out is looked for on the CPU's stacks first. A hypervisor writes the same kind of note; a
   * CPU that it stopped has not been on that way out, and starts from its registers.
   */
  active(
    base: VirtAddr,
    cpu: number,
    registers: Registers | null,
    _live: boolean,
    task: VirtAddr | null = null,
  ): StackTrace {
    return this.wayOut(this.path(this.stacks(base, cpu), task), registers);
  }

  /** Stacks are aligned to their size: what the CPU's stack pointer lies on is one, and so may be where that leads. */
  activeCpu(cpu: number, registers: Registers | null, _live: boolean): StackTrace {
    const mask = ~BigInt(threadSize(this.view) - 1);
    const unknownStack = (address: VirtAddr): Stack => taskStack(this.view, virtAddr(address & mask));
    const stacks = this.stacks(virtAddr((registers?.sp ?? 0n) & mask), cpu);
    return this.wayOut({ ...this.path(stacks, null), unknownStack }, registers);
  }

  private wayOut(path: RecordPath, registers: Registers | null): StackTrace {
    const { stacks } = path;
    for (const name of lastFunctions) {
      for (const stack of [...stacks.slice(1), stacks[0]!]) {
        const found = this.findOnStack(stack, path, name);
        if (found !== null) return found;
      }
    }
    if (registers === null) return lostTrace('no registers of this CPU in the dump');
    const start = {
      address: arm64RegisterSet.instructionPointer(registers),
      framePointer: virtAddr(registers.x29 ?? 0n),
      stackPointer: arm64RegisterSet.stackPointer(registers),
      registers,
    };
    return followRecords(this.reader, path, start);
  }

  savedRegisters(at: VirtAddr): Registers | null {
    const { stackframe } = this.layout;
    if (stackframe === null || (at & 15n) !== 0n) return null;
    try {
      const registers = readSaved(this.view, this.layout, at);
      const { pstate = 0n, pc = 0n, sp = 0n } = registers;
      if ((pstate & noPstateBits) !== 0n) return null;
      if (!arm64RegisterSet.isUserMode(registers)) {
        return hasEntryRecord(this.view, this.layout, at) ? registers : null;
      }
      const record = offsetBy(at, stackframe);
      const isFinal = this.view.space.u64(record) === 0n && this.view.space.u64(offsetBy(record, 8)) === 0n;
      const isPlausible = pc >= userStart && pc < userLimit && sp < userLimit && (pc & 1n) === 0n;
      return isPlausible && isFinal ? registers : null;
    } catch (error) {
      if (error instanceof MemoryFault) return null;
      throw error;
    }
  }

  textAddress(word: bigint): VirtAddr {
    return virtAddr((word & kernelBit) !== 0n ? word | this.signature : word);
  }

  private path(stacks: readonly Stack[], task: VirtAddr | null): RecordPath {
    const realReturnAddress = task === null ? (address: VirtAddr) => address : returnHooks(this.view, task);
    return { stacks, unknownStack: null, realReturnAddress };
  }

  /** The trace from a record whose return address is in a function, if one lies on a stack and leads on from there. */
  private findOnStack(stack: Stack, path: RecordPath, name: string): StackTrace | null {
    const first = this.view.symbol(name);
    if (first === null) return null;
    const { bytes } = this.view.space.readUpTo(stack.start, Number(stack.end - stack.start));
    const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + 16 <= bytes.length; at += 8) {
      // a record points up its stack: most words do not
      if (words.getUint32(at + 4, true) !== Number(stack.start >> 32n)) continue;
      const framePointer = virtAddr(words.getBigUint64(at, true));
      const here = offsetBy(stack.start, at);
      if (framePointer <= here || (framePointer & 7n) !== 0n || !onStack(stack, framePointer, 16)) continue;
      const address = this.textAddress(words.getBigUint64(at + 8, true));
      if (address <= first || this.view.functionAt(virtAddr(address - 1n))?.start !== first) continue;
      const start = { address, framePointer, stackPointer: offsetBy(here, 16), registers: null };
      const trace = followRecords(this.reader, path, start);
      if (trace.frames.length > 1) return trace;
    }
    return null;
  }
}
