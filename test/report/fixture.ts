// An analysis of a death that never was, with something nasty in every text that a dump could hold.
import type { Analysis, BacktraceFrame } from '../../src/triage/analysis.ts';
import { outputOf } from '../support/shown.ts';

export const nasty = '<b>\x1b[31m|`x`"\'&*_#\r';

const frame = (symbol: string | null, address: string, more: Partial<BacktraceFrame> = {}): BacktraceFrame => ({
  address,
  symbol,
  offset: symbol === null ? null : 0x1c,
  module: null,
  frameAddress: 'ff3efbbfc15b3d98',
  stack: 'task',
  reliable: true,
  registers: null,
  ...more,
});

export const analysis: Analysis = {
  dump: {
    files: ['vmcore'],
    format: 'kdump',
    description: 'kdump-compressed v6, zlib',
    compression: 'zlib',
    level: 31,
    complete: false,
    fileSize: 12_000_000,
    pages: { total: 1000, present: 400, lost: 7 },
    warnings: ['the file ends before its last page'],
  },
  kernel: {
    release: '6.12.0',
    version: '#1 SMP',
    arch: 'x86_64',
    nodename: nasty,
    crashTime: '2026-11-21T03:49:36Z',
    uptimeSeconds: 90061.5,
    loadAverage: [0.56, 0.13, 0.04],
    cpus: 2,
    memory: 512 * 1024 * 1024,
    tasks: 66,
    hardware: 'Board of directors, BIOS 1.0',
    commandLine: 'console=ttyS0 quiet',
    taint: [{ letter: 'O', meaning: 'an out-of-tree module was loaded' }],
    notes: [],
  },
  panic: {
    kind: 'null-pointer',
    title: 'BUG: unable to handle kernel NULL pointer dereference in frob',
    subject: '[6.12.0] BUG: unable to handle kernel NULL pointer dereference in frob [widget] (a1b2c3d4)',
    message: `NULL pointer: tried to read from address 240 in frob+0x1c [widget], run by ${nasty} (pid 42) on CPU 1.`,
    confidence: 'certain',
    because: 'the log says so',
    cpu: 1,
    pid: 42,
    comm: nasty,
    task: 'ff1459ed1bd920c0',
    rip: { address: 'ffffffffc04b300c', symbol: 'frob', offset: 0x1c, module: 'widget' },
    faultAddress: '0000000000000240',
    reason: null,
    culprit: null,
    signature: 'a1b2c3d4',
    source: 'log and memory',
  },
  registers: { rdx: '0000000000000000', rip: 'ffffffffc04b300c', cs: '0010', rsp: 'ff3efbbfc15b3d98' },
  registerNames: { rip: `the function ${nasty}` },
  blamedStack: {
    of: `${nasty} (pid 42)`,
    frames: [
      { address: '0xffffffffc04b300c', symbol: 'frob', name: 'frob', offset: 0x1c, module: 'widget', machinery: false },
      {
        address: '0xffffffffa8100000',
        symbol: 'vfs_write',
        name: 'vfs_write',
        offset: 0x50,
        module: null,
        machinery: true,
      },
    ],
  },
  backtrace: [
    frame('asm_exc_page_fault', 'ffffffffa8c00c02', {
      registers: { rip: 'ffffffffc04b300c', cs: '0000000000000010' },
    }),
    frame('frob', 'ffffffffc04b300c', { module: 'widget' }),
    frame(null, 'ffffffffc0999999', { reliable: false }),
    frame('entry_SYSCALL_64_after_hwframe', 'ffffffffa8c00126', {
      registers: { rip: '000000000047b7a0', cs: '0000000000000033' },
    }),
  ],
  stack: outputOf('bt -s', [
    { text: `PID: 42       TASK: ff1459ed1bd920c0  CPU: 1    COMMAND: "${nasty}"`, marked: false },
    { text: ' #0 [ff3efbbfc15b3d98] asm_exc_page_fault+34 at ffffffffa8c00c02', marked: false },
    { text: '    [exception RIP: frob+28]', marked: true },
  ]),
  source: {
    functions: [
      { name: 'widget_get', inlined: true, file: 'drivers/widget.h', line: 12 },
      { name: 'widget_write', inlined: false, file: 'drivers/widget.c', line: 94 },
    ],
    pointer: { expression: 'w->stats', type: 'struct stats *', member: 'hits', value: '0' },
    listing: null,
  },
  origin: {
    sentence: `rdx was loaded from ${nasty}, and that is NULL.`,
    confidence: 'likely',
    at: { address: '0xffffffffc04b300c', symbol: 'frob', offset: 0x1c, module: 'widget' },
    register: 'rdx',
    value: '0x0',
    address: '0x240',
    touched: null,
    end: 'memory',
    steps: [
      {
        kind: 'load',
        words: `frob+20 loaded rdx from ${nasty}.`,
        at: null,
        confidence: 'likely',
        command: null,
        shown: null,
      },
    ],
  },
  code: {
    ...outputOf('dis -r ffffffffc04b300c | tail -9', [
      { text: '0xffffffffc04b3000 <frob>:\tpush   %rbp', marked: false },
      { text: '0xffffffffc04b300c <frob+12>:\tmov    0x240(%rdx),%eax', marked: true },
    ]),
    after: outputOf('dis ffffffffc04b300c 6', [
      { text: '0xffffffffc04b300c <frob+12>:\tmov    0x240(%rdx),%eax', marked: true },
    ]),
  },
  findings: [
    {
      title: 'The instruction at frob+0x1c [widget] reads address 240: a NULL pointer',
      explanation: 'Its address is made of registers: rdx is 0.',
      confidence: 'certain',
      evidence: [
        {
          ...outputOf('bt 42', [
            { text: '```', marked: false },
            { text: '#0 frob', marked: false },
          ]),
          why: 'Where the exception came.',
          faults: [],
        },
      ],
    },
  ],
  next: [{ command: `rd ${nasty}`, why: `What ${nasty} holds.` }],
  considered: [],
  tasks: [
    {
      pid: 43,
      comm: 'waiter',
      task: 'ff1459ed1bd92000',
      state: 'UN',
      cpu: 0,
      role: 'blocked',
      waitsFor: {
        kind: 'mutex',
        address: 'ffffffffc05ce060',
        symbol: 'widget_lock',
        owner: { pid: 42, comm: 'sh' },
        held: 'by its owner',
        waiters: 3,
      },
      backtrace: [frame('schedule', 'ffffffffa8a0712a')],
      stack: outputOf('bt -s ff1459ed1bd92000', [
        { text: ' #0 [ff3efbbfc15b3d98] schedule+94 at ffffffffa8a0712a', marked: false },
      ]),
    },
  ],
  memory: {
    cgroup: null,
    total: 512 * 1024 * 1024,
    uses: [{ name: 'files in tmpfs and shared memory', bytes: 400 * 1024 * 1024 }],
    zones: [
      {
        node: 0,
        name: 'DMA32',
        managed: 512 * 1024 * 1024,
        free: 4096,
        min: 65536,
        high: 131072,
        largest: null,
      },
    ],
    tasks: [{ pid: 42, comm: 'sh', rss: 1024 * 1024 }],
    slabs: [{ name: 'dentry', address: 'ff1459ed00042000', bytes: 5000, objects: 20 }],
    tmpfs: [{ mountedOn: '', info: 'ff1459ed00043000', used: 4096, limit: 0 }],
  },
  incidents: [
    { kind: 'WARN', title: 'WARNING in frob', timestamp: 1.5, fatal: false, signature: '1' },
    { kind: 'null-pointer', title: 'BUG: x', timestamp: null, fatal: true, signature: '2' },
  ],
  log: { lines: ['[    1.000000] last words', `[    2.000000] ${nasty}`], omitted: 10 },
  modules: [
    { name: 'widget', size: 16384, taints: 'OE' },
    { name: 'virtio', size: 20480, taints: '' },
  ],
  explanation: {
    meaning: 'Code used a pointer that was NULL.',
    causes: ['an allocation that was not checked'],
    next: ['bt', 'dis -r frob+0x1c'],
  },
  settings: [{ name: 'kernel.panic_on_oops', value: null, meaning: 'an oops panics' }],
  disagreements: ['The log blames foo.'],
  faults: [
    {
      what: 'task list',
      code: 'memory-fault',
      reason: 'excluded',
      address: 'ff00',
      message: 'kernel address ff00: excluded',
    },
  ],
  droppedFaults: 3,
};
