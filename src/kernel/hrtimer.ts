// include/linux/hrtimer.h: high-resolution timers, which expire by nanoseconds of one of the kernel's clocks.
//
//   per CPU: hrtimer_bases { clock_base[8] { clockid, active: tree of hrtimer { node.expires, _softexpires, function } } }
//
// The first four clock bases run in interrupts, the others in softirqs (dd934aa8ad1f, 4.16).
import type { VirtAddr } from '../base/address.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { findMember } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { rbEntries } from './rbtree.ts';
import { ktime } from './timekeeping.ts';

export interface Hrtimer {
  /** Virtual address of the `struct hrtimer`. */
  readonly address: VirtAddr;
  /** When it may run, in nanoseconds of its clock. */
  readonly softExpires: bigint;
  /** When it must run, in nanoseconds of its clock. */
  readonly expires: bigint;
  /** Virtual address of the function to be called. */
  readonly function: VirtAddr;
}

export interface HrtimerClock {
  readonly cpu: number;
  readonly index: number;
  /** Virtual address of the `struct hrtimer_clock_base`. */
  readonly address: VirtAddr;
  /** The function that reads its clock: `ktime_get`, `ktime_get_real`, `ktime_get_boottime`, `ktime_get_clocktai`. */
  readonly getTime: string;
  /** What the clock is ahead of CLOCK_MONOTONIC, in nanoseconds. */
  readonly offset: bigint;
  /** The first to expire comes first. */
  readonly timers: readonly Hrtimer[];
}

export interface HrtimerBase {
  readonly cpu: number;
  /** Virtual address of the `struct hrtimer_cpu_base`. */
  readonly address: VirtAddr;
  readonly clocks: readonly HrtimerClock[];
}

/** Clocks by number (include/uapi/linux/time.h). */
const clockFunctions: Readonly<Record<number, string>> = {
  0: 'ktime_get_real',
  1: 'ktime_get',
  7: 'ktime_get_boottime',
  11: 'ktime_get_clocktai',
};

/** The high-resolution timers of a CPU. A clock or timer that cannot be read costs itself. @throws NotFoundError, MemoryFault */
export function hrtimerBase(kernel: Kernel, cpu: number): HrtimerBase {
  const base = kernel.perCpu('hrtimer_bases', cpu);
  const clocks = [...base.member('clock_base').elements(16)].map((clock, index) =>
    kernel.faults.attempt(`clock ${index} of CPU ${cpu}`, () => readClock(kernel, clock, cpu, index), null),
  );
  return { cpu, address: base.address, clocks: clocks.filter((clock) => clock !== null) };
}

function readClock(kernel: Kernel, clock: KernelObject, cpu: number, index: number): HrtimerClock {
  // `head` before 511885d7061e (5.5), when the tree kept no leftmost node
  const tree = clock.member('active').memberAmong('rb_root', 'head');
  const type = kernel.type('struct hrtimer');
  // a timerqueue_node holds the tree's node; a timerqueue_linked_node (7.1) one with links to its neighbours, too
  const node = findMember(type, 'node.node.node') === null ? 'node.node' : 'node.node.node';
  const timers: Hrtimer[] = [];
  for (const timer of rbEntries(tree, type, node, kernel.faults)) {
    kernel.faults.attempt('hrtimer', () => timers.push(readHrtimer(timer)), 0);
  }
  return {
    cpu,
    index,
    address: clock.address,
    getTime: clockName(kernel, clock),
    offset: ktime(clock.member('offset')),
    timers,
  };
}

function readHrtimer(timer: KernelObject): Hrtimer {
  return {
    address: timer.address,
    softExpires: ktime(timer.member('_softexpires')),
    expires: ktime(timer.member('node.expires')),
    function: timer.member('function').pointer(),
  };
}

/** The clock's function where the base has it (until 6.17), else what the clock's number stands for. */
function clockName(kernel: Kernel, clock: KernelObject): string {
  const getTime = clock.optional('get_time')?.pointer();
  const symbol = getTime === undefined ? null : kernel.place(getTime);
  if (symbol !== null) return symbol.symbol.name;
  const id = clock.member('clockid').number();
  return clockFunctions[id] ?? `clock ${id}`;
}
