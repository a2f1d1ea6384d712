// An image of the memory that ramoops uses: from /dev/mem, a dump, a device. Zones for deaths come first, then one for the
// console, one for programs' messages and those of ftrace (fs/pstore/ram.c: ramoops_probe()). How large each is, is a
// matter of parameters; where they are not known, the zones' signatures tell.
import { hasParity, readZone, zoneSignature } from './persistent_ram.ts';
import type { RawRecord, RecordType } from './record.ts';

/** Parameters of the kernel that wrote it (ramoops.*), in bytes; null: to be found out. */
export interface RamoopsGeometry {
  readonly recordSize: number | null;
  readonly consoleSize: number | null;
  readonly ftraceSize: number | null;
  readonly pmsgSize: number | null;
  /** Parity bytes a block; 0 none. */
  readonly ecc: number | null;
}

export const unknownGeometry: RamoopsGeometry = {
  recordSize: null,
  consoleSize: null,
  ftraceSize: null,
  pmsgSize: null,
  ecc: null,
};

interface ZonePlace {
  readonly offset: number;
  readonly size: number;
  /** null: what it holds must tell. */
  readonly type: RecordType | null;
}

/** Parity lengths that are tried: ramoops.ecc=1 stands for 16. */
const parities = [16, 8, 32, 4];
const maxZones = 4096;

/** The records of an image. Zones that were never written give none. */
export function readRamoops(image: Uint8Array, source: string, geometry = unknownGeometry): RawRecord[] {
  const places = geometry.recordSize === null ? findZones(image) : laidOut(image, geometry, geometry.recordSize);
  const parity = geometry.ecc ?? findParity(image, places);
  return places.flatMap((place): RawRecord[] => {
    const zone = readZone(image.subarray(place.offset, place.offset + place.size), parity);
    if (zone === null) return [];
    const record = {
      source,
      offset: place.offset,
      backend: 'ramoops' as const,
      ecc: zone.ecc,
      problems: zone.problem === null ? [] : [zone.problem],
    };
    const type = place.type ?? (deathHeader(zone.content) !== null ? 'dmesg' : zone.type !== 0 ? 'ftrace' : 'console');
    return [{ ...record, ...zoneContent(type, zone.content) }];
  });
}

/** What a zone of a type holds: a death begins with when it was written. */
export function zoneContent(
  type: RecordType,
  content: Uint8Array,
): Pick<RawRecord, 'type' | 'compressed' | 'content'> & { readonly time?: number | null } {
  if (type !== 'dmesg') return { type, compressed: false, content };
  const head = deathHeader(content);
  return {
    type,
    compressed: head?.compressed ?? null,
    time: head?.time ?? null,
    content: content.subarray(head?.length ?? 0),
  };
}

/** Whether an image has a zone's header where a zone may begin. */
export function looksLikeRamoops(image: Uint8Array): boolean {
  return findZones(image).length > 0;
}

/** `====1717236180.123456-C`: when a record was written, and whether it is compressed (ramoops_write_kmsg_hdr()). */
function deathHeader(content: Uint8Array): { time: number; compressed: boolean; length: number } | null {
  const m = /^====(\d{1,12})\.(\d{1,9})(?:-([CD]))?\n/.exec(Buffer.from(content.subarray(0, 64)).toString('latin1'));
  if (m === null) return null;
  return { time: Number(`${m[1]}.${m[2]!.padStart(6, '0')}`), compressed: m[3] === 'C', length: m[0].length };
}

/** What ramoops' module parameters are where nobody sets them; a device tree has none instead. */
const defaultSize = 4096;

/** Zones by parameters. Of those that are not given it is tried which fit: where zones have signatures. */
function laidOut(image: Uint8Array, geometry: RamoopsGeometry, recordSize: number): ZonePlace[] {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const signed = ({ offset }: ZonePlace): boolean =>
    offset + 4 <= image.length && view.getUint32(offset, true) === zoneSignature;
  const layouts = [0, defaultSize].map((size) =>
    layOut(
      image.length,
      {
        ...geometry,
        consoleSize: geometry.consoleSize ?? size,
        ftraceSize: geometry.ftraceSize ?? size,
        pmsgSize: geometry.pmsgSize ?? size,
      },
      recordSize,
    ),
  );
  return layouts.reduce((best, one) => (one.filter(signed).length > best.filter(signed).length ? one : best));
}

function layOut(length: number, geometry: RamoopsGeometry, recordSize: number): ZonePlace[] {
  const rounded = (size: number | null): number => (size === null || size <= 0 ? 0 : 2 ** Math.floor(Math.log2(size)));
  const console = rounded(geometry.consoleSize);
  const pmsg = rounded(geometry.pmsgSize);
  const ftrace = rounded(geometry.ftraceSize);
  const record = rounded(recordSize);
  const dumps = length - console - pmsg - ftrace;
  const places: ZonePlace[] = [];
  const count = record === 0 || dumps <= 0 ? 0 : Math.min(maxZones, Math.floor(dumps / record));
  // what does not divide evenly makes the zones larger than asked for
  const size = count === 0 ? 0 : Math.floor(dumps / count) & ~1;
  for (let i = 0; i < count; i++) places.push({ offset: i * size, size, type: 'dmesg' });
  let at = count * size;
  for (const [type, zone] of [
    ['console', console],
    ['pmsg', pmsg],
    ['ftrace', ftrace],
  ] as const) {
    if (zone > 0 && at + zone <= length) places.push({ offset: at, size: zone, type });
    at += zone;
  }
  return places;
}

/**
 * Zones by their signatures. A zone ends where the next one begins. One whose signature is damaged is found by its
 * neighbours, since those for deaths are all of one size.
 */
function findZones(image: Uint8Array): ZonePlace[] {
  const starts: number[] = [];
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  for (let at = 0; at + 12 <= image.length && starts.length < maxZones; at += 4) {
    const type = (view.getUint32(at, true) ^ zoneSignature) >>> 0;
    if (type !== 0 && !(type >= 0x02_0000 && type <= 0xff_ffff)) continue;
    const start = view.getUint32(at + 4, true);
    const used = view.getUint32(at + 8, true);
    if (used > image.length || start > used) continue;
    if (type !== 0 && starts.length === 0) continue; // a version number alone is too little
    starts.push(at);
  }
  if (starts.length === 0) return [];
  const step = mostFrequent(starts.slice(1).map((at, i) => at - starts[i]!));
  const complete = step === null ? starts : filled(starts, step);
  return withTypes(
    image,
    complete.map((offset, i) => ({ offset, size: (complete[i + 1] ?? image.length) - offset })),
  );
}

/** Behind the zones of deaths come the console's, the programs', ftrace's: told by content, then by order. */
function withTypes(image: Uint8Array, zones: readonly Omit<ZonePlace, 'type'>[]): ZonePlace[] {
  const contents = zones.map(({ offset, size }) => readZone(image.subarray(offset, offset + size), 0)?.content ?? null);
  const lastDeath = contents.findLastIndex((content) => content !== null && deathHeader(content) !== null);
  if (lastDeath < 0) return zones.map((zone) => ({ ...zone, type: null }));
  const order = ['console', 'pmsg', 'ftrace'] as const;
  let behind = 0;
  // zones behind the last death that were never written are deaths' too, or give nothing
  return zones.map((zone, i) => ({
    ...zone,
    type: i <= lastDeath || contents[i] === null ? 'dmesg' : (order[behind++] ?? 'ftrace'),
  }));
}

/** The first of those that occur most often: zones for deaths come first. */
function mostFrequent(values: readonly number[]): number | null {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const most = Math.max(0, ...counts.values());
  return values.find((value) => counts.get(value) === most) ?? null;
}

/** Starts, with those added that a gap of several steps leaves out, up to the first gap of another size. */
function filled(starts: readonly number[], step: number): number[] {
  const out: number[] = [];
  for (const start of starts) {
    const last = out.at(-1);
    if (last !== undefined && start - last > step && (start - last) % step === 0 && (start - last) / step <= maxZones)
      for (let at = last + step; at < start && out.length < maxZones; at += step) out.push(at);
    out.push(start);
  }
  // the first zone may be the one with the damaged signature
  while (out[0]! >= step && out.length < maxZones && out[0]! % step === 0) out.unshift(out[0]! - step);
  return out;
}

function findParity(image: Uint8Array, places: readonly ZonePlace[]): number {
  const zones = places.map(({ offset, size }) => image.subarray(offset, offset + size));
  for (const parity of parities) {
    const fits = zones.filter((zone) => hasParity(zone, parity)).length;
    if (fits * 2 > zones.length) return parity;
  }
  return 0;
}
