// Which characters a text can begin with that a regular expression matches, so that most expressions need not be tried.
// Knows what is used in this folder: literals, classes, groups, alternatives, quantifiers; whatever else means "any".

/**
 * @param source of an expression that begins with ^
 * @returns null: any character
 */
export function firstCharacters(source: string): ReadonlySet<string> | null {
  const found = new Set<string>();
  for (const branch of alternatives(source)) {
    if (!branch.startsWith('^')) return null;
    if (!collect(branch.slice(1), found)) return null;
  }
  return found;
}

/** Adds the first characters of a sequence. @returns false: any may come first, the empty text too */
function collect(sequence: string, into: Set<string>): boolean {
  let rest = sequence;
  while (rest !== '') {
    const [atom, quantifier, after] = firstAtom(rest);
    if (!addAtom(atom, into)) return false;
    if (!/^(?:[?*]|\{0)/.test(quantifier)) return true;
    rest = after;
  }
  return false;
}

function addAtom(atom: string, into: Set<string>): boolean {
  if (atom.startsWith('(?:') || (atom.startsWith('(') && !atom.startsWith('(?')))
    return alternatives(atom.slice(atom.startsWith('(?:') ? 3 : 1, -1)).every((branch) => collect(branch, into));
  if (atom.startsWith('(')) return false;
  // a place between characters, or what takes more than the one behind the backslash
  if (/^(?:\^|\$|\\[bBckpPux\d])/.test(atom)) return false;
  if (/^(?:\\[A-Za-z]|\.|\[)/.test(atom)) for (const character of members(atom)) into.add(character);
  else into.add(atom.replace(/^\\/, ''));
  return true;
}

/** The ASCII characters of a class. */
const classes = new Map<string, readonly string[]>();

function members(atom: string): readonly string[] {
  let found = classes.get(atom);
  if (found === undefined) {
    const single = new RegExp(`^${atom}$`);
    found = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)).filter((c) => single.test(c));
    classes.set(atom, found);
  }
  return found;
}

/** The first atom of a sequence, its quantifier, and what follows. */
function firstAtom(sequence: string): [string, string, string] {
  const end = endOfAtom(sequence, 0);
  const quantifier = /^(?:[?*+]|\{\d+(?:,\d*)?\})\??/.exec(sequence.slice(end))?.[0] ?? '';
  return [sequence.slice(0, end), quantifier, sequence.slice(end + quantifier.length)];
}

function endOfAtom(text: string, at: number): number {
  if (text[at] === '\\') return at + 2;
  if (text[at] === '[') {
    let i = at + 1;
    while (i < text.length && text[i] !== ']') i += text[i] === '\\' ? 2 : 1;
    return i + 1;
  }
  if (text[at] !== '(') return at + 1;
  let i = at + 1;
  while (i < text.length && text[i] !== ')') i = endOfAtom(text, i);
  return i + 1;
}

/** The alternatives of a pattern, outside of groups. */
function alternatives(pattern: string): string[] {
  const parts: string[] = [];
  let from = 0;
  for (let i = 0; i < pattern.length; ) {
    if (pattern[i] === '|') {
      parts.push(pattern.slice(from, i));
      from = i + 1;
    }
    i = endOfAtom(pattern, i);
  }
  parts.push(pattern.slice(from));
  return parts;
}
