// What each page frame was used for: inquest's `frames` and the guest's own /proc/kpageflags.
import { asJson } from '../answers.ts';
import type { Fact } from '../fact.ts';

/** Bits of /proc/kpageflags (include/uapi/linux/kernel-page-flags.h). */
const bits = {
  lru: 5n,
  slab: 7n,
  buddy: 10n,
  anonymous: 12n,
  swapcache: 13n,
  swapbacked: 14n,
  head: 15n,
  tail: 16n,
  huge: 17n,
  hwpoison: 19n,
  nopage: 20n,
  thp: 22n,
  offline: 23n,
  zeroPage: 24n,
  pageTable: 26n,
  reserved: 32n,
  private: 35n,
} as const;

/** What the guest's flags of a page frame mean, in inquest's words. */
function kindOf(flags: bigint): string {
  const has = (bit: keyof typeof bits): boolean => ((flags >> bits[bit]) & 1n) !== 0n;
  const compound = has('head') || has('tail');
  const kind = (): string => {
    if (has('nopage')) return 'none';
    if (has('huge')) return 'hugetlb';
    if (has('buddy')) return 'free';
    if (has('slab')) return 'slab';
    if (has('offline')) return 'offline';
    if (has('pageTable')) return 'table';
    if (has('anonymous')) return 'anonymous';
    // tails of a huge page have no flags of their own on older kernels
    if (has('lru') || (has('swapcache') && has('swapbacked')) || (has('thp') && !has('zeroPage'))) return 'cache';
    return has('reserved') ? 'reserved' : 'kernel';
  };
  const found = kind();
  return [
    found,
    ...(compound && found !== 'free' ? ['compound'] : []),
    ...(found === 'cache' && has('private') && !has('tail') ? ['private'] : []),
    ...(has('hwpoison') ? ['poisoned'] : []),
  ].join(' ');
}

interface Run {
  readonly first: number;
  readonly end: number;
  readonly what: string;
}

/** What comes and goes while a kernel idles; anything else stays what it is. */
const transient = new Set(['free', 'slab', 'cache', 'anonymous', 'table', 'kernel']);
/** Page frames that may change hands between the picture and the crash: 32 MiB. */
const idleMoves = 8192;

export const pageFrames: Fact = {
  name: 'what page frames are used for',
  commands: [`frames -l${asJson}`],
  compare(world, [text = ''], tally) {
    const guest = guestRuns(world.picture.text('kpageflags'));
    // newer kernels (7.2) say nothing of frames without a page, as of many of the kernel's own
    const tellsHoles = guest.some(({ what }) => what === 'none');
    if (guest.length === 0) return; // a kernel without CONFIG_PROC_PAGE_MONITOR, or an older picture
    const ours = answeredRuns(text);
    let moved = 0;
    let next = 0;
    for (const { first, end, what } of guest) {
      for (let at = first; at < end; ) {
        while (next < ours.length && ours[next]!.end <= at) next++;
        const own = ours[next];
        const said = own === undefined || own.first > at ? 'nothing' : own.what;
        const until = Math.min(end, own === undefined ? end : own.first > at ? own.first : own.end);
        const count = until - at;
        const isHole = what === 'none' || (what === 'kernel' && !tellsHoles);
        if (said === what || (isHole && (said === 'offline' || said === 'none'))) tally.same(count);
        else if (isHole && said === 'reserved')
          tally.moved('no memory: the memory map goes on to the end of its section', count);
        else if (mayBecome(what, said)) {
          moved += count;
          tally.moved('the page was freed, taken or given to another use', count);
        } else if (world.scenario.moves !== undefined && transient.has(what.split(' ')[0]!) && /^hugetlb/.test(said)) {
          // a pool of huge pages that was made larger
          tally.moved(world.scenario.moves, count);
        } else
          tally.fault(
            `frames ${at.toString(16)} to ${(until - 1).toString(16)}: the guest said ${what}, the dump ${said}`,
          );
        at = until;
      }
    }
    if (moved > idleMoves && world.scenario.moves === undefined)
      tally.fault(`${moved} page frames are something else than at the picture`);
  },
};

function mayBecome(before: string, after: string): boolean {
  const [was = '', is = ''] = [before, after].map((what) => what.split(' ')[0]);
  return transient.has(was) && transient.has(is) && before.includes('poisoned') === after.includes('poisoned');
}

/** Lines `FIRST COUNT FLAGS`, all hexadecimal. */
function guestRuns(text = ''): Run[] {
  return [...text.matchAll(/^([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+)$/gm)].map(([, first, count, flags]) => {
    const start = Number.parseInt(first ?? '', 16);
    return { first: start, end: start + Number.parseInt(count ?? '', 16), what: kindOf(BigInt(`0x${flags}`)) };
  });
}

interface Answered {
  readonly first: number;
  readonly count: number;
  readonly kind: string;
  readonly compound: boolean;
  readonly private: boolean;
  readonly poisoned: boolean;
  readonly order: number;
}

function answeredRuns(text: string): Run[] {
  const line = text.split('\n').find((line) => line.startsWith('{'));
  if (line === undefined) return [];
  const { data } = JSON.parse(line) as { data: { runs: readonly Answered[] } };
  return data.runs.flatMap((run) => {
    const { first, count, kind, compound, poisoned } = run;
    const what = (own: boolean): string =>
      [kind, ...(compound ? ['compound'] : []), ...(own ? ['private'] : []), ...(poisoned ? ['poisoned'] : [])].join(
        ' ',
      );
    if (!run.private || !compound) return [{ first, end: first + count, what: what(run.private) }];
    // the guest says it of a large folio's head alone
    const size = 2 ** run.order;
    return Array.from({ length: count / size }, (_, i) => first + i * size).flatMap((head) => [
      { first: head, end: head + 1, what: what(true) },
      { first: head + 1, end: head + size, what: what(false) },
    ]);
  });
}
