// What is known of one incident: plain data, the shape of `inquest oops --json`. Addresses and register values are
// hexadecimal text as the kernel printed them, without 0x: they are often cut, hashed or symbolic.
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
  purpose: TracePurpose;
  /** The heading as printed: `Call Trace`, `Freed by task 12`, `NMI backtrace for cpu 1`. */
  heading: string;
  /** The stack that the frames are on, in lower case: `task`, `irq`, `softirq`, `nmi`, `#df`, ... */
  stack: string;
  frames: Frame[];
}

export interface TaskRef {
  comm: string;
  pid: number;
  uid?: number;
}

export interface HeldLock {
  /** The holder, where the text names it. */
  task?: TaskRef;
  /** Lock class as lockdep names it: `&mm->mmap_lock`. */
  name: string;
  /** Where it was taken. */
  at?: string;
}

export interface ModuleRef {
  name: string;
  /** Taint letters and load state, as printed in the brackets: `OE`, `+`, `-`. */
  flags: string;
}

export interface Register {
  name: string;
  value: string;
}

/** Where the incident stands in the text. Offsets in bytes, `end` exclusive; lines count from 1, `endLine` inclusive. */
export interface TextSpan {
  start: number;
  end: number;
  startLine: number;
  endLine: number;
}

/** Who is blamed. */
export interface GuiltyFrame {
  /** Function without compiler suffixes: what titles and signatures use. */
  function: string;
  /** The symbol as printed. */
  symbol: string;
  offset?: number;
  size?: number;
  module?: string;
  source?: string;
}

export interface Incident {
  kind: IncidentKind;
  /** A stable sentence: nothing in it changes from one run to the next. */
  title: string;
  /** Titles that the same bug might have got from a shorter or otherwise configured report. */
  altTitles: string[];
  /** The headline as printed, without its prefixes. */
  message: string;
  /** What stood before the headline and explains it: a WARN()'s message, `list_del corruption. ...`. */
  detail?: string;
  guilty?: GuiltyFrame;
  task?: TaskRef;
  cpu?: number;
  taint?: Taint;
  hardware?: string;
  kernelRelease?: string;
  architecture?: string;
  workqueue?: string;
  /** The address whose access faulted. */
  faultAddress?: string;
  /** What the numbers suggest: poison patterns, a NULL structure pointer, ... */
  hints: string[];
  /** Where the CPU was. */
  instruction?: Frame;
  registers: Register[];
  code?: CodeBytes;
  traces: Trace[];
  modules: ModuleRef[];
  locks: HeldLock[];
  /** Other tasks that the same report names (further hung tasks, holders, the OOM victim). */
  otherTasks: TaskRef[];
  /** The out-of-memory report's tables, as printed. */
  memory: string[];
  /** Lines of the report that have no field of their own, as printed; bounded. */
  notes: string[];
  /** Reason given to panic(), when the kernel panicked. */
  panic?: string;
  /** Further headlines that only follow from this incident (a second fault while dying, ...). */
  aftermath: string[];
  /** How many times the kernel repeated the report while it went on (lockups, stalls). */
  repeats: number;
  /** The die counter, `[#1]`. */
  dieCount?: number;
  /** Whether the text is cut or mixed so that fields may be missing or wrong. */
  corrupted: boolean;
  corruptedReason?: string;
  severity: Severity;
  /** Whether the kernel died of it, as far as the text tells. */
  fatal: boolean;
  span: TextSpan;
  /** Seconds since boot. */
  timestamp?: number;
  /** Wall clock time as printed, where a prefix had one. */
  wallTime?: string;
  /** Hash over kind and normalised frames: the same bug in another build of the series has the same one. */
  signature: string;
  /** Hash over kind and guilty function: for grouping. */
  looseSignature: string;
}

/** Longest text of a line that an incident keeps. */
export const maxText = 1000;

const maxNotes = 48;
const maxOtherTasks = 64;

export function addNote(incident: Incident, text: string): void {
  if (incident.notes.length < maxNotes) incident.notes.push(text.trimEnd().slice(0, maxText));
}

/** Adds to `otherTasks`, once. */
export function addTask(incident: Incident, task: TaskRef): void {
  const { otherTasks } = incident;
  if (otherTasks.length < maxOtherTasks && !otherTasks.some((other) => other.pid === task.pid)) otherTasks.push(task);
}
