// kernel/printk.c before 3.5: the log is a ring of text, each line with its level and, with
// CONFIG_PRINTK_TIME, its time: `<6>[    0.000000] Linux version ...`.
import { FormatError } from '../base/errors.ts';
import type { Kernel } from './kernel.ts';
import { type LogRecord, logSymbol, logText, maxLogBytes } from './printk_record.ts';

/** Appends the log's lines to `records`, oldest first. @throws InquestError when the ring cannot be read */
export function readPlainLog(kernel: Kernel, records: LogRecord[]): void {
  const { space } = kernel;
  const size = space.u32(logSymbol(kernel, 'log_buf_len'));
  if (size === 0 || size > maxLogBytes || (size & (size - 1)) !== 0) {
    throw new FormatError('log_buf_len', `${size} is out of range`);
  }
  const buffer = space.pointer(logSymbol(kernel, 'log_buf'));
  const end = space.u32(logSymbol(kernel, 'log_end'));
  const logged = Math.min(size, space.u32(logSymbol(kernel, 'logged_chars')));
  const start = (end - logged) & (size - 1);
  const { bytes, fault } = space.readUpTo(buffer, size);
  if (fault !== null) kernel.faults.record('kernel log', fault);
  const tail = bytes.subarray(start, start + logged);
  const head = bytes.subarray(0, Math.max(0, start + logged - size));
  const text = logText(Buffer.concat([tail, head])).replace(/\0+/g, '');
  let seq = 0;
  for (const line of text.replace(/\n$/, '').split('\n')) {
    const match = /^(?:<(\d{1,4})>)?(?:\[ *(\d{1,10})\.(\d{6})\] ?)?/.exec(line)!;
    const [prefix, priority, seconds, micros] = match;
    records.push({
      seq: seq++,
      timestampNs: seconds === undefined ? null : BigInt(seconds) * 1_000_000_000n + BigInt(micros!) * 1000n,
      level: priority === undefined ? null : Number(priority) & 7,
      facility: priority === undefined ? null : Number(priority) >> 3,
      caller: null,
      text: line.slice(prefix.length),
      dict: {},
    });
  }
}
