// Machine code of x86_64: as objdump(1) and gdb print it (AT&T syntax), and its operands, by iced-x86. The package is
// loaded when first used: its WebAssembly takes some 30 ms.
import { createRequire } from 'node:module';
import type { Formatter, Decoder as IcedDecoder, Instruction as IcedInstruction } from 'iced-x86';
import { type VirtAddr, virtAddr } from '../../base/address.ts';
import type {
  Access,
  Decoder,
  Describe,
  Flow,
  Instruction,
  InstructionText,
  MemoryOperand,
  Operand,
} from '../decoder.ts';

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

/** The longest nop that a compiler leaves for ftrace at a function's start: nopl 0x0(%rax,%rax,1). */
const tracerNop = [0x0f, 0x1f, 0x44, 0x00, 0x00];

export const x86Decoder: Decoder = {
  longest: 15,
  shortest: 1,
  text: (code, address, describe = () => null) =>
    walk(code, address, (instruction, found) => ({ ...found, text: textOf(instruction, found, describe) })),
  decode(code, address) {
    const { InstructionInfoFactory } = load();
    const factory = new InstructionInfoFactory();
    return walk(
      code,
      address,
      (instruction, found) => ({ ...found, ...operandsOf(instruction, factory) }),
      () => factory.free(),
    );
  },
  isTracerNop: (bytes) => bytes.length === tracerNop.length && tracerNop.every((byte, i) => bytes[i] === byte),
};

/** What is known of every instruction. */
type Found = Omit<InstructionText, 'text'>;

/**
 * @param describe makes of an instruction what is wanted of it; of one that is invalid, null is given
 * @param done called at the end
 */
function* walk<T>(
  code: Uint8Array,
  address: VirtAddr,
  describe: (instruction: IcedInstruction | null, found: Found) => T,
  done: () => void = () => {},
): Generator<T> {
  const { Decoder: DecoderClass, DecoderOptions, Instruction: InstructionClass } = load();
  const decoder: IcedDecoder = new DecoderClass(64, code, DecoderOptions.None);
  const instruction: IcedInstruction = new InstructionClass();
  try {
    decoder.ip = address;
    while (decoder.canDecode) {
      const start = decoder.position;
      decoder.decodeOut(instruction);
      const at = virtAddr(address + BigInt(start));
      if (instruction.isInvalid) {
        // objdump takes one byte and tries again
        const bytes = code.subarray(start, start + 1);
        yield describe(null, { address: at, bytes, flow: 'invalid', target: null, memoryTarget: null });
        decoder.position = start + 1;
        decoder.ip = address + BigInt(start + 1);
        continue;
      }
      const bytes = code.subarray(start, decoder.position);
      const flow = flowOf(load().FlowControl, instruction.flowControl);
      const isDirect =
        (flow === 'call' || flow === 'jump' || flow === 'conditional-jump') && instruction.nearBranchTarget !== 0n;
      yield describe(instruction, {
        address: at,
        bytes,
        flow,
        target: isDirect ? virtAddr(instruction.nearBranchTarget) : null,
        memoryTarget: instruction.isIpRelMemoryOperand ? virtAddr(instruction.ipRelMemoryAddress) : null,
      });
    }
  } finally {
    instruction.free();
    decoder.free();
    done();
  }
}

function textOf(
  instruction: IcedInstruction | null,
  { bytes, target, memoryTarget }: Found,
  describe: Describe,
): string {
  if (instruction === null) return '(bad)';
  const text = asObjdump(instruction, bytes);
  if (target !== null) return text + symbolSuffix(describe(target));
  if (memoryTarget === null) return text;
  return `${text}        # 0x${memoryTarget.toString(16)}${symbolSuffix(describe(memoryTarget))}`;
}

type Details = Pick<Instruction, 'mnemonic' | 'operands' | 'reads' | 'writes'>;

function operandsOf(instruction: IcedInstruction | null, factory: import('iced-x86').InstructionInfoFactory): Details {
  if (instruction === null) return { mnemonic: '(bad)', operands: [], reads: [], writes: [] };
  const { Mnemonic, RegisterExt } = load();
  const info = factory.info(instruction);
  try {
    const operands: Operand[] = [];
    for (let i = 0; i < instruction.opCount; i++) {
      const operand = operandOf(instruction, i, accessOf(info.opAccess(i)));
      if (operand !== null) operands.push(operand);
    }
    const reads = new Set<string>();
    const writes = new Set<string>();
    for (const used of info.usedRegisters()) {
      const access = accessOf(used.access);
      if (!RegisterExt.isSegmentRegister(used.register)) {
        const name = wholeRegister(used.register);
        if (access === 'read' || access === 'read-write') reads.add(name);
        if (access === 'write' || access === 'read-write') writes.add(name);
      }
      used.free();
    }
    return {
      mnemonic: Mnemonic[instruction.mnemonic]!.toLowerCase(),
      operands,
      reads: [...reads],
      writes: [...writes],
    };
  } finally {
    info.free();
  }
}

function wholeRegister(register: number): string {
  const { Register, RegisterExt } = load();
  return Register[RegisterExt.fullRegister(register)]!.toLowerCase();
}

function operandOf(instruction: IcedInstruction, i: number, access: Access): Operand | null {
  const { OpKind, Register, RegisterExt } = load();
  const kind = instruction.opKind(i);
  switch (kind) {
    case OpKind.Register: {
      const register = instruction.opRegister(i);
      return { kind: 'register', name: wholeRegister(register), width: RegisterExt.size(register), access };
    }
    case OpKind.Memory: {
      const relative = instruction.isIpRelMemoryOperand;
      const named = (register: number): string | null => (register === Register.None ? null : wholeRegister(register));
      const base = relative ? null : named(instruction.memoryBase);
      const index = named(instruction.memoryIndex);
      const displacement = relative ? 0n : BigInt.asIntN(64, instruction.memoryDisplacement);
      const address = relative ? instruction.ipRelMemoryAddress : displacement;
      return {
        ...memory(instruction, access),
        base,
        index,
        scale: index === null ? 1 : instruction.memoryIndexScale,
        displacement,
        address: base === null && index === null ? virtAddr(BigInt.asUintN(64, address)) : null,
      };
    }
    // of string instructions
    case OpKind.MemorySegSI:
    case OpKind.MemorySegESI:
    case OpKind.MemorySegRSI:
      return { ...memory(instruction, access), base: 'rsi' };
    case OpKind.MemorySegDI:
    case OpKind.MemorySegEDI:
    case OpKind.MemorySegRDI:
    case OpKind.MemoryESDI:
    case OpKind.MemoryESEDI:
    case OpKind.MemoryESRDI:
      return { ...memory(instruction, access), base: 'rdi', segment: null };
    case OpKind.NearBranch16:
    case OpKind.NearBranch32:
    case OpKind.NearBranch64:
    case OpKind.FarBranch16:
    case OpKind.FarBranch32:
      return null;
    default:
      return { kind: 'immediate', value: BigInt.asIntN(64, instruction.immediate(i)) };
  }
}

function memory(instruction: IcedInstruction, access: Access): MemoryOperand {
  const { MemorySizeExt, Register } = load();
  const segment = instruction.memorySegment;
  const isBased = segment === Register.FS || segment === Register.GS;
  return {
    kind: 'memory',
    base: null,
    index: null,
    scale: 1,
    extend: null,
    displacement: 0n,
    segment: isBased ? Register[segment]!.toLowerCase() : null,
    address: null,
    width: MemorySizeExt.size(instruction.memorySize),
    access,
  };
}

function accessOf(access: number): Access {
  const { OpAccess } = load();
  switch (access) {
    case OpAccess.Read:
    case OpAccess.CondRead:
      return 'read';
    case OpAccess.Write:
    case OpAccess.CondWrite:
      return 'write';
    case OpAccess.ReadWrite:
    case OpAccess.ReadCondWrite:
      return 'read-write';
    default:
      return 'none';
  }
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
/** Operands that an instruction always has. */
const implied: ReadonlyMap<string, string> = new Map([
  ['monitor', '%rax,%ecx,%edx'],
  ['monitorx', '%rax,%ecx,%edx'],
  ['mwait', '%eax,%ecx'],
  ['mwaitx', '%eax,%ecx,%ebx'],
]);
/** The prefixes of a legacy instruction. */
const prefixBytes: ReadonlySet<number> = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

/** GAS syntax as iced-x86 has it, made what binutils 2.41 and later print, and so gdb 16. */
function asObjdump(instruction: IcedInstruction, bytes: Uint8Array): string {
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
  if (!stringInstruction.test(mnemonic)) {
    // segments without a meaning in 64-bit mode are prefixes, and no part of the operand
    const segment = /%(cs|ds|es|ss):/.exec(operands);
    if (segment !== null) {
      operands = operands.replace(segment[0], '');
      mnemonic = `${segment[1]} ${mnemonic}`;
    }
  }
  if (portInstruction.test(mnemonic)) operands = operands.replace('%dx', '(%dx)');
  operands = operands.replace(/%dr(?=\d)/, '%db'); // debug registers
  if (stringInstruction.test(mnemonic)) {
    mnemonic = mnemonic.replace(/^rep(n?)e /, 'rep$1z ');
    operands = operands.replace(/(^|,)(?=\(%[er]?di\))/, '$1%es:').replace(/(^|,)(?=\(%[er]?si\))/, '$1%ds:');
  } else if (shiftInstruction.test(mnemonic)) {
    // the opcodes that shift by one say so since binutils 2.41, as crash(8) has it, and without 0x
    mnemonic = mnemonic.replace(/(^| )sal/, '$1shl'); // the opcode /6 does what /4 does
    const opcode = opcodeOf(bytes);
    if (opcode === 0xd0 || opcode === 0xd1) operands = operands.replace(/^\$0x1,/, '$$1,');
  } else if (mnemonic.endsWith('imul') && /^\$[^,]*,%\w+$/.test(operands)) {
    operands += operands.slice(operands.indexOf(','));
  } else if (mnemonic === 'ljmpl') {
    mnemonic = 'ljmp';
  } else if (/(?:^| )(?:call|jmp|push|pop)q$/.test(mnemonic)) {
    mnemonic = mnemonic.slice(0, -1); // 64 bits are what they have anyway
  } else if (mnemonic.endsWith('nopw') || mnemonic.endsWith('nopl')) {
    mnemonic = sizesAgain(bytes) + mnemonic;
  } else if (text === 'xchg %ax,%ax') {
    mnemonic = sizesAgain(bytes) + mnemonic;
  }
  const useless = /^(cs|ds|es|ss) /.exec(mnemonic)?.[1];
  if (useless !== undefined) {
    const prefix = segmentPrefixes[useless as keyof typeof segmentPrefixes];
    const times = bytes.subarray(0, prefixCount(bytes)).filter((byte) => byte === prefix).length;
    if (times > 1) mnemonic = `${useless} `.repeat(times - 1) + mnemonic;
  }
  operands = implied.get(mnemonic) ?? operands;
  return operands === '' ? mnemonic : `${mnemonic.padEnd(6)} ${operands}`;
}

/** The operand size's prefixes of a nop but the last, which is in its name: what pads code, and what ftrace wrote before Linux 5.11. */
function sizesAgain(bytes: Uint8Array): string {
  const sizes = bytes.subarray(0, prefixCount(bytes)).filter((byte) => byte === 0x66).length;
  return 'data16 '.repeat(Math.max(0, sizes - 1));
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
