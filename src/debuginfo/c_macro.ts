// Macros of C in expressions: what a name was defined as when the kernel was compiled, put in its place.
import { UsageError } from '../base/errors.ts';
import { type Token, tokens } from './c_lexer.ts';

export interface Macro {
  readonly name: string;
  /** Of one that is used with arguments; else null. */
  readonly parameters: readonly string[] | null;
  /** As the compiler had it, without the comments. */
  readonly body: string;
}

/** Most words of an expression with its macros. */
const mostWords = 20_000;
/** Deepest macro in a macro. */
const deepest = 64;

/** A definition as debug information has it: `PAGE_SIZE (1UL << 12)`, `max(a,b) ((a) > (b) ? (a) : (b))`; null for what is none. */
export function parseMacro(text: string): Macro | null {
  const [, name, parameters, body = ''] =
    /^([A-Za-z_$][\w$]*)(?:\(([^()]*)\))?(?: +(.*))?$/s.exec(text.trimEnd()) ?? [];
  if (name === undefined) return null;
  const names = parameters === undefined ? null : parameters.split(',').map((one) => one.trim());
  return { name, parameters: names?.length === 1 && names[0] === '' ? [] : names, body };
}

/** As in its source: `#define PAGE_SIZE (1UL << 12)`. */
export function macroText({ name, parameters, body }: Macro): string {
  const list = parameters === null ? '' : `(${parameters.join(', ')})`;
  return `#define ${name}${list}${body === '' ? '' : ` ${body}`}`;
}

/**
 * The words of an expression, macros replaced by what they stand for.
 * @param find the macro of a name, or null
 * @throws UsageError for one that is no expression, has other arguments, or grows without end
 */
export function expandMacros(words: readonly Token[], find: (name: string) => Macro | null): Token[] {
  return new Expansion(find).expand(words, []);
}

class Expansion {
  private readonly find: (name: string) => Macro | null;
  private made = 0;

  constructor(find: (name: string) => Macro | null) {
    this.find = find;
  }

  /** @param inside the macros that these words come from: their own names in them stand for themselves */
  expand(words: readonly Token[], inside: readonly string[]): Token[] {
    const out: Token[] = [];
    for (let at = 0; at < words.length; at++) {
      const word = words[at]!;
      if (++this.made > mostWords) throw new UsageError(`more than ${mostWords} words with all macros in their places`);
      const isName = word.kind === 'name' && !word.quoted && !inside.includes(word.text);
      const macro = isName ? this.find(word.text) : null;
      if (macro === null || (macro.parameters !== null && words[at + 1]?.text !== '(')) {
        out.push(word);
        continue;
      }
      if (inside.length >= deepest) throw new UsageError(`${macro.name}: macros nested more than ${deepest} deep`);
      let body = wordsOf(macro);
      if (macro.parameters !== null) {
        const { given, end } = argumentsAt(words, at + 1, macro.name);
        at = end;
        body = this.replaced(macro, body, given, inside);
      }
      out.push(...this.expand(body, [...inside, macro.name]));
    }
    return out;
  }

  private replaced(
    { name, parameters }: Macro,
    body: readonly Token[],
    given: readonly Token[][],
    inside: readonly string[],
  ): Token[] {
    const names = parameters ?? [];
    const empty = names.length === 0 && given.length === 1 && given[0]!.length === 0;
    if (!empty && given.length !== names.length)
      throw new UsageError(`${name} takes ${names.length} arguments, not ${given.length}`);
    const values = given.map((one) => this.expand(one, inside));
    return body.flatMap((word) => {
      const at = word.kind === 'name' && !word.quoted ? names.indexOf(word.text) : -1;
      return at < 0 ? [word] : values[at]!;
    });
  }
}

function wordsOf({ name, body }: Macro): Token[] {
  try {
    return tokens(body).filter(({ kind }) => kind !== 'end');
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${name} is a macro that is no expression: ${error.message}`);
  }
}

/** The arguments of a macro; `open` is where the bracket is, `end` where the one is that closes it. */
function argumentsAt(words: readonly Token[], open: number, name: string): { given: Token[][]; end: number } {
  const given: Token[][] = [[]];
  let depth = 0;
  for (let at = open; at < words.length; at++) {
    const word = words[at]!;
    if (word.kind === 'operator') {
      if (word.text === '(' || word.text === '[') depth++;
      if (word.text === ')' || word.text === ']') depth--;
      if (depth === 0) return { given, end: at };
      if (word.text === ',' && depth === 1) {
        given.push([]);
        continue;
      }
    }
    if (at > open) given.at(-1)!.push(word);
  }
  throw new UsageError(`the arguments of ${name} do not end`);
}
