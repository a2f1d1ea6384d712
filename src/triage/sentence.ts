// The one sentence that says what happened, so that a person can act on it.
import { assertNever } from '../base/errors.ts';
import { count, hex } from '../base/text.ts';
import { lockChain } from '../kernel/blocked_on.ts';
import { residentCounters, type Task } from '../kernel/sched.ts';
import type { ReportKind } from '../oops/kinds.ts';
import type { Place } from './analysis.ts';
import type { Facts } from './facts.ts';
import { badJump, type FaultAccess, looksLike, registerText } from './fault.ts';
import { shortPlace } from './verdict.ts';

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
  const named =
    death?.task === undefined
      ? 'the kernel'
      : `${death.task.comm} (pid ${death.task.pid})${death.cpu === undefined ? '' : ` on CPU ${death.cpu}`}`;
  const who = subject === null ? named : `${subject.comm} (pid ${subject.pid}) on CPU ${subject.cpu}`;
  const where = blamed === null ? '' : ` in ${shortPlace(blamed)}`;
  const noticed =
    known.instruction !== null && known.instruction.symbol !== blamed?.symbol && blamed !== null
      ? `, noticed by ${shortPlace(known.instruction)}`
      : '';
  const detail = death?.detail ?? null;
  switch (kind) {
    case 'null-pointer':
    case 'bad-page-fault':
    case 'general-protection':
      return `${jumpWords(facts) ?? faultWords(known)}${where}, run by ${who}.`;
    case 'use-after-free':
      return `Memory was used after it was freed${where}${noticed}, run by ${who}${detail === null ? '' : `: ${detail}`}.`;
    case 'divide-error':
      return `Division by zero (or overflow)${where}, run by ${who}.`;
    case 'invalid-opcode':
      return `The CPU was sent into something that is no instruction${where}, run by ${who}.`;
    case 'BUG':
      return `A check in the kernel failed (${death?.message ?? 'BUG'})${where}${noticed}, run by ${who}.`;
    case 'list-corruption':
      return `A linked list is corrupt${detail === null ? '' : ` (${detail})`}: noticed${where}, run by ${who}.`;
    case 'WARN':
      return `A warning was made fatal by panic_on_warn${where}${detail === null ? '' : `: ${detail}`}; run by ${who}.`;
    case 'stack-overflow':
      return `The kernel stack of ${who} overflowed${where}: recursion without end, or too much on the stack.`;
    case 'double-fault':
      return `An exception could not be delivered (double fault)${where}, run by ${who}: often a stack overflow or a broken stack pointer.`;
    case 'soft-lockup':
      return `CPU ${death?.cpu ?? subject?.cpu ?? '?'} was stuck in the kernel${seconds(death?.message)}${where}, running ${who}: it never let another task run.`;
    case 'hard-lockup':
      return `CPU ${death?.cpu ?? subject?.cpu ?? '?'} was stuck with interrupts off${where}, running ${who}.`;
    case 'rcu-stall':
      return `RCU waited in vain for a CPU to leave its read-side section${where}, running ${who}.`;
    case 'hung-task':
      return hungSentence(facts, subject, where);
    case 'out-of-memory':
      return outOfMemorySentence(facts);
    case 'sysrq':
      return `Somebody asked for the crash: ${who} wrote to /proc/sysrq-trigger or pressed SysRq-c.`;
    case 'machine-check':
      return `The hardware reported an error that the kernel cannot go on with: ${death?.message ?? 'machine check'}.`;
    case 'nmi':
      return `A non-maskable interrupt made the kernel panic (${death?.panic ?? death?.message ?? 'NMI'})${subject === null ? '' : ` while CPU ${subject.cpu} ran ${subject.comm} (pid ${subject.pid})`}${where}.`;
    case 'atomic-sleep':
      return `Code that must not sleep did so${where}, run by ${who}.`;
    case 'panic':
      return `The kernel called panic()${death?.panic === undefined ? '' : `: ${death.panic}`}${where}, run by ${who}.`;
    case 'unknown':
      return facts.crashed === null
        ? 'Nothing in this dump says that the kernel died: no CPU panicked, and the log has no fatal incident.'
        : `The kernel died${where}, in ${who}, for a reason that neither its log nor its stack tells.`;
    default:
      return assertNever(kind);
  }
}

/** A call through a bad function pointer, in words. */
function jumpWords(facts: Facts): string | null {
  const target = badJump(facts);
  return target === null
    ? null
    : `Bad function pointer: jumped to address ${hex(target)}, ${looksLike(target)}, called`;
}

function faultWords({ kind, access, faultAddress, blamed, instruction }: Known): string {
  // the instruction's registers explain the fault only where the blamed code is the one that faulted
  if (access === null) {
    if (kind === 'general-protection')
      return `An address that is none was used${faultAddress === null ? '' : ` (${faultAddress})`}`;
    return `Bad access to address ${faultAddress ?? '(unknown)'}${faultAddress === null ? '' : `, ${looksLike(BigInt(`0x${faultAddress.replace(/[^0-9a-f]/gi, '') || '0'}`))},`}`;
  }
  const { operand } = access;
  const did = operand.access === 'read' ? 'read from' : 'write to';
  const by = operand.registers.length === 0 ? '' : ` (${registerText(operand)})`;
  const via =
    instruction !== null && blamed !== null && instruction.symbol !== blamed.symbol
      ? ` through ${shortPlace(instruction)}`
      : '';
  if (kind === 'null-pointer') {
    const offset = operand.address === 0n ? '' : `, at offset 0x${hex(operand.address)},`;
    return `NULL pointer: tried to ${did} address ${hex(operand.address)}${by}${offset}${via}`;
  }
  return `Bad pointer: tried to ${did} address ${hex(operand.address)}${by}, ${access.looksLike},${via}`;
}

/** The seconds that a lockup message tells: `stuck for 26s!` */
function seconds(message: string | undefined): string {
  const match = /(\d{1,9})\s?s(?:econds)?\b/.exec(message ?? '');
  return match === null ? '' : ` for ${match[1]} seconds`;
}

function hungSentence(facts: Facts, subject: Task | null, where: string): string {
  if (subject === null) return `A task was blocked for too long${where}.`;
  const wait = facts.waitOf(subject);
  const start = `${subject.comm} (pid ${subject.pid}) was blocked${seconds(facts.death?.message)}${where}`;
  if (wait === null) return `${start}; what it waits for is no lock that can be told.`;
  const symbol = facts.kernel.place(wait.lock);
  const lock = symbol === null ? `a ${wait.kind} at ${hex(wait.lock)}` : `the ${wait.kind} ${symbol.symbol.name}`;
  const { waits, deadlocked } = lockChain(wait, (task) => facts.waitOf(task));
  if (deadlocked) {
    const others = waits.map((w) => `${w.task.comm} (pid ${w.task.pid})`);
    return `Deadlock: ${start} on ${lock}; ${others.join(' and ')} wait for each other.`;
  }
  const last = waits.at(-1)!;
  if (last.owner === null) return `${start} on ${lock}, held ${wait.held}.`;
  const chain = waits.length > 1 ? ` (through ${count(waits.length - 1, 'more lock')})` : '';
  return `${start} on ${lock}; ${last.owner.comm} (pid ${last.owner.pid}, ${last.owner.state}) holds it${chain}.`;
}

function outOfMemorySentence(facts: Facts): string {
  const { kernel, death } = facts;
  const largest = largestProcesses(facts, 1)[0];
  const page = kernel.dump.memory.pageSize;
  const taker =
    largest === undefined
      ? ''
      : ` The largest process was ${largest.task.comm} (pid ${largest.task.pid}) with ${Math.round((largest.rssPages * page) / 1048576)} MiB.`;
  const asked = death?.task ?? facts.crashed?.task;
  return `Memory ran out${asked === undefined ? '' : ` when ${asked.comm} (pid ${asked.pid}) asked for more`}${death?.panic === undefined ? '' : `, and the kernel panicked: ${death.panic.replace(/\.$/, '')}`}.${taker}`;
}

/** The processes with the most resident pages, largest first. */
export function largestProcesses(facts: Facts, limit: number): { task: Task; rssPages: number }[] {
  const { kernel } = facts;
  const found: { task: Task; rssPages: number }[] = [];
  for (const task of kernel.tasks.all) {
    if (task.kernelThread || task.pid !== task.tgid) continue;
    kernel.faults.attempt(
      `memory of pid ${task.pid}`,
      () => {
        const mm = task.object.member('mm');
        if (mm.isNull) return;
        const { file, anon, shmem } = residentCounters(kernel, mm.deref());
        found.push({ task, rssPages: Math.max(0, file + anon + shmem) });
      },
      undefined,
    );
  }
  return found.sort((a, b) => b.rssPages - a.rssPages).slice(0, limit);
}
