// What stands around any death: modules in the way, earlier trouble, overflowed stacks, settings.

import type { BtHead } from '../../commands/tasks/bt/bt.ts';
import type { Finding } from '../analysis.ts';
import { evidence, logEvidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';
import type { Case } from '../scene.ts';
import { corruptLists } from './corrupt_lists.ts';
import { corruptPages } from './corrupt_pages.ts';

export function surroundingFindings(facts: Facts, about: Case): Finding[] {
  return [
    ...blamedModule(facts, about),
    ...overflow(facts, about),
    ...corruptLists(facts),
    ...corruptPages(facts),
    ...earlierTrouble(facts),
  ];
}

/** Code of a module that taints the kernel: whom to ask. */
function blamedModule(facts: Facts, { blamed }: Case): Finding[] {
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

/** Stacks whose end mark is gone. */
function overflow(facts: Facts, { kind }: Case): Finding[] {
  const check = evidence(facts, 'bt -v', 'The mark at the end of a stack (57ac6e9d) must still be there.');
  if (check === null || (check.data as BtHead).overflows?.length === 0) return [];
  return [
    {
      title: 'A kernel stack ran over its end',
      explanation:
        kind === 'stack-overflow'
          ? ''
          : 'What lies behind a stack belongs to somebody else: that it is damaged may be the cause of everything else.',
      confidence: 'certain',
      evidence: [check],
    },
  ];
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
