// What the hardware's own words in an incident's report say: which part to change.
import type { Incident } from '../../oops/incident.ts';
import { hardwareAdvice } from './advice.ts';
import { hardwareErrors } from './log_errors.ts';

/** Parts that are told of. */
const maxParts = 4;

/** A sentence for each part that a report of the hardware speaks of, the worst first; none for other kinds of incident. */
export function partsToChange({ kind, message, notes }: Incident): string[] {
  if (kind !== 'machine-check' && kind !== 'hardware-error') return [];
  const errors = hardwareErrors(`${[message, ...notes].join('\n')}\n`).filter(({ injected }) => !injected);
  return hardwareAdvice(errors)
    .slice(0, maxParts)
    .map(({ sentence }) => sentence);
}
