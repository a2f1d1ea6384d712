// From facts to a verdict: which kind of death, whose code, which task. The log says it in words, the
// panicking CPU's stack in frames; where both speak, they are held against each other.
import { type VirtAddr, virtAddr } from '../base/address.ts';
import { hex, hex16 } from '../base/text.ts';
import { type Frame, frameName } from '../kernel/backtrace.ts';
import type { Task } from '../kernel/sched.ts';
import { functionName } from '../oops/frames.ts';
import type { Incident } from '../oops/incident.ts';
import { type ReportKind, reportKind } from '../oops/kinds.ts';
import { isMachinery } from '../oops/machinery.ts';
import type { Analysis, Place } from './analysis.ts';
import { frameDisagreements } from './cross_check.ts';
import type { Facts } from './facts.ts';
import { type FaultAccess, faultAccess } from './fault.ts';
import { kindFromStack } from './memory_verdict.ts';
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
  const fromLog = death === null ? null : reportKind(death);
  const fromStack = kindFromStack(facts, access === null ? null : access.operand.address);
  const kind =
    fromLog !== null && fromLog !== 'unknown'
      ? fromLog
      : (fromStack ?? fromLog ?? (crashed === null ? 'unknown' : 'panic'));
  if (fromLog !== null && fromStack !== null && !agree(fromLog, fromStack)) {
    disagreements.push(
      `The log tells of ${fromLog}, the panicking task's stack of ${fromStack}; the report follows the log.`,
    );
  }

  const subject = subjectOf(facts, kind, death);
  const isFault = exceptions.includes(kind);
  const instruction =
    isFault && facts.exception !== null ? placeAt(facts, virtAddr(facts.exception.registers.rip ?? 0n)) : null;
  const frames = framesToBlame(facts, kind, subject);
  const own = frames.find(
    (frame) =>
      frame.reliable &&
      !isMachinery(functionName(frameName(frame)), frame.place?.symbol.module ?? undefined, kind) &&
      frameName(frame) !== '',
  );
  const named =
    death?.guilty === undefined
      ? undefined
      : frames.find((frame) => functionName(frameName(frame)) === death.guilty!.function);
  const blamed =
    named !== undefined
      ? framePlace(facts, named)
      : (guiltyPlace(facts, death) ??
        (own !== undefined
          ? framePlace(facts, own)
          : (instruction ?? (frames[0] === undefined ? null : framePlace(facts, frames[0])))));
  if (death?.guilty !== undefined && named === undefined && own !== undefined && frames.length > 0) {
    disagreements.push(
      `The log blames ${death.guilty.function}, which is not on the stack of ${subject?.comm ?? 'the task'} in memory; there it would be ${functionName(frameName(own))}.`,
    );
  }
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

  const faultAddress =
    death?.faultAddress?.replace(/^0x/, '') ??
    (accessKinds.includes(kind) && access !== null ? hex16(access.operand.address) : null);
  const source =
    death !== null && facts.crashTrace.frames.length > 0
      ? 'log and memory'
      : death !== null
        ? 'log'
        : fromStack !== null
          ? 'memory'
          : 'nothing';
  const culprit = subject !== null && subject.address !== crashed?.task.address ? subject : null;
  const base = { kind, subject, blamed, instruction, access, disagreements };
  return {
    ...base,
    panic: {
      kind,
      title: death?.title ?? titleOf(kind, blamed),
      message: verdictSentence(facts, { ...base, faultAddress }),
      cpu: facts.crashedCpu?.cpu ?? death?.cpu ?? null,
      pid: crashed?.task.pid ?? death?.task?.pid ?? null,
      comm: crashed?.task.comm ?? death?.task?.comm ?? null,
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
  const named = death?.task === undefined ? null : kernel.tasks.byPid(death.task.pid);
  if (kind === 'hung-task') {
    if (named !== null && named.comm === death?.task?.comm) return named;
    // without a log: whoever has slept longest without letting itself be interrupted
    return longestBlocked(facts) ?? named;
  }
  if (stuck.includes(kind) && death?.cpu !== undefined) return kernel.tasks.active(death.cpu) ?? crashed?.task ?? null;
  return crashed?.task ?? named;
}

/** The uninterruptible sleeper that was switched away from first. */
export function longestBlocked(facts: Facts): Task | null {
  const blocked = facts.kernel.tasks.all.filter((task) => task.state === 'UN');
  const lastRun = (task: Task): number =>
    facts.kernel.faults.attempt(
      'last run',
      () => Number(task.object.member('sched_info').member('last_arrival').bigint()),
      0,
    );
  return blocked.sort((a, b) => lastRun(a) - lastRun(b))[0] ?? null;
}

/** The frames that may be to blame, innermost first. */
function framesToBlame(facts: Facts, kind: ReportKind, subject: Task | null): readonly Frame[] {
  const { frames } = subject === null ? facts.crashTrace : facts.trace(subject);
  if (kind === 'hung-task' || (!exceptions.includes(kind) && !stuck.includes(kind))) return frames;
  // what was interrupted, not what the interrupt or exception then called
  const index = frames.findIndex(
    (frame) => frame.kind === 'entry' && frame.registers !== null && ((frame.registers.cs ?? 0n) & 3n) === 0n,
  );
  if (index < 0) return frames;
  const registers = frames[index]!.registers!;
  const rest = frames.slice(index + 1);
  if (rest[0]?.kind === 'interrupted') return rest;
  const address = virtAddr(registers.rip ?? 0n);
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
function guiltyPlace(facts: Facts, death: Incident | null): Place | null {
  const guilty = death?.guilty;
  if (guilty === undefined) return null;
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

/** `crashme_write+0x1c [crashme]` */
export function shortPlace({ symbol, offset, module, address }: Place): string {
  if (symbol === null) return `address ${address}`;
  return `${symbol}${offset === null || offset === 0 ? '' : `+0x${hex(offset)}`}${module === null ? '' : ` [${module}]`}`;
}
