// From facts to a verdict: which kind of death, whose code, which task. The log says it in words, the
// panicking CPU's stack in frames; where both speak, they are held against each other.
import { addressText } from '../base/text.ts';
import { type Frame, frameName } from '../kernel/backtrace.ts';
import type { Task } from '../kernel/task.ts';
import { functionName } from '../oops/frames.ts';
import { type ReportKind, reportKind } from '../oops/kinds.ts';
import type { Analysis, Place } from './analysis.ts';
import { frameDisagreements } from './cross_check.ts';
import { type Facts, instructionAt } from './facts.ts';
import { badJump, type FaultAccess, faultAccess } from './fault.ts';
import { isPanic, kindFromStack } from './memory_verdict.ts';
import { framePlace, guiltyPlace, placeAt } from './place.ts';
import { verdictSentence } from './sentence.ts';
import { exceptions, framesToBlame, ownFrame, subjectOf } from './subject.ts';

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

/** Kinds where a page that could not be accessed is the matter. */
export const accessKinds: readonly ReportKind[] = [
  'null-pointer',
  'bad-page-fault',
  'general-protection',
  'use-after-free',
];

export function reachVerdict(facts: Facts): Verdict {
  const { death, crashed } = facts;
  const disagreements: string[] = [];
  const access = faultAccess(facts);
  const touched = access === null ? badJump(facts) : access.address;
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
    death?.task != null &&
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
    : (death?.faultAddress
        ?.replace(/^(0x)?/, '')
        .padStart(16, '0')
        .replace(/^/, '0x') ?? (touched === null ? null : addressText(touched)));
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
      task: crashed === null ? null : addressText(crashed.task.address),
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
  const guilty = another ? null : (death?.guilty ?? null);
  const named =
    guilty === null ? undefined : frames.find((frame) => functionName(frameName(frame)) === guilty.function);
  if (named !== undefined) return { blamed: framePlace(facts, named), disagreement: null };
  if (guilty !== null) {
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

/**
 * Who called a bad function pointer. On x86_64 the unwinder has no rule for where the CPU was sent, so it guesses that
 * the return address is on top of the stack, and after a call it is.
 */
function callerOfBadJump(facts: Facts, frames: readonly Frame[]): Frame | undefined {
  const { exception } = facts;
  if (exception === null || badJump(facts) === null) return undefined;
  const { link, stackPointer } = facts.kernel.arch.registers;
  // where a register holds it, the next call is the one that it tells
  const slot = link(exception.registers) === null ? stackPointer(exception.registers) : null;
  return frames.find(
    (frame) => frame.kind === 'call' && (slot === null || frame.frameAddress === slot) && frame.place !== null,
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

function titleOf(kind: ReportKind, blamed: Place | null): string {
  return blamed?.symbol == null ? kind : `${kind} in ${functionName(blamed.symbol)}`;
}
