// Internet addresses as ip(8) and /proc show them.
import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { ipv4Text, ipv6Text } from '../../src/base/ip_address.ts';

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

test('IPv4', () => {
  assert.equal(ipv4Text(bytes('0a00020f')), '10.0.2.15');
});

test('IPv6: the longest run of zeroes is left out, the first of equal ones, never a single one', () => {
  assert.equal(ipv6Text(bytes('00'.repeat(16))), '::');
  assert.equal(ipv6Text(bytes('00000000000000000000000000000001')), '::1');
  assert.equal(ipv6Text(bytes('fe80000000000000505400fffe123456')), 'fe80::5054:ff:fe12:3456');
  assert.equal(ipv6Text(bytes('20010db8000000000001000000000001')), '2001:db8::1:0:0:1');
  assert.equal(ipv6Text(bytes('20010db8000000010001000100010001')), '2001:db8:0:1:1:1:1:1');
  assert.equal(ipv6Text(bytes('00000000000000000000ffff0a00020f')), '::ffff:10.0.2.15');
});

test('IPv6: whatever the bytes, an address', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (found) => isIPv6(ipv6Text(found))));
});
