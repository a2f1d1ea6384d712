// frames: how much of the machine's memory was what.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FormatError } from '../../src/base/errors.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { frames } from '../../src/commands/memory/frames.ts';
import { MemoryMap, pageShapes, vmemmap } from '../support/memory_map.ts';
import { run } from '../support/run_command.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

/** 4 MiB of memory: what is said of it below, and holes up to the end of the dump. */
function machine(): MemoryMap {
  const map = new MemoryMap(pageShapes['6.12']!)
    .page(0, 'reserved')
    .page(1, 'buffers')
    .page(2, 'slab')
    .compound(32, 3, 'slab')
    .compound(40, 2, 'anonymous')
    .freeBlock(512, 8)
    .freeBlock(768, 7);
  return map.addFlags(41, map.flag('hwpoison')).section(3, vmemmap | 3n);
}

const answered = (words: string[]) => run(frames, new CommandContext(machine().kernel), words);

describe('frames', () => {
  test('without a memory map says so', () => {
    const context = new CommandContext(new SyntheticKernel('struct page { int flags; };'));
    assert.throws(() => run(frames, context, []), FormatError);
  });
  test('sums by kind, the largest first', () => {
    assert.equal(
      answered([]).text.replace(/^none .*\n/m, ''),
      [
        'KIND         PAGES     MIB  SHARE',
        'kernel         497     1.9  48.5%',
        'free           256     1.0  25.0%',
        'offline        256     1.0  25.0%',
        'slab             9     0.0   0.9%  0.0 MiB in compound pages',
        'anonymous        4     0.0   0.4%  0.0 MiB in compound pages, 1 poisoned',
        'cache            1     0.0   0.1%',
        'reserved         1     0.0   0.1%',
        '',
      ].join('\n'),
    );
  });
  test('lists the runs, with blocks of one order as one', () => {
    assert.equal(
      answered(['-l']).text.replace(/^.*none\n/m, ''),
      [
        '   FIRST      LAST    PAGES  KIND',
        '       0         0        1  reserved',
        '       1         1        1  cache, private',
        '       2         2        1  slab',
        '       3        1f       29  kernel',
        '      20        27        8  slab, order 3, compound',
        '      28        28        1  anonymous, order 2, compound',
        '      29        29        1  anonymous, order 2, compound, poisoned',
        '      2a        2b        2  anonymous, order 2, compound',
        '      2c       1ff      468  kernel',
        '     200       2ff      256  free, order 8',
        '     300       3ff      256  offline',
        '',
      ].join('\n'),
    );
  });
});
