// Whom to blame: the function whose maintainer should be mailed. Frames are looked at in the order in which they were
// running, innermost first:
//
//     report, check             dump_stack, kasan_report: how we know
//     service ............      kfree, mutex_lock, __flush_work: does what it is told
//     culprit                   the first that is neither
//     layer ..............      vfs_write, netlink_rcv_skb: passes on
//     runner, entry             process_one_work, do_syscall_64: where this piece of work began
//
// A service that a runner calls serves nobody else: it is what runs there (a timer's function, an RCU callback), and to
// blame. What stands below an interrupt's entry was running before and has nothing to do with it.
import { type Frame, functionName } from './frames.ts';
import type { GuiltyFrame, Trace } from './incident.ts';
import type { IncidentKind } from './kinds.ts';
import { KnownFrames } from './known_frames.ts';
import { isBystander, isInterruptEntry, isMachinery, isStall } from './machinery.ts';
import { type Role, roleOf } from './roles.ts';

/** The frame as somebody to blame; null without a name. */
export function asGuilty({ symbol, offset, size, module, source }: Frame): GuiltyFrame | null {
  return symbol === null ? null : { function: functionName(symbol), symbol, offset, size, module, source };
}

const nameOf = (frame: Frame): string => functionName(frame.symbol ?? '');

/** What a frame is for; a module's function is always something of its own. */
function frameRole(frame: Frame): Role | null {
  return frame.module === null ? roleOf(nameOf(frame)) : null;
}

/** Whether a frame has work of its own, apart from beginning and passing on. */
function isOwn(frame: Frame, kind: IncidentKind): boolean {
  if (frame.symbol === null || isMachinery(nameOf(frame), frame.module, kind)) return false;
  const role = frameRole(frame);
  return role !== 'runner' && role !== 'layer';
}

/**
 * The frames of the code that was running, outermost last: without the interrupt that found a hang, and without
 * stale stack contents (unless there is nothing else).
 */
export function runningFrames(traces: readonly Trace[], kind: IncidentKind): Frame[] {
  let use: Frame[] = [];
  for (const trace of traces) for (const frame of trace.frames) if (frame.reliable) use.push(frame);
  if (use.length === 0) use = traces.flatMap((trace) => trace.frames);
  if (!isStall(kind) && kind !== 'nmi') return use;
  for (;;) {
    // the tick, or the NMI, that found the hang; an interrupt that is stuck itself has frames of its own
    const at = use.findIndex((frame) => frame.symbol !== null && isInterruptEntry(nameOf(frame)));
    if (at < 0 || use.slice(0, at).some((frame) => isOwn(frame, kind))) return use;
    if (!use.slice(at + 1).some((frame) => isOwn(frame, kind) || frameRole(frame) === 'layer')) return use;
    use = use.slice(at + 1);
  }
}

/** Whom to blame, and what else the same bug is called by. */
export interface Blame {
  readonly guilty: Frame | null;
  /** Functions that somebody else might name, or that name it in another report of the same bug. */
  readonly others: readonly string[];
}

/**
 * @param first frames that come before the trace: the function a headline names, the instruction pointer
 * @param work the function of the work item that the task was at
 */
export function findBlame(
  first: readonly Frame[],
  traces: readonly Trace[],
  kind: IncidentKind,
  work: Frame | null = null,
): Blame {
  const all: (Frame | null)[] = [...first, null];
  for (const trace of traces) for (const frame of trace.frames) all.push(frame);
  all.push(null, work);
  return blames.of(kind, all, () => judge(first, traces, kind, work));
}

const blames = new KnownFrames<Blame>(2048);

function judge(first: readonly Frame[], traces: readonly Trace[], kind: IncidentKind, work: Frame | null): Blame {
  const named = [...first, ...runningFrames(traces, kind)].filter((frame) => frame.symbol !== null);
  // a return address at the very start of a function belongs to the function before it (after a call that does not return)
  const frames = named.filter((frame) => frame.offset !== 0 || first.includes(frame) || frame.interrupted);
  if (isStall(kind)) {
    const stalled = stalledOperation(frames, kind);
    if (stalled !== null) return stalled;
  }
  const guilty = culprit(first, frames, kind, work);
  if (guilty === null) return { guilty, others: [] };
  const others: (string | null)[] = kind === 'hung-task' ? [sharedWait(frames)] : skippedServices(frames, guilty);
  if (kind === 'stack-overflow') others.push(anchor(frames));
  return { guilty, others: others.filter((name) => name !== null && name !== nameOf(guilty)) as string[] };
}

/** As `findBlame`: whom to blame. */
export function findGuilty(first: readonly Frame[], traces: readonly Trace[], kind: IncidentKind): Frame | null {
  return findBlame(first, traces, kind).guilty;
}

/**
 * A stalled CPU is caught anywhere in a loop. What does not come to its end is, of the functions between its beginning (a
 * system call, work item, softirq, timer) and that place, the outermost one that does not merely pass on.
 */
function stalledOperation(frames: readonly Frame[], kind: IncidentKind): Blame | null {
  const leaf = frames.findIndex((frame) => isOwn(frame, kind));
  if (leaf < 0) return null;
  let outermost = leaf;
  for (let i = leaf; i < frames.length; i++) {
    const role = frameRole(frames[i]!);
    if (role === 'runner' || role === 'entry') break;
    if (isOwn(frames[i]!, kind)) outermost = i;
  }
  const caught = frames[leaf]!;
  const operation = frames[outermost]!;
  // of one module's functions the innermost says most, and they have one maintainer
  const guilty = operation.module !== null && operation.module === caught.module ? caught : operation;
  const others = [nameOf(caught), nameOf(operation), anchor(frames)];
  return { guilty, others: others.filter((name) => name !== null && name !== nameOf(guilty)) as string[] };
}

/** The outermost function of the work at hand: the system call, work item, timer. */
function anchor(frames: readonly Frame[]): string | null {
  const own = frames.findIndex((frame) => frameRole(frame) === null);
  const begins = frames.findIndex((frame, i) => {
    const role = i > own ? frameRole(frame) : null;
    return role === 'runner' || role === 'entry';
  });
  if (own < 0 || begins <= own) return null;
  return nameOf(frames[begins - 1]!).replace(/^__(?:(?:x64|ia32|arm64|riscv|s390x|se|do)_(?:compat_)?)?sys_/, 'sys_');
}

function culprit(
  first: readonly Frame[],
  frames: readonly Frame[],
  kind: IncidentKind,
  work: Frame | null,
): Frame | null {
  const innocent = (frame: Frame): boolean => isMachinery(nameOf(frame), frame.module, kind) || isHelper(frame);
  const begins = frames.findIndex((frame, i) => i >= first.length && frameRole(frame) === 'runner');
  const guilty = frames.findIndex((frame) => !innocent(frame));
  if (guilty >= 0 && (begins < 0 || guilty < begins)) return frames[guilty]!;
  const served = (begins < 0 ? frames : frames.slice(0, begins)).filter((frame) => !isBystander(frameRole(frame)));
  // the work's own function may have left no frame: a call in its last line is a jump
  if (begins >= 0 && work !== null && isOwn(work, kind) && nameOf(frames[begins]!) === 'process_one_work') return work;
  // nothing but services between the runner and the fault: what the runner called, else the runner
  if (begins >= 0) return served.at(-1) ?? frames[begins]!;
  return (
    first.find((frame) => frame.symbol !== null && frameRole(frame) !== 'entry') ??
    served[0] ??
    frames.find((frame) => ['idle', 'tick'].includes(frameRole(frame) ?? '')) ??
    frames.find((frame) => frameRole(frame) !== 'report' && frameRole(frame) !== 'entry') ??
    first.find((frame) => frame.symbol !== null) ??
    null
  );
}

/** Whether it is a header's function: it became a part of its caller, and does what that wants. */
function isHelper({ inline, source }: Frame): boolean {
  return inline && source !== null && /^(?:\.\/)?(?:\w{1,16}\/){0,3}include\//.test(source);
}

/** The services between culprit and fault, the innermost and the outermost: what the bug is called by who blames services. */
function skippedServices(frames: readonly Frame[], guilty: Frame): string[] {
  const at = frames.indexOf(guilty);
  const services = frames.slice(0, Math.max(at, 0)).filter((frame) => {
    const role = frameRole(frame);
    return role !== null && soft.includes(role);
  });
  return services.length === 0 ? [] : [nameOf(services[0]!), nameOf(services.at(-1)!)];
}

/** Services that have bugs of their own, or whose callers others would look for under their name. */
const soft: readonly Role[] = ['deferral', 'object', 'packet', 'wait', 'lock', 'reference', 'container', 'allocator'];

/** Many hangs are one: everybody waits for RCU, or for the lock of the network configuration. */
function sharedWait(frames: readonly Frame[]): string | null {
  const name = frames.map(nameOf).find((one) => /^synchronize_(?:rcu|srcu|net|sched)|^rtnl_lock/.test(one));
  return name === undefined ? null : name.startsWith('rtnl') ? 'rtnl_lock' : 'synchronize_rcu';
}
