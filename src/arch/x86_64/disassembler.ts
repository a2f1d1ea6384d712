// Machine code as text, as objdump(1) and gdb print it (AT&T syntax), by iced-x86. The package is loaded when
// first used: its WebAssembly takes some 30 ms.
import { createRequire } from 'node:module';
import type { Decoder, Formatter, Instruction } from 'iced-x86';
import { type VirtAddr, virtAddr } from '../../base/address.ts';

/** What an instruction does to the flow of control. */
export type Flow = 'next' | 'jump' | 'conditional-jump' | 'call' | 'return' | 'trap' | 'invalid';

export interface DisassembledInstruction {
  readonly address: VirtAddr;
  /** The instruction's own bytes. */
  readonly bytes: Uint8Array;
  /** As objdump prints it: `mov    0x18(%rbx),%eax`, `call   0xffffffff81a07113 <schedule+67>`, `(bad)`. */
  readonly text: string;
  readonly flow: Flow;
  /** Where a direct jump or call goes; null otherwise. */
  readonly target: VirtAddr | null;
  /** The address that an operand relative to %rip names; null without one. */
  readonly memoryTarget: VirtAddr | null;
}

/** Says what lies at an address, as `schedule+67`; null if nobody knows. */
export type Describe = (address: VirtAddr) => string | null;

type Iced = typeof import('iced-x86');

let iced: Iced | null = null;
let formatter: Formatter | null = null;

function load(): Iced {
  iced ??= createRequire(import.meta.url)('iced-x86') as Iced;
  return iced;
}

function gasFormatter(): Formatter {
  if (formatter !== null) return formatter;
  const { Formatter: FormatterClass, FormatterSyntax } = load();
  formatter = new FormatterClass(FormatterSyntax.Gas);
  formatter.hexPrefix = '0x';
  formatter.uppercaseHex = false;
  formatter.smallHexNumbersInDecimal = false;
  formatter.branchLeadingZeros = false;
  formatter.ripRelativeAddresses = true;
  formatter.signedImmediateOperands = false;
  formatter.showUselessPrefixes = true;
  return formatter;
}

/**
 * Instructions one after another, until the bytes end; a last instruction that is cut comes as `(bad)`.
 * @param address virtual address of the first byte
 */
export function* disassemble(
  code: Uint8Array,
  address: VirtAddr,
  describe: Describe = () => null,
): Generator<DisassembledInstruction> {
  const { Decoder: DecoderClass, DecoderOptions, Instruction: InstructionClass } = load();
  const decoder: Decoder = new DecoderClass(64, code, DecoderOptions.None);
  const instruction: Instruction = new InstructionClass();
  try {
    decoder.ip = address;
    while (decoder.canDecode) {
      const start = decoder.position;
      decoder.decodeOut(instruction);
      const at = virtAddr(address + BigInt(start));
      if (instruction.isInvalid) {
        // objdump takes one byte and tries again
        yield {
          address: at,
          bytes: code.subarray(start, start + 1),
          text: '(bad)',
          flow: 'invalid',
          target: null,
          memoryTarget: null,
        };
        decoder.position = start + 1;
        decoder.ip = address + BigInt(start + 1);
        continue;
      }
      yield describeInstruction(instruction, code.subarray(start, decoder.position), at, describe);
    }
  } finally {
    instruction.free();
    decoder.free();
  }
}

function describeInstruction(
  instruction: Instruction,
  bytes: Uint8Array,
  address: VirtAddr,
  describe: Describe,
): DisassembledInstruction {
  const { FlowControl } = load();
  const flow = flowOf(FlowControl, instruction.flowControl);
  const isDirect =
    (flow === 'call' || flow === 'jump' || flow === 'conditional-jump') && instruction.nearBranchTarget !== 0n;
  const target = isDirect ? virtAddr(instruction.nearBranchTarget) : null;
  const memoryTarget = instruction.isIpRelMemoryOperand ? virtAddr(instruction.ipRelMemoryAddress) : null;
  let text = asObjdump(instruction, bytes);
  if (target !== null) text += symbolSuffix(describe(target));
  else if (memoryTarget !== null) {
    text += `        # 0x${memoryTarget.toString(16)}${symbolSuffix(describe(memoryTarget))}`;
  }
  return { address, bytes, text, flow, target, memoryTarget };
}

function symbolSuffix(symbol: string | null): string {
  return symbol === null ? '' : ` <${symbol}>`;
}

function flowOf(kinds: Iced['FlowControl'], kind: number): Flow {
  switch (kind) {
    case kinds.UnconditionalBranch:
    case kinds.IndirectBranch:
      return 'jump';
    case kinds.ConditionalBranch:
      return 'conditional-jump';
    case kinds.Call:
    case kinds.IndirectCall:
      return 'call';
    case kinds.Return:
      return 'return';
    case kinds.Exception:
    case kinds.Interrupt:
      return 'trap';
    default:
      return 'next';
  }
}

const stringInstruction = /(?:^| )(?:movs|stos|lods|scas|cmps|ins|outs)[bwlq]?$/;
const portInstruction = /(?:^| )(?:in|out)s?[bwl]?$/;
const shiftInstruction = /(?:^| )(?:sh[lr]|sa[lr]|ro[lr]|rc[lr])[bwlq]?$/;
const segmentPrefixes = { es: 0x26, cs: 0x2e, ss: 0x36, ds: 0x3e } as const;
/** The prefixes of a legacy instruction. */
const prefixBytes: ReadonlySet<number> = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

/** GAS syntax as iced-x86 has it, made what binutils 2.40 prints. */
function asObjdump(instruction: Instruction, bytes: Uint8Array): string {
  const text = gasFormatter().format(instruction);
  // iced-x86 puts no space into operands: prefixes and mnemonic, then all operands
  const split = instruction.opCount === 0 && !text.includes('%') ? -1 : text.lastIndexOf(' ');
  let mnemonic = split < 0 ? text : text.slice(0, split);
  let operands = split < 0 ? '' : text.slice(split + 1);
  // an index without a scale, and a displacement of 0 that is there all the same
  operands = operands.replace(/\((%\w+),(%\w+)\)/, '($1,$2,1)');
  if (instruction.memoryDisplSize > 0 && instruction.memoryDisplacement === 0n) {
    operands = operands.replace(/(^|[,:*])\((?=[%,])/, '$10x0(');
  }
  if (instruction.isIpRelMemoryOperand) operands = operands.replace(/(^|[,:*])\((?=%rip)/, '$10x0(');
  if (portInstruction.test(mnemonic)) operands = operands.replace('%dx', '(%dx)');
  if (stringInstruction.test(mnemonic)) {
    operands = operands.replace(/(^|,)(?=\(%[er]?di\))/, '$1%es:').replace(/(^|,)(?=\(%[er]?si\))/, '$1%ds:');
  } else if (shiftInstruction.test(mnemonic)) {
    // the opcodes that shift by one have no operand that says so
    const opcode = opcodeOf(bytes);
    if (opcode === 0xd0 || opcode === 0xd1) operands = operands.replace(/^\$0x1,/, '');
  } else if (mnemonic.endsWith('imul') && /^\$[^,]*,%\w+$/.test(operands)) {
    operands += operands.slice(operands.indexOf(','));
  } else if (mnemonic === 'ljmpl') {
    mnemonic = 'ljmp';
  } else if (/(?:^| )(?:call|jmp|push|pop)q$/.test(mnemonic)) {
    mnemonic = mnemonic.slice(0, -1); // 64 bits are what they have anyway
  } else if (mnemonic.endsWith('nopw') || mnemonic.endsWith('nopl')) {
    const segment = /^%(\w\w):/.exec(operands);
    if (segment !== null) {
      operands = operands.slice(segment[0].length);
      mnemonic = `${segment[1]} ${mnemonic}`;
    }
    const sizes = bytes.subarray(0, prefixCount(bytes)).filter((byte) => byte === 0x66).length;
    if (sizes > 1) mnemonic = 'data16 '.repeat(sizes - 1) + mnemonic;
  }
  const useless = /^(cs|ds|es|ss) /.exec(mnemonic)?.[1];
  if (useless !== undefined) {
    const prefix = segmentPrefixes[useless as keyof typeof segmentPrefixes];
    const times = bytes.subarray(0, prefixCount(bytes)).filter((byte) => byte === prefix).length;
    if (times > 1) mnemonic = `${useless} `.repeat(times - 1) + mnemonic;
  }
  if (mnemonic === 'monitor') operands = '%rax,%ecx,%edx';
  else if (mnemonic === 'mwait') operands = '%eax,%ecx';
  return operands === '' ? mnemonic : `${mnemonic.padEnd(6)} ${operands}`;
}

function prefixCount(bytes: Uint8Array): number {
  let n = 0;
  while (n < bytes.length && prefixBytes.has(bytes[n]!)) n++;
  return n;
}

/** First opcode byte, behind legacy prefixes and REX. */
function opcodeOf(bytes: Uint8Array): number {
  const at = prefixCount(bytes);
  const rex = (bytes[at]! & 0xf0) === 0x40 ? 1 : 0;
  return bytes[at + rex] ?? 0;
}
