// A function's instructions and the ways that control may take through them. The part that GCC moves out of the way
// (`name.cold`) is of the same function.
import type { Instruction } from '../arch/decoder.ts';
import { offsetBy, type VirtAddr } from '../base/address.ts';
import type { KernelSymbol } from '../debuginfo/symbol.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { warningTraps } from './warning_traps.ts';

/** Instructions that run one after another. */
export interface Block {
  /** Position among the function's blocks. */
  readonly index: number;
  /** Positions [first, end) among the function's instructions. */
  readonly first: number;
  readonly end: number;
  /** Blocks that may run next. */
  readonly next: number[];
  /** Blocks that may have run before. */
  readonly previous: number[];
}

export interface FunctionCode {
  readonly symbol: KernelSymbol;
  /** By address within each part. */
  readonly instructions: readonly Instruction[];
  readonly blocks: readonly Block[];
  /** The block of each instruction. */
  readonly blockOf: readonly number[];
  /** Position of the instruction at an address. */
  readonly positions: ReadonlyMap<bigint, number>;
  /** Position of the call at the function's start by which it is traced, and which leaves everything as it was; or null. */
  readonly tracer: number | null;
}

/** Longest function that is read, in bytes. */
const maxSize = 96 * 1024;
/** Functions of one name whose cold part is looked for. */
const maxNamesakes = 16;
const coldName = /\.cold(?:\.\d+)?$/;

/** The code of the function at an address; null where no symbol covers it, or its code cannot be read as a whole. */
export function readFunction(kernel: Kernel, at: VirtAddr): FunctionCode | null {
  const place = kernel.place(at);
  if (place === null || kernel.arch.decoder === null) return null;
  const symbol = coldName.test(place.symbol.name) ? parentOf(kernel, place.symbol) : place.symbol;
  const code = decode(kernel, symbol);
  return code === null ? null : connect(kernel, symbol, [code, ...coldParts(kernel, symbol, code)]);
}

function decode(kernel: Kernel, { address, size }: KernelSymbol): Instruction[] | null {
  if (size <= 0 || size > maxSize) return null;
  const { bytes, fault } = kernel.space.readUpTo(address, size);
  if (fault !== null) return null;
  kernel.work.charge('nodes', size);
  return [...kernel.arch.decoder!.decode(bytes, address)];
}

/** The function that a cold part is of; the part itself where none jumps there. */
function parentOf(kernel: Kernel, cold: KernelSymbol): KernelSymbol {
  const name = cold.name.replace(coldName, '');
  const end = offsetBy(cold.address, cold.size);
  const isThere = ({ target }: Instruction): boolean => target !== null && target >= cold.address && target < end;
  for (const symbol of kernel.symbols.findAll(name).slice(0, maxNamesakes)) {
    if (symbol.module === cold.module && decode(kernel, symbol)?.some(isThere)) return symbol;
  }
  return cold;
}

function coldParts(kernel: Kernel, symbol: KernelSymbol, code: readonly Instruction[]): Instruction[][] {
  const end = offsetBy(symbol.address, symbol.size);
  const seen = new Set<bigint>();
  const parts: Instruction[][] = [];
  for (const { flow, target } of code) {
    if (target === null || (flow !== 'jump' && flow !== 'conditional-jump')) continue;
    if (target >= symbol.address && target < end) continue;
    const place = kernel.place(target);
    if (place === null || seen.has(place.symbol.address) || seen.size >= 4) continue;
    const { name } = place.symbol;
    if (!coldName.test(name) || name.replace(coldName, '') !== symbol.name) continue;
    seen.add(place.symbol.address);
    const part = decode(kernel, place.symbol);
    if (part !== null) parts.push(part);
  }
  return parts;
}

/** Functions that do not return (those that kernel code calls at its ends). */
const noReturn =
  /^(?:__stack_chk_fail|panic|nmi_panic|fortify_panic|__fortify_panic|usercopy_abort|do_exit|make_task_dead|do_task_dead|do_group_exit|kthread_exit|kthread_complete_and_exit|__module_put_and_kthread_exit|module_put_and_exit|rewind_stack_and_make_dead|rewind_stack_do_exit|machine_restart|emergency_restart|cpu_startup_entry|__kcsan_\w*panic|ex_handler_msr_mce|sev_es_terminate|snp_abort|stop_this_cpu|mpt_halt_firmware|arch_cpu_idle_dead|xen_start_kernel)$/;

function connect(kernel: Kernel, symbol: KernelSymbol, parts: readonly (readonly Instruction[])[]): FunctionCode {
  const instructions = parts.flat();
  const positions = new Map<bigint, number>(instructions.map(({ address }, i) => [address, i]));
  const warnings = warningTraps(kernel, instructions);
  const ends = instructions.map((instruction, i) => {
    const following = instructions[i + 1];
    const isLast =
      following === undefined || following.address !== offsetBy(instruction.address, instruction.bytes.length);
    return isLast || endsWay(kernel, instruction, warnings);
  });
  const starts = new Set<number>([0]);
  for (const [i, { flow, target }] of instructions.entries()) {
    const jumps = flow === 'jump' || flow === 'conditional-jump';
    if (jumps || ends[i]) starts.add(i + 1);
    const to = jumps && target !== null ? positions.get(target) : undefined;
    if (to !== undefined) starts.add(to);
  }
  const firsts = [...starts].filter((i) => i < instructions.length).sort((a, b) => a - b);
  const blocks: Block[] = firsts.map((first, index) => ({
    index,
    first,
    end: firsts[index + 1] ?? instructions.length,
    next: [],
    previous: [],
  }));
  const blockOf = new Array<number>(instructions.length);
  for (const { index, first, end } of blocks) blockOf.fill(index, first, end);
  const link = (from: Block, to: number | undefined): void => {
    if (to === undefined || from.next.includes(blockOf[to]!)) return;
    from.next.push(blockOf[to]!);
    blocks[blockOf[to]!]!.previous.push(from.index);
  };
  const wild: Block[] = [];
  for (const block of blocks) {
    const last = block.end - 1;
    const { flow, target } = instructions[last]!;
    if (flow === 'jump' || flow === 'conditional-jump') {
      if (target !== null) link(block, positions.get(target));
      // a jump table, or a tail call by a pointer
      else wild.push(block);
    }
    if (flow !== 'jump' && !ends[last]) link(block, last + 1);
  }
  // a jump that does not say where it goes may go wherever nothing else does
  for (const block of blocks) {
    const isCode = instructions[block.first]!.flow !== 'trap' && block.index > 0;
    if (block.previous.length === 0 && isCode) for (const from of wild) link(from, block.first);
  }
  return { symbol, instructions, blocks, blockOf, positions, tracer: tracerOf(kernel, instructions) };
}

/** Calls by which ftrace and BPF trace functions: the compiler's own, or one to code that was made at run time. */
const tracerName = /^(?:__fentry__|_mcount|ftrace_|bpf_trampoline)/;

function tracerOf(kernel: Kernel, instructions: readonly Instruction[]): number | null {
  for (const [i, instruction] of instructions.slice(0, 4).entries()) {
    const { flow, target } = instruction;
    if (flow === 'call' && target !== null) {
      const place = kernel.place(target);
      return place === null || tracerName.test(place.symbol.name) ? i : null;
    }
    if (!kernel.arch.isEntryMark(instruction)) return null;
  }
  return null;
}

/** The call that returns to an address: its position; null where there is none. */
export function callBefore({ instructions }: FunctionCode, returnsTo: bigint): number | null {
  const found = instructions.findIndex(
    ({ address, bytes, flow }) => flow === 'call' && address + BigInt(bytes.length) === returnsTo,
  );
  return found < 0 ? null : found;
}

/** Whether control does not go on behind an instruction. */
function endsWay(kernel: Kernel, { flow, target, address }: Instruction, warnings: ReadonlySet<bigint>): boolean {
  switch (flow) {
    case 'jump':
    case 'return':
    case 'invalid':
      return true;
    case 'trap':
      return !warnings.has(address);
    case 'call': {
      const place = target === null ? null : kernel.place(target);
      return place !== null && place.offset === 0 && noReturn.test(place.symbol.name);
    }
    case 'conditional-jump':
    case 'next':
      return false;
  }
}
