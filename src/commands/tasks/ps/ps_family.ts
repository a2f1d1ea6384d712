// `ps -p`, `-c` and `-g`: ancestors, children and threads of tasks.
import type { VirtAddr } from '../../../base/address.ts';
import { FormatError } from '../../../base/errors.ts';
import { perKernel } from '../../../kernel/per_kernel.ts';
import type { Task } from '../../../kernel/task.ts';
import { type CommandContext, type TaskLabel, taskHeader, taskLabel } from '../../context.ts';

export interface Family {
  readonly task: TaskLabel;
  /** `ancestors`: from the first process down to the task itself; the others without it. */
  readonly relatives: readonly TaskLabel[];
}

export type Relation = 'ancestors' | 'children' | 'threads';

export function families(context: CommandContext, tasks: readonly Task[], relation: Relation): Family[] {
  return tasks.map((task) => {
    const relatives: Task[] = [];
    context.kernel.faults.attempt(
      `${relation} of pid ${task.pid}`,
      () => {
        for (const relative of related(context, task, relation)) relatives.push(relative);
      },
      undefined,
    );
    if (relation === 'ancestors') relatives.reverse();
    return { task: taskLabel(task), relatives: relatives.map(taskLabel) };
  });
}

/**
 * Addresses of each task's children. The list of children ends where one cannot be read: each tells its parent itself.
 * Idle tasks are on no such list, though the first process made them.
 */
const childrenByParent = perKernel((kernel) => {
  const children = new Map<bigint, VirtAddr[]>();
  for (const { idle, object, address } of kernel.tasks.all) {
    kernel.work.charge('nodes', 1);
    if (idle) continue;
    const parent = kernel.faults.attempt('parent of a task', () => object.member('real_parent').pointer(), null);
    if (parent === null) continue;
    const known = children.get(parent);
    if (known === undefined) children.set(parent, [address]);
    else known.push(address);
  }
  return children;
});

function* related(context: CommandContext, task: Task, relation: Relation): Generator<Task> {
  switch (relation) {
    case 'ancestors': {
      const seen = new Set<Task>();
      const boot = context.kernel.ownSymbol('init_task')?.address ?? 0n;
      for (let at: Task | null = task; at !== null && !seen.has(at); ) {
        seen.add(at);
        yield at;
        // idle tasks: as their PPID says, though the first process made all but the first
        const parent: bigint = at.idle ? boot : at.object.member('real_parent').pointer();
        const next: Task | null = context.tasks.byAddress(parent as typeof at.address);
        if (next === null && parent !== 0n) {
          throw new FormatError(`parent of pid ${at.pid}`, `${parent.toString(16)} is no known task`);
        }
        at = next;
      }
      return;
    }
    case 'children':
      for (const child of childrenByParent(context.kernel).get(task.address) ?? []) {
        const known = context.tasks.byAddress(child);
        if (known !== null) yield known;
      }
      return;
    case 'threads':
      for (const thread of task.idle ? [] : context.tasks.threads(task.tgid)) {
        if (thread !== task) yield thread;
      }
      return;
  }
}

export function renderFamilies(families: readonly Family[], relation: Relation): string {
  return families.map((family) => renderFamily(family, relation)).join('\n');
}

function renderFamily({ task, relatives }: Family, relation: Relation): string {
  if (relation === 'ancestors') return relatives.map((r, depth) => `${' '.repeat(depth)}${taskHeader(r)}\n`).join('');
  const none = relation === 'threads' ? '  (no threads)\n' : '  (no children)\n';
  const lines = relatives.map((relative) => `  ${taskHeader(relative)}\n`).join('');
  return `${taskHeader(task)}\n${lines === '' ? none : lines}`;
}
