// waitq: the tasks on a wait queue.
import type { VirtAddr } from '../../base/address.ts';
import { MemoryFault, NotFoundError, UsageError } from '../../base/errors.ts';
import { escapeLine, hex } from '../../base/text.ts';
import type { KernelObject } from '../../debuginfo/object.ts';
import { memberOf, strip, type Type } from '../../debuginfo/type.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { isWaitQueue, type Waiter, waiters, waitQueueTypes } from '../../kernel/wait.ts';
import { addressArgument } from '../address.ts';
import { defineStream } from '../command.ts';
import { type CommandContext, parseHex, type TaskLabel, taskHeader, taskLabel } from '../context.ts';
import { optional, required, values } from '../params.ts';

/** An entry on the queue. */
export interface WaiterRow {
  /** Virtual address of the entry. */
  readonly entry: VirtAddr;
  /** The task that waits; null for an entry that wakes by a function alone. */
  readonly task: TaskLabel | null;
  readonly exclusive: boolean;
  /** `pollwake`: what is called to wake it; null where that has no name. */
  readonly wake: string | null;
}

export interface WaitqHead {
  /** As it was asked for. */
  readonly name: string;
  /** Virtual address of the queue. */
  readonly queue: VirtAddr;
}

export const waitq = defineStream({
  name: 'waitq',
  help: {
    summary: 'who waits on a wait queue',
    usage: ['symbol | address', 'struct.member address'],
    description: `Lists the tasks on a wait queue, in the order in which they would be woken. The queue is a symbol, an address, or the
member of the struct at an address; of a completion, the queue in it. Entries of epoll and poll belong to no task: they
are shown by the function that they wake.`,
    examples: [
      ['waitq kauditd_wait', 'by a symbol'],
      ['waitq task_struct.signal.wait_chldexit ff110000c0a80000', 'who waits for children of a task'],
    ],
  },
  params: {
    queue: required('symbol|address|struct.member', values.place),
    address: optional('address', values.address, 'of the struct'),
  },
  items: 'waiters',
  collect(context, { queue: word, address }) {
    const queue = address === null ? queueAt(context, word) : memberQueue(context.kernel, word, address);
    // a member's place is told by its address alone
    const name = address === null ? word : hex(queue.address);
    return { head: { name, queue: queue.address } satisfies WaitqHead, items: rows(context.kernel, queue) };
  },
  text: {
    item: ({ task, entry, wake }) =>
      task !== null ? `${taskHeader(task)}\n` : `(no task) entry: ${hex(entry)}  wakes: ${escapeLine(wake ?? '?')}\n`,
    tail: ({ count, whole }, _view, { name, queue }) =>
      count > 0 || !whole
        ? ''
        : `wait queue ${parseHex(name) === queue ? hex(queue) : `"${escapeLine(name)}" (${hex(queue)})`} is empty\n`,
  },
});

export interface WaitqTail {
  /** Entries that were read. */
  readonly count: number;
  /** False where memory of the list is missing, so that there may be more. */
  readonly whole: boolean;
}

function* rows(kernel: Kernel, queue: KernelObject): Generator<WaiterRow, WaitqTail> {
  const found = waiters(kernel, queue);
  let count = 0;
  // a queue that nobody set up has no links: crash(8) calls it empty, and nobody waits there
  let whole = true;
  const read = (): IteratorResult<Waiter> => {
    try {
      return found.next();
    } catch (error) {
      whole = !(error instanceof MemoryFault);
      throw error;
    }
  };
  for (;;) {
    kernel.work.charge('nodes', 1);
    const next = kernel.faults.attempt('wait queue', read, null);
    if (next === null || next.done) return { count, whole };
    const { address, task, exclusive, wake } = next.value;
    const waiting = task === 0n ? null : kernel.tasks.byAddress(task);
    count++;
    yield {
      entry: address,
      task: waiting === null ? null : taskLabel(waiting),
      exclusive,
      wake: wake === 0n ? null : (kernel.place(wake)?.symbol.name ?? null),
    };
  }
}

/** The queue at a symbol, whose type may say where in it the queue is, or at an address. */
function queueAt(context: CommandContext, word: string): KernelObject {
  const { kernel } = context;
  const type = kernel.symbols.find(word) === null ? null : kernel.variableType(word);
  if (type !== null) return queueIn(kernel, kernel.object(type, kernel.address(word)));
  return kernel.object(usualType(kernel), addressArgument(context, word));
}

function memberQueue(kernel: Kernel, word: string, address: VirtAddr): KernelObject {
  const [name = '', ...path] = word.split('.');
  const type = kernel.types.find(`struct ${name}`) ?? kernel.types.find(name);
  if (type === null) throw new NotFoundError('structure', escapeLine(name));
  if (path.length === 0) throw new UsageError(`${escapeLine(word)} names no member`);
  memberOf(type, path[0]!);
  // a step at a time: pointers on the way are followed
  return queueIn(
    kernel,
    path.reduce((object, member) => object.member(member), kernel.object(type, address)),
  );
}

/** The wait queue that an object is, points to, or has. @throws UsageError for anything else */
function queueIn(kernel: Kernel, object: KernelObject): KernelObject {
  const type = strip(object.type);
  if (isWaitQueue(object)) return object;
  if (type.kind === 'pointer' && object.isNull) throw new NotFoundError('wait queue', 'the pointer to it is NULL');
  if (type.kind === 'pointer' && isWaitQueue(object.deref())) return object.deref();
  const held = object.optional('wait'); // struct completion
  if (held !== null && isWaitQueue(held)) return held;
  // crash takes what lies at any symbol for a queue: an untyped one may be one
  if (type.kind === 'void' || type.kind === 'incomplete') return kernel.object(usualType(kernel), object.address);
  throw new UsageError('that is no wait queue');
}

function usualType(kernel: Kernel): Type {
  for (const name of waitQueueTypes) {
    const type = kernel.types.find(`struct ${name}`);
    if (type !== null) return type;
  }
  throw new NotFoundError('type', 'struct wait_queue_head');
}
