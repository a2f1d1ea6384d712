// Patterns where a pointer should be: the allocator's only where it writes such.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { virtAddr } from '../../src/base/address.ts';
import { poisonKind, poisonsSlabs } from '../../src/kernel/poison.ts';
import { valueWords } from '../../src/origin/value_words.ts';
import { looksLike } from '../../src/triage/fault.ts';
import { SlabWriter, slubTypes } from '../support/slab_writer.ts';
import { machine } from '../support/task_writer.ts';

const freed = 0x6b6b_6b6b_6b6b_6b6bn;
const flags = 'enum _slab_flag_bits { _SLAB_CONSISTENCY_CHECKS, _SLAB_RED_ZONE, _SLAB_POISON, _SLAB_KMALLOC };';

function kernelWith(types: string, flag: number) {
  const slabs = new SlabWriter(`${types} ${slubTypes(false)}`);
  const cache = slabs.cache({ name: 'ticket', size: 64 });
  slabs.kernel.set(cache, 'flags', flag);
  return slabs.kernel;
}

describe('patterns of the slab allocator', () => {
  test('a member’s distance from the pattern is the pattern still', () => {
    assert.deepEqual([freed + 0x18n, 0x5a5a_5a5a_5a5a_5a62n, 0xdead_0000_0000_0122n, 0x6b6b_6b6bn].map(poisonKind), [
      'freed-object',
      'new-object',
      'list',
      null,
    ]);
  });

  test('certain where a cache is poisoned', () => {
    for (const kernel of [kernelWith(flags, 1 << 2), kernelWith('', 0x800)]) {
      assert.equal(poisonsSlabs(kernel), true);
      assert.equal(looksLike(kernel, virtAddr(freed)), 'freed slab memory (poison 6b): used after it was freed');
      assert.match(valueWords(kernel, freed), /\(what slab_debug fills freed objects with\)/);
    }
  });

  test('where none is, somebody else wrote it: it may be text', () => {
    const kernel = kernelWith(flags, 0x800);
    assert.equal(poisonsSlabs(kernel), false);
    assert.equal(
      looksLike(kernel, virtAddr(freed)),
      'the pattern 6b, or the text "kk" (no slab cache here is poisoned)',
    );
    assert.match(valueWords(kernel, freed), /\(the text "kkkkkkkk"\)/);
  });

  test('where the caches cannot be read, it may be either', () => {
    const kernel = machine({});
    assert.equal(poisonsSlabs(kernel), null);
    assert.match(looksLike(kernel, virtAddr(freed)), /where slabs are poisoned \(slab_debug\), or the text "kk"/);
    assert.match(valueWords(kernel, freed), /where that is on/);
  });
});
