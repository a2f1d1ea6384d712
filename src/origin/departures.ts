// How a function that a frame called went on to where no code is: by a jump through a pointer, or by a return to something
// else than its caller.
import type { Instruction } from '../arch/decoder.ts';
import type { Registers } from '../arch/registers.ts';
import type { VirtAddr } from '../base/address.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { slotName } from './data_flow.ts';
import { FrameValues, leadsTo, stackAtEntry, thunkRegister } from './frame_values.ts';
import { readFunction } from './function_code.ts';
import { dataFlow } from './function_flow.ts';
import type { Value } from './value.ts';

/**
 * Whether a function has a jump by a pointer in it (a tail call). Through a retpoline thunk that is a return to the pointer:
 * what it leaves on the stack looks like a return address that was written over.
 */
export function mayJumpByPointer(kernel: Kernel, start: VirtAddr): boolean {
  const { instructions = [] } = readFunction(kernel, start) ?? {};
  return instructions.some((instruction) => isJumpByPointer(kernel, instruction));
}

function isJumpByPointer(kernel: Kernel, { flow, target }: Instruction): boolean {
  return flow === 'jump' && (target === null || thunkRegister(kernel, target) !== null);
}

/**
 * A function that a frame called, where it jumped on by a pointer, with the registers that were left then; null where it
 * does not do that, or in several places.
 */
export function jumpedFrom(caller: FrameValues, start: VirtAddr): FrameValues | null {
  const { kernel, registers } = caller;
  const flow = dataFlow(kernel, start);
  if (flow === null) return null;
  const jumps = [...flow.code.instructions.keys()].filter((i) => isJumpByPointer(kernel, flow.code.instructions[i]!));
  const [position] = jumps;
  const state = position === undefined ? null : flow.stateBefore(position);
  if (jumps.length !== 1 || position === undefined || state === null) return null;
  const { frame, cpu } = caller.where;
  const entryStack = stackAtEntry(kernel, flow, state, registers);
  const made = new FrameValues(kernel, { frame, flow, position, state, isCall: false, cpu, entryStack }, registers);
  made.caller = { frame: caller.asCall(), sure: 'proved' };
  return made;
}

/** A function's return, with what it takes for the address to return to. */
export interface Return {
  readonly frame: FrameValues;
  /** What is on top of the stack then. */
  readonly address: Value;
}

/**
 * Where a function that a frame called returns to something else than its caller, by its own code: it wrote over its return
 * address, or moved the stack pointer. Null for one that does not, or in several places.
 * @param registers as the return found them
 */
export function strayReturn(caller: FrameValues, start: VirtAddr, registers: Registers): Return | null {
  const { kernel } = caller;
  const flow = dataFlow(kernel, start);
  if (flow === null) return null;
  const { pointer } = kernel.arch.registers.stack;
  const stray = [...flow.code.instructions.keys()].flatMap((position) => {
    const state = isReturn(kernel, flow.code.instructions[position]!) ? flow.stateBefore(position) : null;
    const top = state === null ? null : flow.stackOffset(flow.register(state, pointer));
    if (state === null || top === null) return [];
    const address = flow.read(state, slotName(top)).value;
    return address.kind === 'slot' && address.offset === 0 ? [] : [{ position, state, address }];
  });
  const [found] = stray;
  if (found === undefined || stray.length > 1) return null;
  const { position, state, address } = found;
  const { frame, cpu } = caller.where;
  const entryStack = stackAtEntry(kernel, flow, state, registers);
  const made = new FrameValues(kernel, { frame, flow, position, state, isCall: false, cpu, entryStack }, registers);
  made.caller = { frame: caller.asCall(), sure: 'proved' };
  return { frame: made, address };
}

/** Returns, and jumps to code that does nothing else. */
function isReturn(kernel: Kernel, { flow, target }: Instruction): boolean {
  if (flow === 'return') return true;
  return flow === 'jump' && target !== null && kernel.arch.isReturnThunk(kernel.place(target)?.symbol.name ?? '');
}

/** Functions between, each of which ends with a jump, that are gone through. */
const maxHops = 2;

/**
 * The instruction by which a function ends with a jump to another, or to one that jumps on to it in turn; its start where there
 * are several; null for none.
 */
export function jumpTo(kernel: Kernel, start: VirtAddr, target: VirtAddr, hops = 0): VirtAddr | null {
  const code = readFunction(kernel, start);
  const all = (code?.instructions ?? []).filter(
    ({ flow, target: to }) => (flow === 'jump' || flow === 'conditional-jump') && to !== null,
  );
  const direct = all.filter(({ target: to }) => leadsTo(kernel, to!, target));
  const jumps =
    direct.length > 0 || hops >= maxHops
      ? direct
      : all.filter(({ target: to }) => {
          const place = code?.positions.has(to!) === true ? null : kernel.place(to!);
          return place !== null && place.offset < 16 && jumpTo(kernel, place.symbol.address, target, hops + 1) !== null;
        });
  return jumps.length > 1 ? start : (jumps[0]?.address ?? null);
}
