// GNU build-ids of the kernel and its modules as memory has them: by what file each was built is known.
import { MemoryFault } from '../base/errors.ts';
import { buildIdInNotes } from '../debuginfo/elf/notes.ts';
import type { Kernel } from './kernel.ts';
import type { Module } from './module.ts';

/** Most notes of a kernel that are looked at, in bytes. */
const maxNotes = 1 << 16;

/** The kernel's, in hexadecimal: as VMCOREINFO says (since 5.13), else among its notes in memory; null if neither has it. */
export function kernelBuildId(kernel: Kernel): string | null {
  const told = kernel.vmcoreinfo.buildId;
  if (told !== null) return told;
  // include/asm-generic/vmlinux.lds.h: NOTES
  const start = kernel.ownSymbol('__start_notes')?.address;
  const stop = kernel.ownSymbol('__stop_notes')?.address;
  if (start === undefined || stop === undefined || stop <= start || stop - start > BigInt(maxNotes)) return null;
  try {
    return buildIdInNotes(kernel.space.read(start, Number(stop - start)));
  } catch (error) {
    if (error instanceof MemoryFault) return null;
    throw error;
  }
}

/** A module's, in hexadecimal: `struct module.build_id` (since 9294523e3768, 5.14); null where there is none. */
export function moduleBuildId({ object }: Module): string | null {
  const member = object.optional('build_id');
  if (member === null) return null;
  try {
    const bytes = member.bytes();
    return bytes.some((byte) => byte !== 0) ? Buffer.from(bytes).toString('hex') : null;
  } catch (error) {
    if (error instanceof MemoryFault) return null;
    throw error;
  }
}
