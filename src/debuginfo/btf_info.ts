// BTF as debug information: the kernel's lies between two symbols, a module's where its `struct module` says.
import type { AddressSpace } from '../arch/address_space.ts';
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { FormatError, NotFoundError } from '../base/errors.ts';
import { BtfTypes } from './btf.ts';
import type { DebugInfo, DebugInfoKind, DebugTarget } from './debug_info.ts';
import { KernelObject } from './object.ts';
import { type FunctionType, offsetOf, type Type, type TypeSource } from './type.ts';

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

/** Modules believed to be loaded. */
const maxModules = 4096;

/**
 * Split BTF in `struct module` (since 36e68442d1af, 5.11); where that was given back once the module was loaded, the
 * kernel's own copy, whose references are to the kernel's types (kernel/bpf/btf.c: btf_parse_module()).
 */
function ofModule(
  target: DebugTarget,
  base: BtfInfo,
  { name, object }: { readonly name: string; readonly object: KernelObject },
): BtfTypes | null {
  if (!object.has('btf_data')) return null;
  const own = { data: object.member('btf_data').pointer(), size: object.member('btf_data_size').number() };
  const found = own.data !== 0n && own.size !== 0 ? own : loaded(target, base, object);
  if (found === null) return null;
  if (found.size > maxSize) throw new FormatError(`BTF of module ${name}`, `size ${found.size} is out of range`);
  return new BtfTypes(readKept(target.space, found.data, found.size), base.btf);
}

/** The module's entry in `btf_modules` (since 8646db238997, 5.11): the BTF that was read of it. */
function loaded(
  { symbol, space }: DebugTarget,
  base: BtfInfo,
  { address: module, context }: KernelObject,
): { data: VirtAddr; size: number } | null {
  const head = symbol('btf_modules');
  const type = base.types.find('struct btf_module');
  if (head === null || type === null || base.types.find('struct btf') === null) return null;
  const link = offsetOf(type, 'list');
  let node = space.pointer(head);
  for (let n = 0; node !== head && n < maxModules; n++) {
    const entry = KernelObject.at(context, type, offsetBy(node, -link));
    if (entry.member('module').pointer() === module) {
      const btf = entry.member('btf').deref();
      const size = btf.member('data_size').number();
      return size === 0 ? null : { data: btf.member('data').pointer(), size };
    }
    node = space.pointer(node);
  }
  return null;
}

/** Bytes that stay, and the tables that are made of them. */
function readKept(space: AddressSpace, start: VirtAddr, size: number): Uint8Array {
  space.memory.work.charge('kept', 2 * size);
  return space.read(start, size);
}
