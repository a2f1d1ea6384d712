// One incident while its lines come in. A draft knows what a line of a report looks like and where it belongs; it does not
// know about other incidents (scanner.ts does).
import { parseCode } from './code_bytes.ts';
import { type Frame, parseFrame } from './frames.ts';
import { asGuilty, findGuilty } from './guilty.ts';
import { type Headline, isConsequence } from './headlines.ts';
import { hintsFor } from './hints.ts';
import type { Incident, TaskRef, Trace, TracePurpose } from './incident.ts';
import { diesOf, nameOnly, nearNull, severityOf, usesInstruction } from './judgement.ts';
import type { IncidentKind } from './kinds.ts';
import type { LogLine } from './log_line.ts';
import {
  accessLine,
  armCpuLine,
  atFunction,
  bodyLine,
  cpuLine,
  endMark,
  hardwareLine,
  inner,
  instructionLine,
  kcsanAccess,
  lockHolder,
  lockLine,
  memoryLine,
  moduleLine,
  oldCpuLine,
  oldTaskLine,
  registerLine,
  registerToken,
  shortCpuLine,
  sideTrace,
  stackMark,
  taintedLine,
  taskLine,
  traceHead,
} from './shapes.ts';
import { sign } from './signature.ts';
import { parseTaint } from './taint.ts';
import { writeTitle } from './title.ts';

const maxFrames = 256;
const maxTraces = 96;
const maxList = 512;
const maxNotes = 48;
const maxText = 1000;

export class Draft {
  readonly headline: Headline;
  readonly incident: Incident;
  /** False: nothing yet proves that the headline was the kernel's. */
  confirmed: boolean;
  /** Number of the last line that belonged to it. */
  lastNumber: number;
  lastStamp: number | undefined;
  panicked = false;
  /** The kernel closed the report. */
  ended = false;
  /** CPUs or tasks that a stall report names as stalled. */
  private readonly stalledCpus = new Set<number>();
  private trace: Trace | undefined;
  private inTrace = false;
  private next: TracePurpose | undefined;
  private sectionCpu: number | undefined;
  private otherSection = false;
  private stack = 'task';
  private sawCpuLine = false;
  private sawRegisters = false;
  /** The registers that come now are those of user space. */
  private userMode = false;
  private modulesAfterTrace = false;
  private registersOpen = false;
  private lockTask: TaskRef | undefined;
  private acquireAt: string | undefined;
  private wantAt = false;
  /** The lock being taken is known; what follows are locks already held. */
  private acquired = false;
  private access: string | undefined;
  private accesses = 0;
  private readonly cpuOfTrace = new Map<Trace, number>();
  sentNmi = false;
  /** Dashed lines still to come of a trace buffer that is being dumped. */
  private ftrace = 0;
  private corrected = false;
  private readonly stamped: boolean;
  mixed: string | undefined;

  constructor(headline: Headline, line: LogLine, details: readonly string[]) {
    this.headline = headline;
    this.confirmed = headline.strong;
    this.lastNumber = line.number;
    this.stamped = line.timestamp !== undefined;
    const { kind } = headline;
    this.incident = {
      kind,
      title: '',
      altTitles: [],
      message: line.text.slice(0, maxText),
      hints: [],
      registers: [],
      traces: [],
      modules: [],
      locks: [],
      otherTasks: [],
      memory: [],
      notes: [],
      aftermath: [],
      repeats: 1,
      corrupted: false,
      severity: 'error',
      fatal: headline.fatal === true,
      span: { start: line.start, end: line.end, startLine: line.number, endLine: line.number },
      signature: '',
      looseSignature: '',
    };
    if (details.length > 0) this.incident.detail = details.join('\n').slice(0, maxText);
    this.touch(line);
    this.learn(headline);
    if (headline.role === 'panic') this.setPanic(headline.reason ?? '');
    if (kind === 'lockdep' || kind === 'locks-held') this.wantAt = true;
    if (kind === 'out-of-memory') this.oomLine(line.text);
    const marks = /#\d{1,2}!?\s/.exec(line.text);
    if (kind === 'rcu-stall' && marks !== null) this.note(line.text);
    if (kind === 'rcu-stall') this.stalled(line.text);
  }

  get kind(): IncidentKind {
    return this.incident.kind;
  }

  get hasTrace(): boolean {
    return this.incident.traces.some((trace) => trace.frames.length > 0);
  }

  /** Whether the report has come to the CPU and task. */
  get sawTask(): boolean {
    return this.sawCpuLine;
  }

  /** Whether the report so far misses what every report of this kind has. */
  get incomplete(): boolean {
    return !this.hasTrace && this.headline.traceless !== true;
  }

  private headlineFrame: string | undefined;

  private learn(headline: Headline): void {
    const { incident } = this;
    if (headline.frame !== undefined && headline.kind === incident.kind) this.headlineFrame = headline.frame;
    if (headline.cpu !== undefined) incident.cpu ??= headline.cpu;
    if (headline.pid !== undefined) incident.task ??= { comm: headline.comm ?? '', pid: headline.pid };
    if (headline.faultAddress !== undefined) incident.faultAddress ??= headline.faultAddress;
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
    this.confirmed ||= headline.strong;
    this.closeTrace();
    const { incident } = this;
    switch (as) {
      case 'same':
        this.learn(headline);
        this.note(line.text);
        if (
          incident.kind === 'bad-page-fault' &&
          headline.kind !== 'bad-page-fault' &&
          /fault|overflow/.test(headline.kind)
        )
          incident.kind = headline.kind;
        if (incident.kind === 'bad-page-fault' && headline.kind === 'stack-overflow') incident.kind = 'stack-overflow';
        return;
      case 'panic':
        if (headline.cpu !== undefined) incident.cpu ??= headline.cpu;
        this.setPanic(headline.reason ?? '');
        return;
      case 'repeat':
        incident.repeats++;
        if (headline.kind === 'rcu-stall') this.stalled(line.text);
        if (headline.kind === 'out-of-memory') this.oomLine(line.text);
        else this.next = this.hasTrace ? 'other-task' : undefined;
        this.otherSection = this.hasTrace;
        return;
      case 'task':
        if (headline.pid !== undefined) this.addTask({ comm: headline.comm ?? '', pid: headline.pid });
        this.next = 'other-task';
        this.otherSection = true;
        return;
      case 'aftermath':
        if (incident.aftermath.length < 16) incident.aftermath.push(line.text.slice(0, maxText));
        this.next = 'other-task';
        this.otherSection = true;
        return;
    }
  }

  private setPanic(reason: string): void {
    this.panicked = true;
    this.incident.fatal = true;
    this.incident.panic ??= reason;
    if (this.incident.traces.length > 0) this.next = 'panic';
    this.otherSection = this.headline.role !== 'panic' && this.sawCpuLine;
  }

  private addTask(task: TaskRef): void {
    const { otherTasks } = this.incident;
    if (otherTasks.length < 64 && !otherTasks.some((other) => other.pid === task.pid)) otherTasks.push(task);
  }

  private note(text: string): void {
    if (this.incident.notes.length < maxNotes) this.incident.notes.push(text.trimEnd().slice(0, maxText));
  }

  private closeTrace(): void {
    this.inTrace = false;
    this.trace = undefined;
    this.suspended = undefined;
    this.fresh = false;
    this.registersOpen = false;
  }

  private begin(heading: string, purpose: TracePurpose): void {
    this.inTrace = true;
    this.suspended = undefined;
    this.fresh = true;
    this.stack = 'task';
    if (this.incident.traces.length >= maxTraces) {
      this.trace = undefined;
      return;
    }
    this.trace = { purpose, heading: heading.trim().replace(/:$/, '').slice(0, 120), stack: 'task', frames: [] };
    this.incident.traces.push(this.trace);
    if (this.sectionCpu !== undefined) this.cpuOfTrace.set(this.trace, this.sectionCpu);
  }

  private purpose(): TracePurpose {
    if (this.next !== undefined) return this.next;
    if (!this.hasTrace) return 'main';
    if (this.panicked && this.headline.role !== 'panic') return 'panic';
    const hasMain = this.incident.traces.some((trace) => trace.purpose === 'main' && trace.frames.length > 0);
    return hasMain ? 'other-task' : 'main';
  }

  /**
   * How likely it is that a line belongs here, when several reports are printed at once: 3 it names this report's task or
   * function, 2 it is the next thing missing, 1 it continues an open trace, 0 nothing speaks for it, -1 it cannot be.
   */
  affinity(text: string): number {
    const { incident, headline } = this;
    if (this.ended) return -1;
    const c = text.charCodeAt(0);
    if (c === 0x20 || c === 0x09 || c === 0x5b) return this.inTrace ? (this.fresh ? 2 : 1) : 0;
    if (text.startsWith('CPU: ') || text.startsWith('Pid: ')) {
      if (this.sawCpuLine) return -1;
      const pid = /(?:PID|Pid): (\d{1,10})/.exec(text)?.[1];
      if (headline.pid !== undefined && pid !== undefined) return headline.pid === Number(pid) ? 3 : -1;
      // the die line comes before it
      if ((incident.kind === 'null-pointer' || incident.kind === 'bad-page-fault') && incident.dieCount === undefined)
        return 1;
      const cpu = /^CPU: (\d{1,5})/.exec(text)?.[1];
      return headline.cpu !== undefined && cpu !== undefined && headline.cpu !== Number(cpu) ? -1 : 2;
    }
    if (text.startsWith('RIP: ') || text.startsWith('pc : ')) {
      const name = (this.headlineFrame ?? '').replace(/\+0x.*$/, '');
      if (incident.instruction !== undefined || this.hasTrace) return 0;
      if (name !== '' && incident.kind !== 'kasan') return text.includes(`${name}+`) ? 3 : -1;
      return this.sawCpuLine ? 2 : 1;
    }
    if (text.startsWith('Code: '))
      return incident.code === undefined && incident.instruction !== undefined && !this.hasTrace ? 2 : 0;
    if (text.startsWith('Hardware name: ')) return incident.hardware === undefined && this.sawCpuLine ? 2 : 0;
    if (text.startsWith('#PF: ') || text.startsWith('PGD '))
      return incident.dieCount === undefined && /pointer|fault/.test(incident.kind) ? 2 : -1;
    if (endMark.test(text)) {
      const printsOne =
        incident.dieCount !== undefined || incident.kind === 'WARN' || /^WARNING|BUG at/.test(incident.message);
      return this.hasTrace && printsOne ? 2 : -1;
    }
    if (traceHead.test(text)) return this.hasTrace || this.inTrace ? 0 : this.sawCpuLine ? 2 : 1;
    return 0;
  }

  /** Takes a line, or says that it is none of this report. */
  add(line: LogLine): boolean {
    this.lineNow = line.number;
    // in a log with stamps a line without one is somebody else's, unless it continues a message of several lines
    if (this.stamped && line.timestamp === undefined && !line.kernel && line.number - this.lastNumber > 3) return false;
    const taken = this.read(line.text, line);
    if (taken) this.touch(line);
    return taken;
  }

  private read(text: string, line: LogLine): boolean {
    const { incident } = this;
    if (text === '') return false;
    if (this.ftrace > 0 && line.number - this.lastNumber <= 2) {
      // the buffer stands between two dashed lines, and may be long
      if (/^-{20,}\s*$/.test(text)) this.ftrace--;
      return true;
    }
    if (text.startsWith('Dumping ftrace buffer:')) {
      this.ftrace = 2;
      return true;
    }
    const c = text.charCodeAt(0);
    // frames first: most lines of a report are frames
    if (c === 0x20 || c === 0x09 || c === 0x5b || c === 0x3c || this.inTrace) {
      if (this.readFrame(text)) return true;
    }
    switch (c) {
      case 0x43: // C
        if (text.startsWith('CPU: ') && this.readCpuLine(text)) return true;
        if (text.startsWith('Code:')) return this.readCode(text.slice(5));
        break;
      case 0x50: // P
        if (text.startsWith('Pid: ') && this.readOldCpuLine(text)) return true;
        break;
      case 0x48: {
        const hardware = hardwareLine.exec(text);
        if (hardware !== null) {
          incident.hardware ??= hardware[1]!.trim();
          this.confirmed = true;
          return true;
        }
        break;
      }
      case 0x4d: {
        const modules = moduleLine.exec(text);
        if (modules !== null) {
          this.confirmed = true;
          this.modulesAfterTrace = this.hasTrace;
          this.closeTrace();
          if (incident.modules.length === 0) this.readModules(modules[1]!);
          return true;
        }
        break;
      }
      case 0x2d:
        if (endMark.test(text)) {
          this.confirmed = true;
          this.closeTrace();
          if (text.includes('Kernel panic') || !this.panicked) this.ended = true;
          return true;
        }
        break;
    }
    if (traceHead.test(text)) {
      const backtrace = /backtrace/.test(text);
      if (backtrace && /^\s{0,8}[Ss]tack backtrace/.test(text)) {
        this.next = undefined; // lockdep: the chains are over, the reporter's own stack follows
        this.closeTrace();
        this.inTrace = false;
        this.lockdepOwn = true;
        return true;
      }
      this.confirmed = true;
      this.begin(text, this.lockdepOwn && !this.panicked ? 'main' : this.purpose());
      this.lockdepOwn = false;
      return true;
    }
    for (const [pattern, purpose] of sideTrace) {
      if (!pattern.test(text)) continue;
      this.closeTrace();
      this.begin(text, purpose);
      const inline = /(?:Allocated|Freed) in (\S{1,200})/.exec(text)?.[1];
      const frame = inline === undefined ? undefined : parseFrame(` ${inline}`, true);
      if (frame !== undefined) this.trace?.frames.push(frame);
      return true;
    }
    const kcsan = incident.kind === 'kcsan' ? kcsanAccess.exec(text) : null;
    if (kcsan !== null) {
      this.accesses++;
      this.begin(text, this.accesses === 1 ? 'main' : 'other-access');
      if (this.accesses === 1) {
        if (kcsan[2] !== undefined) incident.task ??= { comm: '', pid: Number(kcsan[2]) };
        incident.cpu ??= Number(kcsan[3]);
      }
      return true;
    }
    if (instructionLine.test(text) && this.readInstruction(text)) return true;
    if (registerLine.test(text)) {
      this.readRegisters(text);
      return true;
    }
    return this.readSection(text, line);
  }

  private lockdepOwn = false;
  /** A trace into which other lines broke. */
  private suspended: { trace: Trace; number: number } | undefined;
  private lineNow = 0;
  /** Frames are still to come. */
  private fresh = false;

  private readFrame(text: string): boolean {
    let body = text;
    const mark = text.includes('<') ? stackMark.exec(text) : null;
    if (mark !== null) {
      const name = mark[2]!.toLowerCase();
      const leaves = mark[1] === '/' || name === 'eoi' || name === 'eoe';
      this.stack = leaves ? 'task' : name;
      if (this.trace !== undefined && this.stack !== this.trace.stack) {
        if (this.trace.frames.length === 0) this.trace.stack = this.stack;
        else {
          const { heading, purpose, stack } = { ...this.trace, stack: this.stack };
          const cpu = this.cpuOfTrace.get(this.trace);
          if (this.incident.traces.length < maxTraces) {
            this.trace = { heading, purpose, stack, frames: [] };
            if (cpu !== undefined) this.cpuOfTrace.set(this.trace, cpu);
            this.incident.traces.push(this.trace);
          }
        }
      }
      if (mark[3] === '') return this.inTrace || this.hasTrace;
      body = ` ${mark[3]}`;
    }
    const frame = parseFrame(body, this.inTrace);
    if (frame === undefined) return false;
    if (this.trace === undefined && this.suspended !== undefined && this.lineNow - this.suspended.number <= 6) {
      // somebody else's lines stood between two frames
      this.trace = this.suspended.trace;
      this.inTrace = true;
    }
    if (this.trace === undefined) {
      if (this.incident.traces.length >= maxTraces) return true;
      this.begin('', this.purpose());
      this.trace!.stack = this.stack;
    }
    this.confirmed = true;
    this.fresh = false;
    this.registersOpen = false;
    if (this.trace!.frames.length < maxFrames) this.trace!.frames.push(frame);
    return true;
  }

  private readCpuLine(text: string): boolean {
    const m = cpuLine.exec(text) ?? armCpuLine.exec(text);
    const { incident } = this;
    this.confirmed = true;
    if (m === null) {
      const short = shortCpuLine.exec(text);
      if (short === null) return /^CPU: \d{1,5} /.test(text);
      this.setTask(Number(short[1]), { comm: short[4]!, pid: Number(short[3]) });
      return true;
    }
    if (m.length === 5) {
      // arm before 3.18: CPU: 0    Not tainted  (3.2.0 #1)
      incident.cpu ??= Number(m[1]);
      this.setTaint(m[3], m[4]!);
      return true;
    }
    const task: TaskRef = { comm: m[4]!, pid: Number(m[3]) };
    if (m[2] !== undefined) task.uid = Number(m[2]);
    this.setTask(Number(m[1]), task);
    this.setTaint(m[6], m[7]!);
    return true;
  }

  private readOldCpuLine(text: string): boolean {
    const m = oldCpuLine.exec(text);
    if (m === null) return false;
    this.confirmed = true;
    this.setTask(undefined, { comm: m[2]!, pid: Number(m[1]) });
    this.setTaint(m[4], m[5]!);
    return true;
  }

  private setTask(cpu: number | undefined, task: TaskRef): void {
    const { incident } = this;
    const stalledHere = incident.kind === 'rcu-stall' && cpu !== undefined && this.stalledCpus.has(cpu);
    if (stalledHere && !this.sawStalledTask) {
      this.sawStalledTask = true;
      incident.cpu = cpu;
      incident.task = task;
      this.sawCpuLine = true;
      return;
    }
    const other = this.next === 'other-cpu' || this.next === 'other-task' || this.otherSection;
    if (other) return;
    // khungtaskd reports others: its own CPU line comes only with the panic
    if (incident.kind === 'hung-task' || (incident.kind === 'workqueue-lockup' && this.panicked)) return;
    this.sawCpuLine = true;
    if (cpu !== undefined) incident.cpu ??= cpu;
    if (incident.task === undefined || incident.task.pid === task.pid) incident.task = { ...incident.task, ...task };
    else if (incident.task.comm === '') incident.task = task;
  }

  private sawStalledTask = false;

  private setTaint(letters: string | undefined, release: string): void {
    const { incident } = this;
    incident.taint ??= parseTaint(letters ?? '');
    if (/^\d/.test(release)) incident.kernelRelease ??= release.replace(/[)]$/, '');
  }

  private readInstruction(text: string): boolean {
    const m = instructionLine.exec(text)!;
    if (/^RIP {2}/.test(text)) return true; // repeated at the end of older oopses
    this.userMode = /^(?:RIP: {1,2}(?:00(?:33|23)|e033):|EIP: 0073:)/.test(text);
    if (this.userMode) return true;
    const body = m[1]!
      .replace(/^(?:\[<?[0-9a-f]{8,16}>?\]\s{0,4}){1,2}/, '')
      .replace(/^[0-9a-f]{8,16} \((.{1,300})\)$/, '$1');
    let frame = parseFrame(` ${body}`, true);
    if (frame === undefined) {
      const address = /^(?:0x)?([0-9a-f]{1,16})\b/.exec(body)?.[1] ?? (/\(null\)/.test(body) ? '0' : undefined);
      if (address === undefined) return false;
      frame = { symbol: '', address, reliable: true };
    }
    this.confirmed = true;
    const known = this.incident.instruction;
    const inner = this.inTrace && this.trace !== undefined && this.trace.frames.length > 0;
    if (inner) {
      if (this.trace!.frames.length < maxFrames) this.trace!.frames.push({ ...frame, interrupted: true });
      return true;
    }
    if (this.otherSection || this.next === 'other-cpu') {
      const stalled = this.sectionCpu !== undefined && this.stalledCpus.has(this.sectionCpu);
      if (!stalled || this.incident.instruction !== undefined) return true;
    }
    if (known === undefined || (known.symbol === '' && frame.symbol !== '' && !this.hasTrace)) {
      this.incident.instruction = frame;
      this.registersOpen = true;
      if (/^(?:pc|PC)\b/.test(text)) this.incident.architecture ??= /^pc : /.test(text) ? 'arm64' : 'arm';
      if (/^RIP/.test(text)) this.incident.architecture ??= 'x86_64';
      if (/^EIP/.test(text)) this.incident.architecture ??= 'i386';
      if (/^NIP/.test(text)) this.incident.architecture ??= 'powerpc';
      if (/^epc/.test(text)) this.incident.architecture ??= 'riscv';
    }
    return true;
  }

  private readCode(text: string): boolean {
    this.confirmed = true;
    if (this.incident.code === undefined && !this.userMode && !this.otherSection) {
      const code = parseCode(text);
      if (code !== undefined) this.incident.code = code;
    }
    return true;
  }

  private readRegisters(text: string): void {
    const { registers } = this.incident;
    if (this.otherSection || this.next === 'other-cpu') return;
    if (this.inTrace && this.hasTrace && !this.registersOpen) return; // user registers at the end of a trace
    if (this.sawRegisters && !this.registersOpen) return;
    this.registersOpen = true;
    registerToken.lastIndex = 0;
    for (let m = registerToken.exec(text); m !== null && registers.length < 64; m = registerToken.exec(text)) {
      const name = m[1]!;
      if (registers.some((register) => register.name === name)) continue;
      registers.push({ name, value: m[2]!.replace(/^[0-9a-f]{4}:/, '') });
      this.sawRegisters = true;
      if (/^x\d/.test(name)) this.incident.architecture ??= 'arm64';
    }
    this.confirmed = true;
  }

  private readModules(text: string): void {
    for (const word of text.split(/\s+/, 2000)) {
      const m = /^([\w-]{1,64})(?:\(([A-Z+\-\d]{1,16})\))?$/.exec(word);
      if (m === null) {
        if (word.startsWith('[')) break; // [last unloaded: ...]
        continue;
      }
      if (this.incident.modules.length < maxList) this.incident.modules.push({ name: m[1]!, flags: m[2] ?? '' });
    }
  }

  private stalled(text: string): void {
    for (const m of text.matchAll(/(?:^\s{0,4}|\{ )(\d{1,5})-[.?!oON#DtTb]{1,10}:?/g))
      this.stalledCpus.add(Number(m[1]));
    const named = /stalls? on CPU (\d{1,5})/.exec(text)?.[1] ?? /\{ ?(\d{1,5})\}/.exec(text)?.[1];
    if (named !== undefined) this.stalledCpus.add(Number(named));
  }

  private oomLine(text: string): void {
    const { incident } = this;
    if (incident.memory.length < maxList) incident.memory.push(text.slice(0, maxText));
    const killed =
      /[Kk]ill(?:ed)? process (\d{1,10}),? \(?(.{1,64}?)\)?(?:[ ,]|$)/.exec(text) ??
      /\btask=(?<comm>[^,]{1,64}),pid=(?<pid>\d{1,10})/.exec(text);
    if (killed !== null) {
      this.addTask({ comm: killed.groups?.comm ?? killed[2]!, pid: Number(killed.groups?.pid ?? killed[1]) });
    }
  }

  /** Everything that is neither frame nor register. */
  private readSection(text: string, line: LogLine): boolean {
    const { incident } = this;
    if (this.inTrace && this.hasTrace) {
      const { trace } = this;
      this.closeTrace();
      this.suspended = trace === undefined ? undefined : { trace, number: line.number };
    }
    // far from the report only what names it may still belong to it
    if (
      line.number - this.lastNumber > 24 &&
      !/^(?:NMI backtrace|Sending NMI|Rebooting|task:|Workqueue|\d{1,4} locks? held|Showing|Mem-Info|Tasks state|rcu)/.test(
        text,
      )
    )
      return false;
    const nmi = text.startsWith('NMI') ? /^NMI backtrace for cpu (\d{1,5})/.exec(text) : null;
    if (nmi !== null) {
      this.startCpuSection(Number(nmi[1]));
      return true;
    }
    if (text.startsWith('Sending NMI')) {
      this.sentNmi = true;
      return true;
    }
    const task = taskLine.exec(text) ?? oldTaskLine.exec(text);
    if (task !== null) {
      const ref: TaskRef = { comm: task[1]!.trim(), pid: Number(task[3]) };
      if (incident.kind === 'hung-task' && incident.task?.pid === ref.pid) {
        incident.task = ref;
        if (!this.hasTrace) this.next = undefined;
      } else if (incident.kind === 'rcu-stall' && !this.hasTrace && !/^rcu/.test(ref.comm)) {
        incident.task ??= ref;
      } else {
        this.addTask(ref);
        this.next = 'other-task';
        this.otherSection = true;
      }
      return true;
    }
    if (
      /^(?:rcu: )?(?:RCU grace-period kthread stack dump|.{0,40}kthread starved for|.{0,40}kthread timer wakeup)/.test(
        text,
      )
    ) {
      this.next = 'other-task';
      this.otherSection = true;
      this.note(text);
      return true;
    }
    if (/^(?:rcu: )?Stack dump where RCU GP kthread last ran/.test(text)) {
      this.next = 'other-cpu';
      this.otherSection = true;
      return true;
    }
    if (incident.kind === 'rcu-stall' && /^\s|^rcu|^\}|^Tasks blocked|^blocking rcu_node/.test(text)) {
      this.stalled(text.replace(/^rcu: ?/, ''));
      this.note(text);
      return true;
    }
    if (
      incident.kind === 'out-of-memory' &&
      (memoryLine.test(text) || /[Kk]ill(?:ed)? process|invoked oom-killer/.test(text))
    ) {
      this.oomLine(text);
      return true;
    }
    const access = accessLine.exec(text);
    if (access !== null && this.access === undefined) {
      this.access = access[1]!;
      const by = /by task (.{1,64})\/(\d{1,10})/.exec(text);
      if (by !== null) incident.task ??= { comm: by[1]!, pid: Number(by[2]) };
      const address = /at addr (?:0x)?([0-9a-f]{8,16})/.exec(text)?.[1];
      if (address !== undefined) incident.faultAddress ??= address;
      this.note(text);
      return true;
    }
    if (this.readLocks(text)) return true;
    const taint = taintedLine.exec(text);
    if (taint !== null) {
      this.setTaint(taint[2], taint[3]!);
      return true;
    }
    const queue = /^Workqueue: (\S{1,120}) (\S{1,200})/.exec(text);
    if (queue !== null) {
      incident.workqueue ??= `${queue[1]} ${queue[2]}`;
      return true;
    }
    const last = /^\s{0,8}last function: (\S{1,200})/.exec(text);
    if (last !== null) {
      this.acquireAt ??= last[1]!;
      return true;
    }
    const fault = /(?:Failing address|DAR|addr(?:ess)? accessed): (?:0x)?([0-9a-f]{8,16})/.exec(text)?.[1];
    if (fault !== undefined) {
      incident.faultAddress ??= fault;
      this.note(text);
      return true;
    }
    if (/^Faulting instruction address: /.test(text)) {
      this.note(text);
      return true;
    }
    if (/^(?:Rebooting in |Kernel Offset: |reboot: |Restarting system)/.test(text)) {
      if (this.panicked) this.ended = true;
      return this.panicked;
    }
    const comm = incident.kind === 'memory-leak' ? /^ {2}comm "(.{0,64})", pid (\d{1,10})/.exec(text) : null;
    if (comm !== null) incident.task ??= { comm: comm[1]!, pid: Number(comm[2]) };
    if (/^FAULT_INJECTION: forcing a failure|^vmalloc: allocation failure/.test(text))
      this.mixed ??= 'another report is mixed in';
    if (/event severity: corrected|has been corrected by h\/w|Corrected error, no action/.test(text))
      this.corrected = true;
    // sanitizers and lockdep close their reports with a double line
    if (text.startsWith('=====') && this.hasTrace && !this.panicked) this.ended = true;
    const relevant = bodyLine.test(text) || inner.test(text);
    if (
      relevant &&
      line.number - this.lastNumber <= 3 &&
      /^(?:#PF|KASAN: |Process |Mem abort| {2}(?:ESR|EC|FSC)|PGD|Bytes|value changed|The buggy| {2}comm|Workqueue|Dazed|Do you|rcu|\[Hardware|mce|TSC|PROCESSOR|.{0,60}\[Hardware)/.test(
        text,
      )
    )
      this.note(text);
    return relevant;
  }

  private startCpuSection(cpu: number): void {
    this.closeTrace();
    this.sectionCpu = cpu;
    const stalledMain = this.stalledCpus.has(cpu) || (this.kind === 'hard-lockup' && this.incident.cpu === cpu);
    const hasMain = this.incident.traces.some((trace) => trace.purpose === 'main' && trace.frames.length > 0);
    this.next = stalledMain && !hasMain ? 'main' : 'other-cpu';
    this.otherSection = this.next === 'other-cpu';
  }

  private readLocks(text: string): boolean {
    const { incident } = this;
    if (this.acquireAt !== undefined && !text.includes('at: ')) this.acquired = true;
    const holder = lockHolder.exec(text);
    if (holder !== null) {
      this.lockTask = { comm: holder[1]!, pid: Number(holder[2]) };
      return true;
    }
    const at = this.wantAt && text.includes('at: ') ? atFunction.exec(text) : null;
    const lock = lockLine.exec(text);
    if (lock !== null) {
      if (incident.locks.length < maxList) {
        const held: (typeof incident.locks)[number] = { name: lock[1]!, at: lock[2]! };
        if (this.lockTask !== undefined) held.task = this.lockTask;
        incident.locks.push(held);
      }
    }
    if (at !== null) {
      // the function that was called, not what was inlined into it
      if (this.acquireAt === undefined || (!this.acquireAt.includes('+0x') && at[1]!.includes('+0x') && !this.acquired))
        this.acquireAt = at[1]!;
      return true;
    }
    if (lock !== null) return true;
    if (
      /^-> #\d{1,3} \(/.test(text) ||
      /(?:state was registered|acquired|have been taken|registered) at:\s*$/.test(text)
    ) {
      this.begin(text, 'lock');
      return true;
    }
    const acquirer =
      /^(.{1,64})\/(\d{1,10}) (?:is trying to (?:acquire|release)|just changed|\[.{1,80}\] takes|is freeing)/.exec(
        text,
      );
    if (acquirer !== null) {
      incident.task ??= { comm: acquirer[1]!, pid: Number(acquirer[2]) };
      return true;
    }
    return false;
  }

  /** Completes the incident. `cut`: the text ended here. `rebooted`: the next thing in the text is a kernel booting. */
  finish(cut: boolean, rebooted: boolean): Incident {
    const { incident, headline } = this;
    const open = this.inTrace && this.fresh;
    incident.traces = incident.traces.filter((trace) => trace.frames.length > 0);
    this.chooseMain();
    if (rebooted && diesOf(incident)) incident.fatal = true;
    // oops_end() starts the crash kernel before it would print `---[ end trace`: the kernel's own log ends here
    if (cut && incident.dieCount !== undefined && !this.ended && this.modulesAfterTrace) incident.fatal = true;
    const [stalled] = this.stalledCpus;
    if (stalled !== undefined && incident.kind === 'rcu-stall') incident.cpu ??= stalled;
    const main = incident.traces.filter((trace) => trace.purpose === 'main');
    if (incident.kind === 'bad-page-fault' && nearNull(incident.faultAddress)) incident.kind = 'null-pointer';
    const first: Frame[] = [];
    for (const text of [this.acquireAt, this.headlineFrame ?? headline.frame]) {
      const frame = text === undefined ? undefined : (parseFrame(` ${text}`, false) ?? nameOnly(text));
      if (frame !== undefined) first.push(frame);
    }
    if (incident.instruction !== undefined && usesInstruction(incident.kind)) first.push(incident.instruction);
    const guilty = findGuilty(first, main, incident.kind);
    if (guilty !== undefined && guilty.symbol !== '') incident.guilty = asGuilty(guilty);
    incident.hints = hintsFor(incident);
    writeTitle(incident, headline, this.access);
    this.judgeText(cut && open);
    incident.severity = severityOf(incident, headline.corrected === true || this.corrected);
    sign(incident);
    return incident;
  }

  /** Which trace is the incident's own, when the text did not say. */
  private chooseMain(): void {
    const { incident } = this;
    const { traces } = incident;
    if (traces.some((trace) => trace.purpose === 'main')) {
      if (incident.kind !== 'rcu-stall' || this.stalledCpus.size === 0) return;
      const mainOnOther = traces.find((trace) => trace.purpose === 'main');
      const cpu = mainOnOther === undefined ? undefined : this.cpuOfTrace.get(mainOnOther);
      if (cpu === undefined || this.stalledCpus.has(cpu)) return;
    }
    const wanted =
      traces.find((trace) => trace.purpose === 'other-cpu' && this.stalledCpus.has(this.cpuOfTrace.get(trace) ?? -1)) ??
      traces.find((trace) => trace.purpose === 'panic') ??
      traces.find((trace) => trace.purpose === 'other-cpu') ??
      traces.find((trace) => trace.purpose === 'other-task');
    if (wanted === undefined) return;
    for (const trace of traces) {
      const sameReport =
        trace.heading === wanted.heading &&
        trace.purpose === wanted.purpose &&
        this.cpuOfTrace.get(trace) === this.cpuOfTrace.get(wanted);
      if (trace === wanted || (sameReport && (wanted.purpose === 'panic' || this.cpuOfTrace.has(wanted)))) {
        if (trace !== wanted) trace.purpose = 'main';
      }
    }
    wanted.purpose = 'main';
  }

  private judgeText(cut: boolean): void {
    const { incident, headline } = this;
    let reason = this.mixed;
    const { traces } = incident;
    if (headline.role === 'panic' && isConsequence(headline.reason ?? ''))
      reason ??= 'the report before the panic is missing';
    if (headline.kind === 'unknown')
      reason ??=
        headline.traceless === true ? 'no message of the dying kernel' : 'the beginning of the report is missing';
    if (headline.traceless !== true && traces.length === 0 && incident.instruction === undefined) {
      const quiet: readonly IncidentKind[] = [
        'root-mount',
        'machine-check',
        'hardware-error',
        'out-of-memory',
        'panic',
        'nmi',
        'filesystem',
        'xen',
      ];
      if (cut || !quiet.includes(incident.kind)) reason ??= 'no call trace';
    }
    if (cut) reason ??= 'the text ends inside the report';
    if (/\[ {0,6}\d{1,8}\.\d{6}\]/.test(incident.title)) reason ??= 'another line broke into the headline';
    if (reason !== undefined) {
      incident.corrupted = true;
      incident.corruptedReason = reason;
    }
  }
}
