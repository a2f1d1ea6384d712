// The CPU returned to what is no code: the return address on the stack was overwritten.
import { virtAddr } from '../../base/address.ts';
import { count, hex, hex16 } from '../../base/text.ts';
import type { Finding, Place } from '../analysis.ts';
import { type Arrival, arrivalOf, textOf } from '../arrival.ts';
import { evidence, present } from '../evidence.ts';
import { looksLike } from '../fault.ts';
import { framePlace, placeAt, shortPlace } from '../place.ts';
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
    const caller = arrival.frame === null ? null : framePlace(facts, arrival.frame);
    const blamed = arrival.called === null ? (caller ?? about.blamed) : placeAt(facts, arrival.called);
    const { proven } = arrival;
    const text = textOf(arrival.meant ?? jump);
    return {
      depth: 'mechanism',
      confidence: proven ? 'certain' : 'likely',
      because:
        arrival.by === 'register'
          ? byRegister(arrival)
          : proven
            ? `the top of the stack holds that address ${arrival.copies} times over, and no address that a call would have left there`
            : arrival.lostFrame === 0
              ? 'the word that a return would have taken off the stack is still there, and is that address; and what was called is another function'
              : 'a call would have left where it returns to on top of the stack, and nothing such is there; it may have been a jump, too',
      speaksFor: [
        ...(arrival.by === 'register'
          ? ['the register with the return address holds where the CPU is']
          : arrival.lostFrame === 0
            ? []
            : [`no return address is on top of the stack (${hex16(arrival.top)})`]),
        ...(arrival.popped && arrival.by === 'stack' ? [`the word below the top of the stack is that address`] : []),
        ...(arrival.called === null ? [] : [`${shortPlace(caller!)} called ${shortPlace(blamed!)}`]),
        ...(arrival.copies > 0 && proven
          ? [`${count(arrival.copies, 'word')} there ${arrival.copies === 1 ? 'is' : 'are'} the same`]
          : []),
        ...(text === null ? [] : [`the address is text: "${text}"`]),
      ],
      speaksAgainst: arrival.lostFrame === null ? ['no frame above is whole'] : [],
      about: { ...about, blamed, blamedCaller: null },
      sentence: sentence(scene, { ...about, blamed, blamedCaller: null }, arrival, caller),
      findings: () => findings(scene, arrival),
    };
  },
};

function sentence(scene: Scene, about: Case, arrival: Arrival, caller: Place | null): string {
  const { runBy } = phrases(scene, about);
  const jump = scene.jump!;
  const text = textOf(arrival.meant ?? jump);
  const looks = text === null ? looksLike(scene.facts.kernel, jump) : `the text "${text}"`;
  const whose =
    caller === null
      ? 'a function that cannot be told'
      : arrival.called === null
        ? `the function that ${shortPlace(caller)} called`
        : `${shortPlace(about.blamed!)}, which ${shortPlace(caller)} called`;
  const target =
    arrival.meant === null
      ? `0x${hex(jump)}, ${looks}`
      : `0x${hex(arrival.meant)}, ${looks}, which was not signed as a return address is (pointer authentication made 0x${hex(jump)} of it)`;
  return `The CPU returned to address ${target}: ${smashed(arrival, whose)}${runBy}.`;
}

function byRegister({ copies }: Arrival): string {
  const register = 'the register with the return address holds the address that the CPU went to';
  return copies > 1
    ? `${register}, and so do the ${copies} words on top of the stack`
    : `${register}, which a return does, and hardly a jump; whence it was loaded is no longer there`;
}

function smashed({ copies, lostFrame, by }: Arrival, whose: string): string {
  if (by === 'register' && copies < 2) return `the return address of ${whose}, was overwritten`;
  if (lostFrame === 0) return `the return address of ${whose}, was overwritten`;
  const inFrame = `in the frame of ${whose}, or of what that called`;
  if (copies > 1) return `the stack was overwritten, ${count(copies, 'word')} of it with the same value, ${inFrame}`;
  return `its stack was overwritten, or it jumped there: no return address is on top of the stack, which is ${inFrame}`;
}

function findings({ facts }: Scene, arrival: Arrival): Finding[] {
  const words = Math.max(4, Math.min(16, (arrival.lostFrame ?? 64) / 8 + 1));
  return [
    {
      title: `${arrival.by === 'register' ? 'The register with the return address holds what the CPU returned to' : arrival.lostFrame === 0 ? 'What the CPU returned to is what a return took off the stack, and what was called is another function' : 'No return address is on top of the stack: nobody called'}${arrival.copies > 1 ? `, and ${arrival.copies} words there are what the CPU returned to` : ''}`,
      explanation:
        'A function wrote past its own variables, or through a bad pointer into its own stack. Which one it was, its caller above and the buffers of what that called tell.',
      confidence: arrival.copies > 1 ? 'certain' : 'likely',
      evidence: present(
        evidence(
          facts,
          `rd -s ${hex16(arrival.top)} ${words}`,
          `The stack from where ${arrival.by === 'register' ? 'it ended after the return' : 'the CPU found its return address'}${arrival.frame === null ? '' : '; the last line has the first frame that is whole'}.`,
        ),
        evidence(facts, 'bt', 'The frames above are whole.'),
      ),
    },
  ];
}
