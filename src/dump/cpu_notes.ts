// Registers of one CPU, out of the two notes that carry them.
import { ByteReader } from '../base/byte_reader.ts';

/** Registers by the kernel's names; null for a note that is too short or of a machine not known. */
export type CpuNoteParser = (
  desc: Uint8Array,
  machine: string,
) => { pid: number; registers: Record<string, bigint> } | null;

// struct user_regs_struct (arch/x86/include/asm/user_64.h)
const x86Registers: readonly string[] = (
  'r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi ' +
  'orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs'
).split(' ');

// struct user_pt_regs (arch/arm64/include/uapi/asm/ptrace.h)
const arm64Registers: readonly string[] = [...Array.from({ length: 31 }, (_, n) => `x${n}`), 'sp', 'pc', 'pstate'];

const registersOf: Readonly<Record<string, readonly string[]>> = { x86_64: x86Registers, aarch64: arm64Registers };

// struct elf_prstatus (include/linux/elfcore.h) on 64-bit machines: pr_pid at 32, pr_reg at 112
const pidAt = 32;
const registersAt = 112;

/** NT_PRSTATUS: what crash_save_cpu() left for a CPU, or what QEMU made of one. */
export const parsePrstatus: CpuNoteParser = (desc, machine) => {
  const names = Object.hasOwn(registersOf, machine) ? registersOf[machine]! : null;
  if (names === null || desc.length < registersAt + names.length * 8) return null;
  const reader = new ByteReader(desc, 'NT_PRSTATUS', true, pidAt);
  const pid = reader.i32();
  reader.offset = registersAt;
  const registers: Record<string, bigint> = {};
  for (const name of names) registers[name] = reader.u64();
  return { pid, registers };
};

// QEMUCPUState (QEMU's target/i386/arch_dump.c): u32 version, u32 size, then these.
const qemuGeneral: readonly string[] = 'rax rbx rcx rdx rsi rdi rsp rbp r8 r9 r10 r11 r12 r13 r14 r15 rip eflags'.split(
  ' ',
);
const qemuSegments: readonly string[] = 'cs ds es fs gs ss ldt tr gdt idt'.split(' ');
const qemuSize = 8 + 18 * 8 + 10 * 24 + 5 * 8;

/** QEMU's note of a CPU, which it writes for x86 alone: general, segment (`cs`, `cs_base`, ...) and control registers. */
export const parseQemuCpu: CpuNoteParser = (desc) => {
  if (desc.length < qemuSize) return null;
  const reader = new ByteReader(desc, 'QEMU CPU note');
  if (reader.u32() !== 1) return null; // version; later ones only append
  reader.skip(4);
  const registers: Record<string, bigint> = {};
  for (const name of qemuGeneral) registers[name] = reader.u64();
  for (const name of qemuSegments) {
    registers[name] = BigInt(reader.u32());
    registers[`${name}_limit`] = BigInt(reader.u32());
    reader.skip(8); // flags, padding
    registers[`${name}_base`] = reader.u64();
  }
  for (let n = 0; n < 5; n++) registers[`cr${n}`] = reader.u64();
  // since QEMU 3.0: the other of the two GS bases, for a CPU stopped in user space
  if (reader.remaining >= 8) registers.kernel_gs_base = reader.u64();
  return { pid: 0, registers };
};
