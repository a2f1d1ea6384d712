// vtop, ptov, pte, btop, ptob: people take the addresses that these print to other tools.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NotFoundError, UsageError } from '../../src/base/errors.ts';
import { btop, ptob } from '../../src/commands/memory/btop.ts';
import { pte } from '../../src/commands/memory/pte.ts';
import { ptov } from '../../src/commands/memory/ptov.ts';
import { vtop } from '../../src/commands/memory/vtop.ts';
import { CommandKernel, lines } from '../support/command_kernel.ts';

const kernel = new CommandKernel('struct words { u64 w[8]; };', [0x1000n, 0x2000n]);
const words = kernel.allocate('struct words', 'words');

describe('wrong usage', () => {
  for (const [command, line] of [
    [btop, ''],
    [ptob, 'zz'],
    [ptov, ''],
    [ptov, 'nosuch'],
    [pte, 'x'],
    [vtop, ''],
    [vtop, '-u -k words'],
  ] as const) {
    test(`${command.name} "${line}" is refused`, () => assert.throws(() => kernel.run(command, line), UsageError));
  }
  test('an unknown symbol is named', () => assert.throws(() => kernel.run(vtop, 'nosuch'), NotFoundError));
  test('physical memory that the kernel has nowhere mapped has no address', () => {
    assert.throws(() => kernel.run(ptov, '7fffffff000'), NotFoundError);
    assert.throws(() => kernel.run(ptov, 'ffffffffffffffff'), NotFoundError);
  });
});

describe('conversions', () => {
  test('bytes to pages and back, as many as are given, to the end of 64 bits', () => {
    assert.deepEqual(lines(kernel.run(btop, '512a000 0x512afff ffffffffffffffff')), [
      '512a000: 512a',
      '512afff: 512a',
      'ffffffffffffffff: fffffffffffff',
    ]);
    // numbers of page frames are decimal where they can be, as in crash(8)
    assert.deepEqual(lines(kernel.run(ptob, '512a 0x10 10')), ['512a: 512a000', '10: 10000', 'a: a000']);
  });
  test('physical to virtual, in the linear map', () => {
    const physical = kernel.space.translate(words.address);
    assert.deepEqual(lines(kernel.run(ptov, physical.toString(16))), [
      'VIRTUAL           PHYSICAL        ',
      `${words.address.toString(16)}  ${physical.toString(16).padEnd(16)}`,
    ]);
  });
  test('per-CPU offset to each CPU’s copy', () => {
    assert.deepEqual(lines(kernel.run(ptov, '20:a')), [
      'PER-CPU OFFSET: 20',
      '  CPU    VIRTUAL',
      '  [0]  0000000000001020',
      '  [1]  0000000000002020',
    ]);
  });
});

describe('entries of page tables', () => {
  test('a page that is there, one that is not, and one that was swapped out', () => {
    assert.deepEqual(lines(kernel.run(pte, '8000000001000067 0 5f0200')), [
      '      PTE         PHYSICAL  FLAGS',
      '8000000001000067   1000000  (PRESENT|RW|USER|ACCESSED|DIRTY|NX)',
      'PTE  PHYSICAL  FLAGS',
      ' 0       0     (no mapping)',
      ' PTE      SWAP    OFFSET',
      '5f0200  (type 0)  1125899906830462',
    ]);
  });
});

describe('the way through the tables', () => {
  const view = {
    options: { user: false, kernel: false, tasks: null, addresses: [], header: false },
    radix: 10 as const,
  };
  const user = {
    address: 0x40_0123n,
    space: 'user',
    physical: 0x2e3_1123,
    problem: null,
    entries: [
      { level: 'PGD', entryAddress: 0x1fb1_a000, value: 0x1b5f_8067n },
      { level: 'PTE', entryAddress: 0x1b5f_a000, value: 0x8000_0000_02e3_1025n },
    ],
    top: null,
    pageSize: 4096,
    entry: {
      value: 0x8000_0000_02e3_1025n,
      present: true,
      physical: 0x2e3_1000,
      flags: ['PRESENT', 'NX'],
      swap: null,
      swapFile: null,
    },
    vma: { address: 0xffff_8880_0000_1000n, start: 0x40_0000n, end: 0x40_1000n, flags: 0x71n, file: '/bin/\x1b[31m' },
    fileOffset: null,
    page: {
      page: 0xffff_ea00_0000_8c40n,
      physical: 0x2e3_1000,
      mapping: 0xffff_8880_0000_2000n,
      index: 3n,
      count: 11,
      flags: 0x23cn,
      flagNames: ['referenced', 'lru'],
    },
  };
  const draw = (one: object, more = {}): string =>
    vtop.text.head(
      { tasks: [{ task: null, translations: [{ ...user, ...one }] }], physicalDigits: 8 } as never,
      { ...view, options: { ...view.options, ...more } } as never,
    );

  test('of a process: every entry, the VMA, the page; the name of its file made safe', () => {
    assert.equal(
      draw({}),
      `VIRTUAL     PHYSICAL        
400123      2e31123         

   PGD: 1fb1a000 => 1b5f8067
   PTE: 1b5fa000 => 8000000002e31025
  PAGE: 2e31000  

      PTE         PHYSICAL  FLAGS
8000000002e31025   2e31000  (PRESENT|NX)

      VMA           START       END     FLAGS FILE
ffff888000001000     400000     401000     71 /bin/\\x1b[31m

      PAGE       PHYSICAL      MAPPING       INDEX CNT FLAGS
ffffea0000008c40  2e31000 ffff888000002000        3 11 23c referenced,lru
`,
    );
  });
  test('of the kernel, to a large page', () => {
    const text = draw({
      space: 'kernel',
      address: 0xffff_8880_0000_0123n,
      top: 0xffff_8880_0100_0000n,
      pageSize: 2 ** 21,
      vma: null,
      page: null,
    });
    assert.match(text, /^ffff888000000123 {2}2e31123/m);
    assert.match(text, /PGD DIRECTORY: ffff888001000000\nPAGE DIRECTORY: 1b5f8067\n {3}PTE/);
    assert.match(text, /PAGE: 2e00000 {2}\(2MB\)/);
  });
  test('to nothing, and to a page on a swap device', () => {
    const missing = { physical: null, pageSize: null, vma: null, page: null };
    const swap = {
      value: 0x5f_0200n,
      present: false,
      physical: null,
      flags: [],
      swap: { type: 0, offset: 7n },
      swapFile: '/dev/zram0',
    };
    assert.match(draw({ ...missing, entry: swap }), /\n PTE {7}SWAP {5}OFFSET\n5f0200 {2}\/dev\/zram0 {7}7\n$/);
    assert.doesNotMatch(draw({ ...missing, entry: null }), /PAGE:|PTE {2}/);
    const file = draw({ ...missing, vma: user.vma, entry: null, fileOffset: 0x2000n });
    assert.match(file, /FLAGS FILE\n.*\n\nFILE: \/bin\/\\x1b\[31m {2}OFFSET: 2000\n\n$/);
    assert.match(draw({ ...missing, entry: null, problem: 'lost' }), /\n {2}lost\n$/);
  });
});
