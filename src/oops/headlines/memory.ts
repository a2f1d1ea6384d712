// What memory management announces: mm/oom_kill.c, mm/page_alloc.c, mm/slub.c, mm/kmemleak.c; file systems' errors.
import { stable } from '../stable_text.ts';
import { number, type Rule } from './headline.ts';

export const memoryRules: readonly Rule[] = [
  {
    pattern: /^(.{1,64}) invoked oom-killer: (.{0,300})/,
    make: (m) => ({ kind: 'out-of-memory', title: 'Out of memory', comm: m[1] }),
  },
  {
    pattern:
      /^(?:[Mm]emory cgroup )?[Oo]ut of [Mm]emory(?: \([^)]{0,60}\))?: [Kk]ill(?:ed)? process (\d{1,10}),? \(?(.{1,64}?)\)?(?:[ ,]|$)/,
    make: (m) => ({ kind: 'out-of-memory', title: 'Out of memory', comm: m[2], pid: number(m[1]), traceless: true }),
  },
  {
    pattern: /^BUG: Bad page (state|map|cache)\b(?: in process (.{1,64}?) {1,3}p(?:fn|te):)?/,
    make: (m) => ({
      kind: 'bad-page-state',
      title: m[1] === 'state' ? 'BUG: Bad page state in %F' : `BUG: Bad page ${m[1]} in %F`,
      comm: m[2],
    }),
  },
  {
    // fs/super.c: generic_shutdown_super()
    pattern: /^VFS: Busy inodes after unmount of /,
    make: () => ({ kind: 'BUG', title: 'VFS: Busy inodes after unmount (use-after-free)', traceless: true }),
  },
  {
    // fs/open.c: filp_close()
    pattern: /^VFS: Close: file count is (?:zero|0)/,
    make: () => ({ kind: 'BUG', title: 'VFS: Close: file count is zero (use-after-free)', traceless: true }),
  },
  {
    pattern: /^sysfs: cannot create duplicate filename /,
    make: () => ({ kind: 'WARN', title: 'sysfs: cannot create duplicate filename in %F', strong: false }),
  },
  {
    pattern:
      /^XFS \(.{1,40}\): Internal error (\S{1,80}) at line \d{1,7} of file (\S{1,200})\. {1,4}Caller (\S{1,200})/,
    make: (m) => ({ kind: 'filesystem', title: 'XFS: internal error in %F', file: m[2], frame: m[3] }),
  },
  {
    pattern: /^BUG: Dentry .{1,200} still in use \(-?\d{1,10}\) \[unmount of (\S{1,40})/,
    make: (m) => ({ kind: 'BUG', title: `BUG: Dentry still in use [unmount of ${m[1]}] in %F` }),
  },
  {
    pattern: /^BUG: (Bad rss-counter state|non-zero \w{1,24} on freeing mm)/,
    make: (m) => ({ kind: 'bad-rss-counter', title: `BUG: ${m[1]}`, traceless: true }),
  },
  {
    pattern: /^BUG:? ([\w:.+@/-]{1,80}) \((?:Not tainted|Tainted:?[^)]{0,60})\): (.{1,120}?)\s*$/,
    make: (m) => ({ kind: 'slab-corruption', title: `BUG ${m[1]}: ${m[2]} in %F` }),
  },
  {
    pattern: /^slab error in (?:\w{1,80})\(\): cache [`'](\S{1,80})': (.{1,120})$/,
    make: (m) => ({ kind: 'slab-corruption', title: `slab error in ${m[1]}: ${stable(m[2]!)} in %F`, strong: false }),
  },
  {
    pattern: /^kmem_cache_destroy \S{1,80}: Slab cache still has objects/,
    make: () => ({ kind: 'slab-corruption', title: 'kmem_cache_destroy: objects remain in %F', strong: false }),
  },
  {
    pattern: /^(?:pagealloc|page_poison(?:ing)?): (single bit error|memory corruption)/,
    make: (m) => ({ kind: 'bad-page-state', title: `pagealloc: ${m[1]} in %F`, strong: false }),
  },
  {
    pattern: /^\S{1,80}\.[ch]:\d{1,7}: bad (p[mu4g]d) \S{1,40}\(/,
    make: (m) => ({ kind: 'bad-page-state', title: `bad ${m[1]}`, traceless: true }),
  },
  {
    pattern: /^Slab corruption\b.{0,20}?: (\S{1,80}) start=/,
    make: (m) => ({ kind: 'slab-corruption', title: `Slab corruption: ${m[1]} in %F`, traceless: true }),
  },
  {
    pattern: /^BUG: memory leak\b/,
    make: () => ({ kind: 'memory-leak', title: 'memory leak in %F' }),
  },
  {
    pattern: /^unreferenced object (?:0x)?[0-9a-f]{4,16} \(size \d{1,12}\):/,
    make: () => ({ kind: 'memory-leak', title: 'memory leak in %F' }),
  },
  {
    pattern: /^kmemleak: \d{1,9} new suspected memory leaks?\b/,
    make: () => ({ kind: 'memory-leak', title: 'memory leak', traceless: true }),
  },
];
