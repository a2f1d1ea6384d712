// What debug information in files says of the place where it went wrong: the functions there with their lines, and the
// bad pointer by its name in the source.
import { type VirtAddr, virtAddr } from '../base/address.ts';
import { InquestError } from '../base/errors.ts';
import { hex } from '../base/text.ts';
import { typeText } from '../debuginfo/c_declaration.ts';
import type { FrameState, Local } from '../debuginfo/debug_info.ts';
import { localValue } from '../debuginfo/local_value.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { type CompoundType, sizeOf, strip, type Type } from '../debuginfo/type.ts';
import { frameStates } from '../kernel/frame_state.ts';
import { codeInfoAt } from '../kernel/source_line.ts';
import type { BadPointer, SourceFunction } from './analysis.ts';
import type { Facts } from './facts.ts';
import type { FaultAccess } from './fault.ts';

/** Deepest nesting of structs in which a member is looked for. */
const maxDepth = 8;

/** The functions at an address, innermost first: inlined ones, then the one whose code it is. Empty where nobody knows. */
export function sourceFunctions({ kernel }: Facts, address: VirtAddr): SourceFunction[] {
  const code = codeInfoAt(kernel, address);
  if (code === null) return [];
  const functions: SourceFunction[] = [];
  let line = code.line(address);
  for (const inlined of code.inlines(address)) {
    functions.push({ name: inlined.name, inlined: true, file: line?.file ?? null, line: line?.line ?? null });
    line = inlined.calledAt;
  }
  if (line === null && functions.length === 0) return [];
  const name = kernel.place(address)?.symbol.name ?? '';
  functions.push({ name, inlined: false, file: line?.file ?? null, line: line?.line ?? null });
  return functions;
}

/**
 * The pointer through which the faulting instruction went, by its name in the source: a variable that holds what the
 * address was made of, or a pointer in a struct that one points to. Null where none fits, or several do.
 */
export function badPointer(facts: Facts, access: FaultAccess): BadPointer | null {
  const { kernel, exception } = facts;
  const [register, ...more] = access.registers;
  if (exception === null || register === undefined || more.length > 0) return null;
  const at = virtAddr(kernel.arch.registers.instructionPointer(exception.registers));
  const locals = codeInfoAt(kernel, at)?.locals(at) ?? [];
  if (locals.length === 0) return null;
  const state = stateAt(facts, at);
  const bad: Bad = { base: register.value, offset: Number(access.operand.displacement) };
  const direct: BadPointer[] = [];
  const inside: BadPointer[] = [];
  for (const local of locals) {
    try {
      collect(facts, local, state, bad, direct, inside);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error; // a variable that cannot be read names nothing
    }
  }
  const found = direct.length > 0 ? direct : inside;
  const names = new Set(found.map(({ expression }) => expression));
  return names.size === 1 ? found[0]! : null;
}

/** What an address was made of: a pointer, and a distance from it in bytes. */
interface Bad {
  readonly base: bigint;
  readonly offset: number;
}

function stateAt({ kernel, crashTrace, exception }: Facts, at: VirtAddr): FrameState {
  const index = crashTrace.frames.findIndex(({ kind, address }) => kind === 'interrupted' && address === at);
  const known = index < 0 ? undefined : frameStates(kernel, crashTrace, null)[index];
  return {
    registers: exception!.registers,
    cfa: known?.cfa ?? null,
    space: kernel.space,
    caller: known?.caller ?? null,
  };
}

function collect(
  facts: Facts,
  local: Local,
  state: FrameState,
  bad: Bad,
  direct: BadPointer[],
  inside: BadPointer[],
): void {
  const found = localValue(local, state, facts.kernel);
  if ('reason' in found || local.type === null) return;
  const type = strip(local.type);
  if (type.kind !== 'pointer') return;
  const value = found.object.pointer();
  if (value === bad.base) {
    const pointer = asBad(local.name, local.type, bad);
    if (pointer !== null) direct.push(pointer);
    return;
  }
  const target = strip(type.target);
  if (target.kind !== 'struct' && target.kind !== 'union') return;
  for (const member of pointersIn(found.object, target)) {
    if (member.object.pointer() !== bad.base) continue;
    const pointer = asBad(`${local.name}->${member.path}`, member.object.type, bad);
    if (pointer !== null) inside.push(pointer);
  }
}

/** A pointer by name, if what it points to has something at the distance that was touched. */
function asBad(expression: string, type: Type, { base, offset }: Bad): BadPointer | null {
  const pointer = strip(type);
  if (pointer.kind !== 'pointer') return null;
  const target = strip(pointer.target);
  if (target.kind !== 'struct' && target.kind !== 'union') {
    return offset === 0 ? { expression, type: typeText(type), member: null, value: hex(base) } : null;
  }
  const member = memberAt(target, offset * 8, 0);
  return member === null ? null : { expression, type: typeText(type), member, value: hex(base) };
}

/** The direct members of a struct that are pointers, those of its nameless parts too. */
function* pointersIn(pointer: KernelObject, type: CompoundType): Generator<{ path: string; object: KernelObject }> {
  for (const member of type.members) {
    if (member.name !== '' && strip(member.type).kind === 'pointer') {
      yield { path: member.name, object: pointer.member(member.name) };
    }
  }
}

/** Path of the member at a distance in bits; null where there is none. */
function memberAt(type: CompoundType, bits: number, depth: number): string | null {
  if (depth > maxDepth) return null;
  for (const member of type.members) {
    const inner = strip(member.type);
    const end = member.bitOffset + sizeOf(member.type) * 8;
    if (bits < member.bitOffset || bits >= end) continue;
    if (inner.kind === 'struct' || inner.kind === 'union') {
      const within = memberAt(inner, bits - member.bitOffset, depth + 1);
      if (within !== null) return member.name === '' ? within : `${member.name}.${within}`;
      continue;
    }
    if (member.name === '') continue;
    return inner.kind === 'array' && sizeOf(inner.element) > 0
      ? `${member.name}[${Math.floor((bits - member.bitOffset) / 8 / sizeOf(inner.element))}]`
      : member.name;
  }
  return null;
}
