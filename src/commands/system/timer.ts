// timer: what is to happen at a point in time.
import type { VirtAddr } from '../../base/address.ts';
import { escapeLine, hex16 } from '../../base/text.ts';
import { type HrtimerBase, hrtimerBase } from '../../kernel/hrtimer.ts';
import { readJiffies, ticks } from '../../kernel/jiffies.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { readClocks } from '../../kernel/timekeeping.ts';
import { type TimerBase, timerBases } from '../../kernel/timer.ts';
import { center, centerRight } from '../columns.ts';
import { defineStream } from '../command.ts';
import { flag, valued, values } from '../params.ts';
import { addressName } from './address_name.ts';

/** A timer. Times are decimal text: jiffies of the timer wheel, or nanoseconds of the clock. */
export interface TimerEntry {
  /** Virtual address of the `struct timer_list` or `struct hrtimer`. */
  readonly address: VirtAddr;
  /** When it may run; null for timers of the wheel, which have one time alone. */
  readonly softExpires: string | null;
  readonly expires: string;
  /** Time until it expires; negative for one that is late. */
  readonly left: string;
  readonly function: VirtAddr;
  /** The function's name; null where no symbol has it. */
  readonly name: string | null;
}

/** A base of the timer wheel. */
export interface WheelRow {
  readonly kind: 'wheel';
  readonly cpu: number;
  /** The first of its CPU's. */
  readonly first: boolean;
  readonly base: string;
  readonly address: VirtAddr;
  readonly timers: readonly TimerEntry[];
}

/** High-resolution timers of a CPU. */
export interface HrtimerRow {
  readonly kind: 'hrtimers';
  readonly cpu: number;
  readonly address: VirtAddr;
  readonly clocks: readonly {
    readonly index: number;
    readonly address: VirtAddr;
    /** The function that reads the clock. */
    readonly clock: string;
    /** The clock's time by the count of ticks, nanoseconds, decimal. */
    readonly current: string;
    readonly timers: readonly TimerEntry[];
  }[];
}

export type TimerItem = WheelRow | HrtimerRow;

export interface TimerHead {
  /** The count of ticks, decimal; null where it cannot be read. */
  readonly jiffies: string | null;
  /** CLOCK_MONOTONIC at the last tick, nanoseconds, decimal; null where it cannot be read. */
  readonly monotonic: string | null;
}

export const timer = defineStream({
  name: 'timer',
  help: {
    summary: 'timers that are armed',
    description: `Timers in the order in which they expire, of each base of each CPU: when, how long until then (TTE; negative for
one that is late), its address and its function. Those of the timer wheel go by jiffies. A CPU may have several bases:
for timers that may run on any CPU (BASE_GLOBAL), on this one alone (BASE_LOCAL), and for those that do not wake a CPU
(BASE_DEF). High-resolution timers go by nanoseconds of the clock that is named; CURRENT is that clock's time by the
count of ticks, which runs a fraction of a second behind the clock.`,
    examples: [
      ['timer', 'is a driver’s timer armed, and for when?'],
      ['timer -r -C 0', 'is CPU 0’s tick late?'],
    ],
  },
  params: {
    high: flag('r', 'high-resolution timers'),
    cpus: valued('C', 'cpus', values.cpus, 'of these CPUs alone'),
  },
  items: 'bases',
  collect({ kernel }, { high, cpus }) {
    const { faults } = kernel;
    const of = cpus ?? kernel.cpus.running;
    const jiffies = faults.attempt('jiffies', () => readJiffies(kernel), null);
    const monotonic = faults.attempt('clocks', () => readClocks(kernel).monotonic, null);
    return {
      head: { jiffies: jiffies?.toString() ?? null, monotonic: monotonic?.toString() ?? null } satisfies TimerHead,
      items: high ? hrtimerRows(kernel, of) : wheelRows(kernel, of, jiffies ?? 0n),
    };
  },
  text: {
    head: ({ jiffies }, { options }) => (options.high ? '' : `${'JIFFIES'.padEnd(10)}\n${jiffies ?? '(unknown)'}\n`),
    item: (item, _view, _head, index) =>
      item.kind === 'wheel' ? wheelText(item) : `${index === 0 ? '' : '\n'}${hrtimersText(item)}`,
  },
});

function* wheelRows(kernel: Kernel, cpus: readonly number[], now: bigint): Generator<TimerItem, null> {
  for (const cpu of cpus) {
    for (const [index, base] of timerBases(kernel, cpu).entries()) yield wheelRow(kernel, base, index === 0, now);
  }
  return null;
}

function wheelRow(kernel: Kernel, { cpu, name, address, timers }: TimerBase, first: boolean, now: bigint): WheelRow {
  return {
    kind: 'wheel',
    cpu,
    first,
    base: name,
    address,
    timers: timers.map((timer) => ({
      address: timer.address,
      softExpires: null,
      expires: String(timer.expires),
      left: String(timer.expires - now),
      function: timer.function,
      name: addressName(kernel, timer.function),
    })),
  };
}

function* hrtimerRows(kernel: Kernel, cpus: readonly number[]): Generator<TimerItem, null> {
  const seconds = kernel.faults.attempt('jiffies', () => ticks(kernel), null)?.seconds ?? 0;
  const uptime = BigInt(Math.round(seconds * 1000)) * 1_000_000n;
  for (const cpu of cpus) {
    const base = kernel.faults.attempt(`timers of CPU ${cpu}`, () => hrtimerBase(kernel, cpu), null);
    if (base !== null) yield hrtimerRow(kernel, base, uptime);
  }
  return null;
}

function hrtimerRow(kernel: Kernel, { cpu, address, clocks }: HrtimerBase, uptime: bigint): HrtimerRow {
  return {
    kind: 'hrtimers',
    cpu,
    address,
    clocks: clocks.map((clock) => {
      const current = uptime + clock.offset;
      return {
        index: clock.index,
        address: clock.address,
        clock: clock.getTime,
        current: String(current),
        timers: clock.timers.map((timer) => ({
          address: timer.address,
          softExpires: String(timer.softExpires),
          expires: String(timer.expires),
          left: String(timer.expires - current),
          function: timer.function,
          name: addressName(kernel, timer.function),
        })),
      };
    }),
  };
}

const width = (texts: readonly string[], least: number): number => Math.max(least, ...texts.map((text) => text.length));

function functionText({ function: address, name }: TimerEntry): string {
  return `${hex16(address)}  <${name === null ? 'unknown' : escapeLine(name)}>`;
}

function wheelText({ cpu, first, base, address, timers }: WheelRow): string {
  const title = `${first ? '\n' : ''}TIMER_BASES[${cpu}][${base}]: ${hex16(address)}\n`;
  if (timers.length === 0) return `${title}  (none)\n`;
  const when = width(
    timers.map(({ expires }) => expires),
    7,
  );
  const left =
    1 +
    width(
      timers.map((timer) => timer.left),
      3,
    );
  const rows = timers.map(
    (timer) =>
      `  ${timer.expires.padStart(when)}  ${timer.left.padStart(left)}  ${hex16(timer.address)}  ${functionText(timer)}\n`,
  );
  const gap = '     ';
  return `${title}  ${'EXPIRES'.padEnd(when)}${gap}${'TTE'.padEnd(left)}${gap}TIMER_LIST${gap}FUNCTION\n${rows.join('')}`;
}

function hrtimersText({ cpu, address, clocks }: HrtimerRow): string {
  return `CPU: ${cpu}  HRTIMER_CPU_BASE: ${hex16(address)}\n${clocks.map(clockText).join('\n')}`;
}

function clockText({ index, address, clock, current, timers }: HrtimerRow['clocks'][number]): string {
  const title = `  CLOCK: ${index}  HRTIMER_CLOCK_BASE: ${hex16(address)}  [${escapeLine(clock)}]\n`;
  if (timers.length === 0) return `${title}  (empty)\n`;
  const soft = width([...timers.map(({ softExpires }) => softExpires ?? ''), current], 11);
  const hard = width(
    timers.map(({ expires }) => expires),
    7,
  );
  const left = width(
    timers.map((timer) => timer.left),
    3,
  );
  const rows = timers.map(
    (timer) =>
      `  ${centerRight(timer.softExpires ?? '', soft)}  ${centerRight(timer.expires, hard)}  ${timer.left.padStart(left)}  ${hex16(timer.address)}  ${functionText(timer)}\n`,
  );
  return [
    title,
    `  ${centerRight('CURRENT', soft)}\n  ${centerRight(current, soft)}\n`,
    `  ${centerRight('SOFTEXPIRES', soft)}  ${centerRight('EXPIRES', hard)}  ${centerRight('TTE', left)}  ${center('HRTIMER', 16)}  ${center('FUNCTION', 16)}\n`,
    ...rows,
  ].join('');
}
