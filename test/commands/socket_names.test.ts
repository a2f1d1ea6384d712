import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wholeIpv6 } from '../../src/commands/network/socket_names.ts';

test('addresses of IPv6 with all their groups, as net -s has them', () => {
  for (const [short, whole] of [
    ['::', '0:0:0:0:0:0:0:0'],
    ['::1', '0:0:0:0:0:0:0:1'],
    ['fe80::', 'fe80:0:0:0:0:0:0:0'],
    ['fec0::5054:ff:fe12:3456', 'fec0:0:0:0:5054:ff:fe12:3456'],
    ['::ffff:10.0.2.15', '0:0:0:0:0:ffff:a00:20f'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
  ] as const)
    assert.equal(wholeIpv6(short), whole);
});
