// What a report is whose headline is missing: what is left of it says so by its first line, or by who had the trace printed.
import type { Headline } from './headlines/headline.ts';
import type { IncidentKind } from './kinds.ts';
import { LinePattern } from './line_pattern.ts';

const rest = (kind: IncidentKind, title: string): Headline => ({ kind, role: 'start', title, strong: false });

/** A first line that is left, and of what report it is. */
const beginnings: readonly (readonly [LinePattern, Headline])[] = [
  [
    new LinePattern(
      /^(?:RIP: 00(?:10|18|08):|pc : |epc {1,3}: |PC is at |NIP \[|Krnl PSW : |Call [Tt]race:|Backtrace: ?$)/,
    ),
    rest('unknown', 'kernel oops in %F'),
  ],
  [
    new LinePattern(/^"echo 0 > \/proc\/sys\/kernel\/hung_task_timeout_secs"/),
    rest('hung-task', 'INFO: task hung in %F'),
  ],
  [new LinePattern(/^(?:INFO: )?Allocated in \S{1,200} age=\d/), rest('slab-corruption', 'BUG: slab object damaged')],
  // lib/ubsan.c
  [
    new LinePattern(/^index -?\d{1,20} is out of range for type '/),
    rest('ubsan', 'UBSAN: array-index-out-of-bounds in %F'),
  ],
  [
    new LinePattern(/^shift exponent -?\d{1,20} is (?:too large for|negative)/),
    rest('ubsan', 'UBSAN: shift-out-of-bounds in %F'),
  ],
  [
    new LinePattern(/^load of value \d{1,20} is not a valid value for type '/),
    rest('ubsan', 'UBSAN: invalid-load in %F'),
  ],
];

/** The report that a line may be the first of which is left; null: it is none. */
export function headlineOfRest(text: string): Headline | null {
  return beginnings.find(([pattern]) => pattern.test(text))?.[1] ?? null;
}

/** Functions that have a trace printed for a headline of theirs. */
const reporters: readonly (readonly [RegExp, Headline])[] = [
  [/^(?:__warn|warn_slowpath_(?:common|fmt|null))$/, rest('WARN', 'WARNING in %F')],
  [/^(?:ubsan_epilogue|__ubsan_handle_\w{1,60}|handle_overflow)$/, rest('ubsan', 'UBSAN: undefined-behaviour in %F')],
  [/^_{2,3}might_(?:sleep|resched)$/, rest('atomic-sleep', 'BUG: sleeping function called from invalid context in %F')],
  [/^__schedule_bug$/, rest('atomic-sleep', 'BUG: scheduling while atomic in %F')],
  [/^lockdep_rcu_suspicious$/, rest('suspicious-rcu', 'WARNING: suspicious RCU usage in %F')],
  [
    /^print_(?:circular|deadlock|usage|irq_inversion|bad_irq_dependency)\w{0,20}$/,
    rest('lockdep', 'possible deadlock in %F'),
  ],
];

/** The report that a trace belongs to whose outermost frame so far is this function's, below those that print traces. */
export function headlineOfReporter(function_: string): Headline | null {
  return reporters.find(([pattern]) => pattern.test(function_))?.[1] ?? null;
}
