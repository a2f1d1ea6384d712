// Whom to blame: the first frame that is not machinery, starting from the instruction that faulted.
import { type Frame, functionName } from './frames.ts';
import type { GuiltyFrame, Trace } from './incident.ts';
import type { IncidentKind } from './kinds.ts';
import { isEntry, isInterruptEntry, isMachinery } from './machinery.ts';

/** The frame as somebody to blame; null without a name. */
export function asGuilty({ symbol, offset, size, module, source }: Frame): GuiltyFrame | null {
  return symbol === null ? null : { function: functionName(symbol), symbol, offset, size, module, source };
}

/**
 * The frames of the code that was running, outermost last: without the interrupt that found a hang, and without
 * stale stack contents (unless there is nothing else).
 */
export function runningFrames(traces: readonly Trace[], kind: IncidentKind): Frame[] {
  const all = traces.flatMap((trace) => trace.frames.map((frame) => ({ frame, stack: trace.stack })));
  let use = all.filter(({ frame }) => frame.reliable);
  if (use.length === 0) use = all;
  const hangs = kind === 'soft-lockup' || kind === 'hard-lockup' || kind === 'rcu-stall' || kind === 'nmi';
  if (hangs) {
    const at = use.findIndex(({ frame }) => isInterruptEntry(functionName(frame.symbol ?? '')));
    const under = use.slice(at + 1);
    if (at >= 0 && under.some(({ frame }) => !isMachinery(functionName(frame.symbol ?? ''), frame.module, kind)))
      use = under;
  }
  return use.map(({ frame }) => frame);
}

/**
 * @param first frames that come before the trace: the function a headline names, the instruction pointer
 */
export function findGuilty(first: readonly Frame[], traces: readonly Trace[], kind: IncidentKind): Frame | null {
  const trace = runningFrames(traces, kind);
  const candidates = [...first, ...trace];
  const named = candidates.filter((frame) => frame.symbol !== null);
  // a return address at the very start of a function belongs to the function before it (after a call that does not return)
  const exact = named.filter((frame) => frame.offset !== 0 || first.includes(frame) || frame.interrupted);
  const innocent = (frame: Frame): boolean => isMachinery(functionName(frame.symbol ?? ''), frame.module, kind);
  const guilty = exact.find((frame) => !innocent(frame));
  if (guilty !== undefined) return guilty;
  // only machinery is left: the faulting function itself, else the one nearest to it that is no way in or out
  return (
    first.find((frame) => frame.symbol !== null && !isEntry(functionName(frame.symbol ?? ''))) ??
    exact.find((frame) => specific(frame, kind)) ??
    first.find((frame) => frame.symbol !== null) ??
    null
  );
}

/** Machinery, but at least a name that tells something: not the reporting itself, and no entry code. */
function specific(frame: Frame, kind: IncidentKind): boolean {
  const name = functionName(frame.symbol ?? '');
  if (isEntry(name)) return kind === 'hung-task' && name === 'kthread';
  return !/^(?:_*dump_stack|show_|dump_backtrace|_*panic|vpanic|_*warn|report_bug|print_|check_panic|out_of_memory|dump_header|oops_|die)/.test(
    name,
  );
}
