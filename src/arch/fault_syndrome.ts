// Why a CPU refused an access, as it tells the kernel: x86's page fault error code, arm64's ESR.

/**
 * - `not-mapped`: no page is there
 * - `permission`: a page is there, and may not be used so
 * - `corrupt-tables`: an entry of the page tables holds what it must not
 * - `protection-key`, `shadow-stack`: kept by those
 * - `tag`: the pointer's tag is not that of the memory (MTE)
 * - `alignment`: the address is no multiple of what it must be
 * - `hardware`: the bus or the memory answered with an error
 */
export type RefusalReason =
  | 'not-mapped'
  | 'permission'
  | 'corrupt-tables'
  | 'protection-key'
  | 'shadow-stack'
  | 'tag'
  | 'alignment'
  | 'hardware';

/** What the CPU said of an exception. */
export interface FaultSyndrome {
  /** Why memory was refused; null where the exception was of another kind, or nothing tells. */
  readonly reason: RefusalReason | null;
  readonly access: 'read' | 'write' | 'execute' | null;
  /** All of it in the machine's own words, with its number: `ESR 0x96000006: data abort in the kernel, ...`. */
  readonly words: string;
  /** The part of the log that it is from. */
  readonly line: string;
}

/** What a machine calls that which keeps its kernel from a process's memory, and from code where none is. */
export interface MemoryGuards {
  /** From running code of a process. */
  readonly userCode: string;
  /** From reading and writing memory of a process. */
  readonly userData: string;
  /** From running what is not executable. */
  readonly noExecute: string;
}
