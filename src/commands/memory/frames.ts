// frames: what the machine's page frames were used for.
import { pfn } from '../../base/address.ts';
import { FormatError } from '../../base/errors.ts';
import { type PageKind, type PageUseRun, pageFrames, pageKinds } from '../../kernel/page_kind.ts';
import { type Answer, defineStream } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { flag, type Options } from '../params.ts';

export interface FramesHead {
  /** Bytes in a page. */
  readonly pageSize: number;
  /** Page frames looked at, from 0 on. */
  readonly frames: number;
}

/** Page frames [first, first + count) of one use. */
export type FramesItem = PageUseRun;

/** Page frames of one kind. */
export interface FramesOfKind {
  readonly kind: PageKind;
  readonly frames: number;
  /** Of these, in compound pages: large folios, huge pages, slabs of several pages. */
  readonly compound: number;
  readonly poisoned: number;
}

export interface FramesTail {
  /** Kinds that there are. */
  readonly kinds: readonly FramesOfKind[];
}

const params = { list: flag('l', 'every run of page frames of one use, by page frame number (hexadecimal)') };

export const frames = defineStream({
  name: 'frames',
  help: {
    summary: "what the machine's page frames were used for",
    description: `Reads every struct page and counts page frames by what they were used for:

  free        in the page allocator; pages that CPUs keep aside for themselves are the kernel's
  slab        slab caches
  cache       page cache, tmpfs and shared memory
  anonymous   of processes, in small or transparent huge pages
  hugetlb     huge pages of hugetlbfs, used or not
  table       page tables
  reserved    never given to the page allocator: firmware, the kernel's image, the memory map
  offline     given back to a hypervisor, or taken offline
  unaccepted  not yet accepted from the hypervisor
  kernel      anything else that the kernel allocated: stacks, vmalloc, per-CPU memory, modules, drivers
  none        has no struct page, or none that the dump has`,
    examples: [
      ['frames', 'how much memory was what'],
      ['frames -l | grep slab', 'where the slabs lie'],
    ],
  },
  unlimited: true,
  params,
  items: 'runs',
  collect: collectFrames,
  text: {
    head: (_head, { options }) => (options.list ? '   FIRST      LAST    PAGES  KIND\n' : ''),
    item: (run) => runText(run),
    tail: ({ kinds }, { options }, { pageSize }) => (options.list ? '' : summary(kinds, pageSize)),
  },
});

function collectFrames(
  { kernel }: CommandContext,
  { list }: Options<typeof params>,
): Answer<FramesHead, FramesItem, FramesTail> {
  const classifier = pageFrames(kernel);
  if (classifier === null) throw new FormatError('memory map', 'the dump does not tell where it is');
  const { pageSize, maxPfn } = kernel.dump.memory;
  // the memory map ends with a section
  const { pagesPerSection } = classifier.model;
  const end = Math.ceil(maxPfn / pagesPerSection) * pagesPerSection;
  function* runs(): Generator<FramesItem, FramesTail, void> {
    const counts = new Map<PageKind, { frames: number; compound: number; poisoned: number }>();
    for (const run of classifier!.runs(pfn(0), pfn(end))) {
      const sum = counts.get(run.kind) ?? { frames: 0, compound: 0, poisoned: 0 };
      sum.frames += run.count;
      if (run.compound) sum.compound += run.count;
      if (run.poisoned) sum.poisoned += run.count;
      counts.set(run.kind, sum);
      if (list) yield run;
    }
    const kinds = pageKinds.flatMap((kind) => {
      const sum = counts.get(kind);
      return sum === undefined ? [] : [{ kind, ...sum }];
    });
    return { kinds: kinds.toSorted((a, b) => b.frames - a.frames) };
  }
  return { head: { pageSize, frames: end }, items: runs() };
}

function runText({ first, count, kind, order, compound, private: hasPrivate, poisoned }: FramesItem): string {
  const more = [
    ...(order > 0 ? [`order ${order}`] : []),
    ...(compound ? ['compound'] : []),
    ...(hasPrivate ? ['private'] : []),
    ...(poisoned ? ['poisoned'] : []),
  ];
  const range = `${first.toString(16).padStart(8)}  ${(first + count - 1).toString(16).padStart(8)}`;
  return `${range}  ${String(count).padStart(7)}  ${[kind, ...more].join(', ')}\n`;
}

function summary(kinds: readonly FramesOfKind[], pageSize: number): string {
  const mib = (frames: number): string => ((frames * pageSize) / 1024 ** 2).toFixed(1);
  const total = kinds.reduce((sum, { kind, frames }) => sum + (kind === 'none' ? 0 : frames), 0);
  const rows = kinds.map(({ kind, frames, compound, poisoned }) => [
    kind,
    String(frames),
    mib(frames),
    kind === 'none' || total === 0 ? '' : `${((100 * frames) / total).toFixed(1)}%`,
    [
      ...(compound > 0 ? [`${mib(compound)} MiB in compound pages`] : []),
      ...(poisoned > 0 ? [`${poisoned} poisoned`] : []),
    ].join(', '),
  ]);
  const columns = ['KIND', 'PAGES', 'MIB', 'SHARE'];
  const widths = columns.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]): string =>
    `${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i] ?? 0))).join('  ')}`.trimEnd();
  return `${[columns, ...rows].map(line).join('\n')}\n`;
}
