// Whom a death is about: the task, the CPU, and the frames of its stack that may be to blame.
import { type Frame, frameName } from '../kernel/backtrace.ts';
import { lockChain } from '../kernel/lock_wait.ts';
import type { Task } from '../kernel/task.ts';
import { functionName } from '../oops/frames.ts';
import type { Incident } from '../oops/incident.ts';
import type { ReportKind } from '../oops/kinds.ts';
import { isMachinery } from '../oops/machinery.ts';
import type { Facts } from './facts.ts';
import { kindTraits } from './traits.ts';

/** The task that the death is about. */
export function subjectOf(facts: Facts, kind: ReportKind, death: Incident | null): Task | null {
  const { kernel, crashed } = facts;
  const byPid = death?.task == null ? null : kernel.tasks.byPid(death.task.pid);
  const named = byPid !== null && death !== null && isNamed(byPid, death) ? byPid : null;
  if (kind === 'hung-task') return hungTask(facts, named);
  const elsewhere = kind === 'nmi' ? stuckElsewhere(facts) : null;
  if (elsewhere !== null) return elsewhere;
  if (kindTraits[kind].blamed === 'stuck' && death !== null) {
    if (named !== null && (death.cpu === null || (named.active && named.cpu === death.cpu))) return named;
    if (death.cpu !== null) return kernel.tasks.active(death.cpu);
  }
  // what the panicking CPU ran may be missing from the dump: better nobody than somebody else
  return facts.crashedCpu === null ? named : (crashed?.task ?? named);
}

/**
 * Whom an NMI was for that found the panicking CPU idle: one from outside comes to every CPU, and any may be the
 * first to panic. That is the task on another CPU that had interrupts off; null where there is none.
 */
function stuckElsewhere(facts: Facts): Task | null {
  const { crashedCpu, kernel } = facts;
  if (crashedCpu === null || kernel.tasks.active(crashedCpu.cpu)?.idle !== true) return null;
  const { isUserMode, interruptsOff } = kernel.arch.registers;
  const isStuck = (task: Task): boolean => {
    const entry = facts.trace(task).frames.find(({ kind, registers }) => kind === 'entry' && registers !== null);
    return entry !== undefined && !isUserMode(entry.registers!) && interruptsOff(entry.registers!);
  };
  // those that were stopped may be offline by now
  const others = kernel.cpus.possible.map((cpu) => kernel.tasks.active(cpu));
  return others.find((task) => task !== null && !task.idle && isStuck(task)) ?? null;
}

/** The CPU that a death is about: as the log says, unless its report is by another CPU about this task. */
export function stuckCpu(facts: Facts, kind: ReportKind, subject: Task | null): number | null {
  const told = facts.death?.cpu ?? null;
  const own = subject?.cpu ?? null;
  return (kind === 'nmi' ? (own ?? told) : (told ?? own)) ?? facts.crashedCpu?.cpu ?? null;
}

/** Whether an incident is about a task. Pids are used again, and tasks rename themselves: both must fit. */
function isNamed(task: Task, { task: told }: Incident): boolean {
  // idle tasks are all pid 0, and named swapper or swapper/N
  return told !== null && told.pid === task.pid && (told.comm === task.comm || task.pid === 0);
}

/** Blocked tasks whose locks are looked for, when the log does not say which task hung: each costs a backtrace. */
const maxSearched = 500;

/**
 * The hung task that says most: the one that the log names, unless it waits for no lock and others, which hang no
 * less, have locked each other out. Without a log, whoever has slept longest.
 */
function hungTask(facts: Facts, named: Task | null): Task | null {
  if (named !== null && facts.waitOf(named) !== null) return named;
  const told = (facts.death?.otherTasks ?? [])
    .map(({ pid, comm }) => ({ task: facts.kernel.tasks.byPid(pid), comm }))
    .find(
      ({ task, comm }) => task !== null && task.comm === comm && task.state === 'UN' && facts.waitOf(task) !== null,
    );
  if (told?.task != null) return told.task;
  const sleepers = sleepersByAge(facts).slice(0, maxSearched);
  const locked = sleepers.find((task) => {
    const wait = facts.waitOf(task);
    return wait !== null && lockChain(wait, (other) => facts.waitOf(other)).deadlocked;
  });
  return locked ?? named ?? sleepers.find((task) => facts.waitOf(task) !== null) ?? sleepers[0] ?? null;
}

/** Uninterruptible sleepers, the one that was switched to longest ago first. */
function sleepersByAge(facts: Facts): Task[] {
  const lastRun = (task: Task): number =>
    facts.kernel.faults.attempt(
      'last run',
      () => Number(task.object.member('sched_info').member('last_arrival').bigint()),
      0,
    );
  return facts.kernel.tasks.all
    .filter((task) => task.state === 'UN')
    .map((task) => ({ task, ran: lastRun(task) }))
    .sort((a, b) => a.ran - b.ran)
    .map(({ task }) => task);
}

/** The stack of the task that the death is about; where that task cannot be read, of the CPU that it is about. */
export function subjectFrames(facts: Facts, kind: ReportKind, subject: Task | null): readonly Frame[] {
  if (subject !== null)
    return subject.address === facts.crashed?.task.address ? facts.deathFrames : facts.trace(subject).frames;
  if (kind === 'hung-task') return []; // the CPU that panicked ran the detector
  const cpu = kindTraits[kind].blamed === 'stuck' ? (facts.death?.cpu ?? null) : null;
  return cpu === null ? facts.deathFrames : facts.cpuTrace(cpu).frames;
}

/** The frames that may be to blame, innermost first. */
export function framesToBlame(facts: Facts, kind: ReportKind, subject: Task | null): readonly Frame[] {
  const frames = subjectFrames(facts, kind, subject);
  const { blamed } = kindTraits[kind];
  if (blamed !== 'exception' && blamed !== 'stuck') return frames;
  return interruptedFrames(facts, frames);
}

/** What was interrupted, without what the interrupt or exception then called; all frames where nothing was. */
export function interruptedFrames(facts: Facts, frames: readonly Frame[]): readonly Frame[] {
  const { instructionPointer, isUserMode } = facts.kernel.arch.registers;
  const index = frames.findIndex(
    ({ kind, registers }) => kind === 'entry' && registers !== null && !isUserMode(registers),
  );
  if (index < 0) return frames;
  const registers = frames[index]!.registers!;
  const rest = frames.slice(index + 1);
  if (rest[0]?.kind === 'interrupted') return rest;
  const address = instructionPointer(registers);
  const interrupted: Frame = {
    ...frames[index]!,
    kind: 'interrupted',
    address,
    place: facts.kernel.place(address),
    registers: null,
    reliable: true,
  };
  return [interrupted, ...rest];
}

/** The innermost frame that is not machinery for this kind of death. */
export function ownFrame(frames: readonly Frame[], kind: ReportKind): Frame | undefined {
  return frames.find(
    (frame) =>
      frame.reliable &&
      frameName(frame) !== '' &&
      !isMachinery(functionName(frameName(frame)), frame.place?.symbol.module ?? null, kind),
  );
}
