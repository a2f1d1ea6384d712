// kernel/printk/printk_ringbuffer.h: the lockless log of kernels since 896fbe20b4e2 (5.10).
//
//   printk_ringbuffer.desc_ring       descs[2^count_bits]   state and id, where the text lies
//                                     infos[2^count_bits]   sequence number, time, level, caller, device
//                    .text_data_ring  data[2^size_bits]     blocks: { unsigned long id; char text[] }
//
// Ids and positions only ever grow, and are taken modulo the ring's size; the low 32 bits are enough to find
// an entry and to tell it from the one that was in its place before.
import { offsetBy } from '../base/address.ts';
import { latin1 } from '../base/byte_reader.ts';
import { FormatError, InquestError } from '../base/errors.ts';
import { findMember, offsetOf } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { MemoryWindow } from './memory_window.ts';
import { callerOf, type LogRecord, logOffset, logSize, logSymbol, logText, maxLogBytes } from './printk_record.ts';

/** enum desc_state, in the top two bits of a descriptor's state. */
const committed = 1;
const finalized = 2;

/** Most descriptors that are believed: a log of 512 MiB has as many. */
const maxCountBits = 24;
/** Records in vain before the rest of a ring is given up: a header that lies may promise millions. */
const maxUnreadable = 100_000;

interface Layout {
  readonly descSize: number;
  readonly descState: number;
  readonly descBegin: number;
  readonly descNext: number;
  readonly infoSize: number;
  readonly infoSeq: number;
  readonly infoTime: number;
  readonly infoTextLength: number;
  readonly infoFacility: number;
  /** Byte with the flags in its low 5 bits and the level in its upper 3. */
  readonly infoLevel: number;
  readonly infoCaller: number;
  /** Offsets and lengths of the device's names; null before 74caba7f2a06 (5.10-rc) or where not told. */
  readonly subsystem: { readonly offset: number; readonly length: number } | null;
  readonly device: { readonly offset: number; readonly length: number } | null;
}

interface Ring {
  readonly layout: Layout;
  readonly descs: MemoryWindow;
  readonly infos: MemoryWindow;
  readonly text: MemoryWindow;
  readonly countMask: number;
  /** Low 32 bits. */
  readonly head: number;
  readonly tail: number;
}

/**
 * Appends the log's records to `records`, oldest first, as a reader of /dev/kmsg would see them, and the one
 * that was still being continued at the crash.
 * @throws InquestError when the ring's own description cannot be read
 */
export function readRingbuffer(kernel: Kernel, records: LogRecord[]): void {
  const ring = openRing(kernel);
  let count = ((ring.head - ring.tail) >>> 0) + 1;
  if (count > ring.countMask + 1) {
    kernel.faults.record(
      'kernel log',
      new FormatError('printk ring', `head and tail are ${count} apart, has ${ring.countMask + 1} descriptors`),
    );
    count = ring.countMask + 1;
  }
  const first = (ring.head - (count - 1)) >>> 0;
  let unreadable = 0;
  let textLength = 0;
  for (let n = 0; n < count; n++) {
    try {
      kernel.work.charge('nodes', 1);
      const record = readRecord(ring, (first + n) >>> 0);
      if (record === null) continue;
      textLength += record.text.length;
      if (textLength > ring.text.size) break;
      records.push(record);
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      kernel.faults.record('kernel log', error);
      if (++unreadable > maxUnreadable) throw new FormatError('printk ring', `${unreadable} records cannot be read`);
    }
  }
  if (textLength > ring.text.size) {
    throw new FormatError(
      'printk ring',
      `texts overlap: after ${records.length} records they are more than its ${ring.text.size} bytes`,
    );
  }
}

function openRing(kernel: Kernel): Ring {
  const { space } = kernel;
  const member = (...path: [string, string][]): number =>
    path.reduce((sum, [struct, name]) => sum + logOffset(kernel, struct, name), 0);
  const prb = space.pointer(logSymbol(kernel, 'prb'));
  const descRing = offsetBy(prb, member(['printk_ringbuffer', 'desc_ring']));
  const textRing = offsetBy(prb, member(['printk_ringbuffer', 'text_data_ring']));
  const counter = member(['atomic_long_t', 'counter']);

  const countBits = space.u32(offsetBy(descRing, member(['prb_desc_ring', 'count_bits'])));
  const sizeBits = space.u32(offsetBy(textRing, member(['prb_data_ring', 'size_bits'])));
  if (countBits > maxCountBits) throw new FormatError('printk ring', `count_bits ${countBits} is out of range`);
  if (2 ** sizeBits > maxLogBytes) throw new FormatError('printk ring', `size_bits ${sizeBits} is out of range`);

  const layout = readLayout(kernel);
  const pointer = (ring: typeof descRing, struct: string, name: string) =>
    space.pointer(offsetBy(ring, member([struct, name])));
  const id = (name: string) => space.u32(offsetBy(descRing, member(['prb_desc_ring', name]) + counter));
  const count = 2 ** countBits;
  return {
    layout,
    descs: new MemoryWindow(
      space,
      pointer(descRing, 'prb_desc_ring', 'descs'),
      count * layout.descSize,
      'printk descriptors',
    ),
    infos: new MemoryWindow(
      space,
      pointer(descRing, 'prb_desc_ring', 'infos'),
      count * layout.infoSize,
      'printk records',
    ),
    text: new MemoryWindow(space, pointer(textRing, 'prb_data_ring', 'data'), 2 ** sizeBits, 'printk text'),
    countMask: count - 1,
    head: id('head_id'),
    tail: id('tail_id'),
  };
}

function readLayout(kernel: Kernel): Layout {
  const { vmcoreinfo } = kernel;
  const offset = (struct: string, name: string): number => logOffset(kernel, struct, name);
  const position = offset('prb_desc', 'text_blk_lpos');
  const textLength = offset('printk_info', 'text_len');
  // VMCOREINFO tells neither facility nor level: they follow text_len (u16) in every version of the struct so far
  const told = vmcoreinfo.offset('printk_info.text_len') !== null;
  const infoType = told ? null : kernel.type('struct printk_info');
  const level = infoType === null ? null : findMember(infoType, 'level');
  const deviceInfo = ((): Pick<Layout, 'subsystem' | 'device'> => {
    const name = (member: string, key: string) => {
      if (told) {
        const at = vmcoreinfo.offset(`dev_printk_info.${member}`);
        const info = vmcoreinfo.offset('printk_info.dev_info');
        const length = vmcoreinfo.length(key);
        return at === null || info === null || length === null ? null : { offset: info + at, length };
      }
      const place = findMember(infoType!, `dev_info.${member}`);
      if (place === null) return null;
      const length = place.type.kind === 'array' ? place.type.length : 0;
      return { offset: place.bitOffset / 8, length };
    };
    return {
      subsystem: name('subsystem', 'printk_info_subsystem'),
      device: name('device', 'printk_info_device'),
    };
  })();
  return {
    descSize: logSize(kernel, 'prb_desc'),
    descState: offset('prb_desc', 'state_var') + offset('atomic_long_t', 'counter'),
    descBegin: position + offset('prb_data_blk_lpos', 'begin'),
    descNext: position + offset('prb_data_blk_lpos', 'next'),
    infoSize: logSize(kernel, 'printk_info'),
    infoSeq: offset('printk_info', 'seq'),
    infoTime: offset('printk_info', 'ts_nsec'),
    infoTextLength: textLength,
    infoFacility: infoType === null ? textLength + 2 : offsetOf(infoType, 'facility'),
    infoLevel: level === null ? textLength + 3 : Math.floor(level.bitOffset / 8),
    infoCaller: offset('printk_info', 'caller_id'),
    ...deviceInfo,
  };
}

/** The record with an id (its low 32 bits), or null where a reader of the kernel's log would find none. */
function readRecord(ring: Ring, id: number): LogRecord | null {
  const { layout, descs, infos } = ring;
  const index = id & ring.countMask;
  const desc = index * layout.descSize;
  const state = descs.u32(desc + layout.descState + 4) >>> 30;
  // reserved: its writer never finished; reusable: its text may be overwritten; another id: not this record
  if (descs.u32(desc + layout.descState) !== id || (state !== committed && state !== finalized)) return null;

  const begin = descs.u32(desc + layout.descBegin);
  const next = descs.u32(desc + layout.descNext);
  const info = index * layout.infoSize;
  const textLength = infos.u16(info + layout.infoTextLength);
  const seq = Number(infos.u64(info + layout.infoSeq));
  const timestampNs = infos.u64(info + layout.infoTime);
  const facility = infos.bytes(info + layout.infoFacility, 1)[0]!;
  const level = infos.bytes(info + layout.infoLevel, 1)[0]! >> 5;
  const caller = callerOf(infos.u32(info + layout.infoCaller));
  const dict: Record<string, string> = {};
  for (const [key, place] of [
    ['SUBSYSTEM', layout.subsystem],
    ['DEVICE', layout.device],
  ] as const) {
    if (place === null || place.length === 0) continue;
    const value = latin1(infos.bytes(info + place.offset, place.length));
    if (value !== '') dict[key] = value;
  }
  const text = readText(ring, id, begin, next, textLength);
  return text === null ? null : { seq, timestampNs, level, facility, caller, text, dict };
}

/** Text of a record; null where the ring had no room for it. `begin` and `next` are the low 32 bits of positions. */
function readText(ring: Ring, id: number, begin: number, next: number, textLength: number): string | null {
  const { text } = ring;
  // BLK_DATALESS: FAILED_LPOS (1) had no room; NO_LPOS (3, now EMPTY_LINE_LPOS) is an empty line
  if ((begin & 1) !== 0 && (next & 1) !== 0) return begin === 3 && next === 3 ? '' : null;
  const size = text.size;
  const start = begin & (size - 1);
  const length = (next - begin) >>> 0;
  const idSize = 8;
  // a block that does not fit before the end of the ring starts over at its start. (Since 67e1b0052f6b, 6.18, one
  // that ends exactly at the end of the ring stays there; before, it would start over, too, and be longer.)
  const wraps = start + length > size;
  const at = wraps ? 0 : start;
  const blockLength = wraps ? next & (size - 1) : length;
  if (length > size || blockLength < idSize) {
    throw new FormatError('printk ring', `text of record ${id} has no possible place: ${begin} to ${next}`);
  }
  if (text.u32(at) !== id) throw new FormatError('printk ring', `text of record ${id} has been overwritten`);
  return logText(text.bytes(at + idSize, Math.min(textLength, blockLength - idSize)));
}
