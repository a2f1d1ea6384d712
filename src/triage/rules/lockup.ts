// Lockups and stalls: what the stuck CPU ran, whether interrupts were off, and the lock that it spins on.
import { hex16 } from '../../base/text.ts';
import type { Finding } from '../analysis.ts';
import { evidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';
import { shortPlace } from '../place.ts';
import { spinLock } from '../spin.ts';
import { stuckCpu, subjectFrames } from '../subject.ts';
import type { Verdict } from '../verdict.ts';
import { label } from '../words.ts';
import { said } from './said.ts';

export function lockupFindings(facts: Facts, verdict: Verdict): Finding[] {
  const { kind, subject, blamed } = verdict;
  if (kind !== 'soft-lockup' && kind !== 'hard-lockup' && kind !== 'rcu-stall' && kind !== 'nmi') return [];
  const cpu = stuckCpu(facts, kind, subject);
  const frames = subjectFrames(facts, kind, subject);
  if (frames.length === 0) return [];
  const findings: Finding[] = [];
  const entry = frames.find((frame) => frame.kind === 'entry' && frame.registers !== null);
  const off = entry !== undefined && facts.kernel.arch.registers.interruptsOff(entry.registers!);
  findings.push({
    title: `CPU ${cpu ?? '?'} ran ${blamed === null ? 'code' : shortPlace(blamed)}${subject === null ? '' : ` for ${label(subject)}`} ${kind === 'nmi' ? 'when the NMI came' : 'when it was found stuck'}${off ? ', with interrupts off' : ''}`,
    explanation:
      entry === undefined
        ? ''
        : off
          ? 'With interrupts off not even the timer gets through: look for what turned them off, and for the loop below it.'
          : kind === 'nmi'
            ? 'Interrupts were on: the CPU was not stuck hard.'
            : 'Interrupts were on, so the timer got through and only other tasks did not: look for a loop without cond_resched(), or preemption turned off around it.',
    confidence: 'certain',
    evidence: present(
      evidence(
        facts,
        subject === null ? `bt -c ${cpu}` : `bt ${hex16(subject.address)}`,
        'The frames below the interrupt are what the CPU was doing.',
      ),
      said(facts),
    ),
  });

  const lock = spinLock(facts, frames);
  if (lock !== null) {
    findings.push({
      title: `It spins on the lock at ${hex16(lock.address)}${lock.symbol === null ? '' : ` (${lock.symbol})`}`,
      explanation:
        'Spinlocks do not name their holder: look in the other CPUs and in sleeping tasks for who took this lock and did not give it back; the same task may have taken it already.',
      confidence: 'likely',
      evidence: present(evidence(facts, `rd ${hex16(lock.address)} 1`, 'The low byte is 1 while the lock is held.')),
    });
  }
  const others = facts.kernel.cpus.running.filter(
    (other) => other !== cpu && facts.kernel.tasks.active(other)?.idle === false,
  );
  if (others.length > 0) {
    findings.push({
      title: `${others.length === 1 ? `CPU ${others[0]} was` : `CPUs ${others.join(', ')} were`} busy, too`,
      explanation: '',
      confidence: 'certain',
      evidence: present(
        evidence(facts, `bt -n idle -c ${others.join(',')}`, 'What the other busy CPUs did at that time.'),
      ),
    });
  }
  return findings;
}
