// What a dump would hold and take at each level, before it is written: every frame is counted by its kind, and a sample
// of each kind's pages is compressed.
import { pfn } from '../base/address.ts';
import type { PageCompression } from '../dump/dump.ts';
import { dumpLevel, takenByLevel } from '../kernel/dump_level.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { type PageKind, type PageUse, pageFrames, pageUse } from '../kernel/page_kind.ts';
import { compressor, isZero } from './compress.ts';
import { machineFacts } from './save.ts';

/** Page frames of one use, and what a sample of them says of all. */
export interface KindEstimate {
  readonly kind: PageKind;
  /** Page cache with private data. */
  readonly private: boolean;
  readonly poisoned: boolean;
  readonly pages: number;
  /** Part of them that is all zeroes, 0 to 1. */
  readonly zeroes: number;
  /** Bytes that a page takes, compressed, if it is not all zeroes. */
  readonly packed: number;
  /** Pages that were looked at. */
  readonly sampled: number;
}

export interface Estimate {
  readonly pageSize: number;
  /** Page frames of RAM that the source describes. */
  readonly ram: number;
  readonly compression: PageCompression;
  readonly kinds: readonly KindEstimate[];
  /** By level, 0 to 31. */
  readonly levels: readonly LevelEstimate[];
}

export interface LevelEstimate {
  readonly level: number;
  readonly pages: number;
  /** Bytes of a kdump-compressed dump. */
  readonly bytes: number;
  /** Seconds on one thread, by how long the sample took; to read and to write comes on top. */
  readonly seconds: number;
}

/** Pages of each kind that are looked at. */
const sampleSize = 2500;
/** Frames classified at a time. */
const atOnce = 65536;
const descriptorSize = 24;

/**
 * Estimates what a save would write.
 * @throws FormatError where the kernel does not tell what its pages were used for; Cancelled
 */
export function estimate(kernel: Kernel, compression: PageCompression): Estimate {
  const { memory } = kernel.dump;
  const counts = countWords(kernel);
  const samples = new Map([...counts].map(([word, pages]) => [word, new Sample(pages)]));
  samplePages(kernel, compression, samples);
  const kinds = [...samples].map(([word, sample]): KindEstimate => {
    const { kind, private: hasPrivate, poisoned } = pageUse(word);
    return {
      kind,
      private: hasPrivate,
      poisoned,
      pages: counts.get(word)!,
      zeroes: sample.zeroes / Math.max(1, sample.looked),
      packed: sample.bytes / Math.max(1, sample.looked - sample.zeroes),
      sampled: sample.looked,
    };
  });
  const seconds = [...samples.values()].reduce((sum, sample) => sum + sample.seconds, 0);
  const looked = [...samples.values()].reduce((sum, sample) => sum + sample.looked - sample.zeroes, 0);
  const facts = machineFacts(kernel, 0);
  const fixed = (3 + 2 * Math.ceil(memory.maxPfn / 8 / memory.pageSize)) * memory.pageSize + facts.notes.length;
  const levels = Array.from({ length: 32 }, (_, level): LevelEstimate => {
    let [pages, bytes, packed] = [0, fixed, 0];
    for (const kind of kinds) {
      if (takenByLevel(asUse(kind), level)) continue;
      const full = kind.pages * (1 - kind.zeroes);
      pages += kind.pages;
      packed += full;
      bytes += kind.pages * descriptorSize + full * kind.packed;
      if ((level & dumpLevel.zero) === 0) bytes += (kind.pages - full) * zeroPageBytes(compression, memory.pageSize);
    }
    return { level, pages, bytes: Math.round(bytes), seconds: (packed * seconds) / Math.max(1, looked) };
  });
  const ram = memory
    .ramRanges()
    .reduce((sum, { start, end }) => sum + Math.ceil(end / memory.pageSize) - Math.floor(start / memory.pageSize), 0);
  return { pageSize: memory.pageSize, ram, compression, kinds, levels };
}

function asUse({ kind, private: hasPrivate, poisoned }: KindEstimate): PageUse {
  return { kind, order: 0, tail: false, compound: false, private: hasPrivate, poisoned };
}

function zeroPageBytes(compression: PageCompression, pageSize: number): number {
  const size = compressor(compression)(new Uint8Array(pageSize), new Uint8Array(pageSize));
  return size === 0 ? pageSize : size;
}

/** Bits of a word that say what a page is, less how it lies in its block: kind, private data, broken. */
const useOnly = 0x0c0f;

/** How many frames there are of each use, by word. */
function countWords(kernel: Kernel): Map<number, number> {
  const counts = new Float64Array(useOnly + 1);
  for (const { words, count } of wordsOf(kernel)) {
    for (let i = 0; i < count; i++) counts[words[i]! & useOnly]!++;
  }
  return new Map([...counts.entries()].filter(([, count]) => count > 0));
}

/** The use of every frame that is present, a stretch at a time; the array is used again. Without types all are `none`. */
function* wordsOf(kernel: Kernel): Generator<{ first: number; words: Uint16Array; count: number }> {
  const frames = pageFrames(kernel);
  const words = new Uint16Array(atOnce);
  const { memory } = kernel.dump;
  for (const run of memory.presentRuns(pfn(0), pfn(memory.maxPfn))) {
    for (let done = 0; done < run.count; done += atOnce) {
      const count = Math.min(atOnce, run.count - done);
      frames?.classify(pfn(run.first + done), count, words);
      yield { first: run.first + done, words, count };
    }
  }
}

/** What was found in some pages of a kind. */
class Sample {
  /** Every n-th page of the kind is looked at. */
  readonly step: number;
  seen = 0;
  looked = 0;
  zeroes = 0;
  bytes = 0;
  seconds = 0;

  constructor(pages: number) {
    this.step = Math.max(1, Math.floor(pages / sampleSize));
  }
}

function samplePages(kernel: Kernel, compression: PageCompression, samples: ReadonlyMap<number, Sample>): void {
  const { memory } = kernel.dump;
  const compress = compressor(compression);
  const [zeroes, into] = [new Uint8Array(memory.pageSize), new Uint8Array(memory.pageSize)];
  for (const { first, words, count } of wordsOf(kernel)) {
    for (let i = 0; i < count; i++) {
      const sample = samples.get(words[i]! & useOnly)!;
      if (sample.seen++ % sample.step !== 0) continue;
      if (takenByLevel(pageUse(words[i]!), 0)) continue; // must not be read
      memory.scan(
        pfn(first + i),
        pfn(first + i + 1),
        (_, page) => {
          sample.looked++;
          if (isZero(page, zeroes)) {
            sample.zeroes++;
            return true;
          }
          const start = performance.now();
          const size = compress(page, into);
          sample.seconds += (performance.now() - start) / 1000;
          sample.bytes += size === 0 ? memory.pageSize : size;
          return true;
        },
        () => undefined,
      );
    }
  }
}
