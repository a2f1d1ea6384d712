// What is known of one incident: plain data, the shape of `inquest oops --json`. Addresses and values of registers are
// `0x...` strings, whatever the kernel printed before them; text quoted from the log stays as it was; what the text does
// not say is null.
import type { CodeBytes } from './code_bytes.ts';
import type { Frame } from './frames.ts';
import type { IncidentKind, Severity } from './kinds.ts';
import type { Taint } from './taint.ts';

/** What a trace shows. */
export type TracePurpose =
  /** the code that the incident is about */
  | 'main'
  /** panic() itself, printed after another incident made the kernel panic */
  | 'panic'
  /** where the memory was allocated, freed, or last queued for a later call (KASAN, KFENCE, SLUB, kmemleak) */
  | 'allocated'
  | 'freed'
  | 'queued'
  /** another CPU, asked by NMI */
  | 'other-cpu'
  /** another blocked or dumped task */
  | 'other-task'
  /** where a lock of a lock dependency chain was taken */
  | 'lock'
  /** the other side of a data race */
  | 'other-access';

export interface Trace {
  readonly purpose: TracePurpose;
  /** The heading as printed: `Call Trace`, `Freed by task 12`, `NMI backtrace for cpu 1`. */
  readonly heading: string;
  /** The stack that the frames are on, in lower case: `task`, `irq`, `softirq`, `nmi`, `#df`, ... */
  readonly stack: string;
  readonly frames: readonly Frame[];
}

export interface TaskRef {
  /** Name of the thread; null: the text has only its pid. */
  readonly comm: string | null;
  readonly pid: number;
  readonly uid: number | null;
}

export interface HeldLock {
  /** The holder, where the text names it. */
  readonly task: TaskRef | null;
  /** Lock class as lockdep names it: `&mm->mmap_lock`. */
  readonly name: string;
  /** Where it was taken: a symbol with its offset, as printed. */
  readonly at: string | null;
}

export interface ModuleRef {
  readonly name: string;
  /** Taint letters and load state, as printed in the brackets: `OE`, `+`, `-`. */
  readonly flags: string;
}

export interface Register {
  readonly name: string;
  /** `0x...`. */
  readonly value: string;
}

/** Where the incident stands in the text. Offsets in bytes, `end` exclusive; lines count from 1, `endLine` inclusive. */
export interface TextSpan {
  readonly start: number;
  readonly end: number;
  readonly startLine: number;
  readonly endLine: number;
}

/** Who is blamed. */
export interface GuiltyFrame {
  /** Function without compiler suffixes: what titles and signatures use. */
  readonly function: string;
  /** The symbol as printed. */
  readonly symbol: string;
  readonly offset: number | null;
  readonly size: number | null;
  readonly module: string | null;
  readonly source: string | null;
}

export interface Incident {
  readonly kind: IncidentKind;
  /** A stable sentence: nothing in it changes from one run to the next. */
  readonly title: string;
  /** Titles that the same bug might have got from a shorter or otherwise configured report. */
  readonly altTitles: readonly string[];
  /** The headline as printed, without its prefixes. */
  readonly message: string;
  /** What stood before the headline and explains it: a WARN()'s message, `list_del corruption. ...`. */
  readonly detail: string | null;
  readonly guilty: GuiltyFrame | null;
  readonly task: TaskRef | null;
  readonly cpu: number | null;
  readonly taint: Taint | null;
  readonly hardware: string | null;
  readonly kernelRelease: string | null;
  readonly architecture: string | null;
  readonly workqueue: string | null;
  /** The address whose access faulted, `0x...`. */
  readonly faultAddress: string | null;
  /** What the numbers suggest: poison patterns, a NULL structure pointer, ... */
  readonly hints: readonly string[];
  /** Where the CPU was. */
  readonly instruction: Frame | null;
  readonly registers: readonly Register[];
  readonly code: CodeBytes | null;
  readonly traces: readonly Trace[];
  readonly modules: readonly ModuleRef[];
  readonly locks: readonly HeldLock[];
  /** Other tasks that the same report names (further hung tasks, holders, the OOM victim). */
  readonly otherTasks: readonly TaskRef[];
  /** The out-of-memory report's tables, as printed. */
  readonly memory: readonly string[];
  /** Lines of the report that have no field of their own, as printed; bounded. */
  readonly notes: readonly string[];
  /** Reason given to panic(), when the kernel panicked. */
  readonly panic: string | null;
  /** Further headlines that only follow from this incident (a second fault while dying, ...). */
  readonly aftermath: readonly string[];
  /** How many times the kernel repeated the report while it went on (lockups, stalls). */
  readonly repeats: number;
  /** The die counter, `[#1]`. */
  readonly dieCount: number | null;
  /** Whether the text is cut or mixed so that fields may be missing or wrong. */
  readonly corrupted: boolean;
  readonly corruptedReason: string | null;
  readonly severity: Severity;
  /** Whether the kernel died of it, as far as the text tells. */
  readonly fatal: boolean;
  readonly span: TextSpan;
  /** Seconds since boot. */
  readonly timestamp: number | null;
  /** Wall clock time as printed, where a prefix had one. */
  readonly wallTime: string | null;
  /** Hash over kind and normalised frames: the same bug in another build of the series has the same one. */
  readonly signature: string;
  /** Hash over kind and guilty function: for grouping. */
  readonly looseSignature: string;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer U)[] ? U[] : T[K] };

/** A trace whose frames are still being read. */
export type OpenTrace = Writable<Trace>;

/** An incident whose report is still being read. */
export type OpenIncident = Omit<Writable<Incident>, 'traces' | 'span'> & {
  readonly traces: OpenTrace[];
  readonly span: Writable<TextSpan>;
};

/** @param pid in decimal digits, as `uid` */
export function taskRef(comm: string | null, pid: string | number | undefined, uid?: string): TaskRef {
  return { comm, pid: Number(pid), uid: uid === undefined ? null : Number(uid) };
}

/** Longest text of a line that an incident keeps. */
export const maxText = 1000;

const maxNotes = 48;
const maxOtherTasks = 64;

export function addNote(incident: OpenIncident, text: string): void {
  if (incident.notes.length < maxNotes) incident.notes.push(text.trimEnd().slice(0, maxText));
}

/** Adds to `otherTasks`, once. */
export function addTask(incident: OpenIncident, task: TaskRef): void {
  const { otherTasks } = incident;
  if (otherTasks.length < maxOtherTasks && !otherTasks.some((other) => other.pid === task.pid)) otherTasks.push(task);
}
