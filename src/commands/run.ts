// Runs one command: words to options, its data piece by piece to whoever takes it, as text or as JSON.
import { FormatError, InquestError, MemoryFault, messageOf, UsageError } from '../base/errors.ts';
import { escapeJson, escapeTerminal } from '../base/text.ts';
import { Cancelled, unwatched, type Work } from '../base/work.ts';
import type { Fault } from '../kernel/faults.ts';
import { type Command, call, drawn, type Gathered, toJson, type View } from './command.ts';
import type { CommandContext } from './context.ts';
import { badArgument } from './each_word.ts';
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
  if (context.kernel.live) return runLive(command, context, words, sink, { json, line, work, raced: null });
  return runOnce(command, context, words, sink, { json, line, work, raced: null });
}

interface RunOptions {
  readonly json: boolean;
  readonly line: string;
  readonly work: Work;
  /** Told besides, where there are faults; null on a kernel that does not run. */
  readonly raced: Fault | null;
}

/** Times that a command is run on memory that moves, where it met what cannot be. */
const liveTries = 4;
/** Characters of output that are held back until the command has ended well. What is longer goes out as it comes. */
const heldBack = 4 << 20;

/**
 * As `runOnce`, on a kernel that runs meanwhile: a list that is changed while it is walked looks broken, or leads into memory
 * that is given back. Then the command is run anew, and what it wrote is dropped. Where that does not help, the faults
 * of the last run say that the kernel may have changed.
 */
function runLive<P extends Params, Head, Item, Tail>(
  command: Command<P, Head, Item, Tail>,
  context: CommandContext,
  words: readonly string[],
  sink: Sink,
  options: RunOptions,
): Outcome {
  let before = '';
  for (let turn = 1; ; turn++) {
    context.kernel.forget();
    const held = new HeldSink(sink);
    const outcome = runOnce(command, context, words, held, { ...options, raced: raced(turn) });
    const met = metOf(outcome);
    // what is the same twice is so, and does not move
    if (met !== '' && met !== before && turn < liveTries && held.isHeld) {
      before = met;
      continue;
    }
    return held.release() ? outcome : { ...outcome, end: 'closed' };
  }
}

/** Told beside what could not be read. */
function raced(turn: number): Fault {
  return {
    what: 'running kernel',
    code: 'raced',
    reason: null,
    address: null,
    message: `it runs, and may have changed while it was read; tried ${turn === 1 ? 'once' : `${turn} times`}`,
  };
}

/** What a run met that a change may have brought about; empty where it met nothing. */
function metOf({ faults, end, error }: Outcome): string {
  const failed = end === 'failed' && (error instanceof MemoryFault || error instanceof FormatError);
  return [
    ...faults.filter(({ code }) => code !== 'raced').map(({ message }) => message),
    ...(failed ? [messageOf(error)] : []),
  ].join('\n');
}

/** Holds output back, up to a bound. */
class HeldSink implements Sink {
  private readonly sink: Sink;
  private text = '';
  isHeld = true;

  constructor(sink: Sink) {
    this.sink = sink;
  }

  write(text: string): boolean {
    if (!this.isHeld) return this.sink.write(text);
    this.text += text;
    return this.text.length < heldBack ? true : this.release();
  }

  /** Writes what was held back, and holds nothing any more. */
  release(): boolean {
    if (!this.isHeld) return true;
    this.isHeld = false;
    return this.text === '' || this.sink.write(this.text);
  }
}

function runOnce<P extends Params, Head, Item, Tail>(
  command: Command<P, Head, Item, Tail>,
  context: CommandContext,
  words: readonly string[],
  sink: Sink,
  { json, line, work, raced }: RunOptions,
): Outcome {
  const { faults, work: slot } = context.kernel;
  const out = new Chunks(sink);
  const found = faults.collector();
  const part = command.unlimited ? null : slot.part(command.name);
  const step = <T>(what: () => T): T => found.during(() => slot.during(work, () => slot.within(part, what)));
  const writer = json ? new JsonWriter(command, out, line) : null;
  let items: Generator<Item, Tail, void> | null = null;
  const ended = (end: Outcome['end'], error: unknown = null): Outcome => {
    const isTold =
      raced !== null && (found.faults.length > 0 || error instanceof MemoryFault || error instanceof FormatError);
    const all = isTold ? [...found.faults, raced] : found.faults;
    if (writer !== null && end !== 'closed') writer.end(all, error);
    const open = out.flush();
    return { end: open ? end : 'closed', error, faults: all, droppedFaults: found.dropped };
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
        const failed = command.failed(head, next.value) || found.faults.some(({ what }) => what === badArgument);
        return ended(failed ? 'failed' : 'done');
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
