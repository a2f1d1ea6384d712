import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { analyseLog } from '../../src/triage/analyse.ts';

const message = (...lines: string[]): string =>
  analyseLog(Buffer.from(`${lines.join('\n')}\n`), 'console.log').panic.message;

const death = (bug: string, rip: string, ...frames: string[]): string[] => [
  `[   39.100000] kernel BUG at ${bug}!`,
  '[   39.200000] Oops: invalid opcode: 0000 [#1] SMP NOPTI',
  '[   39.300000] CPU: 1 UID: 0 PID: 253 Comm: loader Not tainted 6.12.0 #1',
  `[   39.400000] RIP: 0010:${rip}`,
  '[   39.500000] RSP: 0018:ffffc90000a0bd48 EFLAGS: 00010246',
  '[   39.600000] RAX: 0000000000000066 RBX: ffff888004d19040 RCX: 0000000000000003',
  '[   39.700000] Call Trace:',
  '[   39.800000]  <TASK>',
  ...frames.map((frame) => `[   39.900000]  ${frame}`),
  '[   40.000000]  </TASK>',
  '[   40.100000] ---[ end trace 0000000000000000 ]---',
  '[   40.200000] Kernel panic - not syncing: Fatal exception',
];

describe('a check that failed says what it was for, and what it found', () => {
  test('a copy to a process, at the frame that was left, not at a leftover of the same function', () => {
    const said = message(
      "[   39.000000] usercopy: Kernel memory exposure attempt detected from SLUB object 'kmalloc-64' (offset 0, size 4000)!",
      '[   39.000000] ------------[ cut here ]------------',
      ...death(
        'mm/usercopy.c:102',
        'usercopy_abort+0x7a/0x7c',
        '__check_heap_object+0xeb/0x120',
        '? widget_read+0x12/0xa0 [widget]',
        '__check_object_size+0x1fa/0x220',
        'widget_read+0x60/0xa0 [widget]',
        'vfs_read+0xe6/0x560',
      ),
    );
    assert.match(
      said,
      /^A copy between the kernel and a process went beyond its object, and was refused \(kernel BUG at/,
    );
    assert.match(said, / in widget_read\+0x60 \[widget\]/);
    assert.match(said, /: usercopy: Kernel memory exposure .* size 4000\)\.$/);
  });

  test('a memory function, by the warning before it', () => {
    const said = message(
      '[   38.000000] ------------[ cut here ]------------',
      '[   38.100000] memset: detected buffer overflow: 400 byte write of buffer size 72',
      '[   38.200000] WARNING: CPU: 1 PID: 253 at lib/string_helpers.c:1036 __fortify_report+0x4d/0xa0',
      '[   38.300000] CPU: 1 UID: 0 PID: 253 Comm: loader Not tainted 6.12.0 #1',
      '[   38.400000] RIP: 0010:__fortify_report+0x50/0xa0',
      '[   38.500000] Call Trace:',
      '[   38.600000]  __fortify_panic+0xd/0xf',
      '[   38.700000]  widget_clear+0x1f/0x30 [widget]',
      '[   38.800000] ---[ end trace 0000000000000000 ]---',
      '[   39.000000] ------------[ cut here ]------------',
      ...death('lib/string_helpers.c:1044', '__fortify_panic+0xd/0xf', 'widget_clear+0x1f/0x30 [widget]'),
    );
    assert.match(said, /^A memory or string function would have gone beyond its buffer, and was stopped/);
    assert.match(said, /: memset: detected buffer overflow: 400 byte write of buffer size 72\.$/);
  });

  test('any other: what stood before it', () => {
    const said = message(
      '[   39.000000] widget: ring 3 has 9 entries',
      '[   39.000000] ------------[ cut here ]------------',
      ...death('drivers/widget/ring.c:44', 'widget_check+0x8/0x20 [widget]', 'widget_poll+0x1f/0x30 [widget]'),
    );
    assert.match(said, /^A check in the kernel failed \(kernel BUG at drivers\/widget\/ring\.c:44!\) in widget_check/);
  });
});
