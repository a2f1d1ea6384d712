// The page fault's error code, as the kernel prints it (arch/x86/include/asm/trap_pf.h; show_fault_oops() in
// arch/x86/mm/fault.c).
import type { FaultSyndrome, MemoryGuards, RefusalReason } from '../fault_syndrome.ts';

const present = 1 << 0;
const write = 1 << 1;
const user = 1 << 2;
const reserved = 1 << 3;
const fetch = 1 << 4;
const protectionKey = 1 << 5;
const shadowStack = 1 << 6;

export const x86Guards: MemoryGuards = { userCode: 'SMEP', userData: 'SMAP', noExecute: 'NX' };

/** `#PF: error_code(0x0003) - permissions violation` (since a2aa52ab16ef, 5.1). */
export function pageFaultOf(lines: string): FaultSyndrome | null {
  const said = /error_code\(0x([0-9a-f]{1,8})\)/.exec(lines);
  if (said === null) return null;
  const [line, code = ''] = said;
  const bits = Number.parseInt(code, 16);
  const access = (bits & fetch) !== 0 ? 'execute' : (bits & write) !== 0 ? 'write' : 'read';
  const reason = reasonOf(bits);
  const words = `page fault error code 0x${code}: ${access}${(bits & user) === 0 ? ' in the kernel' : ''}, ${
    (bits & present) === 0 ? 'no page there' : 'a page that may not be used so'
  }`;
  return { reason, access, words, line };
}

function reasonOf(bits: number): RefusalReason {
  if ((bits & reserved) !== 0) return 'corrupt-tables';
  if ((bits & protectionKey) !== 0) return 'protection-key';
  if ((bits & shadowStack) !== 0) return 'shadow-stack';
  return (bits & present) === 0 ? 'not-mapped' : 'permission';
}
