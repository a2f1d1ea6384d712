// One step further than the fault: where the bad value came from, as the report has it.
import { addressText, hex } from '../base/text.ts';
import type { Task } from '../kernel/task.ts';
import { type LoopWait, loopWait } from '../origin/loop.ts';
import { type Origin, originOf } from '../origin/origin.ts';
import type { StepSureness } from '../origin/origin_step.ts';
import type { Confidence, Finding, OriginReport } from './analysis.ts';
import { evidence, present, shown, type Wanted } from './evidence.ts';
import type { Claim } from './explanations/explanation.ts';
import type { Facts } from './facts.ts';
import { placeAt } from './place.ts';

/** Lines of a disassembly that end at what is shown. */
const codeLines = 4;

/** Where the value of the fault came from that the kernel died of; null where nobody can tell. */
export function originReport(facts: Facts): OriginReport | null {
  const { kernel, exception, crashTrace, crashedCpu } = facts;
  if (exception === null) return null;
  const origin = kernel.faults.attempt(
    'origin of the bad value',
    () => originOf(kernel, crashTrace, exception.index, crashedCpu?.cpu ?? null),
    null,
  );
  return origin === null ? null : reported(facts, origin);
}

function reported(facts: Facts, origin: Origin): OriginReport {
  const { at, register, value, address, touched, steps, end, sure, sentence } = origin;
  return {
    sentence: `${sentence}.`,
    confidence: confidenceOf(sure),
    at: placeAt(facts, at),
    register,
    value: addressText(value),
    address: address === null ? null : addressText(address),
    touched,
    end,
    steps: steps.map((step) => {
      const { command } = step;
      const cut: Wanted = command?.startsWith('dis -r') ? { cut: { kind: 'tail', lines: codeLines } } : { limit: 4 };
      const said = command === null ? null : shown(facts, command, cut);
      return {
        kind: step.kind,
        words: `${step.words}.`,
        at: step.at === null ? null : placeAt(facts, step.at),
        confidence: confidenceOf(step.sure),
        // what would say nothing (the memory is not in the dump) leads nowhere
        command: said === null ? null : command,
        shown: said,
      };
    }),
  };
}

function confidenceOf(sure: StepSureness): Confidence {
  return sure === 'proved' ? 'certain' : sure;
}

/**
 * The sentence of a verdict, with where its bad value came from. One that tells how it came about has said what the memory
 * held: to that, only a constant or what a function returned adds something.
 */
export function withOrigin({ depth, sentence }: Claim, origin: OriginReport | null): string {
  if (origin === null || origin.end === 'unknown') return sentence;
  if (depth === 'mechanism' && origin.end !== 'constant' && origin.end !== 'returned') return sentence;
  return `${sentence.replace(/\.$/, '')}: ${origin.sentence}`;
}

/**
 * What a CPU that is stuck goes round for.
 * @param subject the task that is stuck; null for the one that panicked
 */
export function loopFindings(facts: Facts, subject: Task | null): Finding[] {
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
  if (loop === null) return [];
  const held = loop.exits.some(({ holds }) => holds === true);
  return [
    {
      title: loop.sentence,
      explanation: loop.endless
        ? 'No instruction of the loop goes out of it: only an interrupt can, and it comes back.'
        : held
          ? 'What it waits for is there now: it came late, or the value was met and changed again.'
          : 'Whoever should change that is the next question.',
      confidence: loop.endless || (loop.complete && !held) ? 'certain' : 'likely',
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
