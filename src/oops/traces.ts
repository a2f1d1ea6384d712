// The call traces of a report while its lines come in: which one is open and what it shows, on which stack and of which
// CPU its frames are, and in the end which one is the incident's own. Fills `traces`.
import { type Frame, parseFrame } from './frames.ts';
import type { OpenIncident, OpenTrace, TracePurpose } from './incident.ts';
import { sideTrace, stackMark, traceHead } from './shapes.ts';

const maxFrames = 256;
const maxTraces = 96;

export class Traces {
  /** A line was read that only the kernel's own reports have. */
  proven = false;
  /** Grows with every frame and wherever a trace ends: a block of registers does not go on beyond either. */
  breaks = 0;
  private readonly incident: OpenIncident;
  /** The report is panic()'s own, so that its trace is not a further one. */
  private readonly panicReport: boolean;
  private trace: OpenTrace | undefined;
  /** True also where the trace is passed over, because there are too many. */
  private inTrace = false;
  private fresh = false;
  /** A trace into which other lines broke, and the first of them. */
  private suspended: { trace: OpenTrace; number: number } | undefined;
  private nextPurpose: TracePurpose | undefined;
  private nextCpu: number | undefined;
  private cpuOf: Map<OpenTrace, number> | null = null;
  /** Lockdep has announced the reporter's own stack. */
  private reporter = false;

  constructor(incident: OpenIncident, panicReport: boolean) {
    this.incident = incident;
    this.panicReport = panicReport;
  }

  get hasFrames(): boolean {
    for (const trace of this.incident.traces) if (trace.frames.length > 0) return true;
    return false;
  }

  get hasMain(): boolean {
    return this.incident.traces.some((trace) => trace.purpose === 'main' && trace.frames.length > 0);
  }

  get open(): boolean {
    return this.inTrace;
  }

  /** A trace was announced, and none of its frames has come. */
  get awaitsFrames(): boolean {
    return this.fresh;
  }

  /** What the next traces show, where a line has said it. */
  get expected(): TracePurpose | undefined {
    return this.nextPurpose;
  }

  /** The CPU that the next traces are of, where a line has said it. */
  get cpu(): number | undefined {
    return this.nextCpu;
  }

  /** Says what the next traces show, and of which CPU they are if that changes. */
  expect(purpose: TracePurpose | undefined, cpu = this.nextCpu): void {
    this.nextPurpose = purpose;
    this.nextCpu = cpu;
  }

  begin(heading: string, purpose: TracePurpose): void {
    this.inTrace = true;
    this.suspended = undefined;
    this.fresh = true;
    if (this.incident.traces.length >= maxTraces) {
      this.trace = undefined;
      return;
    }
    this.trace = { purpose, heading: heading.trim().replace(/:$/, '').slice(0, 120), stack: 'task', frames: [] };
    this.incident.traces.push(this.trace);
    if (this.nextCpu !== undefined) this.setCpu(this.trace, this.nextCpu);
  }

  private setCpu(trace: OpenTrace, cpu: number): void {
    this.cpuOf ??= new Map();
    this.cpuOf.set(trace, cpu);
  }

  close(): void {
    this.inTrace = false;
    this.trace = undefined;
    this.suspended = undefined;
    this.fresh = false;
    this.breaks++;
  }

  /** Line `number` is no frame: the trace is over, unless frames follow soon. */
  suspend(number: number): void {
    if (!this.inTrace || !this.hasFrames) return;
    const { trace } = this;
    this.close();
    if (trace !== undefined) this.suspended = { trace, number };
  }

  /** Reads what announces a trace: `Call Trace:`, `Freed by task 12:`. */
  readHead(text: string): boolean {
    if (traceHead.test(text)) {
      if (/^\s{0,8}[Ss]tack backtrace/.test(text)) {
        // lockdep: the chains are over, the reporter's own stack follows
        this.nextPurpose = undefined;
        this.close();
        this.reporter = true;
        return true;
      }
      this.proven = true;
      const panicked = this.incident.panic !== null;
      this.begin(text, this.reporter && !panicked ? 'main' : this.likelyPurpose());
      this.reporter = false;
      return true;
    }
    for (const [pattern, purpose] of sideTrace) {
      if (!pattern.test(text)) continue;
      this.close();
      this.begin(text, purpose);
      const inline = /(?:Allocated|Freed) in (\S{1,200})/.exec(text)?.[1];
      const frame = inline === undefined ? null : parseFrame(` ${inline}`, true);
      if (frame !== null) this.trace?.frames.push(frame);
      return true;
    }
    return false;
  }

  /**
   * Reads a frame or a mark of the stack that the next ones are on.
   * @param known the frame with offset and size that the text is, where that is known
   */
  readFrame(text: string, number: number, known?: Frame | null): boolean {
    if (known != null && !text.includes('<')) return this.takeFrame(known, number);
    let body = text;
    // old kernels print the end of one stack and the beginning of another in one line
    for (let mark = text.includes('<') ? stackMark.exec(text) : null; mark !== null; mark = stackMark.exec(body)) {
      const name = mark[2]!.toLowerCase();
      const leaves = mark[1] === '/' || name === 'eoi' || name === 'eoe';
      this.switchStack(leaves ? 'task' : name);
      if (mark[3] === '') return this.inTrace || this.hasFrames;
      body = ` ${mark[3]}`;
    }
    const frame = parseFrame(body, this.inTrace);
    return frame !== null && this.takeFrame(frame, number);
  }

  private takeFrame(frame: Frame, number: number): boolean {
    if (this.trace === undefined && this.suspended !== undefined && number - this.suspended.number <= 6) {
      // somebody else's lines stood between two frames
      this.trace = this.suspended.trace;
      this.inTrace = true;
    }
    if (this.trace === undefined) {
      if (this.incident.traces.length >= maxTraces) return true;
      this.begin('', this.likelyPurpose());
    }
    this.proven = true;
    this.fresh = false;
    this.breaks++;
    if (this.trace!.frames.length < maxFrames) this.trace!.frames.push(frame);
    return true;
  }

  /** Takes an instruction pointer for a frame, if it stands among frames: an exception interrupted the code there. */
  addInterrupted(frame: Frame): boolean {
    if (this.trace === undefined || this.trace.frames.length === 0) return false;
    if (this.trace.frames.length < maxFrames) this.trace.frames.push({ ...frame, interrupted: true });
    return true;
  }

  /** Frames of another stack make a trace of their own. */
  private switchStack(stack: string): void {
    const { trace } = this;
    if (trace === undefined || stack === trace.stack) return;
    if (trace.frames.length === 0) {
      trace.stack = stack;
      return;
    }
    if (this.incident.traces.length >= maxTraces) return;
    this.trace = { heading: trace.heading, purpose: trace.purpose, stack, frames: [] };
    const cpu = this.cpuOf?.get(trace);
    if (cpu !== undefined) this.setCpu(this.trace, cpu);
    this.incident.traces.push(this.trace);
  }

  private likelyPurpose(): TracePurpose {
    if (this.nextPurpose !== undefined) return this.nextPurpose;
    if (!this.hasFrames) return 'main';
    if (this.incident.panic !== null && !this.panicReport) return 'panic';
    return this.hasMain ? 'other-task' : 'main';
  }

  /**
   * No more lines come: leaves out what got no frames, and makes sure that one trace is the incident's own.
   * @param stalled the CPUs that a stall report is about
   */
  complete(stalled: ReadonlySet<number>): void {
    const { traces, kind } = this.incident;
    for (let i = traces.length - 1; i >= 0; i--) if (traces[i]!.frames.length === 0) traces.splice(i, 1);
    const main = traces.find((trace) => trace.purpose === 'main');
    if (main !== undefined) {
      if (kind !== 'rcu-stall' || stalled.size === 0) return;
      const cpu = this.cpuOf?.get(main);
      if (cpu === undefined || stalled.has(cpu)) return;
    }
    const own =
      traces.find((trace) => trace.purpose === 'other-cpu' && stalled.has(this.cpuOf?.get(trace) ?? -1)) ??
      traces.find((trace) => trace.purpose === 'panic') ??
      traces.find((trace) => trace.purpose === 'other-cpu') ??
      traces.find((trace) => trace.purpose === 'other-task');
    if (own === undefined) return;
    // its parts on other stacks are traces with the same heading
    const { heading, purpose } = own;
    const cpu = this.cpuOf?.get(own);
    own.purpose = 'main';
    if (purpose !== 'panic' && cpu === undefined) return;
    for (const trace of traces)
      if (trace.heading === heading && trace.purpose === purpose && this.cpuOf?.get(trace) === cpu)
        trace.purpose = 'main';
  }
}
