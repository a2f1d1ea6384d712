// The notes of a core file: what each thread's registers were, and what the process was (fs/binfmt_elf.c).
import type { Registers } from '../arch/registers.ts';
import { offsetBy } from '../base/address.ts';
import { sizeOf } from '../debuginfo/type.ts';
import { backtracer } from './backtrace.ts';
import { note } from './core_file_head.ts';
import { openFile } from './fs.ts';
import type { Kernel } from './kernel.ts';
import { userMemory, type VmArea } from './mm_types.ts';
import type { Task } from './task.ts';

const NT_PRSTATUS = 1;
const NT_FPREGSET = 2;
const NT_PRPSINFO = 3;
const NT_AUXV = 6;
const NT_FILE = 0x4649_4c45;

/**
 * The notes of a process, one behind another.
 * @param threads the first of them the one that the file is about
 * @param areas the process's memory
 */
export function processNotes(
  kernel: Kernel,
  threads: readonly Task[],
  areas: readonly VmArea[],
): { readonly notes: Uint8Array; readonly withoutRegisters: number } {
  let withoutRegisters = 0;
  const notes: Uint8Array[] = [];
  for (const [i, thread] of threads.entries()) {
    const registers = threadRegisters(kernel, thread);
    if (registers === null) withoutRegisters++;
    notes.push(note(NT_PRSTATUS, processStatus(kernel, thread, registers ?? {})));
    if (i === 0) notes.push(note(NT_PRPSINFO, processInfo(kernel, thread)));
    const floating = thread.active ? null : floatingPoint(kernel, thread);
    if (floating !== null) notes.push(note(NT_FPREGSET, floating));
    const { coreFile } = kernel.arch;
    for (const { type, registers: names } of coreFile.notes) {
      notes.push(note(type, words(names.map((name) => registers?.[name] ?? 0n))));
    }
    if (i > 0) continue;
    const mm = thread.object.member('mm');
    const auxv = kernel.faults.attempt('auxiliary vector', () => mm.deref().member('saved_auxv').bytes(), null);
    if (auxv !== null) notes.push(note(NT_AUXV, auxv));
    notes.push(note(NT_FILE, mappedFiles(kernel, areas)));
  }
  return { notes: Buffer.concat(notes), withoutRegisters };
}

/** The registers that a thread left user mode with; null where they are not known. */
function threadRegisters(kernel: Kernel, task: Task): Registers | null {
  const frames = kernel.faults.attempt('backtrace', () => backtracer(kernel).of(task).frames, []);
  const saved = frames.findLast(
    ({ registers }) => registers !== null && kernel.arch.registers.isUserMode(registers),
  )?.registers;
  if (saved == null) return null;
  const registers: Record<string, bigint> = {};
  for (const [name, value] of Object.entries(saved)) if (value !== undefined) registers[name] = value;
  for (const [name, paths] of Object.entries(kernel.arch.coreFile.kept)) {
    const path = paths.find((one) => task.object.has(one));
    if (path === undefined) continue;
    const value = kernel.faults.attempt('registers of a thread', () => task.object.member(path).bigint(), null);
    if (value !== null) registers[name] = value;
  }
  return registers;
}

/** struct elf_prstatus: 112 bytes, then the registers, then pr_fpvalid. */
function processStatus(kernel: Kernel, task: Task, registers: Registers): Uint8Array {
  const { coreFile } = kernel.arch;
  const bytes = Buffer.alloc(112 + coreFile.registers.length * 8 + 8);
  const { parent, group, session } = kin(kernel, task);
  bytes.writeInt32LE(task.pid, 32);
  bytes.writeInt32LE(parent, 36);
  bytes.writeInt32LE(group, 40);
  bytes.writeInt32LE(session, 44);
  for (const [i, name] of coreFile.registers.entries()) {
    bytes.writeBigUInt64LE(BigInt.asUintN(64, registers[name] ?? 0n), 112 + i * 8);
  }
  return bytes;
}

/** struct elf_prpsinfo. */
function processInfo(kernel: Kernel, task: Task): Uint8Array {
  const bytes = Buffer.alloc(136);
  const { parent, group, session } = kin(kernel, task);
  const letter = task.state.charAt(0);
  bytes.writeUInt8(task.state === 'ZO' ? 4 : task.state === 'RU' ? 0 : task.state === 'UN' ? 2 : 1, 0);
  bytes.write(letter === 'I' ? 'S' : letter === 'U' ? 'D' : letter, 1, 'latin1');
  bytes.writeBigUInt64LE(BigInt(task.flags >>> 0), 8);
  const owner = (name: 'uid' | 'gid'): number =>
    kernel.faults.attempt('credentials', () => task.object.member('real_cred').member(`${name}.val`).number(), 0);
  bytes.writeUInt32LE(owner('uid'), 16);
  bytes.writeUInt32LE(owner('gid'), 20);
  bytes.writeInt32LE(task.pid, 24);
  bytes.writeInt32LE(parent, 28);
  bytes.writeInt32LE(group, 32);
  bytes.writeInt32LE(session, 36);
  bytes.write(task.comm.slice(0, 15), 40, 'latin1');
  const line = kernel.faults.attempt('arguments', () => commandLine(kernel, task), '');
  bytes.write((line === '' ? task.comm : line).slice(0, 79), 56, 'latin1');
  return bytes;
}

function commandLine(kernel: Kernel, task: Task): string {
  const mm = task.object.member('mm').deref();
  const start = mm.member('arg_start').pointer();
  const length = Math.min(80, Number(mm.member('arg_end').pointer() - start));
  if (!(length > 0)) return '';
  const { bytes } = userMemory(kernel, task).readUpTo(start, length);
  return Buffer.from(bytes).toString('latin1').replace(/\0+$/, '').replaceAll('\0', ' ');
}

function kin(kernel: Kernel, task: Task): { parent: number; group: number; session: number } {
  const pidOf = (kind: 2 | 3): number =>
    kernel.faults.attempt(
      'process group',
      () => {
        // in the signal_struct since 2c4704756cab (4.19), in links of the task before
        const pid =
          task.object.member('signal').optional(`pids[${kind}]`) ?? task.object.member(`pids[${kind - 1}].pid`);
        return pid.isNull ? 0 : pid.member('numbers').index(0).member('nr').number();
      },
      0,
    );
  return {
    parent: kernel.faults.attempt('parent', () => task.object.member('real_parent').member('tgid').number(), 0),
    group: pidOf(2),
    session: pidOf(3),
  };
}

/** FXSAVE's area of x86, user_fpsimd_state of arm64: both are what NT_FPREGSET has. Of a task that is switched away. */
function floatingPoint(kernel: Kernel, task: Task): Uint8Array | null {
  return kernel.faults.attempt(
    'floating point registers',
    () => {
      const { object } = task;
      const simd = object.optional('thread.uw.fpsimd_state');
      if (simd !== null) return simd.bytes();
      const old = object.optional('thread.fpu.state.fxsave');
      if (old !== null) return old.bytes();
      // fpu.fpstate since 87d0e5be0fac (5.16); struct fpu behind the task_struct since 55bc30f2e34d (6.16)
      const fpu =
        object.optional('thread.fpu') ??
        (kernel.types.find('struct fpu') === null
          ? null
          : kernel.object('struct fpu', offsetBy(task.address, sizeOf(object.type))));
      const state = fpu?.optional('fpstate') ?? null;
      return state === null || state.isNull ? null : state.member('regs.fxsave').bytes();
    },
    null,
  );
}

/** NT_FILE: count, page size, then start, end and offset of each mapping of a file, then their names. */
function mappedFiles(kernel: Kernel, areas: readonly VmArea[]): Uint8Array {
  const files = areas
    .filter(({ file }) => file !== 0n)
    .map((area) => ({ area, path: kernel.faults.attempt('file', () => openFile(kernel, area.file).path?.path, null) }));
  const numbers = [BigInt(files.length), BigInt(kernel.dump.memory.pageSize)];
  for (const { area } of files) numbers.push(area.start, area.end, area.pageOffset);
  const names = files.map(({ path }) => Buffer.from(`${path ?? ''}\0`, 'latin1'));
  return Buffer.concat([words(numbers), ...names]);
}

function words(values: readonly bigint[]): Uint8Array {
  const bytes = Buffer.alloc(values.length * 8);
  for (const [i, value] of values.entries()) bytes.writeBigUInt64LE(BigInt.asUintN(64, value), i * 8);
  return bytes;
}
