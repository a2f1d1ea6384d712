// Memory was given back that no allocation gave: the allocator faults where it looks for what manages that memory. Who called
// it is to blame, and what it was given is the matter; the address that was touched was made of that.
import { hex, hex16 } from '../../base/text.ts';
import type { Finding } from '../analysis.ts';
import { evidence, present } from '../evidence.ts';
import { registerText } from '../fault.ts';
import { type GivenBack, givenBack, isGivenBack } from '../given_back.ts';
import { shortPlace } from '../place.ts';
import { phrases, type Scene } from '../scene.ts';
import { accessFindings } from './bad_access.ts';
import { type Explanation, signsOf } from './explanation.ts';

const kinds = ['null-pointer', 'bad-page-fault', 'general-protection'] as const;

export const badFree: Explanation = {
  name: 'bad-free',
  recognises: 'memory that was given back and that no allocation gave',
  weigh(scene) {
    const kind = kinds.find((one) => one === scene.kind);
    const signs = kind === undefined ? null : signsOf(scene, kind);
    if (kind === undefined || signs === null || scene.jump !== null || scene.access === null) return null;
    const about = scene.as(kind);
    const given = isGivenBack(about) ? givenBack(scene.facts) : null;
    if (given === null) return null;
    const { where, runBy } = phrases(scene, about);
    const at = shortPlace(about.instruction!);
    return {
      depth: 'mechanism',
      confidence: given.proven ? signs.confidence : 'likely',
      because: `${at} gives memory back, and the caller passed ${hex16(given.address)}${given.proven ? '' : ', as memory has it now'}`,
      speaksFor: [
        ...signs.speaksFor,
        given.words,
        `${at} touched 0x${hex(scene.access.address)} (${registerText(scene.access)})`,
      ],
      speaksAgainst: signs.speaksAgainst,
      about,
      sentence: `Memory was given back that could not be: ${given.words},${where}${runBy}; ${at} faulted at 0x${hex(scene.access.address)}.`,
      findings: (origin) => [finding(scene, given, at), ...accessFindings(scene, about, origin)],
    };
  },
};

function finding({ facts }: Scene, { words, address }: GivenBack, at: string): Finding {
  return {
    title: `${words}, and ${at} could not find what manages that`,
    explanation:
      'The pointer was never set, was overwritten, points into an object instead of to its start, or is of memory that is given back otherwise (vfree(), a variable, a stack).',
    confidence: 'likely',
    evidence: present(
      evidence(facts, 'bt', 'Who gave it back.', { cut: { kind: 'head', lines: 24 } }),
      facts.kernel.arch.isKernelAddress(address) ? evidence(facts, `kmem ${hex16(address)}`, 'What lies there.') : null,
    ),
  };
}
