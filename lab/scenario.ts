// What a scenario is: one file in scenarios/ each, and one line in scenarios/index.ts.
import type { MachineKind } from './kernels.ts';

export interface Scenario {
  readonly name: string;
  /** One line for `lab list`. */
  readonly about: string;
  /** Shell lines that the guest runs last: after them it is dying. Runs in the guest's first process. */
  readonly provoke: string;
  /** Shell lines that the guest runs before its picture is taken. */
  readonly setup?: string;
  /** Written after the picture and before `provoke`, by their sysctl names. */
  readonly sysctl?: Readonly<Record<string, number | string>>;
  /** Added to the kernel's command line. */
  readonly append?: string;
  /** What the host does once the guest said LAB READY and two seconds passed. */
  readonly host?: 'inject-nmi';
  /** Modules that lie ready for setup to load (`load NAME`), beside those that always do; those that a kernel has not are left out. */
  readonly modules?: readonly string[];
  /** Megabytes of a second disk, /dev/vdb, full of zeroes. */
  readonly disk?: number;
  /** Megabytes of its memory that the host asks back; the module virtio_balloon is for setup to load. */
  readonly balloon?: number;
  /** The only kind of machine that can die so. */
  readonly machine?: MachineKind;
  /** It needs what Debian's cloud kernels are built without. */
  readonly wholeKernel?: boolean;
  /** It needs spinlocks that spin: those of PREEMPT_RT sleep. */
  readonly spins?: boolean;
  /** Megabytes of guest memory, where the usual amount is too little or takes too long to fill. */
  readonly memory?: number;
  /** Seconds that provoking and capturing may take each, where the usual few minutes are too short. */
  readonly patience?: number;
  /** What the console says when the guest dies as it should. */
  readonly dying: RegExp;
  readonly verdict: ExpectedVerdict;
  /** Why memory and processes at the crash differ much from the picture, where they must: provoking changes them. */
  readonly moves?: string;
}

/** What an expert would conclude, from the source of what was provoked. */
export interface ExpectedVerdict {
  /** What a report should call it (`panic.kind`); several where chance decides. */
  readonly kind: string | readonly string[];
  /** The function it died in (`panic.rip.symbol`), where there is one; several where a compiler may choose. */
  readonly at?: string | readonly string[];
  /** The task that was running (`panic.comm`). */
  readonly task?: string;
  /** What the report's message or the title of one of its findings says: each of these. */
  readonly says?: RegExp | readonly RegExp[];
  /** What the report's message itself says. */
  readonly sentence?: RegExp;
  /** What the report's message must not say. */
  readonly never?: RegExp;
  /** The verdict cannot be proven: whoever calls it certain is wrong. */
  readonly uncertain?: boolean;
}

/** A scenario that only writes its name to /proc/perish. */
export function byModule(
  name: string,
  about: string,
  dying: RegExp,
  verdict: Scenario['verdict'],
  more: Partial<Scenario> = {},
): Scenario {
  return { name, about, dying, verdict, provoke: provokeInChild(name), ...more };
}

/**
 * Scenarios that load a module of the lab and write a way to die to its file in /proc (module/ways.h); their names begin
 * with the module's.
 */
export function waysOf(module: string) {
  return (
    way: string,
    about: string,
    dying: RegExp,
    verdict: Scenario['verdict'],
    { after = '', ...more }: Partial<Scenario> & { readonly after?: string } = {},
  ): Scenario => {
    const provoke = `busybox sh -c 'echo ${way} > /proc/${module}' &\n${after}`;
    return { name: `${module}-${way}`, about, dying, verdict, setup: load(module), provoke, ...more };
  };
}

/** Lines of setup that load a module of the lab. */
function load(module: string): string {
  return `insmod /lib/modules/${module}.ko\n`;
}

/** By module/wreck.c. */
export const byWreck = waysOf('wreck');

/** What makes a task that hangs for five seconds fatal. */
export const hungTaskPanics = { 'kernel.hung_task_panic': 1, 'kernel.hung_task_timeout_secs': 5 };

/** Writes to /proc/perish from a process of its own, so that it is not init that dies. */
export function provokeInChild(way: string): string {
  return `busybox sh -c 'echo ${way} > /proc/perish' &\n`;
}
