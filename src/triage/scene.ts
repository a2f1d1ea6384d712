// One death as explanations look at it: the facts, what the log and the panicking stack call it, and for each kind that
// it may have been whom and what code it would be about.
import type { VirtAddr } from '../base/address.ts';
import { addressText } from '../base/text.ts';
import { type Backtrace, type Frame, frameName } from '../kernel/backtrace.ts';
import type { Task } from '../kernel/task.ts';
import { functionName } from '../oops/frames.ts';
import type { GuiltyFrame } from '../oops/incident.ts';
import { type ReportKind, reportKind } from '../oops/kinds.ts';
import { isMachinery } from '../oops/machinery.ts';
import { jumpTo } from '../origin/departures.ts';
import { calledFunction } from '../origin/origin.ts';
import type { Place } from './analysis.ts';
import { type Facts, instructionAt } from './facts.ts';
import { badJump, type FaultAccess, faultAccess } from './fault.ts';
import { isPanic, kindFromStack } from './memory_verdict.ts';
import { framePlace, guiltyPlace, placeAt, shortPlace } from './place.ts';
import { framesToBlame, ownFrame, stuckCpu, subjectOf } from './subject.ts';
import { kindTraits } from './traits.ts';
import { label } from './words.ts';

/** A death taken to be of one kind: whom and what code it is about. */
export interface Case {
  readonly kind: ReportKind;
  /** The task whose code is to blame: the one that panicked, or the one that it panicked about. */
  readonly subject: Task | null;
  /** The blamed code; where that is no more than the panic itself, the panic. */
  readonly blamed: Place | null;
  /** Who called the blamed code, where that ended with a jump and so has no frame; null elsewhere. */
  readonly blamedCaller: Place | null;
  /** The instruction that faulted, where it was a fault. */
  readonly instruction: Place | null;
  /** The memory that the instruction touched. */
  readonly access: FaultAccess | null;
  /** The address that could not be accessed, `0x…`; null for kinds where that is not the matter. */
  readonly faultAddress: string | null;
  /** Where log and memory blame different code or tasks. */
  readonly disagreements: readonly string[];
}

export class Scene {
  readonly facts: Facts;
  /** What the log calls the death; null where it tells of none. */
  readonly told: ReportKind | null;
  /** What the way of the panicking CPU through the kernel shows; null where it shows nothing. */
  readonly onStack: ReportKind | null;
  /** Where the CPU was sent, if that is no code. */
  readonly jump: bigint | null;
  /** The memory that the faulting instruction touched. */
  readonly access: FaultAccess | null;
  /** What it is to be called: as the log has it, unless that knows no kind; else as the stack has it. */
  readonly kind: ReportKind;
  private readonly cases = new Map<ReportKind, Case>();

  constructor(facts: Facts) {
    this.facts = facts;
    const { faults } = facts.kernel;
    this.access = faults.attempt('access', () => faultAccess(facts), null);
    this.jump = faults.attempt('jump', () => badJump(facts), null);
    this.told = facts.death === null ? null : reportKind(facts.death);
    const touched = this.access === null ? this.jump : this.access.address;
    // the stack of a log is no second witness
    this.onStack =
      facts.told !== null ? null : faults.attempt('kind of death', () => kindFromStack(facts, touched), null);
    this.kind = this.told !== null && this.told !== 'unknown' ? this.told : (this.onStack ?? this.told ?? 'unknown');
  }

  /** The death, taken to be of a kind. */
  as(kind: ReportKind): Case {
    let found = this.cases.get(kind);
    if (found === undefined) {
      found = readCase(this, kind);
      this.cases.set(kind, found);
    }
    return found;
  }
}

function readCase(scene: Scene, kind: ReportKind): Case {
  const { facts } = scene;
  const { death, crashed } = facts;
  const traits = kindTraits[kind];
  const subject = subjectOf(facts, kind, death);
  const isFault = traits.blamed === 'exception';
  const instruction =
    isFault && facts.exception !== null ? placeAt(facts, instructionAt(facts, facts.exception)) : null;
  const { blamed: framed, disagreement } = whomToBlame(scene, kind, subject, instruction);
  // a task that sleeps may have gone to sleep by a jump, as one that faults may have come to where it did
  const trace = isFault ? facts.crashTrace : kind === 'hung-task' && subject !== null ? facts.trace(subject) : null;
  const jumped =
    trace !== null && scene.jump === null && framed !== null
      ? withoutFrame(facts, kind, framed, trace, isFault ? null : subject)
      : null;
  const blamed = jumped ?? framed;
  const disagreements = disagreement === null ? [] : [disagreement];
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
  return {
    kind,
    subject,
    blamed,
    blamedCaller: jumped === null ? null : framed,
    instruction,
    access: scene.access,
    // what the log prints of other kinds is no address that was accessed (and often hashed: %p)
    faultAddress: traits.access ? touchedAddress(scene) : null,
    disagreements,
  };
}

function touchedAddress({ facts, access, jump }: Scene): string | null {
  const told = facts.death?.faultAddress?.replace(/^(0x)?/, '');
  if (told !== undefined) return `0x${told.padStart(16, '0')}`;
  const touched = access === null ? jump : access.address;
  return touched === null ? null : addressText(touched);
}

/** The code to blame, and a sentence where log and memory blame different code. */
function whomToBlame(
  scene: Scene,
  kind: ReportKind,
  subject: Task | null,
  instruction: Place | null,
): { blamed: Place | null; disagreement: string | null } {
  const { facts } = scene;
  const { death } = facts;
  const frames = framesToBlame(facts, kind, subject);
  const own = ownFrame(frames, kind);
  // another task than the log's was found to be the matter: what the log blames is not it
  const another = (kind === 'hung-task' || kind === 'nmi') && subject !== null && subject.pid !== death?.task?.pid;
  // nor is what it names where the CPU was sent, to be called: the caller is
  const isTarget = scene.jump !== null && death?.guilty != null && death.guilty.symbol === death.instruction?.symbol;
  const caller = callerOfBadJump(scene, frames);
  const told = another || isTarget ? null : (death?.guilty ?? null);
  const byName = told === null ? undefined : frameOf(frames, told);
  // the kernel follows frame records alone, and so leaves the caller out whom its link register tells
  const isCallersCaller =
    caller !== undefined && byName !== undefined && frames.indexOf(caller) < frames.indexOf(byName);
  const guilty = isCallersCaller ? null : told;
  const named = isCallersCaller ? undefined : byName;
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
  const place = caller ?? own ?? callerOfPanic(frames);
  if (instruction !== null && instruction.symbol === null && scene.jump === null) {
    return { blamed: instruction, disagreement: null };
  }
  if (place !== undefined) return { blamed: framePlace(facts, place), disagreement: null };
  return { blamed: instruction ?? (frames[0] === undefined ? null : framePlace(facts, frames[0])), disagreement: null };
}

/** The frame that the log names: of several of that function the one at that place, else one that is not a leftover on the stack. */
function frameOf(frames: readonly Frame[], { function: name, offset }: GuiltyFrame): Frame | undefined {
  const named = frames.filter((frame) => functionName(frameName(frame)) === name);
  return (
    named.find(({ reliable, place }) => reliable && place?.offset === offset) ??
    named.find(({ reliable }) => reliable) ??
    named[0]
  );
}

/**
 * The function that a blamed frame called, where that ended with a jump to the one whose frame comes next: it is its code
 * that is to blame, and it left no frame. Null where the blamed frame itself called what comes next.
 */
function withoutFrame(
  facts: Facts,
  kind: ReportKind,
  blamed: Place,
  trace: Backtrace,
  asleep: Task | null,
): Place | null {
  const { kernel, crashTrace, crashedCpu, exception } = facts;
  const { frames } = trace;
  const isCrashed = trace === crashTrace;
  const from = isCrashed ? (exception?.index ?? -1) : -1;
  const index = frames.findIndex(
    (frame, i) => i > from && frame.kind === 'call' && addressText(frame.address) === blamed.address,
  );
  const inner = frames[index - 1];
  if (index < 0 || inner?.place == null || inner.kind === 'entry') return null;
  const { symbol } = inner.place;
  const find = (): VirtAddr | null => {
    const called = calledFunction(kernel, trace, index, isCrashed ? (crashedCpu?.cpu ?? null) : null, asleep);
    const place = called === null ? null : kernel.place(called);
    if (place === null || place.symbol.address === symbol.address || place.offset >= 16) return null;
    // its own part for what is rare, or a function that serves its caller
    const name = functionName(place.symbol.name);
    if (name === functionName(symbol.name) || isMachinery(name, place.symbol.module ?? null, kind)) return null;
    return jumpTo(kernel, place.symbol.address, symbol.address);
  };
  const jump = kernel.faults.attempt('what a frame called', find, null);
  return jump === null ? null : placeAt(facts, jump);
}

/**
 * Who called a bad function pointer. On x86_64 the unwinder has no rule for where the CPU was sent, so it guesses that
 * the return address is on top of the stack, and after a call it is.
 */
function callerOfBadJump({ facts, jump }: Scene, frames: readonly Frame[]): Frame | undefined {
  const { exception } = facts;
  if (exception === null || jump === null) return undefined;
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

/** Pieces of a sentence about a case. */
export interface Phrases {
  /** `sh (pid 12)`; null where nobody is known. */
  readonly who: string | null;
  readonly cpu: number | null;
  /** ` on CPU 1`, or nothing. */
  readonly onCpu: string;
  /** `, run by sh (pid 12) on CPU 1`, or nothing. */
  readonly runBy: string;
  /** `, running sh (pid 12)`, or nothing. */
  readonly running: string;
  /** ` in frob+0x1c [widget]`, or nothing. */
  readonly where: string;
  /** `, noticed by __list_del_entry_valid`: where the instruction that faulted is not in the blamed code. */
  readonly noticed: string;
  /** What the log says about it, without a full stop. */
  readonly detail: string | null;
}

export function phrases({ facts }: Scene, { kind, subject, blamed, blamedCaller, instruction }: Case): Phrases {
  const { death } = facts;
  const who = subject !== null ? label(subject) : death?.task != null ? label(death.task) : null;
  const cpu = stuckCpu(facts, kind, subject);
  const onCpu = cpu === null ? '' : ` on CPU ${cpu}`;
  return {
    who,
    cpu,
    onCpu,
    runBy: who === null ? (cpu === null ? '' : `, run by CPU ${cpu}`) : `, run by ${who}${onCpu}`,
    running: who === null ? '' : `, running ${who}`,
    where:
      blamed === null
        ? ''
        : ` in ${shortPlace(blamed)}${blamedCaller === null ? '' : ` (which ended with a jump; ${shortPlace(blamedCaller)} called it)`}`,
    noticed: isElsewhere({ instruction, blamed }) ? `, noticed by ${shortPlace(instruction!)}` : '',
    detail: death?.detail == null ? null : withoutStop(death.detail),
  };
}

/** Whether the instruction that faulted is not in the code to blame; one that no symbol covers may well be. */
export function isElsewhere({ instruction, blamed }: Pick<Case, 'instruction' | 'blamed'>): boolean {
  return instruction !== null && instruction.symbol !== null && blamed !== null && instruction.symbol !== blamed.symbol;
}

/** Text of the log that goes into a sentence of ours, which ends by itself. */
export function withoutStop(text: string): string {
  return text.replace(/[.\s]{1,100}$/, '');
}
