// The incidents that a dump's log tells of.
import type { Kernel } from '../kernel/kernel.ts';
import { logTextPieces } from '../kernel/printk.ts';
import type { LogRecord } from '../kernel/printk_record.ts';
import type { Incident } from '../oops/incident.ts';
import { LogScanner } from '../oops/scanner.ts';

/** In the order in which they begin. A log of more text than its dump can be worth is looked at as far as that goes: a fault. */
export function logIncidents({ faults, work }: Kernel, records: readonly LogRecord[]): Incident[] {
  const scanner = new LogScanner();
  const found: Incident[] = [];
  const scan = (): void => {
    for (const text of logTextPieces(records, work)) found.push(...scanner.push(text));
  };
  faults.attempt('incidents in the log', () => work.within(work.part('log'), scan), undefined);
  found.push(...scanner.end());
  return found.sort((a, b) => a.span.start - b.span.start);
}
