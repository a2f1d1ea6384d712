// What a hung task waits for, as far as the names in its trace tell: two tasks that hang in one function, one for a lock and one
// for a completion, hang for two reasons.
import type { Incident } from './incident.ts';

/** Functions that wait, the most telling first: a semaphore's is but `down`, and what they all end in says nothing. */
const kinds: readonly (readonly [RegExp, string])[] = [
  [/^_*(?:flush_work|flush_workqueue|cancel_\w*work_sync|drain_workqueue)/, 'a work'],
  [/^_*(?:synchronize_srcu)/, 'a grace period of SRCU'],
  [/^_*(?:synchronize_rcu|wait_rcu_gp|rcu_barrier)/, 'a grace period of RCU'],
  [/^_*(?:percpu_(?:down|rwsem)\w*)/, 'a percpu-rwsem'],
  [/^_*(?:rt_mutex\w*|rt_mutex_slowlock\w*|rtlock\w*|rwbase\w*)/, 'an rtmutex'],
  [/^_*(?:mutex_lock\w*|ww_mutex\w*)/, 'a mutex'],
  [/^_*(?:rwsem\w*|down_(?:read|write)\w*)/, 'an rwsem'],
  [/^_*(?:down|down_(?:timeout|interruptible|killable|common))$/, 'a semaphore'],
  [/^_*(?:rpc_wait_bit_killable|rpc_wait_for_completion_task)/, "a server's answer"],
  [
    /^_*(?:jbd2_log_wait_commit|jbd2_journal_lock_updates|wait_transaction_(?:locked|switching)|add_transaction_credits)/,
    'a journal',
  ],
  [/^_*(?:folio_wait\w*|wait_on_page\w*|folio_lock\w*|lock_page\w*)/, 'a page'],
  [/^_*(?:out_of_line_wait_on_\w*bit\w*|wait_on_bit\w*|wait_on_buffer)/, 'a bit'],
  [/^_*(?:wait_for_completion\w*|wait_for_common\w*)/, 'a completion'],
];

/** Null where the incident is none of a hung task, or its trace names nothing that waits. */
export function waitKind({ kind, traces }: Incident): string | null {
  if (kind !== 'hung-task') return null;
  const names = traces
    .filter(({ purpose }) => purpose === 'main')
    .flatMap(({ frames }) => frames.map(({ symbol }) => symbol ?? ''));
  for (const [pattern, what] of kinds) if (names.some((name) => pattern.test(name))) return what;
  return null;
}
