// The events of all CPUs, decoded, in the order of time.
import type { Kernel } from '../kernel.ts';
import { type EventFormat, eventFormats } from './event_format.ts';
import { eventHead, eventText, flagLetters, isLeaf, leafText } from './event_text.ts';
import { pageEvents, type TraceArray, type TraceCpu, type TraceEvent } from './ring_buffer.ts';
import { taskNames } from './saved_commands.ts';
import { type TraceNames, traceNames } from './trace_names.ts';

export interface TraceRecord {
  readonly cpu: number;
  /** Time of the buffer's clock: nanoseconds, but for the clocks that count something else. */
  readonly time: bigint;
  readonly pid: number;
  /** The task's name; `<...>` where nobody remembers it. */
  readonly command: string;
  /** Interrupts off, rescheduling needed, in interrupt, depths of preemption's and migration's disabling: `d.h1.`. */
  readonly flags: string;
  readonly system: string;
  /** Name of the event; `unknown` with the number in the text where the kernel has no such event. */
  readonly event: string;
  /** As the kernel's trace file has it: with the event's name before it, or without for those of the tracers. */
  readonly text: string;
}

/** @param cpus those whose events are read; null for all */
export function* traceRecords(
  kernel: Kernel,
  array: TraceArray,
  cpus: readonly number[] | null,
): Generator<TraceRecord, void> {
  const formats = new Map(eventFormats(kernel).map((format) => [format.id, format]));
  const names = traceNames(kernel, array.textDelta);
  const tasks = taskNames(kernel);
  const chosen = array.cpus.filter(({ cpu }) => cpus === null || cpus.includes(cpu));
  for (const event of inOrder(chosen.map((cpu) => withLeaves(cpuEvents(cpu), formats, names)))) {
    kernel.work.charge('nodes', 1);
    const head = eventHead(event.data);
    const format = formats.get(head.type);
    yield {
      cpu: event.cpu,
      time: event.time,
      pid: head.pid,
      command: tasks.get(head.pid) ?? '<...>',
      flags: flagLetters(head),
      system: format?.system ?? '',
      event: format?.name ?? 'unknown',
      text: event.leaf ?? (format === undefined ? `event ${head.type}` : eventText(format, event.data, names)),
    };
  }
}

function* cpuEvents({ cpu, pages }: TraceCpu): Generator<TraceEvent, void> {
  for (const page of pages()) yield* pageEvents(cpu, page);
}

interface Ordered extends TraceEvent {
  /** Text of a call and its return together; null for any other event. */
  readonly leaf: string | null;
}

/** Calls of the function_graph tracer that call nothing themselves are one event with their return. */
function* withLeaves(
  events: Iterable<TraceEvent>,
  formats: ReadonlyMap<number, EventFormat>,
  names: TraceNames,
): Generator<Ordered, void> {
  let call: TraceEvent | null = null;
  for (const event of events) {
    const format = formats.get(eventHead(event.data).type);
    if (call !== null) {
      const entry = formats.get(eventHead(call.data).type)!;
      const leaf = isTracers(format, 'funcgraph_exit') && isLeaf(entry, call, format, event);
      yield { ...call, leaf: leaf ? leafText(entry, call, format, event, names) : null };
      call = null;
      if (leaf) continue;
    }
    if (isTracers(format, 'funcgraph_entry')) call = event;
    else yield { ...event, leaf: null };
  }
  if (call !== null) yield { ...call, leaf: null };
}

function isTracers(format: EventFormat | undefined, name: string): format is EventFormat {
  return format?.system === 'ftrace' && format.name === name;
}

function* inOrder(cpus: readonly Generator<Ordered, void>[]): Generator<Ordered, void> {
  const heads: { readonly rest: Generator<Ordered, void>; event: Ordered }[] = [];
  for (const rest of cpus) {
    const first = rest.next();
    if (!first.done) heads.push({ rest, event: first.value });
  }
  while (heads.length > 0) {
    let least = 0;
    for (let i = 1; i < heads.length; i++) if (heads[i]!.event.time < heads[least]!.event.time) least = i;
    const { rest, event } = heads[least]!;
    yield event;
    const next = rest.next();
    if (next.done) heads.splice(least, 1);
    else heads[least]!.event = next.value;
  }
}
