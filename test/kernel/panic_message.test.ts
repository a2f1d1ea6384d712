import assert from 'node:assert/strict';
import { test } from 'node:test';
import { panicMessage } from '../../src/kernel/panic_message.ts';
import type { LogRecord } from '../../src/kernel/printk_record.ts';

const records = (...texts: string[]): LogRecord[] =>
  texts.map((text, seq) => ({ seq, timestampNs: 0n, level: 0, facility: 0, caller: null, text, dict: {} }));

const deaths: readonly [wanted: string | null, ...log: string[]][] = [
  ['Kernel panic - not syncing: Fatal exception', 'Oops: 0000 [#1] SMP', 'Kernel panic - not syncing: Fatal exception'],
  [
    'Oops: 0002 [#1] PREEMPT SMP NOPTI',
    'BUG: kernel NULL pointer dereference, address: 0',
    'Oops: 0002 [#1] PREEMPT SMP NOPTI',
  ],
  ['kernel BUG at mm/slub.c:420!', 'kernel BUG at mm/slub.c:420!', 'invalid opcode: 0000 [#1] SMP'],
  ['sysrq: SysRq : Trigger a crash', 'sysrq: SysRq : Trigger a crash', 'Oops: 0002 [#1] SMP'],
  [
    'watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [sh:1]',
    'watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [sh:1]',
  ],
  [
    'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:',
    'usb 1-1: new device',
    'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:',
  ],
  ['INFO: task dd:42 blocked for more than 120 seconds.', 'INFO: task dd:42 blocked for more than 120 seconds.'],
  [
    'Oops: general protection fault, probably for non-canonical address 0xdead000000000122: 0000 [#1]',
    'Oops: general protection fault, probably for non-canonical address 0xdead000000000122: 0000 [#1]',
  ],
  ['Internal error: Oops: 0000000096000004 [#1] SMP', 'Internal error: Oops: 0000000096000004 [#1] SMP'],
  [null, 'Linux version 6.1', 'all is well'],
  [null],
];

for (const [wanted, ...log] of deaths) {
  test(`of ${JSON.stringify(log.at(-1) ?? 'an empty log')}: ${wanted}`, () => {
    assert.equal(panicMessage(records(...log)), wanted);
  });
}

test('a line within a message of several lines', () => {
  assert.equal(
    panicMessage(records('------------[ cut here ]------------\nkernel BUG at a.c:1!\nx')),
    'kernel BUG at a.c:1!',
  );
});
