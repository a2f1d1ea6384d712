// Runs one command: words to options, its data piece by piece to whoever takes it, as text or as JSON.
import { InquestError, messageOf, UsageError } from '../base/errors.ts';
import { escapeJson, escapeTerminal } from '../base/text.ts';
import { Cancelled, unwatched, type Work } from '../base/work.ts';
import type { Fault } from '../kernel/faults.ts';
import { type Command, call, drawn, type Gathered, toJson, type View } from './command.ts';
import type { CommandContext } from './context.ts';
import { type Params, parseParams } from './params.ts';

/** Where output goes. Blocks while its reader is slow. */
export interface Sink {
  /** @returns false when nobody reads any more: end quietly */
  write(text: string): boolean;
}

/** How a command ended. */
export interface Outcome {
  /** - `done`   - `failed`: `error` says why, or the data does   - `closed`: nobody read to the end   - `cancelled` */
  readonly end: 'done' | 'failed' | 'closed' | 'cancelled';
  readonly error: unknown;
  /** What could not be read. */
  readonly faults: readonly Fault[];
  /** How many more faults there were than are kept. */
  readonly droppedFaults: number;
}

/** Characters gathered before they are handed on: little enough that a reader who leaves saves most of the work. */
const chunk = 4096;

/**
 * Runs a command on words.
 * @param line the command line as it was typed, for JSON
 * @param json one line `{"command": ..., "data": {...head, [items]: [...], ...tail}, "faults": [...]}`; when the command
 *   fails on the way, the line is whole all the same: what was read until then, and `"error": {"code", "message"}` at
 *   its end. Before anything was read, `data` is null.
 */
export function runCommand<P extends Params, Head, Item, Tail>(
  command: Command<P, Head, Item, Tail>,
  context: CommandContext,
  words: readonly string[],
  sink: Sink,
  { json = false, line = '', work = unwatched }: { json?: boolean; line?: string; work?: Work } = {},
): Outcome {
  const { faults, work: slot } = context.kernel;
  if (context.kernel.live) context.kernel.forget();
  const out = new Chunks(sink);
  const found = faults.collector();
  const step = <T>(what: () => T): T => found.during(() => slot.during(work, what));
  const writer = json ? new JsonWriter(command, out, line) : null;
  let items: Generator<Item, Tail, void> | null = null;
  const ended = (end: Outcome['end'], error: unknown = null): Outcome => {
    if (writer !== null && end !== 'closed') writer.end(found.faults, error);
    const open = out.flush();
    return { end: open ? end : 'closed', error, faults: found.faults, droppedFaults: found.dropped };
  };
  try {
    const { options, answer } = step(() => {
      const options = parseParams(command.params, words, context);
      return { options, answer: command.collect(context, options) };
    });
    ({ items } = answer);
    const { head } = answer;
    const view: View<P> = { options, ...context.style };
    const { text } = command;
    let open = writer === null ? out.write(text.head(head, view)) : writer.head(head);
    for (let index = 0; open; index++) {
      const next = step(() => answer.items.next());
      if (next.done) {
        open = writer === null ? out.write(text.tail(next.value, view, head)) : writer.tail(next.value);
        return ended(command.failed(head, next.value) ? 'failed' : 'done');
      }
      open = writer === null ? out.write(text.item(next.value, view, head, index)) : writer.item(next.value);
    }
    return ended('closed');
  } catch (error) {
    if (error instanceof Cancelled) return ended('cancelled', error);
    return ended('failed', error);
  } finally {
    items?.return(undefined as Tail);
  }
}

/** What a command gives for words, as a whole: for output that is known to be short. @throws as its `collect` does */
export function gather<P extends Params, Head, Item, Tail>(
  command: Command<P, Head, Item, Tail>,
  context: CommandContext,
  words: readonly string[],
): Gathered<Head, Item, Tail> & { readonly text: string; readonly faults: readonly Fault[] } {
  const { value, faults } = context.kernel.faults.collect(() => {
    const options = parseParams(command.params, words, context);
    const { value: data } = call(context, command, options);
    return { ...data, text: drawn(command, data, { options, ...context.style }) };
  });
  return { ...value, faults };
}

/** Text handed on in chunks. */
class Chunks {
  private readonly sink: Sink;
  private pending = '';
  private open = true;

  constructor(sink: Sink) {
    this.sink = sink;
  }

  write(text: string): boolean {
    this.pending += text;
    return this.pending.length < chunk ? this.open : this.flush();
  }

  flush(): boolean {
    if (this.pending !== '' && this.open) this.open = this.sink.write(this.pending);
    this.pending = '';
    return this.open;
  }
}

/** One line of JSON, written as it comes. */
class JsonWriter {
  private readonly items: string | null;
  private readonly out: Chunks;
  private readonly command: string;
  /** What is open: nothing yet, the data, its list of items, or the line behind the data. */
  private at: 'start' | 'head' | 'items' | 'behind' = 'start';
  private first = true;

  constructor(command: { readonly items: string | null }, out: Chunks, line: string) {
    this.items = command.items;
    this.out = out;
    this.command = `{"command":${escapeJson(JSON.stringify(line))},"data":`;
  }

  head(head: unknown): boolean {
    if (this.items === null) {
      this.at = 'behind';
      return this.out.write(this.command + toJson(head ?? null));
    }
    const fields = toJson(head ?? {}).slice(0, -1);
    this.at = 'items';
    return this.out.write(`${this.command}${fields}${fields === '{' ? '' : ','}${JSON.stringify(this.items)}:[`);
  }

  item(item: unknown): boolean {
    const comma = this.first ? '' : ',';
    this.first = false;
    return this.out.write(comma + toJson(item));
  }

  tail(tail: unknown): boolean {
    if (this.at !== 'items') return true;
    this.at = 'behind';
    const fields = toJson(tail ?? {}).slice(1);
    return this.out.write(`]${fields === '}' ? '' : ','}${fields}`);
  }

  end(faults: readonly Fault[], error: unknown): void {
    if (this.at === 'start') this.out.write(`${this.command}null`);
    if (this.at === 'items') this.out.write(']}');
    const failure = error === null ? '' : `,"error":${toJson(errorData(error))}`;
    this.out.write(`,"faults":${toJson(faults)}${failure}}\n`);
  }
}

/** An error as data: its stable code and its message, made safe. */
export function errorData(error: unknown): { readonly code: string; readonly message: string } {
  const code = error instanceof Cancelled ? 'cancelled' : error instanceof InquestError ? error.code : 'internal';
  const message = error instanceof UsageError && error.message === '' ? 'wrong usage' : messageOf(error);
  return { code, message: escapeTerminal(message) };
}
