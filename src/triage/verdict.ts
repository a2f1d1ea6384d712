// From facts to a verdict: which kind of death, whose code, which task. The log says it in words, the
// panicking CPU's stack in frames; where both speak, they are held against each other.
import { registerSet } from '../arch/registers.ts';
import type { VirtAddr } from '../base/address.ts';
import { hex, hex16 } from '../base/text.ts';
import { type Frame, frameName } from '../kernel/backtrace.ts';
import { lockChain } from '../kernel/lock_wait.ts';
import type { Task } from '../kernel/sched.ts';
import { functionName } from '../oops/frames.ts';
import type { GuiltyFrame, Incident } from '../oops/incident.ts';
import { type ReportKind, reportKind } from '../oops/kinds.ts';
import { isMachinery } from '../oops/machinery.ts';
import type { Analysis, Place } from './analysis.ts';
import { frameDisagreements } from './cross_check.ts';
import { type Facts, instructionAt } from './facts.ts';
import { badJump, type FaultAccess, faultAccess } from './fault.ts';
import { isPanic, kindFromStack } from './memory_verdict.ts';
import { verdictSentence } from './sentence.ts';

export interface Verdict {
  readonly kind: ReportKind;
  /** The task whose code is to blame: the one that panicked, or the one that it panicked about. */
  readonly subject: Task | null;
  /** The blamed code; where that is no more than the panic itself, the panic. */
  readonly blamed: Place | null;
  /** The instruction that faulted, where it was a fault. */
  readonly instruction: Place | null;
  readonly access: FaultAccess | null;
  readonly panic: Analysis['panic'];
  readonly disagreements: readonly string[];
}

/** Kinds that are CPU exceptions: the panicking CPU's own instruction is what went wrong. */
const exceptions: readonly ReportKind[] = [
  'null-pointer',
  'bad-page-fault',
  'general-protection',
  'divide-error',
  'invalid-opcode',
  'BUG',
  'WARN',
  'stack-overflow',
  'double-fault',
  'list-corruption',
  'use-after-free',
];
/** Kinds where a page that could not be accessed is the matter. */
export const accessKinds: readonly ReportKind[] = [
  'null-pointer',
  'bad-page-fault',
  'general-protection',
  'use-after-free',
];
/** Kinds where a CPU did not get on. */
const stuck: readonly ReportKind[] = ['soft-lockup', 'hard-lockup', 'rcu-stall', 'nmi'];

export function reachVerdict(facts: Facts): Verdict {
  const { death, crashed } = facts;
  const disagreements: string[] = [];
  const access = faultAccess(facts);
  const touched = access === null ? badJump(facts) : access.operand.address;
  const fromLog = death === null ? null : reportKind(death);
  const fromStack = kindFromStack(facts, touched);
  const kind = fromLog !== null && fromLog !== 'unknown' ? fromLog : (fromStack ?? fromLog ?? 'unknown');
  if (fromLog !== null && fromStack !== null && !agree(fromLog, fromStack)) {
    disagreements.push(
      `The log tells of ${fromLog}, the panicking task's stack of ${fromStack}; the report follows the log.`,
    );
  }

  const subject = subjectOf(facts, kind, death);
  const isFault = exceptions.includes(kind);
  const instruction =
    isFault && facts.exception !== null ? placeAt(facts, instructionAt(facts, facts.exception)) : null;
  const { blamed, disagreement } = whomToBlame(facts, kind, subject, instruction);
  if (disagreement !== null) disagreements.push(disagreement);
  if (
    death?.task !== undefined &&
    crashed !== null &&
    isFault &&
    death.task.pid !== crashed.task.pid &&
    death.task.pid !== 0
  ) {
    disagreements.push(
      `The log's report is about pid ${death.task.pid} (${death.task.comm}), but pid ${crashed.task.pid} (${crashed.task.comm}) ran on the CPU that panicked.`,
    );
  }

  if (death !== null) disagreements.push(...frameDisagreements(facts.kernel, death));

  // what the log prints of other kinds is no address that was accessed (and often hashed: %p)
  const faultAddress = !accessKinds.includes(kind)
    ? null
    : (death?.faultAddress?.replace(/^0x/, '').padStart(16, '0') ?? (touched === null ? null : hex16(touched)));
  const source =
    death !== null && facts.crashTrace.frames.length > 0
      ? 'log and memory'
      : death !== null
        ? 'log'
        : fromStack !== null
          ? 'memory'
          : 'nothing';
  // who panicked: the log's report is about him, unless it is about another task or CPU
  const panicked = crashed?.task ?? (aboutOthers.includes(kind) ? null : (death?.task ?? null));
  const culprit =
    subject === null || subject.address === crashed?.task.address || (crashed === null && subject.pid === panicked?.pid)
      ? null
      : subject;
  const base = { kind, subject, blamed, instruction, access, disagreements };
  return {
    ...base,
    panic: {
      kind,
      title: death?.title ?? titleOf(kind, blamed),
      message: verdictSentence(facts, { ...base, faultAddress }),
      cpu: facts.crashedCpu?.cpu ?? death?.cpu ?? null,
      pid: panicked?.pid ?? null,
      comm: panicked?.comm ?? null,
      task: crashed === null ? null : hex16(crashed.task.address),
      rip: blamed,
      faultAddress,
      reason: death?.panic ?? null,
      culprit: culprit === null ? null : { pid: culprit.pid, comm: culprit.comm, cpu: culprit.cpu },
      signature: death?.signature ?? null,
      source,
    },
  };
}

/** Kinds where the log's report is about another task than the one that panics. */
const aboutOthers: readonly ReportKind[] = ['hung-task', 'hard-lockup', 'rcu-stall'];

/** The code to blame, and a sentence where log and memory blame different code. */
function whomToBlame(
  facts: Facts,
  kind: ReportKind,
  subject: Task | null,
  instruction: Place | null,
): { blamed: Place | null; disagreement: string | null } {
  const { death } = facts;
  const frames = framesToBlame(facts, kind, subject);
  const own = ownFrame(frames, kind);
  // another task than the log's was found to be the matter: what the log blames is not it
  const another = (kind === 'hung-task' || kind === 'nmi') && subject !== null && subject.pid !== death?.task?.pid;
  const guilty = another ? undefined : death?.guilty;
  const named =
    guilty === undefined ? undefined : frames.find((frame) => functionName(frameName(frame)) === guilty.function);
  if (named !== undefined) return { blamed: framePlace(facts, named), disagreement: null };
  if (guilty !== undefined) {
    // a frame that no symbol covers may well be what the log names
    const nameless = frames.some((frame) => frame.reliable && frame.place === null);
    return {
      blamed: guiltyPlace(facts, guilty),
      disagreement:
        own === undefined || nameless
          ? null
          : `The log blames ${guilty.function}, which is not on the stack of ${subject?.comm ?? 'the task'} in memory; there it would be ${functionName(frameName(own))}.`,
    };
  }
  const place = callerOfBadJump(facts, frames) ?? own ?? callerOfPanic(frames);
  if (instruction !== null && instruction.symbol === null && badJump(facts) === null) {
    return { blamed: instruction, disagreement: null };
  }
  if (place !== undefined) return { blamed: framePlace(facts, place), disagreement: null };
  return { blamed: instruction ?? (frames[0] === undefined ? null : framePlace(facts, frames[0])), disagreement: null };
}

/** The innermost frame that is not machinery for this kind of death. */
export function ownFrame(frames: readonly Frame[], kind: ReportKind): Frame | undefined {
  return frames.find(
    (frame) =>
      frame.reliable &&
      frameName(frame) !== '' &&
      !isMachinery(functionName(frameName(frame)), frame.place?.symbol.module ?? undefined, kind),
  );
}

/**
 * Who called a bad function pointer. On x86_64 the unwinder has no rule for where the CPU was sent, so it guesses that
 * the return address is on top of the stack, and after a call it is.
 */
function callerOfBadJump(facts: Facts, frames: readonly Frame[]): Frame | undefined {
  const { exception } = facts;
  if (exception === null || badJump(facts) === null) return undefined;
  const { rsp } = exception.registers; // arm64 has none: the next call is the one that x30 tells
  return frames.find(
    (frame) => frame.kind === 'call' && (rsp === undefined || frame.frameAddress === rsp) && frame.place !== null,
  );
}

/** Where nothing else is to blame: the function that called panic(). */
function callerOfPanic(frames: readonly Frame[]): Frame | undefined {
  const at = frames.findLastIndex((frame) => frame.reliable && isPanic(frame));
  return at < 0 ? undefined : frames.slice(at + 1).find((frame) => frame.reliable && frameName(frame) !== '');
}

/** Kinds that may be two words for the same: the log is finer than the stack. */
function agree(log: ReportKind, stack: ReportKind): boolean {
  if (log === stack || stack === 'panic' || log === 'panic') return true;
  const families: readonly (readonly ReportKind[])[] = [
    ['null-pointer', 'bad-page-fault', 'use-after-free', 'stack-overflow', 'general-protection'],
    ['BUG', 'invalid-opcode', 'list-corruption', 'use-after-free', 'WARN', 'atomic-sleep'],
    ['stack-overflow', 'double-fault'],
    ['atomic-sleep', 'WARN', 'list-corruption'],
    ['rcu-stall', 'hard-lockup', 'soft-lockup', 'nmi'],
    ['nmi', 'hard-lockup', 'machine-check'],
    ['sysrq', 'null-pointer', 'bad-page-fault'],
  ];
  return families.some((family) => family.includes(log) && family.includes(stack));
}

/** The task that the death is about. */
function subjectOf(facts: Facts, kind: ReportKind, death: Incident | null): Task | null {
  const { kernel, crashed } = facts;
  const byPid = death?.task === undefined ? null : kernel.tasks.byPid(death.task.pid);
  const named = byPid !== null && death !== null && isNamed(byPid, death) ? byPid : null;
  if (kind === 'hung-task') return hungTask(facts, named);
  const elsewhere = kind === 'nmi' ? stuckElsewhere(facts) : null;
  if (elsewhere !== null) return elsewhere;
  if (stuck.includes(kind) && death !== null) {
    if (named !== null && (death.cpu === undefined || (named.active && named.cpu === death.cpu))) return named;
    if (death.cpu !== undefined) return kernel.tasks.active(death.cpu);
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
  const { isUserMode, interruptsOff } = registerSet(kernel.arch.name);
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
  return told !== undefined && told.pid === task.pid && (told.comm === task.comm || task.pid === 0);
}

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

/** Blocked tasks whose locks are looked for, when the log does not say which task hung: each costs a backtrace. */
const maxSearched = 500;

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
  if (subject !== null) return facts.trace(subject).frames;
  if (kind === 'hung-task') return []; // the CPU that panicked ran the detector
  const cpu = stuck.includes(kind) ? facts.death?.cpu : undefined;
  return cpu === undefined ? facts.crashTrace.frames : facts.cpuTrace(cpu).frames;
}

/** The frames that may be to blame, innermost first. */
function framesToBlame(facts: Facts, kind: ReportKind, subject: Task | null): readonly Frame[] {
  const frames = subjectFrames(facts, kind, subject);
  if (kind === 'hung-task' || (!exceptions.includes(kind) && !stuck.includes(kind))) return frames;
  return interruptedFrames(facts, frames);
}

/** What was interrupted, without what the interrupt or exception then called; all frames where nothing was. */
export function interruptedFrames(facts: Facts, frames: readonly Frame[]): readonly Frame[] {
  const { instructionPointer, isUserMode } = registerSet(facts.kernel.arch.name);
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

function framePlace(facts: Facts, frame: Frame): Place {
  const offset = frame.place === null ? null : Number(frame.address - frame.place.symbol.address);
  return {
    ...placeAt(facts, frame.address),
    symbol: frame.place?.symbol.name ?? null,
    offset,
    module: frame.place?.symbol.module ?? null,
  };
}

/** An address as symbol, offset and module. */
export function placeAt(facts: Facts, address: VirtAddr): Place {
  const place = facts.kernel.place(address);
  return {
    address: hex16(address),
    symbol: place?.symbol.name ?? null,
    offset: place?.offset ?? null,
    module: place?.symbol.module ?? null,
  };
}

/** The log's guilty function, found among the symbols. */
function guiltyPlace(facts: Facts, guilty: GuiltyFrame): Place {
  const symbol =
    facts.kernel.symbols.findAll(guilty.symbol).find((s) => (s.module ?? undefined) === guilty.module) ??
    facts.kernel.symbols.find(guilty.symbol);
  const offset = guilty.offset ?? null;
  return {
    address: symbol === null || symbol === undefined ? '' : hex16(symbol.address + BigInt(offset ?? 0)),
    symbol: guilty.symbol,
    offset,
    module: guilty.module ?? null,
  };
}

function titleOf(kind: ReportKind, blamed: Place | null): string {
  return blamed?.symbol == null ? kind : `${kind} in ${functionName(blamed.symbol)}`;
}

/** `widget_write+0x1c [widget]` */
export function shortPlace({ symbol, offset, module, address }: Place): string {
  if (symbol === null) return `unnamed code at ${address}`;
  return `${symbol}${offset === null || offset === 0 ? '' : `+0x${hex(offset)}`}${module === null ? '' : ` [${module}]`}`;
}
