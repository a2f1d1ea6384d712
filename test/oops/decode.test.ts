import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeIncident } from '../../src/oops/decode.ts';
import { findIncidents } from '../../src/oops/scanner.ts';
import type { Symbolizer } from '../../src/oops/symbolizer.ts';

const log = `BUG: kernel NULL pointer dereference, address: 0000000000000240
#PF: supervisor read access in kernel mode
Oops: 0000 [#1] PREEMPT SMP
CPU: 0 PID: 1 Comm: sh Not tainted 6.1.0 #1
RIP: 0010:widget_update+0xc/0x20 [widget]
Call Trace:
 <TASK>
 widget_write+0x17e/0x3e0 [widget]
 vfs_write+0xc7/0x3f0
 ? stale+0x1/0x10
 </TASK>
---[ end trace 0000000000000000 ]---
`;

/** Functions at 0x1000, 0x2000, ...; lines are told for the addresses that were asked for. */
const symbolizer: Symbolizer = {
  find: (name, module) => {
    const known: Record<string, { address: bigint; size: number }> = {
      'widget widget_update': { address: 0x1000n, size: 0x20 },
      'widget widget_write': { address: 0x2000n, size: 0x3e0 },
      ' vfs_write': { address: 0x3000n, size: 0x400 }, // another build
    };
    const found = known[`${module ?? ''} ${name}`];
    return found === undefined ? [] : [found];
  },
  source: (address) => {
    if (address === 0x100cn) return [{ file: 'w.c', line: 43 }];
    if (address === 0x217dn)
      return [
        { file: 'w.h', line: 5, function: 'widget_get' },
        { file: 'w.c', line: 94 },
      ];
    return [{ file: 'wrong.c', line: 1 }];
  },
};

test('frames get lines and the functions inlined there; those of another build get none', () => {
  const [incident] = findIncidents(log);
  const decoded = decodeIncident(incident!, symbolizer);
  assert.equal(decoded.instruction?.source, 'w.c:43');
  assert.equal(decoded.guilty?.source, 'w.c:43');
  assert.deepEqual(
    decoded.traces[0]!.frames.map(({ symbol, source, inline }) => [symbol, source, inline]),
    [
      ['widget_get', 'w.h:5', true],
      ['widget_write', 'w.c:94', false],
      ['vfs_write', null, false],
      ['stale', null, false],
    ],
  );
});

test('what the text tells of itself stays', () => {
  const [incident] = findIncidents(
    log.replace('widget_write+0x17e/0x3e0 [widget]', 'widget_write (drivers/w.c:90) widget'),
  );
  const decoded = decodeIncident(incident!, symbolizer);
  assert.equal(decoded.traces[0]!.frames[0]!.source, 'drivers/w.c:90');
});
