// Branches, exceptions and system instructions of arm64 (Arm ARM C4.1.93).
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import { bits, signedBits } from './code.ts';
import { type Decoded, immediate, register, registerName, widthOf } from './instruction.ts';

const conditions = [
  'eq',
  'ne',
  'cs',
  'cc',
  'mi',
  'pl',
  'vs',
  'vc',
  'hi',
  'ls',
  'ge',
  'lt',
  'gt',
  'le',
  'al',
  'nv',
] as const;

/** Null for what is none. */
export function decodeBranchOrSystem(word: number, address: VirtAddr): Decoded | null {
  switch (bits(word, 29, 3)) {
    case 0:
    case 4: {
      const isCall = word >>> 31 === 1;
      const target = offsetBy(address, signedBits(word, 0, 26) * 4);
      if (!isCall) return { mnemonic: 'b', operands: [], flow: 'jump', target };
      return { mnemonic: 'bl', operands: [], flow: 'call', target, alsoWrites: ['x30'] };
    }
    case 1:
    case 5:
      return testAndBranch(word, address);
    case 2: {
      if (bits(word, 24, 2) !== 0) return null;
      const target = offsetBy(address, signedBits(word, 5, 19) * 4);
      const name = `b${bits(word, 4, 1) === 1 ? 'c' : ''}.${conditions[bits(word, 0, 4)]!}`;
      return { mnemonic: name, operands: [], flow: 'conditional-jump', target };
    }
    case 6:
      return bits(word, 25, 1) === 1
        ? branchToRegister(word)
        : bits(word, 24, 1) === 0
          ? exception(word)
          : system(word);
    default:
      return null;
  }
}

/** CBZ, CBNZ, TBZ, TBNZ. */
function testAndBranch(word: number, address: VirtAddr): Decoded {
  const isBit = bits(word, 25, 1) === 1;
  const isNot = bits(word, 24, 1) === 1;
  const value = register(word, 0, 'read', widthOf(word));
  const flow = 'conditional-jump';
  if (!isBit) {
    const target = offsetBy(address, signedBits(word, 5, 19) * 4);
    return { mnemonic: isNot ? 'cbnz' : 'cbz', operands: [value], flow, target };
  }
  const bit = immediate(bits(word, 31, 1) * 32 + bits(word, 19, 5));
  const target = offsetBy(address, signedBits(word, 5, 14) * 4);
  return { mnemonic: isNot ? 'tbnz' : 'tbz', operands: [value, bit], flow, target };
}

/** SVC, HVC, SMC, BRK, HLT. */
function exception(word: number): Decoded | null {
  const value = immediate(bits(word, 5, 16));
  const [kind, level] = [bits(word, 21, 3), bits(word, 0, 5)];
  if (kind === 0 && level >= 1 && level <= 3) {
    // a call into what stands above; what it does to x0 to x17 is between the two
    return { mnemonic: (['svc', 'hvc', 'smc'] as const)[level - 1]!, operands: [value], flow: 'next' };
  }
  if (level !== 0) return null;
  if (kind === 1) return { mnemonic: 'brk', operands: [value], flow: 'trap' };
  return kind === 2 ? { mnemonic: 'hlt', operands: [value], flow: 'trap' } : null;
}

/** BR, BLR, RET, ERET, and those that authenticate the address first. */
function branchToRegister(word: number): Decoded | null {
  const [operation, kind, modifier] = [bits(word, 21, 4), bits(word, 10, 6), bits(word, 0, 5)];
  const isSigned = kind === 2 || kind === 3;
  if (bits(word, 16, 5) !== 31 || (kind !== 0 && !isSigned)) return null;
  const key = isSigned ? (kind === 2 ? 'a' : 'b') : '';
  const to = register(word, 5, 'read');
  const withModifier = operation >= 8;
  const suffix = key === '' ? '' : withModifier ? `a${key}` : `a${key}z`;
  const operands = withModifier && isSigned ? [to, register(word, 0, 'read', 8, 'sp')] : [to];
  if (!withModifier && modifier !== (isSigned ? 31 : 0)) return null;
  switch (operation & 7) {
    case 0:
      return { mnemonic: `br${suffix}`, operands, flow: 'jump' };
    case 1:
      return { mnemonic: `blr${suffix}`, operands, flow: 'call', alsoWrites: ['x30'] };
    case 2:
      if (withModifier) return null;
      if (isSigned) return { mnemonic: `reta${key}`, operands: [], flow: 'return', alsoReads: ['x30', 'sp'] };
      // objdump leaves out the register that is meant anyway
      if (bits(word, 5, 5) === 30) return { mnemonic: 'ret', operands: [], flow: 'return', alsoReads: ['x30'] };
      return { mnemonic: 'ret', operands: [to], flow: 'return' };
    case 4:
      return withModifier ? null : { mnemonic: isSigned ? `ereta${key}` : 'eret', operands: [], flow: 'return' };
    default:
      return null;
  }
}

const hints: Readonly<Record<number, Decoded>> = {
  0: { mnemonic: 'nop', operands: [] },
  1: { mnemonic: 'yield', operands: [] },
  2: { mnemonic: 'wfe', operands: [] },
  3: { mnemonic: 'wfi', operands: [] },
  4: { mnemonic: 'sev', operands: [] },
  5: { mnemonic: 'sevl', operands: [] },
  7: { mnemonic: 'xpaclri', operands: [], alsoReads: ['x30'], alsoWrites: ['x30'] },
  8: { mnemonic: 'pacia1716', operands: [], alsoReads: ['x17', 'x16'], alsoWrites: ['x17'] },
  10: { mnemonic: 'pacib1716', operands: [], alsoReads: ['x17', 'x16'], alsoWrites: ['x17'] },
  12: { mnemonic: 'autia1716', operands: [], alsoReads: ['x17', 'x16'], alsoWrites: ['x17'] },
  14: { mnemonic: 'autib1716', operands: [], alsoReads: ['x17', 'x16'], alsoWrites: ['x17'] },
  16: { mnemonic: 'esb', operands: [] },
  17: { mnemonic: 'psb', operands: [] },
  18: { mnemonic: 'tsb', operands: [] },
  20: { mnemonic: 'csdb', operands: [] },
  22: { mnemonic: 'clearbhb', operands: [] },
  24: { mnemonic: 'paciaz', operands: [], alsoReads: ['x30'], alsoWrites: ['x30'] },
  25: { mnemonic: 'paciasp', operands: [], alsoReads: ['x30', 'sp'], alsoWrites: ['x30'] },
  26: { mnemonic: 'pacibz', operands: [], alsoReads: ['x30'], alsoWrites: ['x30'] },
  27: { mnemonic: 'pacibsp', operands: [], alsoReads: ['x30', 'sp'], alsoWrites: ['x30'] },
  28: { mnemonic: 'autiaz', operands: [], alsoReads: ['x30'], alsoWrites: ['x30'] },
  29: { mnemonic: 'autiasp', operands: [], alsoReads: ['x30', 'sp'], alsoWrites: ['x30'] },
  30: { mnemonic: 'autibz', operands: [], alsoReads: ['x30'], alsoWrites: ['x30'] },
  31: { mnemonic: 'autibsp', operands: [], alsoReads: ['x30', 'sp'], alsoWrites: ['x30'] },
};

const barriers: Readonly<Record<number, string>> = { 2: 'clrex', 4: 'dsb', 5: 'dmb', 6: 'isb', 7: 'sb' };

function system(word: number): Decoded | null {
  const [isRead, op0, op1] = [bits(word, 21, 1) === 1, bits(word, 19, 2), bits(word, 16, 3)];
  const [crn, op2] = [bits(word, 12, 4), bits(word, 5, 3)];
  if (bits(word, 22, 2) !== 0) return null;
  if (op0 >= 2) {
    return isRead
      ? { mnemonic: 'mrs', operands: [register(word, 0, 'write')] }
      : { mnemonic: 'msr', operands: [register(word, 0, 'read')] };
  }
  if (op0 === 1) {
    // maintenance of caches and TLBs, translation of addresses: what the register holds is an address, or nothing
    const operand = register(word, 0, isRead ? 'write' : 'read');
    const name = isRead ? 'sysl' : maintenance(crn, bits(word, 8, 4), op1, op2);
    return { mnemonic: name, operands: operand.name === registerName(31) ? [] : [operand] };
  }
  if (isRead) return null;
  if (crn === 2 && op1 === 3) {
    const hint = bits(word, 5, 7);
    const isLandingPad = hint >= 32 && hint < 40 && hint % 2 === 0;
    return hints[hint] ?? { mnemonic: isLandingPad ? 'bti' : 'hint', operands: [] };
  }
  if (crn === 3 && op1 === 3) {
    const name = barriers[op2];
    return name === undefined ? null : { mnemonic: name, operands: [] };
  }
  if (crn === 1 && op1 === 3 && bits(word, 8, 4) === 0 && op2 < 2) {
    return { mnemonic: op2 === 0 ? 'wfet' : 'wfit', operands: [register(word, 0, 'read')] };
  }
  if (crn === 4 && bits(word, 0, 5) === 31) return { mnemonic: 'msr', operands: [immediate(bits(word, 8, 4))] };
  return null;
}

function maintenance(crn: number, crm: number, op1: number, op2: number): string {
  if (crn === 8 || crn === 9) return 'tlbi';
  if (crn === 7 && (crm === 8 || crm === 9)) return 'at';
  if (crn === 7 && (crm === 1 || crm === 5)) return 'ic';
  if (crn === 7 && crm === 3 && op1 === 3) return op2 === 4 ? 'cfp' : op2 === 5 ? 'dvp' : 'cpp';
  return crn === 7 ? 'dc' : 'sys';
}
