// How a kernel's struct page says what a page is: a wrong reading drops the kernel's own pages from a dump.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPageType, pageTypeTest } from '../../src/kernel/page_flags.ts';

const slab = 0xf500_0000;

test('page types in all their encodings', () => {
  const isType = (pageType: number, wanted: number) => isPageType(pageType, pageTypeTest(wanted));
  // before 4.18: the value itself
  assert.equal(isType(0xffff_ff80, 0xffff_ff80), true);
  // to 6.11: a cleared bit
  assert.equal(isType(0xffff_ff7f, 0xffff_ff7f), true);
  assert.equal(isType(0xffff_fe7f, 0xffff_ff7f), true);
  assert.equal(isType(0xffff_ffff, 0xffff_ff7f), false);
  assert.equal(isType(3, 0xffff_ff7f), false);
  // since 6.12: the top byte
  assert.equal(isType(0xf500_0007, slab), true);
  assert.equal(isType(0xf400_0007, slab), false);
  assert.equal(isType(0xffff_ffff, slab), false);
});
