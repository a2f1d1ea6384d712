// kernel/printk/printk.c: the kernel's log, whatever layout the kernel keeps it in.
//
//   since 5.10   lockless ring of descriptors and text       printk_ringbuffer.ts
//   3.5 to 5.9   records with a header in one ring of bytes  printk_log.ts
//   before 3.5   a ring of text                              printk_plain.ts
//
// Structure sizes and offsets come from VMCOREINFO, which has them all, else from the kernel's types; symbols
// likewise. So the log needs neither kallsyms nor BTF, let alone a task list.
import type { VirtAddr } from '../base/address.ts';
import { FormatError, NotFoundError } from '../base/errors.ts';
import { offsetOf, sizeOf } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { readStructuredLog } from './printk_log.ts';
import { readPlainLog } from './printk_plain.ts';
import { readRingbuffer } from './printk_ringbuffer.ts';

/** Who printed a record: a thread, or a CPU outside of any thread's context (an interrupt). */
export interface LogCaller {
  readonly kind: 'thread' | 'cpu';
  /** Thread's pid, or CPU number. */
  readonly id: number;
}

/** One message of the kernel's log. */
export interface LogRecord {
  /** The kernel's sequence number; counted from 0 where the layout has none. */
  readonly seq: number;
  /** Nanoseconds of the kernel's clock since boot; null where the record has none. */
  readonly timestampNs: bigint | null;
  /** 0 (emergency) to 7 (debug); null where the record has none. */
  readonly level: number | null;
  /** syslog(3) facility; 0 is the kernel's own. */
  readonly facility: number | null;
  readonly caller: LogCaller | null;
  /** The message, as the dump has it: may have several lines, no newline at its end, not escaped. */
  readonly text: string;
  /** What the kernel knows of the message beside its text: `SUBSYSTEM`, `DEVICE`. */
  readonly dict: Readonly<Record<string, string>>;
}

/** Longest log that is believed, in bytes: CONFIG_LOG_BUF_SHIFT ends at 32 MiB, log_buf_len= goes beyond. */
export const maxLogBytes = 512 * 1024 * 1024;

/**
 * The kernel's log, oldest first. Records whose text cannot be read are left out; what was lost is
 * recorded as faults. Empty if there is no log that can be read.
 */
export function readLog(kernel: Kernel): LogRecord[] {
  const records: LogRecord[] = [];
  // records go in one by one, so that damage in the middle keeps what came before it
  kernel.faults.attempt('kernel log', () => readInto(kernel, records), undefined);
  return records;
}

function readInto(kernel: Kernel, records: LogRecord[]): void {
  if (hasSymbol(kernel, 'prb')) readRingbuffer(kernel, records);
  else if (hasSymbol(kernel, 'log_first_idx')) readStructuredLog(kernel, records);
  else if (hasSymbol(kernel, 'log_end')) readPlainLog(kernel, records);
  else throw new NotFoundError('symbol', 'prb', 'nor log_first_idx, nor log_end: no kernel log');
}

function hasSymbol(kernel: Kernel, name: string): boolean {
  return kernel.vmcoreinfo.symbol(name) !== null || kernel.ownSymbol(name) !== null;
}

/** Virtual address of a log variable. @throws NotFoundError */
export function logSymbol(kernel: Kernel, name: string): VirtAddr {
  return kernel.vmcoreinfo.symbol(name) ?? kernel.address(name);
}

/** Byte offset of `member` in the structure (or typedef of one) `name`. @throws NotFoundError */
export function logOffset(kernel: Kernel, name: string, member: string): number {
  // atomic_long_t is a typedef, but told like the structures
  return (
    kernel.vmcoreinfo.offset(`${name}.${member}`) ??
    offsetOf(kernel.types.find(`struct ${name}`) ?? kernel.type(name), member)
  );
}

/** Bytes in `struct name`. @throws NotFoundError */
export function logSize(kernel: Kernel, name: string): number {
  const size = kernel.vmcoreinfo.size(name) ?? sizeOf(kernel.type(`struct ${name}`));
  if (size <= 0 || size > 65536) throw new FormatError(`struct ${name}`, `size ${size} is out of range`);
  return size;
}

/** printk_caller_id(): a thread's pid, or a CPU number with the top bit set. */
export function callerOf(id: number): LogCaller {
  return id >= 0x8000_0000 ? { kind: 'cpu', id: id - 0x8000_0000 } : { kind: 'thread', id };
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A message's bytes as text: UTF-8 where they are that, else Latin-1, so that every byte survives. */
export function logText(bytes: Uint8Array): string {
  const latin = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  if (!/[\x80-\xff]/.test(latin)) return latin;
  try {
    return utf8.decode(bytes);
  } catch {
    return latin;
  }
}

/** The kernel's own time stamp: `[    0.000000]`. */
export function logTimestamp(ns: bigint): string {
  const us = ns / 1000n;
  return `[${String(us / 1_000_000n).padStart(5)}.${String(us % 1_000_000n).padStart(6, '0')}]`;
}

/**
 * The log as text with level, time and caller before each line (`<6>[    0.000000][    T0] text`), for readers of
 * log text: the caller tells messages of several CPUs apart.
 */
export function logAsText(records: readonly LogRecord[]): string {
  return records
    .map(({ timestampNs, text, level, caller }) => {
      const who = caller === null ? '' : `[${`${caller.kind === 'cpu' ? 'C' : 'T'}${caller.id}`.padStart(6)}]`;
      const prefix = `<${level}>${logTimestamp(timestampNs ?? 0n)}${who} `;
      return `${prefix}${text.split('\n').join(`\n${prefix}`)}\n`;
    })
    .join('');
}
