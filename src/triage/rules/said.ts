// What the kernel itself said when it died, for every kind of death: the lines of its log, and where it said so.
import { bareAddress } from '../../base/text.ts';
import type { Evidence, Finding } from '../analysis.ts';
import { evidence, logEvidence, present } from '../evidence.ts';
import { type Facts, instructionAt } from '../facts.ts';
import { badJump, trapName } from '../fault.ts';
import { shortPlace } from '../place.ts';
import type { Case } from '../scene.ts';

/** The line of the log that tells of the death, with what follows it; null without a log. */
export function said(facts: Facts, after = 3): Evidence | null {
  const { death } = facts;
  return death === null ? null : logEvidence(facts, death.message, 'What the kernel said.', after);
}

/** The kernel's own words: for deaths that no other rule explains by what the CPU did. */
export function saidFindings(facts: Facts, { kind, instruction, blamed }: Case): Finding[] {
  const { death } = facts;
  const panic =
    death?.panic == null
      ? null
      : logEvidence(facts, `Kernel panic - not syncing: ${death.panic}`, 'Why it did not go on.');
  const lines = present(said(facts), panic);
  // a check that failed: the instruction is one that the compiler put there for it
  const check = kind === 'BUG' || kind === 'WARN' || kind === 'list-corruption' || kind === 'use-after-free';
  const trap = check && facts.exception !== null ? trapName(facts.kernel, instructionAt(facts, facts.exception)) : null;
  const atCheck = trap !== null;
  if (
    (atCheck || kind === 'divide-error' || kind === 'invalid-opcode') &&
    instruction !== null &&
    badJump(facts) === null
  ) {
    return [
      {
        title: atCheck
          ? `${kind === 'WARN' ? 'The warning' : 'The check that failed'} is at ${shortPlace(instruction)}`
          : `The instruction that could not be executed is at ${shortPlace(instruction)}`,
        explanation: atCheck
          ? `Its instruction, ${trap}, is there to be trapped over; the condition that led to it stands before it.`
          : '',
        confidence: 'certain',
        evidence: present(
          ...lines,
          evidence(
            facts,
            `dis -r ${bareAddress(instruction.address ?? '')}`,
            'The last line is the instruction that trapped.',
            {
              cut: { kind: 'tail', lines: 6 },
            },
          ),
          evidence(facts, 'bt', 'Where the exception came.', { cut: { kind: 'telling', of: 'exception' } }),
        ),
      },
    ];
  }
  if (kind === 'stack-overflow' || kind === 'unknown') return []; // what there is to say is said elsewhere
  const evidences = present(
    ...lines,
    kind === 'hung-task'
      ? null
      : evidence(facts, 'bt', 'How the kernel came to die.', { cut: { kind: 'head', lines: 24 } }),
  );
  if (evidences.length === 0) return [];
  return [
    {
      title:
        death === null
          ? `The stack shows how the kernel died${blamed === null ? '' : `, in ${shortPlace(blamed)}`}`
          : `The kernel said: ${death.message}`,
      explanation: '',
      confidence: death === null ? 'likely' : 'certain',
      evidence: evidences,
    },
  ];
}
