// The `Code:` line of an oops: the instruction bytes around the program counter, and what they mean.
//
//   Code: 48 8b 17 48 63 47 08 <48> 03 82 40 02 00 00 c3     x86: bytes, the faulting one in <>
//   Code: f9400260 b9400c00 (d4210000)                       arm64: words, the faulting one in ()
import { createRequire } from 'node:module';

export interface CodeBytes {
  /** The line as printed, without `Code: `. */
  readonly text: string;
  /** x86 prints bytes, arm, arm64, riscv and powerpc words. */
  readonly unit: 'byte' | 'word';
  /** Bytes in memory order for `byte`, words as values for `word`. */
  readonly values: readonly number[];
  /** Index in `values` of the faulting one; null: not marked. */
  readonly fault: number | null;
}

export interface CodeInstruction {
  /** Offset in bytes from the faulting instruction; negative before it. */
  offset: number;
  /** Hexadecimal bytes or word. */
  bytes: string;
  text: string;
  fault: boolean;
}

const maxUnits = 256;

/** The last code that was read: a bug that comes again shows the same. */
let lastCode: { readonly text: string; readonly code: CodeBytes | null } | null = null;

/** Reads what follows `Code:`. Null: the kernel could not read the code, or the text is not code. */
export function parseCode(text: string): CodeBytes | null {
  if (lastCode?.text !== text) lastCode = { text, code: readCode(text) };
  return lastCode.code;
}

function readCode(text: string): CodeBytes | null {
  const tokens = text.trim().split(/\s+/, maxUnits);
  const values: number[] = [];
  let fault: number | null = null;
  let unit: 'byte' | 'word' | undefined;
  for (const token of tokens) {
    const m = /^([<(]{0,2})([0-9a-f]{2}|[0-9a-f]{4}|[0-9a-f]{8})([>)]{0,2})$/.exec(token);
    if (m === null) {
      if (token === 'Bad' || token === 'Unable' || values.length === 0) return null;
      break; // cut or mixed: keep what was read
    }
    const now = m[2]!.length === 2 ? 'byte' : 'word';
    unit ??= now;
    if (now !== unit) break;
    if (m[1] !== '') fault ??= values.length;
    values.push(Number.parseInt(m[2]!, 16));
  }
  if (unit === undefined || values.length < 2) return null;
  return { text: text.trim(), unit, values, fault };
}

interface Iced {
  Decoder: new (
    bitness: number,
    data: Uint8Array,
    options: number,
  ) => {
    ip: bigint;
    canDecode: boolean;
    decode(): IcedInstruction;
    free(): void;
  };
  Formatter: new (
    syntax: number,
  ) => {
    format(instruction: IcedInstruction): string;
    free(): void;
    hexPrefix: string;
    uppercaseHex: boolean;
    smallHexNumbersInDecimal: boolean;
    branchLeadingZeros: boolean;
    ripRelativeAddresses: boolean;
    signedImmediateOperands: boolean;
    showUselessPrefixes: boolean;
  };
  FormatterSyntax: { Gas: number };
}
interface IcedInstruction {
  length: number;
  isInvalid: boolean;
  free(): void;
}

/** The library, and one formatter for all: objects of WebAssembly are not cheap. Loaded when code is first disassembled. */
let loaded: { readonly iced: Iced; readonly formatter: InstanceType<Iced['Formatter']> } | null = null;

function library(): { readonly iced: Iced; readonly formatter: InstanceType<Iced['Formatter']> } {
  if (loaded !== null) return loaded;
  const iced = createRequire(import.meta.url)('iced-x86') as Iced;
  const formatter = new iced.Formatter(iced.FormatterSyntax.Gas);
  formatter.hexPrefix = '0x';
  formatter.uppercaseHex = false;
  formatter.smallHexNumbersInDecimal = false;
  formatter.branchLeadingZeros = false;
  formatter.ripRelativeAddresses = true;
  formatter.signedImmediateOperands = false;
  formatter.showUselessPrefixes = true;
  loaded = { iced, formatter };
  return loaded;
}

/**
 * Disassembles the bytes around the fault, GAS syntax. Branch targets and %rip addresses are right only when `ip` is given.
 * Words are shown as they are.
 * @param ip virtual address of the faulting instruction
 */
export function disassembleCode(code: CodeBytes, ip = 0n): CodeInstruction[] {
  if (code.unit === 'word') {
    const at = code.fault ?? 0;
    return code.values.map((word, i) => ({
      offset: (i - at) * 4,
      bytes: word.toString(16).padStart(8, '0'),
      text: `.word 0x${word.toString(16).padStart(8, '0')}`,
      fault: i === code.fault,
    }));
  }
  const bytes = Uint8Array.from(code.values);
  const fault = code.fault ?? 0;
  // The line starts somewhere inside an instruction: take the start from which decoding meets the faulting byte.
  let bestStart = -1;
  let bestCost = Number.POSITIVE_INFINITY;
  for (let start = 0; start < Math.min(fault, 16); start++) {
    const bad = countBad(bytes.subarray(start, fault));
    const cost = bad === null ? Number.POSITIVE_INFINITY : start + 20 * bad;
    if (cost >= bestCost) continue;
    bestCost = cost;
    bestStart = start;
  }
  const before = bestStart < 0 ? [] : decodeRange(bytes.subarray(bestStart, fault), bestStart - fault, ip);
  const from = decodeRange(bytes.subarray(fault), 0, ip);
  return [...before, ...from.map((instruction, i) => ({ ...instruction, fault: i === 0 && code.fault !== null }))];
}

/** Bytes that are no instruction, if the code ends where an instruction does; else null. */
function countBad(bytes: Uint8Array): number | null {
  let bad = 0;
  let at = 0;
  decode(bytes, 0n, (instruction) => {
    at += Math.max(1, instruction.length);
    if (instruction.isInvalid) bad++;
  });
  return at === bytes.length && at > 0 ? bad : null;
}

function decodeRange(bytes: Uint8Array, base: number, ip: bigint): CodeInstruction[] {
  const { formatter } = library();
  const out: CodeInstruction[] = [];
  let at = 0;
  decode(bytes, ip + BigInt(base), (instruction) => {
    const length = Math.max(1, instruction.length);
    out.push({
      offset: base + at,
      bytes: Buffer.from(bytes.subarray(at, at + length)).toString('hex'),
      text: instruction.isInvalid ? '(bad)' : formatter.format(instruction),
      fault: false,
    });
    at += length;
  });
  return out;
}

/** @param ip virtual address of the first byte */
function decode(bytes: Uint8Array, ip: bigint, visit: (instruction: IcedInstruction) => void): void {
  const decoder = new (library().iced.Decoder)(64, bytes, 0);
  try {
    decoder.ip = BigInt.asUintN(64, ip);
    while (decoder.canDecode) {
      const instruction = decoder.decode();
      try {
        visit(instruction);
      } finally {
        instruction.free();
      }
    }
  } finally {
    decoder.free();
  }
}
