// GNU build-ids of the kernel and its modules as memory has them: by what file each was built is known.
import { MemoryFault } from '../base/errors.ts';
import { buildIdInNotes } from '../debuginfo/elf/notes.ts';
import type { KernelObject } from '../debuginfo/object.ts';
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

/** Most note sections of a module that are looked at. */
const maxModuleNotes = 32;

/**
 * A module's, in hexadecimal: `struct module.build_id` (since 9294523e3768, 5.14, with CONFIG_STACKTRACE_BUILD_ID), else
 * among the notes that /sys/module/NAME/notes shows; null where there is none.
 */
export function moduleBuildId({ object }: Module): string | null {
  try {
    const member = object.optional('build_id');
    const bytes = member?.bytes();
    if (bytes?.some((byte) => byte !== 0)) return Buffer.from(bytes).toString('hex');
    return idInNotes(object);
  } catch (error) {
    if (error instanceof MemoryFault) return null;
    throw error;
  }
}

/** struct module_notes_attrs (kernel/module/sysfs.c): a file for each section of notes. */
function idInNotes(module: KernelObject): string | null {
  const attributes = module.optional('notes_attrs');
  if (attributes === null || attributes.isNull || !attributes.has('attrs')) return null;
  const count = attributes.optional('notes')?.number() ?? maxModuleNotes;
  const list = attributes.member('attrs');
  for (let i = 0; i < Math.min(count, maxModuleNotes); i++) {
    const file = list.index(i);
    const name = file.member('attr.name');
    if (name.isNull) return null;
    const size = file.member('size').number();
    if (name.string(64) !== '.note.gnu.build-id' || size > maxNotes) continue;
    return buildIdInNotes(module.context.space.read(file.member('private').pointer(), size));
  }
  return null;
}
