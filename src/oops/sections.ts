// Whose lines come now. A report of a hang or a panic shows other CPUs and tasks besides its own, in sections that
// begin with a line of their own; what those say of task, registers and code is not the incident's. A stall report
// names the CPUs that it is about, and comes to them only in such sections.
import type { Headline } from './headlines/headline.ts';
import { addNote, addTask, type OpenIncident, taskRef } from './incident.ts';
import { LinePattern } from './line_pattern.ts';
import { oldTaskLine, taskLine } from './shapes.ts';
import type { Traces } from './traces.ts';

/** A line that a stall report has besides its traces. */
const stallLine = new LinePattern(/^(?:\s|rcu|\}|Tasks blocked|blocking rcu_node)/);

export class Sections {
  /** The report has asked other CPUs for their backtraces. */
  sentNmi = false;
  private readonly incident: OpenIncident;
  private readonly traces: Traces;
  private others = false;
  private readonly stalled = new Set<number>();

  constructor(incident: OpenIncident, traces: Traces) {
    this.incident = incident;
    this.traces = traces;
  }

  /** Whether code bytes that come now are another CPU's or task's. */
  get othersCode(): boolean {
    return this.others;
  }

  /** The same of an instruction pointer and registers. */
  get othersRegisters(): boolean {
    return this.others || this.traces.expected === 'other-cpu';
  }

  /** The same of the line that names CPU and task. */
  get othersTask(): boolean {
    return this.othersRegisters || this.traces.expected === 'other-task';
  }

  /** Whether the lines are those of a CPU that the report names as stalled. */
  get ofStalledCpu(): boolean {
    return this.traces.cpu !== undefined && this.stalled.has(this.traces.cpu);
  }

  isStalled(cpu: number): boolean {
    return this.stalled.has(cpu);
  }

  /** The kernel reports the same again: what it shows now is of others, if it has shown something. */
  repeat(headline: Headline, text: string): void {
    if (headline.kind === 'rcu-stall') this.readStalled(text);
    this.others = this.traces.hasFrames;
    if (headline.kind !== 'out-of-memory') this.traces.expect(this.others ? 'other-task' : undefined);
  }

  /**
   * The kernel panics.
   * @param others whether the incident's own CPU and task have been shown before
   */
  panic(others: boolean): void {
    if (this.incident.traces.length > 0) this.traces.expect('panic');
    this.others = others;
  }

  beginOtherTask(): void {
    this.traces.expect('other-task');
    this.others = true;
  }

  /** Reads the beginning of a section, and the lists of stalled CPUs and tasks. */
  read(text: string): boolean {
    const { incident, traces } = this;
    const nmi = text.startsWith('NMI') ? /^NMI backtrace for cpu (\d{1,5})/.exec(text) : null;
    if (nmi !== null) {
      this.beginCpu(Number(nmi[1]));
      return true;
    }
    if (text.startsWith('Sending NMI')) {
      this.sentNmi = true;
      return true;
    }
    const task = taskLine.exec(text) ?? (text.includes(' 0x') ? oldTaskLine.exec(text) : null);
    if (task !== null) {
      const ref = taskRef(task[1]!.trim(), task[3]);
      if (incident.kind === 'hung-task' && incident.task?.pid === ref.pid) {
        incident.task = ref;
        if (!traces.hasFrames) traces.expect(undefined);
      } else if (incident.kind === 'rcu-stall' && !traces.hasFrames && !/^rcu/.test(ref.comm ?? '')) {
        incident.task ??= ref;
      } else {
        addTask(incident, ref);
        this.beginOtherTask();
      }
      return true;
    }
    if (
      text.includes('kthread') &&
      /^(?:rcu: )?(?:RCU grace-period kthread stack dump|.{0,40}kthread starved for|.{0,40}kthread timer wakeup)/.test(
        text,
      )
    ) {
      this.beginOtherTask();
      addNote(incident, text);
      return true;
    }
    if (text.includes('Stack dump') && /^(?:rcu: )?Stack dump where RCU GP kthread last ran/.test(text)) {
      traces.expect('other-cpu');
      this.others = true;
      return true;
    }
    if (incident.kind === 'rcu-stall' && stallLine.test(text)) {
      this.readStalled(text.replace(/^rcu: ?/, ''));
      addNote(incident, text);
      return true;
    }
    return false;
  }

  /** Reads which CPUs a line of a stall report names: `0-...!: (1 GPs behind)`, `stall on CPU 3`, `{ 1}`. */
  readStalled(text: string): void {
    for (const m of text.matchAll(/(?:^\s{0,4}|\{ )(\d{1,5})-[.?!oON#DtTb]{1,10}:?/g)) this.stalled.add(Number(m[1]));
    const named = /stalls? on CPU (\d{1,5})/.exec(text)?.[1] ?? /\{ ?(\d{1,5})\}/.exec(text)?.[1];
    if (named !== undefined) this.stalled.add(Number(named));
  }

  private beginCpu(cpu: number): void {
    const { incident, traces } = this;
    traces.close();
    const own = this.stalled.has(cpu) || (incident.kind === 'hard-lockup' && incident.cpu === cpu);
    this.others = !own || traces.hasMain;
    traces.expect(this.others ? 'other-cpu' : 'main', cpu);
  }

  /** No more lines come: the incident is that of the CPU which stalled. */
  complete(): void {
    const { incident } = this;
    this.traces.complete(this.stalled);
    const [first] = this.stalled;
    if (first !== undefined && incident.kind === 'rcu-stall') incident.cpu ??= first;
  }
}
