// What a CPU that is stuck goes round for.
import { hex } from '../base/text.ts';
import type { Task } from '../kernel/task.ts';
import { type LoopWait, loopWait } from '../origin/loop.ts';
import type { Confidence, Finding } from './analysis.ts';
import { evidence, present } from './evidence.ts';
import type { Facts } from './facts.ts';

export interface StuckLoop extends LoopWait {
  readonly confidence: Confidence;
}

/**
 * The loop that a stuck CPU is in; null where none can be read.
 * @param subject the task that is stuck; null for the one that panicked
 */
export function stuckLoop(facts: Facts, subject: Task | null): StuckLoop | null {
  const { kernel, crashedCpu, crashTrace } = facts;
  const trace = subject === null ? crashTrace : facts.trace(subject);
  const cpu = subject === null ? (crashedCpu?.cpu ?? null) : subject.cpu;
  const { isUserMode } = kernel.arch.registers;
  // the innermost code of the task that was interrupted: what the watchdog does itself is above it
  const entry = trace.frames.findIndex(
    ({ kind, registers }, i) => kind === 'entry' && registers !== null && !isUserMode(registers) && i > 0,
  );
  const work = (): LoopWait | null => (entry < 0 ? null : loopWait(kernel, trace, entry, cpu));
  const loop = kernel.faults.attempt('loop of a stuck CPU', work, null);
  if (loop === null) return null;
  return { ...loop, confidence: loop.endless || (loop.complete && !isMet(loop)) ? 'certain' : 'likely' };
}

/** Whether what it waits for is there now. */
function isMet({ exits }: LoopWait): boolean {
  return exits.some(({ holds }) => holds === true);
}

/** @param subject as of `stuckLoop` */
export function loopFindings(facts: Facts, subject: Task | null): Finding[] {
  const loop = stuckLoop(facts, subject);
  if (loop === null) return [];
  return [
    {
      title: loop.sentence,
      explanation: loop.endless
        ? 'No instruction of the loop goes out of it: only an interrupt can, and it comes back.'
        : isMet(loop)
          ? 'What it waits for is there now: it came late, or the value was met and changed again.'
          : 'Whoever should change that is the next question.',
      confidence: loop.confidence,
      evidence: present(
        evidence(facts, `dis -r ${hex(loop.last)}`, 'The last lines are the loop.', {
          cut: { kind: 'tail', lines: 8 },
        }),
        ...loop.exits
          .filter(({ address }) => address !== null)
          .slice(0, 2)
          .map(({ address, width, condition }) =>
            evidence(facts, `rd -${width * 8} ${hex(address!)}`, `What is looked at: ${condition}.`),
          ),
      ),
    },
  ];
}
