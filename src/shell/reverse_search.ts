// Ctrl-R: looking for an earlier line by a part of it, as bash and crash(8) have it. Keys in, what to show out; the
// terminal itself is src/shell/terminal.ts's.

/** A key as `node:readline` tells of it. */
export interface Key {
  /** Text that it stands for; undefined for keys without. */
  readonly text: string | undefined;
  readonly name: string | undefined;
  readonly ctrl: boolean;
  readonly meta: boolean;
}

/** What a key did. */
export type Step =
  /** Goes on: show `prompt` and `line`. */
  | { readonly kind: 'searching' }
  /** The line that was found is the one to edit; the key still means what it usually means (Enter runs the line). */
  | { readonly kind: 'taken'; readonly pass: boolean }
  /** As before the search. */
  | { readonly kind: 'left' };

export class ReverseSearch {
  private readonly history: readonly string[];
  private query = '';
  /** Where in the history the found line is; -1 before any. */
  private at = -1;
  private failed = false;

  /** @param history the last line first */
  constructor(history: readonly string[]) {
    this.history = history;
  }

  /** The found line; empty when nothing was asked for yet. */
  get line(): string {
    return this.history[this.at] ?? '';
  }

  /** What stands before the line while searching. */
  get prompt(): string {
    return `(${this.failed ? 'failed ' : ''}reverse-i-search)'${this.query}': `;
  }

  key({ text, name, ctrl, meta }: Key): Step {
    if (ctrl && name === 'r') return this.look(this.at + 1, 1);
    if (ctrl && name === 's') return this.look(this.at - 1, -1);
    if (ctrl && (name === 'g' || name === 'c')) return { kind: 'left' };
    if (name === 'backspace' || (ctrl && name === 'h')) {
      this.query = this.query.slice(0, -1);
      this.at = -1;
      this.failed = false;
      return this.look(0, 1);
    }
    if (name === 'escape') return { kind: 'taken', pass: false };
    const isText = text !== undefined && !ctrl && !meta && /^[^\x00-\x1f\x7f]+$/.test(text);
    if (!isText) return { kind: 'taken', pass: true };
    this.query += text;
    return this.look(Math.max(0, this.at), 1);
  }

  /** The nearest line with the query, from one place on; the line stays where there is none. */
  private look(from: number, step: 1 | -1): Step {
    if (this.query === '') return { kind: 'searching' };
    for (let at = from; at >= 0 && at < this.history.length; at += step) {
      if (!this.history[at]!.includes(this.query)) continue;
      this.at = at;
      this.failed = false;
      return { kind: 'searching' };
    }
    this.failed = true;
    return { kind: 'searching' };
  }
}
