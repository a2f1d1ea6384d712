import type { Sysctl } from '../sysctls.ts';

export interface Explanation {
  /** One or two sentences. */
  meaning: string;
  causes: readonly string[];
  /** Commands or steps, in order; `%PID`, `%CPU`, `%FUNCTION`, `%ADDRESS`, `%MODULE` are filled in by explain(). */
  next: readonly string[];
  sysctls: readonly Sysctl[];
}
/** What to do of any fault. */
export const faultSteps: readonly string[] = [
  'bt',
  'dis -lr %ADDRESS',
  'set %PID; bt -f',
  'struct the type that the function works on, with the address from the register',
  'log | tail -200',
];
