// The report as a document: what is said, in which order. How it looks is the renderers' business
// (text.ts, markdown.ts, html.ts); JSON is the analysis itself.
import { bareAddress } from '../base/text.ts';
import { type ShownOutput, shownLines } from '../commands/shown.ts';
import type { Analysis, BadPointer, InvolvedTask, OriginReport, Place, SourceOfFault } from '../triage/analysis.ts';
import type { Block } from './block.ts';
import { memoryBlocks } from './memory.ts';
import { saidOnce } from './said_once.ts';
import { size } from './units.ts';

/** What of an analysis is shown. */
export interface ReportView {
  /** Also the explanations that were weighed, and what spoke for and against each. */
  readonly why: boolean;
  /** One screen alone: the verdict, the blamed stack, the next steps. For text. */
  readonly brief: boolean;
  /** The verdict again at the end, for who reads a terminal from below. */
  readonly verdictLast: boolean;
}

export const wholeReport: ReportView = { why: false, brief: false, verdictLast: false };

/** The whole report. Text of the dump is in it as it was: renderers escape it. */
export function reportDocument(analysis: Analysis, { why, verdictLast }: ReportView): Block[] {
  const blocks = [
    ...summary(analysis),
    ...(why ? considered(analysis) : []),
    ...crashedCpu(analysis),
    ...findings(analysis),
    ...involvedTasks(analysis),
    ...memoryBlocks(analysis),
    ...explanation(analysis),
    ...log(analysis),
    ...surroundings(analysis),
    ...missing(analysis),
  ];
  return [...saidOnce(blocks), ...(verdictLast ? lastly(analysis) : [])];
}

function summary(analysis: Analysis): Block[] {
  const { kernel, panic, dump } = analysis;
  const rows: [string, string][] = [];
  const row = (label: string, value: string | null): void => {
    if (value !== null && value !== '') rows.push([label, value]);
  };
  row('Kind', panic.kind);
  row('Subject', panic.subject);
  row('Kernel', [kernel.release, kernel.version].filter((part) => part !== null).join(' '));
  row(
    'Machine',
    [kernel.nodename, kernel.hardware, kernel.arch].filter((part) => part !== null && part !== '').join(', '),
  );
  row(
    hasNotDied(analysis) ? 'Taken' : 'Crashed',
    [
      kernel.crashTime?.replace('T', ' ').replace('Z', ' UTC') ?? null,
      kernel.uptimeSeconds === null ? null : `after ${duration(kernel.uptimeSeconds)} up`,
    ]
      .filter((part) => part !== null)
      .join(', '),
  );
  row('Sure', `${panic.confidence}: ${panic.because}`);
  row(
    'Task',
    panic.pid === null ? null : `${panic.comm} (pid ${panic.pid})${panic.cpu === null ? '' : ` on CPU ${panic.cpu}`}`,
  );
  row(
    'Blamed',
    panic.culprit === null ? null : `${panic.culprit.comm} (pid ${panic.culprit.pid}) on CPU ${panic.culprit.cpu}`,
  );
  row('Where', panic.rip === null ? null : placeText(panic.rip));
  row('Address', panic.faultAddress === null ? null : bareAddress(panic.faultAddress));
  row('Panic', panic.reason);
  row('Load', kernel.loadAverage?.map((n) => n.toFixed(2)).join(', ') ?? null);
  if (kernel.tasks > 0)
    row(
      'Size',
      [`${kernel.cpus} CPUs`, kernel.memory === null ? null : `${size(kernel.memory)} memory`, `${kernel.tasks} tasks`]
        .filter((part) => part !== null)
        .join(', '),
    );
  if (kernel.taint !== null)
    row('Taint', kernel.taint.length === 0 ? 'none' : kernel.taint.map((t) => `${t.letter} (${t.meaning})`).join(', '));
  row('Signature', panic.signature);
  row(
    dump.format === 'log' ? 'Log' : 'Dump',
    `${dump.files.join(', ')}: ${dump.description}${dump.complete ? '' : ', INCOMPLETE'}`,
  );
  return [
    { kind: 'verdict', text: panic.message },
    { kind: 'facts', rows },
  ];
}

/** The verdict and the first steps again. */
function lastly({ panic, next }: Analysis): Block[] {
  return [
    { kind: 'heading', text: 'The verdict' },
    { kind: 'verdict', text: panic.message },
    ...(next.length === 0
      ? []
      : [{ kind: 'list', items: next.slice(0, 3).map(({ command, why }) => `${command}: ${why}`) } as const]),
  ];
}

/** The explanations that apply, the strongest first, and the names of the others. */
function considered({ considered }: Analysis): Block[] {
  const blocks: Block[] = [{ kind: 'heading', text: 'Explanations that were weighed' }];
  for (const { name, recognises, claim } of considered) {
    if (claim === null) continue;
    const items = [
      ...claim.speaksFor.map((text) => `for it: ${text}`),
      ...claim.speaksAgainst.map((text) => `against it: ${text}`),
      `${claim.confidence}: ${claim.because}`,
    ];
    blocks.push(
      { kind: 'subheading', text: name, note: recognises },
      { kind: 'paragraph', text: claim.sentence },
      { kind: 'list', items },
    );
  }
  const others = considered
    .filter(({ claim }) => claim === null)
    .map(({ name, recognises }) => `${name}: ${recognises}`);
  if (others.length > 0)
    blocks.push({ kind: 'subheading', text: 'Nothing speaks for', note: '' }, { kind: 'list', items: others });
  return blocks;
}

/** `widget_get at drivers/w.h:5`, for each function at the place. */
function sourceBlocks({ functions, pointer, listing }: SourceOfFault): Block[] {
  const blocks: Block[] = [
    { kind: 'heading', text: 'In the source' },
    {
      kind: 'list',
      items: functions.map(({ name, inlined, file, line }, i) => {
        const place = file === null ? '' : ` at ${file}:${line}`;
        return `${i === 0 ? '' : 'called by '}${name}${inlined ? ' (inlined)' : ''}${place}`;
      }),
    },
  ];
  if (pointer !== null) blocks.push({ kind: 'paragraph', text: pointerText(pointer) });
  if (listing !== null) blocks.push(outputOf(listing));
  return blocks;
}

/** `s->stats (struct stats *) is 0: the code went for s->stats->hits.` */
function pointerText({ expression, type, member, value }: BadPointer): string {
  const what = `${expression} (${type}) is ${value === '0' ? 'NULL' : `0x${value}`}`;
  return member === null ? `${what}.` : `${what}: the code went for ${expression}->${member}.`;
}

/** Where the bad value came from: what it comes to, then each step with what shows it. */
function originBlocks({ sentence, confidence, steps }: OriginReport): Block[] {
  const blocks: Block[] = [
    { kind: 'heading', text: 'Where the bad value came from' },
    { kind: 'subheading', text: sentence, note: confidence },
  ];
  for (const { words, shown } of steps) {
    blocks.push({ kind: 'paragraph', text: words });
    if (shown !== null) blocks.push(outputOf(shown));
  }
  return blocks;
}

function crashedCpu({ stack, code, source, origin, registers, registerNames }: Analysis): Block[] {
  const blocks: Block[] = [];
  if (stack !== null) {
    const text = stack.command.includes(' -a') ? 'What the CPUs ran' : 'What the panicking CPU ran';
    blocks.push({ kind: 'heading', text }, outputOf(stack));
  }
  if (source !== null) blocks.push(...sourceBlocks(source));
  if (code !== null) {
    blocks.push({ kind: 'heading', text: 'Code at that place' }, outputOf(code));
    if (code.after !== null) blocks.push(outputOf(code.after));
  }
  const named = Object.entries(registerNames);
  if (registers !== null && named.length > 0)
    blocks.push(
      { kind: 'heading', text: 'What the registers held', folded: true },
      {
        kind: 'table',
        head: ['Register', 'Value', 'What it is'],
        rows: named.map(([name, words]) => [name, bareAddress(registers[name] ?? ''), words]),
      },
    );
  if (origin !== null) blocks.push(...originBlocks(origin));
  return blocks;
}

function findings(analysis: Analysis): Block[] {
  if (analysis.findings.length === 0) return [];
  const blocks: Block[] = [{ kind: 'heading', text: 'Findings' }];
  for (const finding of analysis.findings) {
    blocks.push({ kind: 'subheading', text: finding.title, note: finding.confidence });
    if (finding.explanation !== '') blocks.push({ kind: 'paragraph', text: finding.explanation });
    for (const evidence of finding.evidence) {
      blocks.push({ kind: 'paragraph', text: evidence.why }, outputOf(evidence));
    }
  }
  return blocks;
}

function involvedTasks(analysis: Analysis): Block[] {
  if (analysis.tasks.length === 0) return [];
  const blocks: Block[] = [{ kind: 'heading', text: 'Tasks involved', folded: true }];
  for (const task of analysis.tasks) {
    blocks.push({
      kind: 'subheading',
      text: `${task.comm} (pid ${task.pid}), ${task.state}, CPU ${task.cpu}`,
      note: task.role,
    });
    const lock = lockText(task);
    if (lock !== null) blocks.push({ kind: 'paragraph', text: lock });
    if (task.stack !== null) blocks.push(outputOf(task.stack));
  }
  return blocks;
}

function lockText({ waitsFor }: InvolvedTask): string | null {
  if (waitsFor === null) return null;
  const { kind, address, symbol, owner, held, waiters } = waitsFor;
  const name = symbol === null ? bareAddress(address) : `${symbol} (${bareAddress(address)})`;
  const holder = owner === null ? '' : `: ${owner.comm} (pid ${owner.pid})`;
  return `Waits for the ${kind} ${name}, held ${held}${holder}; ${waiters === 1 ? 'nobody else waits' : `${waiters} tasks wait`}.`;
}

function explanation({ panic, explanation, next }: Analysis): Block[] {
  const blocks: Block[] = [];
  if (next.length > 0)
    blocks.push(
      { kind: 'heading', text: 'What to look at next' },
      { kind: 'table', head: ['Command', 'Shows'], rows: next.map(({ command, why }) => [command, why]) },
    );
  if (hasNotDied({ panic })) return blocks;
  blocks.push({ kind: 'heading', text: `What ${panic.kind} means` }, { kind: 'paragraph', text: explanation.meaning });
  if (explanation.causes.length > 0)
    blocks.push({ kind: 'subheading', text: 'Usual causes', note: '' }, { kind: 'list', items: explanation.causes });
  return blocks;
}

function log(analysis: Analysis): Block[] {
  const { log, incidents } = analysis;
  const blocks: Block[] = [];
  if (incidents.length > 1) {
    blocks.push({ kind: 'heading', text: 'Incidents in the log' });
    blocks.push({
      kind: 'table',
      head: ['Time', 'Kind', 'Title'],
      rows: incidents.map((i) => [
        i.timestamp === null ? '' : i.timestamp.toFixed(6),
        i.fatal ? `${i.kind}, fatal` : i.kind,
        i.title,
      ]),
    });
  }
  if (log.lines.length > 0) {
    blocks.push({ kind: 'heading', text: 'Last words' });
    if (log.omitted > 0) blocks.push({ kind: 'paragraph', text: `${log.omitted} earlier lines are not shown.` });
    blocks.push({ kind: 'output', command: `log | tail -${log.lines.length}`, lines: plain(log.lines) });
  }
  return blocks;
}

function surroundings(analysis: Analysis): Block[] {
  const blocks: Block[] = [];
  if (analysis.modules.length > 0) {
    const tainting = analysis.modules.filter((m) => m.taints !== '');
    blocks.push({ kind: 'heading', text: 'Modules', folded: true });
    const names = analysis.modules.map((m) => (m.taints === '' ? m.name : `${m.name}(${m.taints})`)).join(' ');
    blocks.push({
      kind: 'paragraph',
      text: `${analysis.modules.length} loaded${tainting.length === 0 ? '' : `, ${tainting.length} of them taint the kernel`} (mod -t): ${names}`,
    });
  }
  if (analysis.settings.length > 0) {
    blocks.push({ kind: 'heading', text: 'Settings that decide whether this panics', folded: true });
    blocks.push({
      kind: 'table',
      head: ['Setting', 'Value', 'Meaning'],
      rows: analysis.settings.map((s) => [s.name, s.value ?? 'unknown', s.meaning]),
    });
  }
  if (analysis.kernel.commandLine !== null) {
    blocks.push({ kind: 'heading', text: 'Kernel command line', folded: true });
    blocks.push({ kind: 'output', command: 'p saved_command_line', lines: plain([analysis.kernel.commandLine]) });
  }
  return blocks;
}

function missing(analysis: Analysis): Block[] {
  const blocks: Block[] = [];
  const notes = [...analysis.dump.warnings, ...analysis.kernel.notes, ...analysis.disagreements];
  if (notes.length > 0) blocks.push({ kind: 'heading', text: 'Notes' }, { kind: 'list', items: notes });
  if (analysis.faults.length > 0) {
    blocks.push({ kind: 'heading', text: 'What could not be read' });
    const items = byCause(analysis.faults);
    if (analysis.droppedFaults > 0) items.push(`... ${analysis.droppedFaults} more`);
    blocks.push({ kind: 'list', items });
  }
  return blocks;
}

/** Most things that one cause is said to have cost. */
const maxCosts = 4;

/** Faults, each cause said once with what it cost: `no data symbols in kallsyms: log, tasks, and 3 more`. */
function byCause(faults: Analysis['faults']): string[] {
  const causes = new Map<string, string[]>();
  for (const { what, message } of faults) {
    const found = causes.get(message);
    if (found === undefined) causes.set(message, [what]);
    else if (!found.includes(what)) found.push(what);
  }
  return [...causes].map(([message, whats]) =>
    whats.length === 1
      ? `${whats[0]}: ${message}`
      : `${message}: ${whats.slice(0, maxCosts).join(', ')}${whats.length > maxCosts ? `, and ${whats.length - maxCosts} more` : ''}`,
  );
}

/** A dump of a kernel that nothing says to be dead. */
function hasNotDied({ panic }: Pick<Analysis, 'panic'>): boolean {
  return panic.kind === 'unknown' && panic.cpu === null && panic.signature === null;
}

/** `symbol+0x1c [module] (address)` */
export function placeText(place: Place): string {
  const { address } = place;
  if (place.symbol === null) return bareAddress(address ?? '');
  const offset = place.offset === null || place.offset === 0 ? '' : `+0x${place.offset.toString(16)}`;
  const at = address === null ? '' : ` (${bareAddress(address)})`;
  return `${place.symbol}${offset}${place.module === null ? '' : ` [${place.module}]`}${at}`;
}

/** What a command said, drawn by its own renderer. */
function outputOf(shown: ShownOutput): Block {
  return { kind: 'output', command: shown.command, lines: shownLines(shown) };
}

function plain(lines: readonly string[]): { text: string; marked: boolean }[] {
  return lines.map((text) => ({ text, marked: false }));
}

/** Seconds as `3 days, 04:05:06` or `00:00:26`. */
function duration(seconds: number): string {
  const days = Math.floor(seconds / 86400);
  const clock = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  const text = clock.map((n) => String(n).padStart(2, '0')).join(':');
  return days === 0 ? text : `${days} day${days === 1 ? '' : 's'}, ${text}`;
}
