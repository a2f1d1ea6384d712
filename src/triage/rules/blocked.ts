// Blocked tasks: who waits for which lock, who holds it, and whether they wait for each other.
import { count, hex16 } from '../../base/text.ts';
import { type LockWait, lockChain } from '../../kernel/lock_wait.ts';
import type { Task } from '../../kernel/task.ts';
import type { Finding } from '../analysis.ts';
import { evidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';
import type { Case } from '../scene.ts';
import { blockedTasks, doing, tells, waitedFor } from '../waiting.ts';
import { label } from '../words.ts';

/** Most locks told of. */
const maxLocks = 5;

export function blockedFindings(facts: Facts, about: Case): Finding[] {
  const blocked = blockedTasks(facts);
  if (blocked.length === 0) return [];
  const waits = blocked.map((task) => facts.waitOf(task)).filter((wait) => wait !== null);
  const findings: Finding[] = [];
  const told = new Set<bigint>();

  // deadlocks first: each once, whoever of it is met first
  for (const wait of waits) {
    const { waits: ring, deadlocked } = lockChain(wait, (task) => facts.waitOf(task));
    if (!deadlocked || ring.some(({ lock }) => told.has(lock))) continue;
    for (const { lock } of ring) told.add(lock);
    findings.push({
      title: `Deadlock: ${ring.map(({ task }) => label(task)).join(' waits for ')} waits for ${label(ring[0]!.task)}`,
      explanation: ring
        .map(
          (w) =>
            `${label(w.task)} wants ${lockName(facts, w)}, which ${w.owner === null ? 'nobody' : label(w.owner)} holds.`,
        )
        .join(' '),
      confidence: ring.every(({ ownerIsCertain }) => ownerIsCertain) ? 'certain' : 'likely',
      evidence: ring.flatMap((w) => lockEvidence(facts, w)),
    });
  }
  const byLock = new Map<bigint, LockWait[]>();
  for (const wait of waits) byLock.set(wait.lock, [...(byLock.get(wait.lock) ?? []), wait]);
  const rest = [...byLock.values()].filter((group) => !told.has(group[0]!.lock)).sort((a, b) => b.length - a.length);
  for (const group of rest.slice(0, maxLocks)) {
    const wait = group[0]!;
    const last = lockChain(wait, (task) => facts.waitOf(task)).waits.at(-1)!;
    const holder =
      wait.owner === null
        ? `held ${wait.held}`
        : `held ${wait.held === 'by its owner' ? '' : `${wait.held} `}by ${label(wait.owner)}`;
    findings.push({
      title: `${count(group.length, 'task')} blocked on ${lockName(facts, wait)}, ${holder}`,
      explanation:
        wait.owner === null
          ? ''
          : `The holder ${doing(facts, wait.owner).replace(/^which /, '')}${last === wait || last.owner === null ? '' : `; at the end of the chain is ${label(last.owner)}, ${doing(facts, last.owner)}`}.`,
      confidence: wait.owner !== null && wait.ownerIsCertain ? 'certain' : 'likely',
      evidence: [
        ...lockEvidence(facts, wait),
        ...present(
          wait.owner === null
            ? null
            : evidence(facts, `bt ${hex16(wait.owner.address)}`, 'What the holder does instead of letting go.'),
        ),
      ],
    });
  }
  findings.push(...otherWaits(facts, blocked, about));
  if (findings.length === 0 && about.kind === 'hung-task') {
    findings.push({
      title: `${count(blocked.length, 'task')} in uninterruptible sleep, for what cannot be told`,
      explanation: 'They wait for I/O, a completion or a wait queue: their stacks say for what.',
      confidence: 'likely',
      evidence: present(evidence(facts, `bt ${hex16((about.subject ?? blocked[0]!).address)}`, 'Where it sleeps.')),
    });
  }
  return findings;
}

/** Blocked tasks that wait for something else than a lock, those that wait for the same together. */
function otherWaits(facts: Facts, blocked: readonly Task[], { subject }: Case): Finding[] {
  const byWords = new Map<string, Task[]>();
  for (const task of blocked) {
    const wait = facts.waiting(task);
    if (!tells(wait) || wait.kind === 'lock' || wait.kind === 'time') continue;
    // a shell whose child runs in its memory is in no trouble
    if (wait.kind === 'completion' && wait.subject?.kind === 'child' && task.address !== subject?.address) continue;
    const words = waitedFor(facts, wait);
    byWords.set(words, [...(byWords.get(words) ?? []), task]);
  }
  return [...byWords]
    .sort(([, a], [, b]) => b.length - a.length)
    .slice(0, maxLocks)
    .map(([words, tasks]) => ({
      title: `${count(tasks.length, 'task')} blocked, waiting for ${words}`,
      explanation: '',
      confidence: 'certain',
      evidence: present(
        evidence(facts, `bt ${hex16(tasks[0]!.address)}`, `${label(tasks[0]!)} sleeps until that happens.`),
      ),
    }));
}

function lockEvidence(facts: Facts, wait: LockWait): Finding['evidence'] {
  const address = hex16(wait.lock);
  const why =
    wait.owner === null
      ? 'The lock as it is.'
      : `The owner, less its low bits, is the task ${hex16(wait.owner.address)}: ${label(wait.owner)}.`;
  return present(
    evidence(facts, `bt ${hex16(wait.task.address)}`, `${label(wait.task)} sleeps in the lock's slow path.`),
    wait.ownerMember === null
      ? null
      : evidence(facts, `struct ${wait.lockType}.${wait.ownerMember} -x ${address}`, why),
  );
}

function lockName(facts: Facts, { kind, lock }: LockWait): string {
  const place = facts.kernel.place(lock);
  if (place === null) return `the ${kind} at ${hex16(lock)}`;
  return `the ${kind} ${place.symbol.name}${place.offset === 0 ? '' : `+0x${place.offset.toString(16)}`} (${hex16(lock)})`;
}
