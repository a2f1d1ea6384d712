// How long whole processes take with a vmlinux: `bt -l` of the task that panicked beside drgn's backtrace.
import { measure } from '../processes.ts';
import { drgn, inquest } from '../programs.ts';
import { type Comparison, type Setup, seenInside } from './setup.ts';

const rounds = 7;
/** MiB. */
const mostMemory = 400;

export function measureTime(setup: Setup, program: string): Comparison[] {
  const { dump, vmlinux, root } = setup;
  const ours = inquest(program, 'bt -l', dump, vmlinux);
  const all = inquest(program, 'bt --locals', dump, vmlinux);
  const theirs = drgn({ root }, 'bt', seenInside(setup, dump), seenInside(setup, vmlinux));
  const programs = [ours, all, ...(theirs === null ? [] : [theirs])];
  const [lines, locals, their] = measure(programs, rounds);
  const text = (seconds: number | undefined) => `${((seconds ?? 0) * 1000).toFixed(0)} ms`;
  const memory = Math.max(lines?.memory ?? 0, locals?.memory ?? 0);
  const notes = [
    `inquest bt -l ${text(lines?.wall)}, bt --locals ${text(locals?.wall)}; drgn's backtrace ${text(their?.wall)}`,
    `most memory ${memory.toFixed(0)} MiB`,
  ];
  const holds = [
    lines !== null && lines !== undefined && (their === null || their === undefined || lines.wall <= their.wall),
    memory > 0 && memory < mostMemory,
  ];
  return [
    {
      what: `bt -l no slower than drgn's, and under ${mostMemory} MiB`,
      compared: holds.length,
      equal: holds.filter(Boolean).length,
      differences: [],
      notes,
    },
  ];
}
