// Which pointer was that? From the register that a fault went through back to where its value came from: instruction by
// instruction, through the callers, to a variable, a member of an object, what a function returned, or a constant.
//
//   add 0x240(%rdx),%rax     rdx is 0
//   mov (%rdi),%rdx          rdx was loaded from what rdi points to: there is 0
//   (entry)                  rdi is argument 1
//   mov var(%rip),%rdi       its caller loaded it from crashme_session
import type { Instruction, MemoryOperand } from '../arch/decoder.ts';
import { type WorkedOut, workOut } from '../arch/decoder.ts';
import { type VirtAddr, virtAddr } from '../base/address.ts';
import { hex } from '../base/text.ts';
import type { Type } from '../debuginfo/type.ts';
import type { Backtrace } from '../kernel/backtrace.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { parameterOf } from './arguments.ts';
import { type ObjectNow, objectNow, objectWords } from './object_now.ts';
import { type FrameValues, jumpedFrom, stackValues } from './stack_values.ts';
import { linear, type Value } from './value.ts';
import { calledAt, memberIn, nameOf, objectType, placeName, pointedTo, typeLabel } from './value_name.ts';
import { valueWords } from './value_words.ts';

/** - `proved`: follows from the code and memory; `likely`: memory may have changed since; `possible`: one of several */
export type StepSureness = 'proved' | 'likely' | 'possible';

/** One step back from the fault. */
export interface OriginStep {
  readonly kind:
    | 'access'
    | 'load'
    | 'argument'
    | 'constant'
    | 'returned'
    | 'computed'
    | 'one-of'
    | 'object'
    | 'unknown';
  /** What happened there, in a sentence without its full stop. */
  readonly words: string;
  /** The instruction; null where it is of none. */
  readonly at: VirtAddr | null;
  /** The command that shows it; of its output, the last lines count. */
  readonly command: string | null;
  readonly sure: StepSureness;
}

/** How the trail ends. */
export type OriginEnd =
  /** in memory: of a variable, or of an object that something points to */
  | 'memory'
  /** in the code itself */
  | 'constant'
  /** in what a function returned */
  | 'returned'
  /** at an argument whose caller is not known to have it from anywhere */
  | 'argument'
  /** where several ways meet, and it is not told which was taken */
  | 'several'
  | 'unknown';

export interface Origin {
  /** The instruction that faulted, or the call of an address that holds no code. */
  readonly at: VirtAddr;
  /** The register that the bad address was made of; null where the code's own pointer was bad and came from memory. */
  readonly register: string | null;
  /** What it held. */
  readonly value: bigint;
  /** The address that the access went to; null for a call. */
  readonly address: VirtAddr | null;
  /** What the access meant: a member of a type; null where that is not known. */
  readonly touched: { readonly type: string; readonly member: string } | null;
  /** From the fault backwards. */
  readonly steps: readonly OriginStep[];
  readonly end: OriginEnd;
  /** The least sure of the steps. */
  readonly sure: StepSureness;
  /** The memory that the value came from, and what that is now; null where it came from none. */
  readonly source: (ObjectNow & { readonly address: VirtAddr }) | null;
  /** All of it in one sentence, without its full stop: `rdx was loaded from x->y, and that is NULL`. */
  readonly sentence: string;
}

/** Frames of callers that are gone through. */
const maxCallers = 24;
/** Steps that are taken. */
const maxSteps = 24;

/**
 * Where the bad value of a fault came from.
 * @param entry index of the entry code's frame, with the registers of the fault
 * @param cpu the CPU that it happened on
 * @returns null where the instruction touched no memory by a register, or its function cannot be followed
 */
export function originOf(kernel: Kernel, trace: Backtrace, entry: number, cpu: number | null): Origin | null {
  const { frames } = trace;
  const at = frames.findIndex(({ kind }, i) => i > entry && kind === 'interrupted');
  const interrupted = frames[at];
  if (interrupted === undefined) return null;
  const part = { ...trace, frames: frames.slice(at) };
  const registers = interrupted.registers ?? frames[entry]?.registers ?? null;
  if (registers === null) return null;
  const values = stackValues(
    kernel,
    { ...part, frames: [{ ...interrupted, registers }, ...part.frames.slice(1)] },
    { asleep: null, cpu, limit: maxCallers },
  );
  const isCode = kernel.faults.attempt('page tables', () => kernel.arch.space.isExecutable(interrupted.address), true);
  const [own, caller] = values;
  if (!isCode)
    return caller === undefined || caller === null ? null : calledNowhere(kernel, caller, interrupted.address);
  if (own === undefined || own === null) return null;
  const instruction = own.where.flow.code.instructions[own.where.position]!;
  const access = badAccess(kernel, instruction, own);
  return access === null ? fixedAddress(kernel, instruction) : faulted(own, instruction, access);
}

/** An access whose address stands in the code. */
function fixedAddress(kernel: Kernel, instruction: Instruction): Origin | null {
  const operand = instruction.operands.find((one) => one.kind === 'memory' && one.access !== 'none');
  if (operand?.kind !== 'memory' || operand.address === null || operand.segment !== null) return null;
  const words = `${placeWords(kernel, instruction.address)} goes for 0x${hex(operand.address)}, which is a constant in its code`;
  return {
    at: instruction.address,
    register: null,
    value: operand.address,
    address: operand.address,
    touched: null,
    steps: [
      {
        kind: 'constant',
        words,
        at: instruction.address,
        command: `dis ${hex(instruction.address)} 1`,
        sure: 'proved',
      },
    ],
    end: 'constant',
    sure: 'proved',
    source: null,
    sentence: words,
  };
}

interface BadAccess extends WorkedOut {
  readonly operand: MemoryOperand;
  /** The register to ask after. */
  readonly register: string;
}

/** The memory operand that faulted, and which of its registers is to blame. */
function badAccess(kernel: Kernel, instruction: Instruction, frame: FrameValues): BadAccess | null {
  const found = instruction.operands.flatMap((operand) => {
    const out = operand.kind === 'memory' && operand.access !== 'none' ? workOut(operand, frame.registers) : null;
    return out === null ? [] : [{ operand: operand as MemoryOperand, ...out }];
  });
  const access = found.find(({ address }) => !kernel.space.isReadable(address)) ?? found[0];
  if (access === undefined) return null;
  const { base, index } = access.operand;
  const isMapped = (name: string): boolean => kernel.space.isReadable(virtAddr(frame.registers[name] ?? 0n));
  const register = base === null ? index : index !== null && isMapped(base) ? index : base;
  return register === null ? null : { ...access, register };
}

function faulted(frame: FrameValues, instruction: Instruction, access: BadAccess): Origin {
  const { kernel } = frame;
  const { register, operand } = access;
  const value = frame.registers[register]!;
  const moved = instruction.writes.includes(register) && /^(?:movs|stos|lods|cmps|scas)/.test(instruction.mnemonic);
  const touched = touchedMember(frame, operand, register);
  const what = operand.access === 'write' ? 'writes' : operand.access === 'read' ? 'reads' : 'reads and writes';
  const first: OriginStep = {
    kind: 'access',
    words: `${placeWords(kernel, instruction.address)} ${what} 0x${hex(access.address)}${touched === null ? '' : ` (${touched.member} of a ${touched.type})`}, and ${register} is ${valueWords(kernel, value)}`,
    at: instruction.address,
    command: `dis ${hex(instruction.address)} 1`,
    sure: 'proved',
  };
  const trail = new Trail(first);
  trail.follow(frame, frame.value(register), moved ? null : value, register);
  const of = operand.index !== null && register === operand.index ? `the index ${register}` : register;
  return {
    at: instruction.address,
    register,
    value,
    address: access.address,
    touched,
    ...trail.result(),
    sentence: trail.sentence(kernel, of, value),
  };
}

/** A call by a pointer that points to no code: the caller's registers are those of the fault. */
function calledNowhere(kernel: Kernel, caller: FrameValues, target: bigint): Origin | null {
  if (caller.where.flow.code.instructions[caller.where.position]!.flow !== 'call') return null;
  // what the caller called, by what is known without the registers that the fault left
  const called = caller.asCall().calledPointer();
  if (called === null) {
    // the pointer was overwritten since, as callbacks are that are called once; another function would have jumped on
    const now = caller.pointerInMemory();
    return now === null || (now !== target && kernel.arch.isKernelAddress(now)) ? null : sentTo(caller, target);
  }
  if (called === target) return sentTo(caller, target);
  // a function that is there, and whose last act was a jump by a pointer; or code that went on until its memory was gone
  const between = jumpedFrom(caller, virtAddr(called));
  return between === null ? null : sentTo(between, target);
}

/** The call or jump of a frame goes to an address that holds no code. */
function sentTo(frame: FrameValues, target: bigint): Origin | null {
  const { kernel } = frame;
  const { flow, position, state } = frame.where;
  const instruction = flow.code.instructions[position]!;
  const [operand] = instruction.operands;
  const name = frame.pointerRegister();
  const first: OriginStep = {
    kind: 'access',
    words: `${placeWords(kernel, instruction.address)} ${instruction.flow === 'call' ? 'calls a function at' : 'jumps to'} ${valueWords(kernel, target)}, where there is none`,
    at: instruction.address,
    command: `dis ${hex(instruction.address)} 1`,
    sure: 'proved',
  };
  const trail = new Trail(first);
  if (name !== null) trail.follow(frame, flow.register(state, name), target, name);
  else if (operand?.kind === 'memory') {
    const address = flow.address(state, operand);
    if (address === null) return null;
    const load = flow.values.load(instruction.address, address, operand.segment, 8, false);
    trail.follow(frame, load, target, null);
  } else return null;
  return {
    at: instruction.address,
    register: name,
    value: target,
    address: null,
    touched: null,
    ...trail.result(),
    sentence: trail.sentence(kernel, 'the function pointer', target),
  };
}

/** The member that an access meant, by the type of what the register points to. */
function touchedMember(frame: FrameValues, operand: MemoryOperand, register: string): Origin['touched'] {
  if (register !== operand.base || operand.index !== null) return null;
  const value = frame.value(register);
  const { values } = frame.where.flow;
  const address = values.add(value, values.constant(operand.displacement));
  // the type of what the address is a member of: of the pointer that it was computed from
  const { terms, offset } = linear(address ?? value);
  const [only] = terms;
  if (terms.length !== 1 || only!.factor !== 1n) return null;
  const type: Type | null = pointedTo(nameOf(frame, only!.value)?.type ?? null) ?? objectType(frame, only!.value);
  const member = type === null ? null : memberIn(type, Number(offset), operand.width);
  return type === null || member === null ? null : { type: typeLabel(type), member: member.path };
}

/** `crashme_update_stats+12` */
function placeWords(kernel: Kernel, at: VirtAddr): string {
  const place = kernel.place(at);
  if (place === null) return hex(at);
  return place.offset === 0 ? place.symbol.name : `${place.symbol.name}+${place.offset}`;
}

/** A place in the kernel's or a module's image by its symbol; null for any other number. */
function symbolOf(kernel: Kernel, address: bigint): string | null {
  const place = kernel.arch.isKernelAddress(address) ? kernel.place(virtAddr(address)) : null;
  if (place === null) return null;
  return place.offset === 0 ? place.symbol.name : `${place.symbol.name}+0x${hex(place.offset)}`;
}

/** Memory that nobody has a name for, by its symbol or address. */
function memoryWords(kernel: Kernel, address: VirtAddr | null): string {
  if (address === null) return 'memory whose address is no longer known';
  return symbolOf(kernel, address) ?? hex(address);
}

/** Steps from a fault back to where its value came from. */
class Trail {
  private readonly steps: OriginStep[];
  private end: OriginEnd = 'unknown';
  private source: Origin['source'] = null;
  /** How the sentence goes on behind the register. */
  private tells: ((what: string, value: string) => string) | null = null;

  constructor(first: OriginStep) {
    this.steps = [first];
  }

  result(): Pick<Origin, 'steps' | 'end' | 'sure' | 'source'> {
    const sure = this.steps.some((step) => step.sure === 'possible')
      ? 'possible'
      : this.steps.some((step) => step.sure === 'likely')
        ? 'likely'
        : 'proved';
    return { steps: this.steps, end: this.end, sure, source: this.source };
  }

  sentence(kernel: Kernel, what: string, value: bigint): string {
    const words = valueWords(kernel, value);
    const told = this.tells?.(what, words) ?? `${what} is ${words}; where it came from cannot be told`;
    return this.source === null ? told : `${told}${objectWords(this.source)}`;
  }

  /**
   * Goes back from a value.
   * @param bits what it was; null where that is not known
   * @param name the register that held it; null for none
   */
  follow(frame: FrameValues, value: Value, bits: bigint | null, name: string | null): void {
    if (this.steps.length >= maxSteps) return;
    const { kernel } = frame;
    const what = name ?? 'it';
    switch (value.kind) {
      case 'constant': {
        this.end = 'constant';
        const words = valueWords(kernel, value.value);
        this.add(
          'constant',
          `${frame.name}() itself sets ${what} to ${words}`,
          frame.at,
          `dis -r ${hex(frame.at)}`,
          'proved',
        );
        this.tells ??= (register) => `${register} was set to ${words} by ${frame.name}() itself`;
        return;
      }
      case 'entry':
      case 'slot':
        this.argument(frame, value, bits, what);
        return;
      case 'load':
        this.load(frame, value, bits, what);
        return;
      case 'left': {
        const called = value.returned ? calledAt(frame, value.at) : null;
        if (!value.returned) {
          this.add(
            'unknown',
            `${what} was left by the call at ${placeWords(kernel, value.at)}`,
            value.at,
            `dis ${hex(value.at)} 1`,
            'likely',
          );
          return;
        }
        this.end = 'returned';
        const who = called === null ? 'the function that a pointer leads to' : `${called}()`;
        this.add(
          'returned',
          `${what} is what ${who} returned at ${placeWords(kernel, value.at)}`,
          value.at,
          `dis ${hex(value.at)} 1`,
          'proved',
        );
        this.tells ??= (register, words) =>
          `${register} is what ${who} returned to ${frame.name}(), and that is ${words}`;
        return;
      }
      case 'sum':
        this.sum(frame, value, bits, what);
        return;
      case 'extended':
        this.follow(frame, value.of, null, name);
        return;
      case 'merge':
      case 'choice':
        this.oneOf(frame, value, bits, what);
        return;
      case 'combined':
      case 'unknown': {
        const at = value.kind === 'unknown' ? value.at : null;
        const where = at === null ? '' : ` at ${placeWords(kernel, at)}`;
        this.add('unknown', `${what} was computed${where}`, at, at === null ? null : `dis ${hex(at)} 1`, 'likely');
        return;
      }
    }
  }

  private load(frame: FrameValues, load: Extract<Value, { kind: 'load' }>, bits: bigint | null, what: string): void {
    const { kernel } = frame;
    this.end = 'memory';
    const known = frame.evaluate(load.address);
    const address = known === null ? null : frame.absolute(known.value, load.segment);
    const name = placeName(frame, load);
    const now = address === null ? null : frame.word(address, load.width);
    const mask = load.width >= 8 ? 0xffff_ffff_ffff_ffffn : (1n << BigInt(load.width * 8)) - 1n;
    const agrees = now !== null && bits !== null && now === (bits & mask);
    const where = name?.text ?? memoryWords(kernel, address);
    const there =
      now === null || bits === null
        ? ''
        : agrees
          ? `: ${valueWords(kernel, now)} is there`
          : `: there is ${valueWords(kernel, now)} now`;
    // a global's address is in the code; another must be known, and hold what was loaded
    const sure = agrees ? 'proved' : 'likely';
    const at = address === null ? '' : ` (${hex(address)})`;
    this.add(
      'load',
      `${placeWords(kernel, load.at)} loaded ${what} from ${where}${name === null ? '' : at}${there}`,
      load.at,
      address === null ? `dis ${hex(load.at)} 1` : `rd ${load.width === 8 ? '' : `-${load.width * 8} `}${hex(address)}`,
      sure,
    );
    this.tells ??= (register, words) =>
      `${register} was loaded from ${where}, and that ${agrees || now === null ? 'is' : 'was'} ${words}${agrees || now === null || bits === null ? '' : ` (now it is ${valueWords(kernel, now)})`}`;
    if (address !== null) {
      const object = objectNow(kernel, address, bits ?? now);
      if (object !== null) {
        this.source = { ...object, address };
        if (object.words !== '') this.add('object', object.words, null, object.command, object.sure);
      }
    }
    // how the code got there
    const { terms } = linear(load.address);
    const [only] = terms;
    if (terms.length === 1 && only!.factor === 1n && load.segment === null)
      this.way(frame, only!.value, heldBits(frame, only!.value));
  }

  /**
   * How the pointer was come by through which a bad value was loaded: it is good itself.
   * @param bits what it was, if something still holds it
   */
  private way(frame: FrameValues, value: Value, bits: bigint | null): void {
    if (this.steps.length >= maxSteps) return;
    const { kernel } = frame;
    const known = bits ?? frame.evaluate(value)?.value ?? null;
    const shown = known === null ? 'that pointer' : hex(known);
    if (value.kind === 'entry' || value.kind === 'slot') {
      const passed = this.passed(frame, value);
      if (passed === null) return;
      this.add(
        'argument',
        `${shown} is ${this.parameter(frame, value)}, passed by ${passed.caller.name}()`,
        passed.caller.at,
        `dis -r ${hex(passed.caller.at)}`,
        passed.sure,
      );
      this.way(passed.caller, passed.value, bits);
      return;
    }
    if (value.kind === 'load') {
      const place = frame.evaluate(value.address);
      const address = place === null ? null : frame.absolute(place.value, value.segment);
      const now = address === null ? null : frame.word(address, value.width);
      const name = placeName(frame, value);
      const from = name?.text ?? memoryWords(kernel, address);
      this.add(
        'load',
        `${placeWords(kernel, value.at)} loaded ${shown} from ${from}`,
        value.at,
        address === null ? `dis ${hex(value.at)} 1` : `rd ${hex(address)}`,
        now !== null && now === bits ? 'proved' : 'likely',
      );
      const { terms } = linear(value.address);
      const [only] = terms;
      if (terms.length === 1 && only!.factor === 1n && value.segment === null)
        this.way(frame, only!.value, heldBits(frame, only!.value));
      return;
    }
    const name = nameOf(frame, value);
    if (value.kind === 'left' && value.returned && name !== null)
      this.add(
        'returned',
        `${shown} is ${name.text} at ${placeWords(kernel, value.at)}`,
        value.at,
        `dis ${hex(value.at)} 1`,
        'proved',
      );
  }

  private parameter(frame: FrameValues, value: Value): string {
    const prototype = frame.kernel.functionType(frame.name);
    const parameter = prototype === null ? null : parameterOf(frame, prototype, value);
    const { arguments: registers } = frame.kernel.arch.registers;
    const index = parameter?.index ?? (value.kind === 'entry' ? registers.indexOf(value.register) : -1);
    const name = parameter === null || parameter.name === '' ? '' : ` (${parameter.name})`;
    if (index >= 0) return `argument ${index + 1}${name} of ${frame.name}()`;
    return value.kind === 'entry'
      ? `what ${value.register} held when ${frame.name}() was called`
      : `an argument of ${frame.name}() on the stack`;
  }

  /** What the caller had in a register or stack slot that its callee was entered with. */
  private passed(
    frame: FrameValues,
    value: Extract<Value, { kind: 'entry' | 'slot' }>,
  ): { caller: FrameValues; value: Value; sure: 'proved' | 'likely' } | null {
    if (frame.caller === null) return null;
    const { frame: caller, sure } = frame.caller;
    let passed: Value;
    if (value.kind === 'entry') passed = caller.value(value.register);
    else {
      const { stack } = frame.kernel.arch.registers;
      const pointer = caller.where.flow.stackOffset(caller.value(stack.pointer));
      if (pointer === null || value.offset < stack.pushedByCall) return null;
      passed = caller.slot(pointer + value.offset - stack.pushedByCall);
    }
    return { caller, value: passed, sure };
  }

  private argument(
    frame: FrameValues,
    value: Extract<Value, { kind: 'entry' | 'slot' }>,
    bits: bigint | null,
    what: string,
  ): void {
    const { kernel } = frame;
    const parameter = this.parameter(frame, value);
    const passed = this.passed(frame, value);
    if (passed === null) {
      this.end = 'argument';
      this.add('argument', `${what} is ${parameter}`, frame.where.flow.code.symbol.address, 'bt', 'proved');
      this.tells ??= (register, words) => `${register} is ${parameter}, and that is ${words}`;
      return;
    }
    this.add(
      'argument',
      `${what} is ${parameter}, passed by ${passed.caller.name}()`,
      passed.caller.at,
      `dis -r ${hex(passed.caller.at)}`,
      passed.sure,
    );
    if (passed.value.kind === 'constant') {
      const words = valueWords(kernel, passed.value.value);
      this.end = 'constant';
      this.add(
        'constant',
        `${passed.caller.name}() passes ${words}`,
        passed.caller.at,
        `dis -r ${hex(passed.caller.at)}`,
        'proved',
      );
      this.tells ??= (register) => `${register} is ${parameter}, for which ${passed.caller.name}() passes ${words}`;
      return;
    }
    this.follow(passed.caller, passed.value, bits, parameter);
    if (this.tells === null) this.end = 'argument';
    this.tells ??= (register, words) =>
      `${register} is ${parameter}, passed by ${passed.caller.name}(), and that is ${words}`;
  }

  private sum(frame: FrameValues, value: Extract<Value, { kind: 'sum' }>, bits: bigint | null, what: string): void {
    const { kernel } = frame;
    const [only, other] = value.terms;
    const sign = value.offset < 0n ? '-' : '+';
    const distance = value.offset < 0n ? -value.offset : value.offset;
    if (other === undefined && only!.factor === 1n) {
      if (only!.value.kind === 'entry' && only!.value.register === kernel.arch.registers.stack.pointer) {
        this.end = 'memory';
        this.add('computed', `${what} is an address on the stack of ${frame.name}()`, null, null, 'proved');
        this.tells ??= (register) => `${register} is an address on the stack of ${frame.name}()`;
        return;
      }
      const rest = bits === null ? null : BigInt.asUintN(64, bits - value.offset);
      const array = symbolOf(kernel, BigInt.asUintN(64, value.offset));
      if (array !== null) {
        const index = `${nameOf(frame, only!.value)?.text ?? 'a value'}${rest === null ? '' : ` (0x${hex(rest)})`}`;
        this.end = 'constant';
        this.add('computed', `${what} is the address of ${array} plus ${index}`, null, null, 'proved');
        this.tells ??= (register) => `${register} is the address of ${array} plus ${index}`;
        return;
      }
      const name = nameOf(frame, only!.value);
      const of = name === null ? 'a value' : name.text;
      this.add(
        'computed',
        `${what} is ${of} ${sign} 0x${hex(distance)}${rest === null ? '' : `, of which the first is ${valueWords(kernel, rest)}`}`,
        null,
        null,
        'proved',
      );
      this.follow(frame, only!.value, rest, name?.text ?? null);
      const tells = this.tells;
      if (tells !== null && rest !== null)
        this.tells = (register) =>
          `${register} is ${sign === '+' ? `0x${hex(distance)} more` : `0x${hex(distance)} less`} than a pointer that is bad: ${tells('that', valueWords(kernel, rest))}`;
      return;
    }
    // an array and an index into it, or a distance between two
    const known = value.terms.map((term) => ({ ...term, known: frame.evaluate(term.value) }));
    const parts = known.map(({ value: term, factor, known: part }) => {
      const name = nameOf(frame, term)?.text ?? 'a value';
      const times = factor === 1n ? '' : ` * 0x${hex(BigInt.asUintN(64, factor))}`;
      return `${name}${part === null ? '' : ` (0x${hex(part.value)})`}${times}`;
    });
    this.add(
      'computed',
      `${what} is ${parts.join(' + ')}${value.offset === 0n ? '' : ` ${sign} 0x${hex(distance)}`}`,
      null,
      null,
      'proved',
    );
    const unmapped = known.filter(({ known: part }) => part === null || !kernel.space.isReadable(virtAddr(part.value)));
    const [suspect] = unmapped;
    if (unmapped.length === 1 && suspect !== undefined) {
      const name = nameOf(frame, suspect.value)?.text ?? 'the index';
      this.follow(frame, suspect.value, suspect.known?.value ?? null, name);
      const tells = this.tells;
      if (tells !== null && suspect.known !== null)
        this.tells = (register) =>
          `${register} was computed with an index: ${tells('that', `0x${hex(suspect.known!.value)}`)}`;
    }
    this.tells ??= (register, words) => `${register} was computed as ${parts.join(' + ')}, and that is ${words}`;
  }

  /** Several ways meet: those that cannot have given the value are left out. */
  private oneOf(
    frame: FrameValues,
    value: Extract<Value, { kind: 'merge' | 'choice' }>,
    bits: bigint | null,
    what: string,
  ): void {
    const { kernel } = frame;
    const all = candidates(frame, value);
    const judged = all.map((candidate) => ({
      candidate,
      verdict: bits === null ? 'open' : judge(frame, candidate, bits),
    }));
    const left = judged.filter(({ verdict }) => verdict !== 'impossible');
    const fitting = left.filter(({ verdict }) => verdict === 'fits');
    const chosen = left.length === 1 ? left[0]! : fitting.length === 1 ? fitting[0]! : null;
    if (chosen !== null) {
      if (judged.length > 1) {
        const sure = left.length === 1 ? 'proved' : 'likely';
        const words = `${what} may come along ${judged.length} ways in ${frame.name}(); ${left.length === 1 ? 'the others cannot have given' : 'of these one has'} ${valueWords(kernel, bits ?? 0n)}`;
        this.add('one-of', words, frame.at, `dis -r ${hex(frame.at)}`, sure);
      }
      this.follow(frame, chosen.candidate, bits, what);
      return;
    }
    this.end = 'several';
    const names = [
      ...new Set(left.map(({ candidate }) => nameOf(frame, candidate)?.text ?? candidateWords(kernel, candidate))),
    ];
    const list = names.slice(0, 4).join(', or ');
    const more = names.length > 4 ? `, or ${names.length - 4} others` : '';
    this.add(
      'one-of',
      `${what} is one of several, by the way that was taken through ${frame.name}(): ${list}${more}`,
      frame.at,
      `dis -r ${hex(frame.at)}`,
      'possible',
    );
    this.tells ??= (register, words) => `${register} is ${words}, and was one of: ${list}${more}`;
  }

  private add(
    kind: OriginStep['kind'],
    words: string,
    at: VirtAddr | null,
    command: string | null,
    sure: StepSureness,
  ): void {
    this.steps.push({ kind, words, at, command, sure });
  }
}

/** What a value was, by a register or stack slot that still holds it; not by memory, which may have changed. */
function heldBits(frame: FrameValues, value: Value): bigint | null {
  const known = frame.evaluate(value);
  return known !== null && known.sure === 'proved' ? known.value : null;
}

function candidateWords(kernel: Kernel, value: Value): string {
  switch (value.kind) {
    case 'constant':
      return valueWords(kernel, value.value);
    case 'load':
      return `what ${placeWords(kernel, value.at)} loaded`;
    case 'left':
      return `what the call at ${placeWords(kernel, value.at)} left`;
    case 'entry':
    case 'slot':
      return 'an argument';
    case 'sum':
    case 'extended':
    case 'combined':
    case 'merge':
    case 'choice':
    case 'unknown':
      return 'a value that was computed';
  }
}

/** Values that may have come where ways meet. */
const maxCandidates = 16;

/** What may have come, through merges of merges. */
function candidates(frame: FrameValues, value: Extract<Value, { kind: 'merge' | 'choice' }>): Value[] {
  const found = new Set<Value>();
  const seen = new Set<Value>([value]);
  const waiting: Value[] = [value];
  while (waiting.length > 0 && seen.size < 64) {
    const next = waiting.pop()!;
    const sources =
      next.kind === 'merge'
        ? frame.where.flow.sources(next).map((source) => source.value)
        : next.kind === 'choice'
          ? [next.one, next.other]
          : [];
    for (const source of sources) {
      if (seen.has(source)) continue;
      seen.add(source);
      if (source.kind === 'merge' || source.kind === 'choice') waiting.push(source);
      else found.add(source);
    }
  }
  return [...found].slice(0, maxCandidates);
}

/** Whether a value can have been what was found. */
function judge(frame: FrameValues, value: Value, bits: bigint): 'fits' | 'impossible' | 'open' {
  const known = frame.evaluate(value);
  if (known === null) return 'open';
  if (known.value === bits) return 'fits';
  return known.sure === 'proved' ? 'impossible' : 'open';
}
