// What lies on a stack, however it came there: words, text addresses, saved registers, the overflow mark.

import { onStack, type Stack } from '../../../arch/stacks.ts';
import { offsetBy, type VirtAddr } from '../../../base/address.ts';
import { MemoryFault } from '../../../base/errors.ts';
import { escapeTerminal, hex16 } from '../../../base/text.ts';
import { backtracer } from '../../../kernel/backtrace.ts';
import type { Kernel } from '../../../kernel/kernel.ts';
import { kernelView } from '../../../kernel/kernel_view.ts';
import { taskStack } from '../../../kernel/sched.ts';
import type { Task } from '../../../kernel/task.ts';
import type { CommandContext } from '../../context.ts';
import { describeWord, type SymbolicWord, wordText } from '../../memory/stack_word.ts';
import { crashSymbol, withoutClone } from '../../place_name.ts';
import { exceptionLines, type RegisterData, type SavedRegisters, savedRegisters } from './exception_frame.ts';

export interface ExceptionFrameData {
  readonly mode: 'kernel' | 'user';
  /** Virtual address of the saved registers. */
  readonly address: VirtAddr;
  readonly registers: RegisterData;
  readonly symbol: string | null;
  readonly offset: number | null;
  readonly link?: SavedRegisters['link'];
}

export interface StackSymbol {
  /** Stack address. */
  readonly at: VirtAddr;
  readonly address: VirtAddr;
  readonly symbol: string;
  readonly module: string | null;
}

/** What lies on one of the stacks that a trace leads over. */
interface StackSegment {
  readonly symbols: readonly StackSymbol[];
  /** The entry code by which the trace came upon this stack, with what it had interrupted there. */
  readonly entry: StackSymbol | null;
  readonly registers: {
    readonly registers: RegisterData;
    readonly symbol: string | null;
    readonly offset: number | null;
    readonly link?: SavedRegisters['link'];
  } | null;
  /** What an exception whose stack this is had interrupted, on the stack that comes next; null for another kind of stack. */
  readonly left: StackSegment['registers'];
  /** The stack that was left for this one; null for the first. */
  readonly leaves: string | null;
}

export type StackData =
  | { readonly kind: 'words'; readonly words: readonly SymbolicWord[] }
  | {
      readonly kind: 'symbols';
      /** Where the task stopped; null where all of the stack is looked at. */
      readonly start: { readonly symbol: string; readonly address: VirtAddr } | null;
      readonly segments: readonly StackSegment[];
      /** Registers of user mode, at the end. */
      readonly user: RegisterData | null;
    }
  | { readonly kind: 'exceptions'; readonly frames: readonly ExceptionFrameData[] };

/** STACK_END_MAGIC (include/uapi/linux/magic.h), at the base of every task's stack. */
const stackEndMagic = 0x57ac6e9dn;

/** `-r`: every word of a task's stack. */
export function stackWords({ kernel }: CommandContext, task: Task): StackData {
  const stack = taskStack(kernel, task);
  if (stack === null) return { kind: 'words', words: [] };
  const words = readWords(kernel, stack.start, stack.size);
  return {
    kind: 'words',
    words: words.map((word, i) => describeWord(kernel, offsetBy(stack.start, i * 8), word, 'symbols')),
  };
}

/** Whether a word in use on a task's stack is meant. @param from where what is in use begins; null: all of it is looked at */
export function stackHas(
  { kernel }: CommandContext,
  task: Task,
  from: VirtAddr | null,
  isMeant: (word: bigint) => boolean,
): boolean {
  const stack = taskStack(kernel, task);
  if (stack === null) return false;
  const words = kernel.faults.attempt('stack', () => readWords(kernel, stack.start, stack.size), []);
  const isOn = from !== null && from >= stack.start && from < offsetBy(stack.start, stack.size);
  const first = isOn ? Number(from - stack.start) >> 3 : 0;
  return words.some((word, i) => i >= first && word !== null && isMeant(word));
}

/** `-t`, `-T`: every word that is a text address, from where the task stopped or from the stack's base. */
export function stackSymbols({ kernel }: CommandContext, task: Task, fromBase: boolean): StackData {
  const stack = taskStack(kernel, task);
  if (stack === null) return { kind: 'symbols', start: null, segments: [], user: null };
  const end = offsetBy(stack.start, stack.size);
  // where the trace leads over several stacks, each from where the trace comes upon it
  const tracer = backtracer(kernel);
  const { isUserMode, stackPointer } = kernel.arch.registers;
  const { frames } = tracer.of(task);
  const outermost = frames.at(-1);
  const user = outermost?.registers != null && isUserMode(outermost.registers) ? outermost.registers : null;
  if (fromBase) {
    const symbols = textWords(kernel, offsetBy(stack.start, 8), end);
    return {
      kind: 'symbols',
      start: null,
      segments: [{ symbols, entry: null, registers: null, left: null, leaves: null }],
      user,
    };
  }
  const segments: StackSegment[] = [];
  const stacks = tracer.stacks(task);
  for (const [i, frame] of frames.entries()) {
    if (i > 0 && frames[i - 1]!.stack === frame.stack) continue;
    const on = stacks.find(({ name }) => name === frame.stack);
    if (on === undefined) continue;
    const kernelRegisters =
      i > 0 && frame.kind === 'entry' && frame.registers !== null && !isUserMode(frame.registers)
        ? frame.registers
        : null;
    // what a sleeping task was switched away with lies below the address that it goes on at
    const asleep = i === 0 && !task.active ? switchedAway(task) : null;
    const from =
      kernelRegisters !== null
        ? stackPointer(kernelRegisters)
        : asleep !== null && onStack(on, asleep) && asleep < frame.frameAddress
          ? asleep
          : frame.frameAddress;
    // an exception's stack ends in the registers of what it interrupted, which go on on another one
    const next = frames.findIndex(({ stack }, j) => j > i && stack !== frame.stack);
    const before = i === 0 ? null : frames[i - 1]!;
    const last = next < 0 ? null : frames[next - 1]!;
    const left = last === null || on.kind !== 'exception' ? null : interruptedBy(last, isUserMode);
    const end = left === null || last === null ? on.end : offsetBy(last.frameAddress, 8);
    const came = before === null ? null : stacks.find(({ name }) => name === before.stack);
    const interrupted = before !== null && came?.kind === 'exception' ? interruptedBy(before, isUserMode) : null;
    const entered = (at: VirtAddr): StackSymbol | null =>
      frame.place === null
        ? null
        : {
            at,
            address: frame.address,
            symbol: crashSymbol(kernel.symbols, frame.place).name,
            module: frame.place.symbol.module,
          };
    segments.push({
      symbols: onStack(on, from) ? textWords(kernel, from, end) : [],
      entry:
        kernelRegisters !== null
          ? entered(frame.frameAddress)
          : interrupted !== null && came !== undefined && came !== null
            ? entered(came.start)
            : null,
      registers: kernelRegisters === null ? null : told(kernel, kernelRegisters),
      left: left === null ? null : told(kernel, left),
      leaves: before === null ? null : before.stack,
    });
  }
  // a sleeping task's registers, which lie below, are not where it stopped
  const symbols = segments[0]?.symbols ?? [];
  const start = symbols.find(({ at }) => at === frames[0]?.frameAddress) ?? symbols[0] ?? null;
  return { kind: 'symbols', start, segments, user };
}

/** The kernel's registers that a frame of entry code saved; null where it saved none, or a process's. */
function interruptedBy(
  frame: { readonly kind: string; readonly registers: RegisterData | null },
  isUserMode: (registers: RegisterData) => boolean,
): RegisterData | null {
  return frame.kind === 'entry' && frame.registers !== null && !isUserMode(frame.registers) ? frame.registers : null;
}

/** thread.sp, where a sleeping task was switched away (x86); null where it cannot be read. */
function switchedAway(task: Task): VirtAddr | null {
  try {
    return task.object.optional('thread.sp')?.pointer() ?? null;
  } catch (error) {
    if (error instanceof MemoryFault) return null;
    throw error;
  }
}

/** Registers with the function that was interrupted, as data. */
function told(kernel: Kernel, registers: RegisterData): Omit<ExceptionFrameData, 'mode' | 'address'> {
  const { interrupted, ...saved } = savedRegisters(kernel, registers);
  return { ...saved, symbol: interrupted?.symbol ?? null, offset: interrupted?.offset ?? null };
}

/** Every word of [from, end) that is an address of text. */
function textWords(kernel: Kernel, from: VirtAddr, end: VirtAddr): StackSymbol[] {
  const view = kernelView(kernel);
  const { unwinder } = backtracer(kernel);
  const symbols: StackSymbol[] = [];
  for (const [i, word] of readWords(kernel, from, Number(end - from)).entries()) {
    const address = word === null ? null : unwinder.textAddress(word);
    if (address === null || !view.isText(address)) continue;
    const place = kernel.place(address);
    if (place === null) continue;
    symbols.push({
      at: offsetBy(from, i * 8),
      address,
      symbol: crashSymbol(kernel.symbols, place).name,
      module: place.symbol.module,
    });
  }
  return symbols;
}

/** `-e`: everything on a task's own stack that looks like saved registers. */
export function exceptionFrames(context: CommandContext, task: Task): StackData & { kind: 'exceptions' } {
  const own = backtracer(context.kernel).stacks(task)[0]!;
  return exceptionFramesOn(context, task, own);
}

/** The same on any one stack. */
export function exceptionFramesOn(
  { kernel }: CommandContext,
  task: Task,
  stack: Stack,
): StackData & { kind: 'exceptions' } {
  const tracer = backtracer(kernel);
  const stacks = tracer.stacks(task);
  const { unwinder } = tracer;
  const { instructionPointer, isUserMode, stackPointer } = kernel.arch.registers;
  const view = kernelView(kernel);
  const frames: ExceptionFrameData[] = [];
  for (let at = stack.start; at + BigInt(unwinder.savedSize) <= stack.end; at = offsetBy(at, 8)) {
    const registers = unwinder.savedRegisters(at);
    if (registers === null) continue;
    const sp = stackPointer(registers);
    const mode = isUserMode(registers) ? 'user' : 'kernel';
    const isOn = (s: Stack): boolean =>
      sp >= (isOverflow(stack, s) ? s.start - (s.end - s.start) : s.start) && sp <= s.end;
    const isKernels = view.isText(instructionPointer(registers)) && stacks.some(isOn);
    if (mode === 'user' || isKernels) frames.push({ mode, address: at, ...told(kernel, registers) });
  }
  return { kind: 'exceptions', frames };
}

/** What overflows a task's stack faults below it, and is saved on an exception's: the stack pointer is on no stack then. */
function isOverflow(saved: Stack, of: Stack): boolean {
  return saved.kind === 'exception' && of.kind === 'task';
}

/** `-v`: a sentence for each stack whose end mark is gone, or whose thread_info is not its task's. */
export function checkStacks(kernel: Kernel): string[] {
  const problems: string[] = [];
  for (const task of kernel.tasks.all) {
    kernel.faults.attempt(
      `stack of pid ${task.pid}`,
      () => {
        const stack = taskStack(kernel, task);
        if (stack === null) return;
        // where thread_info is on the stack, the mark is behind it (before 4.9)
        const inStack = !task.object.has('thread_info');
        const at = inStack ? offsetBy(stack.start, sizeOfThreadInfo(kernel)) : stack.start;
        const mark = kernel.space.u64(at);
        if (mark === stackEndMagic || task.idle) return;
        problems.push(
          `PID: ${task.pid}  TASK: ${hex16(task.address)}  COMMAND: "${escapeTerminal(task.comm)}": possible stack overflow: the end mark at ${hex16(at)} is ${hex16(mark)}`,
        );
      },
      undefined,
    );
  }
  return problems;
}

function sizeOfThreadInfo(kernel: Kernel): number {
  const type = kernel.types.find('struct thread_info');
  return type !== null && type.kind === 'struct' ? type.size : 0;
}

function readWords(kernel: Kernel, start: VirtAddr, length: number): (bigint | null)[] {
  const words: (bigint | null)[] = [];
  for (let done = 0; done + 8 <= length; ) {
    const { bytes, fault } = kernel.space.readUpTo(offsetBy(start, done), length - done);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i + 8 <= bytes.length; i += 8) words.push(view.getBigUint64(i, true));
    done += bytes.length;
    if (fault === null) break;
    kernel.faults.record('stack', fault);
    const page = kernel.dump.memory.pageSize;
    const skip = Math.min(length - done, page - Number((start + BigInt(done)) & BigInt(page - 1)));
    for (let i = 0; i + 8 <= skip; i += 8) words.push(null);
    done += skip;
  }
  return words;
}

/** @param machine whose registers these are */
export function renderStack(data: StackData, machine: string): string {
  switch (data.kind) {
    case 'words': {
      let text = '';
      for (let i = 0; i < data.words.length; i += 2) {
        const cells = data.words.slice(i, i + 2).map((word) => wordText(word, 0).padEnd(16));
        text += `${hex16(data.words[i]!.at)}:  ${cells.join(' ')} \n`;
      }
      return text;
    }
    case 'symbols': {
      const lines: string[] = [];
      const { start } = data;
      if (start !== null)
        lines.push(`              START: ${escapeTerminal(withoutClone(start.symbol))} at ${hex16(start.address)}`);
      for (const { symbols, entry, registers, left, leaves } of data.segments) {
        if (leaves !== null) lines.push(stackLine(leaves));
        if (entry !== null) lines.push(symbolLine(entry));
        if (registers !== null) lines.push(...exceptionLines({ ...registers, interrupted: registers }, machine, 10));
        lines.push(...symbols.map(symbolLine));
        if (left !== null) lines.push(...exceptionLines({ ...left, interrupted: left }, machine, 10));
      }
      if (data.user !== null) lines.push(...exceptionLines({ registers: data.user, interrupted: null }, machine, 10));
      return `${lines.join('\n')}\n`;
    }
    case 'exceptions':
      return data.frames
        .map((frame) => {
          const lines = exceptionLines({ ...frame, interrupted: frame.mode === 'user' ? null : frame }, machine, 10);
          return `\n  ${frame.mode.toUpperCase()}-MODE EXCEPTION FRAME AT: ${hex16(frame.address)}\n${lines.join('\n')}\n`;
        })
        .join('');
  }
}

function symbolLine({ at, symbol, address, module }: StackSymbol): string {
  return `  [${hex16(at)}] ${escapeTerminal(withoutClone(symbol))} at ${hex16(address)}${module === null ? '' : ` [${escapeTerminal(module)}]`}`;
}

/** The line between the frames of one stack and those of the next, by the name of the one that was left. */
export function stackLine(name: string): string {
  return name === 'IRQ' || name === 'OVERFLOW' ? `--- <${name} stack> ---` : `--- <${name} exception stack> ---`;
}
