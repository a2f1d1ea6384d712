// What a finished report amounts to: did the kernel die of it, how bad is it, which of its parts name the place, is its
// text whole.
import { type Frame, makeFrame } from './frames.ts';
import type { Headline } from './headlines/headline.ts';
import { isConsequence } from './headlines/panic_line.ts';
import type { Incident } from './incident.ts';
import type { IncidentKind, Severity } from './kinds.ts';

/** A function's name without an offset, as a frame. */
export function nameOnly(text: string): Frame | null {
  const name = /^([A-Za-z_][\w.$]{1,255})(?:\+0x[0-9a-f]{1,8})?(?: \[([\w-]{1,64})[^\]]{0,60}\])?$/.exec(text);
  return name === null ? null : makeFrame({ symbol: name[1]!, module: name[2] ?? null });
}

/** Kinds whose report names the instruction that was running. */
export function usesInstruction(kind: IncidentKind): boolean {
  return (
    kind !== 'hung-task' && kind !== 'out-of-memory' && kind !== 'lockdep' && kind !== 'memory-leak' && kind !== 'kcsan'
  );
}

/** Whether an address, `0x...`, is in the first page. */
export function nearNull(address: string | null): boolean {
  return address !== null && BigInt(address) < 4096n;
}

/** Kinds of which the kernel, or what it still could do, ends. */
export function diesOf(incident: Incident): boolean {
  if (incident.dieCount !== null || incident.fatal) return true;
  const kinds: readonly IncidentKind[] = [
    'null-pointer',
    'bad-page-fault',
    'general-protection',
    'divide-error',
    'invalid-opcode',
    'BUG',
    'stack-overflow',
    'double-fault',
    'hard-lockup',
    'machine-check',
    'sysrq',
    'panic',
    'serror',
    'soft-lockup',
    'trap',
    'list-corruption',
  ];
  if (incident.kind === 'BUG') return /kernel BUG/i.test(incident.message);
  return kinds.includes(incident.kind);
}

/** @param corrected whether hardware or kernel put the error right */
export function severityOf(incident: Incident, corrected: boolean): Severity {
  if (incident.fatal) return 'fatal';
  if (corrected) return 'warning';
  const mild: readonly IncidentKind[] = [
    'WARN',
    'lockdep',
    'suspicious-rcu',
    'locks-held',
    'preempt',
    'kcsan',
    'ubsan',
    'memory-leak',
    'odebug',
    'refcount',
    'netdev-unregister',
    'bad-rss-counter',
  ];
  return mild.includes(incident.kind) && incident.dieCount === null ? 'warning' : 'error';
}

/**
 * Why the text cannot be all that the kernel said, if so.
 * @param cut the text ends where more of the report must follow
 */
export function damageOf(incident: Incident, headline: Headline, cut: boolean): string | null {
  if (headline.role === 'panic' && isConsequence(headline.reason ?? ''))
    return 'the report before the panic is missing';
  if (headline.kind === 'unknown')
    return headline.traceless === true ? 'no message of the dying kernel' : 'the beginning of the report is missing';
  if (headline.traceless !== true && incident.traces.length === 0 && incident.instruction === null) {
    const quiet: readonly IncidentKind[] = [
      'root-mount',
      'machine-check',
      'hardware-error',
      'out-of-memory',
      'panic',
      'nmi',
      'filesystem',
      'xen',
    ];
    if (cut || !quiet.includes(incident.kind)) return 'no call trace';
  }
  if (cut) return 'the text ends inside the report';
  if (/\[ {0,6}\d{1,8}\.\d{6}\]/.test(incident.title)) return 'another line broke into the headline';
  return null;
}
