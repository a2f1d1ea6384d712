// The exception syndrome, ESR_EL1, as the kernel prints it (Arm ARM, D24.2 "ESR_EL1"; arch/arm64/include/asm/esr.h).
//
//    63        37 36  32 31  26 25 24                                0
//   |            | ISS2 |  EC  |IL|               ISS                 |
//                                            9   6  5          0      of data aborts: EA, WnR, DFSC
import type { FaultSyndrome, MemoryGuards, RefusalReason } from '../fault_syndrome.ts';

export const arm64Guards: MemoryGuards = { userCode: 'PXN', userData: 'PAN', noExecute: 'XN' };

/** `ESR = 0x96000006` of an abort (since 1f9b8936f36f, 4.15), or `Internal error: Oops - FPAC: 0000000072000000 [#1]` of anything that died. */
export function syndromeOf(lines: string): FaultSyndrome | null {
  const said =
    /\bESR = 0x([0-9a-f]{1,16})\b/.exec(lines) ?? /\bInternal error: [^\n]*: ([0-9a-f]{8,16}) \[#/.exec(lines);
  if (said === null) return null;
  const esr = BigInt(`0x${said[1]}`);
  return esr === 0n ? null : { ...describeSyndrome(esr), line: said[0] };
}

/** @param esr all of the register */
export function describeSyndrome(esr: bigint): Omit<FaultSyndrome, 'line'> {
  const of = Number((esr >> 26n) & 0x3fn);
  const iss = Number(esr & 0x1ff_ffffn);
  const name = `ESR 0x${esr.toString(16)}: `;
  const isData = of === 0x24 || of === 0x25 || of === 0x34 || of === 0x35;
  const isFetch = of === 0x20 || of === 0x21;
  if (!isData && !isFetch) {
    const what = classes[of] ?? `exception class 0x${of.toString(16)}`;
    return { reason: null, access: null, words: `${name}${what}${detailOf(of, iss)}` };
  }
  const access = isFetch ? 'execute' : (iss & 0x40) !== 0 ? 'write' : 'read';
  const { words, reason } = faultOf(iss & 0x3f);
  const from = of === 0x20 || of === 0x24 || of === 0x34 ? 'from a process' : 'in the kernel';
  return { reason, access, words: `${name}${classes[of]!} ${from}, ${words}, ${access}` };
}

/** Exception classes, ESR_ELx_EC_* of esr.h. */
const classes: Readonly<Record<number, string>> = {
  0: 'an instruction that is none (undefined)',
  1: 'a trapped wait (WFI, WFE)',
  7: 'a trapped use of vector registers (SVE, SIMD, FP)',
  9: 'a trapped use of pointer authentication',
  13: 'an indirect branch to where none may go (BTI)',
  14: 'an illegal state of execution',
  21: 'a system call (SVC)',
  24: 'a trapped system register or instruction',
  25: 'a trapped use of SVE',
  28: 'a pointer that failed its authentication (FPAC)',
  29: 'a trapped use of SME',
  32: 'instruction abort',
  33: 'instruction abort',
  34: 'a program counter that is not aligned',
  36: 'data abort',
  37: 'data abort',
  38: 'a stack pointer that is not aligned',
  39: 'a memory operation (MOPS)',
  44: 'a floating-point exception',
  45: 'a check of the guarded control stack (GCS)',
  47: 'a system error (SError)',
  48: 'a breakpoint register, hit by a process',
  49: 'a breakpoint register, hit by the kernel',
  50: 'a single step of a process',
  51: 'a single step of the kernel',
  52: 'a watchpoint',
  53: 'a watchpoint',
  60: 'a breakpoint instruction (BRK)',
};

/** What the rest of ISS tells of classes that are no aborts. */
function detailOf(of: number, iss: number): string {
  switch (of) {
    case 0x1c:
      // which key: bit 1 data, bit 0 B
      return ` by the ${(iss & 2) === 0 ? 'instruction' : 'data'} key ${(iss & 1) === 0 ? 'A' : 'B'}`;
    case 0x0d:
      return ` (BTYPE ${iss & 3})`;
    case 0x2d:
      return (iss & 0x1f) === 0 ? ' of a return' : '';
    case 0x3c:
      return ` with the immediate 0x${(iss & 0xffff).toString(16)}`;
    case 0x2f:
      if ((iss & (1 << 24)) !== 0) return ', told in a way of the implementation';
      return (iss & 0x3f) === 0x11 ? serrorSeverity[(iss >> 10) & 7]! : ', not told which';
    default:
      return '';
  }
}

/** AET of an SError that the RAS extension describes. */
const serrorSeverity: readonly string[] = [
  ', uncontainable',
  ', unrecoverable',
  ', restartable',
  ', recoverable',
  ', of severity 4',
  ', of severity 5',
  ', corrected',
  ', of severity 7',
];

/** A fault status code, [DI]FSC: what happened, and at which level of the tables. */
function faultOf(status: number): { readonly words: string; readonly reason: RefusalReason | null } {
  const level = status & 3;
  // levels -1 of 52-bit tables (LPA2) have codes of their own
  if (status === 0x29) return { words: 'level -1 address size fault', reason: 'corrupt-tables' };
  if (status === 0x2b) return { words: 'level -1 translation fault', reason: 'not-mapped' };
  if (status === 0x13) return { words: 'external abort on a table of level -1', reason: 'hardware' };
  if (status === 0x1b) return { words: 'parity or ECC error on a table of level -1', reason: 'hardware' };
  switch (status >> 2) {
    case 0:
      return { words: `level ${level} address size fault`, reason: 'corrupt-tables' };
    case 1:
      return { words: `level ${level} translation fault`, reason: 'not-mapped' };
    case 2:
      return { words: `level ${level} access flag fault`, reason: 'permission' };
    case 3:
      return { words: `level ${level} permission fault`, reason: 'permission' };
    case 5:
      return { words: `external abort on a table of level ${level}`, reason: 'hardware' };
    case 7:
      return { words: `parity or ECC error on a table of level ${level}`, reason: 'hardware' };
    default:
      return single[status] ?? { words: `fault status 0x${status.toString(16)}`, reason: null };
  }
}

const single: Readonly<Record<number, { readonly words: string; readonly reason: RefusalReason | null }>> = {
  16: { words: 'external abort', reason: 'hardware' },
  17: { words: 'tag check fault', reason: 'tag' },
  24: { words: 'parity or ECC error', reason: 'hardware' },
  33: { words: 'alignment fault', reason: 'alignment' },
  34: { words: 'debug exception', reason: null }, // of watchpoints
  48: { words: 'conflict in the TLB', reason: 'corrupt-tables' },
  52: { words: 'a lock that the hardware refused', reason: null },
  53: { words: 'an exclusive access that the memory cannot do', reason: null },
};
