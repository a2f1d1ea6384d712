// Faults: the instruction, the register that held the bad address, and what that address looks like.
import { bareAddress, hex } from '../../base/text.ts';
import type { Finding } from '../analysis.ts';
import { evidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';
import { badJump, looksLike, registerText } from '../fault.ts';
import { shortPlace } from '../place.ts';
import { accessKinds, type Verdict } from '../verdict.ts';

export function faultFindings(facts: Facts, verdict: Verdict): Finding[] {
  const { access, instruction, kind } = verdict;
  if (instruction === null || facts.exception === null) return [];
  const findings: Finding[] = [];
  const counter = facts.kernel.arch.registers.programCounter;
  const target = accessKinds.includes(kind) ? badJump(facts) : null;
  if (target !== null) {
    const holders = Object.entries(facts.exception.registers).filter(
      ([name, value]) => value === target && name !== counter.name,
    );
    findings.push({
      title: `The kernel called a function at 0x${hex(target)}, where there is none: ${looksLike(facts.kernel.arch, target)}`,
      explanation: `A function pointer is wrong: never set, overwritten, or in memory that was freed${holders.length === 0 ? '' : ` (it is still in ${holders.map(([name]) => name).join(', ')})`}. The caller is the frame below the exception.`,
      confidence: 'certain',
      evidence: present(
        evidence(facts, 'bt', `${counter.label} is the address that was called; the frame below it called.`),
      ),
    });
  }
  const { operand } = access ?? { operand: null };
  if (operand !== null && access !== null && accessKinds.includes(kind)) {
    const verb = operand.access === 'read' ? 'reads' : operand.access === 'write' ? 'writes' : 'reads and writes';
    const offset = operand.displacement;
    const member =
      offset > 0n && access.registers.length === 1
        ? `, 0x${hex(offset)} bytes into what ${access.registers[0]!.name} should point to`
        : '';
    findings.push({
      title: `The instruction at ${shortPlace(instruction)} ${verb} address 0x${hex(access.address)}: ${access.looksLike}`,
      explanation:
        access.registers.length === 0
          ? ''
          : `Its address is made of registers: ${registerText(access)}${member}. Whoever set that register is the next question.`,
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
  const poisoned = Object.entries(facts.exception.registers).filter(([, value]) =>
    /^(6b){7}|^5a5a5a5a5a5a5a/.test(hex(value ?? 0n)),
  );
  if (poisoned.length > 0) {
    const names = poisoned.map(([name]) => name).join(', ');
    findings.push({
      title: `Slab poison in ${names}: memory was used after it was freed, or before it was set up`,
      explanation:
        'The allocator fills freed objects with 6b and new ones with 5a when slub_debug=P is on; no real value looks like that.',
      confidence: 'certain',
      evidence: present(evidence(facts, 'bt', `See ${names} among the registers.`)),
    });
  }
  return findings;
}
