// Which memory an instruction touches, given the registers: what a fault's own registers say about the
// address that faulted.
import { createRequire } from 'node:module';
import type { RegisterName, Registers } from './registers.ts';

/** One memory operand, worked out. */
export interface MemoryOperand {
  /** Virtual address, wrapped to 64 bits. */
  readonly address: bigint;
  readonly access: 'read' | 'write' | 'read-write';
  /** Registers that the address was made of: base first; empty for absolute and rip-relative ones. */
  readonly registers: readonly { readonly name: RegisterName; readonly value: bigint }[];
  /** Constant part of the address, signed. */
  readonly displacement: bigint;
}

/**
 * Memory operands of one instruction whose registers are all known; implied ones of the stack are left out.
 * @param bytes at least the instruction's bytes (at most 15 count)
 * @param rip virtual address of the first of them
 */
export function memoryOperands(bytes: Uint8Array, rip: bigint, registers: Registers): MemoryOperand[] {
  const iced = createRequire(import.meta.url)('iced-x86') as typeof import('iced-x86');
  const decoder = new iced.Decoder(64, bytes, iced.DecoderOptions.None);
  decoder.ip = rip;
  const instruction = decoder.decode();
  const factory = new iced.InstructionInfoFactory();
  const info = factory.info(instruction);
  try {
    const operands: MemoryOperand[] = [];
    if (instruction.isInvalid) return operands;
    for (const memory of info.usedMemory()) {
      const operand = workOut(memory);
      memory.free();
      if (operand !== null) operands.push(operand);
    }
    return operands;
  } finally {
    info.free();
    factory.free();
    instruction.free();
    decoder.free();
  }

  function workOut(memory: import('iced-x86').UsedMemory): MemoryOperand | null {
    const { Register, OpAccess } = iced;
    if (memory.segment === Register.GS || memory.segment === Register.FS) return null; // per-CPU: base unknown here
    if (memory.base === Register.RSP) return null;
    const parts: { name: RegisterName; value: bigint }[] = [];
    let address = memory.displacement;
    for (const [register, scale] of [
      [memory.base, 1],
      [memory.index, memory.scale],
    ] as const) {
      if (register === Register.None || register === Register.RIP) continue;
      const name = Register[register]?.toLowerCase() as RegisterName | undefined;
      const value = name === undefined ? undefined : registers[name];
      if (name === undefined || value === undefined) return null;
      parts.push({ name, value });
      address += value * BigInt(scale);
    }
    const access = accessOf(memory.access, OpAccess);
    if (access === null) return null;
    const displacement = parts.length === 0 ? 0n : BigInt.asIntN(64, memory.displacement);
    return { address: BigInt.asUintN(64, address), access, registers: parts, displacement };
  }
}

function accessOf(access: number, kinds: typeof import('iced-x86').OpAccess): MemoryOperand['access'] | null {
  switch (access) {
    case kinds.Read:
    case kinds.CondRead:
      return 'read';
    case kinds.Write:
    case kinds.CondWrite:
      return 'write';
    case kinds.ReadWrite:
    case kinds.ReadCondWrite:
      return 'read-write';
    default:
      return null;
  }
}
