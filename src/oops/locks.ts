// The locks that a report names: those being held, the chains in which lockdep saw them taken, and the function that
// took the one in question. Fills `locks`.
import { type OpenIncident, type TaskRef, taskRef } from './incident.ts';
import { LinePattern } from './line_pattern.ts';
import { atFunction, lockHolder, lockLine } from './shapes.ts';
import type { Traces } from './traces.ts';

const maxLocks = 512;

const chainLine = new LinePattern(/^-> #\d{1,3} \(/);
const acquirerLine =
  /^(.{1,64})\/(\d{1,10}) (?:is trying to (?:acquire|release)|just changed|\[.{1,80}\] takes|is freeing)/;
const workLine = new LinePattern(/^\s{0,8}(?:last function: |preempt=0x[0-9a-f]{1,8} .{0,60}workfn=)(\S{1,200})/);

export class Locks {
  /** The function that takes the lock, or left one behind, as printed. */
  taker: string | undefined;
  private readonly incident: OpenIncident;
  private readonly traces: Traces;
  /** Whether the report is about a lock being taken; in others the locks are only those held. */
  private aboutLock: boolean;
  private holder: TaskRef | null = null;
  /** The lock being taken is known; what follows are locks already held. */
  private acquired = false;

  constructor(incident: OpenIncident, traces: Traces) {
    this.incident = incident;
    this.traces = traces;
    this.aboutLock = incident.kind === 'lockdep' || incident.kind === 'locks-held';
  }

  read(text: string): boolean {
    const { incident } = this;
    if (this.taker !== undefined && !text.includes('at: ')) this.acquired = true;
    const holder = lockHolder.exec(text);
    if (holder !== null) {
      this.holder = taskRef(holder[1]!, holder[2]);
      return true;
    }
    const lock = lockLine.exec(text);
    if (lock !== null && incident.locks.length < maxLocks)
      incident.locks.push({ task: this.holder, name: lock[1]!, at: lock[2]! });
    if (text.includes(' is freeing memory ')) this.aboutLock = false; // who freed it is on the stack, who locked it is not to blame
    const at = this.aboutLock && text.includes('at: ') ? atFunction.exec(text)?.[1] : undefined;
    if (at !== undefined) {
      // the function that was called, not what was inlined into it
      if (this.taker === undefined || (!this.taker.includes('+0x') && at.includes('+0x') && !this.acquired))
        this.taker = at;
      return true;
    }
    if (lock !== null) return true;
    if (
      chainLine.test(text) ||
      (text.includes(' at:') && /(?:state was registered|acquired|have been taken|registered) at:\s*$/.test(text))
    ) {
      this.traces.begin(text, 'lock');
      return true;
    }
    const acquirer = text.includes('/') ? acquirerLine.exec(text) : null;
    if (acquirer !== null) {
      incident.task ??= taskRef(acquirer[1]!, acquirer[2]);
      return true;
    }
    // a work item that left its lock behind
    const last = workLine.exec(text)?.[1];
    if (last === undefined) return false;
    this.taker ??= last;
    return true;
  }
}
