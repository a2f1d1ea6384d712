// Text comes from anywhere: no expression in `src` may work longer than its text is long. Held here with texts that repeat
// one character or a few, behind what the expression begins with; patterns.slow.ts asks a checker for the worst text.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { attackLength, endsInTime, literalStart } from '../support/regex_growth.ts';
import { regexLiterals } from '../support/regex_literals.ts';

const src = fileURLToPath(new URL('../../src/', import.meta.url));
const pieces = [
  ' ',
  '\t',
  'a',
  'f',
  '0',
  '1',
  'A',
  '_',
  '.',
  ',',
  '(',
  '[',
  '/',
  '\\',
  '"',
  "'",
  '-',
  ': ',
  ' a',
  '0 ',
  'a.',
  '[ ',
  '=,',
  '\n',
];

test('literals are told from divisions', () => {
  const found = regexLiterals(
    ['const a = b! / 2 / c; `$', '{x / 2} /no/`; // /no/\nif (!/y[/]\\/e/gs.test(a)) return /z/;'].join(''),
  );
  assert.deepEqual(
    found.map(({ source, flags, line }) => [source, flags, line]),
    [
      ['y[/]\\/e', 'gs', 2],
      ['z', '', 2],
    ],
  );
});

test('an expression that works too long is seen', () => {
  const text = `${' '.repeat(attackLength)}!`;
  assert.ok(!endsInTime(/\s+$/, text) && !endsInTime(/^(?:\s+\s+)+$/, text));
  assert.ok(endsInTime(/^\s+$/, text) && endsInTime(/\s{1,8}$/, text));
});

test('no expression works longer than its text is long', () => {
  const slow: string[] = [];
  let count = 0;
  for (const file of globSync('**/*.ts', { cwd: src })) {
    for (const { source, flags, line } of regexLiterals(readFileSync(`${src}${file}`, 'utf8'))) {
      count++;
      const pattern = new RegExp(source, flags);
      const start = literalStart(source);
      const worst = pieces.find(
        (piece) => !endsInTime(pattern, `${start}${piece.repeat(attackLength / piece.length)}\u0001`),
      );
      if (worst !== undefined) slow.push(`${file}:${line} on ${JSON.stringify(worst)}: /${source}/${flags}`);
    }
  }
  assert.ok(count > 500, `${count}`);
  assert.deepEqual(slow, []);
});
