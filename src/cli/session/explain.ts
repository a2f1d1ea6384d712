// explain: what a word means. Needs no dump: `inquest explain` has the same.
import { NotFoundError } from '../../base/errors.ts';
import { defineCommand } from '../../commands/command.ts';
import { badArgument } from '../../commands/each_word.ts';
import { text } from '../../commands/params.ts';
import { type Explained, explainWord, knownWords } from '../../glossary/glossary.ts';
import { nearest } from '../../shell/suggest.ts';

export interface ExplainData {
  /** Null without a word: then `known` lists those that there are. */
  readonly word: string | null;
  readonly entries: readonly Explained[];
  readonly known: readonly string[];
  /** Of several words that mean something each by itself, those that do not. */
  readonly unknown: readonly string[];
}

/** Columns of the text. */
const width = 100;

export const explain = defineCommand({
  name: 'explain',
  help: {
    summary: 'what a term, a flag, a state or a letter means',
    description: `Tells in a few lines what a word means that the kernel's log or a command says: terms (excluded, softirq), kinds of
death (rcu-stall), taint letters, states of tasks, flags of pages, tasks, allocations and VMAs, and the sysctls
that decide whether the kernel panics. Without a word, lists those that it knows.`,
    examples: [
      ['explain UN', 'a state of ps'],
      ['explain GFP_ATOMIC', 'a flag of the log'],
      ['explain soft-lockup', 'a kind of death, its causes, and where to look'],
    ],
  },
  params: { word: text('word', 'word') },
  collect: (context, { word }): ExplainData => {
    const data = explained(word.join(' '));
    for (const one of data.unknown) context.kernel.faults.refuse(badArgument, notKnown(one));
    return data;
  },
  render: explainText,
});

/** What a word or several mean, together or else each by itself. @throws NotFoundError for what is not known, with the nearest one */
export function explained(word: string): ExplainData {
  if (word.trim() === '') return { word: null, entries: [], known: knownWords(), unknown: [] };
  const entries = explainWord(word);
  if (entries.length > 0) return { word, entries, known: [], unknown: [] };
  const words = word.trim().split(/\s+/);
  const each = words.map((one) => ({ one, meanings: explainWord(one) }));
  if (words.length === 1 || each.every(({ meanings }) => meanings.length === 0)) throw notKnown(word);
  return {
    word,
    entries: each
      .flatMap(({ meanings }) => meanings)
      .filter(
        ({ word: name, subject }, i, all) => i === all.findIndex((e) => e.word === name && e.subject === subject),
      ),
    known: [],
    unknown: each.filter(({ meanings }) => meanings.length === 0).map(({ one }) => one),
  };
}

/** The error for a word that is not known, with the nearest one. */
export function notKnown(word: string): NotFoundError {
  const meant = nearest(word, knownWords());
  return new NotFoundError(
    'word',
    word,
    meant === null ? 'explain lists those that it knows' : `did you mean "${meant}"?`,
  );
}

export function explainText({ word, entries, known }: ExplainData): string {
  if (word === null) return wrapped(known.join(', '), '');
  return entries
    .map(({ word: name, subject, meaning, causes, next }) => {
      const list = (title: string, items: readonly string[]): string =>
        items.length === 0 ? '' : `  ${title}\n${items.map((item) => wrapped(`- ${item}`, '    ')).join('')}`;
      const look = next.length === 0 ? '' : `  look: ${next.join('; ')}\n`;
      return `${name} (${subject})\n${wrapped(meaning, '  ')}${list('usually:', causes)}${look}`;
    })
    .join('\n');
}

function wrapped(sentence: string, indent: string): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of sentence.split(' ')) {
    if (line !== indent && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent;
    }
    line += line === indent ? word : ` ${word}`;
  }
  return `${[...lines, line].join('\n')}\n`;
}
