// An incident as a person wants to read it: the sentence first, then who and where, then the evidence, then what it
// means and what to do. Everything that came from the log is escaped for a terminal.
import { escapeLogLine, escapeTerminal } from '../base/text.ts';
import { disassembleCode } from './code_bytes.ts';
import { explain } from './explain.ts';
import { type Frame, makeFrame } from './frames.ts';
import type { Incident, TaskRef, Trace } from './incident.ts';

export interface RenderOptions {
  /** Leave out meaning, causes and next steps. */
  brief?: boolean;
  /** Values of sysctls by name, where a dump told them. */
  sysctls?: ReadonlyMap<string, string>;
  /** Which parts of the machine to change, a sentence each. */
  parts?: readonly string[];
}

const label = (name: string): string => `  ${name.padEnd(11)} `;

/** One incident as lines of text, ending in a newline. */
export function renderIncident(incident: Incident, options: RenderOptions = {}): string {
  const out: string[] = [incident.title];
  const field = (name: string, value: string | null): void => {
    if (value !== null && value !== '') out.push(label(name) + value);
  };
  field(
    'kind',
    `${incident.kind}, ${incident.fatal ? 'the kernel died of it' : incident.severity}${incident.repeats > 1 ? `, reported ${incident.repeats} times` : ''}`,
  );
  field('message', incident.message);
  for (const line of incident.detail?.split('\n') ?? []) field('before', line);
  field('panic', incident.panic);
  for (const part of options.parts ?? []) field('part', part);
  field(
    'when',
    [incident.timestamp === null ? '' : `${incident.timestamp.toFixed(6)} s after boot`, incident.wallTime ?? '']
      .filter((part) => part !== '')
      .join(', '),
  );
  field(
    'text',
    `lines ${incident.span.startLine}-${incident.span.endLine}, bytes ${incident.span.start}-${incident.span.end}`,
  );
  if (incident.corrupted) field('doubtful', incident.corruptedReason);
  field('guilty', incident.guilty === null ? null : place(makeFrame(incident.guilty)));
  if (incident.instruction !== null && incident.instruction.symbol !== incident.guilty?.symbol)
    field('CPU was at', place(incident.instruction));
  field(
    'task',
    [incident.task === null ? '' : taskText(incident.task), incident.cpu === null ? '' : `on CPU ${incident.cpu}`]
      .filter((part) => part !== '')
      .join(' '),
  );
  field('work', incident.workqueue);
  field('kernel', incident.kernelRelease);
  field('hardware', incident.hardware);
  if (incident.taint !== null) {
    field('taint', incident.taint.flags.length === 0 ? 'none' : incident.taint.text);
    for (const flag of incident.taint.flags) out.push(`${label('')}${flag.letter} ${flag.meaning}`);
  }
  field('address', incident.faultAddress);
  for (const hint of incident.hints) field('hint', hint);
  if (incident.otherTasks.length > 0) field('also', incident.otherTasks.map(taskText).join(', '));
  for (const lock of incident.locks.slice(0, 16)) {
    field(
      'lock',
      `${lock.name}${lock.at === null ? '' : ` taken at ${lock.at}`}${lock.task === null ? '' : ` by ${taskText(lock.task)}`}`,
    );
  }
  if (incident.registers.length > 0)
    out.push('', ...columns(incident.registers.map(({ name, value }) => `${name.padStart(6)} ${value}`)));
  if (incident.code !== null) out.push('', 'Code', ...codeLines(incident));
  for (const trace of incident.traces) out.push('', ...traceLines(trace));
  if (incident.memory.length > 0) out.push('', 'Memory', ...incident.memory.slice(0, 60).map((line) => `  ${line}`));
  if (incident.aftermath.length > 0) out.push('', 'Then', ...incident.aftermath.map((line) => `  ${line}`));
  const safe = out.map(escapeLogLine);
  if (options.brief !== true) safe.push('', ...explanationLines(incident, options.sysctls));
  return `${safe.join('\n')}\n`;
}

function taskText(task: TaskRef): string {
  return `${task.comm ?? 'task'} (pid ${task.pid})`;
}

function place(frame: Frame): string {
  const offset =
    frame.offset === null
      ? ''
      : `+0x${frame.offset.toString(16)}${frame.size === null ? '' : `/0x${frame.size.toString(16)}`}`;
  const name = frame.symbol === null ? (frame.address ?? '0x0') : `${frame.symbol}${offset}`;
  return `${name}${frame.module === null ? '' : ` [${frame.module}]`}${frame.source === null ? '' : ` at ${frame.source}`}`;
}

function traceLines(trace: Trace): string[] {
  const where: Record<Trace['purpose'], string> = {
    main: 'Call trace',
    panic: 'Call trace of the panic',
    allocated: 'Allocated',
    freed: 'Freed',
    queued: 'Queued or stored',
    'other-cpu': 'Another CPU',
    'other-task': 'Another task',
    lock: 'Lock chain',
    'other-access': 'The other access',
  };
  const heading = /^\s*call trace/i.test(trace.heading) || trace.heading === '' ? '' : `: ${trace.heading}`;
  const lines = [`${where[trace.purpose]}${heading}${trace.stack === 'task' ? '' : ` <${trace.stack}>`}`];
  for (const frame of trace.frames) {
    lines.push(
      `  ${frame.interrupted ? '>' : frame.reliable ? ' ' : '?'} ${place(frame)}${frame.inline ? ' (inlined)' : ''}`,
    );
  }
  return lines;
}

function codeLines(incident: Incident): string[] {
  const { code } = incident;
  if (code === null) return [];
  const all = disassembleCode(code);
  const at = all.findIndex((instruction) => instruction.fault);
  const shown = at < 0 ? all.slice(0, 12) : all.slice(Math.max(0, at - 6), at + 5);
  return shown.map((instruction) => {
    const sign = instruction.offset < 0 ? '-' : '+';
    return `  ${instruction.fault ? '=>' : '  '} ${`${sign}0x${Math.abs(instruction.offset).toString(16)}`.padStart(6)}  ${instruction.bytes.padEnd(20)} ${instruction.text}`;
  });
}

function columns(cells: readonly string[]): string[] {
  const width = Math.max(...cells.map((cell) => cell.length)) + 2;
  const perLine = Math.max(1, Math.min(4, Math.floor(100 / width)));
  const lines: string[] = [];
  for (let i = 0; i < cells.length; i += perLine) {
    lines.push(
      cells
        .slice(i, i + perLine)
        .map((cell) => cell.padEnd(width))
        .join('')
        .trimEnd(),
    );
  }
  return lines;
}

function explanationLines(incident: Incident, values: ReadonlyMap<string, string> | undefined): string[] {
  const explanation = explain(incident);
  const out = ['Meaning', `  ${explanation.meaning}`];
  if (explanation.causes.length > 0) out.push('Usual causes', ...explanation.causes.map((cause) => `  - ${cause}`));
  if (explanation.next.length > 0) out.push('Look at', ...explanation.next.map((step) => `  ${escapeTerminal(step)}`));
  if (explanation.sysctls.length > 0) {
    out.push('Decided by');
    for (const sysctl of explanation.sysctls) {
      const value = values?.get(sysctl.name);
      out.push(`  ${sysctl.name}${value === undefined ? '' : ` = ${escapeTerminal(value)}`}: ${sysctl.meaning}`);
    }
  }
  return out;
}
