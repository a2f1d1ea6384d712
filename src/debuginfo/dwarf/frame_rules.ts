// The instructions of call frame information, run up to an address: rules by which the caller's registers are found
// (DWARF 5, section 6.4.2).
import { FormatError } from '../../base/errors.ts';
import type { LinkAddress } from './address.ts';
import { Cursor } from './cursor.ts';
import type { CommonFrame, FunctionFrame } from './frame_table.ts';

/** Most instructions of one function. */
const maxSteps = 200_000;
const maxRemembered = 64;
const maxRegisters = 256;

/** Where the canonical frame address is. */
export type CfaRule =
  | { readonly kind: 'register'; readonly register: number; readonly offset: number }
  | { readonly kind: 'expression'; readonly expression: Uint8Array };

/** Where the caller's value of a register is. Offsets are from the canonical frame address, in bytes. */
export type RegisterRule =
  /** it is lost */
  | { readonly kind: 'undefined' }
  /** it is still there */
  | { readonly kind: 'same' }
  | { readonly kind: 'at'; readonly offset: number }
  | { readonly kind: 'value'; readonly offset: number }
  | { readonly kind: 'register'; readonly register: number }
  | { readonly kind: 'at-expression'; readonly expression: Uint8Array }
  | { readonly kind: 'value-expression'; readonly expression: Uint8Array };

/** What holds from an address on. */
export interface FrameRow {
  readonly start: LinkAddress;
  readonly end: LinkAddress;
  readonly cfa: CfaRule | null;
  /** By DWARF's register number; registers without a rule are the calling convention's matter. */
  readonly registers: ReadonlyMap<number, RegisterRule>;
}

/** The row that holds at an address of a function. @throws FormatError for instructions that make no sense */
export function frameRow(frame: FunctionFrame, address: LinkAddress, what: string): FrameRow {
  const { common } = frame;
  const initial = new Program(frame.start, common, what);
  initial.run(common.instructions, null);
  const program = new Program(frame.start, common, what, initial);
  const next = program.run(frame.instructions, address);
  return { start: program.location, end: next ?? frame.end, cfa: program.cfa, registers: program.registers };
}

interface Remembered {
  readonly cfa: CfaRule | null;
  readonly registers: Map<number, RegisterRule>;
}

class Program {
  location: LinkAddress;
  cfa: CfaRule | null;
  registers: Map<number, RegisterRule>;
  private readonly common: CommonFrame;
  private readonly what: string;
  /** What a function's rules begin with, and go back to. */
  private readonly initial: Program | null;
  private readonly remembered: Remembered[] = [];

  constructor(start: LinkAddress, common: CommonFrame, what: string, initial: Program | null = null) {
    this.location = start;
    this.common = common;
    this.what = what;
    this.initial = initial;
    this.cfa = initial?.cfa ?? null;
    this.registers = new Map(initial?.registers);
  }

  /** Runs up to the row of an address. @returns where the next row begins; null for the last */
  run(bytes: Uint8Array, address: LinkAddress | null): LinkAddress | null {
    const cursor = new Cursor(bytes, this.what);
    const { codeAlignment, addressSize } = this.common;
    for (let steps = 0; cursor.at < bytes.length; steps++) {
      if (steps > maxSteps) throw new FormatError(this.what, `a function of over ${maxSteps} frame instructions`);
      const op = cursor.u8();
      let next: LinkAddress | null = null;
      if (op >> 6 === 1) next = this.location + (op & 0x3f) * codeAlignment;
      else if (op === 0x01) next = cursor.address(addressSize);
      else if (op === 0x02) next = this.location + cursor.u8() * codeAlignment;
      else if (op === 0x03) next = this.location + cursor.u16() * codeAlignment;
      else if (op === 0x04) next = this.location + cursor.u32() * codeAlignment;
      else this.rule(op, cursor);
      cursor.check();
      if (next === null) continue;
      if (address !== null && next > address) return next;
      this.location = next;
    }
    return null;
  }

  private rule(op: number, cursor: Cursor): void {
    const { dataAlignment } = this.common;
    if (op >> 6 === 2) this.set(op & 0x3f, { kind: 'at', offset: cursor.uleb() * dataAlignment });
    else if (op >> 6 === 3) this.restore(op & 0x3f);
    else this.longRule(op, cursor);
  }

  private longRule(op: number, cursor: Cursor): void {
    const { dataAlignment } = this.common;
    switch (op) {
      case 0x00: // nop
        return;
      case 0x05: {
        const register = cursor.uleb();
        this.set(register, { kind: 'at', offset: cursor.uleb() * dataAlignment });
        return;
      }
      case 0x06:
        this.restore(cursor.uleb());
        return;
      case 0x07:
        this.set(cursor.uleb(), { kind: 'undefined' });
        return;
      case 0x08:
        this.set(cursor.uleb(), { kind: 'same' });
        return;
      case 0x09: {
        const register = cursor.uleb();
        this.set(register, { kind: 'register', register: cursor.uleb() });
        return;
      }
      case 0x0a:
        if (this.remembered.length >= maxRemembered)
          throw new FormatError(this.what, 'frame rules remembered too often');
        this.remembered.push({ cfa: this.cfa, registers: new Map(this.registers) });
        return;
      case 0x0b: {
        const before = this.remembered.pop();
        if (before === undefined) throw new FormatError(this.what, 'frame rules that were not remembered');
        this.cfa = before.cfa;
        this.registers = before.registers;
        return;
      }
      case 0x0c: {
        const register = cursor.uleb();
        this.cfa = { kind: 'register', register, offset: cursor.uleb() };
        return;
      }
      case 0x0d:
        this.changeCfa({ register: cursor.uleb() });
        return;
      case 0x0e:
        this.changeCfa({ offset: cursor.uleb() });
        return;
      case 0x0f:
        this.cfa = { kind: 'expression', expression: cursor.take(cursor.uleb()) };
        return;
      case 0x10: {
        const register = cursor.uleb();
        this.set(register, { kind: 'at-expression', expression: cursor.take(cursor.uleb()) });
        return;
      }
      case 0x11: {
        const register = cursor.uleb();
        this.set(register, { kind: 'at', offset: cursor.sleb() * dataAlignment });
        return;
      }
      case 0x12: {
        const register = cursor.uleb();
        this.cfa = { kind: 'register', register, offset: cursor.sleb() * dataAlignment };
        return;
      }
      case 0x13:
        this.changeCfa({ offset: cursor.sleb() * dataAlignment });
        return;
      case 0x14: {
        const register = cursor.uleb();
        this.set(register, { kind: 'value', offset: cursor.uleb() * dataAlignment });
        return;
      }
      case 0x15: {
        const register = cursor.uleb();
        this.set(register, { kind: 'value', offset: cursor.sleb() * dataAlignment });
        return;
      }
      case 0x16: {
        const register = cursor.uleb();
        this.set(register, { kind: 'value-expression', expression: cursor.take(cursor.uleb()) });
        return;
      }
      case 0x2d: // arm64: from here on (or no more) return addresses are signed
        return;
      case 0x2e: // GNU_args_size
        cursor.skipLeb();
        return;
      case 0x2f: {
        const register = cursor.uleb();
        this.set(register, { kind: 'at', offset: -cursor.uleb() * dataAlignment });
        return;
      }
      default:
        throw new FormatError(this.what, `frame instruction 0x${op.toString(16)}`);
    }
  }

  private set(register: number, rule: RegisterRule): void {
    if (this.registers.size > maxRegisters)
      throw new FormatError(this.what, `rules for over ${maxRegisters} registers`);
    this.registers.set(register, rule);
  }

  private restore(register: number): void {
    const rule = this.initial?.registers.get(register);
    if (rule === undefined) this.registers.delete(register);
    else this.registers.set(register, rule);
  }

  private changeCfa(change: { register?: number; offset?: number }): void {
    const { cfa } = this;
    if (cfa?.kind !== 'register') throw new FormatError(this.what, 'a frame address that is changed before it is set');
    this.cfa = { ...cfa, ...change };
  }
}
