// Whether a running machine is in trouble now: tasks that hang and who holds what, memory, processors that stand still,
// and what the log tells since boot. Facts move while they are read: what could not be read is told.
import { count } from '../base/text.ts';
import type { CommandContext } from '../commands/context.ts';
import type { Fault } from '../kernel/faults.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { loadAverages } from '../kernel/loadavg.ts';
import { offCpuFor, runqueueClock, schedulerClock } from '../kernel/sched_times.ts';
import type { Task } from '../kernel/task.ts';
import { readUtsname } from '../kernel/utsname.ts';
import { memoryUse } from '../kernel/vmstat.ts';
import { Facts } from './facts.ts';
import { blockedFindings } from './rules/blocked.ts';
import { blockedTasks, doing } from './waiting.ts';
import { label } from './words.ts';

export interface Trouble {
  /** - `blocked` tasks that do not wake - `deadlock` - `cpu` that stands still - `memory` running out - `log` incidents since boot */
  readonly kind: 'blocked' | 'deadlock' | 'cpu' | 'memory' | 'log';
  /** One sentence. */
  readonly title: string;
  readonly explanation: string;
  /** Command lines of the shell that show it. */
  readonly commands: readonly string[];
}

export interface LiveReport {
  readonly release: string | null;
  readonly tasks: number;
  readonly loadAverage: readonly number[] | null;
  readonly troubles: readonly Trouble[];
  /** What could not be read, or changed under the reader in each of the tries. */
  readonly faults: readonly Fault[];
}

/** Nanoseconds that a task may sleep uninterruptibly before it is called hanging: disks and networks take that long. */
const longSleep = 10_000_000_000n;
/** Nanoseconds without a tick after which a processor that has a task stands still; the tick comes at least once a second. */
const longSilence = 5_000_000_000n;
/** Part of memory that is free or can be freed below which it runs out. */
const little = 0.03;
/** Kinds of incidents in the log that are told. */
const maxIncidents = 10;
/** Times that it is read where something changed meanwhile. */
const tries = 3;

/** Looks at a running machine; what had to be read anew, because it changed, is read up to three times. */
export function liveReport(context: CommandContext): LiveReport {
  for (let turn = 1; ; turn++) {
    context.kernel.forget();
    const { value, faults } = context.kernel.faults.collect(() => look(context));
    if (faults.length === 0 || turn === tries) return { ...value, faults };
  }
}

function look(context: CommandContext): Omit<LiveReport, 'faults'> {
  const facts = new Facts(context);
  const { kernel } = facts;
  const { faults } = kernel;
  return {
    release: faults.attempt('utsname', () => readUtsname(kernel).release, null),
    tasks: kernel.tasks.all.length,
    loadAverage: faults.attempt('load averages', () => loadAverages(kernel), null),
    troubles: [
      ...faults.attempt('blocked tasks', () => blocked(facts), []),
      ...faults.attempt('processors', () => stillProcessors(kernel), []),
      ...faults.attempt('memory', () => shortMemory(kernel), []),
      ...incidents(facts),
    ],
  };
}

function blocked(facts: Facts): Trouble[] {
  const { kernel } = facts;
  const hanging = blockedTasks(facts).flatMap((task): { task: Task; off: bigint }[] => {
    const off = offCpuFor(kernel, task);
    return off !== null && off >= longSleep ? [{ task, off }] : [];
  });
  if (hanging.length === 0) return [];
  const about = {
    kind: 'hung-task',
    subject: null,
    blamed: null,
    blamedCaller: null,
    instruction: null,
    access: null,
    faultAddress: null,
    disagreements: [],
  } as const;
  const findings = blockedFindings(facts, about).map(
    ({ title, explanation, evidence }): Trouble => ({
      kind: title.startsWith('Deadlock') ? 'deadlock' : 'blocked',
      title,
      explanation,
      commands: evidence.map(({ command }) => command),
    }),
  );
  const longest = hanging.reduce((a, b) => (b.off > a.off ? b : a));
  return [
    ...findings,
    {
      kind: 'blocked',
      title: `${count(hanging.length, 'task')} in uninterruptible sleep for more than ${longSleep / 1_000_000_000n} seconds; the longest, ${label(longest.task)}, for ${longest.off / 1_000_000_000n} seconds`,
      explanation: `It is ${doing(facts, longest.task)}.`,
      commands: [`bt ${longest.task.pid}`],
    },
  ];
}

/** Processors that have something to run, and no tick: interrupts are off, or they are stuck in firmware or an NMI. */
function stillProcessors(kernel: Kernel): Trouble[] {
  const now = schedulerClock(kernel);
  return kernel.tasks.all.flatMap((task): Trouble[] => {
    if (!task.active || task.pid === 0) return [];
    const silent = now - runqueueClock(kernel, task.cpu);
    if (silent < longSilence) return [];
    return [
      {
        kind: 'cpu',
        title: `CPU ${task.cpu} had no tick for ${silent / 1_000_000_000n} seconds; ${label(task)} runs there`,
        explanation: 'Interrupts are off for that long, or something below the kernel holds it.',
        commands: [`bt ${task.pid}`, 'runq'],
      },
    ];
  });
}

function shortMemory(kernel: Kernel): Trouble[] {
  const { total, free, fileCache, slabReclaimable } = memoryUse(kernel);
  if (free === null) return [];
  const available = free + (fileCache ?? 0) + (slabReclaimable ?? 0);
  if (available >= total * little) return [];
  const mib = (pages: number): number => Math.round((pages * kernel.dump.memory.pageSize) / 2 ** 20);
  return [
    {
      kind: 'memory',
      title: `Memory runs out: ${mib(available)} of ${mib(total)} MiB are free or can be freed`,
      explanation: 'The next allocation that cannot wait may wake the OOM killer.',
      commands: ['kmem -i', 'ps -G'],
    },
  ];
}

/** What the log tells since boot: each kind once, the last first. */
function incidents({ incidents: all }: Facts): Trouble[] {
  const last = new Map(all.map((incident) => [incident.title, incident]));
  return [...last.values()]
    .reverse()
    .slice(0, maxIncidents)
    .map(({ title, timestamp, message }) => {
      const times = all.filter((incident) => incident.title === title).length;
      const when = timestamp === null ? '' : `, last at ${timestamp.toFixed(0)} seconds`;
      return {
        kind: 'log',
        title: `${title}: ${times === 1 ? 'once' : `${times} times`} since boot${when}`,
        explanation: message,
        commands: ['log'],
      };
    });
}
