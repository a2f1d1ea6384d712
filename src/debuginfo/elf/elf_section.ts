// A section of an ELF file, as its header describes it (elf.h: Elf64_Shdr).

export interface ElfSection {
  readonly index: number;
  readonly name: string;
  /** sh_type: see `sectionTypes`. */
  readonly type: number;
  readonly flags: number;
  /** Virtual address when linked; 0 in relocatable files. */
  readonly address: bigint;
  readonly fileOffset: number;
  /** Bytes in the file; 0 for one that has none (SHT_NOBITS). */
  readonly fileSize: number;
  /** Bytes in memory. */
  readonly size: number;
  /** Index of the section that this one refers to: of a symbol table, its strings. */
  readonly link: number;
  /** Of relocations, the section that they change. */
  readonly info: number;
}

export const sectionTypes = { symbols: 2, rela: 4, noBits: 8, notes: 7, rel: 9 } as const;
export const sectionFlags = { write: 1, alloc: 2, code: 4, compressed: 0x800 } as const;
