// What an architecture asks of the kernel that it belongs to. The layers of symbols, types and kernel
// structures stand above this one and supply it.
import type { VirtAddr } from '../base/address.ts';
import type { AddressSpace } from './address_space.ts';

/** A piece of code that was made at run time. */
export interface GeneratedCode {
  readonly start: VirtAddr;
  /** Bytes. */
  readonly size: number;
  /**
   * - `bpf`: a program, or a trampoline to some
   * - `ftrace`: a copy of `original`
   * - `kprobe`: copies of single instructions
   * - `optprobe`: code that a probed instruction was replaced by a jump to
   */
  readonly kind: 'bpf' | 'ftrace' | 'kprobe' | 'optprobe';
  readonly original: VirtAddr | null;
}

export interface KernelView {
  /** The kernel's own virtual memory. */
  readonly space: AddressSpace;
  /** Virtual address of a kernel symbol; null if there is none. Throws nothing. */
  symbol(name: string): VirtAddr | null;
  /** The function that an address of kernel, module or generated text lies in; null for anything else. Throws nothing. */
  functionAt(address: VirtAddr): { readonly name: string; readonly start: VirtAddr } | null;
  /**
   * True for kernel and module text, init text too (the first task's stack begins there), and for text made at
   * run time (BPF, trampolines). Throws nothing.
   */
  isText(address: VirtAddr): boolean;
  /** The code made at run time that an address lies in; null where it is none. Throws nothing. */
  generatedCode(address: bigint): GeneratedCode | null;
  /** Virtual address of one CPU's copy of a per-CPU variable; null where unknown. Throws nothing. */
  perCpu(name: string, cpu: number): VirtAddr | null;
  /** Byte offset of a member (a path: `stackframe.type`) of a type (`struct pt_regs`); null where unknown. */
  offsetOf(type: string, member: string): number | null;
  /** Bytes in a type, or in a member of it; null where unknown. */
  sizeOf(type: string, member?: string): number | null;
}
