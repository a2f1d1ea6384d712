// The container of a dump, looked at whole: every page descriptor, every segment, and whether they contradict themselves.
import { count } from '../base/text.ts';
import type { ByteSource } from '../dump/byte_source.ts';
import { readUpTo } from '../dump/byte_source.ts';
import { probeElf, readElfCoreHeader } from '../dump/elf_header.ts';
import { PageDescriptors } from '../dump/kdump_descriptors.ts';
import { type KdumpHeader, kdumpFlags, readKdumpHeader } from '../dump/kdump_header.ts';
import { compressionOf } from '../dump/kdump_store.ts';
import { PageBitmap } from '../dump/page_bitmap.ts';

/** What is wrong with a container. */
export interface ContainerProblem {
  /** - `lost`: content that should be there is not     - `broken`: what is there contradicts itself */
  readonly kind: 'lost' | 'broken';
  /** In words: `17 page descriptors point outside the file`. */
  readonly problem: string;
}

/** Descriptors of which the places are compared with each other: 2 GiB of memory for more. */
const mostCompared = 1 << 27;

/** What is wrong with one file of a dump, without regard to what its pages hold. @throws FormatError, UnsupportedError */
export function checkContainer(source: ByteSource): ContainerProblem[] {
  const problems: ContainerProblem[] = [];
  if (probeElf(readUpTo(source, 0, 16))) checkElf(source, problems);
  else checkKdump(source, readKdumpHeader(source), problems);
  for (const warning of source.warnings) problems.push({ kind: 'lost', problem: warning });
  return problems;
}

function checkElf(source: ByteSource, problems: ContainerProblem[]): void {
  const { segments, flags, warnings } = readElfCoreHeader(source);
  for (const warning of warnings) problems.push({ kind: 'broken', problem: warning });
  if ((flags & 1) !== 0) problems.push({ kind: 'lost', problem: 'the header says that the dump is incomplete' });
  let outside = 0;
  for (let i = 0; i < segments.count; i++) {
    if (segments.fileOffset[i]! + segments.fileSize[i]! > source.size) outside++;
  }
  if (outside > 0) problems.push({ kind: 'lost', problem: `${count(outside, 'segment')} not whole in the file` });
  const shared = overlaps(segments.fileOffset.slice(0, segments.count), segments.fileSize.slice(0, segments.count));
  if (shared > 0) problems.push({ kind: 'broken', problem: `${count(shared, 'segment')} with bytes of another` });
}

function checkKdump(source: ByteSource, header: KdumpHeader, problems: ContainerProblem[]): void {
  const { maxMapnr, bitmap, blockSize, split, status } = header;
  if ((status & kdumpFlags.incomplete) !== 0) {
    problems.push({ kind: 'lost', problem: 'the header says that the dump is incomplete' });
  }
  if (bitmap.offset + bitmap.size > source.size) {
    problems.push({ kind: 'lost', problem: 'the bitmaps are not whole in the file' });
  }
  const two = maxMapnr <= (bitmap.size * 8) / 2;
  const dumped = new PageBitmap(source, bitmap.offset + (two ? bitmap.size / 2 : 0), maxMapnr);
  if (two) {
    const strangers = notIn(new PageBitmap(source, bitmap.offset, maxMapnr), dumped);
    if (strangers > 0) problems.push({ kind: 'broken', problem: `${count(strangers, 'page')} of no RAM` });
  }
  const [from, to] = [split?.startPfn ?? 0, split?.endPfn ?? maxMapnr];
  const pages = dumped.rank(to) - dumped.rank(from);
  const descriptors = new PageDescriptors(source, header.descriptors);
  const present = Math.min(pages, descriptors.available);
  const dataStart = header.descriptors + pages * 24;
  const counts = { never: 0, outside: 0, before: 0, impossible: 0 };
  const compared = Math.min(present, mostCompared);
  const [offsets, sizes] = [new Float64Array(compared), new Float64Array(compared)];
  let known = 0;
  for (let i = 0; i < present && descriptors.find(i); i++) {
    const { offset, size, flags } = descriptors;
    if (offset === 0) counts.never++;
    else if (size === 0 || size > blockSize || compressionOf(flags) === null) counts.impossible++;
    else if (offset + size > source.size) counts.outside++;
    else if (offset < dataStart) counts.before++;
    else if (known < compared) {
      offsets[known] = offset;
      sizes[known++] = size;
    }
  }
  const add = (kind: ContainerProblem['kind'], number: number, what: string): void => {
    if (number > 0) problems.push({ kind, problem: `${count(number, 'page descriptor')} ${what}` });
  };
  add('lost', pages - present, 'not in the file');
  add('lost', counts.never, 'of pages that were never written');
  add('lost', counts.outside, 'of data that is not in the file');
  add('broken', counts.before, 'that point into the headers');
  add('broken', counts.impossible, 'that are impossible');
  add('broken', overlaps(offsets.subarray(0, known), sizes.subarray(0, known)), 'of data that is another page’s');
}

/** How many bits of `some` are not in `all`. */
function notIn(all: PageBitmap, some: PageBitmap): number {
  let strangers = 0;
  for (const { start, end } of some.runsWithin(0, some.length))
    strangers += end - start - (all.rank(end) - all.rank(start));
  return strangers;
}

/** How many ranges begin within another. Ranges that are the same are one: pages of zeroes share theirs. */
function overlaps(offsets: Float64Array, sizes: Float64Array): number {
  let isSorted = true;
  for (let i = 1; i < offsets.length && isSorted; i++) isSorted = offsets[i - 1]! <= offsets[i]!;
  const order = Uint32Array.from(offsets, (_, i) => i);
  if (!isSorted) order.sort((a, b) => offsets[a]! - offsets[b]!);
  let found = 0;
  let [start, end] = [-1, -1];
  for (const i of order) {
    if (sizes[i] === 0) continue;
    if (offsets[i]! < end && !(offsets[i] === start && offsets[i]! + sizes[i]! === end)) found++;
    if (offsets[i]! + sizes[i]! > end || offsets[i] !== start)
      [start, end] = [offsets[i]!, Math.max(end, offsets[i]! + sizes[i]!)];
  }
  return found;
}
