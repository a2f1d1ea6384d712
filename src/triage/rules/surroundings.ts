// What stands around any death: modules in the way, earlier trouble, overflowed stacks, settings.

import type { BtHead } from '../../commands/tasks/bt/bt.ts';
import { frameName } from '../../kernel/backtrace.ts';
import { parentPid } from '../../kernel/sched.ts';
import type { Finding } from '../analysis.ts';
import { evidence, logEvidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';
import type { Verdict } from '../verdict.ts';
import { said } from './said.ts';

export function surroundingFindings(facts: Facts, verdict: Verdict): Finding[] {
  return [
    ...blamedModule(facts, verdict),
    ...sysrq(facts, verdict),
    ...overflow(facts, verdict),
    ...earlierTrouble(facts),
  ];
}

/** Code of a module that taints the kernel: whom to ask. */
function blamedModule(facts: Facts, { blamed }: Verdict): Finding[] {
  if (blamed?.module == null) return [];
  const module = facts.kernel.modules.find(({ name }) => name === blamed.module);
  if (module === undefined || module.taints === '') return [];
  const what = [...module.taints]
    .map(
      (letter) =>
        ({
          P: 'proprietary',
          O: 'out-of-tree',
          E: 'unsigned',
          F: 'loaded by force',
          C: 'staging',
          K: 'a live patch',
          X: 'externally supported',
          N: 'a test',
        })[letter],
    )
    .filter((word) => word !== undefined);
  return [
    {
      title: `The code to blame is in the module ${module.name}, which is ${what.join(' and ')}`,
      explanation: `It did not come with this kernel's own sources: ask whoever built it.`,
      confidence: 'certain',
      evidence: present(evidence(facts, 'mod -t', 'The letters are the taints that loading it set.')),
    },
  ];
}

/** Who asked for a crash. */
function sysrq(facts: Facts, { kind, subject }: Verdict): Finding[] {
  if (kind !== 'sysrq' || subject === null) return [];
  const parent = facts.kernel.faults.attempt('parent', () => facts.kernel.tasks.byPid(parentPid(subject)), null);
  return [
    {
      title: `The crash was asked for by ${subject.comm} (pid ${subject.pid})${parent === null || parent.pid === 0 ? '' : `, a child of ${parent.comm} (pid ${parent.pid})`}`,
      explanation:
        'Nothing is wrong with the kernel as such. Somebody may have crashed it to get a dump of a machine that hung: look at blocked tasks and at the log before this.',
      confidence: 'certain',
      evidence: present(evidence(facts, `ps -p ${subject.pid}`, 'The processes that it descends from.')),
    },
  ];
}

/** Times that a function is on one stack before it is taken to call itself. */
const recursive = 8;

/** A stack that ran over its end: the function that fills it, and stacks whose end mark is gone. */
function overflow(facts: Facts, { kind }: Verdict): Finding[] {
  const findings: Finding[] = [];
  if (kind === 'stack-overflow' || kind === 'double-fault') {
    const names = facts.crashTrace.frames.filter((frame) => frame.reliable).map(frameName);
    const times = new Map<string, number>();
    for (const name of names) if (name !== '') times.set(name, (times.get(name) ?? 0) + 1);
    const [name, most] = [...times].sort((a, b) => b[1] - a[1])[0] ?? ['', 0];
    const calls = most >= recursive;
    const evidences = present(
      said(facts),
      evidence(facts, 'bt', 'Where the stack ended.', { cut: { kind: 'head', lines: 24 } }),
      calls ? evidence(facts, 'bt', 'Where it began.', { cut: { kind: 'tail', lines: 24 } }) : null,
    );
    if (evidences.length > 0) {
      findings.push({
        title: calls
          ? `${name} is on the stack ${most} times, in ${names.length} frames: it calls itself, or what it calls does`
          : `The stack had ${names.length} frames when it ended`,
        explanation: calls ? 'Recursion in the kernel must have a bound: its stacks are small.' : '',
        confidence: 'certain',
        evidence: evidences,
      });
    }
  }
  const check = evidence(facts, 'bt -v', 'The mark at the end of a stack (57ac6e9d) must still be there.');
  if (check === null || (check.data as BtHead).overflows?.length === 0) return findings;
  findings.push({
    title: 'A kernel stack ran over its end',
    explanation:
      kind === 'stack-overflow'
        ? ''
        : 'What lies behind a stack belongs to somebody else: that it is damaged may be the cause of everything else.',
    confidence: 'certain',
    evidence: [check],
  });
  return findings;
}

/** Incidents that did not kill, before the one that did. */
function earlierTrouble(facts: Facts): Finding[] {
  const earlier = facts.incidents.filter(
    (incident) => facts.death === null || incident.span.start < facts.death.span.start,
  );
  if (earlier.length === 0) return [];
  const titles = [...new Set(earlier.map(({ title }) => title))];
  return [
    {
      title: `The kernel was in trouble before: ${titles.slice(0, 3).join('; ')}${titles.length > 3 ? `; and ${titles.length - 3} more` : ''}`,
      explanation: 'The first incident is often the cause and the last only what it led to.',
      confidence: 'possible',
      evidence: present(
        ...earlier.slice(0, 3).map((incident) => {
          const when = incident.timestamp === null ? 'Before that.' : `At ${incident.timestamp.toFixed(6)} seconds.`;
          return logEvidence(facts, incident.message, when, 10);
        }),
      ),
    },
  ];
}
