// include/linux/timer.h, kernel/time/timer.c: timers of the timer wheel, which expire by jiffies.
//
//   per CPU: timer_bases[] --> timer_base { clk, vectors[] } --> bucket: hlist of timer_list { expires, function }
//
// The wheel came with 500462a9de65 (4.8). A CPU has one base, or two where it may stop its tick (NO_HZ_COMMON), or
// three since b2cf7507e186 (6.9), which splits those that may run on another CPU from those that may not.
import type { VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';

export interface WheelTimer {
  /** Virtual address of the `struct timer_list`. */
  readonly address: VirtAddr;
  /** When it is to run, in jiffies. */
  readonly expires: bigint;
  /** Virtual address of the function to be called. */
  readonly function: VirtAddr;
  /** TIMER_* flags, with the CPU and the bucket in other bits. */
  readonly flags: number;
}

export interface TimerBase {
  readonly cpu: number;
  /** Which of the CPU's bases, as the kernel calls it: `BASE_STD`, `BASE_LOCAL`, `BASE_GLOBAL`, `BASE_DEF`. */
  readonly name: string;
  /** Virtual address of the `struct timer_base`. */
  readonly address: VirtAddr;
  /** Up to when, in jiffies, its timers have been run. */
  readonly clock: bigint;
  /** Virtual address of the timer whose function is being run; null for none. */
  readonly running: VirtAddr | null;
  /** The first to expire comes first. */
  readonly timers: readonly WheelTimer[];
}

/** Most timers in one bucket that are followed. */
const maxTimers = 1_000_000;

/** Names of a CPU's bases by how many it has. */
const baseNames: Readonly<Record<number, readonly string[]>> = {
  1: ['BASE_STD'],
  2: ['BASE_STD', 'BASE_DEF'],
  3: ['BASE_LOCAL', 'BASE_GLOBAL', 'BASE_DEF'],
};

/** The timer bases of a CPU. A base, bucket or timer that cannot be read costs itself. */
export function timerBases(kernel: Kernel, cpu: number): TimerBase[] {
  return kernel.faults.attempt(`timer bases of CPU ${cpu}`, () => {
    const bases = [...kernel.perCpu('timer_bases', cpu).elements(8)];
    const names = baseNames[bases.length];
    return bases
      .map((base, index) =>
        kernel.faults.attempt(
          `timer base ${index} of CPU ${cpu}`,
          () => readBase(kernel, base, cpu, names?.[index] ?? `BASE_${index}`),
          null,
        ),
      )
      .filter((base) => base !== null);
  }, []);
}

function readBase(kernel: Kernel, base: KernelObject, cpu: number, name: string): TimerBase {
  const vectors = base.member('vectors');
  const { buffer } = kernel.space.read(vectors.address, vectors.size);
  const timers: WheelTimer[] = [];
  for (const first of new BigUint64Array(buffer)) {
    if (first === 0n) continue;
    kernel.faults.attempt('timer', () => readBucket(kernel, first as VirtAddr, timers), undefined);
  }
  const running = base.member('running_timer').pointer();
  return {
    cpu,
    name,
    address: base.address,
    clock: base.member('clk').bigint(),
    running: running === 0n ? null : running,
    timers: timers.sort((a, b) => (a.expires < b.expires ? -1 : a.expires > b.expires ? 1 : 0)),
  };
}

function readBucket(kernel: Kernel, first: VirtAddr, into: WheelTimer[]): void {
  const seen = new Set<bigint>();
  for (let node = first; node !== 0n; ) {
    if (seen.has(node) || seen.size >= maxTimers)
      throw new FormatError(`timers at ${first.toString(16)}`, `loops back to ${node.toString(16)}`);
    seen.add(node);
    const timer = kernel.object('struct hlist_node', node).containerOf('struct timer_list', 'entry');
    into.push({
      address: timer.address,
      expires: timer.member('expires').bigint(),
      function: timer.member('function').pointer(),
      flags: timer.member('flags').number(),
    });
    node = timer.member('entry.next').pointer();
  }
}
