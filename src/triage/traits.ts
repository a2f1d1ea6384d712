// What the kinds of death have in common, and what sets them apart: one line each.
import type { ReportKind } from '../oops/kinds.ts';

/** Where the code to blame is, by kind of death. */
export type BlamedFrames =
  /** What an exception interrupted: the panicking CPU's own instruction went wrong. */
  | 'exception'
  /** What an interrupt found on a CPU that did not get on. */
  | 'stuck'
  /** Where a task sleeps. */
  | 'sleeper'
  /** Whoever called panic(). */
  | 'caller';

export interface KindTraits {
  readonly blamed: BlamedFrames;
  /** Whether an address that could not be accessed is the matter. */
  readonly access: boolean;
  /** Whether the instructions at the place to blame tell more: not where it is merely where something ran out, or waits. */
  readonly code: boolean;
  /** Whether the log's report is about another task than the one that panics. */
  readonly aboutOthers: boolean;
  /** Kinds that log and stack may call it as well: the log is finer than the stack. */
  readonly alike: readonly ReportKind[];
}

const fault = { blamed: 'exception', access: true, code: true, aboutOthers: false } as const;
const check = { blamed: 'exception', access: false, code: true, aboutOthers: false } as const;
const stuck = { blamed: 'stuck', access: false, code: true, aboutOthers: true } as const;
const called = { blamed: 'caller', access: false, code: true, aboutOthers: false } as const;

const badAddress = [
  'null-pointer',
  'bad-page-fault',
  'use-after-free',
  'stack-overflow',
  'general-protection',
] as const;
const failedCheck = ['BUG', 'invalid-opcode', 'list-corruption', 'use-after-free', 'WARN', 'atomic-sleep'] as const;
const lockup = ['rcu-stall', 'hard-lockup', 'soft-lockup', 'nmi'] as const;

export const kindTraits: Readonly<Record<ReportKind, KindTraits>> = {
  'null-pointer': { ...fault, alike: [...badAddress, 'sysrq'] },
  'bad-page-fault': { ...fault, alike: [...badAddress, 'sysrq'] },
  'general-protection': { ...fault, alike: [...badAddress, 'trap'] },
  'use-after-free': { ...fault, alike: [...badAddress, ...failedCheck] },
  'divide-error': { ...check, alike: [] },
  'invalid-opcode': { ...check, alike: failedCheck },
  trap: { ...check, alike: ['general-protection', 'invalid-opcode'] },
  BUG: { ...check, alike: failedCheck },
  WARN: { ...check, alike: failedCheck },
  'list-corruption': { ...check, alike: failedCheck },
  'stack-overflow': { ...check, alike: [...badAddress, 'double-fault'] },
  'double-fault': { ...check, alike: ['stack-overflow'] },
  'soft-lockup': { ...stuck, aboutOthers: false, alike: lockup },
  'hard-lockup': { ...stuck, alike: [...lockup, 'machine-check'] },
  'rcu-stall': { ...stuck, alike: lockup },
  nmi: { ...stuck, aboutOthers: false, alike: [...lockup, 'machine-check'] },
  'hung-task': { blamed: 'sleeper', access: false, code: false, aboutOthers: true, alike: [] },
  'out-of-memory': { ...called, code: false, alike: [] },
  sysrq: { ...called, code: false, alike: ['null-pointer', 'bad-page-fault'] },
  'machine-check': { ...called, code: false, alike: ['nmi', 'hard-lockup'] },
  'atomic-sleep': { ...called, alike: [...failedCheck, 'list-corruption'] },
  panic: { ...called, alike: [] },
  unknown: { ...called, alike: [] },
};

/** Kinds that may be two words for the same. What only says that it panicked fits any. */
export function agree(log: ReportKind, stack: ReportKind): boolean {
  return log === stack || log === 'panic' || stack === 'panic' || kindTraits[log].alike.includes(stack);
}
