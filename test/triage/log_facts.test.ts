// A log without a dump: weighed as a dump is, and of its addresses none is shown that is not its own.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { shownLines } from '../../src/commands/shown.ts';
import { wholeReport } from '../../src/report/document.ts';
import { renderReport } from '../../src/report/render.ts';
import { analyseLog } from '../../src/triage/analyse.ts';

const report = (...lines: string[]) => analyseLog(Buffer.from(`${lines.join('\n')}\n`), 'console.log');

const oops = [
  '[   18.074815] BUG: kernel NULL pointer dereference, address: 0000000000000240',
  '[   18.074970] #PF: supervisor read access in kernel mode',
  '[   18.075048] #PF: error_code(0x0000) - not-present page',
  '[   18.075799] Oops: Oops: 0000 [#1] SMP NOPTI',
  '[   18.076107] CPU: 1 UID: 0 PID: 1554 Comm: sh Tainted: G           OE       7.2.13 #1',
  '[   18.076665] RIP: 0010:widget_sum+0xc/0x20 [widget]',
  '[   18.076808] Code: 90 90 0f 1f 44 00 00 48 8b 17 48 63 47 08 <48> 03 82 40 02 00 00 c3 cc cc cc cc 90 90',
  '[   18.077078] RSP: 0018:ff5a5e4382587d18 EFLAGS: 00000246',
  '[   18.077164] RAX: 0000000000000003 RBX: 000000000000002a RCX: 0000000000000003',
  '[   18.077261] RDX: 0000000000000000 RSI: 000000000000002a RDI: ff3febb9c27beeb0',
  '[   18.077799] CS:  0010 DS: 0000 ES: 0000 CR0: 0000000080050033',
  '[   18.078127] Call Trace:',
  '[   18.078238]  <TASK>',
  '[   18.078319]  widget_write+0x1a6/0x420 [widget]',
  '[   18.078562]  vfs_write+0xe6/0x560',
  '[   18.079457]  entry_SYSCALL_64_after_hwframe+0x76/0x7e',
  '[   18.080579]  </TASK>',
  '[   18.080643] Modules linked in: widget(OE) virtio_net',
  '[   18.081000] Kernel panic - not syncing: Fatal exception',
];

describe('a report on a log alone', () => {
  test('the sentence is that of a dump: the Code line is decoded, the registers tell the address', () => {
    const { panic, findings, next, faults, kernel } = report(...oops);
    assert.equal(
      panic.message,
      'NULL pointer: tried to read from address 0x240 (rdx is 0) in widget_sum+0xc [widget], run by sh (pid 1554) on CPU 1.',
    );
    assert.deepEqual([panic.confidence, panic.because, panic.source], ['certain', 'the log says so', 'log']);
    assert.match(findings[0]!.title, /reads address 0x240: a NULL pointer/);
    assert.deepEqual([next, faults, kernel.release], [[], [], '7.2.13']);
  });

  test('the code that the log shows is disassembled, as far as it is of that function', () => {
    const { code } = report(...oops);
    assert.deepEqual(
      code === null ? null : shownLines(code).map(({ text, marked }) => `${marked ? '> ' : ''}${text}`),
      [
        '<widget_sum+0>:\tnopl (%rax,%rax)',
        '<widget_sum+5>:\tmov (%rdi),%rdx',
        '<widget_sum+8>:\tmovslq 0x8(%rdi),%rax',
        '> <widget_sum+12>:\tadd 0x240(%rdx),%rax',
        '<widget_sum+19>:\tret',
        '<widget_sum+20>:\tint3',
        '<widget_sum+21>:\tint3',
        '<widget_sum+22>:\tint3',
        '<widget_sum+23>:\tint3',
      ],
    );
    assert.equal(report(...oops.filter((line) => !line.includes('Code:'))).code, null);
  });

  test('no address that stands for a function is shown', () => {
    const analysis = report(...oops);
    assert.doesNotMatch(JSON.stringify(analysis), /ffffa0000/);
    for (const format of ['text', 'markdown', 'html', 'json'] as const) {
      const text = renderReport(analysis, format, { colour: false, width: 100 }, { ...wholeReport, why: true });
      assert.match(text, /widget/);
      assert.doesNotMatch(text, /undefined|ffffa0000/, format);
    }
  });

  test('what faulted while the kernel was dying follows the first death', () => {
    const { panic } = report(
      '[    1.000000] Kernel panic - not syncing: widget lost',
      '[    1.000001] CPU: 0 UID: 0 PID: 7 Comm: sh Not tainted 7.2.13 #1',
      '[    1.000002] Call Trace:',
      '[    1.000003]  <TASK>',
      '[    1.000004]  panic+0x344/0x3a0',
      '[    1.000005]  widget_write+0x28/0x30 [widget]',
      '[    1.000006]  vfs_write+0xe6/0x560',
      '[    1.000007]  </TASK>',
      '[    1.000008] Kernel Offset: 0x20400000 from 0xffffffff81000000 (relocation range: 0xffffffff80000000-0xffffffffbfffffff)',
      ...oops
        .slice(0, -1)
        .map((line) => line.replace('18.', ' 2.').replace('CPU: 1', 'CPU: 0').replace('PID: 1554', 'PID: 7'))
        .flatMap((line) =>
          line.includes('vfs_write')
            ? ['[    2.078319]  notifier_call_chain+0x30/0x50', '[    2.078320]  panic+0x344/0x3a0', line]
            : [line],
        ),
    );
    assert.match(panic.message, /^The kernel called panic\(\): widget lost/);
    assert.match(
      panic.message,
      /Then, while the kernel was dying, the notifier widget_write \[widget\] faulted in widget_sum\+0xc \[widget\], by address 0x240\.$/,
    );
  });

  test('a machine that nothing is known of costs the registers, not the report', () => {
    const { panic } = report(
      'Unable to handle kernel access to user memory without uaccess routines at virtual address 0000000000000000',
      'Oops [#1]',
      'CPU: 0 PID: 1 Comm: sh Not tainted 7.2.13 #1',
      'epc : widget_sum+0xc/0x20',
      ' ra : widget_write+0x10/0x20',
      'Kernel panic - not syncing: Fatal exception',
    );
    assert.match(panic.message, /widget|address/);
  });

  test('a text in which nobody died has no verdict', () => {
    assert.equal(report('[    1.0] hello').panic.kind, 'unknown');
  });
});

test('arm64: the link register is where the CPU went, so it returned there', () => {
  const text = [
    'Unable to handle kernel paging request at virtual address bfff414141414141',
    'Mem abort info:',
    '  ESR = 0x0000000086000004',
    'Internal error: Oops: 0000000086000004 [#1]  SMP',
    'CPU: 0 UID: 0 PID: 261 Comm: sh Not tainted 7.2.0 #1',
    'pstate: 61400005 (nZCv daif +PAN -UAO -TCO +DIT -SSBS BTYPE=--)',
    'pc : 0xbfff414141414141',
    'lr : 0xffff414141414141',
    'sp : ffff80008064bac0',
    'x29: ffff80008064bac0 x28: fff0000003e75c80 x27: 0000000000000000',
    'Call trace:',
    ' 0xbfff414141414141 (P)',
    ' widget_write+0x50/0x80 [widget]',
    '---[ end trace 0000000000000000 ]---',
    'Kernel panic - not syncing: Oops: Fatal exception',
  ].map((line, i) => `[    5.00${i.toString().padStart(4, '0')}] ${line}\n`);
  const { panic } = analyseLog(Buffer.from(text.join('')), 'console.log');
  assert.match(
    panic.message,
    /^The CPU returned to address 0xffff414141414141, the text "AAAAAA", which was not signed .* widget_write\+0x50 \[widget\]/,
  );
});
