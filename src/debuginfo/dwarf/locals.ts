// Parameters and variables of a function, and where their values are in a frame.
import { type VirtAddr, virtAddr } from '../../base/address.ts';
import { FormatError } from '../../base/errors.ts';
import type { FrameState, Local, LocalPlace, SourceLine } from '../debug_info.ts';
import { sizeOf, type Type } from '../type.ts';
import { type LinkAddress, linkToVirtual } from './address.ts';
import { attribute, form, tag } from './constants.ts';
import { Die } from './die.ts';
import type { DwarfFile } from './dwarf_file.ts';
import { compute, locate } from './expression.ts';
import type { ExpressionFrame } from './expression_frame.ts';
import { expressionAt } from './location_lists.ts';
import { rangesOf } from './ranges.ts';
import { dwarfRegisters } from './registers.ts';
import { registerOf } from './unwind_rule.ts';

/** How many callers up a value is followed that only they still have. */
const maxCallers = 4;
/** Deepest nesting in which calls are looked for. */
const maxDepth = 64;

/** What locating the variables of a function needs, besides a frame. */
export interface LocalContext {
  readonly file: DwarfFile;
  readonly subprogram: Die;
  /** Where the code is. */
  readonly address: LinkAddress;
  /** @throws FormatError */
  typeOf(die: Die): Type;
  relocate(linked: bigint): VirtAddr;
  /** The same for the function that a call returns to, at the address that it returns to. @throws FormatError */
  callers(returnAddress: VirtAddr): LocalContext | null;
}

/** @throws FormatError for a damaged entry */
export function localOf(die: Die, inline: number, context: LocalContext, declaredAt: SourceLine | null): Local {
  return {
    name: die.name,
    kind: die.tag === tag.formalParameter ? 'parameter' : 'variable',
    type: orNull(() => context.typeOf(die)),
    inline,
    declaredAt,
    where: (frame) => place(die, context, frame),
  };
}

function place(die: Die, context: LocalContext, frame: FrameState): LocalPlace {
  try {
    if (die.has(attribute.location)) {
      const expression = expressionAt(die, attribute.location, context.address);
      if (expression === null) return optimizedOut;
      return locate(expression, expressionFrame(context, frame, 0), context.file.widths);
    }
    const constant = die.withAttribute(attribute.constValue);
    if (constant !== null) return { kind: 'value', bytes: constantBytes(constant, sizeOf(context.typeOf(die))) };
    const outside = die.withAttribute(attribute.location); // a static variable
    if (outside === null) return optimizedOut;
    const expression = expressionAt(outside, attribute.location, context.address);
    return expression === null
      ? optimizedOut
      : locate(expression, expressionFrame(context, frame, 0), context.file.widths);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { kind: 'none', reason: 'not-known', detail: error.message };
  }
}

const optimizedOut: LocalPlace = { kind: 'none', reason: 'optimized-out', detail: '' };

function constantBytes(die: Die, size: number): Uint8Array {
  const block = die.block(attribute.constValue);
  if (block !== null) return block.slice();
  const text = die.form(attribute.constValue) === form.string || die.form(attribute.constValue) === form.strp;
  if (text) return Buffer.from(`${die.string(attribute.constValue) ?? ''}\0`, 'latin1');
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt.asIntN(64, die.signed(attribute.constValue) ?? 0n), true);
  return bytes.subarray(0, size > 0 && size < 8 ? size : 8);
}

function expressionFrame(context: LocalContext, frame: FrameState, depth: number): ExpressionFrame {
  const { file, subprogram } = context;
  const { unit } = subprogram;
  const machine = dwarfRegisters(file.elf.machine);
  const self: ExpressionFrame = {
    register: (number) => (machine === null ? null : registerOf(frame, machine, number)),
    registerName: (number) => machine?.names[number] ?? `register ${number}`,
    cfa: () => frame.cfa,
    frameBase() {
      const expression = expressionAt(subprogram, attribute.frameBase, context.address);
      if (expression === null) return null;
      const where = locate(expression, { ...self, frameBase: () => null }, file.widths);
      // DW_OP_reg6 means: the base is what the register holds
      if (where.kind === 'memory') return where.address;
      return where.kind === 'value' && where.bytes.length === 8
        ? new DataView(where.bytes.buffer, where.bytes.byteOffset, 8).getBigUint64(0, true)
        : null;
    },
    read: (address, size) => frame.space.read(virtAddr(address), size),
    entryValue: (expression) => entryValue(expression, context, frame, depth),
    address: (linked) => context.relocate(linked),
    indexedAddress: (index) => orNull(() => linkToVirtual(unit.file.indexedAddress(unit, index))),
    integerType(offset) {
      const type = orNull(() => Die.at(unit, unit.offset + offset));
      if (type === null || type.tag !== tag.baseType) return null;
      const encoding = type.number(attribute.encoding);
      const size = type.number(attribute.byteSize) ?? 0;
      if (encoding === 3 || encoding === 4) return null; // floating point
      return { size, signed: encoding === 5 || encoding === 6 };
    },
    called: (offset) => orNull(() => Die.at(unit, unit.offset + offset).block(attribute.location)),
  };
  return self;
}

/**
 * What an expression (nearly always a register) had for a value when the function was entered, by what the caller says
 * of its call: DW_TAG_call_site_parameter. Null where that is not told, or another function may have been in between.
 */
function entryValue(expression: Uint8Array, context: LocalContext, frame: FrameState, depth: number): bigint | null {
  const { caller } = frame;
  if (caller === null || depth >= maxCallers) return null;
  return orNull(() => {
    const outer = context.callers(caller.at);
    if (outer === null) return null;
    const site = callSite(outer.subprogram, outer.address, 0);
    if (site === null) return null;
    const asked = expressionFrame(outer, caller.frame, depth + 1);
    if (!calls(site, context, outer, asked)) return null;
    for (const parameter of site.children()) {
      if (parameter.tag !== tag.callSiteParameter && parameter.tag !== tag.gnuCallSiteParameter) continue;
      const location = parameter.block(attribute.location);
      if (location === null || Buffer.compare(location, expression) !== 0) continue;
      const value = parameter.block(attribute.callValue) ?? parameter.block(attribute.gnuCallSiteValue);
      return value === null ? null : compute(value, asked, outer.file.widths);
    }
    return null;
  });
}

/** Whether a call goes to the function itself: one that ended with a jump would leave other values in the registers. */
function calls(site: Die, context: LocalContext, outer: LocalContext, frame: ExpressionFrame): boolean {
  const target = site.reference(attribute.callOrigin) ?? site.reference(attribute.abstractOrigin);
  if (target !== null) return target.name === context.subprogram.name;
  const computed = site.block(attribute.callTarget) ?? site.block(0x2113); // GNU_call_site_target
  const address = computed === null ? null : compute(computed, frame, outer.file.widths);
  const start = rangesOf(context.subprogram)[0]?.start;
  return address !== null && start !== undefined && address === context.relocate(linkToVirtual(start));
}

/** The call that returns to an address; null where none is told. */
function callSite(scope: Die, returns: LinkAddress, depth: number): Die | null {
  for (const child of scope.children()) {
    switch (child.tag) {
      case tag.callSite:
        if (child.address(attribute.callReturnPc) === returns) return child;
        break;
      case tag.gnuCallSite:
        if (child.address(attribute.lowPc) === returns) return child;
        break;
      case tag.lexicalBlock:
      case tag.inlinedSubroutine: {
        if (depth >= maxDepth || !rangesOf(child).some(({ start, end }) => returns > start && returns <= end)) break;
        const found = callSite(child, returns, depth + 1);
        if (found !== null) return found;
      }
    }
  }
  return null;
}

function orNull<T>(work: () => T | null): T | null {
  try {
    return work();
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}
