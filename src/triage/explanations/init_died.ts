// The first process ended, by itself or by a signal: the kernel cannot go on without it.
import type { Finding } from '../analysis.ts';
import { evidence, logEvidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';
import { phrases, type Scene } from '../scene.ts';
import { signalName } from '../words.ts';
import type { Explanation } from './explanation.ts';

export const initDied: Explanation = {
  name: 'init-died',
  recognises: 'the end of the first process',
  weigh(scene) {
    const { facts } = scene;
    const reason = facts.death?.panic ?? facts.death?.message ?? '';
    if (scene.kind !== 'panic' || !/Attempted to kill (?:init|the idle task)/.test(reason)) return null;
    if (/idle task/.test(reason)) return null;
    const code = exitCode(facts, reason);
    const about = scene.as('panic');
    const { who } = phrases(scene, about);
    return {
      depth: 'mechanism',
      confidence: 'certain',
      because: 'the kernel said so when it panicked, with the code that the process ended with',
      speaksFor: [`the log says: ${reason}`],
      speaksAgainst: [],
      about,
      sentence: `The first process, ${who ?? 'init (pid 1)'}, ${code === null ? 'ended' : endWords(code)}, and the kernel cannot go on without it.`,
      findings: () => findings(scene, code),
    };
  },
};

/** The wait status of the process, as wait() gives it; null where nothing tells it. */
function exitCode(facts: Facts, reason: string): number | null {
  // printed since 43cf75d96409 (4.17)
  const told = /exitcode=0x([0-9a-f]{1,8})/.exec(reason)?.[1];
  if (told !== undefined) return Number.parseInt(told, 16);
  const task = facts.kernel.tasks.byPid(1);
  if (task === null) return null;
  return facts.kernel.faults.attempt('exit code', () => task.object.member('signal.group_exit_code').number(), null);
}

/** Low 7 bits: the signal, 0 for none; bit 7: it left a core; from bit 8 on: the status that it exited with. */
function endWords(code: number): string {
  const signal = code & 0x7f;
  if (signal === 0) return `exited with status ${(code >> 8) & 0xff}`;
  const core = (code & 0x80) === 0 ? '' : ', which would have left a core';
  return `was killed by signal ${signal} (${signalName(signal)})${core}`;
}

function findings({ facts }: Scene, code: number | null): Finding[] {
  return [
    {
      title: `The first process ${code === null ? 'ended' : endWords(code)}`,
      explanation:
        code !== null && (code & 0x7f) !== 0
          ? 'Nothing but the kernel itself or a fault of its own kills the first process: look at the log for what it did, at its memory (a broken disk or library), and at who could send that signal.'
          : 'A program that runs as the first process must never end: a script whose commands are done, an initrd that found no root file system, a container tool as init.',
      confidence: 'certain',
      evidence: present(
        logEvidence(facts, 'Attempted to kill init', 'What the kernel said.'),
        evidence(facts, 'bt', 'How the process ended.', { cut: { kind: 'head', lines: 24 } }),
      ),
    },
  ];
}
