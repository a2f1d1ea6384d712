// The kinds of kernel death (and of lesser trouble) that the kernel puts into words, and the smaller set of
// kinds that the report uses.
import { assertNever } from '../base/errors.ts';

/** The kinds that the report knows. */
export type ReportKind =
  | 'null-pointer'
  | 'bad-page-fault'
  | 'general-protection'
  | 'divide-error'
  | 'invalid-opcode'
  | 'BUG'
  | 'WARN'
  | 'stack-overflow'
  | 'double-fault'
  | 'list-corruption'
  | 'use-after-free'
  | 'soft-lockup'
  | 'hard-lockup'
  | 'rcu-stall'
  | 'hung-task'
  | 'out-of-memory'
  | 'sysrq'
  | 'machine-check'
  | 'nmi'
  | 'atomic-sleep'
  /** a CPU exception that has no kind of its own: int3, alignment check, control protection, ... */
  | 'trap'
  | 'panic'
  | 'unknown';

/** What an incident is, as finely as the text says. Every ReportKind is one of these. */
export type IncidentKind =
  | ReportKind
  /** control flow integrity, control protection (IBT, shadow stack) */
  | 'cfi'
  | 'kasan'
  | 'kmsan'
  | 'kcsan'
  | 'kfence'
  | 'ubsan'
  | 'odebug'
  | 'refcount'
  | 'slab-corruption'
  | 'usercopy'
  | 'fortify'
  | 'stack-protector'
  | 'lockdep'
  | 'suspicious-rcu'
  | 'locks-held'
  | 'spinlock-bug'
  | 'preempt'
  | 'bad-page-state'
  | 'bad-rss-counter'
  | 'workqueue-lockup'
  | 'memory-leak'
  | 'netdev-unregister'
  | 'hardware-error'
  | 'serror'
  | 'filesystem'
  | 'root-mount'
  | 'init-killed'
  | 'kvm'
  | 'xen';

/** How bad: `fatal` the kernel died; `error` it is damaged; `warning` it goes on. */
export type Severity = 'fatal' | 'error' | 'warning';

/**
 * The report's kind of an incident. The headline and the message before it say whether memory was
 * used after it was freed.
 */
export function reportKind(incident: {
  readonly kind: IncidentKind;
  readonly message: string;
  readonly detail: string | null;
}): ReportKind {
  const { kind } = incident;
  const message = `${incident.message}\n${incident.detail ?? ''}`;
  switch (kind) {
    case 'kasan':
    case 'kfence':
      if (/use-after-free|double-free|invalid-free|use-after-scope/.test(message)) return 'use-after-free';
      if (/null-ptr-deref/.test(message)) return 'null-pointer';
      return /wild-memory-access|user-memory-access/.test(message) ? 'bad-page-fault' : 'BUG';
    case 'refcount':
      return /underflow|use-after-free|addition on 0|increment on 0/.test(message) ? 'use-after-free' : 'WARN';
    case 'slab-corruption':
      return /poison overwritten|already free|double free/i.test(message) ? 'use-after-free' : 'BUG';
    case 'kmsan':
    case 'kcsan':
    case 'usercopy':
    case 'fortify':
    case 'spinlock-bug':
    case 'bad-page-state':
    case 'bad-rss-counter':
    case 'workqueue-lockup':
    case 'locks-held':
      return 'BUG';
    case 'ubsan':
    case 'odebug':
    case 'lockdep':
    case 'suspicious-rcu':
      return 'WARN';
    case 'preempt':
      return 'BUG';
    case 'hardware-error':
    case 'serror':
      return 'machine-check';
    case 'stack-protector':
    case 'filesystem':
    case 'root-mount':
    case 'init-killed':
    case 'xen':
      return 'panic';
    case 'cfi':
      return 'invalid-opcode';
    case 'trap':
      return /stack segment|segment not present|alignment/i.test(message) ? 'general-protection' : 'trap';
    case 'kvm':
    case 'memory-leak':
    case 'netdev-unregister':
      return 'unknown';
    case 'null-pointer':
    case 'bad-page-fault':
    case 'general-protection':
    case 'divide-error':
    case 'invalid-opcode':
    case 'BUG':
    case 'WARN':
    case 'stack-overflow':
    case 'double-fault':
    case 'list-corruption':
    case 'use-after-free':
    case 'soft-lockup':
    case 'hard-lockup':
    case 'rcu-stall':
    case 'hung-task':
    case 'out-of-memory':
    case 'sysrq':
    case 'machine-check':
    case 'nmi':
    case 'atomic-sleep':
    case 'panic':
    case 'unknown':
      return kind;
    default:
      return assertNever(kind);
  }
}
