// A level that takes a page of another kind loses what the dump was made for.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { takenByLevel, takenWords } from '../../src/kernel/dump_level.ts';
import { pageKinds, pageUse } from '../../src/kernel/page_kind.ts';

it('a level takes every word of a kind alike, whatever the size of its block', () => {
  for (const level of [0, 1, 2, 4, 8, 16, 31]) {
    const taken = takenWords(level);
    const kinds = new Set<string>();
    for (const [word, isTaken] of taken.entries()) {
      const use = pageUse(word);
      if (!pageKinds.includes(use.kind)) continue;
      kinds.add(use.kind);
      assert.equal(isTaken === 1, takenByLevel(use, level), `level ${level}: ${JSON.stringify(use)}`);
    }
    assert.equal(kinds.size, pageKinds.length);
  }
});

it('a broken page is never kept, and one of the kernel always', () => {
  const page = { kind: 'kernel', order: 0, tail: false, compound: false, private: false } as const;
  assert.equal(takenByLevel({ ...page, poisoned: true }, 0), true);
  assert.equal(takenByLevel({ ...page, poisoned: false }, 31), false);
});
