// The one interface of debug information, whatever it was read from: BTF in the dead kernel's memory, the table of
// well-known variables, DWARF in a file. A kernel has an ordered list of them for itself and one for each module,
// best first; what the first does not know the next is asked for.
import type { AddressSpace } from '../arch/address_space.ts';
import type { Registers } from '../arch/registers.ts';
import type { VirtAddr } from '../base/address.ts';
import type { Macro } from './c_macro.ts';
import type { KernelObject } from './object.ts';
import type { KernelSymbol } from './symbol.ts';
import type { FunctionType, Type, TypeSource } from './type.ts';

/** Debug information of one kernel or of one module. Damage costs the names that it hits: those are not found. */
export interface DebugInfo {
  /** What it was read from, in a word or two for messages: `BTF`, `vmlinux`. */
  readonly origin: string;
  readonly types: TypeSource;
  /** C type of a global or per-CPU variable; null where this does not know it. */
  variable(name: string): Type | null;
  /** Prototype of a function, static ones too; null where this does not know it. Of several of one name, the first. */
  function(name: string): FunctionType | null;
  /** What a name was defined as with `#define`; null where this does not know it. */
  macro(name: string): Macro | null;
  /** What it knows of code; null for information about types alone. */
  readonly code: CodeInfo | null;
}

/**
 * What debug information knows of code. Every address is one of the dead kernel: whoever opens a file tells it where
 * its sections were put. Nothing here throws: what a damaged table says is not known.
 */
export interface CodeInfo {
  /**
   * Where the instruction at an address (its first byte) comes from in the source; null where that is not told.
   * @param taken which of several lines at one instruction; the last without it
   */
  line(at: VirtAddr, taken?: LineTaken): SourceLine | null;
  /** The functions that were inlined into the one at an address, innermost first; empty where none was. */
  inlines(at: VirtAddr): readonly InlinedFunction[];
  /** Parameters and variables in scope at an address, those of the innermost scope first. */
  locals(at: VirtAddr): readonly Local[];
  /** How to get from a frame that is at an address to its caller's; null where no rule covers the address. */
  unwindRule(at: VirtAddr): UnwindRule | null;
}

/**
 * Which of several lines at one instruction: the last, as addr2line and objdump have it, or the last that begins a
 * statement, as gdb, and the last where none does.
 */
export type LineTaken = 'last' | 'statement';

/** A place in the source. */
export interface SourceLine {
  /** As the compiler wrote it, with its directory if that is told: not escaped. */
  readonly file: string;
  /** The part of `file` that is the folder in which the compiler ran, without a slash behind it; empty for none. */
  readonly folder: string;
  /** Counted from 1; 0 for code that comes from no line. */
  readonly line: number;
  /** Counted from 1; 0 where not told. */
  readonly column: number;
}

/** A function whose body the compiler put into its caller. */
export interface InlinedFunction {
  readonly name: string;
  /** Where the function is declared; null where not told. */
  readonly declaredAt: SourceLine | null;
  /** Where it is called: a line of the next function outwards. */
  readonly calledAt: SourceLine | null;
}

/** A parameter or local variable. */
export interface Local {
  readonly name: string;
  readonly kind: 'parameter' | 'variable';
  /** Null where its type is not told, or cannot be read. */
  readonly type: Type | null;
  /** Which function it is of: position in `inlines` of the same address; `inlines.length` for the function itself. */
  readonly inline: number;
  readonly declaredAt: SourceLine | null;
  /** Where its value is at the address that it was asked for, in a frame that is there. */
  where(frame: FrameState): LocalPlace;
}

/** A frame as far as it is known: what places of variables and rules of unwinding are worked out from. */
export interface FrameState {
  /** The function's registers, by the kernel's names (`rip`, `rsp`; `pc`, `x29`). */
  readonly registers: Registers;
  /** Canonical frame address: on x86_64, the stack pointer before the call pushed its return address; null if not known. */
  readonly cfa: VirtAddr | null;
  /** The kernel's own virtual memory. */
  readonly space: AddressSpace;
  /**
   * The frame that called this one, and the address there that it returns to: values that a function was called with
   * are worked out from what its caller still has. Null where that is not known, or not called (interrupted).
   */
  readonly caller: { readonly at: VirtAddr; readonly frame: FrameState } | null;
}

/** Where a variable's value is. */
export type LocalPlace =
  | { readonly kind: 'memory'; readonly address: VirtAddr }
  /** Its bytes, in memory order: it is in a register, or was computed. */
  | { readonly kind: 'value'; readonly bytes: Uint8Array }
  /** In parts, in memory order, each with its length in bits. */
  | { readonly kind: 'parts'; readonly parts: readonly { readonly bits: number; readonly place: LocalPlace }[] }
  /**
   * - `optimized-out`: it has no value here
   * - `not-known`: it has one that cannot be worked out: `detail` says what is missing (a register that was overwritten,
   *   memory that cannot be read, an operation that this program does not know)
   */
  | { readonly kind: 'none'; readonly reason: 'optimized-out' | 'not-known'; readonly detail: string };

/** How to get from a function's frame to its caller's, for a range of addresses. */
export interface UnwindRule {
  /** The instructions that it holds for: virtual addresses [start, end). */
  readonly start: VirtAddr;
  readonly end: VirtAddr;
  /** The rule in numbers, as most functions have it; null for one that takes computing. */
  readonly distances: FrameDistances | null;
  /** True for the code that entry from an exception or signal runs: its caller was interrupted, and did not call. */
  readonly signalFrame: boolean;
  /** Canonical frame address; null where it cannot be worked out. @param frame its `cfa` is not asked for */
  cfa(frame: FrameState): VirtAddr | null;
  /**
   * The caller's registers: those that the rule says, or that the machine's calling convention preserves. What is not
   * known is left out. Null where not even the caller's instruction pointer is.
   */
  caller(frame: FrameState): Registers | null;
}

/** A frame's shape, in bytes. */
export interface FrameDistances {
  /** The register that, plus `cfaOffset`, is the canonical frame address. */
  readonly cfaRegister: 'stack pointer' | 'frame pointer';
  readonly cfaOffset: number;
  /** Where the return address is, from the canonical frame address. */
  readonly returnAddress: number;
  /** Where the caller's frame pointer is, from the same; null where it is still in its register. */
  readonly framePointer: number | null;
}

/** What debug information is opened for: the kernel, or one of its modules. */
export interface DebugTarget {
  /** The module, with its `struct module`; null for the kernel. */
  readonly module: { readonly name: string; readonly object: KernelObject } | null;
  /** Whose registers and addresses it has, as uname names it. */
  readonly machine: string;
  /** `uname -r` of the kernel; null if not known. */
  readonly release: string | null;
  /** GNU build-id of what it is opened for, in hexadecimal; null if not known. */
  readonly buildId: string | null;
  /** How far the kernel was moved from where it was linked (KASLR), in bytes; null if not told. */
  readonly kernelOffset: bigint | null;
  /** The kernel's own virtual memory. */
  readonly space: AddressSpace;
  /** Virtual address of a symbol of the kernel itself, or null. */
  symbol(name: string): VirtAddr | null;
  /** The module's own symbols; none for the kernel. */
  symbols(): Iterable<KernelSymbol>;
  /** What was opened before it, best first: for a module, also what was opened for the kernel. */
  readonly before: readonly DebugInfo[];
  /** For a module: the kernel's own debug information of the same kind; null where there is none. */
  readonly base: DebugInfo | null;
  /** All types that the kernel's debug information knows, this one's among them. Not to be asked while opening. */
  readonly types: TypeSource;
}

/** A kind of debug information, and how it is found. `debug_sources.ts` lists those that are tried. */
export interface DebugInfoKind {
  readonly name: string;
  /**
   * @returns null where it is no wonder that there is none
   * @throws InquestError where there should be some and it cannot be had
   */
  open(target: DebugTarget): DebugInfo | null;
}
