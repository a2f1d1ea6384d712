// ELF notes of dumps.
import { ByteWriter } from './byte_writer.ts';

export interface Note {
  readonly name: string;
  readonly type: number;
  readonly desc: Uint8Array;
}

export function vmcoreinfoNote(text: string): Note {
  return { name: 'VMCOREINFO', type: 0, desc: Buffer.from(text, 'latin1') };
}

export function eraseInfoNote(text: string): Note {
  return { name: 'ERASEINFO', type: 0, desc: Buffer.from(text, 'latin1') };
}

/** NT_PRSTATUS of a 64-bit machine. @param registers in the order of pr_reg */
export function prstatusNote(pid: number, registers: readonly bigint[]): Note {
  const writer = new ByteWriter().zeroes(32).u32(pid).zeroes(76);
  for (const register of registers) writer.u64(register);
  return { name: 'CORE', type: 1, desc: writer.u64(0).done() };
}

/** QEMU's CPU note: `general` in the order rax .. r15, rip, rflags; ten segments; five control registers. */
export function qemuCpuNote(
  general: readonly bigint[],
  segments: readonly { selector: number; limit: number; base: bigint }[],
  control: readonly bigint[],
  kernelGsBase: bigint | null,
  version = 1,
): Note {
  const writer = new ByteWriter().u32(version).u32(kernelGsBase === null ? 432 : 440);
  for (const register of general) writer.u64(register);
  for (const { selector, limit, base } of segments) writer.u32(selector).u32(limit).u32(0).u32(0).u64(base);
  for (const register of control) writer.u64(register);
  if (kernelGsBase !== null) writer.u64(kernelGsBase);
  return { name: 'QEMU', type: 0, desc: writer.done() };
}

export function writeNotes(notes: readonly Note[], littleEndian = true): Uint8Array {
  const writer = new ByteWriter(littleEndian);
  for (const { name, type, desc } of notes) {
    const nameBytes = Buffer.from(`${name}\0`, 'latin1');
    writer.u32(nameBytes.length).u32(desc.length).u32(type).put(nameBytes).align(4).put(desc).align(4);
  }
  return writer.done();
}
