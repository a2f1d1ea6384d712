// The parts that every command stands on, in this process, warm: processor time of one operation.
import type { Pfn } from '../src/base/address.ts';
import type { KernelSymbol } from '../src/debuginfo/symbol.ts';
import { openDump } from '../src/dump/open.ts';
import { findVmcoreinfo } from '../src/dump/vmcoreinfo_search.ts';
import type { Kernel } from '../src/kernel/kernel.ts';
import { openKernel } from '../src/kernel/open_kernel.ts';

export interface Part {
  readonly what: string;
  readonly value: string;
  /** The bar and whether it holds; null where there is none. */
  readonly bar: { readonly text: string; readonly holds: boolean } | null;
}

const repeats = 9;

export function measureParts(path: string): Part[] {
  const kernel = openKernel(openDump([path]));
  const { memory, info } = kernel.dump;
  const parts: Part[] = [];
  const add = (what: string, value: string, bar: Part['bar'] = null) => parts.push({ what, value, bar });

  add('open the dump', `${(timeOf(() => openDump([path]).close()) * 1e3).toFixed(2)} ms`);

  const frames = presentFrames(kernel, 2000);
  const perPage = (timeOf(() => readAll(openDump([path]).memory, frames)) / frames.length) * 1e6;
  const barOfPage = { text: 'under 15 us', holds: perPage < 15 };
  add(`read and decompress a page (${info.compression})`, `${perPage.toFixed(1)} us`, barOfPage);

  const few = frames.slice(0, 16);
  readAll(memory, few);
  const cached = (timeOf(() => times(100, () => readAll(memory, few))) / few.length / 100) * 1e9;
  add('a page out of the cache', `${cached.toFixed(0)} ns`);

  const scanned = frames.slice(0, 256);
  const resident = residentMemory(memory, scanned);
  const scan = timeOf(() => times(20, () => findVmcoreinfo(resident))) / 20;
  const rate = (scanned.length * memory.pageSize) / scan / 1e9;
  add('scan of decompressed memory', `${rate.toFixed(1)} GB/s`, { text: 'over 10 GB/s', holds: rate > 10 });

  const { kernel: symbols } = kernel.symbols;
  if (symbols !== null) {
    const known: KernelSymbol[] = [];
    const step = Math.max(1, Math.floor(symbols.count / 1000));
    for (let i = 0; i < symbols.count; i += step) {
      const symbol = symbols.symbol(i);
      if (symbol !== null && symbols.at(symbol.address) !== null) known.push(symbol);
    }
    const addEach = (what: string, job: (symbol: KernelSymbol) => unknown) => {
      const seconds = timeOf(() => {
        for (const symbol of known) job(symbol);
      });
      add(what, `${((seconds / known.length) * 1e6).toFixed(2)} us`);
    };
    addEach('read at a virtual address', ({ address }) => kernel.space.isReadable(address));
    addEach('symbol by name', ({ name }) => symbols.find(name));
    addEach('symbol by address', ({ address }) => symbols.at(address));
  }

  const open = timeOf(() => openKernel(openDump([path])).type('struct task_struct'));
  add('open, symbols, BTF, one type', `${(open * 1e3).toFixed(1)} ms`);
  return parts;
}

/** Seconds of processor time, the least of some runs: a busy machine disturbs that least. */
export function timeOf(job: () => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < repeats; i++) {
    const start = process.cpuUsage();
    job();
    const { user, system } = process.cpuUsage(start);
    least = Math.min(least, (user + system) / 1e6);
  }
  return least;
}

function times(count: number, job: () => unknown): void {
  for (let i = 0; i < count; i++) job();
}

/** Page frames that the dump has, spread over all of it; in ascending order. */
function presentFrames(kernel: Kernel, count: number): Pfn[] {
  const { memory } = kernel.dump;
  const all: Pfn[] = [];
  for (const { first, count } of memory.presentRuns(0 as Pfn, memory.maxPfn as Pfn)) {
    for (let i = 0; i < count; i++) all.push((first + i) as Pfn);
  }
  const step = Math.max(1, Math.floor(all.length / count));
  return all.filter((_, i) => i % step === 0).slice(0, count);
}

function readAll(memory: Kernel['dump']['memory'], frames: readonly Pfn[]): void {
  for (const frame of frames) memory.page(frame);
}

/** Memory of nothing but some pages, decompressed: what a search sees of pages it has already read. */
function residentMemory(memory: Kernel['dump']['memory'], frames: readonly Pfn[]): Kernel['dump']['memory'] {
  const pages = frames.map((frame) => memory.page(frame).slice());
  const together = new Uint8Array(Buffer.concat(pages));
  const { pageSize } = memory;
  return {
    pageSize,
    maxPfn: pages.length,
    pageState: (frame) => (frame < pages.length ? 'present' : 'not-in-dump'),
    page: (frame) => pages[frame]!,
    read: (address, into) => into.set(pages[Math.floor(address / pageSize)]!.subarray(0, into.length)),
    setExcludedPageJudge: () => undefined,
    ramRanges: () => [{ start: 0 as never, end: (pages.length * pageSize) as never }],
    work: memory.work,
    forget: () => undefined,
    presentRuns: () => [{ first: 0 as Pfn, count: pages.length }],
    scan: (_from, _to, visit) => void visit(0 as Pfn, together),
  };
}
