// The one line of the log that says why the kernel died: crash(8)'s PANIC line.
import type { LogRecord } from './printk_record.ts';

/**
 * What to look for, most telling first; of each, the first line in the log counts. The order is crash(8)'s,
 * so that its users find the line that they know; what it would not find comes after.
 */
const patterns: readonly RegExp[] = [
  /SysRq : (Crash|Trigger a crash|Netdump)/i,
  /Kernel panic: |Kernel panic - /,
  /[Kk]ernel BUG at/,
  /Unable to handle kernel (paging request|NULL pointer dereference)/,
  /BUG: unable to handle kernel /,
  /general protection fault/,
  /double fault/,
  /divide error/,
  /stack segment/,
  /\[Hardware Error\]: /,
  /Bad mode in /,
  /Oops: /,
  /sysrq: Trigger a crash/,
  /BUG: |kernel stack overflow/i,
  /watchdog: .*(LOCKUP|lockup)|detected (stall|hard LOCKUP)|self-detected stall/,
  /blocked for more than \d+ seconds/,
  /^Internal error: |^WARNING: /,
];

/** The line, without level and time; null if nothing in the log says that the kernel died. */
export function panicMessage(records: readonly LogRecord[]): string | null {
  const lines = records.flatMap((record) => record.text.split('\n'));
  for (const pattern of patterns) {
    const found = lines.find((line) => pattern.test(line));
    if (found !== undefined) return found;
  }
  return null;
}
