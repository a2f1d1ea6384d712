// A line of the crash shell taken apart:
//
//   struct task_struct.comm,pid ff00...  | head -3        words, then where the output goes
//   !ls                                                   for the system's shell
//   # a comment
import { UsageError } from '../base/errors.ts';

export type CommandLine =
  | { readonly kind: 'empty' }
  /** Text for `sh -c`. */
  | { readonly kind: 'system'; readonly command: string }
  /** A file of command lines. */
  | { readonly kind: 'source'; readonly path: string }
  | { readonly kind: 'command'; readonly words: readonly string[]; readonly output: OutputTarget };

export type OutputTarget =
  | { readonly kind: 'stdout' }
  | { readonly kind: 'pipe'; readonly command: string }
  | { readonly kind: 'file'; readonly path: string; readonly append: boolean };

/**
 * Parses one line. Words part at blanks; "..." keeps blanks together and is taken off, '...' is kept for
 * commands to see (patterns, character constants). `|` and `>` count outside of quotes and parentheses,
 * so that expressions may hold them.
 * @throws UsageError for a quote that is not closed, or a redirection to nowhere
 */
export function parseCommandLine(line: string): CommandLine {
  const text = line.trim();
  if (text === '' || text.startsWith('#') || text.startsWith('//')) return { kind: 'empty' };
  if (text.startsWith('!')) return { kind: 'system', command: text.slice(1).trim() };
  if (text.startsWith('<')) return { kind: 'source', path: text.slice(1).trim() };

  const words: string[] = [];
  let word: string | null = null;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === '"' || (c === "'" && word === null)) {
      const end = text.indexOf(c, i + 1);
      if (end < 0) throw new UsageError(`no closing ${c} in: ${text}`);
      word = (word ?? '') + (c === '"' ? text.slice(i + 1, end) : text.slice(i, end + 1));
      i = end;
    } else if (c === ' ' || c === '\t') {
      if (word !== null) words.push(word);
      word = null;
    } else if (depth === 0 && (c === '|' || (c === '>' && text[i - 1] !== '-'))) {
      if (word !== null) words.push(word);
      return { kind: 'command', words, output: target(text, i) };
    } else {
      if (c === '(') depth++;
      if (c === ')') depth = Math.max(0, depth - 1);
      word = (word ?? '') + c;
    }
  }
  if (word !== null) words.push(word);
  return { kind: 'command', words, output: { kind: 'stdout' } };
}

function target(text: string, at: number): OutputTarget {
  if (text[at] === '|') {
    const command = text.slice(at + 1).trim();
    if (command === '') throw new UsageError('nothing after the pipe');
    return { kind: 'pipe', command };
  }
  const append = text[at + 1] === '>';
  const path = text.slice(at + (append ? 2 : 1)).trim();
  if (path === '') throw new UsageError('no file to write to');
  return { kind: 'file', path, append };
}
