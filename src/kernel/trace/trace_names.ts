// What numbers in events and names in print formats stand for.
import { type VirtAddr, virtAddr } from '../../base/address.ts';
import { MemoryFault } from '../../base/errors.ts';
import { sizeOf } from '../../debuginfo/type.ts';
import type { Kernel } from '../kernel.ts';
import { perKernel } from '../per_kernel.ts';

export interface TraceNames {
  /** Function and offset of an address; null for none. */
  symbol(address: bigint): TraceSymbol | null;
  /** Text at an address of the kernel's memory; null where there is none. */
  text(address: bigint): string | null;
  /** Value of an enumerator, or of a variable that formats name; null for none. */
  constant(name: string): bigint | null;
  /** Bytes of a type by its name: `struct page`; null for none. */
  sizeOf(type: string): number | null;
}

export interface TraceSymbol {
  readonly name: string;
  readonly offset: number;
  /** Bytes of the function; 0 where they are not known. */
  readonly size: number;
  /** The module that it belongs to; null for the kernel itself. */
  readonly module: string | null;
}

/** Longest text of a string that an event points to. */
const maxText = 512;

/** Enumerators that print formats name and BTF may lack: those of interfaces to user space, which never change. */
const fixed: ReadonlyMap<string, bigint> = new Map([
  ...['NONE', 'RT', 'BE', 'IDLE'].map((name, i) => [`IOPRIO_CLASS_${name}`, BigInt(i)] as const),
  ['IOPRIO_CLASS_INVALID', 7n],
  ...[
    ...['ESTABLISHED', 'SYN_SENT', 'SYN_RECV', 'FIN_WAIT1', 'FIN_WAIT2', 'TIME_WAIT', 'CLOSE', 'CLOSE_WAIT'],
    ...['LAST_ACK', 'LISTEN', 'CLOSING', 'NEW_SYN_RECV', 'BOUND_INACTIVE'],
  ].map((name, i) => [`TCP_${name}`, BigInt(i + 1)] as const),
]);

/** The variables that print formats name: the base of the array of pages. */
const variables: ReadonlySet<string> = new Set(['vmemmap_base']);

const enumerators = perKernel((kernel: Kernel): ReadonlyMap<string, bigint> => {
  const found = new Map<string, bigint>();
  for (const type of kernel.types.all()) {
    if (type.kind === 'enum') for (const { name, value } of type.values) if (!found.has(name)) found.set(name, value);
  }
  return found;
});

/** @param delta what is added to addresses: how far the text moved since events of a boot before this one */
export function traceNames(kernel: Kernel, delta: bigint): TraceNames {
  const moved = (address: bigint): VirtAddr => virtAddr(BigInt.asUintN(64, address + delta));
  return {
    symbol(address) {
      const place = kernel.place(moved(address));
      if (place === null) return null;
      const { symbol, offset } = place;
      return { name: symbol.name, offset, size: symbol.size, module: symbol.module };
    },
    text(address) {
      try {
        return kernel.space.cString(moved(address), maxText);
      } catch (error) {
        if (error instanceof MemoryFault) return null;
        throw error;
      }
    },
    constant(name) {
      const value = enumerators(kernel).get(name) ?? fixed.get(name);
      if (value !== undefined) return value;
      return variables.has(name) ? (kernel.optionalVariable(name)?.bigint() ?? null) : null;
    },
    sizeOf(name) {
      const type = kernel.types.find(name);
      return type === null ? null : sizeOf(type);
    },
  };
}
