// Instructions that trap: division, what is no instruction, breakpoints, control protection, and what else a CPU may raise.
import { assertNever } from '../../base/errors.ts';
import type { ReportKind } from '../../oops/kinds.ts';
import { type Case, phrases, type Scene, withoutStop } from '../scene.ts';
import { accessFindings } from './bad_access.ts';
import { ofKind } from './explanation.ts';

type Trap = Extract<ReportKind, 'divide-error' | 'invalid-opcode' | 'trap'>;

export const trap = ofKind({
  name: 'trap',
  recognises: 'an instruction that the CPU refuses, or stops at',
  kinds: ['divide-error', 'invalid-opcode', 'trap'] satisfies readonly Trap[],
  sentence: trapWords,
  findings: (scene, about) => accessFindings(scene, { ...about, access: null }),
});

function trapWords(scene: Scene, about: Case): string {
  const { where, runBy } = phrases(scene, about);
  const kind = about.kind as Trap;
  switch (kind) {
    case 'divide-error':
      return `Division by zero (or overflow)${where}${runBy}.`;
    case 'invalid-opcode':
      return `The CPU was sent into something that is no instruction${where}${runBy}.`;
    case 'trap':
      return `${trapMeaning(scene)}${where}${runBy}.`;
    default:
      return assertNever(kind);
  }
}

/** What each exception is, by the words that the kernel has for it (arch/x86/kernel/traps.c). */
const meanings: readonly (readonly [RegExp, string])[] = [
  [/\bint3\b/, 'The CPU ran into a breakpoint instruction (int3) that no probe, tracer or debugger owns'],
  [/\bdebug\b/, 'A debug exception came that nobody had asked for'],
  [/\boverflow\b/, 'An overflow trap (into) was raised'],
  [/bounds/, 'A bound check of the CPU failed (bound)'],
  [/missing ENDBR/i, 'An indirect jump went where no jump may go (control protection, IBT: no ENDBR there)'],
  [/control protection/i, 'The CPU found a jump or a return that may not be (control protection)'],
  [/#VC|VMM Communication/i, 'An exception of an encrypted guest (#VC) could not be handled'],
  [
    /\bFPAC\b/,
    'A pointer failed its authentication (FPAC): it was changed after it was signed, or signed for another place',
  ],
  [/\bBTI\b|branch target/i, 'An indirect jump went where no jump may go (BTI: no landing pad there)'],
  [/\bGCS\b/, 'A return did not go to where its call came from (GCS)'],
  [/SP\/PC alignment/i, 'The stack pointer or the program counter was not aligned: one of them was overwritten'],
  [/BRK/, 'The CPU ran into a breakpoint instruction (brk) that nothing owns'],
  [/simd|fpu|coprocessor|floating/i, 'A floating-point exception came in the kernel'],
  [/invalid TSS/i, 'The task segment was invalid'],
  [/alignment/i, 'An access was not aligned where it must be'],
  [/virtualization exception|#VE/i, 'An exception of a trusted guest (#VE) could not be handled'],
];

/** What the exception is, by the log's words or by the handler on the stack. */
function trapMeaning({ facts }: Scene): string {
  const said = facts.death?.message ?? facts.exception?.entry.place?.symbol.name ?? '';
  const words = said.replace(/^asm_exc_|^exc_/, '');
  const known = meanings.find(([pattern]) => pattern.test(words));
  if (known !== undefined) return known[1];
  return words === ''
    ? 'An exception came that the kernel does not handle'
    : `An exception came that the kernel does not handle (${withoutStop(words)})`;
}
