// Machine code of arm64. Text comes from capstone, in objdump's spelling; operands from the fields of the instructions
// themselves (Arm ARM C4), which needs no package. Of vector instructions only what they do to memory and to general
// registers is told.
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import type { Decoder, Flow, Instruction, Operand } from '../decoder.ts';
import { decodeBranchOrSystem } from './branch_system.ts';
import { capstone } from './capstone.ts';
import { bits, word as wordAt } from './code.ts';
import { decodeImmediate, decodeRegister } from './data_processing.ts';
import { type Decoded, register } from './instruction.ts';
import { decodeLoadStore } from './load_store.ts';
import { objdumpText } from './objdump_text.ts';

const instructionSize = 4;

export const arm64Decoder: Decoder = {
  longest: instructionSize,
  shortest: instructionSize,
  *text(code, address, describe = () => null) {
    const undo = capstone();
    for (const { at, bytes, word } of words(code, address)) {
      const decoded = bytes.length < instructionSize ? null : decodeWord(word, at);
      const found =
        bytes.length < instructionSize ? null : (undo(word | 0, at) ?? unprivileged(decoded) ?? streaming(word));
      const flow = flowOf(found === null ? null : decoded);
      if (found === null) {
        const text =
          bytes.length < instructionSize ? '(bad)' : `.inst\t0x${word.toString(16).padStart(8, '0')} ; undefined`;
        yield { address: at, bytes, text, ...flow };
        continue;
      }
      const text = objdumpText(found.mnemonic, found.operands, word, at);
      const named = flow.target ?? flow.memoryTarget;
      const symbol = named === null ? null : describe(named);
      yield { address: at, bytes, text: symbol === null ? text : withSymbol(text, symbol), ...flow };
    }
  },
  *decode(code, address): Generator<Instruction> {
    for (const { at, bytes, word } of words(code, address)) {
      const decoded = bytes.length < instructionSize ? null : decodeWord(word, at);
      yield { address: at, bytes, ...flowOf(decoded), ...detailsOf(decoded) };
    }
  },
  isTracerNop: () => false,
};

/** Words of code, the last of which may be cut. */
function* words(code: Uint8Array, address: VirtAddr): Generator<{ at: VirtAddr; bytes: Uint8Array; word: number }> {
  for (let i = 0; i < code.length; i += instructionSize) {
    const bytes = code.subarray(i, i + instructionSize);
    yield { at: offsetBy(address, i), bytes, word: wordAt(bytes) };
  }
}

/**
 * LDTR and its like into the register that the address comes from: capstone 5 takes them for loads that write the address
 * back, too, and does not know them.
 */
function unprivileged(decoded: Decoded | null): { readonly mnemonic: string; readonly operands: string } | null {
  const [value, place] = decoded?.operands ?? [];
  if (decoded === null || !/^(?:ld|st)tr/.test(decoded.mnemonic) || value?.kind !== 'register') return null;
  if (place?.kind !== 'memory' || place.base === null) return null;
  const name = value.width === 8 ? value.name : value.name.replace('x', 'w');
  const offset = place.displacement === 0n ? '' : `, #${place.displacement}`;
  return { mnemonic: decoded.mnemonic, operands: `${name}, [${place.base}${offset}]` };
}

/** RDSVL, ADDSVL and ADDSPL (the length of vectors in streaming mode, SME), which capstone 5 does not know. */
function streaming(word: number): { readonly mnemonic: string; readonly operands: string } | null {
  const name = (low: number, of31: string) => {
    const number = bits(word, low, 5);
    return number === 31 ? of31 : `x${number}`;
  };
  const length = `#${(bits(word, 5, 6) ^ 0x20) - 0x20}`;
  if ((word & 0xffff_f800) >>> 0 === 0x04bf_5800)
    return { mnemonic: 'rdsvl', operands: `${name(0, 'xzr')}, ${length}` };
  if ((word & 0xffa0_f800) >>> 0 !== 0x0420_5800) return null;
  const mnemonic = bits(word, 22, 1) === 0 ? 'addsvl' : 'addspl';
  return { mnemonic, operands: `${name(0, 'sp')}, ${name(16, 'sp')}, ${length}` };
}

/** The instruction of a word; null for what is none. */
export function decodeWord(word: number, address: VirtAddr): Decoded | null {
  switch (bits(word, 25, 4)) {
    case 0b1000:
    case 0b1001:
      return decodeImmediate(word, address);
    case 0b1010:
    case 0b1011:
      return decodeBranchOrSystem(word, address);
    case 0b0100:
    case 0b0110:
    case 0b1100:
    case 0b1110:
      return decodeLoadStore(word, address);
    case 0b0101:
    case 0b1101:
      return decodeRegister(word);
    case 0b0111:
    case 0b1111:
      return vector(word);
    case 0b0010: // scalable vectors
      return { mnemonic: 'vector', operands: [] };
    default:
      return null;
  }
}

/** Vectors and floating point: what is moved to and from general registers. */
function vector(word: number): Decoded {
  // FMOV, FCVT* and SCVTF between the two: x0011110 xx1 ... 000000 (integer), x0011110 xx0 (fixed point)
  if (bits(word, 24, 7) === 0b001_1110 && (bits(word, 21, 1) === 0 || bits(word, 10, 6) === 0)) {
    const operation = bits(word, 16, 3);
    const width = word >>> 31 === 1 ? 8 : 4;
    const toVector = operation === 2 || operation === 3 || operation === 7;
    const general = toVector ? register(word, 5, 'read', width) : register(word, 0, 'write', width);
    return { mnemonic: 'fmov', operands: [general] };
  }
  // DUP, INS from a general register; SMOV, UMOV to one
  if (
    bits(word, 21, 8) === 0b0111_0000 &&
    bits(word, 31, 1) === 0 &&
    bits(word, 29, 1) === 0 &&
    bits(word, 10, 1) === 1
  ) {
    const operation = bits(word, 11, 4);
    if (operation === 1 || operation === 3) return { mnemonic: 'dup', operands: [register(word, 5, 'read')] };
    if (operation === 5 || operation === 7) return { mnemonic: 'umov', operands: [register(word, 0, 'write')] };
  }
  return { mnemonic: 'vector', operands: [] };
}

function flowOf(decoded: Decoded | null): { flow: Flow; target: VirtAddr | null; memoryTarget: VirtAddr | null } {
  if (decoded === null) return { flow: 'invalid', target: null, memoryTarget: null };
  let memoryTarget: VirtAddr | null = null;
  for (const operand of decoded.operands) if (operand.kind === 'memory') memoryTarget ??= operand.address;
  return { flow: decoded.flow ?? 'next', target: decoded.target ?? null, memoryTarget };
}

function detailsOf(decoded: Decoded | null): Pick<Instruction, 'mnemonic' | 'operands' | 'reads' | 'writes'> {
  if (decoded === null) return { mnemonic: '(bad)', operands: [], reads: [], writes: [] };
  const reads = new Set<string>(decoded.alsoReads);
  const writes = new Set<string>(decoded.alsoWrites);
  const operands: Operand[] = [];
  for (const operand of decoded.operands) {
    operands.push(operand);
    if (operand.kind === 'memory') {
      for (const name of [operand.base, operand.index]) if (name !== null && name !== 'xzr') reads.add(name);
    } else if (operand.kind === 'register' && operand.name !== 'xzr') {
      if (operand.access === 'read' || operand.access === 'read-write') reads.add(operand.name);
      if (operand.access === 'write' || operand.access === 'read-write') writes.add(operand.name);
    }
  }
  return { mnemonic: decoded.mnemonic, operands, reads: [...reads], writes: [...writes] };
}

/** gdb puts the symbol behind the address, before what is said of a condition. */
function withSymbol(text: string, symbol: string): string {
  const comment = text.indexOf('  // ');
  return comment < 0 ? `${text} <${symbol}>` : `${text.slice(0, comment)} <${symbol}>${text.slice(comment)}`;
}
