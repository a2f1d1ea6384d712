// From a page frame to its `struct page` and back: a wrong step names the wrong page of memory.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pfn, virtAddr } from '../../src/base/address.ts';
import { Vmcoreinfo } from '../../src/dump/vmcoreinfo.ts';
import { MemoryModel } from '../../src/kernel/memory_model.ts';
import { SyntheticSpace } from '../support/synthetic_memory.ts';

const roots = 0xffff_c900_0000_0000n;
const sections = 0xffff_8880_0001_0000n;
const perSection = 2 ** 15;

/** A kernel with sections of 128 MiB: `maps` are their section_mem_map words, 0 for none. */
function model(maps: readonly bigint[], space = new SyntheticSpace()): MemoryModel {
  space.words(roots, sections, 0n);
  space.map(sections, 4096);
  for (const [i, map] of maps.entries()) space.words(sections + BigInt(i * 16), map, 0n);
  const info = `SYMBOL(mem_section)=${roots.toString(16)}\nLENGTH(mem_section)=2\nSIZE(mem_section)=16\nOFFSET(mem_section.section_mem_map)=0\nNUMBER(SECTION_SIZE_BITS)=27\nSIZE(page)=64\n`;
  const made = MemoryModel.open(space, new Vmcoreinfo(info));
  assert.ok(made !== null);
  return made;
}

describe('struct page', () => {
  const base = 0xffff_ea00_0000_0000n;

  test('one map for all sections: any frame and back', () => {
    const found = model([0n, base | 3n, base | 7n]);
    for (const frame of [perSection, perSection + 5, perSection * 3 - 1]) {
      const page = found.pageStruct(pfn(frame));
      assert.equal(page, base + BigInt(frame * 64));
      assert.equal(found.pfnOf(page!), frame);
    }
  });
  test('a map for each section', () => {
    const other = 0xffff_ea77_0000_0000n;
    const found = model([base | 3n, other | 3n]);
    for (const frame of [7, perSection + 7]) assert.equal(found.pfnOf(found.pageStruct(pfn(frame))!), frame);
  });
  test('an address between two structs, of a section without a map, or far off is no page', () => {
    const found = model([base | 3n, 0n, base | 3n]);
    for (const at of [base + 8n, base + BigInt(perSection * 64), base - 64n, 0n, base + (1n << 50n)]) {
      assert.equal(found.pfnOf(virtAddr(at)), null, at.toString(16));
    }
  });
});

describe('sections of memory', () => {
  const base = 0xffff_ea00_0000_0000n;

  test('those that are present, with their flags and where their page structures are', () => {
    const sections = [...model([base | 15n, base, base | 1n | 16n]).sections()];
    assert.deepEqual(
      sections.map(({ number, map, hasMap, isOnline, isEarly, isDevice, firstPfn }) => [
        number,
        map,
        [hasMap, isOnline, isEarly, isDevice].map(Number).join(''),
        firstPfn,
      ]),
      [
        [0, base, '1110', 0],
        [2, base + BigInt(2 * perSection * 64), '0001', 2 * perSection],
      ],
    );
  });
  test('a table of sections that is missing has none', () => {
    const space = new SyntheticSpace();
    const found = model([base | 3n], space);
    space.exclude(sections);
    assert.deepEqual([...found.sections()], []);
  });
});
