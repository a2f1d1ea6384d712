// What a loop waits for: the conditions on which it is left, and the values that they look at, as they are now.
//
//   1: pause
//      cmp $1,count(%rip)        left once count > 1; it is 1
//      jle 1b
import type { Instruction, Operand } from '../arch/decoder.ts';
import type { VirtAddr } from '../base/address.ts';
import { hex } from '../base/text.ts';
import type { Backtrace } from '../kernel/backtrace.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { State } from './data_flow.ts';
import type { FrameValues } from './frame_values.ts';
import type { Block, FunctionCode } from './function_code.ts';
import { StackValues } from './stack_values.ts';
import type { Value } from './value.ts';
import { nameOf, placeName } from './value_name.ts';

/** One condition on which a loop is left. */
export interface LoopExit {
  /** The jump that looks at it. */
  readonly at: VirtAddr;
  /** In C: `meet > 1`, `(lock->val & 0xff) == 0`. */
  readonly condition: string;
  /** The memory that is looked at; null where that is not known. */
  readonly address: VirtAddr | null;
  /** Bytes that are looked at. */
  readonly width: number;
  /** What is there now; null where that cannot be read. */
  readonly now: bigint | null;
  /** Whether the condition holds now; null where that is not known. */
  readonly holds: boolean | null;
}

export interface LoopWait {
  /** The function that loops. */
  readonly function: string;
  /** Where it was: of a function that it called, the call. */
  readonly at: VirtAddr;
  /** Instructions of the loop: the first and the last. */
  readonly first: VirtAddr;
  readonly last: VirtAddr;
  /** Those that could be read; by address. */
  readonly exits: readonly LoopExit[];
  /** True for a loop that nothing leads out of. */
  readonly endless: boolean;
  /** False where it can be left on other conditions, too. */
  readonly complete: boolean;
  /** In one sentence, without its full stop. */
  readonly sentence: string;
}

/** Callers that are looked at where the innermost function does not loop: a loop may call what it does. */
const maxCallers = 4;
/** Longest loop that waits, in instructions: others work. */
const maxLoop = 400;

/**
 * What the code waited for that was interrupted.
 * @param entry index of the entry code's frame
 * @param cpu where it ran
 * @returns null where nothing loops, or no condition can be read
 */
export function loopWait(kernel: Kernel, trace: Backtrace, entry: number, cpu: number | null): LoopWait | null {
  const at = trace.frames.findIndex(({ kind }, i) => i > entry && kind === 'interrupted');
  const interrupted = trace.frames[at];
  const registers = interrupted?.registers ?? trace.frames[entry]?.registers ?? null;
  if (interrupted === undefined || registers === null) return null;
  const frames = [{ ...interrupted, registers }, ...trace.frames.slice(at + 1)];
  const values = new StackValues(kernel, { ...trace, frames }, { asleep: null, cpu });
  for (let i = 0; i <= maxCallers; i++) {
    const frame = values.at(i);
    const loop = frame === null ? null : loopAt(frame);
    if (loop !== null) return loop;
  }
  return null;
}

function loopAt(frame: FrameValues): LoopWait | null {
  const { flow, position } = frame.where;
  const { code } = flow;
  const blocks = loopAround(code, code.blocks[code.blockOf[position]!]!);
  if (blocks.size === 0) return null;
  const inside = code.instructions.filter((_, i) => blocks.has(code.blockOf[i]!));
  if (inside.length > maxLoop) return null;
  const leaving = code.blocks.filter(({ index, next }) => blocks.has(index) && next.some((to) => !blocks.has(to)));
  const returns = code.blocks.some(
    ({ index, next, end }) => blocks.has(index) && next.length === 0 && code.instructions[end - 1]!.flow !== 'trap',
  );
  const endless = leaving.length === 0 && !returns;
  const found = leaving.map((block) => exitsOf(frame, block, blocks));
  const exits = found.flat();
  const complete = !returns && found.every(({ length }) => length > 0);
  if (exits.length === 0 && !endless) return null;
  const first = inside[0]!.address;
  const last = inside.at(-1)!.address;
  const wait = { function: frame.name, at: frame.at, first, last, exits, endless, complete };
  return { ...wait, sentence: sentenceOf(frame.kernel, wait) };
}

/** The blocks from which a block can be come back to; none where it is in no loop. */
function loopAround({ blocks }: FunctionCode, block: Block): ReadonlySet<number> {
  const reach = (start: Block, way: 'next' | 'previous'): Set<number> => {
    const seen = new Set<number>();
    const waiting = [...start[way]];
    while (waiting.length > 0) {
      const index = waiting.pop()!;
      if (seen.has(index)) continue;
      seen.add(index);
      waiting.push(...blocks[index]![way]);
    }
    return seen;
  };
  const after = reach(block, 'next');
  if (!after.has(block.index)) return new Set();
  const before = reach(block, 'previous');
  return new Set([...after].filter((index) => before.has(index)));
}

/** Relations by the names of jumps: of what was compared, unsigned or signed. */
const relations: Readonly<
  Record<string, readonly [text: string, holds: (a: bigint, b: bigint) => boolean, signed: boolean]>
> = {
  e: ['==', (a, b) => a === b, false],
  ne: ['!=', (a, b) => a !== b, false],
  a: ['>', (a, b) => a > b, false],
  ae: ['>=', (a, b) => a >= b, false],
  b: ['<', (a, b) => a < b, false],
  be: ['<=', (a, b) => a <= b, false],
  g: ['>', (a, b) => a > b, true],
  ge: ['>=', (a, b) => a >= b, true],
  l: ['<', (a, b) => a < b, true],
  le: ['<=', (a, b) => a <= b, true],
  s: ['<', (a) => a < 0n, true],
  ns: ['>=', (a) => a >= 0n, true],
};
const opposites: Readonly<Record<string, string>> = {
  e: 'ne',
  ne: 'e',
  a: 'be',
  be: 'a',
  ae: 'b',
  b: 'ae',
  g: 'le',
  le: 'g',
  ge: 'l',
  l: 'ge',
  s: 'ns',
  ns: 's',
};

/**
 * The condition on which a block leaves the loop; where that is that something could be changed at once (`cmpxchg`), those
 * on which it is come to.
 */
function exitsOf(frame: FrameValues, block: Block, loop: ReadonlySet<number>): LoopExit[] {
  const { code } = frame.where.flow;
  const own = exitOf(frame, block, (to) => !loop.has(to));
  if (own !== null) return [own];
  if (!/xchg|xadd|^stl?xr/.test(code.instructions[block.end - 2]?.mnemonic ?? '')) return [];
  return block.previous
    .filter((index) => loop.has(index))
    .map((index) => exitOf(frame, code.blocks[index]!, (to) => to === block.index))
    .filter((exit) => exit !== null);
}

/** The condition on which a block goes to one of those that are wanted. */
function exitOf(frame: FrameValues, block: Block, isWanted: (to: number) => boolean): LoopExit | null {
  const { flow } = frame.where;
  const { code } = flow;
  const jump = code.instructions[block.end - 1]!;
  if (jump.flow !== 'conditional-jump' || jump.target === null) return null;
  const to = code.positions.get(jump.target);
  const byJump = to === undefined ? isWanted(-1) : isWanted(code.blockOf[to]!);
  const byGoingOn = block.next.some((next) => next !== (to === undefined ? -1 : code.blockOf[to]!) && isWanted(next));
  if (byJump === byGoingOn) return null;
  const kind = compareKind(jump, block.end - 2 >= block.first ? code.instructions[block.end - 2] : undefined);
  if (kind === null) return null;
  const relation = byJump ? kind.relation : (opposites[kind.relation] ?? null);
  const state = relation === null ? null : flow.stateBefore(kind.at === 'jump' ? block.end - 1 : block.end - 2);
  if (relation === null || state === null) return null;
  return readExit(frame, state, kind, relation, jump.address);
}

interface Compared {
  /** Which instruction compares. */
  readonly at: 'jump' | 'before';
  readonly by: Instruction;
  readonly left: Operand;
  /** What it is compared with; null for 0. */
  readonly right: Operand | null;
  /** Whether both are combined by AND, and the result compared with 0. */
  readonly masks: boolean;
  readonly relation: string;
}

/** What a jump looks at: the comparison right before it, or, where a machine has such, its own register. */
function compareKind(jump: Instruction, before: Instruction | undefined): Compared | null {
  const [own, bit] = jump.operands;
  const zero = /^cb(n?)z$/.exec(jump.mnemonic);
  if (zero !== null && own !== undefined)
    return { at: 'jump', by: jump, left: own, right: null, masks: false, relation: zero[1] === 'n' ? 'ne' : 'e' };
  if (before === undefined || bit !== undefined) return null;
  const relation = conditionOf(jump.mnemonic);
  const [left, right] = before.operands;
  if (relation === null || left === undefined || right === undefined) return null;
  if (before.mnemonic === 'cmp') return { at: 'before', by: before, left, right, masks: false, relation };
  if (before.mnemonic !== 'test' && before.mnemonic !== 'tst') return null;
  const same = left.kind === 'register' && right.kind === 'register' && left.name === right.name;
  if (!same && relation !== 'e' && relation !== 'ne') return null;
  return { at: 'before', by: before, left, right: same ? null : right, masks: !same, relation };
}

/** x86_64's `jne`, arm64's `b.ne`, by one name. */
function conditionOf(mnemonic: string): string | null {
  const own = /^(?:j|b\.)(\w+)$/.exec(mnemonic)?.[1] ?? '';
  const others: Readonly<Record<string, string>> = {
    eq: 'e',
    hi: 'a',
    hs: 'ae',
    cs: 'ae',
    lo: 'b',
    cc: 'b',
    ls: 'be',
    gt: 'g',
    lt: 'l',
    mi: 's',
    pl: 'ns',
  };
  const name = mnemonic.startsWith('b.') ? (others[own] ?? own) : own;
  return Object.hasOwn(relations, name) ? name : null;
}

function readExit(frame: FrameValues, state: State, kind: Compared, relation: string, at: VirtAddr): LoopExit | null {
  const looked = lookedAt(frame, state, kind.by, kind.left);
  const against = kind.right === null ? null : lookedAt(frame, state, kind.by, kind.right);
  // the side that comes from memory is what is waited for
  if (looked === null || (kind.right !== null && against === null)) return null;
  if (looked.name === null || (looked.address === null && against?.address == null)) return null;
  const width = looked.width;
  const bits = width * 8;
  const [text, test, signed] = relations[relation]!;
  const cut = (value: bigint): bigint => (signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value));
  const limit = kind.right === null || kind.masks ? 0n : (against?.value ?? null);
  let now = looked.value;
  if (kind.masks) now = now === null || against?.value == null ? null : now & against.value;
  const holds = now === null || limit === null ? null : test(cut(now), cut(limit));
  const rightText = kind.right === null || kind.masks ? '0' : limitText(against!, signed, bits);
  const leftText = kind.masks ? `(${looked.name} & ${limitText(against!, false, bits)})` : looked.name;
  return {
    at,
    condition: `${leftText} ${text} ${rightText}`,
    address: looked.address,
    width,
    now: looked.value,
    holds,
  };
}

interface Looked {
  readonly name: string | null;
  readonly value: bigint | null;
  readonly address: VirtAddr | null;
  readonly width: number;
}

function limitText({ name, value }: Looked, signed: boolean, bits: number): string {
  if (name !== null && !/^0x|^\d/.test(name)) return name;
  if (value === null) return '?';
  const number = signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  return number > -10n && number < 10n ? `${number}` : number < 0n ? `-0x${hex(-number)}` : `0x${hex(number)}`;
}

/** An operand of a comparison: by name, with its value now. */
function lookedAt(frame: FrameValues, state: State, { address: at }: Instruction, operand: Operand): Looked | null {
  const { flow } = frame.where;
  if (operand.kind === 'immediate') {
    return {
      name: hex(BigInt.asUintN(64, operand.value)),
      value: BigInt.asUintN(64, operand.value),
      address: null,
      width: 8,
    };
  }
  let value: Value;
  if (operand.kind === 'register') value = flow.register(state, operand.name);
  else {
    const address = flow.address(state, operand);
    if (address === null || operand.width === 0) return null;
    value = flow.values.load(at, address, operand.segment, operand.width, false);
  }
  // what a register got by a load is what the loop looks at; the rest of it does not count
  let inner = value;
  while (inner.kind === 'extended') inner = inner.of;
  if (inner.kind === 'load') {
    const known = frame.evaluate(inner.address);
    const address = known === null ? null : frame.absolute(known.value, inner.segment);
    const word = address === null ? null : frame.word(address, inner.width);
    const name = placeName(frame, inner)?.text ?? (address === null ? null : placeOf(frame.kernel, address));
    return { name, value: word, address, width: Math.min(operand.width, inner.width) };
  }
  const known = frame.evaluate(value);
  return { name: nameOf(frame, value)?.text ?? null, value: known?.value ?? null, address: null, width: operand.width };
}

function placeOf(kernel: Kernel, address: VirtAddr): string {
  const place = kernel.place(address);
  if (place === null) return `what is at ${hex(address)}`;
  return place.offset === 0 ? place.symbol.name : `${place.symbol.name}+0x${hex(place.offset)}`;
}

function sentenceOf(kernel: Kernel, { function: name, exits, endless, complete }: Omit<LoopWait, 'sentence'>): string {
  if (endless) return `${name}() goes round a loop that nothing leads out of`;
  const texts = exits.map(({ condition, now, holds, address }) => {
    const where = address === null || kernel.place(address) !== null ? '' : ` at ${hex(address)}`;
    const is = now === null ? '' : ` (0x${hex(now)} is there${where}${holds === true ? ': it could go on now' : ''})`;
    return `${condition}${is}`;
  });
  const more = complete && texts.length <= 3 ? '' : ', or on another condition';
  return `${name}() goes round a loop until ${texts.slice(0, 3).join(', or ')}${more}`;
}
