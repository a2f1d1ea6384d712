// Lockups and stalls: what the stuck CPU ran, whether interrupts were off, and the lock that it spins on.

import { virtAddr } from '../../base/address.ts';
import { assertNever } from '../../base/errors.ts';
import { hex, hex16 } from '../../base/text.ts';
import type { Frame } from '../../kernel/backtrace.ts';
import { type HeldLock, heldLocks } from '../../kernel/held_locks.ts';
import { taskStack } from '../../kernel/sched.ts';
import { hasUnansweredCalls, waitsForCpus } from '../../kernel/smp.ts';
import type { ReportKind } from '../../oops/kinds.ts';
import type { Finding } from '../analysis.ts';
import { evidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';
import { objectName } from '../memory_name.ts';
import { framePlace, shortPlace } from '../place.ts';
import { said } from '../rules/said.ts';
import { type Case, phrases, type Scene, withoutStop } from '../scene.ts';
import { type SpinLock, spinLock } from '../spin.ts';
import { stuckLoop } from '../stuck_loop.ts';
import { stuckCpu, subjectFrames } from '../subject.ts';
import { label, secondsSaid } from '../words.ts';
import { ofKind } from './explanation.ts';

type Lockup = Extract<ReportKind, 'soft-lockup' | 'hard-lockup' | 'rcu-stall' | 'nmi'>;

export const lockup = ofKind({
  name: 'lockup',
  recognises: 'a CPU that did not get on',
  kinds: ['soft-lockup', 'hard-lockup', 'rcu-stall', 'nmi'] satisfies readonly Lockup[],
  sentence: lockupWords,
  findings: lockupFindings,
});

function lockupWords(scene: Scene, about: Case): string {
  const { facts } = scene;
  const { death } = facts;
  const { cpu, where, running, who } = phrases(scene, about);
  const kind = about.kind as Lockup;
  switch (kind) {
    case 'soft-lockup':
      return `CPU ${cpu ?? '?'} was stuck in the kernel${secondsSaid(death?.message)}${where}${running}: ${spinWords(scene, about) ?? loopWords(scene, about) ?? 'it never let another task run'}${holdingWords(scene, about)}.`;
    case 'hard-lockup': {
      const spin = spinWords(scene, about) ?? loopWords(scene, about);
      return `CPU ${cpu ?? '?'} was stuck with interrupts off${where}${running}${spin === null ? '' : `: ${spin}`}${holdingWords(scene, about)}.`;
    }
    case 'rcu-stall':
      return `${cpu === null ? 'RCU waited in vain for a grace period to end' : `CPU ${cpu} held up RCU`}${where}${running}: no grace period could end${holdingWords(scene, about)}.`;
    case 'nmi':
      return `A non-maskable interrupt made the kernel panic (${withoutStop(death?.panic ?? death?.message ?? 'NMI')})${facts.crashedCpu === null || facts.crashedCpu.cpu === cpu ? '' : ` on CPU ${facts.crashedCpu.cpu}, which was idle,`}${who === null ? '' : ` while${cpu === null ? '' : ` CPU ${cpu}`} ran ${who}`}${where}.`;
    default:
      return assertNever(kind);
  }
}

/** The loop that it goes round, where that is sure. */
function loopWords({ facts }: Scene, { subject }: Case): string | null {
  const loop = facts.told === null ? stuckLoop(facts, subject) : null;
  return loop?.confidence === 'certain' ? loop.sentence : null;
}

/** Locks that are told in a sentence. */
const maxHeld = 2;

/** Locks that the stuck task holds, of those that it has a pointer to: whoever wants them waits for it, too. */
function locksHeld({ facts }: Scene, { kind, subject }: Case): HeldLock[] {
  const { kernel } = facts;
  if (subject === null || facts.told !== null) return [];
  const frames = subjectFrames(facts, kind, subject);
  const { isUserMode, stackPointer } = kernel.arch.registers;
  const entry = frames.findLast(({ registers }) => registers !== null && !isUserMode(registers));
  const stack = taskStack(kernel, subject);
  if (entry?.registers == null || stack === null) return [];
  const top = stackPointer(entry.registers) ?? 0n;
  const end = stack.start + BigInt(stack.size);
  const onStack =
    top >= stack.start && top < end ? kernel.space.readUpTo(virtAddr(top), Number(end - top)).bytes : null;
  const words = onStack === null ? [] : new BigUint64Array(onStack.slice(0, onStack.length & ~7).buffer);
  const registers = Object.values(entry.registers).filter((value) => value !== undefined);
  const find = (): HeldLock[] => heldLocks(kernel, subject, [...registers, ...words]);
  return kernel.faults.attempt('locks that are held', find, []);
}

/** `, and holds the mutex m1 [wreck]`, or nothing. */
function holdingWords(scene: Scene, about: Case): string {
  const held = locksHeld(scene, about);
  if (held.length === 0) return '';
  const names = held.slice(0, maxHeld).map(({ kind, lock }) => `the ${kind} ${objectName(scene.facts.kernel, lock)}`);
  return `, and holds ${names.join(' and ')}${held.length > maxHeld ? ` and ${held.length - maxHeld} more locks` : ''}`;
}

/** What a stuck CPU goes round for, in words: a lock, or an answer of another CPU. */
function spinWords({ facts }: Scene, { kind, subject }: Case): string | null {
  const frames = subjectFrames(facts, kind, subject);
  const lock = spinLock(facts, frames);
  const silent = silentCpus(facts, frames, stuckCpu(facts, kind, subject));
  if (lock === null && silent.length > 0) {
    const [first] = silent;
    return silent.length === 1
      ? `it waits for an answer of CPU ${first!.cpu}, which runs ${first!.what}`
      : `it waits for answers of CPUs ${silent.map(({ cpu }) => cpu).join(', ')}; CPU ${first!.cpu} runs ${first!.what}`;
  }
  return lock === null
    ? null
    : `it spins on the lock ${lockName(lock)}${otherSpinners(facts, lock, stuckCpu(facts, kind, subject))}`;
}

function lockName({ symbol, address }: SpinLock): string {
  return symbol ?? `at 0x${hex(address)}`;
}

/** A CPU that was asked to run something, and did not get to it. */
interface SilentCpu {
  readonly cpu: number;
  /** What it does instead: `worn_drain+0x7 [worn] for sh (pid 7), with interrupts off`. */
  readonly what: string;
}

/** CPUs that a stuck CPU waits for; none where it waits for something else, or where that is not known. */
function silentCpus(facts: Facts, frames: readonly Frame[], stuck: number | null): SilentCpu[] {
  const { kernel } = facts;
  const interrupted = frames.findIndex((frame) => frame.kind === 'entry' && frame.registers !== null);
  const waits = frames
    .slice(interrupted + 1, interrupted + 3)
    .some(({ place }) => place !== null && waitsForCpus(place.symbol.name));
  if (interrupted < 0 || !waits) return [];
  return kernel.cpus.running.flatMap((cpu) => {
    if (cpu === stuck || hasUnansweredCalls(kernel, cpu) !== true) return [];
    const { frames: theirs } = facts.cpuTrace(cpu);
    const at = theirs.findIndex(({ kind }) => kind === 'interrupted');
    const registers = at < 0 ? null : (theirs[at]!.registers ?? theirs[at - 1]?.registers ?? null);
    const off = registers !== null && kernel.arch.registers.interruptsOff(registers);
    const task = kernel.tasks.active(cpu);
    const where = at < 0 ? 'code that is not known' : shortPlace(framePlace(facts, theirs[at]!));
    const who = task === null ? '' : ` for ${label(task)}`;
    return [{ cpu, what: `${where}${who}${off ? ', with interrupts off' : ''}` }];
  });
}

/** The lock that a CPU spins on, below whatever stopped it since: an NMI may have come while it panicked itself. */
function spunOn(facts: Facts, frames: readonly Frame[]): SpinLock | null {
  for (const [i, { kind, registers }] of frames.entries()) {
    const lock = kind === 'entry' && registers !== null ? spinLock(facts, frames.slice(i)) : null;
    if (lock !== null) return lock;
  }
  return null;
}

/** Other CPUs that are told, of those that spin as well. */
const maxSpinners = 3;

/** Which other CPUs spin: on the same lock, or on others, so that each may hold what another wants. */
function otherSpinners(facts: Facts, lock: SpinLock, cpu: number | null): string {
  const spinning = facts.kernel.cpus.running.flatMap((other) => {
    const theirs = other === cpu ? null : spunOn(facts, facts.cpuTrace(other).frames);
    return theirs === null ? [] : [{ cpu: other, lock: theirs }];
  });
  if (spinning.length === 0) return '';
  const elsewhere = spinning.filter((other) => other.lock.address !== lock.address);
  const told = (elsewhere.length > 0 ? elsewhere : spinning).slice(0, maxSpinners);
  const words = told.map((other) => {
    const task = facts.kernel.tasks.active(other.cpu);
    const on = other.lock.address === lock.address ? 'it, too' : `the lock ${lockName(other.lock)}`;
    return `CPU ${other.cpu}${task === null ? '' : `, running ${label(task)},`} spins on ${on}`;
  });
  const more = spinning.length > told.length ? `, and ${spinning.length - told.length} more CPUs spin` : '';
  const meaning =
    elsewhere.length > 0
      ? ': they may have taken the locks in different orders, each holding what the other wants'
      : '';
  return `, while ${words.join(' and ')}${more}${meaning}`;
}

function lockupFindings(scene: Scene, about: Case): Finding[] {
  const { facts } = scene;
  const { kind, subject, blamed } = about;
  const cpu = stuckCpu(facts, kind, subject);
  const frames = subjectFrames(facts, kind, subject);
  if (frames.length === 0) return [];
  const findings: Finding[] = [];
  const lock = spinLock(facts, frames);
  const silent = lock === null ? silentCpus(facts, frames, cpu) : [];
  const entry = frames.find((frame) => frame.kind === 'entry' && frame.registers !== null);
  const off = entry !== undefined && facts.kernel.arch.registers.interruptsOff(entry.registers!);
  findings.push({
    title: `CPU ${cpu ?? '?'} ran ${blamed === null ? 'code' : shortPlace(blamed)}${subject === null ? '' : ` for ${label(subject)}`} ${kind === 'nmi' ? 'when the NMI came' : 'when it was found stuck'}${off ? ', with interrupts off' : ''}`,
    explanation:
      entry === undefined
        ? ''
        : off
          ? 'With interrupts off not even the timer gets through: look for what turned them off, and for the loop below it.'
          : kind === 'nmi'
            ? 'Interrupts were on: the CPU was not stuck hard.'
            : silent.length > 0
              ? 'It goes round until the others have answered.'
              : 'Interrupts were on, so the timer got through and only other tasks did not: look for a loop without cond_resched(), or preemption turned off around it.',
    confidence: 'certain',
    evidence: present(
      evidence(
        facts,
        subject === null ? `bt -c ${cpu}` : `bt ${hex16(subject.address)}`,
        'The frames below the interrupt are what the CPU was doing.',
      ),
      said(facts),
    ),
  });

  if (lock !== null) {
    findings.push({
      title: `It spins on the lock at ${hex16(lock.address)}${lock.symbol === null ? '' : ` (${lock.symbol})`}`,
      explanation:
        'Spinlocks do not name their holder: look in the other CPUs and in sleeping tasks for who took this lock and did not give it back; the same task may have taken it already.',
      confidence: 'likely',
      evidence: present(evidence(facts, `rd ${hex16(lock.address)} 1`, 'The low byte is 1 while the lock is held.')),
    });
  }
  for (const { kind: what, lock: held } of locksHeld(scene, about).slice(0, maxHeld)) {
    findings.push({
      title: `${label(subject!)} holds the ${what} ${objectName(facts.kernel, held)}`,
      explanation: 'Whoever wants it waits for this CPU, too.',
      confidence: 'certain',
      evidence: present(
        evidence(
          facts,
          `struct ${what === 'mutex' ? 'mutex' : 'rw_semaphore'}.owner -x ${hex16(held)}`,
          `Its owner is ${hex16(subject!.address)}; the low bits are flags.`,
        ),
      ),
    });
  }
  for (const other of silent.slice(0, maxSpinners)) {
    findings.push({
      title: `CPU ${other.cpu} did not run what it was asked to: it runs ${other.what}`,
      explanation:
        'A CPU that asks others to run a function (a TLB flush, a change of code) waits until all have done it: the one that does not answer is the one to look at.',
      confidence: 'certain',
      evidence: present(
        evidence(facts, `bt -c ${other.cpu}`, 'What it did instead.'),
        evidence(facts, `p call_single_queue:${other.cpu}`, 'What waits for it.'),
      ),
    });
  }
  const others = facts.kernel.cpus.running.filter(
    (other) =>
      other !== cpu && facts.kernel.tasks.active(other)?.idle === false && !silent.some((one) => one.cpu === other),
  );
  if (others.length > 0) {
    findings.push({
      title: `${others.length === 1 ? `CPU ${others[0]} was` : `CPUs ${others.join(', ')} were`} busy, too`,
      explanation: '',
      confidence: 'certain',
      evidence: present(
        evidence(facts, `bt -n idle -c ${others.join(',')}`, 'What the other busy CPUs did at that time.'),
      ),
    });
  }
  return findings;
}
