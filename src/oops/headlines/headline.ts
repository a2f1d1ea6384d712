// What a line announces, and the rules by which such lines are known. Each rule is one printk() format or a family of them.
import type { IncidentKind } from '../kinds.ts';

export interface Headline {
  kind: IncidentKind;
  /**
   * `start` announces an incident; `die` is the oops line with its counter (`[#1]`); `panic` is panic()'s own
   * line; `lead` explains the announcement that follows it.
   */
  role: 'start' | 'die' | 'panic' | 'lead';
  /** Title, with `%F` for the guilty function. */
  title: string;
  /** False: only an incident when a trace, registers or a panic follow. */
  strong: boolean;
  /** The function that the line itself names (`func+0x1/0x2` or `func`). */
  frame?: string;
  comm?: string;
  pid?: number;
  cpu?: number;
  faultAddress?: string;
  dieCount?: number;
  /** panic()'s reason. */
  reason?: string;
  /** Source file of the check that failed. */
  file?: string;
  /** The report ends with this line or with lines of its own; no call trace is missed. */
  traceless?: boolean;
  /** The kernel does not survive it. */
  fatal?: boolean;
  /** The hardware or the kernel put it right. */
  corrected?: boolean;
}
export interface Rule {
  readonly pattern: RegExp;
  /** What a line that matches announces; `role` is `start` and `strong` is true unless it says otherwise. */
  readonly make: (m: RegExpExecArray) => Partial<Headline> & { kind: IncidentKind; title: string };
}

/** The decimal number that a group of a pattern caught. */
export const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));
