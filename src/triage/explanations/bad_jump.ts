// The CPU was sent where there is no code, by a call: a bad function pointer.
import { hex } from '../../base/text.ts';
import type { Finding } from '../analysis.ts';
import { arrivalOf } from '../arrival.ts';
import { denialOf } from '../denial.ts';
import { evidence, present } from '../evidence.ts';
import { looksLike } from '../fault.ts';
import { type Case, phrases, type Scene } from '../scene.ts';
import { accessFindings } from './bad_access.ts';
import { ofKind } from './explanation.ts';

export const badJump = ofKind({
  name: 'bad-function-pointer',
  recognises: 'a call through a pointer to what is no code',
  kinds: ['null-pointer', 'bad-page-fault', 'general-protection'],
  when: ({ jump }) => (jump === null ? null : [`the CPU was at 0x${hex(jump)}, where no code is`]),
  doubt({ facts }) {
    const arrival = arrivalOf(facts);
    if (arrival?.how !== 'called') return 'nothing proves that it was a call';
    if (arrival.proven) return null;
    return arrival.by === 'register'
      ? 'the register with the return address has one that follows a call; that the function called there went on by a jump, it does not exclude'
      : 'the return address on top of the stack comes after a call; that the same address was not returned to, it does not prove';
  },
  sentence: (scene, about) => {
    const { where, runBy } = phrases(scene, about);
    const target = scene.jump!;
    const looks = denialOf(scene.facts, target) ?? looksLike(scene.facts.kernel, target);
    return `Bad function pointer: jumped to address 0x${hex(target)}, ${looks}, called${where}${runBy}.`;
  },
  findings: (scene, about) => [jumpFinding(scene), ...accessFindings(scene, { ...about, access: null } satisfies Case)],
});

function jumpFinding({ facts, jump }: Scene): Finding {
  const counter = facts.kernel.arch.registers.programCounter;
  const holders = Object.entries(facts.exception!.registers).filter(
    ([name, value]) => value === jump && name !== counter.name,
  );
  return {
    title: `The kernel called a function at 0x${hex(jump!)}, where there is none: ${denialOf(facts, jump!) ?? looksLike(facts.kernel, jump!)}`,
    explanation: `A function pointer is wrong: never set, overwritten, or in memory that was freed${holders.length === 0 ? '' : ` (it is still in ${holders.map(([name]) => name).join(', ')})`}. The caller is the frame below the exception.`,
    confidence: 'likely',
    evidence: present(
      evidence(facts, 'bt', `${counter.label} is the address that was called; the frame below it called.`),
    ),
  };
}
