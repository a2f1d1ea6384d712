// What skb_panic() prints, in words.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { analyseLog } from '../../src/triage/analyse.ts';
import { socketBufferWords } from '../../src/triage/socket_buffer.ts';

const over =
  'skbuff: skb_over_panic: text:ffffffffc061c35e len:4100 put:4000 head:ff2667c4818bb680 data:ff2667c4818bb680 tail:0x1004 end:0x140 dev:<NULL>';

describe('a socket buffer that more was put into than fits', () => {
  test('past its end, and before its data', () => {
    assert.equal(socketBufferWords(over), '4000 bytes were put into a socket buffer that had room for 220');
    assert.equal(
      socketBufferWords(
        'skb_under_panic: text:ffffffff8181 len:60 put:14 head:ffff888003a4d400 data:ffff888003a4d3f6 tail:0x32 end:0xc0 dev:eth0',
      ),
      '14 bytes were put before the data of a socket buffer of eth0 that had room for 4 there',
    );
  });

  test('addresses that are hidden, and figures that are none', () => {
    const hidden =
      'skb_under_panic: text:(ptrval) len:60 put:14 head:(____ptrval____) data:(____ptrval____) tail:0x32 end:0xc0 dev:<NULL>';
    assert.equal(
      socketBufferWords(hidden),
      '14 bytes were put before the data of a socket buffer that had less room there',
    );
    assert.equal(socketBufferWords('skb_over_panic: text:'), null);
    assert.equal(socketBufferWords('kernel BUG at net/core/skbuff.c:214!'), null);
  });

  test('the report says it, and blames who asked for it', () => {
    const lines = [
      over,
      '------------[ cut here ]------------',
      'kernel BUG at net/core/skbuff.c:214!',
      'Oops: invalid opcode: 0000 [#1] SMP NOPTI',
      'CPU: 0 UID: 0 PID: 313 Comm: sh Not tainted 7.2.13 #1',
      'RIP: 0010:skb_panic+0x55/0x57',
      'Call Trace:',
      ' <TASK>',
      ' skb_put.cold+0x10/0x10',
      ' frob_build+0xe/0x30 [frob]',
      ' vfs_write+0xe6/0x560',
      ' </TASK>',
      'Kernel panic - not syncing: Fatal exception',
    ];
    const { panic } = analyseLog(Buffer.from(lines.map((line) => `[   60.170000] ${line}\n`).join('')), 'log');
    assert.match(
      panic.message,
      /^4000 bytes were put into a socket buffer that had room for 220 \(kernel BUG .*\) in frob_build\+0xe \[frob\]/,
    );
  });
});
