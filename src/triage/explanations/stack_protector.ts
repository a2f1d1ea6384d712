// A function found the canary on its own stack overwritten: it, or what it called, wrote past an array.
import { addressText, hex16 } from '../../base/text.ts';
import type { Evidence, Finding } from '../analysis.ts';
import { evidence, logEvidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';
import { shortPlace } from '../place.ts';
import { phrases, type Scene } from '../scene.ts';
import type { Explanation } from './explanation.ts';

export const stackProtector: Explanation = {
  name: 'stack-protector',
  recognises: 'a canary on the stack that was overwritten',
  weigh(scene) {
    const { facts } = scene;
    const onStack = facts.deathFrames.some(({ place }) => place?.symbol.name === '__stack_chk_fail');
    const told = /stack-protector: /.test(facts.death?.panic ?? facts.death?.message ?? '');
    if (!onStack && !told) return null;
    const about = scene.as('panic');
    const { runBy } = phrases(scene, about);
    const where = about.blamed === null ? 'a function' : shortPlace(about.blamed);
    return {
      depth: 'mechanism',
      confidence: 'certain',
      because: 'the function compared its canary as it returned, and it was another (__stack_chk_fail)',
      speaksFor: [
        ...(onStack ? ['__stack_chk_fail() is on the stack'] : []),
        ...(told ? [`the log says: ${facts.death!.panic ?? facts.death!.message}`] : []),
      ],
      speaksAgainst: [],
      about,
      sentence: `The stack was overwritten in the frame of ${where}: its canary was gone when it returned, so it, or what it called, wrote past an array there${runBy}.`,
      findings: () => findings(scene, about.blamed?.address ?? null),
    };
  },
};

/** Words of a frame that are shown. */
const maxWords = 48;

/** The frame's own memory, from where it left off to its return address. */
function frameWords(facts: Facts, address: string | null): Evidence | null {
  const frame = facts.deathFrames.find(({ kind, address: at }) => kind === 'call' && addressText(at) === address);
  const next = frame === undefined ? undefined : facts.deathFrames[facts.deathFrames.indexOf(frame) + 1];
  if (frame === undefined || next === undefined || next.frameAddress <= frame.stackPointer) return null;
  const words = Math.min(maxWords, Number(next.frameAddress - frame.stackPointer) / 8 + 1);
  return evidence(
    facts,
    `rd -s ${hex16(frame.stackPointer)} ${words}`,
    'Its frame: look for where a pattern or a text begins.',
  );
}

function findings({ facts }: Scene, address: string | null): Finding[] {
  return [
    {
      title: 'The canary between the variables and the return address of a function was overwritten',
      explanation:
        'The compiler puts a secret word behind the arrays of a function and compares it before the function returns. Look at the arrays of that function, and at whom it gives their addresses to.',
      confidence: 'certain',
      evidence: present(
        logEvidence(facts, 'stack-protector: ', 'Where the kernel found it.'),
        frameWords(facts, address),
        evidence(facts, 'bt', 'Who returned when it was found.', { cut: { kind: 'head', lines: 24 } }),
      ),
    },
  ];
}
