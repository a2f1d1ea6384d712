// Settings of the distributions' files, with the lines that they stand on: `NAME=value` of a shell, and `name value`.

/** One setting. */
export interface Setting {
  readonly name: string;
  readonly value: string;
  /** 1 and up. */
  readonly line: number;
}

/** A line that is not as its grammar has it, or a setting that is not as it should be. */
export interface Remark {
  readonly severity: 'error' | 'warning';
  readonly line: number | null;
  readonly text: string;
}

export interface ParsedFile {
  readonly settings: readonly Setting[];
  readonly remarks: readonly Remark[];
}

/**
 * A file that a shell reads: assignments, one a line. What is more than that (expansions, commands) is not carried out: such
 * a value is kept as written, and remarked.
 */
export function parseAssignments(text: string): ParsedFile {
  const settings: Setting[] = [];
  const remarks: Remark[] = [];
  const lines = text.split(/\r?\n/);
  for (let i = 0; i < lines.length; i++) {
    const line = i + 1;
    let rest = lines[i]!.trim();
    if (rest === '' || rest.startsWith('#')) continue;
    const match = /^(?:export\s+)?([A-Za-z_]\w*)=(.*)$/s.exec(rest);
    if (match === null) {
      const spaced = /^[A-Za-z_]\w*\s+=|^[A-Za-z_]\w*=\s/.test(rest);
      const why = spaced ? 'a shell takes no spaces around =' : 'not an assignment NAME=value';
      remarks.push({ severity: 'error', line, text: `${why}: ${rest}` });
      continue;
    }
    rest = match[2]!;
    let value = unquoted(rest);
    while (value === null && i + 1 < lines.length && i + 1 - line < 50) {
      i++;
      rest += `\n${lines[i]!}`;
      value = unquoted(rest);
    }
    if (value === null) {
      remarks.push({ severity: 'error', line, text: `${match[1]!}: a quote is opened and not closed` });
      value = { value: rest, isExpanded: false, after: '' };
      i = line - 1;
    }
    if (value.isExpanded)
      remarks.push({
        severity: 'warning',
        line,
        text: `${match[1]!}: its value is made by the shell, and is not looked at here`,
      });
    if (value.after !== '')
      remarks.push({
        severity: 'error',
        line,
        text: `${match[1]!}: what follows the value is a command to the shell: ${value.after}`,
      });
    settings.push({ name: match[1]!, value: value.value, line });
  }
  return { settings, remarks };
}

interface Word {
  readonly value: string;
  readonly isExpanded: boolean;
  /** What stands behind it on the line, but for a comment. */
  readonly after: string;
}

/** A shell's word without its quotes; null where one is not closed. */
function unquoted(text: string): Word | null {
  let value = '';
  let isExpanded = false;
  let i = 0;
  while (i < text.length && !/\s/.test(text[i]!)) {
    const c = text[i++]!;
    if (c === "'") {
      const end = text.indexOf("'", i);
      if (end < 0) return null;
      value += text.slice(i, end);
      i = end + 1;
    } else if (c === '"') {
      for (;;) {
        if (i >= text.length) return null;
        const d = text[i++]!;
        if (d === '"') break;
        if (d === '\\' && i < text.length && '"\\$`\n'.includes(text[i]!)) {
          const kept = text[i++]!;
          if (kept !== '\n') value += kept;
        } else {
          if (d === '$' || d === '`') isExpanded = true;
          value += d;
        }
      }
    } else if (c === '\\') {
      if (i < text.length) value += text[i++]!;
    } else {
      if (c === '$' || c === '`') isExpanded = true;
      value += c;
    }
  }
  const after = text.slice(i).trim();
  return { value, isExpanded, after: after.startsWith('#') ? '' : after };
}

/** kdump.conf: a name, white space, a value; from `#` on a comment, also behind a value; one pair of quotes is taken off. */
export function parseDirectives(text: string): ParsedFile {
  const settings: Setting[] = [];
  const remarks: Remark[] = [];
  for (const [i, whole] of text.split(/\r?\n/).entries()) {
    const line = i + 1;
    if (/^\s*(#|$)/.test(whole)) continue;
    const [, name = '', rest = ''] = /^\s*(\S+)\s*(.*)$/.exec(whole)!;
    const value = withoutQuotes(rest.split('#', 1)[0]!.trimEnd());
    if (value === '') remarks.push({ severity: 'error', line, text: `${name} has no value` });
    settings.push({ name, value, line });
  }
  return { settings, remarks };
}

function withoutQuotes(text: string): string {
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}
