// A task that slept too long: what it waits for, and who does not end that.
import { lockChain } from '../../kernel/lock_wait.ts';
import { type Case, phrases, type Scene } from '../scene.ts';
import { blockedFor, holderWords, lockWords, mostWaited, tells, waitedFor } from '../waiting.ts';
import { label } from '../words.ts';
import { ofKind } from './explanation.ts';

export const hungTask = ofKind({
  name: 'hung-task',
  recognises: 'a task that was blocked for too long',
  kinds: ['hung-task'],
  sentence: hungSentence,
});

function hungSentence(scene: Scene, about: Case): string {
  const { facts } = scene;
  const { death } = facts;
  const { subject } = about;
  const { where } = phrases(scene, about);
  if (subject === null) {
    const who = death?.task == null ? 'A task' : label(death.task);
    return `${who} was blocked${blockedFor(facts, null) || ' for too long'}${where}.`;
  }
  // the kernel may have panicked because of another task than the one that explains it
  const isTold = death?.task == null || death.task.pid === subject.pid;
  const start = `${label(subject)} was blocked${blockedFor(facts, subject)}${where}`;
  const told = isTold ? null : facts.kernel.tasks.byPid(death!.task!.pid);
  const because = isTold
    ? ''
    : ` The kernel panicked because ${label(death!.task!)} was blocked${blockedFor(facts, told)}, too.`;
  const lock = facts.waitOf(subject);
  if (lock !== null) {
    const { waits, deadlocked } = lockChain(lock, (task) => facts.waitOf(task));
    if (!deadlocked) return `${start} on ${lockWords(facts, lock)}, ${holderWords(facts, waits)}.${because}`;
    const others = waits.map((w) => label(w.task));
    const ring = others.length === 1 ? `${others[0]} holds it itself` : `${others.join(' and ')} wait for each other`;
    return `Deadlock: ${start} on ${lockWords(facts, lock)}; ${ring}.${because}`;
  }
  const most = mostWaited(facts);
  const meanwhile = most === null ? '' : ` Meanwhile ${most}.`;
  const wait = facts.waiting(subject);
  if (!tells(wait)) return `${start}; what it waits for is no lock that can be told.${because}${meanwhile}`;
  return `${start}, waiting for ${waitedFor(facts, wait)}.${because}${meanwhile}`;
}
