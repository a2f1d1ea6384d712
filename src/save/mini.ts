// Mini dumps: the pages that the report and some commands read, and no others. Which those are is found by running them
// over a memory that remembers what was asked of it.
import { InquestError } from '../base/errors.ts';
import { CommandContext } from '../commands/context.ts';
import { parseParams } from '../commands/params.ts';
import { commandTable } from '../commands/registry.ts';
import type { Dump } from '../dump/dump.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { openKernel } from '../kernel/open_kernel.ts';
import { analyse } from '../triage/analyse.ts';
import { readAtStart } from './debugger_start.ts';
import { RecordedMemory } from './recorded_memory.ts';
import type { MiniPages } from './save.ts';

/** What a mini dump has the pages of, in words. */
const holds = 'the report, bt of every task, ps, log, mod, kmem -i, runq, timer, lock, sym, sys; variables';

/**
 * Commands of which the pages are kept, in every form that reads others. None may read more of a larger machine, but for
 * its tasks, CPUs, modules and log.
 */
const lines: readonly string[] = [
  'bt -a',
  'bt -E',
  'bt -v',
  ...['', ' -e', ' -f', ' -F', ' -r', ' -t', ' -T'].map((form) => `foreach bt${form}`),
  ...['', ' -a', ' -c', ' -g', ' -l', ' -m', ' -p', ' -r', ' -s', ' -S', ' -t', ' -Y'].map((form) => `ps${form}`),
  ...['', ' -T', ' -d', ' -c', ' -m', ' -a', ' -s'].map((form) => `log${form}`),
  'mod',
  'mod -t',
  ...[' -i', ' -n', ' -V', ' -z', ' -o', ' -h', ' -g'].map((form) => `kmem${form}`),
  ...['', ' -g', ' -m', ' -t', ' -T'].map((form) => `runq${form}`),
  'timer',
  'timer -r',
  'lock',
  'sym -l',
  'sys',
  'sys -i',
  'sys -t',
  'mach',
];

/**
 * The kernel in a dump, and the pages that a mini dump of it holds. Debug information in files is not used: the mini dump
 * is to be read where there is none.
 * @throws as `openKernel`; Cancelled
 */
export function miniPages(dump: Dump): { readonly kernel: Kernel; readonly mini: MiniPages } {
  const memory = new RecordedMemory(dump.memory);
  const kernel = openKernel({ ...dump, memory });
  const context = new CommandContext(kernel);
  const table = commandTable();
  kernel.faults.collect(() => analyse(context));
  for (const [done, line] of lines.entries()) {
    kernel.work.progress(done, lines.length);
    const [name, ...words] = line.split(' ');
    kernel.faults.collect(() => {
      try {
        const command = table.get(name!)!;
        const { items } = command.collect(context, parseParams(command.params, words, context));
        while (items.next().done !== true);
      } catch (error) {
        // a form that this kernel has no use for
        if (!(error instanceof InquestError)) throw error;
      }
    });
  }
  kernel.faults.collect(() => readAtStart(kernel));
  return { kernel, mini: { frames: memory.touched.copy(), note: { holds, ram: memory.ramRanges() } } };
}
