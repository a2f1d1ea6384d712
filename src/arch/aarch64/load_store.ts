// Loads and stores of arm64 (Arm ARM C4.1.94 "Loads and Stores"). Those of vectors are told with their memory alone.
import type { VirtAddr } from '../../base/address.ts';
import type { Access, MemoryOperand, Operand } from '../decoder.ts';
import { bits, signedBits } from './code.ts';
import { type Decoded, immediate, memory, register, registerName, relative } from './instruction.ts';

/** Suffixes of what is smaller than a register, by the instruction's size field. */
const sizeSuffix = ['b', 'h', '', ''] as const;

/** Null for what is no load or store that is known. */
export function decodeLoadStore(word: number, address: VirtAddr): Decoded | null {
  switch (bits(word, 28, 2)) {
    case 0:
      return bits(word, 26, 1) === 1 ? vectorStructure(word) : bits(word, 24, 2) === 0 ? exclusive(word) : null;
    case 1:
      return bits(word, 24, 2) === 0 ? literal(word, address) : besides(word);
    case 2:
      return pair(word);
    default:
      return oneRegister(word);
  }
}

/** A group of its own: load-acquire without scale, and memory tags. */
function besides(word: number): Decoded | null {
  if (bits(word, 24, 2) !== 1 || bits(word, 26, 1) === 1) return null;
  if (bits(word, 21, 1) === 1) return memoryTag(word);
  if (bits(word, 10, 2) === 0) return acquireUnscaled(word);
  return null;
}

/** LDXR, STXR, LDAXR, STLXR, LDAR, STLR, their pairs, CAS and CASP. */
function exclusive(word: number): Decoded {
  const size = bits(word, 30, 2);
  const [o2, isLoad, o1, o0] = [bits(word, 23, 1), bits(word, 22, 1) === 1, bits(word, 21, 1), bits(word, 15, 1)];
  const bytes = 2 ** size;
  const width = size === 3 ? 8 : 4;
  const base = bits(word, 5, 5);
  const value = (low: number, access: Access): Operand => register(word, low, access, width);
  const suffix = sizeSuffix[size]!;
  if (o2 === 1 && o1 === 1) {
    const order = `${isLoad ? 'a' : ''}${o0 === 1 ? 'l' : ''}`;
    const operands = [value(16, 'read-write'), value(0, 'read'), memory(base, bytes, 'read-write')];
    return { mnemonic: `cas${order}${suffix}`, operands };
  }
  if (o2 === 0 && o1 === 1 && size < 2) {
    // CASP: even registers, each with the one above it
    const wide = size === 1 ? 8 : 4;
    const both = (low: number, access: Access): Operand[] =>
      [0, 1].map((n) => ({ kind: 'register', name: registerName((bits(word, low, 5) + n) & 31), width: wide, access }));
    const order = `${isLoad ? 'a' : ''}${o0 === 1 ? 'l' : ''}`;
    const operands = [...both(16, 'read-write'), ...both(0, 'read'), memory(base, wide * 2, 'read-write')];
    return { mnemonic: `casp${order}`, operands };
  }
  if (o2 === 1) {
    const mnemonic = isLoad ? (o0 === 1 ? 'ldar' : 'ldlar') : o0 === 1 ? 'stlr' : 'stllr';
    const operands = [value(0, isLoad ? 'write' : 'read'), memory(base, bytes, isLoad ? 'read' : 'write')];
    return { mnemonic: mnemonic + suffix, operands };
  }
  const isPair = o1 === 1;
  const kind = isPair ? 'xp' : 'xr';
  const values = isPair
    ? [value(0, isLoad ? 'write' : 'read'), value(10, isLoad ? 'write' : 'read')]
    : [value(0, isLoad ? 'write' : 'read')];
  const place = memory(base, isPair ? bytes * 2 : bytes, isLoad ? 'read' : 'write');
  if (isLoad) return { mnemonic: `ld${o0 === 1 ? 'a' : ''}${kind}${suffix}`, operands: [...values, place] };
  return {
    mnemonic: `st${o0 === 1 ? 'l' : ''}${kind}${suffix}`,
    operands: [register(word, 16, 'write', 4), ...values, place],
  };
}

function literal(word: number, address: VirtAddr): Decoded {
  const distance = signedBits(word, 5, 19) * 4;
  const opcode = bits(word, 30, 2);
  if (bits(word, 26, 1) === 1) return { mnemonic: 'ldr', operands: [relative(address, distance, 4 << opcode, 'read')] };
  if (opcode === 3) return { mnemonic: 'prfm', operands: [relative(address, distance, 0, 'none')] };
  const operands = [
    register(word, 0, 'write', opcode === 0 ? 4 : 8),
    relative(address, distance, opcode === 1 ? 8 : 4, 'read'),
  ];
  return { mnemonic: opcode === 2 ? 'ldrsw' : 'ldr', operands };
}

/** How the address is made of the base: before the access, after it, or for it alone. */
function indexed(
  base: number,
  distance: number,
  mode: 'offset' | 'pre' | 'post',
  width: number,
  access: Access,
): { operands: Operand[]; alsoWrites: string[] } {
  const place: MemoryOperand = memory(base, width, access, mode === 'post' ? {} : { displacement: BigInt(distance) });
  return {
    operands: mode === 'post' ? [place, immediate(distance)] : [place],
    alsoWrites: mode === 'offset' ? [] : [registerName(base, 'sp')],
  };
}

function pair(word: number): Decoded | null {
  const opcode = bits(word, 30, 2);
  const isVector = bits(word, 26, 1) === 1;
  const isLoad = bits(word, 22, 1) === 1;
  const kind = bits(word, 23, 2);
  if (opcode === 3) return null;
  const bytes = isVector ? 4 << opcode : opcode === 2 ? 8 : 4;
  const isTag = !isVector && opcode === 1 && !isLoad;
  const unit = isTag ? 16 : bytes;
  const mode = (['offset', 'post', 'offset', 'pre'] as const)[kind]!;
  const { operands, alsoWrites } = indexed(
    bits(word, 5, 5),
    signedBits(word, 15, 7) * unit,
    mode,
    unit * 2,
    isLoad ? 'read' : 'write',
  );
  if (isTag && kind === 0) return null;
  const width = opcode === 0 && !isVector ? 4 : 8;
  const values = [0, 10].map((low) => register(word, low, isLoad ? 'write' : 'read', width));
  const name = isTag
    ? 'stgp'
    : `${isLoad ? 'ld' : 'st'}${kind === 0 ? 'np' : 'p'}${!isVector && opcode === 1 ? 'sw' : ''}`;
  return { mnemonic: name, operands: [...(isVector ? [] : values), ...operands], alsoWrites };
}

function oneRegister(word: number): Decoded | null {
  const [size, opcode, base] = [bits(word, 30, 2), bits(word, 22, 2), bits(word, 5, 5)];
  const isVector = bits(word, 26, 1) === 1;
  if (isVector && opcode >= 2 && size !== 0) return null;
  const group = bits(word, 24, 2) === 1 ? 'unsigned' : bits(word, 21, 1) === 0 ? 'signed' : 'other';
  if (bits(word, 24, 2) > 1) return null;
  const kind = bits(word, 10, 2);
  if (group === 'other' && kind !== 2)
    return kind === 0 ? (isVector ? null : atomic(word)) : isVector ? null : authenticated(word);
  const bytes = isVector ? 2 ** (size + (opcode >= 2 ? 4 : 0)) : 2 ** size;
  const isPrefetch = !isVector && size === 3 && opcode === 2;
  const isLoad = isVector ? (opcode & 1) === 1 : opcode !== 0;
  const access = isPrefetch ? 'none' : isLoad ? 'read' : 'write';
  // a signed load into a whole register or into its lower half; opcode 3 of words and more is none
  if (!isVector && ((size === 3 && opcode === 3) || (size === 2 && opcode === 3))) return null;
  const isSigned = !isVector && opcode >= 2 && !isPrefetch;
  const width = isSigned ? (opcode === 2 ? 8 : 4) : size === 3 ? 8 : 4;
  const suffix = isVector ? '' : `${isSigned ? 's' : ''}${isSigned && size === 2 ? 'w' : sizeSuffix[size]!}`;
  const values = isVector || isPrefetch ? [] : [register(word, 0, isLoad ? 'write' : 'read', width)];
  const verb = isLoad ? 'ld' : 'st';
  if (group === 'unsigned') {
    const place = memory(base, isPrefetch ? 0 : bytes, access, { displacement: BigInt(bits(word, 10, 12) * bytes) });
    return { mnemonic: isPrefetch ? 'prfm' : `${verb}r${suffix}`, operands: [...values, place] };
  }
  if (group === 'other') {
    const option = bits(word, 13, 3);
    if ((option & 2) === 0) return null;
    const place = memory(base, isPrefetch ? 0 : bytes, access, {
      index: registerName(bits(word, 16, 5)),
      scale: bits(word, 12, 1) === 1 ? bytes : 1,
      extend: option === 2 ? 'unsigned' : option === 6 ? 'signed' : null,
    });
    return { mnemonic: isPrefetch ? 'prfm' : `${verb}r${suffix}`, operands: [...values, place] };
  }
  const mode = (['offset', 'post', 'offset', 'pre'] as const)[kind]!;
  if (isPrefetch && kind !== 0) return null;
  const { operands, alsoWrites } = indexed(base, signedBits(word, 12, 9), mode, isPrefetch ? 0 : bytes, access);
  const letter = kind === 0 ? 'ur' : kind === 2 ? 'tr' : 'r';
  return {
    mnemonic: isPrefetch ? 'prfum' : `${verb}${letter}${suffix}`,
    operands: [...values, ...operands],
    alsoWrites,
  };
}

const atomicNames = ['add', 'clr', 'eor', 'set', 'smax', 'smin', 'umax', 'umin'] as const;

/** LDADD and its like, SWP, LDAPR (Large System Extensions); those whose result nobody wants are STADD. */
function atomic(word: number): Decoded | null {
  const size = bits(word, 30, 2);
  const bytes = 2 ** size;
  const width = size === 3 ? 8 : 4;
  const place = (access: Access): MemoryOperand => memory(bits(word, 5, 5), bytes, access);
  const suffix = sizeSuffix[size]!;
  const [isAcquire, isRelease] = [bits(word, 23, 1) === 1, bits(word, 22, 1) === 1];
  const order = `${isAcquire ? 'a' : ''}${isRelease ? 'l' : ''}`;
  const operation = bits(word, 12, 3);
  if (bits(word, 15, 1) === 1) {
    if (operation === 4 && isAcquire && !isRelease && bits(word, 16, 5) === 31) {
      return { mnemonic: `ldapr${suffix}`, operands: [register(word, 0, 'write', width), place('read')] };
    }
    if (operation !== 0) return null;
    const operands = [register(word, 16, 'read', width), register(word, 0, 'write', width), place('read-write')];
    return { mnemonic: `swp${order}${suffix}`, operands };
  }
  const name = atomicNames[operation]!;
  const given = register(word, 16, 'read', width);
  if (bits(word, 0, 5) === 31 && !isAcquire) {
    return { mnemonic: `st${name}${order}${suffix}`, operands: [given, place('read-write')] };
  }
  return {
    mnemonic: `ld${name}${order}${suffix}`,
    operands: [given, register(word, 0, 'write', width), place('read-write')],
  };
}

/** LDRAA, LDRAB: the address is authenticated first. */
function authenticated(word: number): Decoded | null {
  if (bits(word, 30, 2) !== 3) return null;
  const distance = ((bits(word, 22, 1) === 1 ? -512 : 0) + bits(word, 12, 9)) * 8;
  const mode = bits(word, 11, 1) === 1 ? 'pre' : 'offset';
  const { operands, alsoWrites } = indexed(bits(word, 5, 5), distance, mode, 8, 'read');
  return {
    mnemonic: bits(word, 23, 1) === 1 ? 'ldrab' : 'ldraa',
    operands: [register(word, 0, 'write'), ...operands],
    alsoWrites,
  };
}

/** LDAPUR, STLUR. */
function acquireUnscaled(word: number): Decoded | null {
  const [size, opcode] = [bits(word, 30, 2), bits(word, 22, 2)];
  if ((size === 3 && opcode >= 2) || (size === 2 && opcode === 3)) return null;
  const isLoad = opcode !== 0;
  const place = memory(bits(word, 5, 5), 2 ** size, isLoad ? 'read' : 'write', {
    displacement: BigInt(signedBits(word, 12, 9)),
  });
  const width = opcode === 2 ? 8 : opcode === 3 ? 4 : size === 3 ? 8 : 4;
  const suffix = opcode >= 2 ? `s${size === 2 ? 'w' : sizeSuffix[size]!}` : sizeSuffix[size]!;
  const value = register(word, 0, isLoad ? 'write' : 'read', width);
  return { mnemonic: `${isLoad ? 'ldapur' : 'stlur'}${suffix}`, operands: [value, place] };
}

/** STG, LDG and their like (Memory Tagging Extension): tags lie beside memory, which is touched where it is zeroed. */
function memoryTag(word: number): Decoded | null {
  if (bits(word, 30, 2) !== 3) return null;
  const [opcode, kind] = [bits(word, 22, 2), bits(word, 10, 2)];
  const base = bits(word, 5, 5);
  if (kind === 0) {
    if (opcode === 1) {
      const place = memory(base, 0, 'none', { displacement: BigInt(signedBits(word, 12, 9) * 16) });
      return { mnemonic: 'ldg', operands: [register(word, 0, 'read-write'), place] };
    }
    const mnemonic = opcode === 0 ? 'stzgm' : opcode === 2 ? 'stgm' : 'ldgm';
    const value = register(word, 0, opcode === 3 ? 'write' : 'read');
    return { mnemonic, operands: [value, memory(base, 0, opcode === 0 ? 'write' : 'none')] };
  }
  const mnemonic = (['stg', 'stzg', 'st2g', 'stz2g'] as const)[opcode]!;
  const mode = (['offset', 'post', 'offset', 'pre'] as const)[kind]!;
  const isZeroed = (opcode & 1) === 1;
  const width = isZeroed ? (opcode === 3 ? 32 : 16) : 0;
  const { operands, alsoWrites } = indexed(
    base,
    signedBits(word, 12, 9) * 16,
    mode,
    width,
    isZeroed ? 'write' : 'none',
  );
  return { mnemonic, operands: [register(word, 0, 'read', 8, 'sp'), ...operands], alsoWrites };
}

/** LD1 to LD4, ST1 to ST4: how many bytes is not told. */
function vectorStructure(word: number): Decoded | null {
  if (bits(word, 31, 1) === 1 || bits(word, 29, 1) === 1) return null;
  const isLoad = bits(word, 22, 1) === 1;
  const isPost = bits(word, 23, 1) === 1;
  const base = bits(word, 5, 5);
  const index = bits(word, 16, 5);
  return {
    mnemonic: isLoad ? 'ld1' : 'st1',
    operands: [memory(base, 0, isLoad ? 'read' : 'write')],
    alsoReads: isPost && index !== 31 ? [registerName(index)] : [],
    alsoWrites: isPost ? [registerName(base, 'sp')] : [],
  };
}
