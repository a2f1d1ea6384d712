// A kernel that died, made by a test: functions with code and unwind tables, tasks with stacks, a log.
//
//   const dying = DyingKernel.make({ log: ['Kernel panic - not syncing: test'] });
//   dying.panicOn(0, dying.task({ pid: 7, comm: 'sh' }), [
//     'machine_kexec', 'panic', exception('asm_exc_page_fault', 'frob+0x10', { rdx: 0n }), 'frob', 'vfs_write', user,
//   ]);
//   dying.facts.crashTrace.frames
//
// Every function is 256 bytes long, keeps nothing on its stack but what it calls leaves there, and calls from its
// offset 0x4e: a return address into it is 0x50. A name with a module, `frob[widget]`, makes a module's function.
import type { Architecture } from '../../src/arch/architecture.ts';
import type { Registers } from '../../src/arch/registers.ts';
import { ptRegsNames } from '../../src/arch/x86_64/registers.ts';
import { type VirtAddr, virtAddr } from '../../src/base/address.ts';
import { CommandContext } from '../../src/commands/context.ts';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import type { KernelSymbol } from '../../src/debuginfo/symbol.ts';
import { type ModuleSymbols, SymbolTable } from '../../src/debuginfo/symbol_table.ts';
import type { CpuNote } from '../../src/dump/dump.ts';
import type { Module } from '../../src/kernel/module.ts';
import { Facts } from '../../src/triage/facts.ts';
import { writeOrc } from './orc_writer.ts';
import { ringbufferTypes, writeRingbuffer } from './printk_writer.ts';
import { x86Over } from './synthetic_architecture.ts';
import { SyntheticKernel, syntheticDump } from './synthetic_kernel.ts';
import type { SyntheticSpace } from './synthetic_memory.ts';
import { linkTasks, machine, newTask, type TaskOptions } from './task_writer.ts';

const text = 0xffff_ffff_8100_0000n;
const textSize = 0x2_0000n;
const functionSize = 0x100n;
const stackSize = 0x4000n;
const stacks = 0xffff_c900_0000_0000n;

/** An exception or interrupt: entry code with the registers that it saved. */
export interface Exception {
  readonly entry: string;
  /** What it interrupted: `frob+0x10`, or an address. */
  readonly at: string | bigint;
  readonly registers: Registers;
}

export function exception(entry: string, at: string | bigint, registers: Registers = {}): Exception {
  return { entry, at, registers };
}

/** The way in from user mode: where a process's stack begins. */
export const user: Exception = exception('entry_SYSCALL_64_after_hwframe', 0x40_1000n, {
  cs: 0x33n,
  ss: 0x2bn,
  rsp: 0x7ffd_0000_1000n,
  orig_rax: 1n,
});

/** What lies on a stack, innermost first: names of functions, exceptions, and the words of a function's frame behind its name. */
export type StackItem = string | Exception | { readonly words: readonly bigint[] };

export interface DyingOptions {
  readonly cpus?: number;
  readonly log?: readonly string[];
  /** C declarations of further types. */
  readonly types?: string;
  /** Further members of task_struct. */
  readonly task?: string;
}

export class DyingKernel extends SyntheticKernel {
  readonly notes: CpuNote[];
  /** Its modules; their functions are in the kernel's text all the same. */
  readonly loaded: Module[];
  readonly context = new CommandContext(this);
  private readonly functions: KernelSymbol[];
  /** Bytes of locals in each function's frame; none unless words followed it on a stack. */
  private readonly frameSizes = new Map<string, number>();
  private readonly madeTasks: KernelObject[] = [];
  private nextStack = stacks;
  private perCpuPointers = 0;
  private lazyFacts: Facts | null = null;

  constructor(
    declarations: string,
    archOver: (space: SyntheticSpace, options: { executableAt(at: bigint): boolean }) => Architecture = x86Over,
  ) {
    const notes: CpuNote[] = [];
    const loaded: Module[] = [];
    const functions: KernelSymbol[] = [];
    super(declarations, '', ({ space, symbols }) => ({
      dump: syntheticDump(space.memory, { cpus: notes }),
      arch: archOver(space, { executableAt: (at) => at >= text && at < text + textSize }),
      modules: () => loaded,
      symbols: () => new SymbolTable(symbols, () => functionsOfModules(functions)),
    }));
    this.notes = notes;
    this.loaded = loaded;
    this.functions = functions;
  }

  static make(options: DyingOptions = {}): DyingKernel {
    return DyingKernel.makeWith((declarations) => new DyingKernel(declarations), options);
  }

  /** @param create makes the kernel from the declarations of its types */
  protected static makeWith(
    create: (declarations: string) => DyingKernel,
    { cpus = 2, log = [], types = '', task = '', thread }: DyingOptions & { readonly thread?: string },
  ): DyingKernel {
    const kernel = machine({
      cpus,
      ...(thread === undefined ? {} : { thread }),
      more: { task },
      make: (declarations) =>
        create(`${ringbufferTypes} ${declarations}
          struct atomic_t { int counter; };
          struct cea_exception_stacks { char guard[4096]; char NMI_stack[8192]; };
          struct mutex { struct atomic_long owner; int wait_lock; struct list_head wait_list; };
          ${types}`),
    }) as DyingKernel;
    kernel.space.map(text, Number(textSize));
    kernel.define('_stext', text, 0);
    kernel.define('_etext', text + textSize, 0);
    kernel.space.words(kernel.allocate('struct atomic_t', 'panic_cpu').address, 0xffff_ffffn);
    const prb = kernel.reserve(8);
    kernel.define('prb', prb);
    const records = log.map((line, i) => ({ text: line, ns: 5_000_000_000n + BigInt(i) * 1000n }));
    writeRingbuffer(kernel, prb, records, { countBits: 8, sizeBits: 15 });
    return kernel;
  }

  /** Address of a function, or of a place in one: `frob`, `frob+0x10`, `frob[widget]`. Made when first named. */
  codeAt(place: string): VirtAddr {
    const [, name, offset, module] = /^([\w.]+)(?:\+(0x[0-9a-f]+))?(?:\[([^\]]+)\])?$/.exec(place)!;
    let symbol = this.functions.find((f) => f.name === name);
    if (symbol === undefined) {
      const address = virtAddr(text + BigInt(this.functions.length) * functionSize);
      symbol = { name: name!, address, type: 't', size: Number(functionSize), module: module ?? null };
      this.functions.push(symbol);
      if (symbol.module === null) this.ownSymbols.add(symbol);
      this.forget();
      this.space.write(address + 0x4en, Uint8Array.of(0xff, 0xd0)); // call *%rax
    }
    return virtAddr(symbol.address + BigInt(offset ?? 0));
  }

  /** Code of a function, from its place on, in hexadecimal. */
  code(place: string, bytes: string): void {
    this.space.write(this.codeAt(place), Buffer.from(bytes.replaceAll(' ', ''), 'hex'));
  }

  /** A process or thread with a stack of its own, which is empty. */
  task(options: TaskOptions): KernelObject {
    const task = newTask(this, options);
    this.space.map(this.nextStack, Number(stackSize));
    this.space.words(this.nextStack, 0x57ac_6e9dn);
    this.set(task, 'stack', this.nextStack);
    this.nextStack += 0x1_0000n;
    this.madeTasks.push(task);
    linkTasks(this, this.madeTasks);
    return task;
  }

  /** Makes a CPU run a task, with this on its stack. */
  runs(cpu: number, task: KernelObject, items: readonly StackItem[]): void {
    this.set(this.perCpu('runqueues', cpu), 'curr', task);
    this.set(task, 'thread_info.cpu', cpu);
    this.set(task, '__state', 0);
    this.pushOnStacks(cpu, task.member('stack').bigint() + stackSize, items);
  }

  /**
   * Puts items on the stacks that they belong to: an NMI has one of its own, a `sysvec_...` function switches to
   * that of interrupts; what comes behind them is where they came from. Returns the address of the first item.
   */
  private pushOnStacks(cpu: number, top: bigint, items: readonly StackItem[]): bigint {
    const nmi = items.findIndex((item) => typeof item === 'object' && 'entry' in item && /nmi/.test(item.entry));
    if (nmi >= 0) {
      const sp = this.pushOnStacks(cpu, top, items.slice(nmi + 1));
      const stack = this.reserve(4096 + 8192);
      this.perCpuPointer('cea_exception_stacks', cpu, stack);
      return this.push(stack + 4096n + 8192n, items.slice(0, nmi + 1), sp);
    }
    const irq = items.findIndex((item) => typeof item === 'string' && item.startsWith('sysvec_'));
    if (irq < 0) return this.push(top, items);
    const sp = this.push(top, items.slice(irq + 1));
    const end = this.reserve(0x4000) + 0x4000n;
    this.perCpuPointer('hardirq_stack_ptr', cpu, end - 8n);
    this.space.words(end - 8n, sp);
    return this.push(end - 8n, items.slice(0, irq + 1));
  }

  /** Writes a word into a per-CPU variable, which is made when it is first named. */
  perCpuPointer(name: string, cpu: number, value: bigint): void {
    if (this.ownSymbol(name) === null) {
      this.define(name, 0xffff_8881_0000_1000n + BigInt(this.perCpuPointers++ * 8), 8);
    }
    this.space.words(this.perCpuAddress(name, cpu), value);
  }

  /** The same, of the CPU that panicked. */
  panicOn(cpu: number, task: KernelObject, items: readonly StackItem[]): void {
    this.space.words(this.address('panic_cpu'), BigInt(cpu));
    this.runs(cpu, task, items);
  }

  /** Makes a task sleep, with this on its stack; `__schedule` comes first by itself. */
  sleeps(task: KernelObject, items: readonly StackItem[], state = 2): void {
    this.set(task, '__state', state);
    const sp = this.push(task.member('stack').bigint() + stackSize, ['__schedule', ...items]);
    // struct inactive_task_frame: six registers, then the return address
    this.set(task, 'thread.sp', sp - 48n);
  }

  /** Leaves a task's task_struct out of the dump; its stack is still there, and its CPU's runqueue points to it. */
  lose(pid: number): void {
    const task = this.madeTasks.find((made) => made.member('pid').number() === pid)!;
    this.space.exclude(task.address);
    this.forget();
  }

  /** What triage asks. Nothing may be changed after this was first used. */
  get facts(): Facts {
    if (this.lazyFacts === null) {
      this.writeTables();
      this.lazyFacts = new Facts(this.context);
    }
    return this.lazyFacts;
  }

  /** Unwind tables for the functions there are. */
  writeTables(): void {
    const rules = this.functions.map(({ name, address }) => {
      const rule = /^(asm_|entry_|end_repeat_nmi)/.test(name)
        ? 'regs sp+0'
        : name === 'ret_from_fork_asm'
          ? 'end'
          : name.startsWith('sysvec_')
            ? 'call sp-indirect+8'
            : `call sp+${8 + (this.frameSizes.get(name) ?? 0)}`;
      return `${address.toString(16)} ${rule}`;
    });
    if (rules.length === 0) return;
    const ipsAt = 0xffff_ffff_8200_0000n;
    const entriesAt = 0xffff_ffff_8210_0000n;
    const { ips, entries } = writeOrc('4.14', ipsAt, rules.join('\n'));
    this.space.write(ipsAt, ips);
    this.space.write(entriesAt, entries);
    this.define('__start_orc_unwind_ip', ipsAt, 0);
    this.define('__stop_orc_unwind_ip', ipsAt + BigInt(ips.length), 0);
    this.define('__start_orc_unwind', entriesAt, 0);
    this.define('__stop_orc_unwind', entriesAt + BigInt(entries.length), 0);
  }

  /**
   * Puts items on a stack, so that the last ends at `top`. Returns the address of the first.
   * @param interrupted stack pointer of what the last item interrupted, where it is on another stack
   */
  private push(top: bigint, items: readonly StackItem[], interrupted: bigint | null = null): bigint {
    let sp = top;
    for (const [i, item] of items.entries()) {
      const next = items[i + 1];
      if (typeof item === 'string' && typeof next === 'object' && 'words' in next) {
        this.frameSizes.set(item.replace(/\[.*/, ''), next.words.length * 8);
      }
    }
    for (const item of [...items].reverse()) {
      if (typeof item === 'string') {
        sp -= 8n;
        this.space.words(sp, this.codeAt(item.replace(/(\[|$)/, '+0x50$1')));
      } else if ('words' in item) {
        sp -= BigInt(item.words.length * 8);
        this.space.words(sp, ...item.words);
      } else {
        const registers: Registers = {
          cs: 0x10n,
          ss: 0x18n,
          rflags: 0x246n,
          orig_rax: 0xffff_ffff_ffff_ffffn,
          rsp: interrupted ?? sp,
          ...item.registers,
          rip: typeof item.at === 'bigint' ? item.at : this.codeAt(item.at),
        };
        sp -= BigInt(ptRegsNames.length * 8);
        this.space.words(sp, ...ptRegsNames.map((name) => registers[name] ?? 0n));
        sp -= 8n;
        this.space.words(sp, this.codeAt(`${item.entry}+0x50`));
      }
    }
    return sp;
  }
}

/** The functions that are of modules, each in a range of its own. */
function functionsOfModules(functions: readonly KernelSymbol[]): ModuleSymbols[] {
  return functions
    .filter(({ module }) => module !== null)
    .map((symbol) => ({
      module: { name: symbol.module!, ranges: [{ start: symbol.address, size: symbol.size }] },
      symbols: [symbol],
    }));
}
