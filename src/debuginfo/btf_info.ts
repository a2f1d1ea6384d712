// BTF as debug information: the kernel's lies between two symbols, a module's where its `struct module` says.
import type { AddressSpace } from '../arch/address_space.ts';
import type { VirtAddr } from '../base/address.ts';
import { FormatError, NotFoundError } from '../base/errors.ts';
import { BtfTypes } from './btf.ts';
import type { DebugInfo, DebugInfoKind, DebugTarget } from './debug_info.ts';
import type { KernelObject } from './object.ts';
import type { FunctionType, Type, TypeSource } from './type.ts';

/** Largest BTF believed, in bytes: kernels with every option have 10 MB or so. */
const maxSize = 64 * 1024 * 1024;

export class BtfInfo implements DebugInfo {
  readonly origin = 'BTF';
  readonly code = null;
  readonly btf: BtfTypes;
  readonly types: TypeSource;

  constructor(btf: BtfTypes) {
    this.btf = btf;
    this.types = { find: (name) => btf.find(name), all: () => btf.own() };
  }

  variable(name: string): Type | null {
    return this.btf.variable(name)?.type ?? null;
  }

  macro(): null {
    return null;
  }

  function(name: string): FunctionType | null {
    return this.btf.functionType(name);
  }
}

export const btfKind: DebugInfoKind = {
  name: 'BTF',
  open(target) {
    if (target.module === null) return new BtfInfo(ofKernel(target));
    const btf = target.base instanceof BtfInfo ? ofModule(target, target.base, target.module) : null;
    return btf === null ? null : new BtfInfo(btf);
  },
};

/** scripts/link-vmlinux.sh and include/asm-generic/vmlinux.lds.h (BTF_SECTION), since 5.2. */
function ofKernel({ space, symbol }: DebugTarget): BtfTypes {
  const start = symbol('__start_BTF');
  const stop = symbol('__stop_BTF');
  if (start === null || stop === null) throw new NotFoundError('symbol', '__start_BTF');
  const size = stop - start;
  if (size <= 0n || size > maxSize) throw new FormatError('BTF', `0x${size.toString(16)} bytes between its symbols`);
  return new BtfTypes(readKept(space, start, Number(size)));
}

/** Split BTF in `struct module` (since 36e68442d1af, 5.11). */
function ofModule(
  { space }: DebugTarget,
  base: BtfInfo,
  { name, object }: { readonly name: string; readonly object: KernelObject },
): BtfTypes | null {
  if (!object.has('btf_data')) return null;
  const data = object.member('btf_data').pointer();
  const size = object.member('btf_data_size').number();
  if (data === 0n || size === 0) return null;
  if (size > maxSize) throw new FormatError(`BTF of module ${name}`, `size ${size} is out of range`);
  return new BtfTypes(readKept(space, data, size), base.btf);
}

/** Bytes that stay, and the tables that are made of them. */
function readKept(space: AddressSpace, start: VirtAddr, size: number): Uint8Array {
  space.memory.work.charge('kept', 2 * size);
  return space.read(start, size);
}
