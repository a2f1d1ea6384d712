// What was found out about one death: plain data, the shape of `inquest report --format json`.
//
// Addresses are text, `0x…`, as in everything that `--json` prints.
import type { ShownOutput } from '../commands/shown.ts';
import type { Fault } from '../kernel/faults.ts';
import type { ReportKind } from '../oops/kinds.ts';
import type { Origin } from '../origin/origin.ts';
import type { OriginStep } from '../origin/origin_step.ts';

/** What one command says, and why it is worth reading. */
export interface Evidence extends ShownOutput {
  /** What in it is relevant. */
  readonly why: string;
  /** What the command could not read; among the analysis's `faults`, too. */
  readonly faults: readonly Fault[];
}

/** - `certain`: read from structures that agree; `likely`: one source; `possible`: a pattern that fits. */
export type Confidence = 'certain' | 'likely' | 'possible';

export interface Finding {
  /** One sentence. */
  readonly title: string;
  /** What it means and what to do, in a few sentences; may be empty. */
  readonly explanation: string;
  readonly evidence: readonly Evidence[];
  readonly confidence: Confidence;
}

export interface Place {
  /** Virtual, as `0x…`; null where only the log tells of it. */
  readonly address: string | null;
  /** null where no symbol covers the address. */
  readonly symbol: string | null;
  /** Bytes from the symbol. */
  readonly offset: number | null;
  /** null for the kernel itself. */
  readonly module: string | null;
}

/** A function at a place, with where it is in the source; nulls where that is not told. */
export interface SourceFunction {
  readonly name: string;
  readonly inlined: boolean;
  readonly file: string | null;
  readonly line: number | null;
}

/** The pointer through which memory was touched that is not there, by its name in the source. */
export interface BadPointer {
  /** `s`, or `s->stats`. */
  readonly expression: string;
  /** Its C type. */
  readonly type: string;
  /** The member of what it points to that was touched; null where that is no struct. */
  readonly member: string | null;
  readonly value: string;
}

/** What debug information in files says of the place where it went wrong. */
export interface SourceOfFault {
  /** Innermost first. */
  readonly functions: readonly SourceFunction[];
  readonly pointer: BadPointer | null;
  /** The source there, as `dis -s` prints it; null where it is not to be had. */
  readonly listing: ShownOutput | null;
}

/** Where the value came from that a fault went wrong by. */
export interface OriginReport {
  /** `rdx was loaded from crashme_session->dev, and that is NULL.` */
  readonly sentence: string;
  /** That of the least sure step. */
  readonly confidence: Confidence;
  /** The instruction that faulted, or the call of an address that holds no code. */
  readonly at: Place;
  /** Whose value was bad; null for a function pointer that the code called in memory. */
  readonly register: string | null;
  readonly value: string;
  /** The address that was touched; null for a call. */
  readonly address: string | null;
  /** What the access meant; null where that is not known. */
  readonly touched: { readonly type: string; readonly member: string } | null;
  /** What the trail ends in. */
  readonly end: Origin['end'];
  /** From the fault backwards. */
  readonly steps: readonly {
    readonly kind: OriginStep['kind'];
    readonly words: string;
    /** The instruction; null where it is of none. */
    readonly at: Place | null;
    readonly confidence: Confidence;
    /** What shows it; null where nothing in the dump does. */
    readonly command: string | null;
    /** What that command says; null without one. */
    readonly shown: ShownOutput | null;
  }[];
}

/** Something to look at next. */
export interface NextStep {
  /** A command of the shell, with this dump's addresses. */
  readonly command: string;
  /** What it shows. */
  readonly why: string;
}

/** The stack that the verdict is about, innermost first, without what stands beside (registers, unreliable frames). */
export interface BlamedStack {
  /** Whose it is: `sh (pid 12)`, `CPU 1`; null where nobody can be told. */
  readonly of: string | null;
  /** `name`: the function as its source has it. `machinery`: it serves others, and is not to blame. */
  readonly frames: readonly (Place & { readonly name: string; readonly machinery: boolean })[];
}

export interface BacktraceFrame extends Place {
  /** Stack address that held the return address. */
  readonly frameAddress: string;
  /** Stack that the frame is on: `task`, `IRQ`, `NMI`, ... */
  readonly stack: string;
  /** False for what a stack scan found. */
  readonly reliable: boolean;
  /** Registers of the interrupted code, for frames of exceptions and interrupts. */
  readonly registers: Readonly<Record<string, string>> | null;
}

/** A task that takes part in what happened. */
export interface InvolvedTask {
  readonly pid: number;
  readonly comm: string;
  readonly task: string;
  readonly state: string;
  readonly cpu: number;
  /** Why it is shown: `panicked`, `blocked`, `holds the lock`, `ran on CPU 1`. */
  readonly role: string;
  readonly waitsFor: LockSummary | null;
  readonly backtrace: readonly BacktraceFrame[];
  /** The backtrace as `bt` prints it; null where it cannot. */
  readonly stack: ShownOutput | null;
}

export interface LockSummary {
  readonly kind: string;
  readonly address: string;
  readonly symbol: string | null;
  readonly owner: { readonly pid: number; readonly comm: string } | null;
  readonly held: string;
  readonly waiters: number;
}

/** A cgroup whose memory ran out. Sizes in bytes. */
export interface CgroupReport {
  readonly path: string;
  /** null where that cannot be told; so is `limit`. */
  readonly usage: number | null;
  readonly limit: number | null;
  /** Largest first. */
  readonly uses: readonly { readonly name: string; readonly bytes: number }[];
  /** Of the group and of those below it, the largest first. */
  readonly tasks: readonly { readonly pid: number; readonly comm: string; readonly rss: number }[];
}

/** Where memory went. Sizes in bytes. */
export interface MemoryReport {
  /** The cgroup that ran out; null where it was the machine. */
  readonly cgroup: CgroupReport | null;
  readonly total: number;
  readonly uses: readonly { readonly name: string; readonly bytes: number }[];
  readonly tasks: readonly { readonly pid: number; readonly comm: string; readonly rss: number }[];
  /** Zones that have memory, with what is free in them; `largest` is the largest free piece, null where none is. */
  readonly zones: readonly {
    readonly node: number;
    readonly name: string;
    readonly managed: number;
    readonly free: number;
    readonly min: number;
    readonly high: number;
    readonly largest: number | null;
  }[];
  /** `address` is that of the `struct kmem_cache`. */
  readonly slabs: readonly {
    readonly name: string;
    readonly address: string;
    readonly bytes: number;
    readonly objects: number;
  }[];
  /** `info` is the address of the `struct shmem_sb_info`. */
  readonly tmpfs: readonly {
    readonly mountedOn: string;
    readonly info: string;
    readonly used: number;
    readonly limit: number;
  }[];
}

export interface Analysis {
  readonly dump: {
    readonly files: readonly string[];
    readonly format: string;
    readonly description: string;
    readonly compression: string;
    readonly level: number | null;
    readonly complete: boolean;
    readonly fileSize: number;
    readonly pages: { readonly total: number; readonly present: number; readonly lost: number };
    readonly warnings: readonly string[];
  };
  readonly kernel: {
    readonly release: string | null;
    readonly version: string | null;
    readonly arch: string;
    readonly nodename: string | null;
    /** ISO 8601, UTC. */
    readonly crashTime: string | null;
    readonly uptimeSeconds: number | null;
    readonly loadAverage: readonly number[] | null;
    readonly cpus: number;
    /** Bytes that the kernel managed. */
    readonly memory: number | null;
    readonly tasks: number;
    readonly hardware: string | null;
    readonly commandLine: string | null;
    /** null where it cannot be read. */
    readonly taint: readonly { readonly letter: string; readonly meaning: string }[] | null;
    /** How VMCOREINFO and the page tables were found, where not in the usual way. */
    readonly notes: readonly string[];
  };
  readonly panic: {
    readonly kind: ReportKind;
    /** Stable name of this kind of death here: nothing in it changes from one run to the next. */
    readonly title: string;
    /** The line for a ticket: what, where, which kernel, and the signature by which the same is found again. */
    readonly subject: string;
    /** One sentence that a person can act on. */
    readonly message: string;
    readonly confidence: Confidence;
    /** What the confidence rests on. */
    readonly because: string;
    readonly cpu: number | null;
    readonly pid: number | null;
    readonly comm: string | null;
    /** Virtual address of the panicking task's task_struct. */
    readonly task: string | null;
    /** Where it went wrong: the faulting instruction, or the code that is to blame. */
    readonly rip: Place | null;
    readonly faultAddress: string | null;
    /** What panic() was told. */
    readonly reason: string | null;
    /** The task to blame, where it is not the one that panicked (a hung task, a stalled CPU's task). */
    readonly culprit: { readonly pid: number; readonly comm: string; readonly cpu: number } | null;
    /** Equal for deaths of the same cause, across builds of a kernel series; null without a log. */
    readonly signature: string | null;
    /** What the verdict rests on. */
    readonly source: 'log and memory' | 'log' | 'memory' | 'nothing';
  };
  readonly registers: Readonly<Record<string, string>> | null;
  /** What those registers held that says something, in words, by their names; empty without registers. */
  readonly registerNames: Readonly<Record<string, string>>;
  readonly blamedStack: BlamedStack;
  readonly backtrace: readonly BacktraceFrame[];
  /** The backtrace as `bt` prints it; null where it cannot. */
  readonly stack: ShownOutput | null;
  /** null without debug information of the code. */
  readonly source: SourceOfFault | null;
  /** null where the kernel did not die of a bad address, or nobody can tell. */
  readonly origin: OriginReport | null;
  /** Instructions up to the fault, and from it on, as `dis` prints them; `marked` is the one at fault. Null where they tell nothing. */
  readonly code: (ShownOutput & { readonly after: ShownOutput | null }) | null;
  readonly findings: readonly Finding[];
  /** Every explanation that was weighed, the strongest first, with what spoke for it and against it. */
  readonly considered: readonly {
    readonly name: string;
    readonly recognises: string;
    /** Null where nothing speaks for it. */
    readonly claim: {
      readonly sentence: string;
      readonly confidence: Confidence;
      readonly because: string;
      readonly speaksFor: readonly string[];
      readonly speaksAgainst: readonly string[];
    } | null;
  }[];
  readonly tasks: readonly InvolvedTask[];
  readonly memory: MemoryReport | null;
  /** Every incident in the log, oldest first. */
  readonly incidents: readonly {
    readonly kind: string;
    readonly title: string;
    readonly timestamp: number | null;
    readonly fatal: boolean;
    readonly signature: string;
  }[];
  /** The log's last words: from some lines before the fatal incident to its end. */
  readonly log: { readonly lines: readonly string[]; readonly omitted: number };
  /** `size` is null where only the log tells of them. */
  readonly modules: readonly { readonly name: string; readonly size: number | null; readonly taints: string }[];
  /** What to look at next, the most telling first. */
  readonly next: readonly NextStep[];
  /** What this kind of death means in general. */
  readonly explanation: {
    readonly meaning: string;
    /** Usual ones. */
    readonly causes: readonly string[];
    /** Commands and steps, in order. */
    readonly next: readonly string[];
  };
  /** sysctls that decide whether this kind of trouble panics, with their values in this dump. */
  readonly settings: readonly { readonly name: string; readonly value: string | null; readonly meaning: string }[];
  /** Where the log and memory disagree. */
  readonly disagreements: readonly string[];
  readonly faults: readonly Fault[];
  /** How many different faults came after those. */
  readonly droppedFaults: number;
}
