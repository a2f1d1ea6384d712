// Deaths of which there is no more to say than what the kernel said: panic(), broken hardware.
import { hardwareTrouble } from '../rules/hardware.ts';
import { phrases, withoutStop } from '../scene.ts';
import { ofKind } from './explanation.ts';

export const panicked = ofKind({
  name: 'panic',
  recognises: 'code that called panic()',
  kinds: ['panic'],
  sentence: (scene, about) => {
    const { where, runBy } = phrases(scene, about);
    const reason = scene.facts.death?.panic;
    return `The kernel called panic()${reason == null ? '' : `: ${withoutStop(reason)}`}${where === '' ? '' : `,${where}`}${runBy}.`;
  },
});

export const machineCheck = ofKind({
  name: 'machine-check',
  recognises: 'an error that the hardware reported',
  kinds: ['machine-check'],
  sentence: ({ facts }) => {
    const [worst] = hardwareTrouble(facts);
    return `The hardware reported an error that the kernel cannot go on with: ${withoutStop(facts.death?.message ?? 'machine check')}.${worst === undefined ? '' : ` ${withoutStop(worst.sentence)}.`}`;
  },
});
