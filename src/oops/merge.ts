// What belongs together: which headline continues an open report, which panic follows from it, and what the message before
// an announcement makes of it.
import type { Draft } from './draft.ts';
import type { Headline } from './headlines/headline.ts';
import type { IncidentKind } from './kinds.ts';
import type { LogLine } from './log_line.ts';

/** A draft that no line has touched for so many lines is over. */
export const idleLines = 160;

/** A line before a headline that explains it. */
export interface Lead {
  line: LogLine;
  headline?: Headline;
}

/** What every kind of page fault, trap and BUG() may be followed by: the die line. */
const faults: readonly IncidentKind[] = [
  'null-pointer',
  'bad-page-fault',
  'general-protection',
  'divide-error',
  'invalid-opcode',
  'BUG',
  'list-corruption',
  'usercopy',
  'fortify',
  'cfi',
  'stack-overflow',
  'double-fault',
  'trap',
  'serror',
  'sysrq',
  'machine-check',
  'ubsan',
  'kasan',
  'slab-corruption',
  'nmi',
  'kvm',
  'hardware-error',
];

export function isWarning(headline: Headline): boolean {
  return (
    headline.kind === 'WARN' ||
    headline.kind === 'lockdep' ||
    headline.kind === 'suspicious-rcu' ||
    headline.corrected === true
  );
}

export function soon(draft: Draft, line: LogLine, seconds: number): boolean {
  if (line.timestamp === undefined || draft.lastStamp === undefined) return line.number - draft.lastNumber <= idleLines;
  return line.timestamp - draft.lastStamp <= seconds;
}

/** Whether what an incident knows and what a headline says are equal, or both silent. */
function same(known: number | null, said: number | undefined): boolean {
  return known === (said ?? null);
}

/** How a headline continues an open report of the same stream; undefined: it does not. */
export function continues(draft: Draft, headline: Headline, line: LogLine): 'same' | 'repeat' | 'task' | undefined {
  const { kind, incident } = draft;
  const near = line.number - draft.lastNumber <= 40 && soon(draft, line, 10);
  if (headline.role === 'die') {
    if (incident.dieCount !== null)
      return incident.dieCount === headline.dieCount && draft.incomplete && dieFits(kind, headline.kind)
        ? 'same'
        : undefined;
    if (!near || !faults.includes(kind) || draft.hasTrace || draft.sawTask || !dieFits(kind, headline.kind))
      return undefined;
    return 'same';
  }
  const adjacent = line.number - draft.lastNumber <= 3 && !draft.hasTrace && !draft.sawTask;
  if (kind === 'cfi' && headline.kind === 'BUG' && near && !draft.hasTrace) return 'same';
  // a BUG: line that only announces the WARN() or BUG() which follows
  if (
    kind === 'BUG' &&
    adjacent &&
    !/kernel BUG/i.test(incident.message) &&
    (headline.kind === 'WARN' || headline.kind === 'BUG')
  ) {
    return 'same';
  }
  if (kind === 'sysrq' && near && !draft.hasTrace && faults.includes(headline.kind)) return 'same';
  // one line for each function that was inlined into the next
  if (headline.role === 'start' && headline.file !== undefined && headline.file === draft.headline.file && adjacent)
    return 'same';
  if (headline.kind !== kind) {
    // before 4.8 KASAN had the slab allocator tell of the object
    if (kind === 'kasan' && near && /: kasan: bad access detected/.test(line.text)) return 'same';
    if (kind === 'bad-page-fault' && incident.dieCount === null && headline.kind === 'stack-overflow' && near)
      return 'same';
    if (
      (kind === 'stack-overflow' || kind === 'double-fault') &&
      (headline.kind === 'double-fault' || headline.kind === 'stack-overflow') &&
      near
    )
      return 'same';
    if (
      (kind === 'machine-check' || kind === 'hardware-error') &&
      (headline.kind === 'machine-check' || headline.kind === 'hardware-error') &&
      soon(draft, line, 5)
    )
      return 'repeat';
    if (kind === 'unknown' && near) return undefined;
    return undefined;
  }
  switch (kind) {
    case 'soft-lockup':
      return incident.task?.pid === headline.pid && same(incident.cpu, headline.cpu) && soon(draft, line, 60)
        ? 'repeat'
        : undefined;
    case 'hard-lockup':
      return same(incident.cpu, headline.cpu) && soon(draft, line, 60) ? 'repeat' : undefined;
    case 'rcu-stall':
      return soon(draft, line, 120) ? 'repeat' : undefined;
    case 'hung-task':
      return incident.task?.pid !== headline.pid && soon(draft, line, 10) ? 'task' : undefined;
    case 'out-of-memory':
      return headline.traceless === true && soon(draft, line, 30) ? 'repeat' : undefined;
    case 'memory-leak':
      return !draft.hasTrace && near && (/^BUG: memory leak/.test(incident.message) || headline.traceless === true)
        ? 'same'
        : undefined;
    case 'BUG':
      // `VFS: Busy inodes after unmount` and the BUG() that some kernels add
      return adjacent && !/kernel BUG/i.test(incident.message) ? 'same' : undefined;
    case 'bad-rss-counter':
    case 'netdev-unregister':
    case 'workqueue-lockup':
      return soon(draft, line, 60) ? 'repeat' : undefined;
    case 'machine-check':
    case 'hardware-error':
    case 'nmi':
    case 'xen':
    case 'kvm':
      return soon(draft, line, 5) ? 'repeat' : undefined;
    case 'kasan':
    case 'kmsan':
    case 'kfence':
    case 'kcsan':
      // one line for each function that was inlined into the next
      return adjacent ? 'same' : undefined;
    case 'stack-overflow':
    case 'double-fault':
    case 'serror':
      return near && !draft.hasTrace ? 'same' : undefined;
    default:
      return undefined;
  }
}

/** Whether a die line of one kind can end the announcement of another. */
export function dieFits(kind: IncidentKind, die: IncidentKind): boolean {
  switch (die) {
    case 'general-protection':
    case 'divide-error':
      return kind === die || kind === 'sysrq';
    case 'bad-page-fault':
      return (
        kind === 'null-pointer' || kind === die || kind === 'sysrq' || kind === 'stack-overflow' || kind === 'serror'
      );
    case 'invalid-opcode':
    case 'BUG':
      return kind !== 'null-pointer' && kind !== 'bad-page-fault' && kind !== 'general-protection';
    default:
      return true;
  }
}

/** Whether the panic is what the open incident led to. */
export function causes(draft: Draft, panic: Headline): boolean {
  const { kind } = draft;
  const reason = panic.reason ?? '';
  if (kind === panic.kind && kind !== 'panic') return true;
  switch (panic.kind) {
    case 'init-killed':
      return (
        draft.incident.task?.pid === 1 || (draft.incident.dieCount !== null && /exitcode=0x0000000[79b]/.test(reason))
      );
    case 'machine-check':
    case 'hardware-error':
    case 'serror':
      return kind === 'machine-check' || kind === 'hardware-error' || kind === 'serror' || kind === 'nmi';
    case 'nmi':
    case 'hard-lockup':
      return kind === 'hard-lockup' || kind === 'nmi' || kind === 'hardware-error';
    case 'stack-overflow':
    case 'double-fault':
      return kind === 'stack-overflow' || kind === 'double-fault' || (kind === 'bad-page-fault' && draft.incomplete);
    case 'soft-lockup':
      return kind === 'rcu-stall';
    case 'panic':
      return (
        (/workqueue/i.test(reason) && kind === 'workqueue-lockup') ||
        (/^BUG!|kfence|kasan|ubsan|kcsan/i.test(reason) && kind !== 'WARN') ||
        (/^(?:Out of memory|System)/.test(reason) && kind === 'out-of-memory')
      );
    default:
      return false;
  }
}

/** A BUG() or WARN() is what the message before it says it is. */
export function withLeads(headline: Headline, leads: readonly Lead[]): Headline {
  if (headline.kind !== 'BUG' && headline.kind !== 'WARN' && headline.kind !== 'invalid-opcode') return headline;
  const said = leads.findLast((lead) => lead.headline !== undefined && lead.headline.title !== '')?.headline;
  if (said !== undefined) {
    const warned = headline.kind === 'WARN';
    return {
      ...headline,
      kind: said.kind,
      title: warned ? said.title.replace(/^BUG: /, 'WARNING: ') : said.title.replace(/^WARNING: /, 'BUG: '),
    };
  }
  const file = headline.file ?? '';
  if (/(?:^|\/)lib\/list_debug\.c:/.test(file))
    return {
      ...headline,
      kind: 'list-corruption',
      title: headline.kind === 'WARN' ? 'WARNING: corrupted list in %F' : 'BUG: corrupted list in %F',
    };
  if (/(?:^|\/)mm\/usercopy\.c:/.test(file)) return { ...headline, kind: 'usercopy', title: 'BUG: bad usercopy in %F' };
  if (/(?:^|\/)lib\/refcount\.c:/.test(file))
    return { ...headline, kind: 'refcount', title: 'WARNING: refcount bug in %F' };
  if (/(?:^|\/)lib\/debugobjects\.c:/.test(file))
    return { ...headline, kind: 'odebug', title: 'WARNING: ODEBUG bug in %F' };
  if (/(?:^|\/)kernel\/watchdog(?:_hld)?\.c:/.test(file))
    return { ...headline, kind: 'hard-lockup', title: 'Watchdog detected hard LOCKUP in %F' };
  if (/(?:^|\/)lib\/string(?:_helpers)?\.c:/.test(file) && headline.kind === 'BUG')
    return { ...headline, kind: 'fortify', title: 'BUG: detected buffer overflow in %F' };
  return headline;
}
