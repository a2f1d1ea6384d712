// What the hardware said of itself before the kernel died: machine checks, memory controllers, PCIe.
import { type HardwareAdvice, hardwareAdvice } from '../../collect/hardware/advice.ts';
import { hardwareErrors } from '../../collect/hardware/log_errors.ts';
import { machineChecksOfKernel } from '../../collect/hardware/raw_mce.ts';
import type { Confidence, Finding } from '../analysis.ts';
import { logEvidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';

/** Parts that are told of. */
const maxParts = 4;

/** Which parts the hardware's errors speak of, the worst first; of the log or, where it has none, of the kernel's own records. */
export function hardwareTrouble(facts: Facts): HardwareAdvice[] {
  const { kernel, told } = facts;
  const inLog = kernel.faults.attempt(
    'hardware errors in the log',
    () => hardwareErrors(`${facts.logLines.join('\n')}\n`),
    [],
  );
  const errors =
    inLog.length > 0 || told !== null
      ? inLog
      : kernel.faults.apart(() => kernel.faults.attempt('machine checks', () => machineChecksOfKernel(kernel), []))
          .value;
  // what a tool made on purpose is no trouble
  return hardwareAdvice(errors.filter(({ injected }) => !injected));
}

export function hardwareFindings(facts: Facts): Finding[] {
  return hardwareTrouble(facts)
    .slice(0, maxParts)
    .map(({ sentence, severity, pages }) => ({
      title: `The hardware reported errors: ${sentence.replace(/\.$/, '')}`,
      explanation:
        severity === 'corrected'
          ? 'The hardware put it right, and the kernel went on: by itself that kills nobody, but a part that fails often will fail worse.'
          : `Data were lost: whatever died afterwards may have died of that, whatever its code.${pages.length === 0 ? '' : ` The pages: ${pages.join(', ')}.`}`,
      confidence: (severity === 'fatal' ? 'certain' : 'likely') satisfies Confidence,
      evidence: present(logEvidence(facts, 'Hardware Error', 'What the kernel said of it.')),
    }));
}
