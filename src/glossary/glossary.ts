// What a word means that inquest, crash(8) or the kernel's log says: terms, flags, states, letters, kinds of death.
import { explanationOf, kindNames } from '../oops/explain.ts';
import { taintMeanings } from '../oops/taint.ts';
import { allocationFlags } from './allocation_flags.ts';
import type { Meaning } from './meaning.ts';
import { pageFlags } from './page_flags.ts';
import { taskFlags, taskStates } from './task_words.ts';
import { terms } from './terms.ts';
import { vmFlags } from './vm_flags.ts';

/** What a word belongs to. */
export type Subject =
  | 'term'
  | 'kind of death'
  | 'taint letter'
  | 'task state'
  | 'task flag'
  | 'page flag'
  | 'allocation flag'
  | 'VMA flag'
  | 'sysctl';

export interface Explained {
  /** The word as it is written. */
  readonly word: string;
  readonly subject: Subject;
  readonly meaning: string;
  /** What usually brings it about; empty where that is no question. */
  readonly causes: readonly string[];
  /** Where to look further: commands of the shell, mostly. */
  readonly next: readonly string[];
}

/**
 * What a word means: several entries where it means several things (`D` is a state and a taint letter); none for a word that
 * is not known. Case matters only where it tells two words apart.
 */
export function explainWord(word: string): readonly Explained[] {
  const wanted = word.trim();
  const exact = all().filter(({ words }) => words.includes(wanted));
  const found = exact.length > 0 ? exact : all().filter(({ words }) => words.some((one) => sameWord(one, wanted)));
  return found.map(({ entry }) => entry);
}

/** Every word that is known, each once. */
export function knownWords(): readonly string[] {
  return [...new Set(all().flatMap(({ words }) => words))].sort();
}

/** Everything, in order of subjects. */
export function allExplained(): readonly Explained[] {
  return all().map(({ entry }) => entry);
}

interface Entry {
  readonly words: readonly string[];
  readonly entry: Explained;
}

let entries: readonly Entry[] | null = null;

function all(): readonly Entry[] {
  entries ??= [
    ...table('term', terms),
    ...kindNames().map((kind): Entry => {
      const { meaning, causes, next } = explanationOf(kind);
      return { words: [kind], entry: { word: kind, subject: 'kind of death', meaning, causes, next } };
    }),
    ...table(
      'taint letter',
      [['G', 'no proprietary module was loaded: P is in its place otherwise'], ...Object.entries(taintMeanings)],
      ['sys -t'],
    ),
    ...table('task state', taskStates, ['ps -S']),
    ...table('task flag', taskFlags, ['task -R flags']),
    ...table('page flag', pageFlags, ['kmem -g']),
    ...table('allocation flag', allocationFlags, ['log | grep gfp_mask']),
    ...table('VMA flag', vmFlags, ['vm -f']),
    ...settings(),
  ];
  return entries;
}

function table(subject: Subject, meanings: readonly Meaning[], next: readonly string[] = []): readonly Entry[] {
  return meanings.map(([written, meaning, ...more]) => {
    const words = written.split(' / ');
    const entry: Explained = { word: words[0]!, subject, meaning, causes: [], next: more.length > 0 ? more : next };
    return { words, entry };
  });
}

/** The sysctls that decide whether the kernel panics, which come with the kinds of death. */
function settings(): readonly Entry[] {
  const seen = new Map<string, Entry>();
  for (const kind of kindNames()) {
    for (const { name, meaning } of explanationOf(kind).sysctls) {
      const words = [...name.split(' / '), name.split('.').at(-1)!];
      seen.set(name, { words, entry: { word: name, subject: 'sysctl', meaning, causes: [], next: ['report'] } });
    }
  }
  return [...seen.values()];
}

/** Words as people write them: no case, blanks and dashes alike, prefixes of flags left out. */
function sameWord(a: string, b: string): boolean {
  return plain(a) === plain(b);
}

function plain(word: string): string {
  return word
    .toLowerCase()
    .replace(/^(pg|vm|pf|task)_(?=.)/, '')
    .replace(/[\s_-]+/g, '-');
}
