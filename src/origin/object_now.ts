// What the memory is now that a bad value was loaded from: whose object, whether that is still allocated, and how far a
// pattern that does not belong there reaches.
import { type VirtAddr, virtAddr } from '../base/address.ts';
import { hex } from '../base/text.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { type ObjectState, type SlabObjectPlace, slabObjectAt } from '../kernel/slab_object.ts';

export interface ObjectNow {
  /** The object's slab cache; null for memory of no slab. */
  readonly cache: string | null;
  /** Virtual address of the object; null for memory of no slab. */
  readonly object: VirtAddr | null;
  /** Bytes from the object to what was loaded. */
  readonly offset: number | null;
  readonly state: ObjectState | null;
  /** Where the same word, or text, lies around what was loaded: [start, end); null where it is alone. */
  readonly pattern: { readonly start: VirtAddr; readonly end: VirtAddr; readonly text: string | null } | null;
  /** A sentence on it, without its full stop; empty where there is nothing to say. */
  readonly words: string;
  readonly command: string | null;
  readonly sure: 'proved' | 'likely';
  /** True for an object that is free, or memory that something was written over. */
  readonly suspect: boolean;
}

/** Characters of a text that are shown. */
const maxText = 40;
/** Bytes that a pattern is followed to each side. */
const maxPattern = 4096;

/** What lies at an address; null where nothing is known of it. @param bits what was loaded from there */
export function objectNow(kernel: Kernel, address: VirtAddr, bits: bigint | null): ObjectNow | null {
  if (!kernel.arch.isKernelAddress(address)) return null;
  const place = kernel.faults.attempt('slabs', () => slabObjectAt(kernel, address), null);
  const pattern = bits === null ? null : patternAround(kernel, address, bits);
  if (place === null && pattern === null) return null;
  const { words, sure } = tell(place, pattern);
  return {
    cache: place?.object.cache.name ?? null,
    object: place?.object.address ?? null,
    offset: place?.offset ?? null,
    state: place?.object.state ?? null,
    pattern,
    words,
    suspect: pattern !== null || isFree(place?.object.state ?? null),
    command: place === null ? `rd ${hex(pattern!.start)} 8` : `kmem ${hex(place.object.address)}`,
    sure,
  };
}

/** What goes behind a sentence on a value that was loaded from there. */
export function objectWords({ state, cache, object }: ObjectNow): string {
  return isFree(state)
    ? `; the object that it lies in (${cache} ${hex(object!)}) is free: it was used after it was freed`
    : '';
}

function isFree(state: ObjectState | null): boolean {
  return state === 'free' || state === 'cpu' || state === 'sheaf' || state === 'rcu';
}

function tell(
  place: SlabObjectPlace | null,
  pattern: ObjectNow['pattern'],
): { words: string; sure: 'proved' | 'likely' } {
  const parts: string[] = [];
  let sure: 'proved' | 'likely' = 'proved';
  if (place !== null) {
    const { object, offset } = place;
    const where = `0x${hex(offset)} bytes into an object of ${object.cache.name ?? 'a slab cache'} at ${hex(object.address)}`;
    if (isFree(object.state)) {
      parts.push(`it lies ${where}, which is free`);
      sure = 'likely'; // it may have been freed since
    } else if (object.state === 'allocated') parts.push(`it lies ${where}, which is allocated`);
    else parts.push(`it lies ${where}`);
  }
  if (pattern !== null) {
    const length = Number(pattern.end - pattern.start);
    const text =
      pattern.text === null || pattern.text.length <= maxText ? pattern.text : `${pattern.text.slice(0, maxText)}...`;
    const what = text === null ? 'the same word is repeated' : `the text "${text}" lies there`;
    const before = place !== null && pattern.start < place.object.address && place.previous !== null;
    const from = before ? `, from before the object: out of its neighbour at ${hex(place!.previous!.address)}` : '';
    parts.push(`${what} over ${length} bytes, from ${hex(pattern.start)}${from}`);
  }
  if (place !== null && (pattern !== null || isFree(place.object.state))) {
    const neighbours = [
      ...(place.previous === null ? [] : [`before it ${hex(place.previous.address)} (${place.previous.state})`]),
      ...(place.next === null ? [] : [`behind it ${hex(place.next.address)} (${place.next.state})`]),
    ];
    if (neighbours.length > 0) parts.push(`its neighbours are ${neighbours.join(' and ')}`);
  }
  return { words: parts.join('; '), sure };
}

/** How far a word's bytes are repeated around its place, or the text that it is of goes on: 2 words at least. */
function patternAround(kernel: Kernel, address: VirtAddr, bits: bigint): ObjectNow['pattern'] {
  if (bits === 0n || bits === 0xffff_ffff_ffff_ffffn || (address & 7n) !== 0n) return null;
  const start = virtAddr(address - BigInt(maxPattern) > 0n ? address - BigInt(maxPattern) : 0n);
  const before = readableBefore(kernel, start, address);
  const { bytes: after } = kernel.space.readUpTo(address, maxPattern);
  const own = new Uint8Array(8);
  new DataView(own.buffer).setBigUint64(0, bits, true);
  if (after.length < 8 || !own.every((byte, i) => after[i] === byte)) return null;
  const isText = own.every(isPrintable);
  const fits = (byte: number, expected: number): boolean => (isText ? isPrintable(byte) : byte === expected);
  let forward = 0;
  while (forward < after.length && fits(after[forward]!, own[forward % 8]!)) forward++;
  let backward = 0;
  while (backward < before.length && fits(before[before.length - 1 - backward]!, own[7 - (backward % 8)]!)) backward++;
  if (forward + backward < 16) return null;
  const text = isText ? latin1(before.subarray(before.length - backward)) + latin1(after.subarray(0, forward)) : null;
  return { start: virtAddr(address - BigInt(backward)), end: virtAddr(address + BigInt(forward)), text };
}

function isPrintable(byte: number): boolean {
  return byte >= 0x20 && byte <= 0x7e;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

/** The bytes right before an address, as far back as they can be read. */
function readableBefore(kernel: Kernel, start: VirtAddr, address: VirtAddr): Uint8Array {
  const page = BigInt(kernel.dump.memory.pageSize);
  const near = virtAddr(address - (address % page) > start ? address - (address % page) : start);
  const whole = kernel.space.readUpTo(start, Number(address - start));
  if (whole.fault === null) return whole.bytes;
  return kernel.space.readUpTo(near, Number(address - near)).bytes;
}
