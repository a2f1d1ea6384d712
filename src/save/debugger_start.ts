// What debuggers read of a dump before they take commands: a mini dump that lacks it is of no use to them.
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { sizeOf } from '../debuginfo/type.ts';
import { backtracer } from '../kernel/backtrace.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { klistEntries } from '../kernel/klist.ts';
import { listEntries } from '../kernel/list.ts';
import { xarrayEntries } from '../kernel/xarray.ts';

/**
 * The kernel's variables and constants: debuggers read some of them before anything else. Most of the constants are symbols,
 * types and unwind tables, which are wanted anyway.
 */
const variables = [
  ['_sdata', '_edata'],
  ['__bss_start', '__bss_stop'],
  ['__start_ro_after_init', '__end_ro_after_init'],
  ['__start_rodata', '__end_rodata'],
  ['orc_lookup', 'orc_lookup_end'],
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
/** Bytes of a function at most, and bytes behind it: instructions are disassembled by their number, whatever they belong to. */
const mostCode = 32 * 1024;
const codeBehind = 16 * 1024;
/** Return addresses of which code is read at most: of 87 tasks they are some 500. */
const mostReturns = 4096;
/** Bytes of a CPU's `note_buf_t` that are used: a note of registers, and the end. */
const noteBuffer = 512;
/** Bytes of `mem_section` at most. */
const mostRoots = 4 * 1024 * 1024;

/** Reads pages as far as they can be read: [start, end). */
type Touch = (start: VirtAddr, end: VirtAddr) => void;

/** Reads, as far as they can be read, the pages that debuggers read before they take commands. */
export function readAtStart(kernel: Kernel): void {
  const { pageSize } = kernel.dump.memory;
  const touch: Touch = (start, end) => {
    const inPage = Number(start & BigInt(pageSize - 1));
    for (let at = start; at < end; at = offsetBy(at, at === start ? pageSize - inPage : pageSize)) {
      kernel.faults.attempt('variables', () => kernel.space.read(at, 1), null);
    }
  };
  for (const [first, last] of variables) {
    const [start, end] = [kernel.ownSymbol(first)?.address, kernel.ownSymbol(last)?.address];
    if (start !== undefined && end !== undefined && end - start <= mostVariables) touch(start, end);
  }
  for (const name of functions) {
    const symbol = kernel.ownSymbol(name);
    if (symbol !== null) touch(symbol.address, offsetBy(symbol.address, Math.min(symbol.size, mostCode) + codeBehind));
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
  // drgn takes registers from where the dead kernel saved them
  const notes = kernel.optionalVariable('crash_notes');
  for (const cpu of notes === null ? [] : kernel.cpus.possible) {
    const start = offsetBy(notes!.pointer(), kernel.perCpuOffset(cpu));
    touch(start, offsetBy(start, noteBuffer));
  }
  readStackCode(kernel, touch);
  kernel.faults.attempt('pids', () => readPids(kernel, touch), undefined);
  kernel.faults.attempt('memory blocks', () => readMemoryBus(kernel, touch), undefined);
}

/**
 * The code that the functions on all stacks have run: crash(8) looks in it how large frames are, and guesses where it is not
 * there.
 */
function readStackCode(kernel: Kernel, touch: Touch): void {
  const seen = new Set<VirtAddr>();
  for (const task of kernel.tasks.all) {
    if (seen.size >= mostReturns) break;
    const { frames } = kernel.faults.attempt('stack', () => backtracer(kernel).of(task), { frames: [], problem: '' });
    for (const { address, place } of frames) {
      if (place === null || seen.has(address)) continue;
      seen.add(address);
      touch(address - place.symbol.address <= mostCode ? place.symbol.address : address, offsetBy(address, 1));
    }
  }
}

/** The table of pids, by which debuggers find tasks. @throws as `xarrayEntries` */
function readPids(kernel: Kernel, touch: Touch): void {
  const size = sizeOf(kernel.type('struct pid'));
  for (const { entry } of xarrayEntries(kernel.variable('init_pid_ns').member('idr.idr_rt'), kernel.faults)) {
    touch(entry, offsetBy(entry, size));
  }
}

/** The devices of the bus `memory`: crash(8) lists the blocks of memory by them as it starts. @throws as `listEntries` */
function readMemoryBus(kernel: Kernel, touch: Touch): void {
  const all = kernel.optionalVariable('bus_kset');
  if (all === null || all.isNull) return;
  const blockSize = sizeOf(kernel.type('struct memory_block'));
  for (const kobject of listEntries(all.deref().member('list'), 'struct kobject', 'entry')) {
    if (kobject.member('name').string(64) !== 'memory') continue;
    const devices = kobject.containerOf('struct subsys_private', 'subsys.kobj').member('klist_devices');
    for (const entry of klistEntries(devices, 'struct device_private', 'knode_bus')) {
      const block = entry.member('device').deref().containerOf('struct memory_block', 'dev');
      touch(block.address, offsetBy(block.address, blockSize));
      block.member('dev.kobj.name').string(64);
    }
  }
}
