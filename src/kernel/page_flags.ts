// include/linux/page-flags.h, include/linux/mm_types.h: how this kernel's `struct page` says what a page is used for.
// By the kernel's types; without them by VMCOREINFO, which tells less, so that it works while types are not read yet.
//
//                  to 6.9                     6.10, 6.11                since 6.12
//   slab           PG_slab in flags           a page type (46df8e73a4a3)
//   page types     a bit cleared in page_type, which is _mapcount else  a number in page_type's top byte (4ffca5a96678)
//   hugetlb        told by the second page    a page type, since 6.9 (d99e3140a4d3)
//   order          of the second page: a byte of its own, since 6.6 the low byte of its flags (ebc1baf5c9b4)
//   tail           has its head's address, plus 1; since 7.0 (fc3f334ce2b9) perhaps a mask for its own, plus 1

import { Layout } from '../debuginfo/layout.ts';
import { findMember, type Type, type TypeSource } from '../debuginfo/type.ts';
import type { Vmcoreinfo } from '../dump/vmcoreinfo.ts';

/** Largest order of a block of free pages plus one, where VMCOREINFO does not tell: MAX_ORDER. */
const defaultOrders = 11;

const flagNames = ['lru', 'private', 'swapcache', 'swapbacked', 'hwpoison', 'slab', 'head', 'reserved'] as const;
const typeNames = ['buddy', 'slab', 'hugetlb', 'table', 'offline', 'unaccepted'] as const;

/** Flags of a page, without their `PG_`. */
export type PageFlag = (typeof flagNames)[number];
/** Kinds of page that have a page type, by the kernel's names. */
export type PageTypeName = (typeof typeNames)[number];

/** page_type is of a kind when its bits under `mask` are `value`; both unsigned, 32 bits. */
export interface PageTypeTest {
  readonly mask: number;
  readonly value: number;
}

/** A byte of a struct, in its words: `words[word] >>> shift & 0xff`. */
export interface ByteOfWords {
  readonly word: number;
  readonly shift: number;
}

/** What there is to know of a kernel's `struct page`. */
export interface PageFacts {
  readonly layout: Layout<'flags' | 'mapping' | 'type' | 'private' | 'head'>;
  /** Masks for the low word of `flags`; 0 where this kernel has no such flag (or does not tell). */
  readonly flags: Readonly<Record<PageFlag, number>>;
  readonly types: Readonly<Record<PageTypeName, PageTypeTest | null>>;
  /** Where the second page of a compound page has the order; null where that is not known. */
  readonly order: ByteOfWords | null;
  /** What the second page of a hugetlb page has, to 6.5; null on newer kernels. */
  readonly hugetlbDestructor: (ByteOfWords & { readonly value: number }) | null;
  /** The flag that the second page of a hugetlb page has, from 6.6 to 6.8; 0 on other kernels. */
  readonly hugetlbFlag: number;
  /** Tail pages may have a mask in place of an address. */
  readonly headIsMasked: boolean;
  /** Orders of free blocks are below this. */
  readonly orders: number;
  /** Every kind of page that a dump level names, and that must not be read, can be told; perhaps not page tables. */
  readonly tellsLevels: boolean;
}

/**
 * Null where the kernel does not tell enough.
 * @param size bytes of a `struct page`
 * @param types the kernel's; null to work from VMCOREINFO alone
 */
export function pageFacts(info: Vmcoreinfo, size: number, types: TypeSource | null): PageFacts | null {
  const page = types?.find('struct page') ?? null;
  const folio = types?.find('struct folio') ?? null; // since 7b230db3b8d3 (5.16)
  const offsetIn = (type: Type | null, member: string): number | null => {
    const place = type === null ? null : findMember(type, member);
    return place === null || place.bitOffset % 8 !== 0 ? null : place.bitOffset / 8;
  };
  const offset = (member: string): number | null => offsetIn(page, member) ?? info.offset(`page.${member}`);
  /** Of a member of the second page of a compound page, which is a page's own member before folios. */
  const second = (old: string, folded: string): number | null => {
    const inFolio = offsetIn(folio, folded) ?? info.offset(`folio.${folded}`);
    return offset(old) ?? (inFolio === null ? null : inFolio - size);
  };
  const flagValues = enumValues(types, 'pageflags');
  const flag = (name: string): number => {
    const bit = flagValues.get(`PG_${name}`) ?? info.number(`PG_${name}`);
    return bit !== null && bit !== undefined && bit >= 0n && bit < 32n ? (1 << Number(bit)) >>> 0 : 0;
  };

  const flagsAt = offset('flags') ?? 0;
  const members = {
    flags: flagsAt,
    mapping: offset('mapping'),
    type: offset('_mapcount'),
    private: offset('private'),
    // compound_head became compound_info in 7.0
    head: offset('compound_head') ?? offset('compound_info'),
  };
  for (const at of Object.values(members)) if (at !== null && (at % 4 !== 0 || at > size - 8)) return null;
  if (members.mapping === null || members.type === null || members.private === null) return null;

  const flags = Object.fromEntries(flagNames.map((name) => [name, flag(name)])) as Record<PageFlag, number>;
  if (flags.head === 0) flags.head = Number(info.number('PG_head_mask') ?? 0n) >>> 0;
  const typeTests = pageTypes(info, types, page);
  if (typeTests.buddy === null || flags.lru === 0) return null;

  const byteAt = (at: number | null): ByteOfWords | null =>
    at === null || at < 0 || at >= size ? null : { word: at >>> 2, shift: (at & 3) * 8 };
  const destructorAt = byteAt(second('compound_dtor', '_folio_dtor'));
  const destructor = enumValues(types, 'compound_dtor_id').get('HUGETLB_PAGE_DTOR') ?? info.number('HUGETLB_PAGE_DTOR');
  const orders = info.length('zone.free_area') ?? defaultOrders;
  return {
    layout: new Layout('struct page', size, members),
    flags,
    types: typeTests,
    order: byteAt(second('compound_order', '_folio_order') ?? flagsAt),
    hugetlbDestructor:
      destructorAt === null || destructor === null ? null : { ...destructorAt, value: Number(destructor) },
    hugetlbFlag: flag('hugetlb'),
    headIsMasked: offset('compound_head') === null,
    orders: orders >= 1 && orders <= 32 ? orders : defaultOrders,
    tellsLevels: types !== null || vmcoreinfoTellsLevels(info, typeTests),
  };
}

/**
 * Whether VMCOREINFO alone is enough. What this kernel does not have (PG_hwpoison without CONFIG_MEMORY_FAILURE) it leaves out
 * just as what it does not tell, so each kind is asked for in the words of its time.
 */
function vmcoreinfoTellsLevels(info: Vmcoreinfo, types: Record<PageTypeName, PageTypeTest | null>): boolean {
  const tells = (name: string): boolean => info.number(name) !== null;
  const slab = tells('PG_slab') || types.slab !== null;
  const hugetlb = tells('HUGETLB_PAGE_DTOR') || tells('PG_hugetlb') || types.hugetlb !== null;
  // a page type since types are numbers (6.12), which 6.12's VMCOREINFO does not tell, and 7.2's does
  const isNumber = types.buddy !== null && types.buddy.mask === 0xff00_0000;
  const unaccepted = !isNumber || types.unaccepted !== null;
  const flags = tells('PG_swapcache') && tells('PG_private') && tells('PG_swapbacked');
  return flags && slab && hugetlb && types.offline !== null && unaccepted;
}

/** Names and values of an enumeration; none where there is no such. */
function enumValues(types: TypeSource | null, name: string): ReadonlyMap<string, bigint> {
  const type = types?.find(`enum ${name}`);
  return new Map(type?.kind === 'enum' ? type.values.map(({ name, value }) => [name, value]) : []);
}

function pageTypes(
  info: Vmcoreinfo,
  types: TypeSource | null,
  page: Type | null,
): Record<PageTypeName, PageTypeTest | null> {
  // An enumeration since ff202303c398 (6.11): PG_buddy and so on, a bit each; PGTY_buddy, a number, since 6.12.
  const values = enumValues(types, 'pagetype');
  const test = (name: PageTypeName): PageTypeTest | null => {
    const number = values.get(`PGTY_${name}`);
    if (number !== undefined) return { mask: 0xff00_0000, value: (Number(number) << 24) >>> 0 };
    const bit = values.get(`PG_${name}`);
    if (bit !== undefined) return clearedBit(Number(bit));
    const told = info.number(`PAGE_${name.toUpperCase()}_MAPCOUNT_VALUE`);
    return told === null ? null : pageTypeTest(Number(BigInt.asUintN(32, told)));
  };
  const found = Object.fromEntries(typeNames.map((name) => [name, test(name)])) as Record<
    PageTypeName,
    PageTypeTest | null
  >;
  found.table ??= tableBit(found, types, page);
  return found;
}

/**
 * PG_table where nothing names it. Before 6.11 types are defined for the preprocessor alone, and VMCOREINFO has PG_buddy
 * and PG_offline; PG_table is next to PG_offline, or next but one while there was PG_kmemcg (to 18b2db3b0385, 5.11).
 */
function tableBit(
  { buddy, offline }: Readonly<Record<'buddy' | 'offline', PageTypeTest | null>>,
  types: TypeSource | null,
  page: Type | null,
): PageTypeTest | null {
  if (buddy === null || offline === null) return null;
  const [first, second] = [buddy, offline].map(({ mask }) => (mask & 0x7fff_ffff) >>> 0) as [number, number];
  // from the top downwards since 4ffca5a96678's predecessors (6.11)
  if (second === first / 2) return clearedBit(second / 2);
  if (second !== first * 2 || types === null || page === null) return null;
  const hasKmemcg = findMember(page, 'mem_cgroup') !== null;
  const hasNot = findMember(page, 'memcg_data') !== null;
  if (hasKmemcg === hasNot) return null; // without CONFIG_MEMCG nothing tells
  return clearedBit(second * (hasKmemcg ? 4 : 2));
}

function clearedBit(bit: number): PageTypeTest {
  return { mask: (0x8000_0000 | bit) >>> 0, value: 0x8000_0000 };
}

/**
 * How to tell a page_type (or _mapcount) of a kind, given the kind's value from VMCOREINFO (PAGE_BUDDY_MAPCOUNT_VALUE).
 * Three encodings: equal (before 6e292b9be7f4, 4.18), one cleared bit under set high bits (to 6.11), the kind in the top
 * byte (since 4ffca5a96678, 6.12).
 */
export function pageTypeTest(wanted: number): PageTypeTest {
  if ((wanted & 0x00ff_ffff) === 0) return { mask: 0xff00_0000, value: wanted };
  const cleared = ~wanted >>> 0;
  return (cleared & (cleared - 1)) === 0 ? clearedBit(cleared) : { mask: 0xffff_ffff, value: wanted };
}

export function isPageType(pageType: number, test: PageTypeTest | null): boolean {
  return test !== null && (pageType & test.mask) >>> 0 === test.value;
}
