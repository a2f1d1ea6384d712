// Unwind rules for code that tracing makes at run time.
import { offsetBy } from '../../base/address.ts';
import { MemoryFault } from '../../base/errors.ts';
import type { KernelView } from '../kernel_view.ts';
import type { OrcEntry, OrcLookup } from '../orc_entry.ts';

/** ftrace_ops that are followed. */
const maxOps = 1024;

/** Bit of ftrace_ops.flags (include/linux/ftrace.h): the trampoline is a copy of ftrace_regs_caller. */
const FTRACE_OPS_FL_SAVE_REGS = 4;

interface Trampoline {
  readonly start: bigint;
  readonly end: bigint;
  /** The function that it is a copy of. */
  readonly original: bigint;
}

/** Unwind rules with those of ftrace's trampolines: copies of functions that have rules (orc_ftrace_find()). */
export class OrcWithTrampolines implements OrcLookup {
  private readonly view: KernelView;
  private readonly orc: OrcLookup;
  private trampolines: readonly Trampoline[] | null = null;

  constructor(view: KernelView, orc: OrcLookup) {
    this.view = view;
    this.orc = orc;
  }

  find(ip: bigint): OrcEntry | null {
    const found = this.orc.find(ip);
    if (found !== null) return found;
    this.trampolines ??= readTrampolines(this.view);
    const copy = this.trampolines.find(({ start, end }) => ip >= start && ip < end);
    return copy === undefined ? null : this.orc.find(copy.original + (ip - copy.start));
  }
}

function readTrampolines(view: KernelView): Trampoline[] {
  const trampolines: Trampoline[] = [];
  const list = view.symbol('ftrace_ops_list');
  const plain = view.symbol('ftrace_caller');
  const withRegs = view.symbol('ftrace_regs_caller');
  const type = 'struct ftrace_ops';
  const next = view.offsetOf(type, 'next');
  const flags = view.offsetOf(type, 'flags');
  const start = view.offsetOf(type, 'trampoline');
  const size = view.offsetOf(type, 'trampoline_size');
  if (list === null || plain === null || next === null || flags === null || start === null || size === null) {
    return trampolines;
  }
  try {
    let ops = view.space.pointer(list);
    for (let i = 0; ops !== 0n && i < maxOps; i++) {
      const address = view.space.u64(offsetBy(ops, start));
      const length = view.space.u64(offsetBy(ops, size));
      const saves = (view.space.u32(offsetBy(ops, flags)) & FTRACE_OPS_FL_SAVE_REGS) !== 0;
      const original = saves && withRegs !== null ? withRegs : plain;
      if (address !== 0n && length > 0n && length <= 4096n) {
        trampolines.push({ start: address, end: address + length, original });
      }
      ops = view.space.pointer(offsetBy(ops, next)); // the list ends with ftrace_list_end, whose next is null
    }
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error;
  }
  return trampolines;
}
