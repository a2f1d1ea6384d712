// The lab's strictest fact: the kernel's own call trace. What it would let pass, a wrong backtrace could be.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { callTrace, parseLastTrace } from '../../lab/facts/call_trace.ts';
import { compared, counts, pictureOf } from './world.ts';

const kallsyms = [
  'ffffffff81000000 T way_null\t[perish]',
  'ffffffff81000100 T vfs_write',
  'ffffffff81000200 T entry',
  'ffffffff81000300 T asm_exc_page_fault',
  '',
].join('\n');

/** A kernel's log, each line with its time. */
const logged = (...lines: string[]) => lines.map((line, i) => `[    9.00000${i % 10}] ${line}\n`).join('');

const header = 'CPU: 1 UID: 0 PID: 77 Comm: my sh Kdump: loaded Tainted: G           OE      6.12.1 #1  Debian';
const userRegisters = [
  'RIP: 0033:0x4b0642',
  'RSP: 002b:00007ffe2aca8e80 EFLAGS: 00000202 ORIG_RAX: 0000000000000001',
  'RAX: ffffffffffffffda RBX: 000000001f9383a8 RCX: 00000000004b0642',
  'R13: 0000000000000007 R09: 0000000000000000',
];
const oops = logged(
  'CPU: 0 PID: 5 Comm: earlier Not tainted 6.12.1 #1',
  'Call Trace:',
  ' entry+0x1/0x2',
  header,
  'RIP: 0010:way_null+0xb/0x20 [perish]',
  'RSP: 0018:ff4c11dac050fb80 EFLAGS: 00000246',
  'RAX: 0000000000000003 RBX: 000000000000002a RCX: c0000000ffffefff',
  'Call Trace:',
  ' <TASK>',
  ' ? vfs_write+0x99/0x100',
  ' vfs_write+0x10/0x100',
  ' entry+0x8/0x20',
  ...userRegisters,
  ' </TASK>',
);
const bt = [
  'PID: 77       TASK: ff38ee0d5c85c180  CPU: 1    COMMAND: "my sh"',
  ' #0 [ff4c11dac050fa10] asm_exc_page_fault at ffffffff81000322',
  '    [exception RIP: way_null+11]',
  '    RIP: ffffffff8100000b  RSP: ff4c11dac050fb80  RFLAGS: 00000246',
  '    RAX: 0000000000000003  RBX: 000000000000002a  RCX: c0000000ffffefff',
  ' #1 [ff4c11dac050fb80] vfs_write at ffffffff81000110',
  ' #2 [ff4c11dac050ff50] entry at ffffffff81000208',
  '    RIP: 00000000004b0642  RSP: 00007ffe2aca8e80  RFLAGS: 00000202',
  '    RAX: ffffffffffffffda  RBX: 000000001f9383a8  RCX: 00000000004b0642',
  '    R13: 0000000000000007   R9: 0000000000000000',
  '',
].join('\n');

describe('the call trace at death', () => {
  it('equals bt: who and where, each frame from the fault on, each register', (test) => {
    const tally = compared(callTrace, pictureOf(test, { kallsyms }), [bt, oops]);
    assert.deepEqual(tally.faults, []);
    assert.deepEqual(counts(tally), [3 + 3 + 4 + 6, 0, 0]);
  });

  for (const [what, from, to, wrong] of [
    ['another task', 'PID: 77 ', 'PID: 78 ', 1],
    ['another CPU', 'CPU: 1 ', 'CPU: 0 ', 1],
    ['another name', '"my sh"', '"my"', 1],
    ['another return address', '81000110', '81000111', 1],
    ['a frame too few', / #2.*\n/, '', 1],
    ['a frame too many', / #2/, ' #2 [ff4c11dac050ff50] entry at ffffffff81000208\n #3', 1],
    ['another place of the fault', /RIP: ffffffff8100000b/, 'RIP: ffffffff8100000c', 1],
    ['a register from a slot beside its own', 'RBX: 000000000000002a', 'RBX: 0000000000000003', 1],
    ['registers taken from another stack', 'RSP: 00007ffe2aca8e80', 'RSP: 00007ffe2aca8e88', 6],
  ] as const) {
    it(`calls ${what} wrong`, (test) => {
      const tally = compared(callTrace, pictureOf(test, { kallsyms }), [bt.replace(from, to), oops]);
      assert.equal(tally.wrong, wrong, tally.faults.join('\n'));
    });
  }

  it('ends where the oops does: without a capture kernel its first lines come again', (test) => {
    const more = logged(
      '---[ end trace 0000000000000000 ]---',
      'RIP: 0010:way_null+0xb/0x20 [perish]',
      'RAX: 0000000000000003',
    );
    const tally = compared(callTrace, pictureOf(test, { kallsyms }), [bt, oops + more]);
    assert.deepEqual([tally.faults, tally.wrong], [[], 0]);
  });

  it('lets the dump have frames that the kernel only guessed, and no others', (test) => {
    const more = bt.replace(/ #2/, ' #2 [ff4c11dac050ff50] lost at ffffffff81000408\n #3');
    const guessing = oops.replace(/( <TASK>\n)/, `$1${logged(' ? lost+0x8/0x20').trimEnd()}\n`);
    const picture = pictureOf(test, { kallsyms });
    assert.deepEqual(
      [oops, guessing].map((log) => compared(callTrace, picture, [more, log]).wrong),
      [1, 0],
    );
  });

  it('lets the kernel be surer of a frame than the dump, and less sure of the last ones', (test) => {
    const picture = pictureOf(test, { kallsyms });
    const guessed = bt.replace(' #1 [ff4c11dac050fb80] ', '$&? ');
    const lost = oops.replace(' entry+0x8', ' ? entry+0x8');
    const pairs = [
      [guessed, oops],
      [bt, lost],
      [guessed.replace('81000110', '81000111'), oops],
    ];
    assert.deepEqual(
      pairs.map((pair) => compared(callTrace, picture, pair).wrong),
      [0, 0, 1],
    );
  });

  it('lets the dump tell the caller that a return probe keeps', (test) => {
    const probed = oops.replace(' vfs_write+0x10/0x100', ' trampoline+0x20/0x20');
    assert.deepEqual(compared(callTrace, pictureOf(test, { kallsyms }), [bt, probed]).faults, []);
  });

  it('knows a function of a module that came after the picture by its name', (test) => {
    const picture = pictureOf(test, { kallsyms: kallsyms.replace(/.*way_null.*\n/, '') });
    const other = bt.replace('way_null', 'way_other');
    assert.deepEqual(
      [bt, other].map((text) => compared(callTrace, picture, [text, oops]).wrong),
      [0, 1],
    );
  });

  it('begins behind panic(), which prints from another place than it dies at', () => {
    const log = logged(
      header,
      'Call Trace:',
      ' dump_stack_lvl+0x44/0x5c',
      ' vpanic+0x1/0x2',
      ' panic+0x118/0x2f4',
      ' way_panic+0x1a/0x20 [perish]',
    );
    assert.deepEqual(
      parseLastTrace(log)?.entries.map(({ name }) => name),
      ['way_panic'],
    );
  });

  it('says nothing of frames where the kernel only guessed, and of registers that are zeros', (test) => {
    const log = logged(header, 'Call Trace:', ' ? vfs_write+0x10/0x100', 'RIP: 0000:0x0', 'RSP: 0000:0000000000000000');
    assert.deepEqual(counts(compared(callTrace, pictureOf(test, { kallsyms }), [bt, log])), [3, 0, 0]);
  });

  it('counts each call of a recursion, and what an NMI interrupted once', (test) => {
    const log = logged(header, 'RIP: 0010:vfs_write+0x1/0x100', ' vfs_write+0x10/0x100', ' vfs_write+0x10/0x100');
    const rip = '    [exception RIP: vfs_write+1]\n    RIP: ffffffff81000101  RSP: ff4c11dac050fb80\n';
    const again = '--- <NMI exception stack> ---\n #1 [ff4c11dac050fb80] vfs_write at ffffffff81000101\n';
    const call = (n: number) => ` #${n} [ff4c11dac050fb90] vfs_write at ffffffff81000110\n`;
    const frames = (...parts: string[]) =>
      compared(callTrace, pictureOf(test, { kallsyms }), [`${bt.split('\n')[0]}\n${parts.join('')}`, log]).wrong;
    assert.equal(frames(rip, again, call(2), call(3)), 0);
    assert.equal(frames(rip, again, call(2)), 1);
    assert.equal(frames(rip, again, call(2), call(3), call(4)), 1);
  });
});

describe('the call trace of arm64', () => {
  const symbols = [
    'ffff800080010000 T way_null\t[perish]',
    'ffff800080010100 T vfs_write',
    'ffff800080010200 T el0t_64_sync',
    'ffff800080010300 T el1h_64_sync',
    'ffff800080010400 T memcpy',
    '',
  ].join('\n');
  const log = logged(
    'CPU: 1 UID: 0 PID: 77 Comm: my sh Not tainted 6.12.1-arm64 #1',
    'pc : memcpy+0x8/0x20',
    'lr : way_null+0x10/0x20 [perish]',
    'sp : ffff80008002ba40',
    'x29: ffff80008002ba40 x28: ffff29a0829f3780 x27: 0000000000000000',
    'x11: 0000000000000003 x10: 0000000000000002 x9 : 0000000000000001',
    'Call trace:',
    ' memcpy+0x8/0x20 (P)',
    ' vfs_write+0x10/0x100',
    ' el0t_64_sync+0x20/0x100',
  );
  const shown = [
    'PID: 77       TASK: ffff29a0829f3780  CPU: 1    COMMAND: "my sh"',
    ' #0 [ffff80008002ba20] el1h_64_sync at ffff80008001030c',
    '     PC: ffff800080010408  [memcpy+8]',
    '     LR: ffff800080010010  [way_null+16]',
    '     SP: ffff80008002ba40  PSTATE: 40000005',
    '    X29: ffff80008002ba40  X28: ffff29a0829f3780  X27: 0000000000000000',
    '    X11: 0000000000000003  X10: 0000000000000002   X9: 0000000000000001',
    ' #1 [ffff80008002ba40] memcpy at ffff800080010408',
    ' #2 [ffff80008002ba40] way_null at ffff80008001000c [perish]',
    ' #3 [ffff80008002ba60] vfs_write at ffff80008001010c',
    ' #4 [ffff80008002bfe0] el0t_64_sync at ffff80008001021c',
    '     PC: 000000000044a7cc   LR: 00000000004ba534   SP: 0000fffff9d14b70',
    '',
  ].join('\n');

  for (const [what, from, to, wrong] of [
    ['equals bt, but for a caller that only lr tells', '', '', 0],
    ['is wrong with another address of a call', '8001010c', '80010110', 1],
    ['is wrong with a frame too many that lr does not tell', 'at ffff80008001000c', 'at ffff800080010008', 1],
    ['is wrong with a frame too few', / #3.*\n/, '', 1],
    ['is wrong with a register from another slot', 'X9: 0000000000000001', 'X9: 0000000000000002', 1],
  ] as const) {
    it(what, (test) => {
      const picture = pictureOf(test, { kallsyms: symbols });
      const tally = compared(callTrace, picture, [shown.replace(from, to), log], { machine: 'aarch64' });
      assert.equal(tally.wrong, wrong, tally.faults.join('\n'));
      if (wrong === 0) assert.deepEqual(counts(tally), [3 + 3 + 7, 0, 0]);
    });
  }
});
