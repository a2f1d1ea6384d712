// What instructions of x86_64 do to registers and memory (Intel SDM volume 2): those that compilers move values with.
import type { Instruction, Operand } from '../decoder.ts';
import {
  based,
  constant,
  type Effect,
  type Expression,
  type Operation,
  operandTarget,
  operandValue,
  registerValue,
  unknownEffects,
  unknownValue,
} from '../effects.ts';

const operations: ReadonlyMap<string, Operation> = new Map([
  ['add', 'add'],
  ['sub', 'sub'],
  ['and', 'and'],
  ['or', 'or'],
  ['xor', 'xor'],
  ['imul', 'mul'],
  ['shl', 'shl'],
  ['sal', 'shl'],
  ['shr', 'shr'],
]);

export function x86Effects(instruction: Instruction): readonly Effect[] {
  const { mnemonic, operands } = instruction;
  const [to, from, third] = operands;
  if (hasHighByte(instruction)) return unknownEffects(instruction);
  switch (mnemonic) {
    case 'mov':
    case 'movzx':
    case 'movabs':
      return to !== undefined && from !== undefined ? set(to, operandValue(from)) : unknownEffects(instruction);
    case 'movsx':
    case 'movsxd':
      return to !== undefined && from !== undefined
        ? set(to, narrowed(to, operandValue(from, true)))
        : unknownEffects(instruction);
    case 'lea':
      return to !== undefined && from?.kind === 'memory'
        ? set(to, { kind: 'address', operand: from })
        : unknownEffects(instruction);
    case 'push':
      return to === undefined ? unknownEffects(instruction) : push(operandValue(to));
    case 'pop':
      return to?.kind === 'register' && to.width === 8 ? pop(to.name) : unknownEffects(instruction);
    case 'pushfq':
      return push(unknownValue);
    case 'leave':
      return [
        {
          to: { kind: 'register', name: 'rsp', width: 8 },
          value: { kind: 'address', operand: based('rbp', 8n, 8) },
        },
        {
          to: { kind: 'register', name: 'rbp', width: 8 },
          value: { kind: 'memory', operand: based('rbp', 0n, 8), width: 8, signed: false },
        },
      ];
    case 'xchg':
      return to !== undefined && from !== undefined
        ? [...set(to, operandValue(from)), ...set(from, operandValue(to))]
        : unknownEffects(instruction);
    case 'inc':
    case 'dec':
      return to === undefined
        ? unknownEffects(instruction)
        : set(to, combined(mnemonic === 'inc' ? 'add' : 'sub', to, constant(1n)));
    case 'cdqe':
      return [{ to: { kind: 'register', name: 'rax', width: 8 }, value: registerValue('rax', 4, true) }];
    default:
  }
  if (/^cmov/.test(mnemonic) && to !== undefined && from !== undefined) {
    return set(to, { kind: 'choice', one: operandValue(to), other: operandValue(from) });
  }
  const op = operations.get(mnemonic);
  if (op !== undefined && to?.kind === 'register' && from !== undefined) {
    if (mnemonic === 'imul' && third !== undefined) {
      const value: Expression = {
        kind: 'combine',
        op,
        left: operandValue(from),
        right: operandValue(third),
        width: to.width,
      };
      return set(to, value);
    }
    const same = from.kind === 'register' && from.name === to.name;
    if (same && (op === 'xor' || op === 'sub')) return set(to, constant(0n));
    return set(to, combined(op, to, operandValue(from)));
  }
  // how far a repeated string instruction goes is in a register
  const [first] = operands;
  if (first?.kind === 'memory' && first.base === 'rdi' && /^(?:stos|movs)/.test(mnemonic)) {
    return unknownEffects(instruction).map((effect) =>
      effect.to.kind === 'memory' ? { ...effect, to: { ...effect.to, width: 0 } } : effect,
    );
  }
  return unknownEffects(instruction);
}

function set(operand: Operand, value: Expression): Effect[] {
  const to = operandTarget(operand);
  return to === null ? [] : [{ to, value }];
}

function combined(op: Operation, to: Operand, right: Expression): Expression {
  const width = to.kind === 'immediate' ? 8 : to.width;
  return { kind: 'combine', op, left: operandValue(to), right, width };
}

/** Sign-extended to a register's lower half, the rest of it is 0. */
function narrowed(to: Operand, value: Expression): Expression {
  if (to.kind !== 'register' || to.width >= 8) return value;
  return { kind: 'combine', op: 'add', left: value, right: constant(0n), width: to.width };
}

function push(value: Expression): Effect[] {
  return [
    { to: { kind: 'memory', operand: based('rsp', -8n, 8), width: 8 }, value },
    { to: { kind: 'register', name: 'rsp', width: 8 }, value: { kind: 'address', operand: based('rsp', -8n, 8) } },
  ];
}

function pop(name: string): Effect[] {
  return [
    { to: { kind: 'register', name: 'rsp', width: 8 }, value: { kind: 'address', operand: based('rsp', 8n, 8) } },
    {
      to: { kind: 'register', name, width: 8 },
      value: { kind: 'memory', operand: based('rsp', 0n, 8), width: 8, signed: false },
    },
  ];
}

/** Registers that have a name for their second byte. */
const withHighByte: ReadonlySet<string> = new Set(['rax', 'rbx', 'rcx', 'rdx']);

/**
 * Whether an operand may be %ah, %bh, %ch or %dh, which operands do not tell from %al and its like: without a REX prefix
 * they are numbers 4 to 7 in ModRM, the instruction's last byte or before its displacement and immediate.
 */
function hasHighByte({ operands, bytes }: Instruction): boolean {
  const isByte = operands.some(
    (operand) => operand.kind === 'register' && operand.width === 1 && withHighByte.has(operand.name),
  );
  if (!isByte) return false;
  let at = 0;
  while (at < bytes.length && [0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x3e, 0x64, 0x65, 0x26, 0x36, 0xf0].includes(bytes[at]!))
    at++;
  if ((bytes[at]! & 0xf0) === 0x40) return false;
  const opcode = bytes[at]!;
  if (opcode >= 0xb0 && opcode <= 0xb7) return opcode >= 0xb4;
  const modrm = bytes[opcode === 0x0f ? at + 2 : at + 1];
  if (modrm === undefined) return false;
  return ((modrm >> 3) & 7) >= 4 || (modrm >> 6 === 3 && (modrm & 7) >= 4);
}
