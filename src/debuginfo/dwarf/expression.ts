// DWARF expressions (DWARF 5, section 2.5): small programs for a stack machine that say where a variable is or what
// a register was. Typed operations work on integers; floating point is not known in kernels.
import { virtAddr } from '../../base/address.ts';
import type { LocalPlace } from '../debug_info.ts';
import type { Cursor } from './cursor.ts';
import type { ExpressionFrame, ExpressionWidths } from './expression_frame.ts';
import { generic, isBinary, isUnary, littleEndian, placeOrUnknown, StackMachine, Unknown } from './stack_machine.ts';

/** Where the value is that an expression locates. Throws nothing: what cannot be worked out is a place that says so. */
export function locate(bytes: Uint8Array, frame: ExpressionFrame, widths: ExpressionWidths): LocalPlace {
  return placeOrUnknown(() => new StackMachine(step, frame, widths).locate(bytes));
}

/** The number that an expression computes. @param initial what is on the stack at the start @returns null where it cannot be worked out */
export function compute(
  bytes: Uint8Array,
  frame: ExpressionFrame,
  widths: ExpressionWidths,
  initial: readonly bigint[] = [],
): bigint | null {
  const place = placeOrUnknown(() => {
    const machine = new StackMachine(step, frame, widths, initial);
    machine.run(bytes);
    return { kind: 'memory', address: virtAddr(machine.pop()) };
  });
  return place.kind === 'memory' ? place.address : null;
}

type Operation = (machine: StackMachine, cursor: Cursor) => void;

/** By DW_OP_*; those of GNU from 0xe0 on. */
const operations: Readonly<Record<number, Operation>> = {
  // addr
  3: (m, c) => m.push(m.frame.address(m.widths.addressSize === 4 ? BigInt(c.u32()) : c.u64())),
  // deref
  6: (m) => m.push(m.load(m.pop(), m.widths.addressSize)),
  // const1u, const1s, ..., constu, consts
  8: (m, c) => m.push(BigInt(c.u8())),
  9: (m, c) => m.push(BigInt(c.i8())),
  10: (m, c) => m.push(BigInt(c.u16())),
  11: (m, c) => m.push(BigInt.asIntN(16, BigInt(c.u16()))),
  12: (m, c) => m.push(BigInt(c.u32())),
  13: (m, c) => m.push(BigInt.asIntN(32, BigInt(c.u32()))),
  14: (m, c) => m.push(c.u64()),
  15: (m, c) => m.push(c.u64()),
  16: (m, c) => m.push(c.uleb64()),
  17: (m, c) => m.push(c.sleb64()),
  // dup, drop, over, pick, swap, rot
  18: (m) => m.pick(0),
  19: (m) => void m.pop(),
  20: (m) => m.pick(1),
  21: (m, c) => m.pick(c.u8()),
  22: (m) => m.rotate(2),
  23: (m) => m.rotate(3),
  // plus_uconst
  35: (m, c) => {
    const kind = m.top();
    m.push(m.pop() + c.uleb64(), kind);
  },
  // bra, skip
  40: (m, c) => {
    const offset = (c.u16() << 16) >> 16;
    if (m.pop() !== 0n) c.at += offset;
  },
  47: (_, c) => {
    const offset = (c.u16() << 16) >> 16;
    c.at += offset;
  },
  // regx, fbreg, bregx
  144: (m, c) => m.mean({ kind: 'register', number: c.uleb() }),
  145: (m, c) => m.push(m.need(m.frame.frameBase(), 'the frame base') + c.sleb64()),
  146: (m, c) => {
    const number = c.uleb();
    m.push(m.register(number) + c.sleb64());
  },
  // piece, bit_piece
  147: (m, c) => m.part(c.uleb() * 8),
  157: (m, c) => {
    const bits = c.uleb();
    if (c.uleb() !== 0) throw new Unknown('a piece that begins inside a byte');
    m.part(bits);
  },
  // deref_size, nop
  148: (m, c) => m.push(m.load(m.pop(), c.u8())),
  150: () => {},
  // call2, call4
  152: (m, c) => m.call(c.u16()),
  153: (m, c) => m.call(c.u32()),
  // call_frame_cfa
  156: (m) => m.push(m.need(m.frame.cfa(), 'the canonical frame address')),
  // implicit_value, stack_value
  158: (m, c) => m.mean({ kind: 'bytes', bytes: c.take(c.uleb()).slice() }),
  159: (m) => m.mean({ kind: 'value' }),
  160: implicitPointer,
  242: implicitPointer,
  // addrx, constx
  161: (m, c) => m.push(m.frame.address(m.need(m.frame.indexedAddress(c.uleb()), 'an address by its number'))),
  251: (m, c) => m.push(m.frame.address(m.need(m.frame.indexedAddress(c.uleb()), 'an address by its number'))),
  162: (m, c) => m.push(m.need(m.frame.indexedAddress(c.uleb()), 'a constant by its number')),
  252: (m, c) => m.push(m.need(m.frame.indexedAddress(c.uleb()), 'a constant by its number')),
  163: entryValue,
  243: entryValue,
  164: typedConstant,
  244: typedConstant,
  165: typedRegister,
  245: typedRegister,
  166: typedLoad,
  246: typedLoad,
  // convert, reinterpret
  168: convert,
  169: convert,
  247: convert,
  249: convert,
};

function implicitPointer(machine: StackMachine, cursor: Cursor): void {
  cursor.offset(machine.widths.offsetSize);
  cursor.skipLeb();
  machine.mean({ kind: 'pointer' });
}

function entryValue(machine: StackMachine, cursor: Cursor): void {
  const value = machine.frame.entryValue(cursor.take(cursor.uleb()));
  machine.push(machine.need(value, 'the value when the function was entered'));
}

function typedConstant(machine: StackMachine, cursor: Cursor): void {
  const kind = machine.integer(cursor.uleb());
  machine.push(littleEndian(cursor.take(cursor.u8())), kind);
}

function typedRegister(machine: StackMachine, cursor: Cursor): void {
  const value = machine.register(cursor.uleb());
  machine.push(value, machine.integer(cursor.uleb()));
}

function typedLoad(machine: StackMachine, cursor: Cursor): void {
  const size = cursor.u8();
  const kind = machine.integer(cursor.uleb());
  machine.push(machine.load(machine.pop(), size), kind);
}

/** To the generic type where none is named. */
function convert(machine: StackMachine, cursor: Cursor): void {
  const type = cursor.uleb();
  const value = machine.signedTop();
  machine.push(value, type === 0 ? generic : machine.integer(type));
}

/** Does one operation. */
function step(machine: StackMachine, cursor: Cursor): void {
  const op = cursor.u8();
  if (op >= 0x30 && op <= 0x4f)
    machine.push(BigInt(op - 0x30)); // lit0 to lit31
  else if (op >= 0x50 && op <= 0x6f)
    machine.mean({ kind: 'register', number: op - 0x50 }); // reg0 to reg31
  else if (op >= 0x70 && op <= 0x8f)
    machine.push(machine.register(op - 0x70) + cursor.sleb64()); // breg0 to breg31
  else if (isUnary(op)) machine.unary(op);
  else if (isBinary(op)) machine.binary(op);
  else {
    const operation = operations[op];
    if (operation === undefined) throw new Unknown(`operation 0x${op.toString(16)} of an expression`);
    operation(machine, cursor);
  }
}
