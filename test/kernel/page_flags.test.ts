// How a kernel's struct page says what a page is: a wrong reading drops the kernel's own pages from a dump.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Vmcoreinfo } from '../../src/dump/vmcoreinfo.ts';
import { isPageType, pageFacts, pageTypeTest } from '../../src/kernel/page_flags.ts';

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

const told = {
  'OFFSET(page.flags)': 0,
  'OFFSET(page.mapping)': 24,
  'OFFSET(page.private)': 40,
  'OFFSET(page._mapcount)': 48,
  'OFFSET(page.compound_head)': 8,
  'NUMBER(PG_lru)': 4,
  'NUMBER(PG_private)': 13,
  'NUMBER(PG_swapcache)': 10,
  'NUMBER(PG_swapbacked)': 19,
  'NUMBER(PG_head_mask)': 65536,
} as const;
const of61 = {
  ...told,
  'NUMBER(PG_slab)': 9,
  'NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)': -129,
  'NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)': -257,
  'NUMBER(HUGETLB_PAGE_DTOR)': 2,
} as const;
const of72 = {
  ...told,
  'NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)': -184549376,
  'NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)': -268435456,
  'NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)': -201326592,
  'NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)': -251658240,
  'NUMBER(PAGE_UNACCEPTED_MAPCOUNT_VALUE)': -150994944,
} as const;

/** Whether VMCOREINFO without some of its lines is enough to filter by. */
function tells(lines: Readonly<Record<string, number>>, ...without: string[]): boolean | undefined {
  const kept = Object.entries(lines).filter(([name]) => !without.includes(name));
  const info = new Vmcoreinfo(kept.map(([name, value]) => `${name}=${value}\n`).join(''));
  return pageFacts(info, 64, null)?.tellsLevels;
}

test('VMCOREINFO is enough to filter by where it tells every kind that a level names, or that must not be read', () => {
  assert.equal(tells(of61), true);
  assert.equal(tells(of72), true);
  // without PG_hwpoison the kernel has no such pages
  assert.equal(tells({ ...of61, 'NUMBER(PG_hwpoison)': 22 }), true);
  for (const name of ['NUMBER(PG_slab)', 'NUMBER(HUGETLB_PAGE_DTOR)', 'NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)']) {
    assert.equal(tells(of61, name), false, name);
  }
  for (const name of ['SLAB', 'HUGETLB', 'OFFLINE', 'UNACCEPTED'].map(
    (type) => `NUMBER(PAGE_${type}_MAPCOUNT_VALUE)`,
  )) {
    assert.equal(tells(of72, name), false, name);
  }
});
