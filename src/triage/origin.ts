// One step further than the fault: where the bad value came from, as the report has it.
import { addressText } from '../base/text.ts';
import { type Origin, originOf } from '../origin/origin.ts';
import type { StepSureness } from '../origin/origin_step.ts';
import type { Confidence, OriginReport } from './analysis.ts';
import { shown, type Wanted } from './evidence.ts';
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
