// Asks a checker of regular expressions (recheck) for the worst text of every expression in `src`, and tries it. Minutes.
//
//   node --test test/robustness/patterns.slow.ts
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { checkSync } from 'recheck';
import { attackLength, endsInTime } from '../support/regex_growth.ts';
import { regexLiterals } from '../support/regex_literals.ts';

const src = fileURLToPath(new URL('../../src/', import.meta.url));
/** For one expression, in ms; one that is not judged by then is held by patterns.test.ts alone. */
const timeout = 10_000;

/** The text on which an expression works longest, as far as the checker finds it; null: its work grows with the text's length. */
function worstText(source: string, flags: string): string | null {
  const found = checkSync(source, flags, { timeout });
  if (found.status !== 'vulnerable') return null;
  const { pumps, suffix, string } = found.attack;
  if (found.complexity.type === 'exponential') return string;
  const pumped = pumps.map(
    ({ prefix, pump }) => prefix + pump.repeat(Math.ceil(attackLength / pumps.length / pump.length)),
  );
  return pumped.join('') + suffix;
}

for (const file of globSync('**/*.ts', { cwd: src }).sort()) {
  const literals = regexLiterals(readFileSync(`${src}${file}`, 'utf8'));
  if (literals.length === 0) continue;
  test(`the expressions of ${file}, on their worst texts`, () => {
    const slow = literals.filter(({ source, flags }) => {
      const text = worstText(source, flags);
      return text !== null && !endsInTime(new RegExp(source, flags), text);
    });
    assert.deepEqual(
      slow.map(({ line, source }) => `${line}: /${source}/`),
      [],
    );
  });
}
