// kernel/printk/printk.c: the kernel's log, whatever layout the kernel keeps it in.
//
//   since 5.10   lockless ring of descriptors and text       printk_ringbuffer.ts
//   3.5 to 5.9   records with a header in one ring of bytes  printk_log.ts
//   before 3.5   a ring of text                              printk_plain.ts
//
// Structure sizes and offsets come from VMCOREINFO, which has them all, else from the kernel's types; symbols
// likewise. So the log needs neither kallsyms nor debug information, let alone a task list.
import { offsetBy } from '../base/address.ts';
import { NotFoundError } from '../base/errors.ts';
import { unwatched, type Work } from '../base/work.ts';
import type { Kernel } from './kernel.ts';
import { readStructuredLog } from './printk_log.ts';
import { readPlainLog } from './printk_plain.ts';
import type { LogRecord } from './printk_record.ts';
import { readRingbuffer } from './printk_ringbuffer.ts';

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

/**
 * The number of the first record that `dmesg -C` has not cleared; 0 where that is not known.
 * kernel/printk/printk.c: clear_seq, two values and which of them counts since 7d7a23a91c91 (5.13).
 */
export function clearedUpTo(kernel: Kernel): number {
  return kernel.faults.attempt(
    'clear_seq',
    () => {
      const { space, vmcoreinfo } = kernel;
      const at = vmcoreinfo.symbol('clear_seq') ?? kernel.ownSymbol('clear_seq')?.address ?? null;
      if (at === null) return 0;
      const values = vmcoreinfo.offset('latched_seq.val');
      return Number(space.u64(values === null ? at : offsetBy(at, values + 8 * (space.u32(at) & 1))));
    },
    0,
  );
}

/** The kernel's own time stamp: `[    0.000000]`. */
export function logTimestamp(ns: bigint): string {
  const us = ns / 1000n;
  return `[${String(us / 1_000_000n).padStart(5)}.${String(us % 1_000_000n).padStart(6, '0')}]`;
}

/** As `logTextPieces`, as one text. */
export function logAsText(records: readonly LogRecord[]): string {
  return [...logTextPieces(records, unwatched)].join('');
}

/** Characters that are handed on at once. */
const textPiece = 64 * 1024;

/**
 * The log as text with level, time and caller before each line (`<6>[    0.000000][    T0] text`), for readers of
 * log text: the caller tells messages of several CPUs apart. In pieces of whole records.
 */
export function* logTextPieces(records: readonly LogRecord[], work: Work): Generator<string> {
  let piece = '';
  for (const { timestampNs, text, level, caller } of records) {
    const who = caller === null ? '' : `[${`${caller.kind === 'cpu' ? 'C' : 'T'}${caller.id}`.padStart(6)}]`;
    const prefix = `<${level}>${logTimestamp(timestampNs ?? 0n)}${who} `;
    const lines = text.split('\n');
    // a text of newlines alone becomes thirty times as long
    work.charge('text', text.length + lines.length * prefix.length);
    piece += `${prefix}${lines.join(`\n${prefix}`)}\n`;
    if (piece.length < textPiece) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}
