// Everything that decides whether the next panic is captured, checked.
import { bootChecks } from './checks/boot.ts';
import { captureChecks } from './checks/capture.ts';
import { configurationChecks } from './checks/configuration.ts';
import type { Finding } from './checks/finding.ts';
import { kernelChecks } from './checks/kernel.ts';
import { panicChecks } from './checks/panic.ts';
import { targetChecks } from './checks/target.ts';
import type { Host } from './host.ts';

export interface CheckReport {
  /** `ready`: a panic now would be captured. `unknown`: what decides it could not be seen. */
  readonly state: 'ready' | 'not-ready' | 'unknown';
  readonly release: string | null;
  /** Whose kdump it is; null where there is none. */
  readonly family: string | null;
  readonly findings: readonly Finding[];
}

export function checkHost(host: Host): CheckReport {
  const groups = [kernelChecks, bootChecks, captureChecks, configurationChecks, targetChecks, panicChecks];
  const findings = groups.flatMap((group) => group(host));
  const failed = findings.some(({ state }) => state === 'failed');
  const blind = findings.some(({ state, decides }) => state === 'unknown' && decides);
  return {
    state: failed ? 'not-ready' : blind ? 'unknown' : 'ready',
    release: host.release,
    family: host.service?.family ?? null,
    findings,
  };
}

/** Exit status of the program, for monitoring. */
export function exitStatus({ state }: CheckReport): number {
  return state === 'ready' ? 0 : state === 'not-ready' ? 3 : 4;
}
