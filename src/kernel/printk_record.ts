// The records of the kernel's log, and what the readers of its layouts share.
import type { VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import { offsetOf, sizeOf } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';

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
