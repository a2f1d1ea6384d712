// Memory was touched that is not there: the instruction, the register that held the address, what that looks like.
import { bareAddress, hex } from '../../base/text.ts';
import { poisonKind, poisonsSlabs } from '../../kernel/poison.ts';
import type { Finding, OriginReport } from '../analysis.ts';
import { denialOf, syndromeOfDeath } from '../denial.ts';
import { evidence, logEvidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';
import { looksLike, registerText } from '../fault.ts';
import { shortPlace } from '../place.ts';
import { type Case, isElsewhere, phrases, type Scene } from '../scene.ts';
import { ofKind } from './explanation.ts';

export const badAccess = ofKind({
  name: 'bad-access',
  recognises: 'an instruction touched memory that is not there, or not so',
  kinds: ['null-pointer', 'bad-page-fault', 'general-protection'],
  when: ({ jump, access }) =>
    jump !== null
      ? null
      : access === null
        ? []
        : [`the instruction touches 0x${hex(access.address)} (${registerText(access)})`],
  sentence: (scene, about) => {
    const { where, runBy } = phrases(scene, about);
    return `${accessWords(scene, about)}${where}${runBy}.`;
  },
  findings: accessFindings,
});

function accessWords({ facts }: Scene, about: Case): string {
  const { kind, access, faultAddress, instruction } = about;
  // the instruction's registers explain the fault only where the blamed code is the one that faulted
  if (access === null) {
    const address =
      faultAddress === null ? null : /^0x[0-9a-f]{1,16}$/.test(faultAddress) ? BigInt(faultAddress) : null;
    const looks = address === null ? '' : `, ${denialOf(facts, address) ?? looksLike(facts.kernel, address)},`;
    if (address === null && kind === 'general-protection') return 'An address that is none was used';
    return `${kind === 'null-pointer' ? 'NULL pointer: bad' : 'Bad'} access to address ${address === null ? '(unknown)' : `0x${hex(address)}`}${kind === 'null-pointer' ? '' : looks}`;
  }
  const { operand } = access;
  const did = operand.access === 'read' ? 'read from' : 'write to';
  const by = access.registers.length === 0 ? '' : ` (${registerText(access)})`;
  const via = isElsewhere(about) ? ` through ${shortPlace(instruction!)}` : '';
  const address = `0x${hex(access.address)}`;
  if (kind === 'null-pointer') {
    // a little below zero, and a member's distance beyond it
    const isError = access.registers.some(({ value }) => value >= 0xffff_ffff_ffff_f001n);
    const what = isError ? 'An error code was used as a pointer' : 'NULL pointer';
    return `${what}: tried to ${did} address ${address}${by}${via}`;
  }
  const denial = denialOf(facts, access.address);
  if (denial !== null) return `Forbidden access: tried to ${did} address ${address}${by}, ${denial},${via}`;
  return `Bad pointer: tried to ${did} address ${address}${by}, ${access.looksLike},${via}`;
}

/** What the faulting instruction did, and poison in its registers. */
export function accessFindings(
  { facts }: Scene,
  { access, instruction }: Case,
  origin: OriginReport | null = null,
): Finding[] {
  if (instruction === null || facts.exception === null) return [];
  const findings: Finding[] = syndromeFindings(facts);
  if (access !== null) {
    const { operand } = access;
    const isAnswered = origin !== null && origin.end !== 'unknown';
    const verb = operand.access === 'read' ? 'reads' : operand.access === 'write' ? 'writes' : 'reads and writes';
    const offset = operand.displacement;
    const member =
      offset > 0n && access.registers.length === 1
        ? `, 0x${hex(offset)} bytes into what ${access.registers[0]!.name} should point to`
        : '';
    findings.push({
      title: `The instruction at ${shortPlace(instruction)} ${verb} address 0x${hex(access.address)}: ${denialOf(facts, access.address) ?? access.looksLike}`,
      explanation:
        access.registers.length === 0
          ? ''
          : `Its address is made of registers: ${registerText(access)}${member}.${isAnswered ? '' : ' Whoever set that register is the next question.'}`,
      confidence: 'certain',
      evidence: present(
        evidence(
          facts,
          `dis -r ${bareAddress(instruction.address ?? '')}`,
          'The last line is the instruction that faulted; the lines above set its registers.',
          { cut: { kind: 'tail', lines: 6 } },
        ),
        evidence(facts, 'bt', 'Where the exception came.', { cut: { kind: 'telling', of: 'exception' } }),
      ),
    });
  }
  const poisoned = Object.entries(facts.exception.registers).filter(([, value]) => isSlabPoison(value ?? 0n));
  // where slabs are not poisoned, somebody else wrote that
  const isOn = poisoned.length === 0 ? false : poisonsSlabs(facts.kernel);
  if (poisoned.length > 0 && isOn !== false) {
    const names = poisoned.map(([name]) => name).join(', ');
    findings.push({
      title: `Slab poison in ${names}: memory was used after it was freed, or before it was set up`,
      explanation:
        'The allocator fills freed objects with 6b and new ones with 5a when slab_debug=P is on; no real value looks like that.',
      confidence: isOn === true ? 'certain' : 'possible',
      evidence: present(evidence(facts, 'bt', `See ${names} among the registers.`)),
    });
  }
  return findings;
}

/** What the allocator fills objects with. */
function isSlabPoison(value: bigint): boolean {
  const kind = poisonKind(value);
  return kind === 'freed-object' || kind === 'new-object';
}

/** What the CPU itself said, where it is more than that no page is there. */
function syndromeFindings(facts: Facts): Finding[] {
  const syndrome = syndromeOfDeath(facts);
  if (syndrome === null || syndrome.reason === 'not-mapped') return [];
  return [
    {
      title: `The CPU told the kernel: ${syndrome.words}`,
      explanation: '',
      confidence: 'certain',
      evidence: present(logEvidence(facts, syndrome.line, 'As the kernel printed it.')),
    },
  ];
}
