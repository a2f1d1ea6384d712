// kernel/printk/printk.c of 7ff9554bb578 (3.5) to 5.9: records one after the other in a ring of bytes.
//
//   struct printk_log { u64 ts_nsec; u16 len, text_len, dict_len; u8 facility, flags:5, level:3; [u32 caller_id] }
//   char text[text_len];  char dict[dict_len];  padding to `len`
//
// A record whose `len` is 0 means: go on at the start of the ring. (The struct's name was `log` before 3.11.)
import { FormatError } from '../base/errors.ts';
import { findMember, offsetOf } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { MemoryWindow } from './memory_window.ts';
import { callerOf, type LogRecord, logOffset, logSize, logSymbol, logText, maxLogBytes } from './printk_record.ts';

/** enum log_flags */
const LOG_NEWLINE = 2;
const LOG_PREFIX = 4;
const LOG_CONT = 8;

/** Appends the log's records to `records`, oldest first. @throws InquestError where the ring ends to make sense */
export function readStructuredLog(kernel: Kernel, records: LogRecord[]): void {
  const { space, vmcoreinfo } = kernel;
  const size = space.u32(logSymbol(kernel, 'log_buf_len'));
  if (size === 0 || size > maxLogBytes) throw new FormatError('log_buf_len', `${size} is out of range`);
  const ring = new MemoryWindow(space, space.pointer(logSymbol(kernel, 'log_buf')), size, 'printk log');
  const first = space.u32(logSymbol(kernel, 'log_first_idx'));
  const end = space.u32(logSymbol(kernel, 'log_next_idx'));
  const struct = vmcoreinfo.size('log') !== null ? 'log' : 'printk_log';
  const headerSize = logSize(kernel, struct);
  const at = (member: string): number => logOffset(kernel, struct, member);
  const offsets = { time: at('ts_nsec'), length: at('len'), text: at('text_len'), dict: at('dict_len') };
  // VMCOREINFO tells neither facility nor flags and level: they follow dict_len (u16)
  const type = vmcoreinfo.offset(`${struct}.dict_len`) !== null ? null : kernel.type(`struct ${struct}`);
  const facilityAt = type === null ? offsets.dict + 2 : offsetOf(type, 'facility');
  // 15ff2069cb7f (5.1), where CONFIG_PRINTK_CALLER: the struct is 20 bytes instead of 16
  const callerAt =
    type !== null ? (findMember(type, 'caller_id')?.bitOffset ?? -8) / 8 : headerSize >= 20 ? offsets.dict + 4 : -1;

  let seq = kernel.faults.attempt('log_first_seq', () => Number(space.u64(logSymbol(kernel, 'log_first_seq'))), 0);
  let openText: string | null = null; // of a record that the next one continues
  let idx = first;
  let passed = 0; // bytes of the ring: no more than it has
  while (idx !== end) {
    kernel.work.charge('nodes', 1);
    const length = idx + headerSize <= size ? ring.u16(idx + offsets.length) : 0;
    if (length === 0) {
      if (idx === 0) throw new FormatError('printk log', 'has an empty record at its start');
      passed += size - idx;
      idx = 0;
      continue;
    }
    passed += length;
    if (passed > size) throw new FormatError('printk log', 'does not end where log_next_idx says');
    const textLength = ring.u16(idx + offsets.text);
    const dictLength = ring.u16(idx + offsets.dict);
    if (length < headerSize + textLength + dictLength || idx + length > size) {
      throw new FormatError('printk log', `the record at offset ${idx} has an impossible length of ${length}`);
    }
    const flagsLevel = ring.bytes(idx + facilityAt + 1, 1)[0]!;
    const flags = flagsLevel & 0x1f;
    const text = logText(ring.bytes(idx + headerSize, textLength));
    // before 5c2992ee7fd8 (4.10) each piece of a continued line was a record of its own
    const last = records.at(-1);
    if (openText !== null && last !== undefined && (flags & LOG_PREFIX) === 0) {
      openText += text;
      records[records.length - 1] = { ...last, text: openText };
    } else {
      openText = text;
      records.push({
        seq,
        timestampNs: ring.u64(idx + offsets.time),
        level: flagsLevel >> 5,
        facility: ring.bytes(idx + facilityAt, 1)[0]!,
        caller: callerAt < 0 ? null : callerOf(ring.u32(idx + callerAt)),
        text,
        dict: parseDict(logText(ring.bytes(idx + headerSize + textLength, dictLength))),
      });
    }
    if ((flags & LOG_CONT) === 0 || (flags & LOG_NEWLINE) !== 0) openText = null;
    seq++;
    idx += length;
  }
}

/** `KEY=value` pairs, separated by NULs. */
function parseDict(text: string): Record<string, string> {
  const dict: Record<string, string> = {};
  for (const pair of text.split('\0')) {
    const equals = pair.indexOf('=');
    if (equals > 0) dict[pair.slice(0, equals)] = pair.slice(equals + 1);
  }
  return dict;
}
