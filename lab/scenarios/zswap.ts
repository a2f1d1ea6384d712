import { hold, preparingToHold } from '../held_words.ts';
import type { Scenario } from '../scenario.ts';

/** The allocator and the compressor that zswap has from now on: what it has by then keeps its own. */
const pool = (zpool: string, compressor: string): readonly string[] => [
  `[ -e $zswap/zpool ] && echo ${zpool} > $zswap/zpool`,
  `echo ${compressor} > $zswap/compressor`,
];

// Swap on a disk, and zswap before it: what processes hold went through every allocator and compressor that the kernel has,
// and nothing but zswap has it. Kernels without an allocator go on with the one before.
export default {
  name: 'zswap',
  about: 'swap on a disk behind zswap, in use, then sysrq-c',
  modules: ['zsmalloc', 'z3fold', 'lz4', 'zstd', 'deflate'],
  disk: 256,
  wholeKernel: true,
  setup: [
    'for m in zsmalloc z3fold lz4 zstd deflate; do load $m; done',
    'mkswap /dev/vdb >/dev/null; swapon /dev/vdb',
    'zswap=/sys/module/zswap/parameters',
    'echo Y > $zswap/enabled',
    'echo 0 > /proc/sys/vm/page-cluster', // what is read ahead is in the swap cache, and left out as page cache
    ...preparingToHold,
    ...pool('zbud', 'lzo'),
    ...hold('lzo'),
    ...pool('z3fold', 'zstd'),
    ...hold('zstd'),
    ...pool('zsmalloc', 'lz4'),
    ...hold('lz4'),
    ...pool('zsmalloc', 'deflate'),
    ...hold('deflate'),
    '',
  ].join('\n'),
  provoke: 'echo c > /proc/sysrq-trigger\n',
  dying: /sysrq triggered crash/,
  verdict: { kind: 'sysrq' },
} satisfies Scenario;
