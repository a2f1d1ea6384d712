// The clocks at the last tick: when it died, and how long it was up.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { ticks, tickUptime } from '../../src/kernel/jiffies.ts';
import { crashTime, ktime, readClocks } from '../../src/kernel/timekeeping.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const common = `
  struct timespec64 { long tv_sec; long tv_nsec; };
  struct tk_read_base { unsigned int mult; unsigned int shift; unsigned long xtime_nsec; };
`;
const keeper = `
  struct timekeeper {
    struct tk_read_base tkr_mono; struct tk_read_base tkr_raw; unsigned long xtime_sec;
    struct timespec64 wall_to_monotonic; long offs_boot;
  };
`;
/** 6.17: one of several clocks. */
const array = `${common}${keeper} struct tk_data { unsigned int seq; struct timekeeper timekeeper; };`;
/** Before 3.17: no read base, and times are a union. */
const oldest = `${common}
  union ktime { long tv64; };
  struct timekeeper {
    unsigned int shift; unsigned long xtime_nsec; unsigned long xtime_sec;
    struct timespec64 wall_to_monotonic; union ktime offs_boot;
  };
`;

/** 1,700,000,000.25 s since 1970; 1,000.25 s up, and 500 s of sleep besides. */
function set(kernel: SyntheticKernel, at: KernelObject): void {
  const base = at.has('tkr_mono') ? 'tkr_mono.' : '';
  kernel.set(at, 'xtime_sec', 1_700_000_000);
  kernel.set(at, `${base}shift`, 8);
  kernel.set(at, `${base}xtime_nsec`, 250_000_000n << 8n);
  kernel.set(at, 'wall_to_monotonic.tv_sec', BigInt.asUintN(64, -1_699_999_001n));
  kernel.set(at, 'wall_to_monotonic.tv_nsec', 1_000_000_000);
  kernel.set(at, at.member('offs_boot').has('tv64') ? 'offs_boot.tv64' : 'offs_boot', 500_000_000_000n);
}

const expected = {
  realtime: 1_700_000_000_250_000_000n,
  monotonic: 1_000_250_000_000n,
  boottime: 1_500_250_000_000n,
};

test('the clocks of kernels that have several, one in tk_core, and one of its own', () => {
  const newest = new SyntheticKernel(array);
  const clocks = newest.reserve(3 * newest.object('struct tk_data', 0n as never).size);
  const type = newest.type('struct tk_data');
  newest.define('timekeeper_data', clocks, 3 * newest.object(type, clocks).size, {
    kind: 'array',
    element: type,
    length: 3,
  });
  set(newest, newest.object('struct tk_data', clocks).member('timekeeper'));
  assert.deepEqual(readClocks(newest), expected);

  const core = new SyntheticKernel(array);
  set(core, core.allocate('struct tk_data', 'tk_core').member('timekeeper'));
  assert.deepEqual(readClocks(core), expected);

  for (const [types, name] of [
    [common + keeper, 'shadow_timekeeper'],
    [oldest, 'timekeeper'],
  ] as const) {
    const kernel = new SyntheticKernel(types);
    set(kernel, kernel.allocate('struct timekeeper', name));
    assert.deepEqual(readClocks(kernel), expected, name);
  }
});

test('a shift that no clock has is not followed, and what is missing is said', () => {
  const kernel = new SyntheticKernel(common + keeper);
  const at = kernel.allocate('struct timekeeper', 'shadow_timekeeper');
  set(kernel, at);
  kernel.set(at, 'tkr_mono.shift', 0xffff_ffff);
  assert.equal(readClocks(kernel).realtime, 1_700_000_000_000_000_000n);
  assert.throws(() => readClocks(new SyntheticKernel(common + keeper)), /shadow_timekeeper/);
  kernel.space.exclude(at.address);
  assert.throws(() => readClocks(kernel), /not in the dump|excluded/);
});

test('when it died: by the note of the panic, else by the last tick', () => {
  const types = common + keeper;
  const noted = new SyntheticKernel(types, 'CRASHTIME=1700000123\n');
  set(noted, noted.allocate('struct timekeeper', 'shadow_timekeeper'));
  assert.equal(crashTime(noted), 1_700_000_123);
  const silent = new SyntheticKernel(types);
  set(silent, silent.allocate('struct timekeeper', 'shadow_timekeeper'));
  assert.equal(crashTime(silent), 1_700_000_000);
});

test('a time is a number, and was a union', () => {
  const kernel = new SyntheticKernel('union ktime { long tv64; }; struct s { union ktime old; long new; };');
  const at = kernel.allocate('struct s');
  kernel.set(at, 'old.tv64', 5);
  kernel.set(at, 'new', 7);
  assert.deepEqual([ktime(at.member('old')), ktime(at.member('new'))], [5n, 7n]);
});

test('how often the timer ticks is the rate by which ticks and clocks agree; none where they do not', () => {
  for (const rate of [100, 250, 1000]) {
    const kernel = new SyntheticKernel(`${common}${keeper} struct count { unsigned long value; };`);
    set(kernel, kernel.allocate('struct timekeeper', 'shadow_timekeeper'));
    const count = kernel.allocate('struct count');
    kernel.define('jiffies_64', count.address, 8, kernel.object('struct count', count.address).member('value').type);
    kernel.set(count, 'value', 2 ** 32 - 300 * rate + 1000 * rate);
    assert.deepEqual([ticks(kernel)?.rate, tickUptime(kernel)], [rate, 1000]);
    kernel.set(count, 'value', 5);
    kernel.forget();
    assert.equal(tickUptime(kernel), null);
  }
});
