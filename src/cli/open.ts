// Opening what the command line names.
import { closeSync, openSync, readSync } from 'node:fs';
import { FormatError } from '../base/errors.ts';
import type { Dump } from '../dump/dump.ts';
import { openDump } from '../dump/open.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { openKernel } from '../kernel/open_kernel.ts';
import { writeError } from './output.ts';

/**
 * Opens the dump among the files named. A vmlinux among them is accepted, in any place, as crash(8) has it.
 * @throws InquestError if there is none, or it cannot be read
 */
export function openNamedDump(files: readonly string[]): Dump {
  const dumps = files.filter((file) => !isExecutable(file));
  if (dumps.length === 0) throw new FormatError(files.join(', '), 'a program or kernel image, not a dump');
  if (dumps.length < files.length) {
    writeError('inquest: the kernel image is not needed: types, symbols and unwind tables are read from the dump\n');
  }
  return openDump(dumps);
}

/** As `openNamedDump`, with the kernel in it. */
export function openNamedKernel(files: readonly string[]): Kernel {
  return openKernel(openNamedDump(files));
}

/** An ELF file that is a program or shared object (e_type 2 or 3), such as vmlinux; a core dump has 4. */
function isExecutable(file: string): boolean {
  const head = Buffer.alloc(18);
  try {
    const fd = openSync(file, 'r');
    try {
      if (readSync(fd, head, 0, head.length, 0) < head.length) return false;
    } finally {
      closeSync(fd);
    }
  } catch {
    return false; // opening it as a dump will say what is wrong with it
  }
  const type = head[5] === 2 ? head.readUInt16BE(16) : head.readUInt16LE(16);
  return head.readUInt32BE(0) === 0x7f454c46 && (type === 2 || type === 3);
}
