// Stack unwinding by frame records, after what the kernel itself does (arch/arm64/kernel/stacktrace.c), on the stacks
// of a dead kernel. A function keeps its caller's frame pointer (x29) and its return address (x30) side by side, and
// x29 points to that record:
//
//   x29 --> | caller's x29 | return address |      function
//             v
//           | its caller's x29 | return address |  caller
//             v
//           pt_regs.stackframe                     entry code, in the registers that it saved
//
// Entry code's record holds x29 and pc of what was interrupted; since 6.13 it is zero with a type behind it. The
// record at the end of a task's stack is zero (since 7d7b720a4b80, 5.14; before, the chain just ends).
import { offsetBy, type VirtAddr, virtAddr } from '../../base/address.ts';
import { MemoryFault } from '../../base/errors.ts';
import type { KernelView } from '../kernel_view.ts';
import type { Registers } from '../registers.ts';
import type { RealReturnAddress } from '../return_hooks.ts';
import { onStack, type Stack } from '../stacks.ts';
import { type Frame, maxFrames, type StackTrace, type UnwindEnd } from '../unwinder.ts';
import { hasFrameRecord } from './prologue.ts';
import { arm64RegisterSet, hasEntryRecord, readSaved, type SavedLayout } from './registers.ts';

/** Where an unwinding starts. */
export interface RecordStart {
  readonly address: VirtAddr;
  /** x29. */
  readonly framePointer: VirtAddr;
  /** No record lies below this. */
  readonly stackPointer: VirtAddr;
  /** Registers, if all are known; for a CPU stopped in the middle of a function. */
  readonly registers: Registers | null;
}

/** What the walk needs of one kernel. */
export interface RecordReader {
  readonly view: KernelView;
  readonly layout: SavedLayout;
  /** A return address without its signature. */
  textAddress(word: bigint): VirtAddr;
}

/** Where the walk may lead, and what it undoes on the way. */
export interface RecordPath {
  /** Every stack that is known. */
  readonly stacks: readonly Stack[];
  /** The stack of a task that nothing tells of, by an address on it: taken for granted, once. Null where tasks are known. */
  readonly unknownStack: ((address: VirtAddr) => Stack) | null;
  readonly realReturnAddress: RealReturnAddress;
}

/** FRAME_META_TYPE_FINAL (arch/arm64/include/asm/stacktrace/frame.h). */
const finalType = 1n;

/** A trace stops here; `message` says why. */
class Lost extends Error {}

/**
 * Unwinds from a start over a path's stacks. Never throws for what the dump holds, and ends: each record lies above
 * the one before, or on a stack that was not on the way before.
 */
export function followRecords(reader: RecordReader, path: RecordPath, start: RecordStart): StackTrace {
  return new Walker(reader, path).run(start);
}

class Walker {
  private readonly reader: RecordReader;
  private readonly path: RecordPath;
  private readonly stacks: Stack[];
  private readonly frames: Frame[] = [];
  private readonly left = new Set<Stack>();
  private stack: Stack | null = null;
  /** The next record on the stack at hand lies here or above. */
  private above = virtAddr(0n);

  // The function last added.
  private pc = virtAddr(0n);
  private fp = virtAddr(0n);
  /** What was interrupted last is no code: the CPU was sent there. */
  private isStray = false;

  constructor(reader: RecordReader, path: RecordPath) {
    this.reader = reader;
    this.path = path;
    this.stacks = [...path.stacks];
  }

  run({ address, framePointer, stackPointer, registers }: RecordStart): StackTrace {
    this.stack = this.stackAt(stackPointer, 0);
    this.above = stackPointer;
    this.pc = address;
    this.fp = framePointer;
    this.isStray = registers !== null && !this.reader.view.isText(this.pc);
    this.add({ kind: registers === null ? 'call' : 'interrupted', stackPointer, registers });
    try {
      if (registers !== null) {
        if (arm64RegisterSet.isUserMode(registers)) return this.result('complete');
        this.addCallerWithoutRecord(registers);
      }
      while (this.frames.length < maxFrames) if (this.stepOrSkip()) return this.result('complete');
    } catch (error) {
      if (error instanceof Lost || error instanceof MemoryFault) return this.result('lost', error.message);
      throw error;
    }
    return this.result('limit');
  }

  private result(end: UnwindEnd, problem = ''): StackTrace {
    return { frames: this.frames, end, problem };
  }

  private add(frame: Pick<Frame, 'kind'> & Partial<Frame>): void {
    this.frames.push({
      address: this.pc,
      frameAddress: this.fp,
      stackPointer: this.fp,
      stack: this.stackAt(this.fp, 0) ?? this.stack,
      registers: null,
      registersAddress: null,
      reliable: true,
      ...frame,
    });
  }

  /**
   * As `step`; where the CPU is at no code and the record at hand is none, the stack was written over: goes on at the next
   * record that is whole, which is a guess.
   */
  private stepOrSkip(): boolean {
    try {
      return this.step();
    } catch (error) {
      const isStray = this.isStray && (error instanceof Lost || error instanceof MemoryFault);
      if (!isStray || !this.skip()) throw error;
      this.isStray = false;
      return false;
    }
  }

  /** Goes on at the lowest record of the task's stack from which others lead to its end; false where there is none. */
  private skip(): boolean {
    const { view } = this.reader;
    const stack = this.stack;
    if (stack?.kind !== 'task') return false;
    const { bytes } = view.space.readUpTo(this.above, Number(stack.end - this.above));
    const words = new BigUint64Array(bytes.slice(0, bytes.length & ~7).buffer);
    const whole = new Set<number>();
    // records lead upwards: from the end of the stack down, each is whole that leads to a whole one
    for (let i = words.length - 2; i >= 0; i--) {
      const [next, saved] = [words[i]!, words[i + 1]!];
      const to = Number(next - this.above) / 8;
      if (this.isFinal(offsetBy(this.above, i * 8)) || (whole.has(to) && view.isText(this.reader.textAddress(saved))))
        whole.add(i);
    }
    const first = [...whole].at(-1);
    const saved = first === undefined ? 0n : words[first + 1]!;
    if (first === undefined || saved === 0n) return false;
    this.call(saved, virtAddr(words[first]!), 'a record', { reliable: false });
    this.above = offsetBy(this.above, first * 8 + 16);
    return true;
  }

  /** Whether the final record of a task's stack lies here. */
  private isFinal(record: VirtAddr): boolean {
    const { view, layout } = this.reader;
    const registersAt = this.registersAround(record);
    if (registersAt === null || offsetBy(registersAt, layout.size) !== this.stack?.end) return false;
    return view.space.u64(record) === 0n && view.space.u64(offsetBy(record, 8)) === 0n;
  }

  /** Goes on to the caller of the function at hand; true if there is none. */
  private step(): boolean {
    const { view, layout } = this.reader;
    if (this.fp === 0n && !layout.typed) return this.end(); // the first function of a thread, before 5.14
    const record = this.fp;
    this.reach(record);
    const next = view.space.pointer(record);
    const saved = view.space.u64(offsetBy(record, 8));
    const registersAt = this.registersAround(record);
    if (registersAt !== null && hasEntryRecord(view, layout, registersAt)) return this.stepOverRegisters(registersAt);
    if (next === 0n && saved === 0n) {
      const type = layout.typed ? view.space.u64(offsetBy(record, 16)) : finalType;
      if (type !== finalType) throw new Lost(`frame record at ${record.toString(16)} has type ${type.toString(16)}`);
      return this.finish(registersAt);
    }
    this.above = offsetBy(record, 16);
    this.call(saved, next, `return address at ${offsetBy(record, 8).toString(16)}`);
    return false;
  }

  /** Adds a function by the address that it is returned to, and its frame pointer. */
  private call(saved: bigint, fp: VirtAddr, what: string, more: Partial<Frame> = {}): void {
    const pc = this.path.realReturnAddress(this.reader.textAddress(saved), fp);
    if (!this.reader.view.isText(pc)) throw new Lost(`${what} is not in text`);
    this.pc = pc;
    this.fp = fp;
    this.add({ kind: 'call', ...more });
  }

  /** Makes sure that a record lies on the stack at hand, above the one before, or on one that may be switched to. */
  private reach(record: VirtAddr): void {
    const shown = record.toString(16);
    if ((record & 7n) !== 0n) throw new Lost(`frame record at ${shown} is not aligned`);
    if (this.stack !== null && onStack(this.stack, record, 16)) {
      if (record < this.above) throw new Lost(`frame record at ${shown} is not above ${this.above.toString(16)}`);
      return;
    }
    const found = this.stackAt(record, 16) ?? this.guessStack(record);
    if (found === null) throw new Lost(`frame record at ${shown} is on no stack`);
    if (this.left.has(found)) throw new Lost(`frame record at ${shown} is on a stack that was left before`);
    if (this.stack !== null) this.left.add(this.stack);
    this.stack = found;
    this.above = found.start;
  }

  private stackAt(address: VirtAddr, length: number): Stack | null {
    return this.stacks.find((stack) => onStack(stack, address, length)) ?? null;
  }

  private guessStack(record: VirtAddr): Stack | null {
    if (this.path.unknownStack === null || this.stacks.length > this.path.stacks.length) return null;
    const stack = this.path.unknownStack(record);
    this.stacks.push(stack);
    return onStack(stack, record, 16) ? stack : null;
  }

  /** Where the registers begin that a record is part of, if it is; null where there is no room for them. */
  private registersAround(record: VirtAddr): VirtAddr | null {
    const { stackframe, size } = this.reader.layout;
    if (stackframe === null || this.stack === null) return null;
    const start = offsetBy(record, -stackframe);
    return onStack(this.stack, start, size) ? start : null;
  }

  /** The function at hand is entry code; goes on with what it interrupted. True if that was user mode. */
  private stepOverRegisters(registersAddress: VirtAddr): boolean {
    const registers = readSaved(this.reader.view, this.reader.layout, registersAddress);
    this.markEntry(registers, registersAddress);
    if (arm64RegisterSet.isUserMode(registers)) return true;
    this.above = offsetBy(registersAddress, this.reader.layout.size);
    this.pc = virtAddr(registers.pc ?? 0n);
    this.fp = virtAddr(registers.x29 ?? 0n);
    this.isStray = !this.reader.view.isText(this.pc);
    this.add({ kind: 'interrupted', stackPointer: arm64RegisterSet.stackPointer(registers) });
    this.addCallerWithoutRecord(registers);
    return false;
  }

  /**
   * Adds the caller of an interrupted function that has made no record, or none yet: where it returns to is still in
   * x30, and x29 is the caller's. The kernel leaves this caller out. Entry code has not been called: there x30 is that
   * of what it interrupted, some call of it or its own caller.
   */
  private addCallerWithoutRecord(registers: Registers): void {
    const { view, layout, textAddress } = this.reader;
    const link = registers.x30 ?? 0n;
    if (!view.isText(textAddress(link)) || hasFrameRecord(view, this.pc)) return;
    const reliable = !this.isEntryText(this.pc);
    const registersAt = reliable ? null : this.registersAround(this.fp);
    if (registersAt !== null && hasEntryRecord(view, layout, registersAt)) return;
    if (!reliable && this.isInRecord(link)) return;
    this.call(link, this.fp, 'x30', { stackPointer: arm64RegisterSet.stackPointer(registers), reliable });
  }

  /** Whether the record at hand returns to where x30 does: what entry code interrupted had made it. */
  private isInRecord(link: bigint): boolean {
    const { view, textAddress } = this.reader;
    const { bytes } = view.space.readUpTo(offsetBy(this.fp, 8), 8);
    return (
      bytes.length === 8 &&
      textAddress(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)) === textAddress(link)
    );
  }

  private isEntryText(address: VirtAddr): boolean {
    const start = this.reader.view.symbol('__entry_text_start');
    const end = this.reader.view.symbol('__entry_text_end');
    return start !== null && end !== null && address >= start && address < end;
  }

  /** The final record: the last function is the way in from user mode, if the registers at the stack's end are of it. */
  private finish(registersAt: VirtAddr | null): boolean {
    const { layout } = this.reader;
    const isLast =
      registersAt !== null && this.stack?.kind === 'task' && offsetBy(registersAt, layout.size) === this.stack.end;
    if (isLast) this.addUserRegisters(registersAt);
    else if (layout.typed) throw new Lost(`final frame record at ${this.fp.toString(16)} is not at the end of a stack`);
    return true;
  }

  /** The chain ends without a final record. */
  private end(): boolean {
    const last = this.frames.at(-1)!;
    const stack = this.stacks.find(({ kind }) => kind === 'task');
    if (last.kind !== 'call' || stack === undefined) throw new Lost('the frame pointer is 0');
    const registersAt = offsetBy(stack.end, -this.reader.layout.size);
    // it has no record: crash(8) shows where the registers are
    this.frames[this.frames.length - 1] = { ...last, frameAddress: registersAt, stackPointer: registersAt, stack };
    this.addUserRegisters(registersAt);
    return true;
  }

  private addUserRegisters(registersAt: VirtAddr): void {
    const registers = readSaved(this.reader.view, this.reader.layout, registersAt);
    // tasks that were never in user mode have zeroes there, or nothing but a mode of the kernel's
    const isUsed = (registers.pc ?? 0n) !== 0n || (registers.sp ?? 0n) !== 0n;
    if (isUsed && arm64RegisterSet.isUserMode(registers)) this.markEntry(registers, registersAt);
  }

  private markEntry(registers: Registers, registersAddress: VirtAddr): void {
    const last = this.frames.at(-1)!;
    if (last.kind !== 'call') return;
    this.frames[this.frames.length - 1] = { ...last, kind: 'entry', registers, registersAddress };
  }
}
