// Capstone's spelling of arm64 instructions, made objdump's (binutils 2.40, opcodes/aarch64-opc.c). They agree on
// everything but how numbers and conditions are written:
//
//   capstone                      objdump
//   bl #0xffff800008012340        bl 0xffff800008012340
//   ldr x0, [x1, #0x18]           ldr x0, [x1, #24]          offsets, shifts, bit positions: decimal
//   add x0, x1, #8                add x0, x1, #0x8           other numbers: hexadecimal, without a sign
//   mov x0, #8                    mov x0, #0x8 // #8
//   b.lo, csel x0, x1, x2, lo     b.cc // b.lo, b.ul, b.last; csel x0, x1, x2, cc // cc = lo, ul, last

import { movedImmediate, signedBits } from './code.ts';

/** objdump's names of conditions, by capstone's where they differ. */
const conditionNames: Readonly<Record<string, string>> = { hs: 'cs', lo: 'cc' };
/** What objdump says besides of a condition: its other names. */
const otherNames: Readonly<Record<string, readonly string[]>> = {
  eq: ['none'],
  ne: ['any'],
  cs: ['hs', 'nlast'],
  cc: ['lo', 'ul', 'last'],
  mi: ['first'],
  pl: ['nfrst'],
  hi: ['pmore'],
  ls: ['plast'],
  ge: ['tcont'],
  lt: ['tstop'],
};
/** Instructions whose last operand is a condition. */
const conditional = /^(?:csel|csinc|csinv|csneg|cset|csetm|cinc|cinv|cneg|ccmp|ccmn|fcsel|fccmpe?)$/;
/** Instructions whose numbers are shifts, widths and positions of bits, or are told in decimal all the same. */
const decimal =
  /^(?:lsl|lsr|asr|ror|extr|[su]?bfi?[xzmi]+l?|bfc|tbn?z|shl|[su]?sh[rl]+|[su]r?shr|[su]r?sra|sli|sri|sq?shlu?|u?qshl|[su]?q?r?shrnu?n?2?|[us]?shll2?|[us]xtl2?|ext|udf|rds?vl|adds[vp]l|xar|fc(?:mla|add))$/;
/** Instructions whose last number is an address: branches, and what is relative to the program counter. */
const relative = /^(?:bl?|b\.\w+|cbn?z|tbn?z|adrp?)$/;
/** Loads of what lies beside the code: of general registers, and of vectors. */
const isLiteral = (word: number): boolean => (word & 0x3b00_0000) >>> 0 === 0x1800_0000;

/** System registers and instructions that binutils 2.40 names and capstone 5 does not. */
const systemNames: Readonly<Record<string, string>> = {
  s3_0_c0_c3_5: 'id_dfr1_el1',
  s3_0_c4_c3_0: 'allint',
  s3_0_c12_c9_5: 'icc_nmiar1_el1',
  s3_3_c13_c2_6: 'amcg1idr_el0',
  s3_4_c3_c1_6: 'hafgrtr_el2',
};
const systemInstructions: Readonly<Record<string, string>> = {
  '3, c7, c13, #1': 'dc\tcvadp',
  '3, c7, c3, #4': 'cfp\trctx',
  '3, c7, c3, #5': 'dvp\trctx',
  '3, c7, c3, #7': 'cpp\trctx',
};

/** One instruction as objdump prints it: the mnemonic, a tab, the operands. @param address of the instruction */
export function objdumpText(mnemonic: string, operands: string, word: number, address: bigint): string {
  if (mnemonic.startsWith('b.') || mnemonic.startsWith('bc.')) {
    const [name, condition] = mnemonic.split('.') as [string, string];
    const shown = conditionNames[condition] ?? condition;
    const others = otherNames[shown];
    const comment = others === undefined ? '' : `  // ${others.map((other) => `${name}.${other}`).join(', ')}`;
    return `${name}.${shown}\t${operands.replace('#', '')}${comment}`;
  }
  if (mnemonic === 'hint' && operands === '#0x16') return 'clearbhb';
  if (mnemonic === 'dgh') return 'hint\t#0x6';
  if (mnemonic === 'sys') return systemInstruction(operands);
  if (operands === '') return mnemonic;
  const width = word >>> 31 === 1 ? 64 : 32;
  const moved = mnemonic === 'mov' ? movedImmediate(word) : null;
  if (moved !== null) {
    const register = operands.slice(0, operands.indexOf(','));
    return `mov\t${register}, #0x${moved.toString(16).padEnd(20)}\t// #${BigInt.asIntN(width, moved)}`;
  }
  const parts = operands.replace(registerList, listText).split(', ');
  if (isLiteral(word)) {
    const first = parts.length === 1 || parts[0] === '' ? `#0x${(word & 31).toString(16).padStart(2, '0')}` : parts[0];
    const target = BigInt.asUintN(64, address + BigInt(signedBits(word, 5, 19) * 4));
    return `${mnemonic}\t${first}, 0x${target.toString(16)}`;
  }
  let comment = '';
  let place: 'before' | 'inside' | 'behind' = 'before';
  const shown = parts.map((part, i) => {
    if (part.startsWith('[')) place = 'inside';
    const isOffset = place !== 'before';
    if (part.includes(']')) place = 'behind';
    const isLast = i === parts.length - 1;
    if (isLast && conditional.test(mnemonic)) {
      const name = conditionNames[part] ?? part;
      const others = otherNames[name];
      if (others !== undefined) comment = `\t// ${name} = ${others.join(', ')}`;
      return name;
    }
    if (mnemonic === 'mrs' || mnemonic === 'msr')
      return part.includes('#') ? hexadecimal(part, 64) : (systemNames[part] ?? part);
    if (isLast && relative.test(mnemonic)) return part.replace('#', '');
    const isShift = /^(?:lsl|lsr|asr|ror|msl|[su]xt[bhwx]) #/.test(part);
    if (isOffset || isShift || decimal.test(mnemonic)) return part.replace(number, (text) => `#${signed(text)}`);
    return hexadecimal(part, width);
  });
  return `${mnemonic}\t${shown.join(', ')}${comment}`;
}

const number = /#-?(?:0x[0-9a-f]+|\d+)/;

/** A number as capstone writes it: of post-indexed addresses, without its sign. */
function signed(text: string): bigint {
  const isNegative = text[1] === '-';
  const value = BigInt(text.slice(isNegative ? 2 : 1));
  return isNegative ? -value : BigInt.asIntN(64, value);
}

function hexadecimal(part: string, width: 32 | 64): string {
  if (/#-?\d+\.\d/.test(part)) return part; // of floating point
  return part.replace(number, (text) => `#0x${BigInt.asUintN(width, signed(text)).toString(16)}`);
}

/** Three vectors and more in a row: {v0.16b, v1.16b, v2.16b} is {v0.16b-v2.16b}. */
const registerList = /\{(v\d+\.\w+), (?:v\d+\.\w+, )+(v\d+\.\w+)\}/;
const listText = '{$1-$2}';

function systemInstruction(operands: string): string {
  const parts = operands.split(', ');
  const key = parts.slice(0, 4).join(', ').replace('#', '');
  const named = systemInstructions[key];
  if (named !== undefined) return `${named}, ${parts[4]}`;
  const shown = parts.map((part) => (part.startsWith('c') ? part.toUpperCase() : part));
  return `sys\t${shown.join(', ')}`;
}
