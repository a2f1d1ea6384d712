// A row of call frame information as a rule of unwinding: from the registers of a frame to its caller's.
import { offsetBy, type VirtAddr, virtAddr } from '../../base/address.ts';
import { MemoryFault } from '../../base/errors.ts';
import type { FrameDistances, FrameState, UnwindRule } from '../debug_info.ts';
import { compute } from './expression.ts';
import type { ExpressionFrame } from './expression_frame.ts';
import type { FrameRow, RegisterRule } from './frame_rules.ts';
import type { DwarfRegisters } from './registers.ts';

/** The parts of an unwinding that do not depend on the frame. */
export interface RuleContext {
  readonly registers: DwarfRegisters;
  readonly returnAddress: number;
  readonly signalFrame: boolean;
  readonly addressSize: number;
  /** An address of the file as one of the dead kernel. */
  relocate(linked: bigint): bigint;
}

export function unwindRule(row: FrameRow, start: VirtAddr, end: VirtAddr, context: RuleContext): UnwindRule {
  const { registers: machine } = context;
  const cfaOf = (frame: FrameState): VirtAddr | null => {
    const { cfa } = row;
    if (cfa === null) return null;
    if (cfa.kind === 'expression') {
      const value = compute(cfa.expression, expressionFrame(frame, context, null), widths(context));
      return value === null ? null : virtAddr(value);
    }
    const base = registerOf(frame, machine, cfa.register);
    return base === null ? null : offsetBy(virtAddr(base), cfa.offset);
  };
  return {
    start,
    end,
    signalFrame: context.signalFrame,
    distances: distancesOf(row, context),
    cfa: cfaOf,
    caller(frame) {
      const cfa = cfaOf(frame);
      if (cfa === null) return null;
      const found: Record<string, bigint> = {};
      for (const [number, name] of machine.names.entries()) {
        if (name === null) continue;
        const rule = row.registers.get(number);
        const value =
          rule === undefined
            ? machine.preserved.includes(number)
              ? registerOf(frame, machine, number)
              : null
            : callersValue(rule, number, frame, cfa, context);
        if (value !== null) found[name] = BigInt.asUintN(64, value);
      }
      const returnRule = row.registers.get(context.returnAddress);
      const counter =
        returnRule === undefined
          ? registerOf(frame, machine, context.returnAddress) // arm64: a function that has not saved x30
          : callersValue(returnRule, context.returnAddress, frame, cfa, context);
      if (counter === null) return null;
      found[machine.names[machine.stackPointer]!] ??= cfa;
      found[machine.programCounter] = BigInt.asUintN(64, counter);
      return found;
    },
  };
}

function distancesOf(
  { cfa, registers }: FrameRow,
  { registers: machine, returnAddress }: RuleContext,
): FrameDistances | null {
  if (cfa?.kind !== 'register') return null;
  const { stackPointer, framePointer } = machine;
  if (cfa.register !== stackPointer && cfa.register !== framePointer) return null;
  const returns = registers.get(returnAddress);
  const saved = registers.get(framePointer) ?? { kind: 'same' };
  if (returns?.kind !== 'at' || (saved.kind !== 'at' && saved.kind !== 'same')) return null;
  return {
    cfaRegister: cfa.register === stackPointer ? 'stack pointer' : 'frame pointer',
    cfaOffset: cfa.offset,
    returnAddress: returns.offset,
    framePointer: saved.kind === 'at' ? saved.offset : null,
  };
}

function callersValue(
  rule: RegisterRule,
  number: number,
  frame: FrameState,
  cfa: VirtAddr,
  context: RuleContext,
): bigint | null {
  switch (rule.kind) {
    case 'undefined':
      return null;
    case 'same':
      return registerOf(frame, context.registers, number);
    case 'at':
      return load(frame, offsetBy(cfa, rule.offset));
    case 'value':
      return offsetBy(cfa, rule.offset);
    case 'register':
      return registerOf(frame, context.registers, rule.register);
    case 'at-expression':
    case 'value-expression': {
      const value = compute(rule.expression, expressionFrame(frame, context, cfa), widths(context), [cfa]);
      if (value === null) return null;
      return rule.kind === 'value-expression' ? value : load(frame, virtAddr(value));
    }
  }
}

function load({ space }: FrameState, at: VirtAddr): bigint | null {
  try {
    return space.u64(at);
  } catch (error) {
    if (error instanceof MemoryFault) return null;
    throw error;
  }
}

/** A frame's register by DWARF's number; null where it is not known. */
export function registerOf({ registers }: FrameState, machine: DwarfRegisters, number: number): bigint | null {
  const name = machine.names[number];
  return name == null ? null : (registers[name] ?? null);
}

function widths({ addressSize }: RuleContext): { addressSize: number; offsetSize: number } {
  return { addressSize, offsetSize: 4 };
}

/** What expressions in call frame information may ask: registers, memory and the frame address. */
function expressionFrame(frame: FrameState, context: RuleContext, cfa: VirtAddr | null): ExpressionFrame {
  return {
    register: (number) => registerOf(frame, context.registers, number),
    registerName: (number) => context.registers.names[number] ?? `register ${number}`,
    cfa: () => cfa,
    frameBase: () => null,
    read: (address, size) => frame.space.read(virtAddr(address), size),
    entryValue: () => null,
    address: (linked) => context.relocate(linked),
    indexedAddress: () => null,
    integerType: () => null,
    called: () => null,
  };
}
