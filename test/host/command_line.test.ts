import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crashkernelRequest, crashkernelSize, parseCrashkernel, valuesOf } from '../../src/host/command_line.ts';

const mib = 1024 * 1024;
const gib = 1024 * mib;

/** Megabytes that a value reserves on a machine; null where the kernel does not take it. */
function reserved(value: string, ram: number): number | null {
  const parsed = parseCrashkernel(value);
  return typeof parsed === 'string' ? null : crashkernelSize(parsed, ram) / mib;
}

test('sizes, ranges and offsets as the kernel takes them', () => {
  assert.equal(reserved('256M', gib), 256);
  assert.equal(reserved('64m@0x1000000', gib), 64);
  assert.equal(reserved('64M@16M', gib), 64);
  assert.equal(reserved('512M,high', gib), 512);
  assert.equal(reserved('2G-64G:256M,64G-:512M', 2 * gib), 256, 'the start of a range belongs to it');
  assert.equal(reserved('2G-64G:256M,64G-:512M', 64 * gib), 512, 'its end does not');
  assert.equal(reserved('2G-64G:256M,64G-:512M', gib), 0);
  assert.equal(reserved('64G-:512M,2G-64G:256M', 4 * gib), 256, 'in any order');
});

test('what the kernel does not take is told why', () => {
  for (const bad of ['', 'auto', '0', '256X', '64G-2G:1M', '1G-:', 'high', '256M,low,high', '2G-4G:256M,512M']) {
    assert.equal(typeof parseCrashkernel(bad), 'string', bad);
  }
});

test('of several the last of each kind counts, and a plain one hides a high one', () => {
  const { main, low, problems } = crashkernelRequest(
    'crashkernel=1G,high a crashkernel=128M,low crashkernel=2G,high',
    8 * gib,
  );
  assert.equal(main, 2 * gib);
  assert.equal(low, 128 * mib);
  assert.equal(problems.length, 1);
  assert.equal(crashkernelRequest('crashkernel=256M crashkernel=1G,high', 8 * gib).main, 256 * mib);
});

test('RAM is rounded up as the kernel does: a machine of 2 GiB less what firmware takes is one of 2G', () => {
  assert.equal(crashkernelRequest('crashkernel=2G-:256M', 2 * gib - 20 * mib).main, 256 * mib);
});

test('words in quotes stay together, and - is _ in names', () => {
  assert.deepEqual(valuesOf('a="b crashkernel=1M" crash-kernel=2 crashkernel=3M', 'crashkernel'), ['3M']);
  assert.deepEqual(valuesOf('nmi-watchdog=1 nmi_watchdog', 'nmi_watchdog'), ['1', '']);
});

test('no value makes it fail', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('1', 'G', 'M', '-', ':', ',', '@', '0x', 'high') }),
      (text) => void parseCrashkernel(text),
    ),
  );
});
