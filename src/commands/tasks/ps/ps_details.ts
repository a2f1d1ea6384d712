// `ps -a` and `-r`: arguments and resource limits of processes.
import { escapeLine, hex } from '../../../base/text.ts';
import type { Kernel } from '../../../kernel/kernel.ts';
import { isUnreadable, processArguments } from '../../../kernel/process_arguments.ts';
import { type ResourceLimit, resourceLimits } from '../../../kernel/resource.ts';
import type { Task } from '../../../kernel/task.ts';
import { type TaskLabel, taskHeader, taskLabel } from '../../context.ts';

export interface Arguments {
  readonly task: TaskLabel;
  /** null: the task has no user memory. */
  readonly argv: readonly string[] | null;
  readonly envp: readonly string[] | null;
  /** User address that could not be read; null if all could. */
  readonly unreadable: bigint | null;
}

export function argumentsOf(kernel: Kernel, tasks: readonly Task[]): Arguments[] {
  return tasks.map((task) => {
    const what = `arguments of pid ${task.pid}`;
    const found = kernel.faults.attempt(what, () => processArguments(kernel, task), null);
    for (const area of [found?.argv, found?.envp]) {
      if (area?.fault != null) kernel.faults.record(what, area.fault);
    }
    return {
      task: taskLabel(task),
      argv: found?.argv.strings ?? null,
      envp: found?.envp.strings ?? null,
      unreadable: found !== null && isUnreadable(found.argv) ? found.argv.start : null,
    };
  });
}

export function renderArguments(found: readonly Arguments[]): string {
  return found
    .map(({ task, argv, envp, unreadable }) => {
      const head = `${taskHeader(task)}\n`;
      if (argv === null || envp === null) return `${head}ps: no user stack\n`;
      if (unreadable !== null) return `${head}ps: cannot access user stack address: ${hex(unreadable)}\n`;
      const environment = envp.map((entry, i) => `${i === 0 ? 'ENV:' : '    '} ${escapeLine(entry)}\n`).join('');
      return `${head}ARG: ${escapeLine(argv.join(' '))}\n${environment}`;
    })
    .join('\n');
}

/** A limit in its own unit (bytes, seconds, ...), decimal; null: unlimited. */
export interface Limit {
  readonly name: string;
  readonly current: string | null;
  readonly maximum: string | null;
}

export interface Limits {
  readonly task: TaskLabel;
  /** null if they cannot be read. */
  readonly limits: readonly Limit[] | null;
}

export function limitsOf(kernel: Kernel, tasks: readonly Task[]): Limits[] {
  return tasks.map((task) => ({
    task: taskLabel(task),
    limits: kernel.faults.attempt(`limits of pid ${task.pid}`, () => resourceLimits(task).map(limitData), null),
  }));
}

function limitData({ name, current, maximum }: ResourceLimit): Limit {
  const text = (value: bigint | null) => (value === null ? null : String(value));
  return { name, current: text(current), maximum: text(maximum) };
}

export function renderLimits(found: readonly Limits[]): string {
  return found
    .map(({ task, limits }) => {
      const rows = (limits ?? []).map(
        ({ name, current, maximum }) => `${name.padStart(12)}   ${limitCell(current)}   ${limitCell(maximum)}\n`,
      );
      const head = '      RLIMIT     CURRENT       MAXIMUM  \n';
      return `${taskHeader(task)}\n${limits === null ? '  (cannot be read)\n' : head + rows.join('')}`;
    })
    .join('\n');
}

/** Centred in 11 columns. */
function limitCell(value: string | null): string {
  const text = value ?? '(unlimited)';
  const left = Math.floor((11 - text.length) / 2);
  return `${' '.repeat(Math.max(0, left))}${text}`.padEnd(11);
}
