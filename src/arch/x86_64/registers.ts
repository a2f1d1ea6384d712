// Register sets of x86_64: `struct pt_regs` on a stack, and registers saved by a dump
// (arch/x86/include/asm/ptrace.h; the layout is ABI and has not changed).
import { offsetBy, type VirtAddr, virtAddr } from '../../base/address.ts';
import { MemoryFault } from '../../base/errors.ts';
import type { AddressSpace } from '../address_space.ts';
import type { CoreFileFormat } from '../core_file.ts';
import type { RegisterLayout, RegisterSet } from '../registers.ts';

/** Names of pt_regs's words in memory order, as registers are called elsewhere (`rip`, not `ip`). */
export const ptRegsNames = [
  'r15',
  'r14',
  'r13',
  'r12',
  'rbp',
  'rbx',
  'r11',
  'r10',
  'r9',
  'r8',
  'rax',
  'rcx',
  'rdx',
  'rsi',
  'rdi',
  'orig_rax',
  'rip',
  'cs',
  'rflags',
  'rsp',
  'ss',
] as const;

export type RegisterName = (typeof ptRegsNames)[number];

/** Bytes in `struct pt_regs`. */
export const ptRegsSize = ptRegsNames.length * 8;
/** Bytes from the start of pt_regs to what the CPU itself pushes: ip, cs, flags, sp, ss. */
export const iretFrameOffset = 16 * 8;

/** Registers whose values are known; a frame that the CPU alone saved has only the last five. */
export type Registers = Readonly<Partial<Record<RegisterName, bigint>>>;

/** A whole pt_regs at a virtual address. @throws MemoryFault */
export function readPtRegs(space: AddressSpace, address: VirtAddr): Registers {
  return decode(space.read(address, ptRegsSize), 0);
}

/** The part that the CPU pushed, at a virtual address. @throws MemoryFault */
export function readIretFrame(space: AddressSpace, address: VirtAddr): Registers {
  return decode(space.read(address, ptRegsSize - iretFrameOffset), iretFrameOffset / 8);
}

function decode(bytes: Uint8Array, first: number): Registers {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const registers: Partial<Record<RegisterName, bigint>> = {};
  for (let i = first; i < ptRegsNames.length; i++) {
    const name = ptRegsNames[i]!;
    const word = view.getBigUint64((i - first) * 8, true);
    // Since 6.9 (FRED), CS and SS share their words with event data above bit 15.
    registers[name] = name === 'cs' || name === 'ss' ? word & 0xffffn : word;
  }
  return registers;
}

/** Registers of a CPU as a dump's note gives them: names that pt_regs does not have are left out. */
export function fromNote(registers: Readonly<Record<string, bigint>>): Registers {
  const known: Partial<Record<RegisterName, bigint>> = {};
  for (const name of ptRegsNames) {
    const value = registers[name] ?? (name === 'rflags' ? registers.eflags : undefined);
    if (value !== undefined) known[name] = BigInt.asUintN(64, value);
  }
  return known;
}

/** True when these registers are those of user mode: ring 3 in CS's low bits. */
export function isUserMode(registers: Registers): boolean {
  return ((registers.cs ?? 0n) & 3n) === 3n;
}

/** IF in RFLAGS: interrupts are on. */
const interruptFlag = 0x200n;

/** Rows of cells; what is 16 digits wide, `label=name`. */
function row(text: string): { label: string; name: string; digits: number }[] {
  return text.split(',').map((cell) => {
    const [label, name] = cell.split('=');
    return { label: label!, name: name!, digits: 16 };
  });
}

const rows = [
  // RFLAGS has 32 bits that mean anything
  [...row('RIP=rip,RSP=rsp'), { label: 'RFLAGS', name: 'rflags', digits: 8 }],
  row('RAX=rax,RBX=rbx,RCX=rcx'),
  row('RDX=rdx,RSI=rsi,RDI=rdi'),
  row('RBP=rbp, R8=r8, R9=r9'),
  row('R10=r10,R11=r11,R12=r12'),
  row('R13=r13,R14=r14,R15=r15'),
  [...row('ORIG_RAX=orig_rax'), { label: 'CS', name: 'cs', digits: 4 }, { label: 'SS', name: 'ss', digits: 4 }],
];
const layout: RegisterLayout = { codeAbove: 'RIP', kernel: rows, user: rows };

export const x86RegisterSet: RegisterSet = {
  programCounter: { name: 'rip', label: 'RIP' },
  arguments: ['rdi', 'rsi', 'rdx', 'rcx', 'r8', 'r9'],
  result: 'rax',
  stack: { pointer: 'rsp', frame: 'rbp', pushedByCall: 8 },
  preserved: ['rbx', 'rbp', 'rsp', 'r12', 'r13', 'r14', 'r15'],
  layout,
  fromNote,
  instructionPointer: (registers) => virtAddr(registers.rip ?? 0n),
  stackPointer: (registers) => virtAddr(registers.rsp ?? 0n),
  at: (rip, rsp) => ({ rip, rsp }),
  link: () => null,
  lastBranch: () => null,
  isUserMode,
  interruptsOff: ({ rflags }) => rflags !== undefined && (rflags & interruptFlag) === 0n,
};

/** EM_X86_64; `struct user_regs_struct` (arch/x86/include/asm/user_64.h). */
export const x86CoreFile: CoreFileFormat = {
  machine: 62,
  registers: [...ptRegsNames, 'fs_base', 'gs_base', 'ds', 'es', 'fs', 'gs'],
  kept: {
    // fs and gs until 296f781a4b7801 (4.7)
    fs_base: ['thread.fsbase', 'thread.fs'],
    gs_base: ['thread.gsbase', 'thread.gs'],
    ds: ['thread.ds'],
    es: ['thread.es'],
    fs: ['thread.fsindex'],
    gs: ['thread.gsindex'],
  },
  notes: [],
};

/** Registers at an address, if segments and flags are what the kernel uses (arch/x86/include/asm/segment.h); else null. */
export function savedRegisters(space: AddressSpace, at: VirtAddr): Registers | null {
  const word = (name: RegisterName): VirtAddr => offsetBy(at, ptRegsNames.indexOf(name) * 8);
  try {
    const cs = space.u16(word('cs'));
    if (cs !== 0x10 && cs !== 0x33 && cs !== 0x23) return null;
    const registers = readPtRegs(space, at);
    const { ss = 0n, rflags = 0n, rip = 0n, rsp = 0n } = registers;
    // bit 1 of the flags is always set, bits 3, 5, 15 and those above 21 never
    if ((rflags & 0x2n) === 0n || (rflags & 0xffff_ffff_ffc0_8028n) !== 0n) return null;
    if (cs === 0x10) return ss === 0x18n || ss === 0n ? registers : null;
    const userLimit = 1n << 56n;
    return ss === 0x2bn && rip < userLimit && rsp < userLimit && rip > 0n ? registers : null;
  } catch (error) {
    if (error instanceof MemoryFault) return null;
    throw error;
  }
}

/** Bits of RFLAGS (Intel SDM volume 1, 3.4.3) by name, lowest first. */
const flagBits: readonly (readonly [bit: bigint, name: string])[] = [
  [0n, 'CF'],
  [2n, 'PF'],
  [4n, 'AF'],
  [6n, 'ZF'],
  [7n, 'SF'],
  [8n, 'TF'],
  [9n, 'IF'],
  [10n, 'DF'],
  [11n, 'OF'],
  [14n, 'NT'],
  [16n, 'RF'],
  [17n, 'VM'],
  [18n, 'AC'],
  [19n, 'VIF'],
  [20n, 'VIP'],
  [21n, 'ID'],
];

/** Names of the flags that are set. `IF` missing means that interrupts were off. */
export function flagNames(rflags: bigint): string[] {
  return flagBits.filter(([bit]) => ((rflags >> bit) & 1n) !== 0n).map(([, name]) => name);
}
