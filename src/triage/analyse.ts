// One death analysed: facts, verdict, findings, and what stands around them.
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import { addressText, hex16 } from '../base/text.ts';
import type { InstructionLine } from '../commands/code/dis.ts';
import type { CommandContext } from '../commands/context.ts';
import type { ShownOutput } from '../commands/shown.ts';
import type { BtItem } from '../commands/tasks/bt/bt.ts';
import type { FrameData } from '../commands/tasks/bt/bt_frames.ts';
import type { Frame } from '../kernel/backtrace.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { loadAverages } from '../kernel/loadavg.ts';
import { taints } from '../kernel/panic.ts';
import { hasLines } from '../kernel/source_line.ts';
import type { Task } from '../kernel/task.ts';
import { crashTime, readClocks } from '../kernel/timekeeping.ts';
import { readUtsname } from '../kernel/utsname.ts';
import { totalRamPages } from '../kernel/vmstat.ts';
import { laterIncidents } from '../oops/death.ts';
import { explain, explanationOf } from '../oops/explain.ts';
import { type ReportKind, reportKind } from '../oops/kinds.ts';
import type { Analysis, BacktraceFrame, Finding, InvolvedTask, Place } from './analysis.ts';
import { textOf } from './arrival.ts';
import { blamedStack } from './blamed_stack.ts';
import { cgroupThatRanOut } from './cgroup_memory.ts';
import { shown } from './evidence.ts';
import { Facts } from './facts.ts';
import { looksLike, notCanonical } from './fault.ts';
import { logFacts } from './log_facts.ts';
import { memoryName } from './memory_name.ts';
import { memoryOf } from './memory_report.ts';
import { nextSteps } from './next_steps.ts';
import { originReport, withOrigin } from './origin.ts';
import { placeAt } from './place.ts';
import { blockedFindings } from './rules/blocked.ts';
import { hardwareFindings } from './rules/hardware.ts';
import { saidFindings } from './rules/said.ts';
import { surroundingFindings } from './rules/surroundings.ts';
import { readSettings } from './settings.ts';
import { badPointer, sourceFunctions } from './source_of_fault.ts';
import { loopFindings } from './stuck_loop.ts';
import { toldCode } from './told_code.ts';
import { kindTraits } from './traits.ts';
import { reachVerdict, type Verdict } from './verdict.ts';
import { blockedTasks } from './waiting.ts';

/** Lines of the log that the report shows before the fatal incident, and in all. */
const linesBefore = 8;
/** Lines of a log without a dump that are shown behind the report of the death. */
const linesAfter = 3;
const maxLogLines = 200;
/** Tasks whose stacks the report shows. */
const maxTasks = 12;
/** Instructions shown around a fault. */
const codeBefore = 8;
const codeAfter = 5;
/** Longest function whose last call is looked for, in bytes. */
const maxFunction = 64 * 1024;

/** Analyses a dump. Reads what it can; what could not be read is in `faults`. Throws nothing for a bad dump. */
export function analyse(context: CommandContext): Analysis {
  const { work } = context.kernel;
  const { value, faults, dropped } = context.kernel.faults.collect(() =>
    // its parts have half as much as a command each
    work.within(work.part('report', 2), () => collect(new Facts(context))),
  );
  // what was found by search is known once everything has been asked for
  const notes = [...value.kernel.notes, ...context.kernel.symbols.notes];
  return { ...value, kernel: { ...value.kernel, notes }, faults, droppedFaults: dropped };
}

/** Analyses a log without a dump: as far as it goes. @param file its name */
export function analyseLog(text: Uint8Array, file: string): Analysis {
  const facts = logFacts(text, file);
  // that there is no memory is no fault of the log's
  const { value } = facts.kernel.faults.collect(() => collect(facts));
  return { ...value, faults: [], droppedFaults: 0 };
}

function collect(facts: Facts): Omit<Analysis, 'faults' | 'droppedFaults'> {
  const { faults, work } = facts.kernel;
  // what one part of the report meets costs that part
  const part = <T, F>(what: string, make: () => T, without: F): T | F =>
    faults.attempt(what, () => work.within(work.part(what), make), without);
  const found = (make: () => readonly Finding[]): readonly Finding[] => part('findings', make, []);
  const verdict = reachVerdict(facts);
  const { meaning, causes, next, sysctls } = facts.death === null ? explanationOf(verdict.kind) : explain(facts.death);
  const machine = verdict.kind === 'out-of-memory' ? part('memory', () => memoryOf(facts), null) : null;
  const memory = machine === null ? null : { ...machine, cgroup: part('cgroup', () => cgroupThatRanOut(facts), null) };
  const isBadAddress = kindTraits[verdict.kind].access || verdict.kind === 'double-fault';
  const origin = isBadAddress ? part('origin', () => originReport(facts), null) : null;
  const { winner, beside, considered } = verdict.contest;
  const isStuck = kindTraits[verdict.kind].blamed === 'stuck';
  const what = [
    ...found(() => winner.claim.findings(origin)),
    ...(isStuck ? found(() => loopFindings(facts, verdict.subject)) : []),
  ];
  const findings = [
    ...(what.length > 0 && !saysItself(verdict.kind) ? what : [...found(() => saidFindings(facts, verdict)), ...what]),
    ...beside.flatMap(({ claim }) => found(() => claim.findings())),
    ...found(() => blockedFindings(facts, verdict)),
    ...found(() => hardwareFindings(facts)),
    ...found(() => surroundingFindings(facts, verdict)),
  ];
  return {
    dump: dumpFacts(facts),
    kernel: kernelFacts(facts),
    panic: {
      ...verdict.panic,
      message: [withOrigin(winner.claim, origin), ...beside.map(({ claim }) => claim.sentence)].join(' '),
    },
    registers: part('registers', () => registersAtFault(facts), null),
    registerNames: facts.told === null ? part('registers', () => registerNames(facts), {}) : {},
    blamedStack: part('blamed stack', () => blamedStack(facts, verdict), { of: null, frames: [] }),
    backtrace:
      facts.told === null
        ? part('backtrace', () => facts.crashTrace.frames.map((frame) => frameData(facts, frame)), [])
        : [],
    stack: part('stack', () => stackOf(facts, facts.crashedCpu === null ? 'bt -a -s' : 'bt -s', verdict.blamed), null),
    source: part('source', () => sourceOf(facts, verdict), null),
    origin,
    code: kindTraits[verdict.kind].code
      ? part('code', () => (facts.told === null ? codeAround(facts, verdict) : codeOfLog(facts)), null)
      : null,
    findings,
    // there is nothing that commands could ask
    next: facts.told === null ? nextSteps(verdict.kind, findings, origin) : [],
    considered: considered.map(({ explanation: { name, recognises }, claim }) => ({
      name,
      recognises,
      claim:
        claim === null
          ? null
          : {
              sentence: claim.sentence,
              confidence: claim.confidence,
              because: claim.because,
              speaksFor: claim.speaksFor,
              speaksAgainst: claim.speaksAgainst,
            },
    })),
    tasks: part('tasks', () => involvedTasks(facts, verdict), []),
    memory,
    incidents: facts.incidents.map((incident) => ({
      kind: reportKind(incident),
      title: incident.title,
      timestamp: incident.timestamp,
      fatal: incident.fatal,
      signature: incident.signature,
    })),
    log: lastWords(facts),
    modules: part('modules', () => modulesOf(facts), []),
    explanation: { meaning, causes, next },
    settings: facts.told === null ? part('settings', () => readSettings(facts.kernel, sysctls), []) : [],
    disagreements: verdict.disagreements,
  };
}

/** Kinds whose own findings stand beside what the kernel said, not in its place. */
function saysItself(kind: ReportKind): boolean {
  return kind === 'out-of-memory' || kind === 'sysrq';
}

function dumpFacts({ kernel, told }: Facts): Analysis['dump'] {
  const { files, format, description, compression, level, complete, fileSize, pages, warnings } = kernel.dump.info;
  return {
    files,
    format: told === null ? format : 'log',
    description,
    compression,
    level,
    complete,
    fileSize,
    pages: { ...pages },
    warnings,
  };
}

function kernelFacts(facts: Facts): Analysis['kernel'] {
  const { kernel, death } = facts;
  const { faults } = kernel;
  const uts = faults.attempt('utsname', () => readUtsname(kernel), null);
  const time = faults.attempt('time of the crash', () => crashTime(kernel), null);
  const commandLine = faults.attempt(
    'kernel command line',
    () => kernel.variable('saved_command_line').string(8192),
    null,
  );
  const hardware =
    death?.hardware ?? facts.log.find(({ text }) => /^DMI: (?!SMBIOS|Memory slots)/.test(text))?.text.slice(5) ?? null;
  return {
    release: uts?.release ?? kernel.vmcoreinfo.release ?? death?.kernelRelease ?? null,
    version: uts?.version ?? null,
    arch: kernel.dump.info.machine,
    nodename: uts?.nodename ?? null,
    crashTime: time === null ? null : new Date(time * 1000).toISOString().replace('.000Z', 'Z'),
    uptimeSeconds:
      facts.told === null ? faults.attempt('uptime', () => uptimeSeconds(facts), null) : (death?.timestamp ?? null),
    loadAverage: faults.attempt('load average', () => [...loadAverages(kernel)], null),
    cpus: kernel.cpus.running.length,
    memory: faults.attempt('memory size', () => totalRamPages(kernel) * kernel.dump.memory.pageSize, null),
    tasks: kernel.tasks.all.length,
    hardware,
    commandLine,
    taint: taintOf(facts)?.flags.map(({ letter, meaning }) => ({ letter, meaning })) ?? null,
    notes: [
      ...(kernel.vmcoreinfoFromMemory
        ? ['VMCOREINFO was in no note of the dump; it was found by searching memory.']
        : []),
      ...kernel.arch.notes,
    ],
  };
}

/** What taints the kernel, as far as the dump or the log tells. */
function taintOf({ kernel, told, death }: Facts): { readonly flags: Analysis['kernel']['taint'] & {} } | null {
  if (told !== null) return death?.taint ?? null;
  return kernel.faults.attempt('taint', () => taints(kernel), null);
}

function modulesOf({ kernel, told, death }: Facts): Analysis['modules'] {
  if (told === null) return kernel.modules.map(({ name, size, taints: letters }) => ({ name, size, taints: letters }));
  // + and - tell that it was loading or unloading
  return (death?.modules ?? []).map(({ name, flags }) => ({ name, size: null, taints: flags.replace(/[+-]/g, '') }));
}

/** Since boot: the clock at the last tick, or the last line of the log if that is later. */
function uptimeSeconds(facts: Facts): number {
  const { boottime } = readClocks(facts.kernel);
  return Number(boottime / 10_000_000n) / 100;
}

function registersAtFault(facts: Facts): Analysis['registers'] {
  const registers = facts.exception?.registers;
  if (registers === undefined) return null;
  const shown: Record<string, string> = {};
  const { name: counter } = facts.kernel.arch.registers.programCounter;
  for (const [name, value] of Object.entries(registers)) {
    // of a log, it stands for a function that has a name
    if (facts.told === null || name !== counter) shown[name] = addressText(value ?? 0n);
  }
  return shown;
}

/** What the registers at the exception pointed to, or look like; numbers that may be anything are left out. */
function registerNames({ kernel, exception }: Facts): Record<string, string> {
  const named: Record<string, string> = {};
  for (const [name, value] of Object.entries(exception?.registers ?? {})) {
    if (value === undefined || value < minPointer || isNumber(kernel, value)) continue;
    const text = textOf(value);
    named[name] = text === null ? memoryName(kernel, value) : `the text "${text}"`;
  }
  return named;
}

/** The lowest value that is taken for a pointer. */
const minPointer = 4096n;

/** Neither an address of any kind, nor a pattern or a text that means something. */
function isNumber(kernel: Kernel, value: bigint): boolean {
  const { arch } = kernel;
  if (arch.isKernelAddress(value)) return value >= 0xffff_ffff_ffff_f001n;
  return textOf(value) === null && (arch.isUserAddress(value) || looksLike(kernel, value) === notCanonical);
}

function frameData(facts: Facts, frame: Frame): BacktraceFrame {
  const offset = frame.place === null ? null : Number(frame.address - frame.place.symbol.address);
  const registers = frame.kind === 'entry' && frame.registers !== null ? frame.registers : null;
  return {
    ...placeAt(facts, frame.address),
    symbol: frame.place?.symbol.name ?? null,
    offset,
    module: frame.place?.symbol.module ?? null,
    frameAddress: addressText(frame.frameAddress),
    stack: frame.stack,
    reliable: frame.reliable,
    registers:
      registers === null
        ? null
        : Object.fromEntries(Object.entries(registers).map(([name, value]) => [name, addressText(value ?? 0n)])),
  };
}

/** Most lines of one stack that are shown. */
const maxStackLines = 120;

/** A stack as `bt` shows it. @param at where it went wrong: the frames that tell of it are marked */
function stackOf(facts: Facts, command: string, at: Place | null): ShownOutput | null {
  const { arch } = facts.kernel;
  const address = at?.address == null ? null : virtAddr(BigInt(at.address));
  const isThere = ({ address: shown, interrupted }: FrameData): string | null => {
    if (interrupted !== null && interrupted.symbol === at?.symbol && interrupted.offset === at.offset)
      return 'exception';
    if (address === null) return null;
    // some machines show a call by its own address, not by where it returns to
    return shown === address || shown === arch.shownAddress({ kind: 'call', address }) ? 'frame' : null;
  };
  return shown(facts, command, {
    limit: maxStackLines,
    marks: (items) =>
      (items as readonly BtItem[]).flatMap((item) =>
        item.kind !== 'task' || at?.symbol == null
          ? []
          : item.frames.flatMap((frame) => {
              const what = isThere(frame);
              return what === null ? [] : [`${what} ${frame.level}`];
            }),
      ),
  });
}

/** What a log shows of the code. */
function codeOfLog(facts: Facts): Analysis['code'] {
  const code = toldCode(facts);
  return code === null ? null : { ...code, after: null };
}

/** Instructions around the fault, from the function's start so that they are cut at the right bytes. */
function codeAround(facts: Facts, { instruction, blamed }: Verdict): Analysis['code'] {
  const place = instruction ?? blamed;
  if (place === null || place.symbol === null || place.address === null) return null;
  const at = hex16(callOf(facts, place, place.address));
  const marks = (which: 'first' | 'last') => (items: readonly unknown[]) => {
    const instructions = items as readonly InstructionLine[];
    const marked = which === 'first' ? instructions[0] : instructions.at(-1);
    return marked === undefined ? [] : [`instruction ${marked.address.toString(16)}`];
  };
  const before = shown(facts, `dis -r ${at}`, {
    cut: { kind: 'tail', lines: codeBefore + 1 },
    marks: marks('last'),
  });
  if (before === null) return null;
  return { ...before, after: shown(facts, `dis ${at} ${codeAfter + 1}`, { marks: marks('first') }) };
}

/**
 * The instruction to show for a place: its own, unless it is where the last call of a function would return to, which is
 * the next function: then that call.
 */
function callOf({ kernel }: Facts, { symbol, offset }: Place, address: string): VirtAddr {
  const at = virtAddr(BigInt(address));
  const { decoder } = kernel.arch;
  if (offset === null || offset > maxFunction || decoder === null) return at;
  if (kernel.place(at)?.symbol.name === symbol) return at;
  let last = at;
  const start = offsetBy(at, -offset);
  for (const instruction of decoder.decode(kernel.space.readUpTo(start, offset).bytes, start))
    last = instruction.address;
  return last;
}

/** What debug information in files says of the place where it went wrong. */
function sourceOf(facts: Facts, { instruction, blamed, access }: Verdict): Analysis['source'] {
  const place = instruction ?? blamed;
  if (place === null || place.address === null || !hasLines(facts.kernel)) return null;
  const at = callOf(facts, place, place.address);
  // who is blamed without a fault was calling: the call is before the address that it returns to
  const functions = sourceFunctions(facts, instruction === null ? offsetBy(at, -1) : at);
  if (functions.length === 0) return null;
  const listing = facts.context.src === null ? null : shown(facts, `dis -s ${hex16(at)} 5`);
  return { functions, pointer: access === null || instruction === null ? null : badPointer(facts, access), listing };
}

function lastWords(facts: Facts): Analysis['log'] {
  const { death, logLines } = facts;
  let from = Math.max(0, logLines.length - 60);
  if (death !== null) {
    const headline = logLines.findLastIndex((line) => line.includes(death.message));
    const timestamp =
      death.timestamp === null
        ? -1
        : logLines.findIndex((line) => Number(/^\[\s*(\d+\.\d+)\]/.exec(line)?.[1] ?? -1) >= death.timestamp! - 1e-6);
    const at = timestamp >= 0 ? timestamp : headline;
    if (at >= 0) from = Math.max(0, at - linesBefore);
  }
  // a console goes on with the kernel that came after
  const end =
    facts.told === null || death === null
      ? logLines.length
      : Math.max(death.span.endLine, ...laterIncidents(facts.incidents, death).map(({ span }) => span.endLine)) +
        linesAfter;
  const lines = logLines.slice(from, end);
  // of a very long report, its start and its end
  const shown =
    lines.length <= maxLogLines
      ? lines
      : [
          ...lines.slice(0, maxLogLines / 2),
          `... ${lines.length - maxLogLines} lines ...`,
          ...lines.slice(-maxLogLines / 2),
        ];
  return { lines: shown, omitted: facts.linesBefore + from };
}

function involvedTasks(facts: Facts, verdict: Verdict): InvolvedTask[] {
  const found = new Map<bigint, InvolvedTask>();
  const add = (task: Task, role: string): void => {
    if (found.has(task.address) || found.size >= maxTasks) return;
    const wait = facts.waitOf(task);
    found.set(task.address, {
      pid: task.pid,
      comm: task.comm,
      task: addressText(task.address),
      state: task.state,
      cpu: task.cpu,
      role,
      waitsFor:
        wait === null
          ? null
          : {
              kind: wait.kind,
              address: addressText(wait.lock),
              symbol: facts.kernel.place(wait.lock)?.symbol.name ?? null,
              owner: wait.owner === null ? null : { pid: wait.owner.pid, comm: wait.owner.comm },
              held: wait.held,
              waiters: wait.waiters.length,
            },
      backtrace: facts.trace(task).frames.map((frame) => frameData(facts, frame)),
      stack: stackOf(facts, `bt -s ${hex16(task.address)}`, null),
    });
  };
  const { kind, subject } = verdict;
  if (kind === 'hung-task' || kind === 'sysrq' || kind === 'unknown') {
    const blocked = blockedTasks(facts);
    const ordered = subject === null ? blocked : [subject, ...blocked];
    for (const task of ordered) {
      if (task.state !== 'UN') continue;
      add(task, 'blocked');
      const owner = facts.waitOf(task)?.owner;
      if (owner != null) add(owner, 'holds a lock that others wait for');
    }
  }
  if (kind === 'soft-lockup' || kind === 'hard-lockup' || kind === 'rcu-stall') {
    if (subject !== null && subject.address !== facts.crashed?.task.address) add(subject, 'stuck');
    for (const cpu of facts.kernel.cpus.running) {
      const task = facts.kernel.tasks.active(cpu);
      if (task !== null && !task.idle && task.address !== facts.crashed?.task.address) add(task, `ran on CPU ${cpu}`);
    }
  }
  return [...found.values()];
}
