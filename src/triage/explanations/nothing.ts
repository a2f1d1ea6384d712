// Where nothing tells what killed the kernel, or nothing says that it died.

import { evidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';
import { phrases } from '../scene.ts';
import type { Explanation } from './explanation.ts';

export const nothing: Explanation = {
  name: 'nothing-told',
  recognises: 'that neither log nor stack tells of a death',
  weigh(scene) {
    const { facts } = scene;
    const about = scene.as('unknown');
    const { where, who } = phrases(scene, about);
    return {
      depth: 'words',
      confidence: 'possible',
      because: 'nothing that is known says more',
      speaksFor: ['it is what is left where nothing else fits'],
      speaksAgainst: [],
      about,
      sentence: unknownSentence(facts, where, who),
      findings: () => {
        if (facts.crashedCpu !== null || facts.death !== null) return [];
        const evidences = present(evidence(facts, 'p panic_cpu', '-1 (PANIC_CPU_INVALID): no CPU called panic().'));
        if (evidences.length === 0) return [];
        return [{ title: 'No CPU panicked', explanation: '', confidence: 'certain', evidence: evidences }];
      },
    };
  },
};

function unknownSentence(facts: Facts, where: string, who: string | null): string {
  // the reader of logs knows that it died though it said nothing: by the crash kernel that starts
  if (facts.told !== null && facts.death?.title.startsWith('kernel died without a message'))
    return `The k${facts.death.title.slice(1)}. What killed it, the dump that was saved then tells, or the log that is saved beside it.`;
  if (facts.crashedCpu !== null || facts.death !== null) {
    return `The kernel died${where}${who === null ? '' : `, in ${who},`} for a reason that neither its log nor its stack tells.`;
  }
  const { lost, present } = facts.kernel.dump.info.pages;
  if (facts.log.length === 0 && lost > 0) {
    return `What killed the kernel cannot be told: the dump file is cut, and ${lost} of ${lost + present} pages are lost, the log's among them.`;
  }
  const last = facts.incidents.at(-1);
  const trouble = last === undefined ? '' : ` Its log tells of trouble that it survived: ${last.title}.`;
  const log = facts.log.length === 0 ? 'the log cannot be read' : 'the log tells of no death';
  return `Nothing in this dump says that the kernel died: no CPU panicked, and ${log}; it may have been taken of a running kernel.${trouble}`;
}
