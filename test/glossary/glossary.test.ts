// What the words of logs and commands mean.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { allExplained, explainWord, knownWords } from '../../src/glossary/glossary.ts';
import { openDump } from '../../src/index.ts';
import { taintMeanings } from '../../src/oops/taint.ts';

const subjects = (word: string): string[] => explainWord(word).map(({ subject }) => subject);

test('a word that means several things has each of them', () => {
  assert.deepEqual(subjects('D').sort(), ['taint letter', 'task state']);
  assert.deepEqual(subjects('locked').sort(), ['VMA flag', 'page flag']);
});

test('words are found however people write them, but a letter keeps its case where it has one of its own', () => {
  for (const word of ['gfp_atomic', 'GFP_ATOMIC', 'gfp-atomic'])
    assert.deepEqual(subjects(word), ['allocation flag'], word);
  for (const word of ['rcu-stall', 'RCU stall', 'rcu_stall']) assert.deepEqual(subjects(word), ['kind of death'], word);
  assert.match(explainWord('T')[0]!.meaning, /structure layout/);
  assert.match(explainWord('t')[0]!.meaning, /debugger/);
});

test('an unknown word has no meaning, and neither has none', () => {
  for (const word of ['', ' ', 'nosuchword', 'PG_', 'constructor', '__proto__'])
    assert.deepEqual(explainWord(word), [], word);
});

test('commands that are named for further looks are commands', async () => {
  const { sessionCommands } = await import('../../src/cli/session/entries.ts');
  const known = new Set([...sessionCommands().keys(), 'help', 'foreach', 'set']);
  const tables = allExplained().filter(({ subject }) => subject !== 'kind of death');
  for (const { word, next } of tables) {
    for (const line of next) {
      const [verb = ''] = line.split(' ');
      assert.ok(known.has(verb) || line.startsWith('!inquest '), `${word}: ${line}`);
      if (verb === 'explain') assert.notDeepEqual(explainWord(line.slice('explain '.length)), [], line);
    }
  }
});

test('every page flag, and every letter of taint, that a kernel of today has is explained', () => {
  const kernel = openDump(fileURLToPath(new URL('../../samples/vmcore', import.meta.url)));
  const flags = kernel.types.find('enum pageflags');
  assert.ok(flags?.kind === 'enum');
  const names = flags.values.map(({ name }) => name).filter((name) => name.startsWith('PG_'));
  assert.ok(names.length > 20);
  for (const name of names) assert.ok(subjects(name).includes('page flag'), name);
  for (const letter of Object.keys(taintMeanings)) assert.ok(subjects(letter).includes('taint letter'), letter);
});

test('nothing is explained twice', () => {
  for (const word of knownWords()) {
    const found = explainWord(word).map((entry) => `${entry.subject} ${entry.word}`);
    assert.equal(new Set(found).size, found.length, `${word}: ${found.join(', ')}`);
  }
});
