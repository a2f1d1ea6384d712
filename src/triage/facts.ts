// Everything that rules may ask about one death, read once. A fact that cannot be had is null or empty, and
// why is among the faults.
import type { Registers } from '../arch/registers.ts';
import type { VirtAddr } from '../base/address.ts';
import type { Command, Gathered, View } from '../commands/command.ts';
import type { CommandContext } from '../commands/context.ts';
import { type Params, parseParams } from '../commands/params.ts';
import { log, logLine } from '../commands/system/log.ts';
import type { SymbolPlace } from '../debuginfo/symbol.ts';
import { type Backtrace, backtracer, type Frame } from '../kernel/backtrace.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { LockWait } from '../kernel/lock_wait.ts';
import { type CrashedCpu, type CrashedTask, crashedCpu, crashedTask } from '../kernel/panic.ts';
import { logTimestamp, readLog } from '../kernel/printk.ts';
import type { LogRecord } from '../kernel/printk_record.ts';
import type { Task } from '../kernel/task.ts';
import { type Wait, waitOf } from '../kernel/wait/wait.ts';
import type { Incident } from '../oops/incident.ts';
import { withNoReturnCalls } from './cross_check.ts';
import { isDying, laterDeaths } from './dying.ts';
import { logIncidents } from './log_incidents.ts';

/** Registers at an exception: what ran when it came, and the frame of the entry code that saved them. */
export interface ExceptionFrame {
  readonly registers: Registers;
  /** The entry code's frame (`asm_exc_page_fault`, ...). */
  readonly entry: Frame;
  /** Position of `entry` in the backtrace; -1 where that begins with what was interrupted. */
  readonly index: number;
}

/** The instruction that an exception interrupted. */
export function instructionAt({ kernel }: Facts, { registers }: ExceptionFrame): VirtAddr {
  return kernel.arch.registers.instructionPointer(registers);
}

/** Lines of the log that are kept as such: more than one report of an incident has. */
const maxLogLines = 100_000;

const none: Backtrace = { frames: [], problem: '' };

/** A command with what it gave, and how it is drawn. */
export interface CommandAnswer {
  readonly command: Command;
  readonly gathered: Gathered<unknown, unknown, unknown>;
  readonly view: View<Params>;
}

/** What a log tells of one death, where it is all that there is. */
export interface ToldByLog {
  readonly records: readonly LogRecord[];
  readonly incidents: readonly Incident[];
  /** Null: it tells of none. */
  readonly death: Incident | null;
  /** What the CPU, or the task, was doing, as the log prints it. */
  readonly trace: Backtrace;
}

export class Facts {
  /** Null where there is a dump. */
  readonly told: ToldByLog | null;
  readonly context: CommandContext;
  readonly kernel: Kernel;
  readonly log: readonly LogRecord[];
  /** The last lines of the log, as dmesg prints it, and how many there are before them. */
  readonly logLines: readonly string[];
  readonly linesBefore: number;
  readonly incidents: readonly Incident[];
  /** The incident that the kernel died of, as far as the log tells. */
  readonly death: Incident | null;
  /** Who ran on the CPU that panicked; null also where that task cannot be read. */
  readonly crashed: CrashedTask | null;
  readonly crashedCpu: CrashedCpu | null;
  /** Exceptions that came while the kernel was dying already: positions of their entries in `crashTrace`, the last first. */
  readonly laterDeaths: readonly number[];
  private readonly cpuTraces = new Map<number, Backtrace>();
  private readonly answers = new Map<string, () => CommandAnswer | null>();

  /** @param told where there is nothing but a log: the context's kernel is made of it */
  constructor(context: CommandContext, told: ToldByLog | null = null) {
    this.context = context;
    this.told = told;
    this.kernel = context.kernel;
    const { faults, work } = this.kernel;
    this.log =
      told?.records ??
      faults.attempt('log', () => work.within(work.part('log'), () => readLog(this.kernel)), [] as LogRecord[]);
    ({ lines: this.logLines, before: this.linesBefore } = this.lastLines());
    if (told !== null) {
      this.incidents = told.incidents;
      this.death = told.death;
      this.crashedCpu = null;
      this.crashed = null;
      this.laterDeaths = [];
      return;
    }
    this.incidents = logIncidents(this.kernel, this.log);
    this.crashedCpu = faults.attempt('panicking CPU', () => crashedCpu(this.kernel), null);
    this.crashed = faults.attempt('panicking task', () => crashedTask(this.kernel), null);
    this.laterDeaths = this.findLaterDeaths();
    const death =
      this.laterDeaths.length > 0 ? this.findFirstDeath() : findDeath(this.incidents, this.crashedCpu, this.crashed);
    this.death = death === null ? null : withNoReturnCalls(this.kernel, death);
  }

  private lastLines(): { lines: string[]; before: number } {
    const lines: string[][] = [];
    let many = 0;
    let before = 0;
    for (const { timestampNs, text } of this.log.toReversed()) {
      if (many >= maxLogLines) {
        for (let at = 0; at >= 0; at = text.indexOf('\n', at) + 1 || -1) before++;
        continue;
      }
      const stamp = timestampNs === null && this.told !== null ? '' : `${logTimestamp(timestampNs ?? 0n)} `;
      const own = text.split('\n', maxLogLines).map((line) => `${stamp}${line}`);
      lines.push(own);
      many += own.length;
    }
    return { lines: lines.reverse().flat(), before };
  }

  /** What a command said: run once, however many findings show it; each is told of its faults. */
  answer(line: string, run: () => CommandAnswer | null): CommandAnswer | null {
    // of a log alone, nothing else can be asked
    if (this.told !== null) return line === 'log' ? logAnswer(this.context, this.log) : null;
    let answer = this.answers.get(line);
    if (answer === undefined) {
      answer = this.kernel.faults.memo(run);
      this.answers.set(line, answer);
    }
    return answer();
  }

  /** The backtrace of a task; empty where it cannot be made. */
  trace(task: Task): Backtrace {
    return this.kernel.faults.attempt(`stack of pid ${task.pid}`, () => backtracer(this.kernel).of(task), none);
  }

  /** The backtrace of what the panicking CPU ran. */
  get crashTrace(): Backtrace {
    if (this.told !== null) return this.told.trace;
    return this.crashedCpu === null ? none : this.cpuTrace(this.crashedCpu.cpu);
  }

  /** What of the panicking CPU's stack belongs to the first death: without what faulted while the kernel was dying. */
  get deathFrames(): readonly Frame[] {
    const { frames } = this.crashTrace;
    const later = this.laterDeaths.at(-1);
    if (later === undefined) return frames;
    // what dying had called (a notifier) stands between
    return frames.slice(frames.findIndex((frame, i) => i > later && isDying(frame)));
  }

  private findLaterDeaths(): readonly number[] {
    const { isUserMode } = this.kernel.arch.registers;
    return laterDeaths(this.crashTrace.frames, isUserMode);
  }

  /** The incident of the log that is about the first of several deaths on one stack; null where the log has none such. */
  private findFirstDeath(): Incident | null {
    const later = this.laterDeaths.map((index) => this.placeOfEntry(this.crashTrace.frames[index]!));
    const isLater = ({ instruction }: Incident): boolean =>
      instruction !== null &&
      later.some((place) => place?.symbol.name === instruction.symbol && place?.offset === instruction.offset);
    const first = this.exception === null ? null : this.placeOfEntry(this.exception.entry);
    const told = this.incidents.findLast(
      ({ instruction }) =>
        first !== null && instruction?.symbol === first.symbol.name && instruction.offset === first.offset,
    );
    return told ?? this.incidents.findLast((incident) => incident.fatal && !isLater(incident)) ?? null;
  }

  private placeOfEntry({ registers }: Frame): SymbolPlace | null {
    return registers === null ? null : this.kernel.place(this.kernel.arch.registers.instructionPointer(registers));
  }

  /** The backtrace of what a CPU ran, whether its task can be read or not. */
  cpuTrace(cpu: number): Backtrace {
    if (this.told !== null) return this.told.trace;
    const { kernel } = this;
    const task = kernel.tasks.active(cpu);
    if (task !== null) return this.trace(task);
    let trace = this.cpuTraces.get(cpu);
    if (trace === undefined) {
      trace = kernel.faults.attempt(`stack of CPU ${cpu}`, () => backtracer(kernel).ofCpu(cpu), none);
      this.cpuTraces.set(cpu, trace);
    }
    return trace;
  }

  /**
   * The exception that the panicking task died in: the one that the log tells of, where its stack has several (a
   * second fault while dying, an interrupt during a fault); else the innermost one that interrupted kernel code,
   * past the NMI that stopped the CPU.
   */
  get exception(): ExceptionFrame | null {
    const { isUserMode } = this.kernel.arch.registers;
    const found: ExceptionFrame[] = [];
    const from = (this.laterDeaths.at(-1) ?? -1) + 1;
    for (const [index, entry] of this.crashTrace.frames.entries()) {
      if (index < from) continue;
      if (entry.kind !== 'entry' || entry.registers === null || isUserMode(entry.registers)) continue;
      found.push({ registers: entry.registers, entry, index });
    }
    // (while the death itself is looked for, it is not known)
    const told = (this.death as Incident | null | undefined)?.instruction;
    const isTold = (exception: ExceptionFrame): boolean => {
      const place = this.kernel.place(instructionAt(this, exception));
      return place !== null && place.symbol.name === told?.symbol && place.offset === told.offset;
    };
    return (told == null ? undefined : found.find(isTold)) ?? found[0] ?? this.savedForDump(isTold);
  }

  /**
   * What the CPU's own note says, where the way from the exception to the dump cannot be followed (its functions have no
   * names): the kernel saves the registers of the exception itself there (crash_kexec()), if the log has them so.
   */
  private savedForDump(isTold: (exception: ExceptionFrame) => boolean): ExceptionFrame | null {
    const [first] = this.crashTrace.frames;
    if (first?.kind !== 'interrupted' || first.registers === null) return null;
    const exception = { registers: first.registers, entry: first, index: -1 };
    return isTold(exception) ? exception : null;
  }

  /** What a task waits for; null for one that does not wait, and where it cannot be told. */
  waiting(task: Task): Wait | null {
    return this.kernel.faults.attempt(`what pid ${task.pid} waits for`, () => waitOf(this.kernel, task), null);
  }

  /** The lock that a task sleeps on. */
  waitOf(task: Task): LockWait | null {
    const wait = this.waiting(task);
    return wait?.kind === 'lock' ? wait.lock : null;
  }
}

/** A log's messages as the command gives a dump's. */
function logAnswer(context: CommandContext, records: readonly LogRecord[]): CommandAnswer {
  const command = log as unknown as Command;
  const items = records.map(logLine);
  const gathered = { head: { bootTime: null, callerWidth: 0 }, items, tail: null };
  return { command, gathered, view: { options: parseParams(command.params, [], context), ...context.style } };
}

/**
 * The incident that the kernel died of. An oops that goes straight into the kdump kernel (crash_kexec() in
 * oops_end()) has no time to print a panic line: then it is the last one, if it is about the CPU that panicked.
 */
function findDeath(
  incidents: readonly Incident[],
  crashedCpu: CrashedCpu | null,
  crashed: CrashedTask | null,
): Incident | null {
  const last = incidents.at(-1) ?? null;
  if (last !== null && crashedCpu !== null && !last.fatal && last.dieCount !== null) {
    // where the task cannot be read, the CPU must be told
    const sameTask = crashed === null || last.task === null || last.task.pid === crashed.task.pid;
    const sameCpu = last.cpu === crashedCpu.cpu || (last.cpu === null && crashed !== null);
    if (sameTask && sameCpu) return last;
  }
  return incidents.findLast((incident) => incident.fatal) ?? null;
}
