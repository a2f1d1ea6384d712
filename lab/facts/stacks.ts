// Kernel stacks: a task that slept at the picture and did not run since has, in `foreach bt`, exactly the functions
// and return addresses that /proc/PID/stack showed.
import { type Frame, parseFrames, parseTaskBlocks } from '../crash_text.ts';
import type { Fact } from '../fact.ts';
import type { KernelSymbol, StackEntry } from '../picture.ts';

export const stacks: Fact = {
  name: 'kernel stacks of sleepers',
  commands: ['foreach bt'],
  compare(world, [text = ''], tally) {
    const blocks = new Map(parseTaskBlocks(text).map((block) => [block.pid, block.body]));
    const addresses = byName(world.picture.symbols);
    for (const task of world.picture.tasks.values()) {
      if (task.state === 'R' || task.stack.length === 0) continue;
      const label = `task ${task.tid} ${task.comm}`;
      const body = blocks.get(task.tid);
      const ran = world.ranSince(task);
      if (body === undefined) {
        if (task.comm.startsWith('kworker/')) tally.moved('an idle worker ended');
        else if (ran === undefined && world.scenario.moves === undefined) tally.fault(`${label}: no backtrace`);
        else tally.moved(ran ?? world.scenario.moves ?? '');
        continue;
      }
      const problem = difference(task.stack, parseFrames(body), addresses);
      if (problem === undefined) tally.same();
      else if (ran !== undefined) tally.moved(ran);
      else tally.fault(`${label}: ${problem}`);
    }
  },
};

function byName(symbols: readonly KernelSymbol[]): Map<string, bigint[]> {
  const found = new Map<string, bigint[]>();
  for (const symbol of symbols) {
    const list = found.get(symbol.name);
    if (list === undefined) found.set(symbol.name, [symbol.address]);
    else list.push(symbol.address);
  }
  return found;
}

/**
 * /proc leaves out the scheduler's own functions at the top (in_sched_functions(), kernel/sched/core.c), so the
 * frames' end must be the entries. Undefined when it is.
 */
export function difference(
  entries: readonly StackEntry[],
  frames: readonly Frame[],
  addresses: ReadonlyMap<string, readonly bigint[]>,
): string | undefined {
  const tail = frames.slice(Math.max(0, frames.length - entries.length));
  const words = (list: readonly { name: string }[]) => list.map((entry) => entry.name).join(' < ');
  if (tail.length < entries.length) return `the guest said ${words(entries)}, the dump ${words(frames) || 'nothing'}`;
  for (const [i, entry] of entries.entries()) {
    const at = tail[i]?.address;
    const starts = addresses.get(entry.name) ?? [];
    if (at === undefined || !starts.some((start) => start + BigInt(entry.offset) === at)) {
      return `the guest said ${words(entries)}, the dump ${words(frames)}: differs at ${entry.name}+0x${entry.offset.toString(16)}`;
    }
  }
  const above = frames.slice(0, frames.length - entries.length);
  const strange = above.find((frame) => !/sched|preempt|switch/.test(frame.name));
  return strange === undefined ? undefined : `the dump has ${strange.name} above what the guest said`;
}
