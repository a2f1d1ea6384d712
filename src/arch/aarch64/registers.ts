// Register sets of arm64: `struct pt_regs` on a stack, and registers saved by a dump
// (arch/arm64/include/asm/ptrace.h; what precedes orig_x0 is ABI, the rest is as the kernel's types say).
import { offsetBy, type VirtAddr, virtAddr } from '../../base/address.ts';
import type { CoreFileFormat } from '../core_file.ts';
import type { KernelView } from '../kernel_view.ts';
import type { RegisterCell, RegisterLayout, RegisterRow, RegisterSet, Registers } from '../registers.ts';

/** The words of `struct user_pt_regs`, with which pt_regs begins. */
const names: readonly string[] = [...Array.from({ length: 31 }, (_, n) => `x${n}`), 'sp', 'pc', 'pstate'];

/** Bits of PSTATE: the mode, of which EL0 is 0 in 32-bit mode, too, and I, set while interrupts are masked. */
const modeMask = 0xfn;
const interruptMask = 0x80n;

/**
 * PSTATE.BTYPE on CPUs that check branch targets (FEAT_BTI): 2 after BLR, 1 or 3 after BR, 0 after anything else
 * (Arm ARM D8.4.6). It is cleared by the next instruction, so it is there only where that could not run.
 */
const branchType = (pstate: bigint): number => Number((pstate >> 10n) & 3n);

function cell(label: string, name: string, digits = 16): RegisterCell {
  return { label: label.padStart(3), name, digits };
}

const pstate: RegisterCell = { label: 'PSTATE', name: 'pstate', digits: 8 };
/** x29 to x0, three a row. */
const general: readonly RegisterRow[] = Array.from({ length: 10 }, (_, i) =>
  [29, 28, 27].map((n) => cell(`X${n - 3 * i}`, `x${n - 3 * i}`)),
);
const layout: RegisterLayout = {
  codeAbove: null,
  kernel: [
    [{ ...cell('PC', 'pc'), code: 'interrupted' }],
    [{ ...cell('LR', 'x30'), code: 'link' }],
    [cell('SP', 'sp'), pstate],
    ...general,
  ],
  user: [
    [cell('PC', 'pc'), cell('LR', 'x30'), cell('SP', 'sp')],
    ...general,
    [cell('ORIG_X0', 'orig_x0'), cell('SYSCALLNO', 'syscallno', 0), pstate],
  ],
};

export const arm64RegisterSet: RegisterSet = {
  programCounter: { name: 'pc', label: 'PC' },
  arguments: ['x0', 'x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7'],
  result: 'x0',
  stack: { pointer: 'sp', frame: 'x29', pushedByCall: 0 },
  preserved: [...Array.from({ length: 11 }, (_, i) => `x${19 + i}`), 'sp'],
  layout,
  fromNote(registers) {
    const known: Record<string, bigint> = {};
    for (const name of names) {
      const value = registers[name];
      if (value !== undefined) known[name] = BigInt.asUintN(64, value);
    }
    return known;
  },
  instructionPointer: ({ pc }) => virtAddr(pc ?? 0n),
  stackPointer: ({ sp }) => virtAddr(sp ?? 0n),
  at: (pc, sp) => ({ pc, sp }),
  link: ({ x30 }) => virtAddr(x30 ?? 0n),
  lastBranch({ pstate = 0n }) {
    const type = branchType(pstate);
    return type === 0 ? null : type === 2 ? 'call' : 'jump';
  },
  isUserMode: ({ pstate }) => pstate !== undefined && (pstate & modeMask) === 0n,
  interruptsOff: ({ pstate }) => pstate !== undefined && (pstate & interruptMask) !== 0n,
};

const NT_ARM_TLS = 0x401;

/** EM_AARCH64; `struct user_pt_regs`, and the thread pointer in a note of its own. */
export const arm64CoreFile: CoreFileFormat = {
  machine: 183,
  registers: names,
  kept: { tpidr_el0: ['thread.uw.tp_value', 'thread.tp_value'] },
  notes: [{ type: NT_ARM_TLS, registers: ['tpidr_el0'] }],
};

/** Where the members of one kernel's pt_regs lie, in bytes from its start; null for those that its types do not tell. */
export interface SavedLayout {
  readonly size: number;
  /** The frame record that entry code makes within the registers (since 7326749801396, 4.14). */
  readonly stackframe: number | null;
  /** Whether that record has a type behind it (`struct frame_record_meta`, since c2c6b27b5aa1, 6.13). */
  readonly typed: boolean;
  readonly origX0: number | null;
  readonly syscallno: number | null;
  /** Bytes in syscallno: 4, or 8 before 35d0e6fb4d21 (4.14). */
  readonly syscallnoSize: number;
}

export function savedLayout(view: KernelView): SavedLayout {
  const type = 'struct pt_regs';
  return {
    size: view.sizeOf(type) ?? names.length * 8,
    stackframe: view.offsetOf(type, 'stackframe'),
    typed: view.offsetOf(type, 'stackframe.type') !== null,
    origX0: view.offsetOf(type, 'orig_x0'),
    syscallno: view.offsetOf(type, 'syscallno'),
    syscallnoSize: view.sizeOf(type, 'syscallno') ?? 4,
  };
}

/** A whole pt_regs at a virtual address: x0 to x30, sp, pc, pstate, orig_x0, syscallno. @throws MemoryFault */
export function readSaved(view: KernelView, layout: SavedLayout, at: VirtAddr): Registers {
  const bytes = view.space.read(at, names.length * 8);
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const registers: Record<string, bigint> = {};
  for (const [i, name] of names.entries()) registers[name] = words.getBigUint64(i * 8, true);
  // what an exception in the kernel saves has nothing there: neither is written (kernel_entry, arch/arm64/kernel/entry.S)
  if (!arm64RegisterSet.isUserMode(registers)) return registers;
  if (layout.origX0 !== null) registers.orig_x0 = view.space.u64(offsetBy(at, layout.origX0));
  if (layout.syscallno !== null) {
    const place = offsetBy(at, layout.syscallno);
    registers.syscallno = layout.syscallnoSize === 4 ? BigInt(view.space.u32(place)) : view.space.u64(place);
  }
  return registers;
}

/** FRAME_META_TYPE_PT_REGS (arch/arm64/include/asm/stacktrace/frame.h). */
const registersType = 2n;

/**
 * Whether a pt_regs has entry code's frame record for what was interrupted in the kernel: its type says so, or it repeats
 * their x29 and pc. @throws MemoryFault
 */
export function hasEntryRecord(view: KernelView, layout: SavedLayout, at: VirtAddr): boolean {
  if (layout.stackframe === null) return false;
  const record = offsetBy(at, layout.stackframe);
  const [next, saved] = [view.space.u64(record), view.space.u64(offsetBy(record, 8))];
  const isZero = next === 0n && saved === 0n;
  if (layout.typed) return isZero && view.space.u64(offsetBy(record, 16)) === registersType;
  const { x29, pc } = readSaved(view, layout, at);
  return x29 === next && pc === saved && !isZero;
}
