// trace: what ftrace recorded before the kernel died.
import { messageOf, UsageError } from '../../../base/errors.ts';
import { escapeLine, escapeTerminal } from '../../../base/text.ts';
import type { Kernel } from '../../../kernel/kernel.ts';
import { eventFormats } from '../../../kernel/trace/event_format.ts';
import { type TraceArray, traceArrays } from '../../../kernel/trace/ring_buffer.ts';
import { traceRecords } from '../../../kernel/trace/trace_records.ts';
import { type Answer, defineStream, noItems } from '../../command.ts';
import { flag, type Options, rest, valued, values } from '../../params.ts';
import { type WrittenArray, writeTraceDat } from './trace_dat.ts';

/** A buffer of events: the kernel's own, or an instance. Numbers of events are decimal text. */
export interface TraceBuffer {
  readonly kind: 'buffer';
  /** Empty for the kernel's own. */
  readonly instance: string;
  /** `nop` where events alone are recorded; null where it cannot be read. */
  readonly tracer: string | null;
  readonly clock: string | null;
  readonly cpus: readonly {
    readonly cpu: number;
    readonly entries: string;
    /** Written over by later ones. */
    readonly overrun: string;
    /** Bytes that it may hold. */
    readonly size: number;
  }[];
  /** Events that are switched on: `sched:sched_switch`. */
  readonly enabled: readonly string[];
}

/** An event as it was recorded. */
export interface TraceEntry {
  readonly kind: 'event';
  readonly cpu: number;
  /** Time of the buffer's clock, nanoseconds for most clocks, decimal. */
  readonly time: string;
  /** False for the clocks that count something else than nanoseconds. */
  readonly nanoseconds: boolean;
  readonly pid: number;
  readonly command: string;
  /** Interrupts off, rescheduling needed, in interrupt, depths of preemption's and migration's disabling. */
  readonly flags: string;
  readonly system: string;
  readonly event: string;
  /** What it says, as the trace file of the tracing file system has it. */
  readonly text: string;
}

/** A buffer, followed by its events where those are shown. */
export type TraceItem = TraceBuffer | TraceEntry;

/** The file that was written; null where events are shown. */
export interface TraceHead {
  readonly written: { readonly file: string; readonly buffers: readonly WrittenArray[] } | null;
}

const params = {
  cpus: valued('c', 'cpus', values.cpus, 'events of these CPUs alone'),
  instance: valued('i', 'name', values.word, 'this instance alone'),
  whole: flag('t', 'to a trace.dat: the only form there is'),
  words: rest('word', values.file),
};

export const trace = defineStream({
  name: 'trace',
  help: {
    summary: 'what ftrace recorded',
    usage: ['[-i instance]', 'show [-c cpus] [-i instance]', 'dump [-t] [file]'],
    description: `The ring buffers of ftrace, out of memory: the kernel's own, and those of instances, with the persistent ones, which
still hold what the boot before recorded. Without a word it lists them with what is traced into each. With "show" it
prints the events of all CPUs in the order of time, as the trace file of the tracing file system has them: task, CPU,
flags (interrupts off, rescheduling needed, in interrupt, depths to which preemption and migration are disabled), time
in seconds of the trace clock, and what happened. With "dump" it writes a file (trace.dat unless named) that trace-cmd
and KernelShark open.`,
    examples: [
      ['trace', 'was anything traced?'],
      ['trace show -c 1 | tail -50', 'the last things that CPU 1 did'],
      ['trace dump /tmp/trace.dat', 'for kernelshark /tmp/trace.dat'],
    ],
  },
  params,
  items: 'trace',
  collect(context, options): Answer<TraceHead, TraceItem, null> {
    const { kernel } = context;
    const [word, file, ...more] = options.words;
    if (more.length > 0 || (word !== 'dump' && file !== undefined)) throw new UsageError(`unknown: ${more[0] ?? file}`);
    switch (word) {
      case undefined:
        return { head: { written: null }, items: buffers(kernel, chosen(kernel, options)) };
      case 'show':
        return { head: { written: null }, items: events(kernel, chosen(kernel, options), options.cpus) };
      case 'dump':
        return { head: { written: dump(kernel, chosen(kernel, options), file ?? 'trace.dat') }, items: noItems(null) };
      default:
        throw new UsageError(`${word}: show or dump`);
    }
  },
  text: {
    head: ({ written }) => (written === null ? '' : writtenText(written)),
    item: (item, { options }, _head, index) =>
      item.kind === 'event'
        ? eventLine(item)
        : `${index === 0 ? '' : '\n'}${options.words[0] === 'show' ? headLines(item) : bufferText(item)}`,
  },
});

function chosen(kernel: Kernel, { instance }: Options<typeof params>): readonly TraceArray[] {
  const arrays = traceArrays(kernel);
  if (instance === null) return arrays;
  const found = arrays.filter(({ name }) => name === instance);
  if (found.length === 0) throw new UsageError(`there is no instance ${instance}`);
  return found;
}

function* buffers(kernel: Kernel, arrays: readonly TraceArray[]): Generator<TraceItem, null> {
  for (const array of arrays) yield bufferOf(kernel, array);
  return null;
}

function bufferOf(kernel: Kernel, { name, tracer, clock, cpus, enabled }: TraceArray): TraceBuffer {
  const formats = new Map(eventFormats(kernel).map((format) => [format.address, format]));
  return {
    kind: 'buffer',
    instance: name,
    tracer,
    clock,
    cpus: cpus.map(({ cpu, entries, overrun, size }) => ({
      cpu,
      entries: String(entries),
      overrun: String(overrun),
      size,
    })),
    enabled: enabled.flatMap((call) => {
      const format = formats.get(call);
      return format === undefined ? [] : [`${format.system}:${format.name}`];
    }),
  };
}

function* events(
  kernel: Kernel,
  arrays: readonly TraceArray[],
  cpus: readonly number[] | null,
): Generator<TraceItem, null> {
  for (const array of arrays) {
    const empty = array.cpus.every(({ entries }) => entries === 0n);
    if (empty && array !== arrays[0]) continue;
    yield bufferOf(kernel, array);
    const nanoseconds = array.clock === null || !countingClocks.has(array.clock);
    for (const { time, ...record } of traceRecords(kernel, array, cpus)) {
      yield { kind: 'event', nanoseconds, time: String(time), ...record };
    }
  }
  return null;
}

/** Clocks that count events, ticks or cycles. */
const countingClocks: ReadonlySet<string> = new Set(['counter', 'uptime', 'x86-tsc']);

function dump(kernel: Kernel, arrays: readonly TraceArray[], file: string): NonNullable<TraceHead['written']> {
  const { pageSize } = arrays[0] ?? { pageSize: 0 };
  const [main, ...others] = arrays;
  const fitting = others.filter(({ pageSize: size, name, cpus }) => {
    if (cpus.every(({ entries }) => entries === 0n)) return false;
    if (size === pageSize) return true;
    kernel.faults.record('trace', new UsageError(`${name} has pages of ${size} bytes: dump it alone (-i ${name})`));
    return false;
  });
  try {
    return { file, buffers: writeTraceDat(kernel, main === undefined ? [] : [main, ...fitting], file) };
  } catch (error) {
    if (error instanceof Error && 'syscall' in error)
      throw new UsageError(`${file} cannot be written: ${messageOf(error)}`);
    throw error;
  }
}

function writtenText({ file, buffers }: NonNullable<TraceHead['written']>): string {
  const parts = buffers.map(
    ({ instance, pages }) =>
      `${pages} ${pages === 1 ? 'page' : 'pages'}${instance === '' ? '' : ` of instance ${escapeLine(instance)}`}`,
  );
  return `${escapeTerminal(file)}: ${parts.join(', ')}\n`;
}

function bufferText({ instance, tracer, clock, cpus, enabled }: TraceBuffer): string {
  const lines = [
    `${instance === '' ? 'BUFFER' : `INSTANCE: ${escapeLine(instance)}`}  TRACER: ${escapeLine(tracer ?? '(unknown)')}  CLOCK: ${escapeLine(clock ?? '(unknown)')}`,
    `${'CPU'.padStart(5)} ${'ENTRIES'.padStart(10)} ${'OVERRUN'.padStart(10)} ${'KBYTES'.padStart(10)}`,
    ...cpus.map(
      ({ cpu, entries, overrun, size }) =>
        `${String(cpu).padStart(5)} ${entries.padStart(10)} ${overrun.padStart(10)} ${String(size / 1024).padStart(10)}`,
    ),
    ...enabled.map((name) => `  EVENT: ${escapeLine(name)}`),
  ];
  return `${lines.join('\n')}\n`;
}

const legend = `\
#                                _-----=> irqs-off/BH-disabled
#                               / _----=> need-resched
#                              | / _---=> hardirq/softirq
#                              || / _--=> preempt-depth
#                              ||| / _-=> migrate-disable
#                              |||| /     delay
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |`;

/** What stands above the events in the trace file. */
function headLines({ instance, tracer, cpus }: TraceBuffer): string {
  const entries = cpus.reduce((sum, cpu) => sum + BigInt(cpu.entries), 0n);
  const overrun = cpus.reduce((sum, cpu) => sum + BigInt(cpu.overrun), 0n);
  const lines = [
    ...(instance === '' ? [] : [`# instance: ${escapeLine(instance)}`]),
    `# tracer: ${escapeLine(tracer ?? '(unknown)')}`,
    '#',
    `# entries-in-buffer/entries-written: ${entries}/${entries + overrun}   #P:${cpus.length}`,
    '#',
    legend,
  ];
  return `${lines.join('\n')}\n`;
}

function eventLine({ command, pid, cpu, flags, time, nanoseconds, text }: TraceEntry): string {
  const task = `${escapeLine(command).padStart(16)}-${String(pid).padEnd(7)}`;
  return `${task} [${String(cpu).padStart(3, '0')}] ${flags} ${timeText(time, nanoseconds)}: ${escapeTerminal(text)}\n`;
}

function timeText(time: string, nanoseconds: boolean): string {
  if (!nanoseconds) return time.padStart(12);
  const microseconds = (BigInt(time) + 500n) / 1000n;
  const second = 1_000_000n;
  return `${String(microseconds / second).padStart(5)}.${String(microseconds % second).padStart(6, '0')}`;
}
