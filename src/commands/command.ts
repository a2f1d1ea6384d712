// The shape that every command shares: typed options -> typed data -> text.
//
//     words --params--> options --collect--> head, item, item, ..., tail --text--> what crash(8) prints
//                                                     \--toJson--> what --json prints
//
// `collect` reads the kernel into plain data, which holds nothing that needs the dump any more; `text` draws that
// data and reads nothing: the report draws the same data by the same functions. Long output is a stream of items, each
// read when whoever takes it has room for it.

import { escapeJson } from '../base/text.ts';
import type { Collected } from '../kernel/faults.ts';
import type { Task } from '../kernel/task.ts';
import type { CommandContext } from './context.ts';
import { completeOptions, type Options, type Params } from './params.ts';
import type { Style } from './style.ts';

export interface CommandHelp {
  /** What it does, in a few words. */
  readonly summary: string;
  /** Forms of its arguments, one a line, without its name, where the list made of its parameters does not say it. */
  readonly usage?: readonly string[];
  /** What it does and how to read what it prints: plain text. The options' meanings are with the parameters. */
  readonly description: string;
  /** Command lines with what they are for. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
}

/** What a command gave: known at once, then piece by piece, then at the end. */
export interface Answer<Head, Item, Tail> {
  readonly head: Head;
  readonly items: Generator<Item, Tail, void>;
}

/** What a renderer may know besides the data: the options, and how the session shows numbers. */
export interface View<P extends Params> extends Style {
  readonly options: Options<P>;
}

/** A line of output, and what it tells of, for those who point at it: `frame 3`, `instruction ffff…`. */
export interface Line {
  readonly text: string;
  readonly at: string | null;
}

export interface Command<P extends Params = Params, Head = unknown, Item = unknown, Tail = unknown> {
  readonly name: string;
  readonly help: CommandHelp;
  readonly params: P;
  /** Name of the list of items in its data: `{...head, [items]: [...], ...tail}`; null for a command without. */
  readonly items: string | null;
  /**
   * Reads what is asked for. May change the context (`set`). What cannot be read is a fault; the rest stands.
   * @throws UsageError for options that do not go together; other InquestErrors when nothing could be done
   */
  collect(context: CommandContext, options: Options<P>): Answer<Head, Item, Tail>;
  /** Draws data: pure functions. Text of the dump has been made safe. */
  readonly text: {
    head(head: Head, view: View<P>): string;
    item(item: Item, view: View<P>, head: Head, index: number): string;
    tail(tail: Tail, view: View<P>, head: Head): string;
    /** The lines of an item with what each tells of; a command without it has nothing to point at. */
    lines?(item: Item, view: View<P>, head: Head, index: number): readonly Line[];
  };
  /** True for a command about tasks, which `foreach` may run. */
  readonly aboutTasks: boolean;
  /** True for what goes through all of memory, or does the work of others: it has no budget of its own. */
  readonly unlimited: boolean;
  /** The options to run it for one task. */
  forTask(options: Options<P>, task: Task): Options<P>;
  /** True where `foreach` runs it once for all of its tasks, by its parameter `tasks`: what it shows is one table. */
  readonly together: boolean;
  /** True when the command did not do what was asked, though it says why in its data (`sym nosuch`). */
  failed(head: Head, tail: Tail): boolean;
}

/** A command whose data is known as a whole. */
export type WholeCommand<P extends Params, Data> = Command<P, Data, never, null>;

/** Makes a command of a part that collects everything and a part that draws it. */
export function defineCommand<P extends Params, Data>(definition: {
  readonly name: string;
  readonly help: CommandHelp;
  readonly params: P;
  collect(context: CommandContext, options: Options<P>): Data;
  render(data: Data, view: View<P>): string;
  /** As `Command.forTask`; without it, the tasks of a parameter called `tasks` are replaced. */
  forTask?(options: Options<P>, task: Task): Options<P>;
  failed?(data: Data): boolean;
  readonly unlimited?: boolean;
  readonly together?: boolean;
}): WholeCommand<P, Data> {
  const { name, help, params, unlimited = false, together = false } = definition;
  return {
    name,
    help,
    params,
    items: null,
    unlimited,
    together,
    collect: (context, options) => ({ head: definition.collect(context, options), items: nothing() }),
    text: { head: (data, view) => definition.render(data, view), item: () => '', tail: () => '' },
    ...forTasks(params, definition.forTask),
    failed: (data) => definition.failed?.(data) ?? false,
  };
}

/** Makes a command that gives its data piece by piece. */
export function defineStream<P extends Params, Head, Item, Tail>(definition: {
  readonly name: string;
  readonly help: CommandHelp;
  readonly params: P;
  /** Name of the list of items in the data. */
  readonly items: string;
  collect(context: CommandContext, options: Options<P>): Answer<Head, Item, Tail>;
  readonly text: {
    head?(head: Head, view: View<P>): string;
    item(item: Item, view: View<P>, head: Head, index: number): string;
    tail?(tail: Tail, view: View<P>, head: Head): string;
    lines?(item: Item, view: View<P>, head: Head, index: number): readonly Line[];
  };
  /** As `Command.forTask`; without it, the tasks of a parameter called `tasks` are replaced. */
  forTask?(options: Options<P>, task: Task): Options<P>;
  failed?(head: Head, tail: Tail): boolean;
  readonly unlimited?: boolean;
  readonly together?: boolean;
}): Command<P, Head, Item, Tail> {
  const { text, unlimited = false, together = false } = definition;
  return {
    ...definition,
    unlimited,
    together,
    text: { head: () => '', tail: () => '', ...text },
    ...forTasks(definition.params, definition.forTask),
    failed: (head, tail) => definition.failed?.(head, tail) ?? false,
  };
}

function forTasks<P extends Params>(
  params: P,
  own?: Command<P>['forTask'],
): Pick<Command<P>, 'aboutTasks' | 'forTask'> {
  return {
    aboutTasks: own !== undefined || params['tasks']?.kind === 'task',
    forTask: own ?? ((options, task) => ({ ...options, tasks: [task] })),
  };
}

// biome-ignore lint/correctness/useYield: a stream of nothing
function* nothing(): Generator<never, null, void> {
  return null;
}

/** A stream of nothing, for forms of a streaming command whose head says all. */
export function* noItems<Item, Tail>(tail: Tail, items: readonly Item[] = []): Generator<Item, Tail, void> {
  yield* items;
  return tail;
}

/** The data of a command, gathered. */
export interface Gathered<Head, Item, Tail> {
  readonly head: Head;
  readonly items: readonly Item[];
  readonly tail: Tail;
}

/** Gathered data as `--json` prints it: `{...head, [items]: [...], ...tail}`. */
export function asOne(command: Command, { head, items, tail }: Gathered<unknown, unknown, unknown>): unknown {
  if (command.items === null) return head;
  return { ...(head as object | null), [command.items]: items, ...(tail as object | null) };
}

/**
 * Calls a command with typed options, without words: `call(context, bt, { all: true })`.
 * @throws as its `collect` does
 */
export function call<P extends Params, Head, Item, Tail>(
  context: CommandContext,
  command: Command<P, Head, Item, Tail>,
  some: Partial<Options<P>> = {},
): Collected<Gathered<Head, Item, Tail>> {
  const { faults, work } = context.kernel;
  const gather = (): Gathered<Head, Item, Tail> => {
    const options = completeOptions(command.params, some, context);
    const { head, items } = command.collect(context, options);
    const gathered: Item[] = [];
    for (;;) {
      const step = items.next();
      if (step.done) return { head, items: gathered, tail: step.value };
      gathered.push(step.value);
    }
  };
  return faults.collect(() => (command.unlimited ? gather() : work.within(work.part(command.name), gather)));
}

/** Text of gathered data, as the shell prints it. */
export function drawn<P extends Params, Head, Item, Tail>(
  command: Command<P, Head, Item, Tail>,
  { head, items, tail }: Gathered<Head, Item, Tail>,
  view: View<P>,
): string {
  const { text } = command;
  return (
    text.head(head, view) +
    items.map((item, i) => text.item(item, view, head, i)).join('') +
    text.tail(tail, view, head)
  );
}

/** Bigints as `"0x…"`: in data a bigint is an address or bits. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/** JSON text of a command's data: bigints as `"0x…"`, since JSON numbers are not exact beyond 2^53. */
export function toJson(value: unknown, indent?: number): string {
  return escapeJson(JSON.stringify(value, plain, indent));
}
