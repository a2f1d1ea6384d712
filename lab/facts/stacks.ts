// Kernel stacks: a task that slept at the picture and did not run since has, in `foreach bt`, exactly the functions
// and return addresses that /proc/PID/stack showed.
import { type Frame, parseTaskBlocks, parseTrace } from '../crash_text.ts';
import { type Fact, whyGone } from '../fact.ts';
import type { StackEntry } from '../picture.ts';

export const stacks: Fact = {
  name: 'kernel stacks of sleepers',
  commands: ['foreach bt'],
  compare(world, [text = ''], tally) {
    const blocks = new Map(parseTaskBlocks(text).map((block) => [block.pid, block.body]));
    const { addresses } = world.picture;
    const edge = (name: string) => addresses.get(`__sched_text_${name}`)?.[0] ?? 0n;
    const scheduler = { start: edge('start'), end: edge('end') };
    for (const task of world.picture.tasks.values()) {
      if (task.state === 'R' || task.stack.length === 0) continue;
      const label = `task ${task.tid} ${task.comm}`;
      const body = blocks.get(task.tid);
      const ran = world.ranSince(task);
      if (body === undefined) {
        const why = whyGone(world, task.comm) ?? ran ?? world.scenario.moves;
        if (task.comm.startsWith('kworker/')) tally.moved('an idle worker ended');
        else if (why === undefined) tally.fault(`${label}: no backtrace`);
        else tally.moved(why);
        continue;
      }
      const problem = difference(task.stack, parseTrace(body, world.machine), addresses, scheduler);
      if (problem === undefined) tally.same();
      else if (ran !== undefined) tally.moved(ran);
      else tally.fault(`${label}: ${problem}`);
    }
  },
};

/** The scheduler's own functions: from `__sched_text_start` up to, not including, `__sched_text_end`. */
interface Range {
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * What differs between a stack of /proc and a backtrace, in words; undefined when nothing does. /proc leaves out the
 * scheduler's own functions wherever they are (stack_trace_consume_entry_nosched(), kernel/stacktrace.c).
 */
export function difference(
  entries: readonly StackEntry[],
  frames: readonly Frame[],
  addresses: ReadonlyMap<string, readonly bigint[]>,
  scheduler: Range,
): string | undefined {
  const shown = frames.filter(({ address }) => address < scheduler.start || address >= scheduler.end);
  const words = (list: readonly { name: string }[]) => list.map((entry) => entry.name).join(' < ') || 'nothing';
  const both = `the guest said ${words(entries)}, the dump ${words(frames)}`;
  for (const [i, entry] of entries.entries()) {
    const at = shown[i]?.address;
    const starts = addresses.get(entry.name) ?? [];
    if (at === undefined || !starts.some((start) => start + BigInt(entry.offset) === at)) {
      return `${both}: differs at ${entry.name}+0x${entry.offset.toString(16)}`;
    }
  }
  return shown.length > entries.length ? `${both}: the dump has more` : undefined;
}
