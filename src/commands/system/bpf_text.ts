// BPF instructions as text, in the words of the verifier's log (kernel/bpf/disasm.c).
import type { BpfInstruction } from '../../kernel/bpf.ts';

const sizes = ['u32', 'u16', 'u8', 'u64'];
const operators = ['+=', '-=', '*=', '/=', '|=', '&=', '<<=', '>>=', 'neg', '%=', '^=', '=', 's>>=', 'endian'];
const jumps: Readonly<Record<number, string>> = {
  1: '==',
  2: '>',
  3: '>=',
  4: '&',
  5: '!=',
  6: 's>',
  7: 's>=',
  10: '<',
  11: '<=',
  12: 's<',
  13: 's<=',
};
const atomics: Readonly<Record<number, string>> = { 0: '+=', 64: '|=', 80: '&=', 160: '^=' };

/** One line of a translated program; an instruction of 64 bits of immediate value takes two places. */
export interface BpfLine {
  readonly number: number;
  /** The instruction's bytes, hexadecimal. */
  readonly bytes: string;
  readonly text: string;
}

/** @param callee name of the function that a call's immediate value stands for; null where nobody knows */
export function* bpfLines(
  instructions: readonly BpfInstruction[],
  callee: (immediate: number) => string | null,
): Generator<BpfLine> {
  for (let i = 0; i < instructions.length; i++) {
    const instruction = instructions[i]!;
    const wide = instruction.code === 0x18 ? instructions[i + 1] : undefined;
    yield {
      number: i,
      bytes: bytesOf(instruction) + (wide === undefined ? '' : bytesOf(wide)),
      text: `(${instruction.code.toString(16).padStart(2, '0')}) ${textOf(instruction, wide, callee)}`,
    };
    if (wide !== undefined) i++;
  }
}

function bytesOf({ code, destination, source, offset, immediate }: BpfInstruction): string {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt8(code, 0);
  bytes.writeUInt8((source << 4) | destination, 1);
  bytes.writeInt16LE(offset, 2);
  bytes.writeInt32LE(immediate, 4);
  return bytes.toString('hex');
}

function signed(value: number): string {
  return value < 0 ? String(value) : `+${value}`;
}

function hexOf(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}

function textOf(
  instruction: BpfInstruction,
  wide: BpfInstruction | undefined,
  callee: (immediate: number) => string | null,
): string {
  const { code, destination, source, offset, immediate } = instruction;
  const kind = code & 7;
  const size = sizes[(code >> 3) & 3]!;
  const at = (register: number): string => `*(${size} *)(r${register} ${signed(offset)})`;
  const unknown = `BUG_${code.toString(16).padStart(2, '0')}`;
  switch (kind) {
    case 0: // LD: of a packet, or 64 bits of immediate value
      if (code === 0x18 && wide !== undefined) {
        const value = (BigInt(wide.immediate >>> 0) << 32n) | BigInt(immediate >>> 0);
        return `r${destination} = 0x${value.toString(16)}`;
      }
      if ((code & 0xe0) === 0x20) return `r0 = *(${size} *)skb[${immediate}]`;
      if ((code & 0xe0) === 0x40) return `r0 = *(${size} *)skb[r${source} ${signed(immediate)}]`;
      return unknown;
    case 1: // LDX
      return `r${destination} = ${(code & 0xe0) === 0x80 ? at(source).replace('(u', '(s') : at(source)}`;
    case 2: // ST
      return `${at(destination)} = ${immediate}`;
    case 3: // STX
      return (code & 0xe0) === 0xc0 ? atomic(instruction, size) : `${at(destination)} = r${source}`;
    case 4:
    case 7:
      return arithmetic(instruction, kind === 4 ? 'w' : 'r') ?? unknown;
    default:
      return jump(instruction, kind === 6 ? 'w' : 'r', callee) ?? unknown;
  }
}

function atomic({ destination, source, offset, immediate }: BpfInstruction, size: string): string {
  const place = `(r${destination} ${signed(offset)})`;
  const bits = size === 'u64' ? '64' : '';
  if (immediate === 0xe1) return `r${source} = atomic${bits}_xchg(${place}, r${source})`;
  if (immediate === 0xf1) return `r0 = atomic${bits}_cmpxchg(${place}, r0, r${source})`;
  const operator = atomics[immediate & 0xf0] ?? '?=';
  const fetch = (immediate & 1) === 1 ? `r${source} = fetch ` : '';
  return `lock ${fetch}*(${size} *)${place} ${operator} r${source}`;
}

function arithmetic({ code, destination, source, offset, immediate }: BpfInstruction, register: string): string | null {
  const operation = code >> 4;
  const operator = operators[operation];
  const to = `${register}${destination}`;
  if (operator === undefined) return null;
  if (operator === 'neg') return `${to} = -${to}`;
  if (operator === 'endian') {
    const order = register === 'r' ? 'bswap' : (code & 8) === 8 ? 'be' : 'le';
    return `r${destination} = ${order}${immediate} r${destination}`;
  }
  if ((code & 8) === 0) return `${to} ${operator} ${immediate}`;
  const from = `${register}${source}`;
  // a move that extends the sign, since 4.20's instruction set 4 (6.6)
  if (operator === '=' && offset !== 0) return `${to} = (s${offset})${from}`;
  return `${to} ${offset === 1 && /[/%]/.test(operator) ? 's' : ''}${operator} ${from}`;
}

function jump(
  { code, destination, source, offset, immediate }: BpfInstruction,
  register: string,
  callee: (immediate: number) => string | null,
): string | null {
  const operation = code >> 4;
  if (operation === 8) {
    if (source === 1) return `call pc${signed(immediate)}`;
    const name = callee(immediate);
    return name === null ? `call unknown#${immediate}` : `call ${name}#${immediate}`;
  }
  if (operation === 9) return 'exit';
  if (operation === 0) return `goto pc${signed(register === 'w' ? immediate : offset)}`;
  const operator = jumps[operation];
  if (operator === undefined) return null;
  const other = (code & 8) === 8 ? `${register}${source}` : hexOf(immediate);
  return `if ${register}${destination} ${operator} ${other} goto pc${signed(offset)}`;
}
