// One step further than the fault: where the bad value came from, as the report has it.
import { addressText } from '../base/text.ts';
import { type Origin, originOf, type StepSureness } from '../origin/origin.ts';
import type { Confidence, OriginReport } from './analysis.ts';
import { shown } from './evidence.ts';
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
    steps: steps.map((step) => ({
      kind: step.kind,
      words: `${step.words}.`,
      at: step.at === null ? null : placeAt(facts, step.at),
      confidence: confidenceOf(step.sure),
      command: step.command,
      shown:
        step.command === null
          ? null
          : shown(
              facts,
              step.command,
              step.command.startsWith('dis -r') ? { cut: { kind: 'tail', lines: codeLines } } : { limit: 4 },
            ),
    })),
  };
}

function confidenceOf(sure: StepSureness): Confidence {
  return sure === 'proved' ? 'certain' : sure;
}

/** A sentence on a death, with where its bad value came from. */
export function withOrigin(message: string, origin: OriginReport | null): string {
  if (origin === null || origin.end === 'unknown') return message;
  return `${message.replace(/\.$/, '')}: ${origin.sentence}`;
}
