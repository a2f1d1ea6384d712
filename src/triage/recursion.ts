// Functions that lead to themselves again and again on one stack: the round that they make, and who of it is no kernel code.
//
//   open_node [widget] -> filp_open -> do_dentry_open -> open_node [widget] -> ...
import { type Frame, frameName } from '../kernel/backtrace.ts';

export interface Recursion {
  /** The round, in the order in which they call: the first is a module's function, where one is among them. */
  readonly round: readonly Frame[];
  /** Times that its first function is on the stack. */
  readonly times: number;
  /** Frames on the stack. */
  readonly frames: number;
}

/** Times that a function is on one stack before it is taken to call itself. */
const least = 8;

/** What comes round on a stack most often; null where nothing does. @param trace innermost first */
export function recursionIn(trace: readonly Frame[]): Recursion | null {
  const frames = trace.filter((frame) => frame.reliable && frameName(frame) !== '');
  const places = new Map<string, number[]>();
  for (const [i, frame] of frames.entries()) {
    const name = frameName(frame);
    const known = places.get(name);
    if (known === undefined) places.set(name, [i]);
    else known.push(i);
  }
  const most = [...places.values()].reduce((best, at) => (at.length > best.length ? at : best), []);
  if (most.length < least) return null;
  // from one place to the next lies a round, and not every round need be the same
  const rounds = new Map<string, { round: Frame[]; times: number }>();
  for (const [i, start] of most.entries()) {
    const end = most[i + 1];
    if (end === undefined) break;
    const round = frames.slice(start, end);
    const key = round.map(frameName).join();
    const known = rounds.get(key) ?? { round, times: 0 };
    known.times++;
    rounds.set(key, known);
  }
  const [commonest] = [...rounds.values()].sort((a, b) => b.times - a.times);
  const called = commonest!.round.toReversed();
  const first = Math.max(
    0,
    called.findIndex(({ place }) => place?.symbol.module != null && place.symbol.module !== 'bpf'),
  );
  const round = [...called.slice(first), ...called.slice(0, first)];
  return { round, times: places.get(frameName(round[0]!))?.length ?? most.length, frames: frames.length };
}

/** Most functions of a round that are named. */
const maxNamed = 8;

/** `open_node [widget] leads to itself again, by filp_open and do_dentry_open` */
export function recursionWords({ round }: Recursion): string {
  const [first, ...others] = round.map(named);
  if (others.length === 0) return `${first} calls itself`;
  const shown =
    others.length <= maxNamed
      ? others
      : [...others.slice(0, maxNamed - 1), `${others.length - maxNamed} more`, others.at(-1)!];
  const last = shown.at(-1)!;
  return `${first} leads to itself again, by ${shown.length === 1 ? last : `${shown.slice(0, -1).join(', ')} and ${last}`}`;
}

function named(frame: Frame): string {
  const module = frame.place?.symbol.module;
  return `${frameName(frame)}${module == null ? '' : ` [${module}]`}`;
}
