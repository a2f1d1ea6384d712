// sys: what machine, what kernel, when, and why it died.
import { assertNever, NotFoundError, UsageError } from '../../base/errors.ts';
import { escapeLine } from '../../base/text.ts';
import type { SourceLine } from '../../debuginfo/debug_info.ts';
import { type DmiField, readDmi } from '../../kernel/dmi.ts';
import { kernelConfig } from '../../kernel/ikconfig.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { loadAverages } from '../../kernel/loadavg.ts';
import { presentPages } from '../../kernel/mmzone.ts';
import { type TaintFlag, taints } from '../../kernel/panic.ts';
import { panicMessage } from '../../kernel/panic_message.ts';
import { readLog } from '../../kernel/printk.ts';
import { hasLines, sourceLine } from '../../kernel/source_line.ts';
import { type SystemCall, systemCalls } from '../../kernel/syscalls.ts';
import { crashTime } from '../../kernel/timekeeping.ts';
import { readUtsname, type Utsname } from '../../kernel/utsname.ts';
import { defineCommand } from '../command.ts';
import { type CommandContext, parseNumber } from '../context.ts';
import { flag, optional, values } from '../params.ts';
import { placeText, type SourcePlace, sourcePlace } from '../source_place.ts';
import { memorySize } from './memory_size.ts';
import { duration, wallClock } from './time_text.ts';
import { uptimeSeconds } from './uptime.ts';

/** The banner. What could not be read is null. */
export interface SystemSummary {
  /** The file that the kernel's debug information is taken from; null for none. */
  readonly vmlinux: string | null;
  readonly dumpFiles: readonly string[];
  /** The filter left pages out. */
  readonly partial: boolean;
  /** The dump is cut, or was never finished. */
  readonly incomplete: boolean;
  readonly tainted: boolean;
  readonly cpus: number;
  readonly offlineCpus: number;
  /** Seconds since 1970. */
  readonly date: number | null;
  readonly uptimeSeconds: number | null;
  readonly loadAverage: readonly [number, number, number] | null;
  readonly tasks: number | null;
  readonly uts: Utsname | null;
  /** Of the processor, from the kernel's measurement; null where it keeps none. */
  readonly megahertz: number | null;
  /** Bytes of RAM. */
  readonly memory: number | null;
  /** It runs: nothing has killed it. */
  readonly live: boolean;
  /** The line of the log that tells why the kernel died. */
  readonly panic: string | null;
}

export type SysData =
  | { readonly kind: 'summary'; readonly summary: SystemSummary }
  | { readonly kind: 'taint'; readonly mask: bigint; readonly flags: readonly TaintFlag[] }
  | { readonly kind: 'dmi'; readonly fields: readonly DmiField[] }
  | { readonly kind: 'calls'; readonly lines: boolean; readonly calls: readonly SystemCallEntry[] }
  | { readonly kind: 'config'; readonly text: string };

export interface SystemCallEntry extends SystemCall {
  /** Where its function is in the source; null where that is not told. */
  readonly source: SourcePlace | null;
}

export const sys = defineCommand({
  name: 'sys',
  help: {
    summary: 'the machine, the kernel, and why it died',
    usage: ['', '-c [name|number]', '-i', '-t', 'config'],
    description: `Prints the facts of the dump and of the machine: dump, CPUs, date and uptime at the crash, load, memory,
kernel, and the line of the log that says why it died. DATE and times are UTC. [PARTIAL DUMP]: pages were left out on
purpose; [INCOMPLETE]: the file is cut or was not finished. "sys config" prints the kernel's configuration, if it was
built with CONFIG_IKCONFIG.`,
    examples: [
      ['sys', 'the first thing to look at'],
      ['sys -c openat', 'who serves a system call; a hooked one shows here'],
    ],
  },
  params: {
    calls: flag('c', 'the system call table; with a number (decimal or 0x...) or a part of a name, only those entries'),
    dmi: flag('i', 'what the firmware told about the machine (DMI)'),
    taint: flag('t', 'what taints the kernel: the mask, and a letter for each of its bits'),
    panic: flag('panic', ''),
    what: optional('config|name|number', values.word),
  },
  collect: collectSys,
  render: renderSys,
});

function collectSys(
  { kernel }: CommandContext,
  {
    calls,
    dmi,
    taint,
    panic,
    what,
  }: { calls: boolean; dmi: boolean; taint: boolean; panic: boolean; what: string | null },
): SysData {
  if (panic)
    throw new UsageError(
      kernel.live ? 'the running kernel is only looked at' : 'this kernel is dead already: -panic is for a live system',
    );
  if (what === 'config' && !calls) return { kind: 'config', text: kernelConfig(kernel) };
  if (what !== null && !calls) throw new UsageError('');
  if (taint) return { kind: 'taint', ...taints(kernel) };
  if (dmi) return { kind: 'dmi', fields: readDmi(kernel) };
  if (calls) return callTable(kernel, what);
  return { kind: 'summary', summary: systemSummary(kernel) };
}

function callTable(kernel: Kernel, wanted: string | null): SysData {
  const lines = hasLines(kernel);
  const calls = chooseCalls(systemCalls(kernel), wanted).map((call) => ({
    ...call,
    source: lines ? shortPlace(sourceLine(kernel, call.address)) : null,
  }));
  return { kind: 'calls', lines, calls };
}

/** As crash(8) shortens it: `..` for the folder that the kernel was built in. */
function shortPlace(line: SourceLine | null): SourcePlace | null {
  const place = sourcePlace(line);
  if (line === null || place === null || line.folder === '') return place;
  return { ...place, file: `..${place.file.slice(line.folder.length)}` };
}

function chooseCalls(calls: readonly SystemCall[], wanted: string | null): readonly SystemCall[] {
  if (wanted === null) return calls;
  const number = /^(0x[0-9a-fA-F]+|\d+)$/.test(wanted) ? Number(parseNumber(wanted)) : null;
  const found = calls.filter((call) =>
    number === null ? call.symbol?.includes(wanted) === true : call.number === number,
  );
  if (found.length === 0) throw new NotFoundError('system call', escapeLine(wanted));
  return found;
}

/** The file that the kernel's debug information is taken from; null for none. */
function vmlinuxOf(kernel: Kernel): string | null {
  kernel.debugInfo(null); // files are looked for when they are first needed
  return kernel.debugFiles?.used(null) ?? null;
}

/** Everything of the banner that can be read; the rest is null, and faults say why. */
function systemSummary(kernel: Kernel): SystemSummary {
  const read = <T>(what: string, work: () => T): T | null => kernel.faults.attempt(what, work, null);
  const { info, memory } = kernel.dump;
  const { present, online } = kernel.cpus;
  return {
    vmlinux: read('debug information', () => vmlinuxOf(kernel)),
    dumpFiles: info.files,
    partial: info.level !== null ? info.level > 0 : info.pages.present < info.pages.total,
    incomplete: !info.complete,
    tainted: read('taint', () => taints(kernel).mask !== 0n) ?? false,
    cpus: present.length,
    offlineCpus: present.filter((cpu) => !online.includes(cpu)).length,
    date: read('date', () => crashTime(kernel)),
    uptimeSeconds: read('uptime', () => uptimeSeconds(kernel)),
    loadAverage: read('load average', () => loadAverages(kernel)),
    // no machine is without tasks: none means that they cannot be read
    tasks: read('tasks', () => kernel.tasks.all.length || null),
    uts: read('utsname', () => readUtsname(kernel)),
    megahertz: read('processor speed', () => {
      const khz = kernel.optionalVariable('cpu_khz')?.number() ?? 0;
      return khz > 0 ? Math.floor(khz / 1000) : null;
    }),
    memory: read('memory size', () => presentPages(kernel) * memory.pageSize),
    live: kernel.live,
    panic: kernel.live ? null : panicMessage(readLog(kernel)),
  };
}

function renderSys(data: SysData): string {
  switch (data.kind) {
    case 'summary':
      return renderSummary(data.summary);
    case 'taint':
      return `TAINTED_MASK: ${data.mask.toString(16)}  ${taintLetters(data.flags)}\n`;
    case 'dmi':
      return data.fields.map(({ name, value }) => `${name.padStart(25)}: ${escapeLine(value)}\n`).join('');
    case 'calls':
      return `NUM  SYSTEM CALL${data.lines ? '                FILE AND LINE NUMBER' : ''}\n${data.calls.map(renderCall).join('')}`;
    case 'config':
      return data.text.replace(/[^\t\n -~]/g, '?');
    default:
      return assertNever(data);
  }
}

/** Letters of the flags; nothing for a kernel that is not tainted. */
function taintLetters(flags: readonly TaintFlag[]): string {
  return flags.map(({ letter }) => letter).join('');
}

function renderCall({ number, address, symbol, source }: SystemCallEntry): string {
  const name = symbol ?? `${address.toString(16)}  (no function)`;
  return `${String(number).padStart(3)}  ${source === null ? name : `${name.padEnd(25)}  ${placeText(source)}`}\n`;
}

const unknown = '(unknown)';

function renderSummary(summary: SystemSummary): string {
  const { uts, loadAverage, cpus, offlineCpus, megahertz, memory, panic, dumpFiles } = summary;
  const marks = `${summary.partial ? '  [PARTIAL DUMP]' : ''}${summary.incomplete ? '  [INCOMPLETE]' : ''}`;
  const lines: [name: string, value: string][] = [
    // types and symbols come out of the dump itself: there is no other file to name
    ['KERNEL', `${summary.vmlinux ?? dumpFiles[0] ?? ''}${summary.tainted ? '  [TAINTED]' : ''}`],
    [dumpFiles.length > 1 ? 'DUMPFILES' : 'DUMPFILE', `${dumpFiles.join(' ')}${marks}`],
    ['CPUS', `${cpus}${offlineCpus > 0 ? ` [OFFLINE: ${offlineCpus}]` : ''}`],
    ['DATE', summary.date === null ? unknown : wallClock(summary.date)],
    ['UPTIME', summary.uptimeSeconds === null ? unknown : duration(summary.uptimeSeconds)],
    ['LOAD AVERAGE', loadAverage === null ? unknown : loadAverage.map((load) => load.toFixed(2)).join(', ')],
    ['TASKS', summary.tasks === null ? unknown : String(summary.tasks)],
    ['NODENAME', uts?.nodename ?? unknown],
    ['RELEASE', uts?.release ?? unknown],
    ['VERSION', uts?.version ?? unknown],
    ['MACHINE', `${uts?.machine ?? unknown}  (${megahertz === null ? 'unknown' : megahertz} Mhz)`],
    ['MEMORY', memory === null ? unknown : memorySize(memory)],
    ...(summary.live ? [] : [panicLine(panic)]),
  ];
  return lines.map(([name, value]) => `${name.padStart(12)}: ${escapeLine(value)}\n`).join('');
}

function panicLine(panic: string | null): [name: string, value: string] {
  return ['PANIC', panic === null ? '(no line of the log says why)' : panicText(panic)];
}

function panicText(line: string): string {
  return `"${line}"${line.includes('Oops: ') ? ' (check log for details)' : ''}`;
}
