// Every regular expression literal in a TypeScript source, for tests that hold all of them against something.

export interface RegexLiteral {
  readonly source: string;
  readonly flags: string;
  /** Line in the file, from 1. */
  readonly line: number;
}

/** A slash after one of these begins an expression; after a name, number or closing bracket it divides. */
const beforeExpression =
  /(?:^|[([{,;:=&|?+\-*%<>~^]|(?<![\w$\])])!|\b(?:return|typeof|case|in|of|instanceof|yield|await))\s*$/;

export function regexLiterals(text: string): RegexLiteral[] {
  const found: RegexLiteral[] = [];
  /** Depths of braces at which a `${` of a template was opened. */
  const templates: number[] = [];
  let depth = 0;
  /** Code since the last literal or comment, enough to see what came before a slash. */
  let before = '';
  const skipQuoted = (from: number, quote: string): number => {
    let i = from + 1;
    while (i < text.length && text[i] !== quote) i += text[i] === '\\' ? 2 : 1;
    return i + 1;
  };
  const skipTemplate = (from: number): number => {
    let i = from;
    while (i < text.length && text[i] !== '`') {
      if (text[i] === '\\') i++;
      else if (text.startsWith('${', i)) {
        templates.push(depth++);
        return i + 2;
      }
      i++;
    }
    return i + 1;
  };
  for (let i = text.startsWith('#!') ? text.indexOf('\n') : 0; i < text.length; ) {
    const c = text[i]!;
    if (text.startsWith('//', i)) {
      i = text.indexOf('\n', i) < 0 ? text.length : text.indexOf('\n', i);
      continue;
    }
    if (text.startsWith('/*', i)) {
      i = text.indexOf('*/', i) + 2;
      continue;
    }
    if (c === "'" || c === '"') {
      i = skipQuoted(i, c);
      before = 'x';
      continue;
    }
    if (c === '`') {
      i = skipTemplate(i + 1);
      before = templates.at(-1) === depth - 1 && text[i - 1] === '{' ? '' : 'x';
      continue;
    }
    if (c === '/' && beforeExpression.test(before)) {
      let end = i + 1;
      let inClass = false;
      while (end < text.length && (inClass || text[end] !== '/')) {
        if (text[end] === '\\') end++;
        else if (text[end] === '[') inClass = true;
        else if (text[end] === ']') inClass = false;
        end++;
      }
      const flags = /^[a-z]*/.exec(text.slice(end + 1))![0];
      found.push({ source: text.slice(i + 1, end), flags, line: text.slice(0, i).split('\n').length });
      i = end + 1 + flags.length;
      before = 'x';
      continue;
    }
    if (c === '{') depth++;
    if (c === '}') {
      depth--;
      if (templates.at(-1) === depth) {
        templates.pop();
        i = skipTemplate(i + 1);
        before = 'x';
        continue;
      }
    }
    before = (before + c).slice(-40);
    i++;
  }
  return found;
}
