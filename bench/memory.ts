// Work over all of memory, on a machine that is made here: a sparse ELF core of 16 GiB that holds page tables and the
// memory map, 256 MiB of `struct page`s as Linux 6.12 has them, with everything that a busy machine has.
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pfn } from '../src/base/address.ts';
import { openDump } from '../src/dump/open.ts';
import { type SearchPattern, searchMemory } from '../src/dump/search.ts';
import { openKernel } from '../src/kernel/open_kernel.ts';
import { kindOf, pageFrames } from '../src/kernel/page_kind.ts';
import { writeElfCore } from '../test/support/dump_writers/elf_core.ts';
import { vmcoreinfoNote } from '../test/support/dump_writers/notes.ts';
import { writePageTables } from '../test/support/page_table_writer.ts';
import { SyntheticMemory } from '../test/support/synthetic_memory.ts';
import { type Part, timeOf } from './parts.ts';

const frames = 4 * 1024 * 1024;
const structSize = 64;
const mapSize = frames * structSize;
const vmemmap = 0xffff_ea00_0000_0000n;
const imageMap = 0xffff_ffff_8000_0000n;
const root = 0x200_0000;
const tables = 0x210_0000;
const sections = 0x240_0000;
/** Physical address of the memory map. */
const mapAt = 0x4000_0000;
const perSection = 32768;
/** Sections in a page of mem_section. */
const perRoot = 256;

export function measureMemory(): Part[] {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-bench-'));
  try {
    const path = join(folder, 'vmcore');
    writeMachine(path);
    const dump = openDump([path]);
    const classifier = pageFrames(openKernel(dump))!;
    const words = new Uint16Array(frames);
    const perFrame = (timeOf(() => classifier.classify(pfn(0), frames, words)) / frames) * 1e9;
    const found = new Set(Array.from(words.subarray(0, perSection), kindOf));
    if (
      !['free', 'slab', 'cache', 'anonymous', 'hugetlb', 'kernel', 'reserved'].every((kind) => found.has(kind as never))
    )
      throw new Error(`the classifier found ${[...found].join(', ')}`);
    const searched = (pattern: SearchPattern): Part => {
      const seconds = timeOf(() => [...searchMemory(dump, pattern, { threads: 1 })].length);
      const rate = mapSize / seconds / 1e9;
      const what = pattern.kind === 'strings' ? 'a string' : pattern.ignore === 0n ? 'a word' : 'a word under a mask';
      return {
        what: `search for ${what}`,
        value: `${rate.toFixed(1)} GB/s`,
        bar: { text: 'over 2 GB/s', holds: rate > 2 },
      };
    };
    const searches = [
      searched({ kind: 'words', size: 8, values: [0xffff_8881_dead_0000n], ignore: 0n }),
      searched({ kind: 'words', size: 8, values: [0xffff_8881_dead_0000n], ignore: 0xffffn }),
      searched({ kind: 'strings', strings: [Buffer.from('Kernel panic')] }),
    ];
    dump.close();
    return [
      {
        what: 'what a frame is, of 16 GiB',
        value: `${perFrame.toFixed(1)} ns`,
        bar: { text: 'under 40 ns', holds: perFrame < 40 },
      },
      ...searches,
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Writes the dump of a machine: of one with more memory, the memory map repeats that of the first 16 GiB, and the pages
 * behind it are holes in the file.
 * @param all page frames that it has, a multiple of 16 GiB
 */
export function writeMachine(path: string, all = frames): void {
  const memory = new SyntheticMemory();
  const lines = [`${imageMap.toString(16)} -> 0 1G rw`];
  for (let at = 0; at < all * structSize; at += 0x20_0000) {
    lines.push(`${(vmemmap + BigInt(at)).toString(16)} -> ${(mapAt + (at % mapSize)).toString(16)} 2M rw nx`);
  }
  writePageTables(memory, { levels: 4, root, tables }, lines.join('\n'));
  for (let i = 0; i < all / perSection; i++) {
    if (i % perRoot === 0) memory.writeU64(sections + (i / perRoot) * 8, imageMap + BigInt(sections + 4096 + i * 16));
    memory.writeU64(sections + 4096 + i * 16, vmemmap | 7n);
  }
  const low = [...memory.written()].map(([frame, bytes]) => ({ address: frame * 4096, bytes }));
  const head = writeElfCore({
    segments: [...low, { address: mapAt, bytes: new Uint8Array(0), memorySize: all * 4096 - mapAt }],
    notes: [vmcoreinfoNote(vmcoreinfo)],
  });
  // the memory map is the last segment's content: it is written behind the rest
  const view = new DataView(head.buffer, head.byteOffset);
  view.setBigUint64(64 + (1 + low.length) * 56 + 32, BigInt(all > frames ? all * 4096 - mapAt : mapSize), true);
  const file = openSync(path, 'w');
  writeSync(file, head);
  const section = new Uint32Array((perSection * structSize) / 4);
  for (let first = 0; first < frames; first += perSection) {
    fillSection(section, first);
    writeSync(file, new Uint8Array(section.buffer));
  }
  if (all > frames) ftruncateSync(file, head.length + all * 4096 - mapAt);
  closeSync(file);
}

const lru = 1 << 5;
const headFlag = 1 << 6;
const reserved = 1 << 13;
const privateFlag = 1 << 14;
const [buddy, table, hugetlb, slab] = [0xf0ff_ffff, 0xf2ff_ffff, 0xf4ff_ffff, 0xf5ff_ffff];
const mapping = 0x1234_5600;

/** The `struct page`s of one section, in stretches of 1024 frames of all kinds. */
function fillSection(words: Uint32Array, first: number): void {
  words.fill(0);
  for (let i = 0; i < perSection; i++) words[i * 16 + 12] = 0xffff_ffff;
  const page = (i: number, flags: number, mapping: number, type = 0xffff_ffff): void => {
    words[i * 16] = flags;
    words[i * 16 + 6] = mapping;
    words[i * 16 + 7] = mapping === 0 ? 0 : 0xffff_8881;
    words[i * 16 + 12] = type;
  };
  const compound = (i: number, order: number): void => {
    const at = vmemmap + BigInt((first + i) * structSize) + 1n;
    for (let tail = 1; tail < 2 ** order; tail++) {
      words[(i + tail) * 16 + 2] = Number(at & 0xffff_ffffn);
      words[(i + tail) * 16 + 3] = Number(at >> 32n);
    }
    words[(i + 1) * 16] = order;
  };
  const kinds: ((start: number) => void)[] = [
    (start) => {
      page(start, 0, 0, buddy);
      words[start * 16 + 10] = 10;
    },
    (start) => {
      for (let i = 0; i < 1024; i += 8) {
        page(start + i, headFlag, 0, slab);
        compound(start + i, 3);
      }
    },
    (start) => {
      for (let i = 0; i < 1024; i++) page(start + i, i % 9 === 0 ? lru | privateFlag : lru, mapping);
    },
    (start) => {
      for (let i = 0; i < 1024; i++) page(start + i, lru, i % 3 === 0 ? 0 : mapping + 1);
    },
    (start) => {
      for (let i = 0; i < 1024; i += 512) {
        page(start + i, headFlag | lru, mapping + 1);
        compound(start + i, 9);
      }
    },
    (start) => {
      for (let i = 0; i < 1024; i += 4) {
        page(start + i, 0, 0, buddy);
        words[(start + i) * 16 + 10] = 1;
        page(start + i + 2, 0, 0, i % 64 === 0 ? table : 0xffff_ffff);
      }
    },
    (start) => {
      page(start, headFlag, 0, hugetlb);
      compound(start, 9);
      for (let i = 512; i < 1024; i++) page(start + i, reserved, 0);
    },
  ];
  for (let start = 0, n = 0; start < perSection; start += 1024, n++) kinds[n % kinds.length]!(start);
}

const vmcoreinfo = [
  'OSRELEASE=6.12.0-bench',
  'PAGESIZE=4096',
  'KERNELOFFSET=0',
  'NUMBER(phys_base)=0',
  'NUMBER(pgtable_l5_enabled)=0',
  'NUMBER(KERNEL_IMAGE_SIZE)=1073741824',
  `SYMBOL(swapper_pg_dir)=${(imageMap + BigInt(root)).toString(16)}`,
  `SYMBOL(mem_section)=${(imageMap + BigInt(sections)).toString(16)}`,
  'LENGTH(mem_section)=2048',
  'SIZE(mem_section)=16',
  'OFFSET(mem_section.section_mem_map)=0',
  'NUMBER(SECTION_SIZE_BITS)=27',
  'SIZE(page)=64',
  'OFFSET(page.flags)=0',
  'OFFSET(page.compound_head)=8',
  'OFFSET(page.mapping)=24',
  'OFFSET(page.private)=40',
  'OFFSET(page._mapcount)=48',
  'LENGTH(zone.free_area)=11',
  'NUMBER(PG_lru)=5',
  'NUMBER(PG_private)=14',
  'NUMBER(PG_swapcache)=10',
  'NUMBER(PG_swapbacked)=17',
  'NUMBER(PG_hwpoison)=20',
  'NUMBER(PG_head_mask)=64',
  'NUMBER(PG_reserved)=13',
  'NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-268435456',
  'NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-184549376',
  'NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-201326592',
  'NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-251658240',
  '',
].join('\n');
