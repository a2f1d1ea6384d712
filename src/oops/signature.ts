// Names for incidents that two reports of the same bug share: hashes over what stays the same from one build of a kernel
// series to the next. Offsets, sizes, compiler suffixes, inlined and stale frames, and the ways into the
// kernel are left out.
import { hash as digest } from 'node:crypto';
import { type Frame, functionName } from './frames.ts';
import { runningFrames } from './guilty.ts';
import type { Incident, OpenIncident, Trace } from './incident.ts';
import { type IncidentKind, reportKind } from './kinds.ts';
import { KnownFrames } from './known_frames.ts';
import { isEntry, isMachinery, waitsOn } from './machinery.ts';
import { stable } from './stable_text.ts';

const maxFrames = 6;

/** Function names of the trace's meaning part, innermost first. */
export function normalFrames(traces: readonly Trace[], kind: IncidentKind): readonly string[] {
  const all: Frame[] = [];
  for (const trace of traces) for (const frame of trace.frames) all.push(frame);
  return normal.of(kind, all, () => readNormal(traces, kind));
}

const normal = new KnownFrames<readonly string[]>(2048);

function readNormal(traces: readonly Trace[], kind: IncidentKind): readonly string[] {
  const names: string[] = [];
  for (const frame of runningFrames(traces, kind)) {
    if (frame.inline || frame.symbol === null) continue;
    const name = normalName(frame);
    if (isEntry(name) || isMachinery(name, frame.module, kind)) continue;
    if (names.at(-1) !== name) names.push(name);
  }
  return names;
}

/** The wrappers that the compiler may or may not inline around a system call count as one. */
function normalName(frame: Frame): string {
  const name = functionName(frame.symbol ?? '');
  if (!/sys_|S[yY]S/.test(name)) return name;
  return name
    .replace(/^(?:__(?:x64|ia32|arm64|se|do|s390x|riscv|x32|compat)_)?(?:compat_)?(?:sys|SyS|SYSC)_(?=\w)/, 'sys_')
    .replace(/^ksys_/, 'sys_');
}

/** A bug that comes again has the same signature. */
const known = new Map<string, string>();
const maxKnown = 4096;

function hash(parts: readonly string[]): string {
  const text = parts.join('\n');
  let found = known.get(text);
  if (found === undefined) {
    found = digest('sha256', text).slice(0, 16);
    if (known.size >= maxKnown) known.clear();
    known.set(text, found);
  }
  return found;
}

/** Fills `signature` and `looseSignature`; everything else must be there. */
export function sign(incident: OpenIncident): void {
  const frames = significantFrames(incident);
  const what = frames.length > 0 ? frames : [stable(incident.message)];
  incident.signature = hash([incident.kind, hangsOn(incident), ...what.slice(0, maxFrames)]);
  incident.looseSignature = hash([reportKind(incident), incident.guilty?.function ?? incident.title]);
}

/** A task that hangs on a mutex and one that hangs on an rwsem in the same function are two bugs. */
function hangsOn(incident: Incident): string {
  if (incident.kind !== 'hung-task' && incident.kind !== 'soft-lockup' && incident.kind !== 'hard-lockup') return '';
  const main = incident.traces.filter((trace) => trace.purpose === 'main');
  const top = incident.instruction === null ? [] : [functionName(incident.instruction.symbol ?? '')];
  for (const frame of runningFrames(main, incident.kind)) {
    const name = functionName(frame.symbol ?? '');
    if (name === incident.guilty?.function) break;
    top.push(name);
  }
  return waitsOn(top);
}

/** The functions that tell of an incident, from the guilty one outwards: what its signature is made of. */
export function significantFrames(incident: Incident): readonly string[] {
  const main = incident.traces.filter((trace) => trace.purpose === 'main');
  const names = normalFrames(
    main.length > 0 ? main : incident.traces.filter((trace) => trace.purpose === 'panic'),
    incident.kind,
  );
  const guilty = incident.guilty?.function;
  if (guilty === undefined) return names;
  const at = names.indexOf(guilty);
  return at >= 0 ? names.slice(at) : [guilty, ...names];
}

/**
 * How alike two incidents are: 0 nothing in common, 1 the same bug by signature. Weighs kind, guilty function and
 * the order of the frames.
 */
export function similarity(a: Incident, b: Incident): number {
  if (a.signature === b.signature) return 1;
  const framesA = significantFrames(a).slice(0, 32);
  const framesB = significantFrames(b).slice(0, 32);
  const kind = a.kind === b.kind ? 1 : reportKind(a) === reportKind(b) ? 0.7 : 0;
  const guilty = a.guilty !== null && a.guilty.function === b.guilty?.function ? 1 : 0;
  const common = longestCommon(framesA, framesB);
  const longer = Math.max(framesA.length, framesB.length);
  const trace = longer === 0 ? 0 : common / longer;
  const score =
    longer === 0 ? 0.5 * kind + 0.5 * (a.title === b.title ? 1 : 0) : 0.2 * kind + 0.35 * guilty + 0.45 * trace;
  return Math.min(score, 0.99);
}

function longestCommon(a: readonly string[], b: readonly string[]): number {
  let row = new Array<number>(b.length + 1).fill(0);
  for (const x of a) {
    const next = [0];
    for (const [j, y] of b.entries()) next.push(x === y ? row[j]! + 1 : Math.max(row[j + 1]!, next[j]!));
    row = next;
  }
  return row[b.length]!;
}
