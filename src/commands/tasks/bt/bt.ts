// `bt`: backtraces. What lies raw on a stack (-r -t -T -e -E -v) is in bt_stack.ts.
import { offsetBy, type VirtAddr, virtAddr } from '../../../base/address.ts';
import { NotFoundError, UsageError } from '../../../base/errors.ts';
import { escapeTerminal, hex16 } from '../../../base/text.ts';
import { type Backtrace, backtracer, type Frame } from '../../../kernel/backtrace.ts';
import type { Kernel } from '../../../kernel/kernel.ts';
import { crashedCpu, crashedTask } from '../../../kernel/panic.ts';
import type { Task } from '../../../kernel/sched.ts';
import { type Command, defineCommand } from '../../command.ts';
import { type CommandContext, parseCpus, type TaskLabel, taskHeader, taskLabel } from '../../context.ts';
import { type SymbolicWord, symbolicWord, wordText } from '../../memory/stack_word.ts';
import { parseOptions } from '../../options.ts';
import {
  checkStacks,
  type ExceptionFrameData,
  exceptionFrames,
  exceptionFramesOn,
  renderStack,
  type StackData,
  stackLine,
  stackSymbols,
  stackWords,
} from './bt_stack.ts';
import { exceptionLines, offsetText, type SavedRegisters, savedRegisters } from './exception_frame.ts';

/** One frame as data. */
interface FrameData {
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
  /** Stack that was left after this frame, and how crash(8) calls that. */
  readonly leaves: string | null;
}

interface TaskTrace extends TaskLabel {
  readonly frames: readonly FrameData[];
  /** Why the trace ends early; empty if it is whole. */
  readonly problem: string;
  readonly stackContent: StackData | null;
}

interface BtData {
  /** Whose registers these are, as uname has it. */
  readonly machine: string;
  readonly tasks: readonly TaskTrace[];
  /** -v: stacks that overflowed; null without -v. */
  readonly overflows: readonly string[] | null;
  /** -E: what was found on each CPU's stacks; null without -E. */
  readonly cpuStacks:
    | readonly { readonly cpu: number; readonly stack: string; readonly frames: readonly ExceptionFrameData[] }[]
    | null;
  readonly style: { readonly offsets: boolean; readonly radix: 10 | 16; readonly symbolic: number };
}

export const bt: Command = defineCommand<BtData>({
  name: 'bt',
  help: {
    summary: 'backtraces of kernel stacks',
    usage: ['[-a|-c cpus|-p] [-n idle] [-g] [-f|-F|-FF] [-s [-x|-d]] [-r|-t|-T|-e|-E|-v] [pid|task]...'],
    description: `Shows the kernel stack of the current task, or of the tasks named.

Whose stack:
  -a        the active task of every CPU
  -c cpus   the active task of each of these CPUs: 1,3,5-7 or a
  -p        the task that panicked
  -g        every thread of the process
  -n idle   with -a or -c: leave out CPUs that were idle

What is shown:
  -s        symbol and offset of each frame; -x and -d choose the offset's radix
  -f        every word of each frame
  -F        the same, with symbols for addresses, and [cache] for slab objects; -FF shows the objects' addresses, too

What is on the stack, however it came there:
  -r        every word of the stack
  -t        every word that points into kernel text, from where the task stopped; -T from the stack's base
  -e        everything that looks like saved registers
  -E        the same, on the interrupt and exception stacks of every CPU (or those of -c)
  -v        check all stacks for an overflow

A frame shows the stack address that held the return address, the function, and the return address. Frames
come from the kernel's own unwind tables; one that had to be guessed has a ? before its name. On arm64 it shows the
address of the function's frame record, the function, and the address of its call.`,
    examples: [
      ['bt', 'why did it die'],
      ['bt -a -n idle', 'what every busy CPU did'],
      ['bt -sx 1', 'the stack of pid 1 with hexadecimal offsets'],
      ['bt -F ff1459ed1bd920c0', 'a task by address, with what its stack points to'],
    ],
  },
  collect(context, args) {
    const options = parseOptions(args, 'ac:pgn:fFslxdrtTeEv');
    const style = {
      offsets: options.has('s'),
      radix: options.has('x') ? 16 : options.has('d') ? 10 : context.radix,
      symbolic: options.count('F'),
    } as const;
    if (options.has('l')) context.kernel.faults.record('-l', new NotFoundError('debug information', 'line numbers'));
    const filter = options.value('n');
    if (filter !== null && filter !== 'idle')
      throw new UsageError(`invalid filter: ${escapeTerminal(filter)}: only "idle" is one`);
    const none = { machine: context.kernel.arch.name, tasks: [], overflows: null, cpuStacks: null, style };
    if (options.has('v')) return { ...none, overflows: checkStacks(context.kernel) };
    const cpuSpec = options.value('c');
    if (options.has('E')) return { ...none, cpuStacks: interruptStacks(context, cpuSpec) };

    const tracer = backtracer(context.kernel);
    const tasks = pickTasks(context, {
      all: options.has('a'),
      cpuSpec,
      panicked: options.has('p'),
      threads: options.has('g'),
      args: options.args,
    }).filter((target) => filter === null || 'unreadable' in target || !target.idle);
    const show = (target: Target): TaskTrace => {
      const words = options.has('f') ? 'plain' : options.has('F') ? 'symbolic' : null;
      if ('unreadable' in target) return cpuTrace(context, target.unreadable, words);
      const task = target;
      const raw: StackData | null = options.has('r')
        ? stackWords(context, task)
        : options.has('e')
          ? exceptionFrames(context, task)
          : options.has('t') || options.has('T')
            ? stackSymbols(context, task, options.has('T'))
            : null;
      if (raw !== null) return { ...taskLabel(task), frames: [], problem: '', stackContent: raw };
      return { ...taskLabel(task), ...framesOf(context, tracer.of(task), words), stackContent: null };
    };
    return { ...none, tasks: tasks.map(show) };
  },
  render({ machine, tasks, overflows, cpuStacks, style }) {
    if (overflows !== null)
      return overflows.length === 0 ? 'No stack overflows detected\n' : `${overflows.join('\n')}\n`;
    if (cpuStacks !== null) {
      return cpuStacks
        .map(({ cpu, stack, frames }) => {
          const title = stack === 'IRQ' ? `CPU ${cpu} IRQ STACK:` : `CPU ${cpu} ${stack} EXCEPTION STACK:`;
          return `${title}\n${frames.length === 0 ? '(none found)\n' : renderStack({ kind: 'exceptions', frames }, machine)}\n`;
        })
        .join('');
    }
    return tasks
      .map((task) => {
        const body =
          task.stackContent !== null ? renderStack(task.stackContent, machine) : renderFrames(task, machine, style);
        return `${taskHeader(task)}\n${body}`;
      })
      .join('\n');
  },
});

/** A task, or a CPU whose task cannot be read. */
type Target = Task | { readonly unreadable: number };

function pickTasks(
  context: CommandContext,
  want: { all: boolean; cpuSpec: string | null; panicked: boolean; threads: boolean; args: readonly string[] },
): Target[] {
  const { kernel } = context;
  if (want.all || want.cpuSpec !== null) {
    const cpus = want.cpuSpec === null ? kernel.cpus.running : parseCpus(context, want.cpuSpec);
    return cpus.map((cpu) => kernel.tasks.active(cpu) ?? { unreadable: cpu });
  }
  const crashed = crashedCpu(kernel);
  // the task that panicked may be missing from the dump; what its CPU ran is on the stack all the same
  if (
    want.args.length === 0 &&
    crashed !== null &&
    (want.panicked || !context.hasChosenTask) &&
    kernel.tasks.active(crashed.cpu) === null
  ) {
    return [{ unreadable: crashed.cpu }];
  }
  const named =
    want.args.length > 0
      ? want.args.map((word) => context.taskByWord(word))
      : [want.panicked ? panicTask(kernel) : context.task];
  if (!want.threads) return named;
  return named.flatMap((task) =>
    kernel.tasks.all
      .filter((t) => t.tgid === task.tgid && !t.idle)
      .sort((a, b) => Number(b.pid === b.tgid) - Number(a.pid === a.tgid)),
  );
}

/** What a CPU ran, where its task cannot be read: the task's name and pid are not known then. */
function cpuTrace(context: CommandContext, cpu: number, words: 'plain' | 'symbolic' | null): TaskTrace {
  const { kernel } = context;
  const task = kernel.tasks.activeAddress(cpu);
  kernel.faults.record(
    `CPU ${cpu}`,
    new NotFoundError('task', `that CPU ${cpu} ran`, 'its task_struct cannot be read'),
  );
  const label = { pid: -1, task: task ?? virtAddr(0n), cpu, command: '?' };
  return { ...label, ...framesOf(context, backtracer(kernel).ofCpu(cpu), words), stackContent: null };
}

function panicTask(kernel: Kernel): Task {
  const crashed = crashedTask(kernel);
  if (crashed === null) throw new NotFoundError('task', 'that panicked', 'nothing in memory says that the kernel did');
  return crashed.task;
}

function interruptStacks(context: CommandContext, cpuSpec: string | null): BtData['cpuStacks'] {
  const { kernel } = context;
  const cpus = cpuSpec === null ? kernel.cpus.running : parseCpus(context, cpuSpec);
  const found: { cpu: number; stack: string; frames: readonly ExceptionFrameData[] }[] = [];
  for (const cpu of cpus) {
    const task = kernel.tasks.active(cpu);
    if (task === null) continue;
    for (const stack of backtracer(kernel).stacks(task)) {
      if (stack.kind === 'task' || stack.kind === 'entry') continue;
      const { frames } = exceptionFramesOn(context, task, stack);
      // the stacks that every kernel has are always told of; the others where there is something on them
      if (frames.length === 0 && !stackOrder.includes(stack.name)) continue;
      found.push({ cpu, stack: stack.name, frames });
    }
  }
  // all interrupt stacks first, then the exception stacks, as crash(8) has it
  const rank = (stack: string): number => (stackOrder.includes(stack) ? stackOrder.indexOf(stack) : stackOrder.length);
  const byOrder = found
    .filter(({ stack }) => stack !== 'IRQ')
    .sort((a, b) => a.cpu - b.cpu || rank(a.stack) - rank(b.stack));
  return [...found.filter(({ stack }) => stack === 'IRQ'), ...byOrder];
}

const stackOrder: readonly string[] = ['IRQ', 'DOUBLEFAULT', 'NMI', 'DEBUG'];

/** The frames of a backtrace that are shown, as data. */
function framesOf(
  context: CommandContext,
  { frames, problem }: Backtrace,
  words: 'plain' | 'symbolic' | null,
): { frames: FrameData[]; problem: string } {
  const { kernel } = context;
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
        symbol: frame.place?.symbol.name ?? null,
        offset: frame.place === null ? null : Number(address - frame.place.symbol.address),
        module: frame.place?.symbol.module ?? null,
        frameAddress: frame.frameAddress,
        stack: frame.stack,
        reliable: frame.reliable,
        inUserSpace:
          arch.backtraces.userFrames && frame.place === null && registers !== null && saved.interrupted === null,
        ...saved,
        words: words === null ? null : frameWords(context, frame, next, words),
        leaves: next === undefined || next.stack === frame.stack ? null : frame.stack,
      };
    }),
  };
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

function renderFrames(trace: TaskTrace, machine: string, style: BtData['style']): string {
  const lines: string[] = [];
  for (const frame of trace.frames) {
    const name =
      frame.symbol === null
        ? '(unknown)'
        : escapeTerminal(frame.symbol) + (style.offsets ? offsetText(frame.offset, style.radix) : '');
    const module = frame.module === null ? '' : ` [${escapeTerminal(frame.module)}]`;
    const guess = frame.reliable ? '' : '? ';
    const place = frame.inUserSpace
      ? '[user space]'
      : `[${hex16(frame.frameAddress)}] ${guess}${name} at ${hex16(frame.address)}${module}`;
    lines.push(`${`#${frame.level}`.padStart(3)} ${place}`);
    if (frame.registers !== null)
      lines.push(...exceptionLines({ ...frame, registers: frame.registers }, machine, style.radix));
    if (frame.words !== null) lines.push(...wordLines(frame.words, style.symbolic));
    if (frame.leaves !== null && frame.leaves !== 'task' && frame.leaves !== 'unknown')
      lines.push(stackLine(frame.leaves));
  }
  if (trace.problem !== '') lines.push(`bt: the trace ends here: ${escapeTerminal(trace.problem)}`);
  return `${lines.join('\n')}\n`;
}

/** Two words a line, each column 16 wide; longer texts push the next one on. */
function wordLines(words: readonly SymbolicWord[], symbolic: number): string[] {
  const lines: string[] = [];
  for (let i = 0; i < words.length; i += 2) {
    const cells = words.slice(i, i + 2).map((word) => wordText(word, symbolic).padEnd(16));
    lines.push(`    ${hex16(words[i]!.at)}: ${cells.join(' ')} `);
  }
  return lines;
}
