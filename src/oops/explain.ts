// What each kind of incident means, what usually causes it, where to look next, and which sysctls decide whether the kernel
// panics on it. Commands are those of `inquest crash` and crash(8).
import type { Explanation } from './explanations/explanation.ts';
import { faults } from './explanations/faults.ts';
import { hangs } from './explanations/hangs.ts';
import { hardware } from './explanations/hardware.ts';
import { kernelChecks } from './explanations/kernel_checks.ts';
import { locking } from './explanations/locking.ts';
import { machine } from './explanations/machine.ts';
import { memory } from './explanations/memory.ts';
import { sanitizers } from './explanations/sanitizers.ts';
import type { Incident } from './incident.ts';
import type { IncidentKind } from './kinds.ts';

const explanations: Record<IncidentKind, Explanation> = {
  ...faults,
  ...kernelChecks,
  ...sanitizers,
  ...locking,
  ...hangs,
  ...memory,
  ...hardware,
  ...machine,
};

/** The explanation of the incident's kind, its commands filled in for this incident. */
export function explain(incident: Incident): Explanation {
  const general = explanations[incident.kind];
  const { guilty, instruction } = incident;
  const place = instruction !== null && instruction.symbol !== null ? instruction : guilty;
  const values: Record<string, string | null> = {
    '%PID': incident.task?.pid.toString() ?? null,
    '%CPU': incident.cpu?.toString() ?? null,
    '%ADDRESS':
      place === null ? null : place.offset === null ? place.symbol : `${place.symbol}+0x${place.offset.toString(16)}`,
  };
  const next: string[] = [];
  for (const step of general.next) {
    let filled: string | null = step;
    for (const [mark, value] of Object.entries(values)) {
      if (filled?.includes(mark) !== true) continue;
      filled =
        value === null
          ? mark === '%PID' || mark === '%CPU'
            ? filled.replace(` ${mark}`, '').replace(' -c', ' -a')
            : null
          : filled.replaceAll(mark, value);
    }
    if (filled !== null) next.push(filled);
  }
  return { ...general, next };
}

/** Every kind that has an explanation. */
export function kindNames(): readonly IncidentKind[] {
  return Object.keys(explanations) as IncidentKind[];
}

/** The explanation of a kind, where there is no incident to fill its commands in for: those that need one are left out. */
export function explanationOf(kind: IncidentKind): Explanation {
  const general = explanations[kind];
  return { ...general, next: general.next.filter((step) => !step.includes('%')) };
}
