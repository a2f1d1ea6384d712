// What a command said, kept to be drawn later and cut to the lines that matter: the evidence of a report. It is the
// command's data; the text is made by the command's own renderer when somebody wants to see it.
import { asOne, type Command, type Gathered, type Line, type View } from './command.ts';
import type { Params } from './params.ts';

/** Draws lines. A symbol, so that JSON leaves it out. */
export const draw: unique symbol = Symbol('draw');

export interface ShownOutput {
  /** The command line that prints these lines, filters included. */
  readonly command: string;
  /** Name of the command. */
  readonly name: string;
  /** Its data, as its own `--json` prints it. */
  readonly data: unknown;
  /** Where to look: what the lines tell of that matter most (`Line.at`). */
  readonly marks: readonly string[];
  readonly [draw]: () => readonly Line[];
}

/** Which lines are shown. */
export type Cut =
  | { readonly kind: 'all' }
  | { readonly kind: 'head' | 'tail'; readonly lines: number }
  /** Those that tell of something: `exception` is every line whose `at` is `exception ...`. */
  | { readonly kind: 'telling'; readonly of: string };

/**
 * Keeps what a command gave. Items that make a line each are cut in the data, too.
 * @param limit most lines shown; a further line says how many there were more
 */
export function keep<P extends Params, Head, Item, Tail>(
  command: Command<P, Head, Item, Tail>,
  gathered: Gathered<Head, Item, Tail>,
  view: View<P>,
  { line, cut, marks = [], limit }: { line: string; cut: Cut; marks?: readonly string[]; limit: number },
): ShownOutput {
  const all = linesOf(command, gathered, view);
  const isLineEach = command.items !== null && all.length === gathered.items.length;
  const items = !isLineEach
    ? gathered.items
    : cut.kind === 'tail'
      ? gathered.items.slice(-cut.lines)
      : cut.kind === 'head'
        ? gathered.items.slice(0, cut.lines)
        : gathered.items;
  const kept = { ...gathered, items };
  return {
    command: line,
    name: command.name,
    data: asOne(command, kept),
    marks,
    [draw]: () => limited(cutLines(linesOf(command, kept, view), cut), limit),
  };
}

/** The lines of a shown output, with those marked that matter most. */
export function shownLines(output: ShownOutput): { readonly text: string; readonly marked: boolean }[] {
  const { marks, [draw]: lines } = output;
  return lines().map(({ text, at }) => ({ text, marked: at !== null && marks.includes(at) }));
}

/** Every line that the shell prints, without empty ones at the end. */
export function linesOf<P extends Params, Head, Item, Tail>(
  { text }: Command<P, Head, Item, Tail>,
  { head, items, tail }: Gathered<Head, Item, Tail>,
  view: View<P>,
): Line[] {
  const lines = [
    ...plain(text.head(head, view)),
    ...items.flatMap((item, i) => text.lines?.(item, view, head, i) ?? plain(text.item(item, view, head, i))),
    ...plain(text.tail(tail, view, head)),
  ];
  while (lines.at(-1)?.text === '') lines.pop();
  return lines;
}

function plain(text: string): Line[] {
  if (text === '') return [];
  return (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n').map((line) => ({ text: line, at: null }));
}

function cutLines(lines: readonly Line[], cut: Cut): readonly Line[] {
  switch (cut.kind) {
    case 'all':
      return lines;
    case 'head':
      return lines.slice(0, cut.lines);
    case 'tail':
      return lines.slice(-cut.lines);
    case 'telling':
      return lines.filter(({ at }) => at?.startsWith(`${cut.of} `) === true);
  }
}

function limited(lines: readonly Line[], limit: number): readonly Line[] {
  if (lines.length <= limit) return lines;
  return [...lines.slice(0, limit), { text: `... ${lines.length - limit} more lines`, at: null }];
}
