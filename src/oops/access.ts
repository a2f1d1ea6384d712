// The memory access that a report is about, where lines besides the headline describe it: a sanitizer's sentence, the
// two sides of a data race, the address that some architectures print. Fills `faultAddress`, and `task` where it is
// named.
import { hexadecimal } from './frames.ts';
import { addNote, type OpenIncident, taskRef } from './incident.ts';
import { accessLine, kcsanAccess } from './shapes.ts';
import type { Traces } from './traces.ts';

export class Access {
  /** What was done, as printed: `Read`, `write`, ... */
  what: string | undefined;
  private readonly incident: OpenIncident;
  private readonly traces: Traces;
  private races = 0;

  constructor(incident: OpenIncident, traces: Traces) {
    this.incident = incident;
    this.traces = traces;
  }

  /** Reads KCSAN's heading of one side of a data race. The first side is the incident's own. */
  readRace(text: string): boolean {
    const { incident } = this;
    const m = incident.kind === 'kcsan' ? kcsanAccess.exec(text) : null;
    if (m === null) return false;
    this.races++;
    this.traces.begin(text, this.races === 1 ? 'main' : 'other-access');
    if (this.races === 1) {
      if (m[2] !== undefined) incident.task ??= taskRef(null, m[2]);
      incident.cpu ??= Number(m[3]);
    }
    return true;
  }

  /** Reads a sanitizer's sentence: `Read of size 8 at addr ffff888012345678 by task sh/12`. The first one counts. */
  read(text: string): boolean {
    if (this.what !== undefined) return false;
    const m = accessLine.exec(text);
    if (m === null) return false;
    const { incident } = this;
    this.what = m[1]!;
    const by = /by task (.{1,64})\/(\d{1,10})/.exec(text);
    if (by !== null) incident.task ??= taskRef(by[1]!, by[2]);
    const address = /at addr (?:0x)?([0-9a-f]{8,16})/.exec(text)?.[1];
    if (address !== undefined) incident.faultAddress ??= hexadecimal(address);
    addNote(incident, text);
    return true;
  }

  /** Reads the lines in which s390, powerpc and others say at which address. */
  readAddress(text: string): boolean {
    const address = text.includes(': ')
      ? /(?:Failing address|DAR|addr(?:ess)? accessed): (?:0x)?([0-9a-f]{8,16})/.exec(text)?.[1]
      : undefined;
    if (address !== undefined) this.incident.faultAddress ??= hexadecimal(address);
    else if (!text.startsWith('Faulting instruction address: ')) return false;
    addNote(this.incident, text);
    return true;
  }
}
