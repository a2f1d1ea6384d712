import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../src/base/errors.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { log } from '../../src/commands/system/log.ts';
import { ringbufferTypes, writeRingbuffer } from '../support/printk_writer.ts';
import { run } from '../support/run_command.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const types = `${ringbufferTypes}
  struct tk_read_base { u64 xtime_nsec; u32 shift; };
  struct timespec64 { s64 tv_sec; long tv_nsec; };
  struct timekeeper { struct tk_read_base tkr_mono; u64 xtime_sec; struct timespec64 wall_to_monotonic; s64 offs_boot; };
  struct list_head { struct list_head *next, *prev; };
  struct sk_buff { struct sk_buff *next; struct sk_buff *prev; unsigned char *data; };
  struct sk_buff_head { struct sk_buff *next; struct sk_buff *prev; };
`.replaceAll('unsigned char', 'u8');

function kernel(): { kernel: SyntheticKernel; run: (...args: string[]) => string } {
  const kernel = new SyntheticKernel(types);
  kernel.define('prb', 0xffff_ffff_8200_0000n);
  writeRingbuffer(kernel, 0xffff_ffff_8200_0000n, [
    { text: 'Linux version 6.12', ns: 0n, level: 5, caller: 0 },
    {
      text: 'two\nlines \x1b[2J',
      ns: 61_000_999_999n,
      level: 3,
      caller: 0x8000_0001,
      subsystem: 'usb',
      device: '+usb:1-1',
    },
  ]);
  return { kernel, run: (...args) => run(log, new CommandContext(kernel), args).text };
}

test('prints as dmesg does, further lines of a message under its text, control characters made harmless', () => {
  assert.equal(
    kernel().run(),
    '[    0.000000] Linux version 6.12\n[   61.000999] two\n               lines \\x1b[2J\n',
  );
});

test('-t leaves out the times, -m adds levels, -c callers, -d devices', () => {
  const { run } = kernel();
  assert.equal(run('-t'), 'Linux version 6.12\ntwo\nlines \\x1b[2J\n');
  assert.match(run('-m'), /^\[ {4}0\.000000\] <5>Linux/);
  assert.match(run('-tc'), /^\[ {6}T0\] Linux version 6\.12\n\[ {6}C1\] two\n {11}lines/);
  assert.match(run('-td'), /lines .*\nSUBSYSTEM=usb\nDEVICE=\+usb:1-1\n$/);
});

test('-R shows names of Rust functions as in their source', () => {
  const k = new SyntheticKernel(types);
  k.define('prb', 0xffff_ffff_8200_0000n);
  writeRingbuffer(k, 0xffff_ffff_8200_0000n, [{ text: ' _RNvC6kernel5probe+0x1/0x2' }]);
  assert.equal(run(log, new CommandContext(k), ['-tR']).text, ' kernel::probe+0x1/0x2\n');
});

test('-T adds the time of boot, which is the wall clock less the uptime', () => {
  const { kernel: k, run } = kernel();
  const clock = k.allocate('struct timekeeper', 'shadow_timekeeper');
  k.set(clock, 'xtime_sec', 1795232976);
  k.set(clock, 'wall_to_monotonic.tv_sec', -1795232900);
  assert.match(run('-T'), /^\[Sat Nov 21 03:48:20 UTC 2026\] Linux[^\n]*\n\[Sat Nov 21 03:49:21 UTC 2026\] two\n/);
});

test('-a shows what auditd had not fetched', () => {
  const { kernel: k, run } = kernel();
  const head = k.allocate('struct sk_buff_head', 'audit_queue');
  k.set(head, 'next', head);
  assert.equal(run('-a'), 'log: kernel audit log is empty\n');
  const skb = k.allocate('struct sk_buff');
  const data = k.reserve(64);
  const text = 'audit(1.2:3): op=x\x07';
  const message = Buffer.alloc(16 + text.length);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(1300, 4);
  message.write(text, 16, 'latin1');
  k.space.write(data, message);
  k.set(skb, 'data', data);
  k.set(skb, 'next', head);
  k.set(head, 'next', skb);
  assert.equal(run('-a'), 'type=1300 audit(1.2:3): op=x\\x07\n');
  k.set(skb, 'next', skb); // loops
  assert.equal(run('-a'), 'type=1300 audit(1.2:3): op=x\\x07\n');
});

test('arguments, and what this kernel does not have, are refused', () => {
  const { run } = kernel();
  assert.throws(() => run('file'), UsageError);
  assert.throws(() => run('-q'), UsageError);
  assert.throws(() => run('-s'), /safe_print_seq/);
  assert.throws(() => run('-a'), /audit_queue/);
});
