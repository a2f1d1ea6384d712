// The frames of a backtrace as `bt` shows them, as data.
import { createRequire } from 'node:module';
import { offsetBy, type VirtAddr } from '../../../base/address.ts';
import type { FrameState } from '../../../debuginfo/debug_info.ts';
import { type Backtrace, backtracer, type Frame } from '../../../kernel/backtrace.ts';
import { frameStates } from '../../../kernel/frame_state.ts';
import { frameCode, hasLines, sourceLine } from '../../../kernel/source_line.ts';
import type { Task } from '../../../kernel/task.ts';
import type { FrameValues } from '../../../origin/frame_values.ts';
import type { CommandContext } from '../../context.ts';
import { type SymbolicWord, symbolicWord } from '../../memory/stack_word.ts';
import { crashSymbol } from '../../place_name.ts';
import { type SourcePlace, sourcePlace } from '../../source_place.ts';
import type { CallData } from './bt_args.ts';
import type { FunctionData } from './bt_source.ts';
import { type SavedRegisters, savedRegisters } from './exception_frame.ts';

// --args, -l, --locals: loaded when asked for, since `bt` alone is what is run most
const require = createRequire(import.meta.url);
const origins = () => require('../../../origin/stack_values.ts') as typeof import('../../../origin/stack_values.ts');
export const calling = () => require('./bt_args.ts') as typeof import('./bt_args.ts');
export const functions = () => require('./bt_source.ts') as typeof import('./bt_source.ts');

/** One frame as data. */
export interface FrameData {
  readonly level: number;
  /** The return address or, on machines that show that, the call before it; of what was interrupted, its next instruction. */
  readonly address: VirtAddr;
  readonly symbol: string | null;
  /** Bytes from the symbol. */
  readonly offset: number | null;
  readonly module: string | null;
  /** Stack address that held the return address; on arm64, of the function's frame record. */
  readonly frameAddress: VirtAddr;
  readonly stack: string;
  readonly reliable: boolean;
  /** The CPU was in user mode: there is no frame of the kernel. */
  readonly inUserSpace: boolean;
  /** Registers of what was interrupted. */
  readonly registers: SavedRegisters['registers'] | null;
  readonly interrupted: SavedRegisters['interrupted'];
  readonly link?: SavedRegisters['link'];
  /** Words of the frame, from above its return address, with -f or -F. */
  readonly words: readonly SymbolicWord[] | null;
  /** Where `address` is in the source, with -l; null where that is not told. */
  readonly source: SourcePlace | null;
  /** The same of what was interrupted in the kernel. */
  readonly interruptedSource: SourcePlace | null;
  /** The functions inlined here and the frame's own, with -i or --locals. */
  readonly functions: readonly FunctionData[] | null;
  /** What the frame's function was called with, and before it what it interrupted, with --args. */
  readonly calls: readonly CallData[] | null;
  /** Stack that was left after this frame, and how crash(8) calls that. */
  readonly leaves: string | null;
}

/** What is asked for of each frame. */
export interface FrameWishes {
  readonly words: 'plain' | 'symbolic' | null;
  readonly lines: boolean;
  readonly functions: 'names' | 'with variables' | null;
  readonly calls: boolean;
}

/** The frames of a backtrace that are shown, as data. @param task whose they are; null where it cannot be read */
export function framesOf(
  context: CommandContext,
  backtrace: Backtrace,
  { words, lines, functions, calls }: FrameWishes,
  { task, cpu }: { readonly task: Task | null; readonly cpu: number },
): { frames: FrameData[]; problem: string } {
  const { kernel } = context;
  const { frames, problem } = backtrace;
  const asleep = task === null || task.active ? null : task;
  const wantsStates = functions === 'with variables' || (calls && hasLines(kernel));
  const states = wantsStates ? frameStates(kernel, backtrace, asleep) : null;
  const values = calls ? origins().stackValues(kernel, backtrace, { asleep, cpu }) : null;
  const sourceAt = (at: VirtAddr): SourcePlace | null => (lines ? sourcePlace(sourceLine(kernel, at)) : null);
  const { arch } = kernel;
  const shown = arch.backtraces.interruptedFrames
    ? frames
    : frames.filter((frame, i) => !isImplied(frame, frames[i - 1]));
  return {
    problem,
    frames: shown.map((frame, level) => {
      const registers = frame.kind === 'entry' || level === 0 ? frame.registers : null;
      const next = shown[level + 1];
      const address = arch.shownAddress(frame);
      const saved = registers === null ? { registers, interrupted: null } : savedRegisters(kernel, registers);
      return {
        level,
        address,
        symbol: frame.place === null ? null : crashSymbol(kernel.symbols, frame.place).name,
        offset: frame.place === null ? null : Number(address - frame.place.symbol.address),
        module: frame.place?.symbol.module ?? null,
        frameAddress: frame.frameAddress,
        stack: frame.stack,
        reliable: frame.reliable,
        inUserSpace:
          arch.backtraces.userFrames && frame.place === null && registers !== null && saved.interrupted === null,
        ...saved,
        words: words === null ? null : frameWords(context, frame, next, words),
        // a call at the very end of a function returns to where no line may be
        source: sourceAt(address) ?? sourceAt(frameCode(frame)),
        interruptedSource:
          saved.interrupted === null || registers === null
            ? null
            : sourceAt(arch.registers.instructionPointer(registers)),
        functions: functions === null ? null : frameFunctionsOf(context, backtrace, frame, states),
        calls: values === null ? null : frameCalls(context, backtrace, frame, values, states),
        leaves: next === undefined || next.stack === frame.stack ? null : frame.stack,
      };
    }),
  };
}

/** The functions at a frame that is shown, and at what it interrupted, which is told with it. */
function frameFunctionsOf(
  context: CommandContext,
  { frames }: Backtrace,
  frame: Frame,
  states: readonly FrameState[] | null,
): FunctionData[] {
  const index = frames.indexOf(frame);
  const own = functions().functionsAt(context, frame, states?.[index] ?? null);
  const next = frames[index + 1];
  if (next === undefined || context.kernel.arch.backtraces.interruptedFrames || !isImplied(next, frame)) return own;
  return [...own, ...functions().functionsAt(context, next, states?.[index + 1] ?? null)];
}

/** The same for what they were called with. */
function frameCalls(
  context: CommandContext,
  { frames }: Backtrace,
  frame: Frame,
  values: readonly (FrameValues | null)[],
  states: readonly FrameState[] | null,
): CallData[] {
  const index = frames.indexOf(frame);
  const at = (i: number): CallData[] => {
    const call = calling().callData(context, frames[i]!, values[i] ?? null, states?.[i] ?? null);
    return call === null ? [] : [call];
  };
  const next = frames[index + 1];
  const tellsNext = !context.kernel.arch.backtraces.interruptedFrames && next !== undefined && isImplied(next, frame);
  return tellsNext ? [...at(index), ...at(index + 1)] : at(index);
}

/** The function that an exception interrupted is told with the exception's registers, unless it was on another stack. */
function isImplied(frame: Frame, before: Frame | undefined): boolean {
  return frame.kind === 'interrupted' && before?.kind === 'entry' && before.stack === frame.stack;
}

/**
 * Words from above a frame's return address up to the next frame's return address, or to the end of its stack; where
 * frames have records, from a frame's own up to the next one's.
 */
function frameWords(
  context: CommandContext,
  frame: Frame,
  next: Frame | undefined,
  style: 'plain' | 'symbolic',
): SymbolicWord[] {
  const { kernel } = context;
  // what follows the way in from user mode is its registers, which are shown as such
  if (frame.registers !== null && kernel.arch.registers.isUserMode(frame.registers)) return [];
  const { frameAddressOf, savedSize } = backtracer(kernel).unwinder;
  const first = frameAddressOf === 'return-address' ? 1 : 0;
  // nor has crash(8) the words of registers at the end of an exception's stack
  const isLeft = next !== undefined && next.stack !== frame.stack;
  if (isLeft && frame.registers !== null && frameAddressOf === 'return-address') return [];
  const last = next !== undefined && next.stack === frame.stack ? next.frameAddress : null;
  const end =
    last ?? (frame.registersAddress === null ? frame.frameAddress : offsetBy(frame.registersAddress, savedSize - 8));
  const count = Math.min(8192, Number(end - frame.frameAddress) / 8);
  const words: SymbolicWord[] = [];
  for (let i = first; i < count + first; i++) {
    const at = offsetBy(frame.frameAddress, i * 8);
    words.push(symbolicWord(kernel, at, style === 'symbolic' ? 'symbols and slabs' : 'nothing'));
  }
  return words;
}
