// Command lines typed before, and the ways to have one again: `!!`, `!N`, `!text`, `r`, `r N`, `r text`; `h` lists them.
import { UsageError } from '../base/errors.ts';

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

  /** Each line with its number, oldest first, as `h` prints them. */
  text(): string {
    return this.lines.map((line, i) => `[${this.first + i}] ${line}\n`).join('');
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
