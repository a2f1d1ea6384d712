// A kernel of arm64 that died, made by a test: as `DyingKernel`, with frame records on its stacks.
//
//   const dying = DyingArm64.make({ cpus: 2 });
//   dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), [
//     'panic', 'die', exception('el1h_64_sync', 'frob+0x10', { x0: 0n }), 'frob', 'vfs_write', user,
//   ]);
//
// A function's record lies at the start of its frame of 32 bytes. What an exception interrupts has made none if the
// next item is another function (`frob+0x10`, called by `vfs_write`); if it is the same one, it has.
import type { Registers } from '../../src/arch/registers.ts';
import { virtAddr } from '../../src/base/address.ts';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { DyingKernel, type DyingOptions, type Exception, exception, type StackItem } from './dying_kernel.ts';

import { arm64Over } from './synthetic_architecture.ts';

const stackSize = 0x4000n;
const frameSize = 32n;
const savedSize = 336n;
const recordAt = 304n;

/** `stp x29, x30, [sp, #-32]!` */
const saveRecord = 'fd7bbea9';

/** The way in from user mode. */
export const user: Exception = exception('el0t_64_sync', 0x40_1000n, {
  pstate: 0x8000_0000n,
  sp: 0xffff_f000_1000n,
  x30: 0x40_2000n,
  x8: 64n,
  orig_x0: 1n,
  syscallno: 64n,
});

export class DyingArm64 extends DyingKernel {
  static override make({ types = '', ...options }: DyingOptions = {}): DyingArm64 {
    const kernel = DyingKernel.makeWith((declarations) => new DyingArm64(declarations, arm64Over), {
      ...options,
      types: `struct pt_regs {
          u64 regs[31]; u64 sp; u64 pc; u64 pstate; u64 orig_x0; int syscallno; u32 unused2;
          u64 sdei_ttbr1; u64 pmr; u64 stackframe[2]; u64 lockdep_hardirqs; u64 exit_rcu;
        };
        ${types}`,
      thread: `struct cpu_context { unsigned long x19, x20, x21, x22, x23, x24, x25, x26, x27, x28; unsigned long fp; unsigned long sp; unsigned long pc; };
        struct thread_struct { struct cpu_context cpu_context; };`,
    });
    return kernel as DyingArm64;
  }

  /**
   * Makes a CPU run a task, with this on its stack; the first item is where the CPU was when it was stopped. What comes
   * before `call_on_irq_stack` is on the stack of interrupts.
   */
  override runs(cpu: number, task: KernelObject, items: readonly StackItem[]): void {
    this.set(this.perCpu('runqueues', cpu), 'curr', task);
    this.set(task, 'thread_info.cpu', cpu);
    this.set(task, '__state', 0);
    const top = task.member('stack').bigint() + stackSize;
    const irq = items.indexOf('call_on_irq_stack');
    let state = this.start(top, irq < 0 ? items : items.slice(irq), items.at(-1));
    if (irq >= 0) {
      const base = this.reserve(Number(stackSize));
      this.perCpuPointer('irq_stack_ptr', cpu, base);
      state = this.pushAll({ ...state, sp: base + stackSize }, items.slice(0, irq));
    }
    // a hypervisor writes a note for each CPU
    for (const other of this.cpus.possible.slice(this.notes.length)) this.note(other, {});
    const registers = { x29: state.fp, x30: 0n, sp: state.sp, pc: this.codeAt(`${state.name}+0x60`), pstate: 0x3c5n };
    this.note(cpu, registers);
  }

  private note(cpu: number, registers: Record<string, bigint>): void {
    const all = { ...Object.fromEntries(Array.from({ length: 31 }, (_, n) => [`x${n}`, 0n])), ...registers };
    this.notes[cpu] = { index: cpu, pid: cpu + 1, registers: all, source: 'prstatus' };
  }

  /** Makes a task sleep, with this on its stack; `__switch_to` and `__schedule` come first by themselves. */
  override sleeps(task: KernelObject, items: readonly StackItem[], state = 2): void {
    this.set(task, '__state', state);
    const top = task.member('stack').bigint() + stackSize;
    const { sp, fp, name } = this.start(top, ['__switch_to', '__schedule', ...items], items.at(-1));
    this.set(task, 'thread.cpu_context.fp', fp);
    this.set(task, 'thread.cpu_context.sp', sp);
    this.set(task, 'thread.cpu_context.pc', this.codeAt(`${name}+0x50`));
  }

  /** Frame records need no tables. */
  override writeTables(): void {}

  /** The end of a stack: registers of user mode, if the last item is them, with the final record; then the items. */
  private start(top: bigint, items: readonly StackItem[], last: StackItem | undefined) {
    const sp = top - savedSize;
    const isUser = typeof last === 'object' && 'entry' in last && (BigInt(last.registers.pstate ?? 5n) & 0xfn) === 0n;
    const name = isUser ? last.entry : 'ret_from_fork';
    if (isUser) this.save(sp, last.at as bigint, last.registers);
    this.space.words(sp + recordAt, 0n, 0n);
    return this.pushAll({ sp, fp: sp + recordAt, name }, isUser ? items.slice(0, -1) : items);
  }

  private pushAll(state: { sp: bigint; fp: bigint; name: string }, items: readonly StackItem[]) {
    let { sp, fp, name } = state;
    for (const item of [...items].reverse()) {
      if (typeof item === 'string') {
        sp -= frameSize;
        this.space.words(sp, fp, this.codeAt(name.replace(/(\[|$)/, '+0x50$1')));
        fp = sp;
        name = item;
        this.code(item, saveRecord);
      } else if ('words' in item) {
        throw new Error('arm64 frames have no words of their own here');
      } else {
        const caller = this.codeAt(name.replace(/(\[|$)/, '+0x50$1'));
        const isOwn = typeof item.at === 'string' && item.at.startsWith(`${name.replace(/\[.*/, '')}+`);
        sp -= savedSize;
        const at = typeof item.at === 'bigint' ? item.at : this.codeAt(item.at);
        if (!isOwn && typeof item.at === 'string') this.code(item.at.replace(/\+[^[]*/, ''), '1f2003d5'); // nop
        this.save(sp, at, {
          x29: fp,
          sp: sp + savedSize,
          x30: isOwn ? 0n : caller,
          pstate: 0x6040_0005n,
          ...item.registers,
        });
        this.space.words(sp + recordAt, fp, at);
        fp = sp + recordAt;
        name = item.entry;
      }
    }
    return { sp, fp, name };
  }

  private save(at: bigint, pc: bigint, registers: Registers): void {
    const x = Array.from({ length: 31 }, (_, n) => registers[`x${n}`] ?? 0n);
    const { sp = 0n, pstate = 0n, orig_x0 = 0n, syscallno = 0n } = registers;
    this.space.words(virtAddr(at), ...x, sp, pc, pstate, orig_x0, syscallno);
  }
}
