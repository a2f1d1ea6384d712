// Values by the names that people have for them: variables, parameters, members of structs, what functions returned.
import { type VirtAddr, virtAddr } from '../base/address.ts';
import { hex } from '../base/text.ts';
import { memberAt } from '../debuginfo/member_at.ts';
import { findMember, sizeOf, strip, type Type } from '../debuginfo/type.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { modulePerCpuSymbol } from '../kernel/percpu_symbols.ts';
import { slabObjectAt } from '../kernel/slab_object.ts';
import { slabType } from '../kernel/slab_types.ts';
import { parameterOf } from './arguments.ts';
import type { FrameValues } from './frame_values.ts';
import { linear, offsetFrom, type Value } from './value.ts';

export interface Name {
  /** An expression of C (`session->dev`), or words (`the first member of what crashme_session points to`). */
  readonly text: string;
  readonly isExpression: boolean;
  /** The way there where members have no names: `session->(+0x8)`; null where it has no start that can be written so. */
  readonly path?: string;
  /** Whether it begins at a variable of the kernel: the same for everybody, where a parameter is of one call. */
  readonly isGlobal: boolean;
  /** Its type; null where that is not known. */
  readonly type: Type | null;
}

/** Deepest expression that is put into words. */
const maxDepth = 8;

/** What a value of a frame is called; null where nobody has a name for it. */
export function nameOf(frame: FrameValues, value: Value): Name | null {
  return named(frame, value, 0);
}

/** What the memory is called that a value was loaded from; null where nobody has a name for it. */
export function placeName(frame: FrameValues, load: Extract<Value, { kind: 'load' }>): Name | null {
  return loaded(frame, load, 0);
}

function named(frame: FrameValues, value: Value, depth: number): Name | null {
  if (depth > maxDepth) return null;
  switch (value.kind) {
    case 'constant':
      return constantName(frame.kernel, value.value);
    case 'entry':
    case 'slot':
      return parameterName(frame, value, depth);
    case 'load':
      return loaded(frame, value, depth);
    case 'left': {
      const called = value.returned ? calledAt(frame, value.at) : null;
      if (called === null) return null;
      const type = frame.kernel.functionType(called)?.returns ?? null;
      return { text: `what ${called}() returned`, isExpression: false, path: `${called}()`, isGlobal: false, type };
    }
    case 'sum': {
      const parts = offsetFrom(value);
      const base = parts === null ? null : named(frame, parts.base, depth + 1);
      if (parts === null || base === null) return null;
      return memberAddress(base, parts.offset);
    }
    case 'extended':
      return named(frame, value.of, depth + 1);
    case 'merge':
    case 'choice':
    case 'combined':
    case 'unknown':
      return null;
  }
}

/** Name of the function that an instruction calls directly; null where that is not told. */
export function calledAt(frame: FrameValues, at: VirtAddr): string | null {
  const { positions, instructions } = frame.where.flow.code;
  const target = instructions[positions.get(at) ?? -1]?.target ?? null;
  const place = target === null ? null : frame.kernel.place(target);
  if (place === null || frame.kernel.arch.thunkRegister(place.symbol.name, place.offset) !== null) return null;
  return place.offset === 0 ? place.symbol.name : null;
}

/** By what the caller passed, if that leads to a name of the whole kernel; else the parameter. */
function parameterName(
  frame: FrameValues,
  value: Extract<Value, { kind: 'entry' | 'slot' }>,
  depth: number,
): Name | null {
  const prototype = frame.kernel.functionType(frame.name);
  const parameter = prototype === null ? null : parameterOf(frame, prototype, value);
  if (frame.caller !== null && value.kind === 'entry') {
    const { frame: caller } = frame.caller;
    const passed = named(caller, caller.value(value.register), depth + 1);
    if (passed !== null && (passed.isGlobal || parameter === null || parameter.name === ''))
      return { ...passed, type: passed.type ?? parameter?.type ?? null };
  }
  if (parameter !== null) {
    const text = parameter.name === '' ? `argument ${parameter.index + 1} of ${frame.name}()` : parameter.name;
    return { text, isExpression: parameter.name !== '', isGlobal: false, type: parameter.type };
  }
  const { arguments: registers } = frame.kernel.arch.registers;
  const index = value.kind === 'entry' ? registers.indexOf(value.register) : -1;
  return index < 0
    ? null
    : { text: `argument ${index + 1} of ${frame.name}()`, isExpression: false, isGlobal: false, type: null };
}

function constantName(kernel: Kernel, value: bigint): Name | null {
  if (!kernel.arch.isKernelAddress(value)) return null;
  const place = kernel.place(virtAddr(value));
  if (place === null) return null;
  const { name } = place.symbol;
  const type = kernel.variableType(name);
  const pointer: Type | null = type === null ? null : { kind: 'pointer', size: 8, target: type };
  const base: Name = { text: `&${name}`, isExpression: true, isGlobal: true, type: pointer };
  return place.offset === 0 ? base : memberAddress(base, BigInt(place.offset));
}

function loaded(frame: FrameValues, load: Extract<Value, { kind: 'load' }>, depth: number): Name | null {
  const { kernel } = frame;
  const { terms, offset } = linear(load.address);
  if (terms.length === 0) {
    const address = BigInt.asUintN(64, offset);
    const place =
      (load.segment === null ? null : modulePerCpuSymbol(kernel, address)) ??
      kernel.place(virtAddr(address)) ??
      perCpuSymbol(kernel, address);
    if (place === null) return null;
    const { name } = place.symbol;
    const type = kernel.variableType(name);
    const current = load.segment === null ? null : currentTask(kernel, name, type, place.offset);
    if (current !== null) return { text: 'current', isExpression: true, isGlobal: true, type: current };
    const label = load.segment === null ? name : `${name} of CPU ${frame.where.cpu ?? '?'}`;
    const isExpression = load.segment === null;
    if (place.offset === 0 && (type === null || !isStruct(type)))
      return { text: label, isExpression, isGlobal: true, type };
    const member = type === null ? null : memberIn(type, place.offset, load.width);
    if (member !== null) return { text: `${label}.${member.path}`, isExpression, isGlobal: true, type: member.type };
    return { text: `${label}+0x${hex(place.offset)}`, isExpression, isGlobal: true, type: null };
  }
  if (load.segment !== null) return null;
  if (terms.length === 2) return elementName(frame, load, depth);
  const parts = offsetFrom(load.address);
  if (parts === null) return null;
  const base = named(frame, parts.base, depth + 1);
  const target = pointedTo(base?.type ?? null) ?? objectType(frame, parts.base);
  const member = target === null ? null : memberIn(target, Number(parts.offset), load.width);
  if (base === null) {
    // its place alone: the member of an object of that kind
    return member === null || target === null
      ? null
      : { text: `${member.path} of a ${typeLabel(target)}`, isExpression: false, isGlobal: false, type: member.type };
  }
  const { isGlobal } = base;
  const isAddress = base.text.startsWith('&');
  if (member !== null && base.isExpression) {
    const text = isAddress ? `${base.text.slice(1)}.${member.path}` : `${asPostfix(base.text)}->${member.path}`;
    return { text, isExpression: true, isGlobal, type: member.type };
  }
  if (member !== null)
    return { text: `${member.path} of ${base.text}`, isExpression: false, isGlobal, type: member.type };
  const { offset: distance } = parts;
  const start = base.path ?? (base.isExpression ? base.text : null);
  const far = `${distance < 0n ? '-' : '+'}0x${hex(distance < 0n ? -distance : distance)}`;
  const path = start === null ? {} : { path: isAddress ? `${start.slice(1)}(${far})` : `${start}->(${far})` };
  const object = isAddress
    ? base.text.slice(1)
    : `what ${base.isExpression ? base.text : (start ?? base.text)} points to`;
  const text =
    distance === 0n
      ? `the first member of ${object}`
      : distance > 0n
        ? `the member 0x${hex(distance)} bytes into ${object}`
        : `the word 0x${hex(-distance)} bytes before ${object}`;
  return { text, isExpression: false, ...path, isGlobal, type: null };
}

/** `device->links[2]`: an element of an array in what a pointer of a known type points to, where the index is known, too. */
function elementName(frame: FrameValues, load: Extract<Value, { kind: 'load' }>, depth: number): Name | null {
  const { terms, offset } = linear(load.address);
  for (const [i, { value, factor }] of terms.entries()) {
    const other = terms[1 - i]!;
    const base = factor === 1n ? named(frame, value, depth + 1) : null;
    const type = pointedTo(base?.type ?? null);
    const index = type === null ? null : frame.evaluate(other.value);
    if (base === null || type === null || index === null || !base.isExpression) continue;
    const distance = BigInt.asIntN(64, offset + other.factor * index.value);
    const member = memberIn(type, Number(distance), load.width);
    // of a member that is no array, nobody asks by an index
    if (member === null || !member.path.includes('[')) continue;
    const { text, isGlobal } = base;
    const path = text.startsWith('&') ? `${text.slice(1)}.${member.path}` : `${asPostfix(text)}->${member.path}`;
    return { text: path, isExpression: true, isGlobal, type: member.type };
  }
  return null;
}

/**
 * Type of the pointer to the task that a CPU runs, if that is what a per-CPU variable has: `current_task`, a member of
 * `pcpu_hot` from e57ef2ed97c1 (6.2) to 46e8fff6d45f (6.15), since then also the alias `const_current_task`.
 */
function currentTask(kernel: Kernel, name: string, type: Type | null, offset: number): Type | null {
  const task = kernel.types.find('struct task_struct');
  const isTask =
    (offset === 0 && /^(?:const_)?current_task$/.test(name)) ||
    (name === 'pcpu_hot' && type !== null && memberIn(type, offset, 8)?.path === 'current_task');
  return isTask && task !== null ? { kind: 'pointer', size: 8, target: task } : null;
}

/** `&x->y` of a pointer and a distance. */
function memberAddress(base: Name, offset: bigint): Name | null {
  if (offset === 0n) return base;
  const target = pointedTo(base.type);
  const member = target === null || offset < 0n ? null : memberIn(target, Number(offset), 0);
  if (member === null || !base.isExpression) {
    const sign = offset < 0n ? '-' : '+';
    const distance = offset < 0n ? -offset : offset;
    return {
      text: `${base.text} ${sign} 0x${hex(distance)}`,
      isExpression: base.isExpression,
      isGlobal: base.isGlobal,
      type: null,
    };
  }
  const path = base.text.startsWith('&') ? `${base.text}.${member.path}` : `&${asPostfix(base.text)}->${member.path}`;
  return {
    text: path,
    isExpression: true,
    isGlobal: base.isGlobal,
    type: { kind: 'pointer', size: 8, target: member.type },
  };
}

function asPostfix(text: string): string {
  return /^[&*]|[ +-](?!>)/.test(text) ? `(${text})` : text;
}

export function pointedTo(type: Type | null): Type | null {
  const pointer = type === null ? null : strip(type);
  return pointer?.kind === 'pointer' && sizeOf(pointer.target) > 0 ? pointer.target : null;
}

function isStruct(type: Type): boolean {
  const { kind } = strip(type);
  return kind === 'struct' || kind === 'union' || kind === 'array';
}

/** The member at a distance from a type's start; null where it has none there, or that starts elsewhere. @param width 0 for any */
export function memberIn(
  type: Type,
  offset: number,
  width: number,
): { readonly path: string; readonly type: Type } | null {
  if (!(offset >= 0 && offset < sizeOf(type))) return null;
  const path = memberAt(type, offset);
  if (path === null || path === '') return null;
  const place = findMember(type, path);
  if (place === null || (width > 0 && (place.bitOffset !== offset * 8 || sizeOf(place.type) < width))) return null;
  return { path, type: place.type };
}

/** The type of the object that a value points to the start of, by its slab cache; null where that tells none. */
export function objectType(frame: FrameValues, pointer: Value): Type | null {
  const known = frame.evaluate(pointer);
  if (known === null || !frame.kernel.arch.isKernelAddress(known.value)) return null;
  const place = slabObjectAt(frame.kernel, virtAddr(known.value));
  return place === null || place.offset !== 0 ? null : slabType(frame.kernel, place.object.cache);
}

export function typeLabel(type: Type): string {
  const t = strip(type);
  return (t.kind === 'struct' || t.kind === 'union') && t.name !== '' ? `${t.kind} ${t.name}` : t.kind;
}

/** The per-CPU variable at an address that is none in memory: kernels that link per-CPU variables from 0. */
function perCpuSymbol(kernel: Kernel, address: bigint): { symbol: { name: string }; offset: number } | null {
  const symbols = kernel.symbols.kernel;
  const symbol = symbols?.symbol(symbols.lastNotAbove(virtAddr(address))) ?? null;
  if (symbol === null || symbol.address > address || address - symbol.address >= BigInt(Math.max(1, symbol.size)))
    return null;
  return { symbol, offset: Number(address - symbol.address) };
}
