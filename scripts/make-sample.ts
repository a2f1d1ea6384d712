// Makes samples/vmcore: a kdump-compressed dump made small enough for the repository.
//
//   node scripts/make-sample.ts IN OUT       IN: kdump-compressed, of a lab run with --level 22
//
// Of a level 22 dump (zero pages and user pages kept, so that a page that is missing was left out on purpose)
// it leaves out pages of processes, and the kernel's code that no stack leads through; the rest is
// compressed anew, harder.
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import { constants, zstdCompressSync } from 'node:zlib';
import { pfn as asPfn, type VirtAddr, virtAddr } from '../src/base/address.ts';
import { openDump } from '../src/index.ts';
import { backtracer } from '../src/kernel/backtrace.ts';
import type { Kernel } from '../src/kernel/kernel.ts';
import { logAsText, readLog } from '../src/kernel/printk.ts';
import { findIncidents } from '../src/oops/scanner.ts';

const [input, output] = process.argv.slice(2);
if (input === undefined || output === undefined) {
  console.error('usage: make-sample.ts IN OUT');
  process.exit(2);
}
const kernel = openDump(input);
const { memory, info } = kernel.dump;
if (info.format !== 'kdump' || info.flattened || info.level === null || (info.level & 9) !== 0) {
  console.error(`${input}: wanted is a kdump-compressed dump of a level without 1 and 8`);
  process.exit(1);
}
const pageSize = memory.pageSize;
const physical = (address: VirtAddr): number => kernel.space.translate(address);

/** Page frames of kernel code that is worth keeping: whole functions that any stack, or the log, names. */
function wantedText(): Set<number> {
  const wanted = new Set<number>();
  const addFunction = (address: VirtAddr): void => {
    const place = kernel.place(address);
    if (place === null) return;
    const end = place.symbol.address + BigInt(Math.min(place.symbol.size, 64 * 1024));
    for (let at = place.symbol.address & ~BigInt(pageSize - 1); at < end; at += BigInt(pageSize)) {
      wanted.add(physical(virtAddr(at)) / pageSize);
    }
  };
  for (const task of kernel.tasks.all) {
    for (const { start, end } of backtracer(kernel).stacks(task)) {
      const { bytes } = kernel.space.readUpTo(start, Number(end - start));
      for (const word of new BigUint64Array(bytes.buffer, 0, bytes.length >> 3)) {
        if (word >= text.start && word < text.end) addFunction(virtAddr(word));
      }
    }
  }
  for (const incident of findIncidents(logAsText(readLog(kernel)))) {
    for (const { symbol } of incident.traces.flatMap(({ frames }) => frames)) {
      for (const found of symbol === null ? [] : kernel.symbols.findAll(symbol)) addFunction(found.address);
    }
  }
  for (const name of ['schedule', 'vfs_write', 'panic', 'linux_banner']) addFunction(kernel.address(name));
  return wanted;
}

/** Whether a page belongs to a process: struct page.mapping with PAGE_MAPPING_ANON (include/linux/page-flags.h). */
function isUserPage(owner: Kernel, number: number): boolean {
  const page = owner.object('struct page', virtAddr(vmemmap + BigInt(number) * pageStruct));
  return (page.member('mapping').bigint() & 3n) === 1n;
}

const text = { start: kernel.address('_stext'), end: kernel.address('_etext') };
const textPages = {
  first: physical(text.start) / pageSize,
  last: Math.ceil(physical(virtAddr(text.end - 1n)) / pageSize),
};
const vmemmap = kernel.variable('vmemmap_base').bigint();
const pageStruct = BigInt(kernel.object('struct page', virtAddr(vmemmap)).size);
const wanted = wantedText();
const keep: number[] = [];
for (let number = 0; number < memory.maxPfn; number++) {
  if (memory.pageState(asPfn(number)) !== 'present') continue;
  const isText = number >= textPages.first && number < textPages.last;
  if (isText ? wanted.has(number) : !isUserPage(kernel, number)) keep.push(number);
}

// The header, sub header, notes and first bitmap stay as they are (makedumpfile's diskdump_mod.h).
const file = openSync(input, 'r');
const head = Buffer.alloc(512);
readSync(file, head, 0, head.length, 0);
const blockSize = head.readInt32LE(428);
const bitmapStart = (1 + head.readInt32LE(432)) * blockSize;
const bitmapBytes = head.readUInt32LE(436) * blockSize;
const front = Buffer.alloc(bitmapStart + bitmapBytes);
readSync(file, front, 0, front.length, 0);
closeSync(file);
front.writeUInt32LE(0x20, 424); // status: zstd
front.writeInt32LE(info.level | 8, blockSize + 8);
const dumped = front.subarray(bitmapStart + bitmapBytes / 2);
dumped.fill(0);

const descriptors = Buffer.alloc(keep.length * 24);
const parts: Buffer[] = [];
const known = new Map<string, number>();
let offset = front.length + descriptors.length;
for (const [i, number] of keep.entries()) {
  dumped[number >> 3]! |= 1 << (number & 7);
  const page = Buffer.from(memory.page(asPfn(number)));
  const packed = zstdCompressSync(page, {
    params: {
      [constants.ZSTD_c_compressionLevel]: 22,
      [constants.ZSTD_c_strategy]: constants.ZSTD_btultra2,
      [constants.ZSTD_c_minMatch]: 3,
    },
  });
  const compressed = packed.length < page.length;
  const data = compressed ? packed : page;
  // equal pages (zeroes, mostly) are written once
  const key = data.toString('latin1');
  let at = known.get(key);
  if (at === undefined) {
    at = offset;
    known.set(key, at);
    parts.push(data);
    offset += data.length;
  }
  descriptors.writeBigInt64LE(BigInt(at), i * 24);
  descriptors.writeUInt32LE(data.length, i * 24 + 8);
  descriptors.writeUInt32LE(compressed ? 0x20 : 0, i * 24 + 12);
}
writeFileSync(output, Buffer.concat([front, descriptors, ...parts]));
console.log(`${output}: ${keep.length} of ${info.pages.present} pages, ${(offset / 1024 / 1024).toFixed(1)} MiB`);
