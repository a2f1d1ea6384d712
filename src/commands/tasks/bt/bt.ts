import { offsetBy, type VirtAddr, virtAddr } from '../../../base/address.ts';
import { NotFoundError, UsageError } from '../../../base/errors.ts';
import { escapeTerminal, hex16 } from '../../../base/text.ts';
import { type Backtrace, backtracer, noStack } from '../../../kernel/backtrace.ts';
import { crashedCpu, crashedTask } from '../../../kernel/panic.ts';
import { taskStack } from '../../../kernel/sched.ts';
import { hasLines } from '../../../kernel/source_line.ts';
import type { Task } from '../../../kernel/task.ts';
import { type Answer, defineStream, type Line, noItems, type View } from '../../command.ts';
import { type CommandContext, type TaskLabel, taskHeader, taskLabel } from '../../context.ts';
import { type SymbolicWord, wordText } from '../../memory/stack_word.ts';
import { absent, counted, flag, type Options, radixOf, rest, valued, values } from '../../params.ts';
import { withoutClone } from '../../place_name.ts';
import { placeText } from '../../source_place.ts';
import { calling, type FrameData, type FrameWishes, framesOf, functions } from './bt_frames.ts';
import {
  checkStacks,
  type ExceptionFrameData,
  exceptionFrames,
  exceptionFramesOn,
  renderStack,
  type StackData,
  stackHas,
  stackLine,
  stackSymbols,
  stackWords,
} from './bt_stack.ts';
import { exceptionLines, offsetText } from './exception_frame.ts';

/** One stack: a task's frames (or what else was asked for of its stack), or what is on a stack of a CPU (`-E`). */
export type BtItem = TaskTrace | CpuStack;

export interface TaskTrace extends TaskLabel {
  readonly kind: 'task';
  readonly frames: readonly FrameData[];
  /** Why the trace ends early; empty if it is whole. */
  readonly problem: string;
  readonly stackContent: StackData | null;
}

export interface CpuStack {
  readonly kind: 'cpu';
  readonly cpu: number;
  readonly stack: string;
  readonly frames: readonly ExceptionFrameData[];
}

export interface BtHead {
  /** Whose registers these are, as uname has it. */
  readonly machine: string;
  /** -v: stacks that overflowed; null without -v. */
  readonly overflows: readonly string[] | null;
}

const whose = { group: 'Whose stack' };
const shown = { group: 'What is shown' };
const raw = { group: 'What is on the stack, however it came there' };

const params = {
  all: flag('a', 'the active task of every CPU', whose),
  cpus: valued('c', 'cpus', values.cpus, 'the active task of each of these CPUs: 1,3,5-7 or a', whose),
  panicked: flag('p', 'the task that panicked', whose),
  threads: flag('g', 'every thread of the process', whose),
  filter: valued('n', 'idle', values.word, 'with -a or -c: leave out CPUs that were idle', whose),
  reference: valued(
    'R',
    'reference',
    values.address,
    'only stacks that mention this symbol or address: in a frame, or in a word of the stack',
    whose,
  ),
  stackPointer: valued('S', 'sp', values.address, 'from this address on the stack on', whose),
  instruction: valued('I', 'ip', values.address, 'as if this had been running there', whose),
  offsets: flag('s', "symbol and offset of each frame; -x and -d choose the offset's radix", shown),
  lines: flag('l', 'file and line of each frame, where debuginfo has them', shown),
  inlines: flag('i', 'the functions that were inlined at each frame, innermost first', shown),
  locals: flag('-locals', 'the same, with the parameters and variables of each and their values', shown),
  arguments: flag(
    '-args',
    'what each function was called with, as far as code and memory tell, and how sure that is',
    shown,
  ),
  words: flag('f', 'every word of each frame', shown),
  symbolic: counted(
    'F',
    "the same, with symbols for addresses, and [cache] for slab objects; -FF shows the objects' addresses, too",
    shown,
  ),
  hex: flag('x', 'numbers in hexadecimal', shown),
  decimal: flag('d', 'numbers in decimal', shown),
  raw: flag('r', 'every word of the stack', raw),
  text: flag('t', 'every word that points into kernel text, from where the task stopped', raw),
  textFromBase: flag('T', "the same from the stack's base", raw),
  exceptions: flag('e', 'everything that looks like saved registers', raw),
  cpuExceptions: flag('E', 'the same, on the interrupt and exception stacks of every CPU (or those of -c)', raw),
  overflows: flag('v', 'check all stacks for an overflow', raw),
  sizes: absent('D', 'frame sizes are not kept'),
  vectors: absent('A', 'vector registers are in dumps of s390x only'),
  oldMethod: flag('o', ''),
  oldMethodFromNowOn: absent('O', 'there is one way to make backtraces'),
  tasks: rest('pid|task', values.task),
};

type BtOptions = Options<typeof params>;

export const bt = defineStream({
  name: 'bt',
  help: {
    summary: 'backtraces of kernel stacks',
    usage: [
      '[-a|-c cpus|-p] [-n idle] [-g] [-R reference] [-S sp] [-I ip] [pid|task]...',
      '[-l] [-i|--locals] [--args] [-f|-F|-FF] [-s [-x|-d]] [pid|task]...',
      '[-r|-t|-T|-e|-E|-v] [pid|task]...',
    ],
    description: `Shows the kernel stack of the current task, or of the tasks named.

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
  params,
  items: 'tasks',
  collect: collectBt,
  text: {
    head({ overflows }) {
      if (overflows === null) return '';
      return overflows.length === 0 ? 'No stack overflows detected\n' : `${overflows.join('\n')}\n`;
    },
    item: (item, view, head, index) =>
      itemLines(item, view, head, index)
        .map(({ text }) => `${text}\n`)
        .join(''),
    lines: itemLines,
  },
});

function itemLines(item: BtItem, view: View<typeof params>, { machine }: BtHead, index: number): readonly Line[] {
  const plain = (text: string): Line[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n').map(untold));
  if (item.kind === 'cpu') return plain(cpuStackText(item, machine));
  const style = {
    offsets: view.options.offsets,
    radix: radixOf(view, view.options),
    registersRadix: view.radix,
    symbolic: view.options.symbolic,
  };
  const body =
    item.stackContent !== null ? plain(renderStack(item.stackContent, machine)) : frameLines(item, machine, style);
  return [...(index > 0 ? [untold('')] : []), untold(taskHeader(item)), ...body];
}

/** A line that tells of nothing one would point at. */
function untold(text: string): Line {
  return { text, at: null };
}

function collectBt(context: CommandContext, options: BtOptions): Answer<BtHead, BtItem, null> {
  const { kernel } = context;
  const machine = kernel.arch.name;
  if ((options.lines || options.inlines || options.locals) && !hasLines(kernel)) {
    kernel.faults.record('lines', new NotFoundError('debug information', 'of the kernel', 'name its vmlinux'));
  }
  const { filter } = options;
  if (filter !== null && filter !== 'idle')
    throw new UsageError(`invalid filter: ${escapeTerminal(filter)}: only "idle" is one`);
  if (options.overflows) return { head: { machine, overflows: checkStacks(kernel) }, items: noItems(null) };
  const items = options.cpuExceptions ? interruptStacks(context, options.cpus) : traces(context, options);
  return { head: { machine, overflows: null }, items };
}

function* traces(context: CommandContext, options: BtOptions): Generator<BtItem, null> {
  const tracer = backtracer(context.kernel);
  const want: FrameWishes = {
    words: options.words ? 'plain' : options.symbolic > 0 ? 'symbolic' : null,
    lines: options.lines,
    functions: options.locals ? 'with variables' : options.inlines ? 'names' : null,
    calls: options.arguments,
  };
  for (const target of pickTasks(context, options)) {
    if (options.filter !== null && !('unreadable' in target) && target.idle) continue;
    context.kernel.work.charge('nodes', 1);
    if ('unreadable' in target) {
      yield cpuTrace(context, target.unreadable, want);
      continue;
    }
    if (options.reference !== null && !mentions(context, target, options.reference)) continue;
    // of a dead task that has given its stack back its trace says so
    const content = taskStack(context.kernel, target) === null ? null : stackContent(context, options, target);
    const { stackPointer, instruction } = options;
    // a task that ran may have been on a stack of its CPU
    const own = stackPointer === null || target.active ? null : taskStack(context.kernel, target);
    if (
      stackPointer !== null &&
      own !== null &&
      (stackPointer < own.start || stackPointer >= offsetBy(own.start, own.size))
    ) {
      throw new UsageError(
        `-S ${hex16(stackPointer)} is not on the stack of this task: ${hex16(own.start)} to ${hex16(offsetBy(own.start, own.size))}`,
      );
    }
    const backtrace = (): Backtrace => {
      const whole = tracer.of(target);
      if (stackPointer === null && instruction === null) return whole;
      const at = stackPointer ?? whole.frames[0]?.stackPointer ?? null;
      if (at === null) throw new UsageError('-I needs -S: the stack pointer is not known');
      return tracer.from(target, at, instruction);
    };
    yield content !== null
      ? { kind: 'task', ...taskLabel(target), frames: [], problem: '', stackContent: content }
      : {
          kind: 'task',
          ...taskLabel(target),
          ...framesOf(context, backtrace(), want, { task: target, cpu: target.cpu }),
          stackContent: null,
        };
  }
  return null;
}

/** Whether a stack has a word that is an address, or lies in the function that begins there. */
function mentions(context: CommandContext, task: Task, reference: VirtAddr): boolean {
  const { kernel } = context;
  const function_ = kernel.place(reference);
  const isMeant = (word: bigint): boolean => {
    if (word === reference) return true;
    if (function_?.offset !== 0) return false;
    const place = kernel.place(virtAddr(word));
    return place !== null && place.symbol.address === function_.symbol.address;
  };
  const { frames } = backtracer(kernel).of(task);
  if (frames.some(({ address }) => isMeant(address))) return true;
  return stackHas(context, task, frames[0]?.frameAddress ?? null, isMeant);
}

/** What is asked for of a stack in place of its frames. */
function stackContent(context: CommandContext, options: BtOptions, task: Task): StackData | null {
  if (options.raw) return stackWords(context, task);
  if (options.exceptions) return exceptionFrames(context, task);
  return options.text || options.textFromBase ? stackSymbols(context, task, options.textFromBase) : null;
}

function cpuStackText({ cpu, stack, frames }: CpuStack, machine: string): string {
  const title = stack === 'IRQ' ? `CPU ${cpu} IRQ STACK:` : `CPU ${cpu} ${stack} EXCEPTION STACK:`;
  return `${title}\n${frames.length === 0 ? '(none found)\n' : renderStack({ kind: 'exceptions', frames }, machine)}\n`;
}

/** A task, or a CPU whose task cannot be read. */
type Target = Task | { readonly unreadable: number };

function pickTasks(context: CommandContext, want: BtOptions): Target[] {
  const { kernel } = context;
  if (want.all || want.cpus !== null) {
    const cpus = want.cpus ?? kernel.cpus.running;
    return cpus.map((cpu) => context.tasks.active(cpu) ?? { unreadable: cpu });
  }
  const crashed = crashedCpu(kernel);
  // the task that panicked may be missing from the dump; what its CPU ran is on the stack all the same
  if (
    want.tasks.length === 0 &&
    crashed !== null &&
    (want.panicked || !context.hasChosenTask) &&
    context.tasks.active(crashed.cpu) === null
  ) {
    return [{ unreadable: crashed.cpu }];
  }
  const named = want.tasks.length > 0 ? want.tasks : [want.panicked ? panicTask(context) : context.task];
  if (!want.threads) return [...named];
  return named.flatMap((task) =>
    context.tasks.all
      .filter((t) => t.tgid === task.tgid && !t.idle)
      .sort((a, b) => Number(b.pid === b.tgid) - Number(a.pid === a.tgid)),
  );
}

/** What a CPU ran, where its task cannot be read: the task's name and pid are not known then. */
function cpuTrace(context: CommandContext, cpu: number, want: FrameWishes): TaskTrace {
  const { kernel } = context;
  const task = context.tasks.activeAddress(cpu);
  kernel.faults.record(
    `CPU ${cpu}`,
    new NotFoundError('task', `that CPU ${cpu} ran`, 'its task_struct cannot be read'),
  );
  const label = { pid: -1, task: task ?? virtAddr(0n), cpu, command: '?' };
  const frames = framesOf(context, backtracer(kernel).ofCpu(cpu), want, { task: null, cpu });
  return { kind: 'task', ...label, ...frames, stackContent: null };
}

function panicTask(context: CommandContext): Task {
  const crashed = crashedTask(context.kernel, context.tasks);
  if (crashed === null) throw new NotFoundError('task', 'that panicked', 'nothing in memory says that the kernel did');
  return crashed.task;
}

/** The interrupt stacks of all CPUs first, then their exception stacks, as crash(8) has it. */
function* interruptStacks(context: CommandContext, chosen: readonly number[] | null): Generator<CpuStack, null> {
  const { kernel } = context;
  const tracer = backtracer(kernel);
  const rank = (stack: string): number => (stackOrder.includes(stack) ? stackOrder.indexOf(stack) : stackOrder.length);
  // a kernel without CONFIG_X86_MCE has the stack all the same; the entry was machine_check until 5.8
  const entries = ['asm_exc_machine_check', 'machine_check'];
  const always = entries.some((name) => kernel.ownSymbol(name) !== null) ? [...stackOrder, 'MCE'] : stackOrder;
  for (const irq of [true, false]) {
    for (const cpu of chosen ?? kernel.cpus.running) {
      const task = context.tasks.active(cpu);
      if (task === null) continue;
      const stacks = tracer
        .stacks(task)
        .filter(({ kind, name }) => kind !== 'task' && kind !== 'entry' && (name === 'IRQ') === irq)
        .sort((a, b) => rank(a.name) - rank(b.name));
      for (const stack of stacks) {
        const { frames } = exceptionFramesOn(context, task, stack);
        // the stacks that this kernel uses are always told of; the others where there is something on them
        if (frames.length === 0 && !always.includes(stack.name)) continue;
        yield { kind: 'cpu', cpu, stack: stack.name, frames };
      }
    }
  }
  return null;
}

const stackOrder: readonly string[] = ['IRQ', 'DOUBLEFAULT', 'NMI', 'DEBUG'];

/** How frames are drawn. */
export interface FrameStyle {
  readonly offsets: boolean;
  /** Of offsets and values. */
  readonly radix: 10 | 16;
  /** Of places in registers: the session's, whatever -x and -d say. */
  readonly registersRadix: 10 | 16;
  /** 2: slab objects with their addresses. */
  readonly symbolic: number;
}

/** The lines of a trace: `frame N`, and `exception N` for where its registers say that it came. */
function frameLines(trace: TaskTrace, machine: string, style: FrameStyle): Line[] {
  const lines: Line[] = [];
  for (const frame of trace.frames) {
    const name =
      frame.symbol === null
        ? '(unknown)'
        : escapeTerminal(withoutClone(frame.symbol)) + (style.offsets ? offsetText(frame.offset, style.radix) : '');
    const module = frame.module === null ? '' : ` [${escapeTerminal(frame.module)}]`;
    const guess = frame.reliable ? '' : '? ';
    const place = frame.inUserSpace
      ? '[user space]'
      : `[${hex16(frame.frameAddress)}] ${guess}${name} at ${hex16(frame.address)}${module}`;
    lines.push({ text: `${`#${frame.level}`.padStart(3)} ${place}`, at: `frame ${frame.level}` });
    if (frame.source !== null) lines.push(untold(`    ${placeText(frame.source)}`));
    if (frame.registers !== null) {
      const [first, ...more] = exceptionLines({ ...frame, registers: frame.registers }, machine, style.registersRadix);
      if (first !== undefined)
        lines.push({ text: first, at: first.includes('[exception ') ? `exception ${frame.level}` : null });
      lines.push(...more.map(untold));
    }
    if (frame.interruptedSource !== null) lines.push(untold(`    ${placeText(frame.interruptedSource)}`));
    if (frame.functions !== null) lines.push(...functions().functionLines(frame.functions, style.radix).map(untold));
    if (frame.calls !== null) lines.push(...calling().callLines(frame.calls, frame.symbol, style.radix).map(untold));
    if (frame.words !== null) lines.push(...wordLines(frame.words, style.symbolic).map(untold));
    if (frame.leaves !== null && frame.leaves !== 'task' && frame.leaves !== 'unknown')
      lines.push(untold(stackLine(frame.leaves)));
  }
  if (trace.problem === noStack) lines.push(untold('(no stack)'));
  else if (trace.problem !== '') lines.push(untold(`bt: the trace ends here: ${escapeTerminal(trace.problem)}`));
  return lines;
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
