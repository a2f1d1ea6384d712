// Backtraces of tasks: the architecture's unwinder with the kernel's symbols and unwind tables.

import type { OrcLookup } from '../arch/orc_entry.ts';
import type { Registers } from '../arch/registers.ts';
import type { Stack } from '../arch/stacks.ts';
import { type FrameKind, lostTrace, type StackTrace, type Unwinder } from '../arch/unwinder.ts';
import type { VirtAddr } from '../base/address.ts';
import { offsetBy } from '../base/address.ts';
import { type OrcSection, OrcTables } from '../debuginfo/orc.ts';
import type { SymbolPlace } from '../debuginfo/symbol.ts';
import type { CpuNote } from '../dump/dump.ts';
import type { Kernel } from './kernel.ts';
import { kernelView } from './kernel_view.ts';
import { perKernel } from './per_kernel.ts';
import type { Task } from './task.ts';
import { unwindRules } from './unwind_rules.ts';

/** One frame, with the function that it is in. */
export interface Frame {
  readonly kind: FrameKind;
  /** Return address, or the next instruction of an interrupted function. */
  readonly address: VirtAddr;
  /** The function; null where no symbol covers the address. */
  readonly place: SymbolPlace | null;
  /** The stack address that crash(8) shows in brackets: see `Unwinder.frameAddressOf`. */
  readonly frameAddress: VirtAddr;
  readonly stackPointer: VirtAddr;
  /** Name of the stack as crash(8) has it: `task`, `IRQ`, `NMI`, ... */
  readonly stack: string;
  /** Registers of what was interrupted, which entry code saved. */
  readonly registers: Registers | null;
  readonly registersAddress: VirtAddr | null;
  /** False where the frame was guessed. */
  readonly reliable: boolean;
}

export interface Backtrace {
  /** Innermost first. */
  readonly frames: readonly Frame[];
  /** Why it ended early; empty if it is whole. */
  readonly problem: string;
}

/** Name of a frame's function, or empty. */
export function frameName(frame: Frame): string {
  return frame.place?.symbol.name ?? '';
}

/** Backtraces kept: a report asks for the same few again and again, `foreach bt` for each of 100,000 once. */
const maxTraces = 1024;

/** Words of a stack that are searched for a return address: those of the largest stack. */
const maxWordsSearched = 8192;

/** The problem of a trace whose task is dead, and has no stack any more. */
export const noStack = 'the task has given its stack back';

/** Makes backtraces of one kernel. */
export class Backtracer {
  private readonly kernel: Kernel;
  /** The machine's unwinder, for what lies on stacks besides frames. */
  readonly unwinder: Unwinder;
  /** The last backtraces made, by task; of active and of other tasks, since what was active may be declared. */
  private readonly traces = { active: new Map<bigint, Backtrace>(), sleeping: new Map<bigint, Backtrace>() };

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.unwinder = openUnwinder(kernel);
  }

  /** A task's stack: from where it was switched away or, if a CPU ran it, from where that CPU was stopped. */
  of(task: Task): Backtrace {
    const traces = task.active ? this.traces.active : this.traces.sleeping;
    let trace = traces.get(task.address);
    if (trace === undefined) {
      trace = this.named(this.trace(task));
      if (traces.size >= maxTraces) traces.clear();
      traces.set(task.address, trace);
    }
    return trace;
  }

  /**
   * A task's stack from another place on it, as `bt -S` and `bt -I` name one.
   * @param at the stack pointer there @param ip what was running; null for the first return address from there on
   */
  from(task: Task, at: VirtAddr, ip: VirtAddr | null): Backtrace {
    const base = task.object.member('stack').pointer();
    const { arch, space } = this.kernel;
    let stackPointer = at;
    let running = ip;
    for (let i = 0; running === null && i < maxWordsSearched; i++) {
      const word = this.unwinder.textAddress(space.u64(stackPointer));
      stackPointer = offsetBy(stackPointer, 8);
      if (this.kernel.place(word) !== null && arch.followsCall(space, word) === true) running = word;
    }
    if (running === null) return { frames: [], problem: 'no return address behind the stack pointer that was given' };
    const registers = arch.registers.at(running, stackPointer);
    const { frames, problem } = this.named(this.unwinder.active(base, task.cpu, registers, true, task.address));
    // registers that were made up are nobody's
    return { problem, frames: frames.map((frame, i) => (i === 0 ? { ...frame, registers: null } : frame)) };
  }

  /** What a CPU ran when the kernel died, where the task that it ran cannot be read. */
  ofCpu(cpu: number): Backtrace {
    const { registers, live } = this.registersOf(cpu);
    return this.named(this.unwinder.activeCpu(cpu, registers, live));
  }

  /** Every stack that a task on its CPU may have used, its own first. */
  stacks(task: Task): readonly Stack[] {
    return this.unwinder.stacks(task.object.member('stack').pointer(), task.cpu);
  }

  private trace(task: Task): StackTrace {
    const base = task.object.member('stack').pointer();
    if (base === 0n) return lostTrace(noStack);
    if (!task.active) {
      return this.unwinder.sleeping(base, (name) => task.object.member(`thread.${name}`).pointer(), task.address);
    }
    const { registers, live } = this.registersOf(task.cpu);
    return this.unwinder.active(base, task.cpu, registers, live, task.address);
  }

  /** What a dump's note has of a CPU; `live` if it is known that a hypervisor wrote it. */
  private registersOf(cpu: number): { registers: Registers | null; live: boolean } {
    const note = cpuNote(this.kernel, cpu);
    const registers = note === null ? null : this.kernel.arch.registers.fromNote(note.registers);
    return { registers, live: note?.source === 'qemu' };
  }

  private named({ frames, problem }: StackTrace): Backtrace {
    return {
      problem,
      frames: frames.map((frame) => ({
        kind: frame.kind,
        address: frame.address,
        // a call at the very end of a function returns to the next one's first byte
        place: this.kernel.place(frame.kind === 'call' ? callSite(this.kernel, frame.address) : frame.address),
        frameAddress: frame.frameAddress,
        stackPointer: frame.stackPointer,
        stack: frame.stack?.name ?? 'unknown',
        registers: frame.registers,
        registersAddress: frame.registersAddress,
        reliable: frame.reliable,
      })),
    };
  }
}

function openUnwinder(kernel: Kernel): Unwinder {
  return kernel.arch.unwinder(kernelView(kernel), {
    orc: () => unwindTables(kernel),
  });
}

/** The kernel's ORC tables, and what stands in for them. @throws InquestError where it has none that can be read */
export const unwindTables = perKernel((kernel): OrcLookup => {
  // asked for names that older kernels lack: of the kernel's own symbols, or every module's would be read
  const symbols = kernel.symbols.kernel ?? kernel.symbols;
  const tables = OrcTables.open(kernel.space, symbols, kernel.types, () => moduleOrcSections(kernel));
  return unwindRules(kernel, tables);
});

/** `address`, unless it is the first byte of a symbol: then the byte before, where the call that does not return is. */
function callSite(kernel: Kernel, address: VirtAddr): VirtAddr {
  return kernel.place(address)?.offset === 0 ? offsetBy(address, -1) : address;
}

/**
 * The registers of a CPU. NT_PRSTATUS notes stand in CPU order, of the CPUs that saved them: the n-th
 * note is the n-th online CPU's, as long as none is missing (kernel/crash_core.c: crash_notes; fs/proc/vmcore.c
 * merges them, leaving out CPUs whose note is empty). Where some are, the pid that a note was saved for tells.
 */
export function cpuNote(kernel: Kernel, cpu: number): CpuNote | null {
  const notes = kernel.dump.notes.cpus;
  const qemu = notes.filter((note) => note.source === 'qemu');
  const cpus = qemu.length > 0 ? qemu : notes.filter((note) => note.source === 'prstatus');
  const { online, running, possible } = kernel.cpus;
  if (cpus.length === online.length && online.includes(cpu)) return cpus[online.indexOf(cpu)] ?? null;
  if (cpus.length === running.length) return cpus[running.indexOf(cpu)] ?? null;
  if (cpus.length === possible.length) return cpus[possible.indexOf(cpu)] ?? null;
  // every idle task is pid 0
  const pid = kernel.tasks.active(cpu)?.pid ?? 0;
  return pid === 0 ? null : (cpus.find((note) => note.pid === pid) ?? null);
}

/** struct mod_arch_specific (arch/x86/include/asm/module.h): where each module's unwind tables lie. */
const moduleOrcSections = perKernel((kernel): readonly OrcSection[] => {
  const sections: OrcSection[] = [];
  for (const { object, name, ranges } of kernel.modules) {
    kernel.faults.attempt(
      `unwind tables of module ${name}`,
      () => {
        const count = object.optional('arch.num_orcs')?.number() ?? 0;
        if (count === 0) return;
        const text = ranges.map(({ start, size }) => ({ start, end: offsetBy(start, size) }));
        const ips = object.member('arch.orc_unwind_ip').pointer();
        sections.push({ ips, entries: object.member('arch.orc_unwind').pointer(), count, text });
      },
      undefined,
    );
  }
  return sections;
});

/** The one backtracer of a kernel. */
export const backtracer = perKernel((kernel) => new Backtracer(kernel));
