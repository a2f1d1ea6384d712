// Command lines typed before, and the ways to have one again: `!!`, `!N`, `!text`, `r`, `r N`, `r text`; `h` lists them.
import { UsageError } from '../base/errors.ts';
import { escapeLine } from '../base/text.ts';
import { type Command, defineCommand } from '../commands/command.ts';

/** Most lines kept. */
const maxLines = 1000;

export class History {
  private readonly lines: string[] = [];
  /** Number of the first line kept. */
  private first = 1;

  add(line: string): void {
    if (line.trim() === '') return;
    this.lines.push(line.trim());
    if (this.lines.length <= maxLines) return;
    this.lines.shift();
    this.first++;
  }

  /** Each line with its number, oldest first. */
  all(): { readonly number: number; readonly line: string }[] {
    return this.lines.map((line, i) => ({ number: this.first + i, line }));
  }

  /**
   * What a line stands for: itself, unless it asks for one before it.
   * `!` begins a line for the system's shell, too: only `!!`, a number, and `!-N` mean history.
   * @throws UsageError where there is none
   */
  expand(line: string): string {
    const text = line.trim();
    const wanted = /^!(!|-?\d+)$/.exec(text)?.[1] ?? /^r(?:\s+(.+))?$/.exec(text)?.[1] ?? (text === 'r' ? '!' : null);
    if (wanted === null) return line;
    const found = this.find(wanted);
    if (found === undefined) throw new UsageError(`no such line in the history: ${text}`);
    return found;
  }

  private find(wanted: string): string | undefined {
    if (wanted === '!') return this.lines.at(-1);
    const number = Number(wanted);
    if (Number.isInteger(number)) return number < 0 ? this.lines.at(number) : this.lines[number - this.first];
    return this.lines.findLast((line) => line.startsWith(wanted));
  }
}

/** The `h` command over this history. */
export function historyCommand(history: History): Command {
  return defineCommand({
    name: 'h',
    help: {
      summary: 'the lines before',
      description: `Lists the lines of this session with their numbers. !! or r is the last one once more, !3 or r 3 the third, !-2 the last
but one, and r TEXT the last that begins with TEXT.`,
      examples: [['h | grep struct', 'what was asked of structures']],
    },
    params: {},
    collect: () => ({ lines: history.all() }),
    render: ({ lines }) => lines.map(({ number, line }) => `[${number}] ${escapeLine(line)}\n`).join(''),
  });
}
