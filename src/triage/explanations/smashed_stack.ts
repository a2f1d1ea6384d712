// The CPU returned to what is no code: the return address on the stack was overwritten.
import { virtAddr } from '../../base/address.ts';
import { count, hex, hex16 } from '../../base/text.ts';
import type { Finding } from '../analysis.ts';
import { type Arrival, arrivalOf, textOf } from '../arrival.ts';
import { evidence, present } from '../evidence.ts';
import { looksLike } from '../fault.ts';
import { framePlace, shortPlace } from '../place.ts';
import { type Case, phrases, type Scene } from '../scene.ts';
import type { Explanation } from './explanation.ts';
import { isFreedCode } from './unloaded_code.ts';

export const smashedStack: Explanation = {
  name: 'smashed-stack',
  recognises: 'a return to an address that was written over the return address on the stack',
  weigh(scene) {
    const { jump, facts, kind } = scene;
    if (jump === null || kind === 'unknown') return null;
    const arrival = arrivalOf(facts);
    if (arrival?.how !== 'returned' || isFreedCode(facts.kernel, virtAddr(jump))) return null;
    const about = scene.as(kind);
    const blamed = arrival.frame === null ? about.blamed : framePlace(facts, arrival.frame);
    const proven = arrival.copies > 1;
    const text = textOf(jump);
    return {
      depth: 'mechanism',
      confidence: proven ? 'certain' : 'likely',
      because: proven
        ? `the top of the stack holds that address ${arrival.copies} times over, and no address that a call would have left there`
        : 'a call would have left where it returns to on top of the stack, and nothing such is there; it may have been a jump, too',
      speaksFor: [
        `no return address is on top of the stack (${hex16(arrival.top)})`,
        ...(proven ? [`${arrival.copies} words there are the same`] : []),
        ...(text === null ? [] : [`the address is text: "${text}"`]),
      ],
      speaksAgainst: arrival.lostFrame === null ? ['no frame above is whole'] : [],
      about: { ...about, blamed },
      sentence: sentence(scene, { ...about, blamed }, arrival),
      findings: () => findings(scene, arrival),
    };
  },
};

function sentence(scene: Scene, about: Case, arrival: Arrival): string {
  const { runBy } = phrases(scene, about);
  const jump = scene.jump!;
  const text = textOf(jump);
  const looks = text === null ? looksLike(scene.facts.kernel.arch, jump) : `the text "${text}"`;
  const whose =
    arrival.frame === null ? 'a function that cannot be told' : `the function that ${shortPlace(about.blamed!)} called`;
  const smashed =
    arrival.copies > 1
      ? `the stack was overwritten, ${count(arrival.copies, 'word')} of it with the same value, in the frame of ${whose}`
      : `its stack was overwritten, or it jumped there: no return address is on top of the stack, which is in the frame of ${whose}`;
  return `The CPU returned to address 0x${hex(jump)}, ${looks}: ${smashed}${runBy}.`;
}

function findings({ facts }: Scene, arrival: Arrival): Finding[] {
  const words = Math.max(4, Math.min(16, (arrival.lostFrame ?? 64) / 8 + 1));
  return [
    {
      title: `No return address is on top of the stack: nobody called${arrival.copies > 1 ? `, and ${arrival.copies} words there are what the CPU returned to` : ''}`,
      explanation:
        'A function wrote past its own variables, or through a bad pointer into its own stack. Which one it was, its caller above and the buffers of what that called tell.',
      confidence: arrival.copies > 1 ? 'certain' : 'likely',
      evidence: present(
        evidence(
          facts,
          `rd -s ${hex16(arrival.top)} ${words}`,
          `The stack from where the CPU found its return address${arrival.frame === null ? '' : '; the last line has the first frame that is whole'}.`,
        ),
        evidence(facts, 'bt', 'The frames above are whole.'),
      ),
    },
  ];
}
