// An expression must be tried on every text that it matches, and on few others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { firstCharacters } from '../../src/oops/first_characters.ts';

test('first characters of what is written here', () => {
  const cases: [RegExp, string | null][] = [
    [/^BUG: x/, 'B'],
    [/^(?:mce: )?CPU ?\d/, 'Cm'],
    [/^(?:\[ )?(?:WARNING|INFO): y/, 'IW['],
    [/^(a|[b-d])e/, 'abcd'],
    [/^-{6,20}\[ cut/, '-'],
    [/^\(XEN\) (?:\[[^\]]{1,40}\] )?Panic/, '('],
    [/^x|^y/, 'xy'],
    [/^\S{1,40}: z/, null],
    [/^.{1,64} invoked/, null],
    [/^(?:a)?/, null],
    [/a/, null],
    [/^(?!b)a/, null],
  ];
  for (const [pattern, expected] of cases) {
    const found = firstCharacters(pattern.source);
    if (expected === null) assert.ok(found === null || found.size > 90, `${pattern}`);
    else assert.equal([...found!].sort().join(''), expected, `${pattern}`);
  }
});

test('no match begins with a character that is not among them', () => {
  const patterns = [/^(?:a|bc?)*d/, /^(?:x{0,3}|y)z/, /^[^a-m]{2}q/, /^(?:a?b?)c/, /^\d{1,2}(?:a|b)/];
  fc.assert(
    fc.property(
      fc.constantFrom(...patterns),
      fc.string({ unit: fc.constantFrom(...'abcdxyzq01'), maxLength: 5 }),
      (pattern, text) => {
        const first = firstCharacters(pattern.source);
        if (pattern.test(text) && first !== null) assert.ok(first.has(text[0]!));
      },
    ),
  );
});
