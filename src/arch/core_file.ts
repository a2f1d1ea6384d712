// What a process's core file says of a machine (fs/binfmt_elf.c; linux/elf.h, asm/elf.h of each).

export interface CoreFileFormat {
  /** e_machine. */
  readonly machine: number;
  /** elf_gregset_t: names of a thread's registers in order, 8 bytes each. */
  readonly registers: readonly string[];
  /**
   * Registers that entry code does not save, as they are with a task that is switched away: members of `struct
   * task_struct`, by paths of which the first that there is counts.
   */
  readonly kept: Readonly<Record<string, readonly string[]>>;
  /** Notes made of registers alone: their type, and names. */
  readonly notes: readonly { readonly type: number; readonly registers: readonly string[] }[];
}
