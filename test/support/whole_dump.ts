// A whole vmcore of a small kernel that has everything that a debugger needs, with a memory map that tells what some of
// its page frames are: for what looks at dumps as a whole.
import { MemoryMap, memoryModel, pageShapes } from './memory_map.ts';
import { writeSyntheticDump } from './synthetic_dump.ts';
import type { SyntheticKernel } from './synthetic_kernel.ts';
import { linkTasks, machine, newTask } from './task_writer.ts';

const release = '6.12.0-synthetic';
const moreTypes =
  'struct module { struct list_head list; char name[56]; }; struct new_utsname { char text[390]; }; struct uts_namespace { struct new_utsname name; };';

export interface WholeDumpOptions {
  /** Says what frames from 600 on are, and which of them the dump has (`present`); those below hold the kernel itself. */
  readonly describe?: (map: MemoryMap) => void;
  /** Frames of RAM that the filter left out. */
  readonly excluded?: readonly number[];
  readonly level?: number;
}

/** The dump's bytes. */
export function wholeDump({ describe, excluded = [], level = 31 }: WholeDumpOptions = {}): Uint8Array {
  let map: MemoryMap | null = null;
  const make = (declarations: string): SyntheticKernel => {
    const shape = pageShapes['6.12']!;
    map = new MemoryMap({ ...shape, declarations: `${declarations}${moreTypes}${shape.declarations}` });
    return map.kernel;
  };
  const kernel = machine({ cpus: 2, make });
  const init = newTask(kernel, { pid: 1, comm: 'init' });
  linkTasks(kernel, [init, newTask(kernel, { pid: 7, comm: 'worker', parent: init })]);
  kernel.link(kernel.allocate('struct list_head', 'modules').address);
  const uts = kernel.allocate('struct uts_namespace', 'init_uts_ns');
  for (const [i, text] of ['Linux', 'lab', release, '#1 SMP', 'x86_64', '(none)'].entries()) {
    kernel.space.write(uts.address + BigInt(65 * i), Buffer.from(text));
  }
  describe?.(map!);
  const pages = new Map<number, Uint8Array | null>(map!.pages());
  for (const frame of excluded) pages.set(frame, null);
  return writeSyntheticDump(kernel, {
    log: ['Linux version 6.12.0-synthetic', 'Kernel panic - not syncing: test'],
    release,
    level,
    pages,
    vmcoreinfo: [memoryModel, `SYMBOL(init_uts_ns)=${uts.address.toString(16)}`, 'OFFSET(uts_namespace.name)=0'],
  });
}
