// Arithmetic of arm64 on general registers (Arm ARM C4.1.92 "Data Processing - Immediate" and C4.1.95 "... - Register"),
// by the names that objdump prefers: `mov` for `orr x0, xzr, x1`, `cmp` for `subs xzr, x0, x1`.
import type { VirtAddr } from '../../base/address.ts';
import type { Operand } from '../decoder.ts';
import { bitmaskImmediate, bits, movedImmediate, signedBits } from './code.ts';
import { type Decoded, immediate, register, relative, widthOf } from './instruction.ts';

const none = 31;

/** Null for what is none. */
export function decodeImmediate(word: number, address: VirtAddr): Decoded | null {
  switch (bits(word, 23, 3)) {
    case 0:
    case 1:
      return pageRelative(word, address);
    case 2:
      return addImmediate(word);
    case 3:
      return addTag(word);
    case 4:
      return logicalImmediate(word);
    case 5:
      return moveWide(word);
    case 6:
      return bitField(word);
    default:
      return extract(word);
  }
}

/** ADR; ADRP, of pages of 4 KiB whatever the kernel's. */
function pageRelative(word: number, address: VirtAddr): Decoded {
  const distance = BigInt(signedBits(word, 5, 19) * 4 + bits(word, 29, 2));
  const isPage = word >>> 31 === 1;
  const target = isPage
    ? relative(address, distance * 4096n - (address & 0xfffn), 0, 'none')
    : relative(address, distance, 0, 'none');
  return { mnemonic: isPage ? 'adrp' : 'adr', operands: [register(word, 0, 'write'), target] };
}

function addImmediate(word: number): Decoded {
  const width = widthOf(word);
  const [isSub, setsFlags] = [bits(word, 30, 1) === 1, bits(word, 29, 1) === 1];
  const amount = bits(word, 10, 12) * (bits(word, 22, 1) === 1 ? 4096 : 1);
  const [to, from] = [bits(word, 0, 5), bits(word, 5, 5)];
  const source = register(word, 5, 'read', width, 'sp');
  if (setsFlags && to === none) return { mnemonic: isSub ? 'cmp' : 'cmn', operands: [source, immediate(amount)] };
  const result = register(word, 0, 'write', width, setsFlags ? 'xzr' : 'sp');
  // mov to or from sp
  if (!isSub && !setsFlags && amount === 0 && bits(word, 22, 1) === 0 && (to === none || from === none)) {
    return { mnemonic: 'mov', operands: [result, source] };
  }
  return { mnemonic: `${isSub ? 'sub' : 'add'}${setsFlags ? 's' : ''}`, operands: [result, source, immediate(amount)] };
}

function addTag(word: number): Decoded | null {
  if (word >>> 31 === 0 || bits(word, 29, 1) === 1) return null;
  const operands = [
    register(word, 0, 'write', 8, 'sp'),
    register(word, 5, 'read', 8, 'sp'),
    immediate(bits(word, 16, 6) * 16),
    immediate(bits(word, 10, 4)),
  ];
  return { mnemonic: bits(word, 30, 1) === 1 ? 'subg' : 'addg', operands };
}

function logicalImmediate(word: number): Decoded | null {
  const width = widthOf(word);
  const mask = bitmaskImmediate(word, width === 8 ? 64 : 32);
  if (mask === null) return null;
  const operation = bits(word, 29, 2);
  const value = immediate(BigInt.asIntN(width * 8, mask));
  const source = register(word, 5, 'read', width);
  if (operation === 3 && bits(word, 0, 5) === none) return { mnemonic: 'tst', operands: [source, value] };
  const result = register(word, 0, 'write', width, operation === 3 ? 'xzr' : 'sp');
  // what movz or movn can say, mov of orr does not
  if (operation === 1 && bits(word, 5, 5) === none && !isMoveWide(mask, width)) {
    return { mnemonic: 'mov', operands: [result, value] };
  }
  return { mnemonic: (['and', 'orr', 'eor', 'ands'] as const)[operation]!, operands: [result, source, value] };
}

/** Whether 16 bits in their place are all that a number has set, or all that it has clear (MoveWidePreferred). */
function isMoveWide(value: bigint, width: 4 | 8): boolean {
  const all = (1n << BigInt(width * 8)) - 1n;
  for (let shift = 0n; shift < BigInt(width * 8); shift += 16n) {
    const others = all & ~(0xffffn << shift);
    if ((value & others) === 0n || (~value & others) === 0n) return true;
  }
  return false;
}

function moveWide(word: number): Decoded | null {
  const width = widthOf(word);
  const operation = bits(word, 29, 2);
  const shift = bits(word, 21, 2);
  if (operation === 1 || (width === 4 && shift > 1)) return null;
  const value = bits(word, 5, 16);
  if (operation === 3) {
    return {
      mnemonic: 'movk',
      operands: [register(word, 0, 'read-write', width), immediate(BigInt(value) << BigInt(shift * 16))],
    };
  }
  const result = register(word, 0, 'write', width);
  const moved = movedImmediate(word)!;
  const isAlias = !(value === 0 && shift !== 0) && !(operation === 0 && width === 4 && value === 0xffff);
  const name = operation === 0 ? 'movn' : 'movz';
  return { mnemonic: isAlias ? 'mov' : name, operands: [result, immediate(BigInt.asIntN(width * 8, moved))] };
}

function bitField(word: number): Decoded | null {
  const width = widthOf(word);
  const size = width * 8;
  const operation = bits(word, 29, 2);
  const [from, to] = [bits(word, 16, 6), bits(word, 10, 6)];
  if (operation === 3) return null;
  const source = register(word, 5, 'read', width);
  const result = register(word, 0, operation === 1 ? 'read-write' : 'write', width);
  const as = (mnemonic: string, ...numbers: number[]): Decoded => ({
    mnemonic,
    operands: [result, source, ...numbers.map((n) => immediate(n))],
  });
  if (operation === 1) {
    if (to < from) {
      const [low, count] = [size - from, to + 1];
      if (bits(word, 5, 5) === none) return { mnemonic: 'bfc', operands: [result, immediate(low), immediate(count)] };
      return as('bfi', low, count);
    }
    return as('bfxil', from, to - from + 1);
  }
  const letter = operation === 0 ? 's' : 'u';
  if (operation === 2 && to + 1 === from) return as('lsl', size - 1 - to);
  if (to === size - 1) return as(operation === 0 ? 'asr' : 'lsr', from);
  if (to < from) return as(`${letter}bfiz`, size - from, to + 1);
  if (from === 0 && (to === 7 || to === 15 || (to === 31 && operation === 0))) {
    const isPlain = operation === 0 || width === 4;
    // of a 64-bit result the source is told as the 32-bit register that it is
    const narrow = { ...source, width: 4 };
    if (isPlain)
      return { mnemonic: `${letter}xt${to === 7 ? 'b' : to === 15 ? 'h' : 'w'}`, operands: [result, narrow] };
  }
  return as(`${letter}bfx`, from, to - from + 1);
}

function extract(word: number): Decoded | null {
  if (bits(word, 29, 2) !== 0 || bits(word, 21, 1) !== 0) return null;
  const width = widthOf(word);
  const [result, first, second] = [
    register(word, 0, 'write', width),
    register(word, 5, 'read', width),
    register(word, 16, 'read', width),
  ];
  const low = immediate(bits(word, 10, 6));
  if (bits(word, 5, 5) === bits(word, 16, 5)) return { mnemonic: 'ror', operands: [result, first, low] };
  return { mnemonic: 'extr', operands: [result, first, second, low] };
}

/** Null for what is none. */
export function decodeRegister(word: number): Decoded | null {
  if (bits(word, 28, 1) === 0) return bits(word, 24, 1) === 0 ? logical(word) : addRegister(word);
  if (bits(word, 24, 1) === 1) return multiply(word);
  switch (bits(word, 21, 3)) {
    case 0:
      return withCarry(word);
    case 2:
      return conditionalCompare(word);
    case 4:
      return select(word);
    case 6:
      return bits(word, 30, 1) === 1 ? oneSource(word) : twoSources(word);
    default:
      return null;
  }
}

const logicalNames = ['and', 'bic', 'orr', 'orn', 'eor', 'eon', 'ands', 'bics'] as const;

function logical(word: number): Decoded {
  const width = widthOf(word);
  const name = logicalNames[bits(word, 29, 2) * 2 + bits(word, 21, 1)]!;
  const [to, left] = [bits(word, 0, 5), bits(word, 5, 5)];
  const amount = bits(word, 10, 6);
  const sources = [register(word, 5, 'read', width), register(word, 16, 'read', width)];
  const result = register(word, 0, 'write', width);
  const shift = shiftOf(amount);
  if (name === 'ands' && to === none) return { mnemonic: 'tst', operands: [...sources, ...shift] };
  if (name === 'orr' && left === none && amount === 0 && bits(word, 22, 2) === 0) {
    return { mnemonic: 'mov', operands: [result, sources[1]!] };
  }
  if (name === 'orn' && left === none) return { mnemonic: 'mvn', operands: [result, sources[1]!, ...shift] };
  return { mnemonic: name, operands: [result, ...sources, ...shift] };
}

/** By how many bits the last source is shifted, if it is. */
function shiftOf(amount: number): Operand[] {
  return amount === 0 ? [] : [immediate(amount)];
}

function addRegister(word: number): Decoded | null {
  const width = widthOf(word);
  const isExtended = bits(word, 21, 1) === 1;
  const [isSub, setsFlags] = [bits(word, 30, 1) === 1, bits(word, 29, 1) === 1];
  const amount = isExtended ? bits(word, 10, 3) : bits(word, 10, 6);
  const [to, left] = [bits(word, 0, 5), bits(word, 5, 5)];
  const first = register(word, 5, 'read', width, isExtended ? 'sp' : 'xzr');
  // an extended register is one of 32 bits, unless all of it is taken
  const second = register(word, 16, 'read', isExtended && (bits(word, 13, 3) & 3) !== 3 ? 4 : width);
  const shift = shiftOf(amount);
  if (setsFlags && to === none) return { mnemonic: isSub ? 'cmp' : 'cmn', operands: [first, second, ...shift] };
  const result = register(word, 0, 'write', width, isExtended && !setsFlags ? 'sp' : 'xzr');
  const flags = setsFlags ? 's' : '';
  if (!isExtended && isSub && left === none) return { mnemonic: `neg${flags}`, operands: [result, second, ...shift] };
  return { mnemonic: `${isSub ? 'sub' : 'add'}${flags}`, operands: [result, first, second, ...shift] };
}

function withCarry(word: number): Decoded | null {
  if (bits(word, 10, 6) !== 0) return null; // rmif, setf8: of flags alone
  const width = widthOf(word);
  const isSub = bits(word, 30, 1) === 1;
  const flags = bits(word, 29, 1) === 1 ? 's' : '';
  const result = register(word, 0, 'write', width);
  const [first, second] = [register(word, 5, 'read', width), register(word, 16, 'read', width)];
  if (isSub && bits(word, 5, 5) === none) return { mnemonic: `ngc${flags}`, operands: [result, second] };
  return { mnemonic: `${isSub ? 'sbc' : 'adc'}${flags}`, operands: [result, first, second] };
}

function conditionalCompare(word: number): Decoded | null {
  if (bits(word, 29, 1) === 0 || bits(word, 10, 1) === 1 || bits(word, 4, 1) === 1) return null;
  const width = widthOf(word);
  const second = bits(word, 11, 1) === 1 ? immediate(bits(word, 16, 5)) : register(word, 16, 'read', width);
  const operands = [register(word, 5, 'read', width), second, immediate(bits(word, 0, 4))];
  return { mnemonic: bits(word, 30, 1) === 1 ? 'ccmp' : 'ccmn', operands };
}

function select(word: number): Decoded | null {
  if (bits(word, 29, 1) === 1 || bits(word, 11, 1) === 1) return null;
  const width = widthOf(word);
  const name = (['csel', 'csinc', 'csinv', 'csneg'] as const)[bits(word, 30, 1) * 2 + bits(word, 10, 1)]!;
  const [left, right] = [bits(word, 5, 5), bits(word, 16, 5)];
  const result = register(word, 0, 'write', width);
  const [first, second] = [register(word, 5, 'read', width), register(word, 16, 'read', width)];
  const always = bits(word, 13, 3) === 7;
  if (left === right && !always && name !== 'csel') {
    if (left === none && name !== 'csneg') return { mnemonic: name === 'csinc' ? 'cset' : 'csetm', operands: [result] };
    if (left !== none || name === 'csneg') {
      const alias = name === 'csinc' ? 'cinc' : name === 'csinv' ? 'cinv' : 'cneg';
      return { mnemonic: alias, operands: [result, first] };
    }
  }
  return { mnemonic: name, operands: [result, first, second] };
}

const oneSourceNames = ['rbit', 'rev16', 'rev32', 'rev', 'clz', 'cls', 'ctz', 'cnt', 'abs'] as const;
const signNames = ['pacia', 'pacib', 'pacda', 'pacdb', 'autia', 'autib', 'autda', 'autdb'] as const;

function oneSource(word: number): Decoded | null {
  const width = widthOf(word);
  const [kind, operation] = [bits(word, 16, 5), bits(word, 10, 6)];
  if (bits(word, 29, 1) === 1) return null;
  if (kind === 1) {
    // pointer authentication: a value, and what it is signed with
    const signed = register(word, 0, 'read-write');
    if (operation < 8)
      return { mnemonic: signNames[operation]!, operands: [signed, register(word, 5, 'read', 8, 'sp')] };
    if (bits(word, 5, 5) !== none) return null;
    if (operation < 16) {
      const name = signNames[operation - 8]!;
      return { mnemonic: `${name.slice(0, 3)}${name[3]}z${name[4]}`, operands: [signed] };
    }
    return operation < 18 ? { mnemonic: operation === 16 ? 'xpaci' : 'xpacd', operands: [signed] } : null;
  }
  if (kind !== 0) return null;
  let name: string | undefined = oneSourceNames[operation];
  if (width === 4 && operation === 2) name = 'rev';
  if (name === undefined || (width === 4 && operation === 3)) return null;
  return { mnemonic: name, operands: [register(word, 0, 'write', width), register(word, 5, 'read', width)] };
}

const twoSourceNames: Readonly<Record<number, string>> = {
  2: 'udiv',
  3: 'sdiv',
  8: 'lsl',
  9: 'lsr',
  10: 'asr',
  11: 'ror',
  24: 'smax',
  25: 'umax',
  26: 'smin',
  27: 'umin',
};
const checksumSizes = ['b', 'h', 'w', 'x'] as const;

function twoSources(word: number): Decoded | null {
  const width = widthOf(word);
  const operation = bits(word, 10, 6);
  const result = register(word, 0, 'write', width);
  const [first, second] = [register(word, 5, 'read', width), register(word, 16, 'read', width)];
  if (bits(word, 29, 1) === 1) {
    if (operation !== 0) return null;
    const [left, right] = [register(word, 5, 'read', 8, 'sp'), register(word, 16, 'read', 8, 'sp')];
    if (bits(word, 0, 5) === none) return { mnemonic: 'cmpp', operands: [left, right] };
    return { mnemonic: 'subps', operands: [result, left, right] };
  }
  const name = twoSourceNames[operation];
  if (name !== undefined) return { mnemonic: name, operands: [result, first, second] };
  if (operation >= 16 && operation < 24) {
    const isWide = operation % 4 === 3;
    const name = `crc32${operation >= 20 ? 'c' : ''}${checksumSizes[operation % 4]!}`;
    const operands = [
      register(word, 0, 'write', 4),
      register(word, 5, 'read', 4),
      register(word, 16, 'read', isWide ? 8 : 4),
    ];
    return { mnemonic: name, operands };
  }
  switch (operation) {
    case 0:
      return {
        mnemonic: 'subp',
        operands: [result, register(word, 5, 'read', 8, 'sp'), register(word, 16, 'read', 8, 'sp')],
      };
    case 4:
      return {
        mnemonic: 'irg',
        operands: [register(word, 0, 'write', 8, 'sp'), register(word, 5, 'read', 8, 'sp'), second],
      };
    case 5:
      return { mnemonic: 'gmi', operands: [result, register(word, 5, 'read', 8, 'sp'), second] };
    case 12:
      return { mnemonic: 'pacga', operands: [result, first, register(word, 16, 'read', 8, 'sp')] };
    default:
      return null;
  }
}

const multiplyNames: Readonly<Record<number, readonly [name: string, alias: string]>> = {
  0: ['madd', 'mul'],
  1: ['msub', 'mneg'],
  2: ['smaddl', 'smull'],
  3: ['smsubl', 'smnegl'],
  4: ['smulh', 'smulh'],
  10: ['umaddl', 'umull'],
  11: ['umsubl', 'umnegl'],
  12: ['umulh', 'umulh'],
};

function multiply(word: number): Decoded | null {
  const operation = bits(word, 21, 3) * 2 + bits(word, 15, 1);
  const names = multiplyNames[operation];
  const width = widthOf(word);
  if (names === undefined || bits(word, 29, 2) !== 0 || (width === 4 && operation > 1)) return null;
  // long ones multiply registers of 32 bits
  const narrow = operation > 1 && names[0] !== names[1] ? 4 : width;
  const operands = [
    register(word, 0, 'write', width),
    register(word, 5, 'read', narrow),
    register(word, 16, 'read', narrow),
  ];
  if (bits(word, 10, 5) === none || names[0] === names[1]) return { mnemonic: names[1], operands };
  return { mnemonic: names[0], operands: [...operands, register(word, 10, 'read', width)] };
}
