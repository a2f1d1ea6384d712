// What machine code around an address says about a word that may be a return address.
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import { MemoryFault } from '../../base/errors.ts';
import type { AddressSpace } from '../address_space.ts';
import type { KernelView } from '../kernel_view.ts';

/** As `endsWithCall`; of text that is not in the dump, true: no objection. */
export function followsCall(view: KernelView, address: VirtAddr): boolean {
  return endsWithCall(view.space, address) ?? true;
}

/** Whether the bytes before an address are a call instruction: E8 rel32, or FF /2 in any of its lengths; null if they cannot be read. */
export function endsWithCall(space: AddressSpace, address: VirtAddr): boolean | null {
  let bytes: Uint8Array;
  try {
    bytes = space.read(offsetBy(address, -7), 7);
  } catch (error) {
    if (error instanceof MemoryFault) return null;
    throw error;
  }
  if (bytes[2] === 0xe8) return true;
  for (let length = 2; length <= 7; length++) {
    const at = 7 - length;
    if (bytes[at] === 0xff && (bytes[at + 1]! & 0x38) === 0x10) return true;
  }
  return false;
}

/** True if the instruction before an address is a direct call of a function (or past its ENDBR64). */
export function isCallOf(view: KernelView, address: VirtAddr, start: VirtAddr): boolean {
  try {
    if (view.space.u8(offsetBy(address, -5)) !== 0xe8) return false;
    const target = offsetBy(address, view.space.i32(offsetBy(address, -4)));
    return target === start || target === offsetBy(start, 4);
  } catch (error) {
    if (error instanceof MemoryFault) return false;
    throw error;
  }
}

/** Bytes before a function's first `push`: ENDBR64, a hook, the counting of calls, a counter of tail calls. */
const maxBeforePush = 32;

/** Where a function makes rbp its frame pointer as it begins (`push %rbp; mov %rsp,%rbp`): the push; null where it does not. */
export function framePointerSetAt(view: KernelView, start: VirtAddr): VirtAddr | null {
  const { bytes } = view.space.readUpTo(start, maxBeforePush);
  for (let i = 0; i + 4 <= bytes.length; i++) {
    if (bytes[i] === 0x55 && bytes[i + 1] === 0x48 && bytes[i + 2] === 0x89 && bytes[i + 3] === 0xe5)
      return offsetBy(start, i);
  }
  return null;
}

/** The order in which the machine counts its registers. */
const registerOrder = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  ...[8, 9, 10, 11, 12, 13, 14, 15].map((n) => `r${n}`),
];
/** `__x86_return_thunk`, and what stands for it on CPUs that are not to speculate (arch/x86/lib/retpoline.S). */
export function isReturnThunk(symbol: string): boolean {
  return /(?:return|_ret)_thunk$|^srso_\w*ret/.test(symbol);
}

/** RETPOLINE_THUNK_SIZE (arch/x86/include/asm/nospec-branch.h). */
const thunkSize = 32;

/**
 * The register that a retpoline jumps to (arch/x86/lib/retpoline.S): `__x86_indirect_thunk_rax`; where its symbol is that of all of them,
 * by their order; null for any other code.
 */
export function thunkRegister(symbol: string, offset: number): string | null {
  const name = /^(?:__pi_)?_*x86_indirect_(?:call_|jump_)?thunk_(\w+)$/.exec(symbol)?.[1];
  if (name === undefined) return null;
  if (name !== 'array') return offset === 0 && registerOrder.includes(name) ? name : null;
  return offset % thunkSize === 0 ? (registerOrder[offset / thunkSize] ?? null) : null;
}
