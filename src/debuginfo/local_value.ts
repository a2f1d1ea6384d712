// Values that are not in memory, in registers say, as typed objects: their bytes are given an address that no machine
// has, in an address space that is the kernel's everywhere else.
import { AddressSpace } from '../arch/address_space.ts';
import type { PhysAddr, VirtAddr } from '../base/address.ts';
import { virtAddr } from '../base/address.ts';
import { MemoryFault } from '../base/errors.ts';
import type { FrameState, Local, LocalPlace } from './debug_info.ts';
import { KernelObject, type ObjectContext } from './object.ts';
import { sizeOf, type Type } from './type.ts';

/** Not canonical on any machine. */
const place = virtAddr(0x0100_0000_0000_0000n);
/** Largest value that is put together, in bytes. */
const largest = 1 << 16;
/** Bytes that may be read from `place` on: the largest value, and the page that it ends in. */
const room = 1 << 17;

/** A variable's value, or why there is none, in a few words. */
export type LocalValue =
  | { readonly object: KernelObject }
  | { readonly reason: 'optimized-out' | 'not-known'; readonly detail: string };

/** The value of a variable in a frame. */
export function localValue(local: Local, frame: FrameState, context: ObjectContext): LocalValue {
  const { type } = local;
  if (type === null) return { reason: 'not-known', detail: 'its type is not told' };
  const where = local.where(frame);
  if (where.kind === 'memory') return { object: KernelObject.at(context, type, where.address) };
  const size = sizeOf(type);
  if (size === 0 && where.kind !== 'none') return { reason: 'not-known', detail: 'the size of its type is not known' };
  if (size > largest) return { reason: 'not-known', detail: `a value of ${size} bytes in parts` };
  const bytes = new Uint8Array(size);
  const problem = gather(where, frame, bytes, 0, size * 8);
  return problem ?? { object: valueObject(context, type, bytes) };
}

/** An object of a type with these bytes. */
export function valueObject(context: ObjectContext, type: Type, bytes: Uint8Array): KernelObject {
  return KernelObject.at({ space: new ValueSpace(context.space, bytes), types: context.types }, type, place);
}

/** Copies a value's bytes to their place; null, or why that cannot be done. */
function gather(
  where: LocalPlace,
  frame: FrameState,
  into: Uint8Array,
  at: number,
  bits: number,
): Exclude<LocalValue, { object: KernelObject }> | null {
  const length = Math.min(Math.ceil(bits / 8), into.length - at);
  switch (where.kind) {
    case 'none':
      return { reason: where.reason, detail: where.detail };
    case 'value':
      into.set(where.bytes.subarray(0, length), at);
      return null;
    case 'memory':
      try {
        frame.space.readInto(where.address, into.subarray(at, at + length));
        return null;
      } catch (error) {
        if (!(error instanceof MemoryFault)) throw error;
        return { reason: 'not-known', detail: error.message };
      }
    case 'parts': {
      let done = at * 8;
      for (const part of where.parts) {
        if (done % 8 !== 0) return { reason: 'not-known', detail: 'parts that are no whole bytes' };
        if (done / 8 >= into.length) break;
        const problem = gather(part.place, frame, into, done / 8, part.bits);
        if (problem !== null) return problem;
        done += part.bits;
      }
      return null;
    }
  }
}

class ValueSpace extends AddressSpace {
  private readonly inner: AddressSpace;
  private readonly bytes: Uint8Array;

  constructor(inner: AddressSpace, bytes: Uint8Array) {
    super(inner.memory, inner.space);
    this.inner = inner;
    this.bytes = bytes;
  }

  override translate(address: VirtAddr): PhysAddr {
    if (this.holds(address)) throw new MemoryFault(this.space, address, 'not-mapped', 'a value that is in no memory');
    return this.inner.translate(address);
  }

  override readInto(address: VirtAddr, into: Uint8Array): void {
    if (!this.holds(address)) {
      this.inner.readInto(address, into);
      return;
    }
    const offset = Number(address - place);
    into.fill(0); // readers take whole pages: behind the value there is nothing
    into.set(this.bytes.subarray(offset, offset + into.length));
  }

  override u8(address: VirtAddr): number {
    return this.read(address, 1)[0]!;
  }

  override u16(address: VirtAddr): number {
    return this.word(address, 2).getUint16(0, true);
  }

  override u32(address: VirtAddr): number {
    return this.word(address, 4).getUint32(0, true);
  }

  override i32(address: VirtAddr): number {
    return this.word(address, 4).getInt32(0, true);
  }

  override u64(address: VirtAddr): bigint {
    return this.word(address, 8).getBigUint64(0, true);
  }

  private word(address: VirtAddr, size: number): DataView {
    const bytes = this.read(address, size);
    return new DataView(bytes.buffer, bytes.byteOffset, size);
  }

  private holds(address: VirtAddr): boolean {
    return address >= place && address - place < BigInt(room);
  }
}
