// explain: what a word means. Needs no dump: `inquest explain` has the same.
import { NotFoundError } from '../../base/errors.ts';
import { defineCommand } from '../../commands/command.ts';
import { text } from '../../commands/params.ts';
import { type Explained, explainWord, knownWords } from '../../glossary/glossary.ts';
import { nearest } from '../../shell/suggest.ts';

export interface ExplainData {
  /** Null without a word: then `known` lists those that there are. */
  readonly word: string | null;
  readonly entries: readonly Explained[];
  readonly known: readonly string[];
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
  collect: (_context, { word }): ExplainData => explained(word.join(' ')),
  render: explainText,
});

/** @throws NotFoundError for a word that is not known, with the nearest one */
export function explained(word: string): ExplainData {
  if (word.trim() === '') return { word: null, entries: [], known: knownWords() };
  const entries = explainWord(word);
  if (entries.length === 0) {
    const meant = nearest(word, knownWords());
    throw new NotFoundError(
      'word',
      word,
      meant === null ? 'explain lists those that it knows' : `did you mean "${meant}"?`,
    );
  }
  return { word, entries, known: [] };
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
