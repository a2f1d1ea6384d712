// What somebody left with the kernel to be called is no code: a timer, a work, an RCU callback. The object that came
// along says whose it was.
import { virtAddr } from '../../base/address.ts';
import { hex, hex16 } from '../../base/text.ts';
import type { Finding } from '../analysis.ts';
import { arrivalOf } from '../arrival.ts';
import { type Callback, callbackRunning } from '../callback.ts';
import { denialOf } from '../denial.ts';
import { evidence, present } from '../evidence.ts';
import { looksLike } from '../fault.ts';
import { phrases, type Scene } from '../scene.ts';
import type { Explanation } from './explanation.ts';
import { isFreedCode, lastUnloaded } from './unloaded_code.ts';

export const badCallback: Explanation = {
  name: 'bad-callback',
  recognises: 'a timer, work, or callback whose function is no code',
  weigh(scene) {
    const { jump, facts, kind } = scene;
    if (jump === null || kind === 'unknown' || arrivalOf(facts)?.how === 'returned') return null;
    // of a module that went, the function was right once
    if (isFreedCode(facts.kernel, virtAddr(jump)) && lastUnloaded(facts) !== null) return null;
    const callback = callbackRunning(facts, true);
    if (callback?.object == null) return null;
    const about = scene.as(kind);
    const { runBy } = phrases(scene, about);
    const looks = denialOf(facts, jump) ?? looksLike(facts.kernel, jump);
    const whose = callback.module === null ? '' : `, which the module ${callback.module} owns,`;
    const register = facts.kernel.arch.registers.arguments[0];
    const how = callback.isArgument
      ? `had just called it with the ${callback.what} in ${register}`
      : `had just called it, by the pointer that is in the ${callback.what} now`;
    return {
      depth: 'mechanism',
      confidence: callback.module === null ? 'likely' : 'certain',
      because: `${callback.runner} ${how}${callback.module === null ? '' : ', and that is memory of the module'}`,
      speaksFor: [
        `${callback.runner} called it`,
        `${callback.isArgument ? register : 'what the pointer lies in'} is the ${callback.what}: ${callback.name}`,
      ],
      speaksAgainst: [],
      about,
      sentence: `The function of the ${callback.what} ${callback.name}${whose} is 0x${hex(jump)}, ${looks}: ${callback.runner} called it${runBy}.`,
      findings: () => callbackFindings(scene, callback),
    };
  },
};

function callbackFindings(
  { facts, jump }: Scene,
  { what, name, type, object, isArgument, runner, module }: Callback,
): Finding[] {
  return [
    {
      title: `${runner} called the function of the ${what} ${name}, which is 0x${hex(jump!)}`,
      explanation: `${module === null ? '' : `The ${what} is in memory of the module ${module}: ask who sets it up there. `}Its function was never set, was overwritten, or the memory that it is in was freed and used anew.`,
      confidence: 'certain',
      evidence: present(
        type === null ? null : evidence(facts, `struct ${type} -x ${hex16(object!)}`, `The ${what} as it is now.`),
        evidence(facts, 'bt', isArgument ? `The first argument is ${hex16(object!)}.` : `${runner} called it.`),
      ),
    },
  ];
}
