// The one sentence that says what happened, so that a person can act on it.
import { assertNever } from '../base/errors.ts';
import { count, hex } from '../base/text.ts';
import { type LockWait, lockChain } from '../kernel/lock_wait.ts';
import type { Task } from '../kernel/task.ts';
import type { ReportKind } from '../oops/kinds.ts';
import type { Place } from './analysis.ts';
import type { Facts } from './facts.ts';
import { badJump, type FaultAccess, looksLike, registerText } from './fault.ts';
import { largestProcesses, largestUse, type MemoryUseOf } from './memory_report.ts';
import { placeAt, shortPlace } from './place.ts';
import { spinLock } from './spin.ts';
import { interruptedFrames, ownFrame, stuckCpu, subjectFrames } from './subject.ts';
import { label, mebibytes } from './words.ts';

interface Known {
  readonly kind: ReportKind;
  readonly subject: Task | null;
  readonly blamed: Place | null;
  readonly instruction: Place | null;
  readonly access: FaultAccess | null;
  readonly faultAddress: string | null;
}

export function verdictSentence(facts: Facts, known: Known): string {
  const { kind, subject, blamed } = known;
  const { death } = facts;
  const who = subject !== null ? label(subject) : death?.task != null ? label(death.task) : null;
  const cpu = stuckCpu(facts, kind, subject);
  const onCpu = cpu === null ? '' : ` on CPU ${cpu}`;
  const runBy = who === null ? (cpu === null ? '' : `, run by CPU ${cpu}`) : `, run by ${who}${onCpu}`;
  const where = blamed === null ? '' : ` in ${shortPlace(blamed)}`;
  const noticed = isElsewhere(known) ? `, noticed by ${shortPlace(known.instruction!)}` : '';
  const spin = spinWords(facts, known);
  const detail = death?.detail == null ? null : withoutStop(death.detail);
  switch (kind) {
    case 'null-pointer':
    case 'bad-page-fault':
    case 'general-protection':
      return `${jumpWords(facts) ?? faultWords(facts, known)}${where}${runBy}.`;
    case 'use-after-free':
      return `Memory was used after it was freed${where}${noticed}${runBy}${detail === null ? '' : `: ${detail}`}.`;
    case 'divide-error':
      return `Division by zero (or overflow)${where}${runBy}.`;
    case 'invalid-opcode':
      return `The CPU was sent into something that is no instruction${where}${runBy}.`;
    case 'BUG':
      return `A check in the kernel failed (${withoutStop(death?.message ?? 'BUG')})${where}${noticed}${runBy}.`;
    case 'list-corruption':
      return `A linked list is corrupt${detail === null ? '' : ` (${detail})`}: noticed${where}${runBy}.`;
    case 'WARN':
      return `A warning was made fatal by panic_on_warn${where}${detail === null ? '' : `: ${detail}`}${runBy}.`;
    case 'stack-overflow':
      return `The kernel stack of ${who ?? 'a task'}${onCpu} overflowed${where}: recursion without end, or too much on the stack.`;
    case 'double-fault':
      return `An exception could not be delivered (double fault)${where}${runBy}: often a stack overflow or a broken stack pointer.`;
    case 'soft-lockup':
      return `CPU ${cpu ?? '?'} was stuck in the kernel${seconds(death?.message)}${where}${running(who)}: ${spin ?? 'it never let another task run'}.`;
    case 'hard-lockup':
      return `CPU ${cpu ?? '?'} was stuck with interrupts off${where}${running(who)}${spin === null ? '' : `: ${spin}`}.`;
    case 'rcu-stall':
      return `${cpu === null ? 'RCU waited in vain for a grace period to end' : `CPU ${cpu} held up RCU`}${where}${running(who)}: no grace period could end.`;
    case 'hung-task':
      return hungSentence(facts, subject, where);
    case 'out-of-memory':
      return outOfMemorySentence(facts);
    case 'sysrq':
      return `Somebody asked for the crash: ${who ?? 'a task'}${onCpu} wrote to /proc/sysrq-trigger or pressed SysRq-c.`;
    case 'machine-check':
      return `The hardware reported an error that the kernel cannot go on with: ${withoutStop(death?.message ?? 'machine check')}.`;
    case 'nmi':
      return `A non-maskable interrupt made the kernel panic (${withoutStop(death?.panic ?? death?.message ?? 'NMI')})${facts.crashedCpu === null || facts.crashedCpu.cpu === cpu ? '' : ` on CPU ${facts.crashedCpu.cpu}, which was idle,`}${who === null ? '' : ` while${cpu === null ? '' : ` CPU ${cpu}`} ran ${who}`}${where}.`;
    case 'atomic-sleep':
      return `Code that must not sleep did so${where}${runBy}.`;
    case 'panic':
      return `The kernel called panic()${death?.panic == null ? '' : `: ${withoutStop(death.panic)}`}${where === '' ? '' : `,${where}`}${runBy}.`;
    case 'unknown':
      return unknownSentence(facts, where, who);
    default:
      return assertNever(kind);
  }
}

function unknownSentence(facts: Facts, where: string, who: string | null): string {
  if (facts.crashedCpu !== null || facts.death !== null) {
    return `The kernel died${where}${who === null ? '' : `, in ${who},`} for a reason that neither its log nor its stack tells.`;
  }
  const { lost, present } = facts.kernel.dump.info.pages;
  if (facts.log.length === 0 && lost > 0) {
    return `What killed the kernel cannot be told: the dump file is cut, and ${lost} of ${lost + present} pages are lost, the log's among them.`;
  }
  const last = facts.incidents.at(-1);
  const trouble = last === undefined ? '' : ` Its log tells of trouble that it survived: ${last.title}.`;
  const log = facts.log.length === 0 ? 'the log cannot be read' : 'the log tells of no death';
  return `Nothing in this dump says that the kernel died: no CPU panicked, and ${log}; it may have been taken of a running kernel.${trouble}`;
}

/** Whether the instruction that faulted is not in the code to blame; one that no symbol covers may well be. */
function isElsewhere(known: Pick<Known, 'instruction' | 'blamed'>): boolean {
  const { instruction, blamed } = known;
  return instruction !== null && instruction.symbol !== null && blamed !== null && instruction.symbol !== blamed.symbol;
}

/** The lock that a stuck CPU spins on, in words. */
function spinWords(facts: Facts, { kind, subject }: Known): string | null {
  if (kind !== 'soft-lockup' && kind !== 'hard-lockup') return null;
  const lock = spinLock(facts, subjectFrames(facts, kind, subject));
  return lock === null ? null : `it spins on the lock ${lock.symbol ?? `at 0x${hex(lock.address)}`}`;
}

function running(who: string | null): string {
  return who === null ? '' : `, running ${who}`;
}

/** Text of the log that goes into a sentence of ours, which ends by itself. */
function withoutStop(text: string): string {
  return text.replace(/[.\s]{1,100}$/, '');
}

/** A call through a bad function pointer, in words. */
function jumpWords(facts: Facts): string | null {
  const target = badJump(facts);
  return target === null
    ? null
    : `Bad function pointer: jumped to address 0x${hex(target)}, ${looksLike(facts.kernel.arch, target)}, called`;
}

function faultWords(facts: Facts, { kind, access, faultAddress, blamed, instruction }: Known): string {
  // the instruction's registers explain the fault only where the blamed code is the one that faulted
  if (access === null) {
    const address =
      faultAddress === null ? null : /^0x[0-9a-f]{1,16}$/.test(faultAddress) ? BigInt(faultAddress) : null;
    const looks = address === null ? '' : `, ${looksLike(facts.kernel.arch, address)},`;
    if (address === null && kind === 'general-protection') return 'An address that is none was used';
    return `${kind === 'null-pointer' ? 'NULL pointer: bad' : 'Bad'} access to address ${address === null ? '(unknown)' : `0x${hex(address)}`}${kind === 'null-pointer' ? '' : looks}`;
  }
  const { operand } = access;
  const did = operand.access === 'read' ? 'read from' : 'write to';
  const by = access.registers.length === 0 ? '' : ` (${registerText(access)})`;
  const via = isElsewhere({ instruction, blamed }) ? ` through ${shortPlace(instruction!)}` : '';
  const address = `0x${hex(access.address)}`;
  if (kind === 'null-pointer') return `NULL pointer: tried to ${did} address ${address}${by}${via}`;
  return `Bad pointer: tried to ${did} address ${address}${by}, ${access.looksLike},${via}`;
}

/** The seconds that a lockup message tells: `stuck for 26s!` */
function seconds(message: string | undefined): string {
  const match = /(\d{1,9})\s?s(?:econds)?\b/.exec(message ?? '');
  return match === null ? '' : ` for ${match[1]} seconds`;
}

function hungSentence(facts: Facts, subject: Task | null, where: string): string {
  const { death } = facts;
  if (subject === null) {
    const who = death?.task == null ? 'A task' : label(death.task);
    return `${who} was blocked${seconds(death?.message) || ' for too long'}${where}.`;
  }
  // the kernel may have panicked because of another task than the one that explains it
  const isTold = death?.task == null || death.task.pid === subject.pid;
  const start = `${label(subject)} was blocked${isTold ? seconds(death?.message) : ''}${where}`;
  const because = isTold
    ? ''
    : ` The kernel panicked because ${label(death!.task!)} was blocked${seconds(death!.message)}, too.`;
  const wait = facts.waitOf(subject);
  if (wait === null) return `${start}; what it waits for is no lock that can be told.${because}${otherWaits(facts)}`;
  const lock = lockName(facts, wait);
  const { waits, deadlocked } = lockChain(wait, (task) => facts.waitOf(task));
  if (deadlocked) {
    const others = waits.map((w) => label(w.task));
    const ring = others.length === 1 ? `${others[0]} holds it itself` : `${others.join(' and ')} wait for each other`;
    return `Deadlock: ${start} on ${lock}; ${ring}.${because}`;
  }
  return `${start} on ${lock}, ${holderWords(facts, waits)}.${because}`;
}

/** The lock that most of the blocked tasks wait for, where the task that the kernel panicked about waits for none. */
function otherWaits(facts: Facts): string {
  const waits = new Map<bigint, LockWait[]>();
  for (const task of blockedTasks(facts)) {
    const wait = facts.waitOf(task);
    if (wait !== null) waits.set(wait.lock, [...(waits.get(wait.lock) ?? []), wait]);
  }
  const [most] = [...waits.values()].sort((a, b) => b.length - a.length);
  if (most === undefined) return '';
  const { waits: chain } = lockChain(most[0]!, (task) => facts.waitOf(task));
  return ` Meanwhile ${count(most.length, 'task')} waited for ${lockName(facts, most[0]!)}, ${holderWords(facts, chain)}.`;
}

function lockName(facts: Facts, { kind, lock }: LockWait): string {
  const place = facts.kernel.place(lock);
  return place === null ? `a ${kind} at 0x${hex(lock)}` : `the ${kind} ${place.symbol.name}`;
}

/** Most blocked tasks whose locks are looked for: each costs a backtrace. */
const maxBlocked = 2000;

/** Uninterruptible sleepers: what the hung-task detector counts. */
export function blockedTasks(facts: Facts): Task[] {
  return facts.kernel.tasks.all.filter((task) => task.state === 'UN').slice(0, maxBlocked);
}

/** Who holds the lock at the start of a chain, and what is at the chain's end. */
function holderWords(facts: Facts, waits: readonly LockWait[]): string {
  const { owner, held } = waits[0]!;
  if (owner === null) return `held ${held}`;
  const last = waits.at(-1)!;
  if (waits.length === 1 || last.owner === null) return `held by ${label(owner)}, ${doing(facts, owner)}`;
  return `held by ${label(owner)}, which waits in turn (through ${count(waits.length - 1, 'more lock')}) for ${label(last.owner)}, ${doing(facts, last.owner)}`;
}

/** What a task was doing: `which sleeps in foo_wait+0x12 [foo]`. */
export function doing(facts: Facts, task: Task): string {
  if (task.state === 'ZO' || task.state === 'DE') return 'which exited with the lock held';
  const { frames } = facts.trace(task);
  // the CPU that it ran on was stopped by an interrupt, too
  const frame = task.active ? ownFrame(interruptedFrames(facts, frames), 'soft-lockup') : ownFrame(frames, 'hung-task');
  const where = frame === undefined ? '' : ` in ${shortPlace(placeAt(facts, frame.address))}`;
  if (task.active) return `which ran on CPU ${task.cpu}${where}`;
  if (task.state === 'RU') return `which waits for CPU ${task.cpu}${where}`;
  return `which sleeps${where}`;
}

function outOfMemorySentence(facts: Facts): string {
  const { kernel, death } = facts;
  const page = kernel.dump.memory.pageSize;
  const asked = death?.task ?? facts.crashed?.task ?? null;
  const start = `Memory ran out${asked === null ? '' : ` when ${label(asked)} asked for more`}`;
  const use = largestUse(kernel);
  if (use !== null) return `${start}: ${useWords(use)}.`;
  const largest = largestProcesses(kernel, 1)[0];
  if (largest === undefined) return `${start}.`;
  return `${start}. The largest process was ${label(largest.task)} with ${mebibytes(largest.rssPages * page)}.`;
}

function useWords({ name, share, by }: MemoryUseOf): string {
  return `${Math.round(share * 100)}% of it is ${name}${by === '' ? '' : `, ${by}`}`;
}
