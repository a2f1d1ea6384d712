// One incident while its lines come in: its headlines, its extent, and to which part of the report a line belongs. The
// parts are read by classes of their own. A draft does not know about other incidents (machine_log.ts does).
import { Access } from './access.ts';
import { Context } from './context.ts';
import { type Frame, functionName, hexadecimal, parseFrame } from './frames.ts';
import { asGuilty, findBlame } from './guilty.ts';
import { headlineOfRest } from './headless.ts';
import type { Headline } from './headlines/headline.ts';
import { hintsFor } from './hints.ts';
import { addNote, addTask, type Incident, maxText, type OpenIncident, taskRef } from './incident.ts';
import { damageOf, diesOf, nameOnly, nearNull, severityOf, usesInstruction } from './judgement.ts';
import type { IncidentKind } from './kinds.ts';
import { LinePattern } from './line_pattern.ts';
import { Locks } from './locks.ts';
import type { LogLine } from './log_line.ts';
import { addMemory, readMemory } from './out_of_memory.ts';
import { Registers } from './registers.ts';
import { roleOf } from './roles.ts';
import { Sections } from './sections.ts';
import { bodyLine, endMark, farLine, inner, moduleLine, nearLines, notedLine } from './shapes.ts';
import { sign } from './signature.ts';
import { writeTitle } from './title.ts';
import { Traces } from './traces.ts';

const maxAftermath = 16;

/** A symbolised headline with a header's function, which became a part of the one that the next line names. */
const inlinedHelper = /\s(?:\.\/)?(?:\w{1,16}\/){0,3}include\/\S{1,120}:\d{1,7} \[inline\]$/;

/** A place, not the first frame of a trace, comes in the next line. */
const placeLine = new LinePattern(/^(?:Preemption disabled|(?:hardirqs|softirqs) last .{0,40}) at:\s*$/);
/** The kernel's last words. */
const goodbye = new LinePattern(/^(?:Rebooting in |Kernel Offset: |reboot: |Restarting system)/);
const induced = new LinePattern(/^(?:FAULT_INJECTION: forcing a failure|vmalloc: allocation failure)/);

function isReport(name: string): boolean {
  const role = roleOf(name);
  return role === 'report' || role === 'check' || role === 'entry';
}

/** An incident of which its headline alone is known. */
function openIncident(kind: IncidentKind, line: LogLine): OpenIncident {
  return {
    kind,
    title: '',
    altTitles: [],
    message: line.text.slice(0, maxText),
    detail: null,
    guilty: null,
    task: null,
    cpu: null,
    taint: null,
    hardware: null,
    kernelRelease: null,
    architecture: null,
    workqueue: null,
    faultAddress: null,
    hints: [],
    instruction: null,
    registers: [],
    code: null,
    traces: [],
    modules: [],
    locks: [],
    otherTasks: [],
    memory: [],
    notes: [],
    panic: null,
    aftermath: [],
    repeats: 1,
    dieCount: null,
    corrupted: false,
    corruptedReason: null,
    severity: 'error',
    fatal: false,
    span: { start: line.start, end: line.end, startLine: line.number, endLine: line.number },
    timestamp: null,
    wallTime: null,
    signature: '',
    looseSignature: '',
  };
}

export class Draft {
  readonly headline: Headline;
  readonly incident: OpenIncident;
  /** Number of the last line that belonged to it. */
  lastNumber: number;
  lastStamp: number | undefined;
  /** The kernel closed the report. */
  ended = false;
  /** Whether it may still get lines: it is one of the machine's. */
  open = false;
  /** Why the text may not be what the kernel said about this incident. */
  mixed: string | null = null;
  /** The functions that the report itself names: each that was inlined into the next has a line of its own. */
  readonly namedFunctions: string[] = [];
  private readonly traces: Traces;
  private readonly sections: Sections;
  private readonly registers: Registers;
  private readonly context: Context;
  private readonly locks: Locks;
  private readonly access: Access;
  private readonly stamped: boolean;
  private believed: boolean;
  private modulesAfterTrace = false;
  /** Dashed lines still to come of a trace buffer that is being dumped. */
  private ftrace = 0;
  private corrected = false;
  /** The line that says what the address on the next line is. */
  private asideAt = -1;

  constructor(headline: Headline, line: LogLine, details: readonly string[]) {
    this.headline = headline;
    this.believed = headline.strong;
    this.lastNumber = line.number;
    this.stamped = line.timestamp !== undefined;
    const { kind } = headline;
    const incident = openIncident(kind, line);
    this.incident = incident;
    incident.fatal = headline.fatal === true;
    this.traces = new Traces(incident, headline.role === 'panic');
    this.sections = new Sections(incident, this.traces);
    this.registers = new Registers(incident, this.traces, this.sections);
    this.context = new Context(incident, this.sections);
    this.locks = new Locks(incident, this.traces);
    this.access = new Access(incident, this.traces);
    if (details.length > 0) incident.detail = details.join('\n').slice(0, maxText);
    this.touch(line);
    this.learn(headline, line.text);
    if (headline.role === 'panic') this.setPanic(headline.reason ?? '');
    if (kind === 'out-of-memory') addMemory(incident, line.text);
    if (kind === 'rcu-stall') {
      if (/#\d{1,2}!?\s/.test(line.text)) addNote(incident, line.text);
      this.sections.readStalled(line.text);
    }
  }

  get kind(): IncidentKind {
    return this.incident.kind;
  }

  /** False: nothing yet proves that the headline was the kernel's. */
  get confirmed(): boolean {
    return this.believed || this.traces.proven || this.registers.proven || this.context.proven;
  }

  confirm(): void {
    this.believed = true;
  }

  get panicked(): boolean {
    return this.incident.panic !== null;
  }

  get hasTrace(): boolean {
    return this.traces.hasFrames;
  }

  /** Whether no frame of the trace has come but of those that print traces. */
  get onlyReports(): boolean {
    const { traces } = this.incident;
    return traces.every(({ frames }) =>
      frames.every(({ symbol }) => symbol !== null && isReport(functionName(symbol))),
    );
  }

  get inTrace(): boolean {
    return this.traces.open;
  }

  /** A trace was announced, and none of its frames has come. */
  get awaitsFrames(): boolean {
    return this.traces.awaitsFrames;
  }

  /** Whether the report has come to the CPU and task. */
  get sawTask(): boolean {
    return this.context.sawTask;
  }

  /** Whether the report has asked other CPUs for their backtraces. */
  get sentNmi(): boolean {
    return this.sections.sentNmi;
  }

  /** Whether the report so far misses what every report of this kind has. */
  get incomplete(): boolean {
    return !this.hasTrace && this.headline.traceless !== true;
  }

  private learn(headline: Headline, text: string): void {
    const { incident } = this;
    const own = headline.kind === incident.kind && !inlinedHelper.test(text);
    if (headline.frame !== undefined && own) this.namedFunctions.push(headline.frame);
    if (headline.cpu !== undefined) incident.cpu ??= headline.cpu;
    if (headline.pid !== undefined) incident.task ??= taskRef(headline.comm ?? null, headline.pid);
    if (headline.faultAddress !== undefined) incident.faultAddress ??= hexadecimal(headline.faultAddress);
    if (headline.dieCount !== undefined) incident.dieCount ??= headline.dieCount;
    if (headline.fatal === true) incident.fatal = true;
  }

  private touch(line: LogLine): void {
    const { span } = this.incident;
    if (line.start < span.start) {
      span.start = line.start;
      span.startLine = Math.min(span.startLine, line.number);
    }
    if (line.end > span.end) span.end = line.end;
    if (line.number > span.endLine) span.endLine = line.number;
    this.lastNumber = line.number;
    if (line.timestamp !== undefined) {
      this.lastStamp = line.timestamp;
      this.incident.timestamp ??= line.timestamp;
    }
    if (line.wallTime !== undefined) this.incident.wallTime ??= line.wallTime;
    if (line.dropped) this.mixed ??= 'messages were dropped';
  }

  /** Lines before the headline that belong to the report. */
  extendTo(line: LogLine): void {
    const last = this.lastNumber;
    this.touch(line);
    this.lastNumber = Math.max(last, line.number);
  }

  /** A further headline of the same incident: the die line, panic(), a repetition, what comes after. */
  addHeadline(headline: Headline, line: LogLine, as: 'same' | 'panic' | 'repeat' | 'task' | 'aftermath'): void {
    this.ftrace = 0;
    this.touch(line);
    this.believed ||= headline.strong;
    this.traces.close();
    const { incident } = this;
    switch (as) {
      case 'same':
        this.learn(headline, line.text);
        addNote(incident, line.text);
        if (incident.kind === 'bad-page-fault' && /fault|overflow/.test(headline.kind)) incident.kind = headline.kind;
        return;
      case 'panic':
        if (headline.cpu !== undefined) incident.cpu ??= headline.cpu;
        this.setPanic(headline.reason ?? '');
        return;
      case 'repeat':
        incident.repeats++;
        if (headline.kind === 'out-of-memory') addMemory(incident, line.text);
        this.sections.repeat(headline, line.text);
        return;
      case 'task':
        if (headline.pid !== undefined) addTask(incident, taskRef(headline.comm ?? null, headline.pid));
        this.sections.beginOtherTask();
        return;
      case 'aftermath':
        if (incident.aftermath.length < maxAftermath) incident.aftermath.push(line.text.slice(0, maxText));
        this.sections.beginOtherTask();
        return;
    }
  }

  private setPanic(reason: string): void {
    this.incident.fatal = true;
    this.incident.panic ??= reason;
    this.sections.panic(this.headline.role !== 'panic' && this.sawTask);
  }

  /** Takes a line, or says that it is none of this report. */
  add(line: LogLine): boolean {
    // in a log with stamps a line without one is somebody else's, unless it continues a message of several lines
    if (this.stamped && line.timestamp === undefined && !line.kernel && line.number - this.lastNumber > 3) return false;
    const taken = this.read(line.text, line);
    if (taken) this.touch(line);
    return taken;
  }

  /** As `add`, of a line that is known to be a frame; false: it may be something else here. */
  addFrame(line: LogLine): boolean {
    const c = line.text.charCodeAt(0);
    if ((c !== 0x20 && c !== 0x09) || this.ftrace > 0 || this.asideAt === line.number - 1) return false;
    if (!this.traces.readFrame(line.text, line.number, line.frame)) return false;
    this.touch(line);
    return true;
  }

  private read(text: string, line: LogLine): boolean {
    if (text === '') return false;
    if (this.ftrace > 0 && line.number - this.lastNumber <= 2) {
      // the buffer stands between two dashed lines, and may be long; or it is empty
      if (/^-{20,}\s*$/.test(text)) this.ftrace--;
      else if (/^\s{1,8}\(ftrace buffer empty\)/.test(text)) this.ftrace = 0;
      return true;
    }
    if (text.startsWith('Dumping ftrace buffer:')) {
      this.ftrace = 2;
      return true;
    }
    if (this.asideAt === line.number - 1) {
      this.asideAt = -1;
      if (/^\s{0,8}\[<|^\s{0,8}[A-Za-z_][\w.]{0,200}\+0x/.test(text)) return true;
    }
    if (placeLine.test(text)) {
      // a place, not the first frame of a trace
      this.asideAt = line.number;
      return true;
    }
    const c = text.charCodeAt(0);
    // frames first: most lines of a report are frames
    if (c === 0x20 || c === 0x09 || c === 0x5b || c === 0x3c || this.traces.open) {
      if (this.traces.readFrame(text, line.number, line.frame)) return true;
    }
    switch (c) {
      case 0x43: // C
        if (text.startsWith('Code:')) {
          this.registers.readCode(text.slice(5));
          return true;
        }
        if (this.context.read(text)) return true;
        break;
      case 0x48: // H
      case 0x50: // P
        if (this.context.read(text)) return true;
        break;
      case 0x4d: {
        const modules = moduleLine.exec(text);
        if (modules === null) break;
        this.modulesAfterTrace = this.hasTrace;
        this.traces.close();
        this.context.readModules(modules[1]!);
        return true;
      }
      case 0x2d:
        if (!endMark.test(text)) break;
        this.confirm();
        this.traces.close();
        if (text.includes('Kernel panic') || !this.panicked) this.ended = true;
        return true;
    }
    return (
      this.traces.readHead(text) ||
      this.access.readRace(text) ||
      this.registers.read(text) ||
      // in a text that lost its indentation
      (text.includes('+0x') && this.traces.readFrame(text, line.number)) ||
      this.readBody(text, line.number)
    );
  }

  /** Everything that is neither frame nor register. */
  private readBody(text: string, number: number): boolean {
    const { incident } = this;
    this.traces.suspend(number);
    const gap = number - this.lastNumber;
    if (gap > nearLines && !farLine.test(text)) return false;
    if (this.sections.read(text)) return true;
    if (incident.kind === 'out-of-memory' && readMemory(incident, text)) return true;
    if (this.access.read(text) || this.locks.read(text) || this.context.readDetail(text)) return true;
    if (this.access.readAddress(text)) return true;
    if (incident.kind === 'ubsan' && headlineOfRest(text)?.kind === 'ubsan') {
      // its second line, which says what was wrong
      this.confirm();
      addNote(incident, text);
      return true;
    }
    if (goodbye.test(text)) {
      if (this.panicked) this.ended = true;
      return this.panicked;
    }
    const comm = incident.kind === 'memory-leak' ? /^ {2}comm "(.{0,64})", pid (\d{1,10})/.exec(text) : null;
    if (comm !== null) incident.task ??= taskRef(comm[1]!, comm[2]);
    if (induced.test(text)) this.mixed ??= 'another report is mixed in';
    if (
      text.includes('orrected') &&
      /event severity: corrected|has been corrected by h\/w|Corrected error, no action/.test(text)
    )
      this.corrected = true;
    // sanitizers and lockdep close their reports with a double line
    if (text.startsWith('=====') && this.hasTrace && !this.panicked) this.ended = true;
    const relevant = bodyLine.test(text) || inner.test(text);
    if (relevant && gap <= 3 && notedLine.test(text)) addNote(incident, text);
    return relevant;
  }

  /** Completes the incident. `cut`: the text ended here. `rebooted`: the next thing in the text is a kernel booting. */
  finish(cut: boolean, rebooted: boolean): Incident {
    const { incident, headline } = this;
    const open = this.awaitsFrames;
    this.sections.complete();
    if (rebooted && diesOf(incident)) incident.fatal = true;
    // oops_end() starts the crash kernel before it would print `---[ end trace`: the kernel's own log ends here
    if (cut && incident.dieCount !== null && !this.ended && this.modulesAfterTrace) incident.fatal = true;
    const main = incident.traces.filter((trace) => trace.purpose === 'main');
    if (incident.kind === 'bad-page-fault' && nearNull(incident.faultAddress)) incident.kind = 'null-pointer';
    const first: Frame[] = [];
    const named = this.namedFunctions.length > 0 ? this.namedFunctions : [headline.frame];
    for (const text of [this.locks.taker, ...named]) {
      const frame = text === undefined ? null : (parseFrame(` ${text}`, false) ?? nameOnly(text));
      if (frame !== null) first.push(frame);
    }
    const { instruction } = incident;
    if (instruction !== null && usesInstruction(incident.kind)) {
      first.push(instruction);
      const { link } = this.registers;
      if (link !== null && link.symbol !== instruction.symbol) first.push(link);
    }
    const { guilty, others } = findBlame(first, main, incident.kind, this.context.work);
    incident.guilty = guilty === null ? null : asGuilty(guilty);
    incident.hints = hintsFor(incident);
    writeTitle(incident, headline, this.access.what, others);
    incident.corruptedReason = this.mixed ?? damageOf(incident, headline, cut && open);
    incident.corrupted = incident.corruptedReason !== null;
    incident.severity = severityOf(incident, headline.corrected === true || this.corrected);
    sign(incident);
    return incident;
  }
}
