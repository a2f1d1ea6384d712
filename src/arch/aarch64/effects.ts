// What instructions of arm64 do to registers and memory (Arm ARM C6): those that compilers move values with.
import type { Instruction, MemoryOperand, Operand, RegisterOperand } from '../decoder.ts';
import {
  based,
  constant,
  type Effect,
  type Expression,
  type Operation,
  operandTarget,
  operandValue,
  unknownEffects,
} from '../effects.ts';

const operations: ReadonlyMap<string, Operation> = new Map([
  ['add', 'add'],
  ['sub', 'sub'],
  ['and', 'and'],
  ['orr', 'or'],
  ['eor', 'xor'],
  ['lsl', 'shl'],
  ['lsr', 'shr'],
  ['mul', 'mul'],
]);

export function arm64Effects(instruction: Instruction): readonly Effect[] {
  const { mnemonic, operands } = instruction;
  const [to, from, third, ...more] = operands;
  const memory = operands.find((operand) => operand.kind === 'memory');
  const registers = operands.filter((operand) => operand.kind === 'register');
  if (memory !== undefined && memory.width > 0) {
    const signed = /^ld[a-z]*s[bhw]?$/.test(mnemonic) || mnemonic === 'ldpsw';
    if (/^(?:ldr|ldur|ldtr|ldar|ldapr|ldapur)/.test(mnemonic) && registers.length === 1)
      return [...moved(registers, memory, 'load', signed), ...writeBack(instruction, memory, registers)];
    if (/^(?:str|stur|sttr|stlr|stlur)/.test(mnemonic) && registers.length === 1)
      return [...moved(registers, memory, 'store', false), ...writeBack(instruction, memory, registers)];
    if (/^(?:ldp|ldnp)/.test(mnemonic) && registers.length === 2)
      return [...moved(registers, memory, 'load', signed), ...writeBack(instruction, memory, registers)];
    if (/^(?:stp|stnp)/.test(mnemonic) && registers.length === 2)
      return [...moved(registers, memory, 'store', false), ...writeBack(instruction, memory, registers)];
  }
  if (to?.kind === 'register' && to.access === 'write' && from !== undefined && more.length === 0) {
    if (third === undefined) {
      if (mnemonic === 'mov') return set(to, value(from));
      if ((mnemonic === 'adrp' || mnemonic === 'adr') && from.kind === 'memory')
        return set(to, { kind: 'address', operand: from });
      if (/^sxt[bhw]$/.test(mnemonic) && from.kind === 'register')
        return set(to, operandValue({ ...from, width: { b: 1, h: 2, w: 4 }[mnemonic[3] as 'b' | 'h' | 'w'] }, true));
    } else {
      const op = operations.get(mnemonic);
      if (op !== undefined)
        return set(to, { kind: 'combine', op, left: value(from), right: value(third), width: to.width });
    }
  }
  if (/^csel$/.test(mnemonic) && to?.kind === 'register' && from !== undefined && third !== undefined)
    return set(to, { kind: 'choice', one: value(from), other: value(third) });
  return unknownEffects(instruction);
}

/** The zero register reads as 0. */
function value(operand: Operand): Expression {
  return operand.kind === 'register' && operand.name === 'xzr' ? constant(0n) : operandValue(operand);
}

function set(operand: Operand, from: Expression): Effect[] {
  const to = operandTarget(operand);
  return to === null || (to.kind === 'register' && to.name === 'xzr') ? [] : [{ to, value: from }];
}

/** One register or two, to or from memory. */
function moved(
  registers: readonly RegisterOperand[],
  memory: MemoryOperand,
  way: 'load' | 'store',
  signed: boolean,
): Effect[] {
  const width = memory.width / registers.length;
  return registers.flatMap((register, i) => {
    const operand = { ...memory, displacement: memory.displacement + BigInt(i * width), width };
    const at = memory.address === null || i === 0 ? operand : { ...operand, address: null };
    if (way === 'store') return [{ to: { kind: 'memory', operand: at, width } as const, value: value(register) }];
    return set({ ...register, width: 8, access: 'write' }, { kind: 'memory', operand: at, width, signed });
  });
}

/** `[sp, #-32]!` and `[sp], #32`: the base gets the address that was used, or the one behind it. */
function writeBack(
  { operands, writes }: Instruction,
  { base, displacement }: MemoryOperand,
  registers: readonly RegisterOperand[],
): Effect[] {
  if (base === null || !writes.includes(base)) return [];
  if (registers.some(({ name, access }) => name === base && access !== 'read')) return [];
  const last = operands.at(-1);
  const distance = last?.kind === 'immediate' ? last.value : displacement;
  return [
    { to: { kind: 'register', name: base, width: 8 }, value: { kind: 'address', operand: based(base, distance, 8) } },
  ];
}
