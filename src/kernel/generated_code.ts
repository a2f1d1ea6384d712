// Code that the kernel makes while it runs, by the names that /proc/kallsyms has for it (kernel/kallsyms.c: s_next):
//
//   bpf_kallsyms --> bpf_ksym { start, end, name }                  programs, their parts, trampolines, dispatchers
//   ftrace_ops_list --> ftrace_ops { trampoline, trampoline_size }  ftrace_trampoline
//   kprobe_insn_slots, kprobe_optinsn_slots --> kprobe_insn_page    kprobe_insn_page, kprobe_optinsn_page
import type { GeneratedCode } from '../arch/kernel_view.ts';
import { type VirtAddr, virtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { KernelSymbol } from '../debuginfo/symbol.ts';
import { bpfPrograms } from './bpf.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';
import { perKernel } from './per_kernel.ts';

/** Code with its symbol. */
export interface NamedCode extends GeneratedCode {
  readonly symbol: KernelSymbol;
}

/** Pieces of code that are believed; hosts with many containers have some thousand. */
const maxPieces = 100_000;
/** Largest piece that is believed, in bytes: a program of a million instructions. */
const maxSize = 64 * 1024 * 1024;
/** About what a symbol takes here, in bytes. */
const keptPerSymbol = 250;

/** Bit of ftrace_ops.flags (include/linux/ftrace.h): the trampoline is a copy of ftrace_regs_caller. */
const FTRACE_OPS_FL_SAVE_REGS = 4;

/** What was made at run time and is there now, by ascending address. Each kind that cannot be read costs itself. */
export const generatedCode = perKernel((kernel): readonly NamedCode[] => {
  const found: NamedCode[] = [];
  const { faults } = kernel;
  const take = (what: string, pieces: () => Generator<NamedCode>): void =>
    faults.attempt(
      what,
      () => {
        for (const piece of pieces()) {
          if (found.length >= maxPieces) throw new FormatError(what, `more than ${maxPieces} pieces`);
          kernel.work.charge('kept', keptPerSymbol);
          found.push(piece);
        }
      },
      undefined,
    );
  take('names of BPF programs', () => bpfCode(kernel));
  take('trampolines of ftrace', () => ftraceTrampolines(kernel));
  take("kprobes' slots", () => kprobePages(kernel));
  return found.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
});

/** The piece of generated code that an address lies in; null where it is none. */
export function generatedCodeAt(kernel: Kernel, address: bigint): NamedCode | null {
  const pieces = generatedCode(kernel);
  let low = 0;
  let end = pieces.length;
  while (low < end) {
    const middle = (low + end) >>> 1;
    if (pieces[middle]!.start <= address) low = middle + 1;
    else end = middle;
  }
  const piece = pieces[low - 1];
  return piece !== undefined && address < piece.start + BigInt(piece.size) ? piece : null;
}

/** struct bpf_ksym (include/linux/bpf.h, since bfea9a8574f3, 5.7), and programs without one: those of users without rights. */
function* bpfCode(kernel: Kernel): Generator<NamedCode> {
  const seen = new Set<bigint>();
  const head = kernel.optionalVariable('bpf_kallsyms');
  const named = kernel.types.find('struct bpf_ksym');
  if (head !== null && named !== null) {
    for (const ksym of listEntries(head, named, 'lnode')) {
      const start = ksym.member('start').pointer();
      const piece = code(start, Number(ksym.member('end').bigint() - start), ksym.member('name').string(), 'bpf');
      if (piece === null || seen.has(start)) continue;
      seen.add(start);
      yield piece;
    }
  }
  for (const { code: start, codeSize, tag, name } of bpfPrograms(kernel)) {
    if (seen.has(start)) continue;
    const piece = code(start, codeSize, `bpf_prog_${tag}${name === '' ? '' : `_${name}`}`, 'bpf');
    if (piece !== null) yield piece;
  }
}

/** Those of ftrace_ops that are in use (arch/x86/kernel/ftrace.c: create_trampoline). Other machines have none. */
function* ftraceTrampolines(kernel: Kernel): Generator<NamedCode> {
  const list = kernel.optionalVariable('ftrace_ops_list');
  const plain = kernel.ownSymbol('ftrace_caller')?.address ?? null;
  const withRegisters = kernel.ownSymbol('ftrace_regs_caller')?.address ?? plain;
  if (list === null) return;
  const seen = new Set<bigint>();
  let ops = list.deref();
  // the list ends with ftrace_list_end, whose next is null
  while (!ops.isNull && !seen.has(ops.address) && ops.has('trampoline_size')) {
    seen.add(ops.address);
    kernel.work.charge('nodes', 1);
    const saves = (ops.member('flags').number() & FTRACE_OPS_FL_SAVE_REGS) !== 0;
    const size = ops.member('trampoline_size').number();
    const start = ops.member('trampoline').pointer();
    const piece = code(start, size, 'ftrace_trampoline', 'ftrace', saves ? withRegisters : plain);
    // of the ops that share one, the first
    if (piece !== null && !seen.has(start)) yield piece;
    seen.add(start);
    ops = ops.member('next').deref();
  }
}

/** struct kprobe_insn_cache (include/linux/kprobes.h) and its pages (kernel/kprobes.c). */
function* kprobePages(kernel: Kernel): Generator<NamedCode> {
  for (const [cache, name, kind] of [
    ['kprobe_insn_slots', 'kprobe_insn_page', 'kprobe'],
    ['kprobe_optinsn_slots', 'kprobe_optinsn_page', 'optprobe'],
  ] as const) {
    const slots = kernel.optionalVariable(cache);
    if (slots === null || !slots.has('pages')) continue;
    for (const page of listEntries(slots.member('pages'), 'struct kprobe_insn_page', 'list')) {
      const piece = code(page.member('insns').pointer(), kernel.dump.memory.pageSize, name, kind);
      if (piece !== null) yield piece;
    }
  }
}

/** Null for what is no code: a size or an address that cannot be. */
function code(
  start: bigint,
  size: number,
  name: string,
  kind: GeneratedCode['kind'],
  original: VirtAddr | null = null,
): NamedCode | null {
  if (start === 0n || size <= 0 || size > maxSize || name === '') return null;
  const address = virtAddr(start);
  // BPF is the one that has its own brackets in logs and in /proc/kallsyms; the others are the kernel's own code
  const symbol: KernelSymbol = { name, address, type: 't', size, module: kind === 'bpf' ? 'bpf' : null };
  return { start: address, size, kind, original, symbol };
}
