// What a report shows of a command, as the reader sees it; and such a thing made of lines alone.
import { draw, type ShownOutput, shownLines } from '../../src/commands/shown.ts';

/** The text that a report shows. */
export function shownText(output: ShownOutput): string {
  return shownLines(output)
    .map(({ text }) => text)
    .join('\n');
}

/** The lines that stand out in it. */
export function markedLines(output: ShownOutput): string[] {
  return shownLines(output).flatMap(({ text, marked }) => (marked ? [text] : []));
}

/** An output that no command gave. */
export function outputOf(
  command: string,
  lines: readonly { readonly text: string; readonly marked: boolean }[],
): ShownOutput {
  return {
    command,
    name: command.split(' ')[0]!,
    data: null,
    marks: ['here'],
    [draw]: () => lines.map(({ text, marked }) => ({ text, at: marked ? 'here' : null })),
  };
}
