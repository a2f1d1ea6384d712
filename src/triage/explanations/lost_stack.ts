// The stack pointer was none: an exception finds no memory to save registers in.
//
// x86_64 has a stack of its own for that (double fault), with the registers as they were. arm64 goes on with the same
// stack pointer: each exception takes room for registers below it and faults as it writes there, until the stack pointer
// looks like that of a full stack ("Insufficient stack space to handle exception!"; kernel_ventry, arch/arm64/kernel/entry.S):
//
//   sp = 0x1000 in frob()  -->  0xeb0, 0xd60, ... in the vector, whose own registers are what is saved in the end
import type { Instruction } from '../../arch/decoder.ts';
import { virtAddr } from '../../base/address.ts';
import { count, hex } from '../../base/text.ts';
import { backtracer } from '../../kernel/backtrace.ts';
import { readFunction } from '../../origin/function_code.ts';
import { calledFunction } from '../../origin/origin.ts';
import type { Place } from '../analysis.ts';
import { type Facts, instructionAt } from '../facts.ts';
import { placeAt } from '../place.ts';
import { phrases } from '../scene.ts';
import { type Explanation, signsOf } from './explanation.ts';
import { depthFindings } from './stack_end.ts';

export const lostStackPointer: Explanation = {
  name: 'lost-stack-pointer',
  recognises: 'a stack pointer that is no stack',
  weigh(scene) {
    const { facts } = scene;
    const kind = (['double-fault', 'stack-overflow'] as const).find(
      (one) => scene.told === one || scene.onStack === one,
    );
    const signs = kind === undefined ? null : signsOf(scene, kind);
    const pointer = badStackPointer(facts);
    if (signs === null || pointer === null) return null;
    const loss = facts.kernel.faults.attempt('who lost the stack', () => lossOf(facts, pointer), null);
    const about = { ...scene.as('double-fault'), ...(loss === null ? {} : { blamed: loss.place, blamedCaller: null }) };
    const { where, runBy } = phrases(scene, about);
    const start = `The stack pointer was 0x${hex(loss?.pointer ?? pointer)}, which is no stack${where}${runBy}`;
    const undelivered = 'no exception could be delivered there (double fault)';
    return {
      ...signs,
      depth: 'mechanism',
      about,
      speaksFor: [
        ...signs.speaksFor,
        `the stack pointer was 0x${hex(pointer)} at the last exception`,
        ...(loss === null
          ? []
          : [`${loss.register} is 0x${hex(loss.pointer)}, and that code made it the stack pointer`]),
      ],
      sentence:
        loss === null
          ? `${start}: ${undelivered}.`
          : `${start}: it was set there, from ${loss.register}, and ${undelivered}; ${count(loss.exceptions, 'exception')} later it was 0x${hex(pointer)}.`,
      findings: () => depthFindings(facts),
    };
  },
};

/** The stack pointer at the exception, where that is no memory of the kernel; null where it may be a stack. */
function badStackPointer({ exception, kernel }: Facts): bigint | null {
  if (exception === null) return null;
  const pointer = kernel.arch.registers.stackPointer(exception.registers);
  // a stack that is full has its guard page below it, which is not mapped either
  return kernel.arch.isKernelAddress(pointer) ? null : pointer;
}

interface Loss {
  /** The first instruction that used the bad stack pointer. */
  readonly place: Place;
  readonly pointer: bigint;
  /** Whence the stack pointer was loaded; it still has the value. */
  readonly register: string;
  /** How many of them led from `pointer` to the stack pointer of the last. */
  readonly exceptions: number;
}

/**
 * The code that loaded a bad stack pointer, where the exceptions after that have left nothing but their vector's registers:
 * the function that was called last, if it loads the stack pointer from a register which still tells what with. Null where
 * the registers are those of the code itself, and where no such code is found.
 */
function lossOf(facts: Facts, last: bigint): Loss | null {
  const { kernel, crashTrace, crashedCpu, exception } = facts;
  if (exception === null || kernel.arch.registers.link(exception.registers) === null) return null;
  const index = crashTrace.frames.findIndex(
    ({ kind, reliable }, i) => i > exception.index && kind === 'call' && reliable,
  );
  if (index < 0) return null;
  const called = calledFunction(kernel, crashTrace, index, crashedCpu?.cpu ?? null);
  const code = called === null ? null : readFunction(kernel, called);
  const at = instructionAt(facts, exception);
  if (code === null || code.positions.has(at)) return null;
  const room = BigInt(backtracer(kernel).unwinder.savedSize);
  for (const [i, instruction] of code.instructions.entries()) {
    const register = loadsStackPointer(facts, instruction);
    const pointer = register === null ? undefined : exception.registers[register];
    if (register === null || pointer === undefined || pointer < last || (pointer - last) % room !== 0n) continue;
    const user = code.instructions.slice(i + 1).find((next) => usesStack(facts, next));
    const place = placeAt(facts, virtAddr((user ?? instruction).address));
    return { place, pointer, register, exceptions: Number((pointer - last) / room) };
  }
  return null;
}

/** The register that an instruction makes the stack pointer; null for any other instruction. */
function loadsStackPointer({ kernel: { arch } }: Facts, instruction: Instruction): string | null {
  const { pointer, frame } = arch.registers.stack;
  for (const { to, value } of arch.effects(instruction)) {
    if (to.kind !== 'register' || to.name !== pointer || value.kind !== 'register') continue;
    return value.name === frame ? null : value.name;
  }
  return null;
}

function usesStack({ kernel: { arch } }: Facts, { operands }: Instruction): boolean {
  return operands.some((operand) => operand.kind === 'memory' && operand.base === arch.registers.stack.pointer);
}
