// Mini dumps: the pages that the report and some commands read, and no others. Which those are is found by running them
// over a memory that remembers what was asked of it.
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { InquestError } from '../base/errors.ts';
import { CommandContext } from '../commands/context.ts';
import { parseParams } from '../commands/params.ts';
import { commandTable } from '../commands/registry.ts';
import { sizeOf } from '../debuginfo/type.ts';
import type { Dump } from '../dump/dump.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { openKernel } from '../kernel/open_kernel.ts';
import { analyse } from '../triage/analyse.ts';
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
  ...[' -i', ' -V', ' -z', ' -o', ' -h', ' -g'].map((form) => `kmem${form}`),
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
 * The kernel's variables and constants: debuggers read some of them before anything else. Most of the constants are symbols,
 * types and unwind tables, which are wanted anyway.
 */
const variables = [
  ['_sdata', '_edata'],
  ['__bss_start', '__bss_stop'],
  ['__start_ro_after_init', '__end_ro_after_init'],
  ['__start_rodata', '__end_rodata'],
] as const;
/**
 * Functions that crash(8) disassembles as it starts, on x86: whether they keep a frame pointer, and where threads sleep. It
 * does not start where it cannot.
 */
const functions = [
  ...['sys_open', '__x64_sys_open', '__do_sys_open', '__x64_sys_openat', 'sys_fork', '__do_sys_fork', '__x64_sys_fork'],
  ...['sys_read', '__x64_sys_read', 'ksys_read', 'sys_write', '__x64_sys_write', 'do_fork', '_do_fork', 'kernel_clone'],
  ...['do_futex', 'vfs_read', 'vfs_write', 'schedule', '__schedule'],
] as const;

/** Bytes of them at most. */
const mostVariables = 64 * 1024 * 1024;
/** Bytes of a function at most. */
const mostCode = 32 * 1024;
/** Bytes of `mem_section` at most. */
const mostRoots = 4 * 1024 * 1024;

function readVariables(kernel: Kernel): void {
  const { pageSize } = kernel.dump.memory;
  const touch = (start: VirtAddr, end: VirtAddr): void => {
    for (let at = start; at < end; at = offsetBy(at, pageSize)) {
      kernel.faults.attempt('variables', () => kernel.space.read(at, 1), null);
    }
  };
  for (const [first, last] of variables) {
    const [start, end] = [kernel.ownSymbol(first)?.address, kernel.ownSymbol(last)?.address];
    if (start !== undefined && end !== undefined && end - start <= mostVariables) touch(start, end);
  }
  for (const name of functions) {
    const symbol = kernel.ownSymbol(name);
    if (symbol !== null) touch(symbol.address, offsetBy(symbol.address, Math.min(symbol.size, mostCode) + pageSize));
  }
  const taskSize = sizeOf(kernel.type('struct task_struct'));
  for (const { address } of kernel.tasks.all) touch(address, offsetBy(address, taskSize));
  for (const cpu of kernel.cpus.possible) {
    for (const name of ['cpu_number', 'pcpu_hot'] as const) {
      if (kernel.ownSymbol(name) !== null)
        touch(kernel.perCpuAddress(name, cpu), offsetBy(kernel.perCpuAddress(name, cpu), 8));
    }
  }
  // which memory there is: pointers to roots of sections, nearly all of them 0
  const roots = kernel.vmcoreinfo.length('mem_section') ?? 0;
  const section = kernel.optionalVariable('mem_section');
  if (section !== null && section.type.kind === 'pointer' && roots * 8 <= mostRoots) {
    const start = section.pointer();
    touch(start, offsetBy(start, roots * 8));
  }
}

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
  kernel.faults.collect(() => readVariables(kernel));
  return { kernel, mini: { frames: memory.touched.copy(), note: { holds, ram: memory.ramRanges() } } };
}
