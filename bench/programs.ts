// The same job in three programs: what inquest, drgn and crash are started with.
//
// drgn is given the shortest script that does the job with its own helpers, since its crash-compatible
// commands take longer (they load more of Python): the comparison is with drgn at its best.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Program } from './processes.ts';

/** For each command, drgn's way to the same facts. */
const drgnScripts: Readonly<Record<string, string>> = {
  bt: 'print(prog.crashed_thread().stack_trace())',
  ps: `
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.sched import task_cpu, task_state_to_char
for task in for_each_task(prog):
    print(task.pid.value_(), task.real_parent.pid.value_(), task_cpu(task), hex(task.value_()),
          task_state_to_char(task), task.comm.string_().decode())`,
  log: `
import sys
from drgn.helpers.linux.printk import get_dmesg
sys.stdout.buffer.write(get_dmesg(prog))`,
  mod: `
from drgn.helpers.linux.module import for_each_module, module_address_regions
for module in for_each_module(prog):
    print(hex(module.value_()), module.name.string_().decode(), module_address_regions(module))`,
  sys: `
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.sched import loadavg
name = prog["init_uts_ns"].name
print(name.nodename.string_().decode(), name.release.string_().decode(), name.version.string_().decode())
print(loadavg(prog), sum(1 for task in for_each_task(prog)), prog.crashed_thread().object.comm.string_().decode())`,
  'foreach bt': `
from drgn.helpers.linux.pid import for_each_task
for task in for_each_task(prog, idle=True):
    print(task.pid.value_(), task.comm.string_().decode())
    try:
        print(prog.stack_trace(task))
    except (ValueError, LookupError) as error:
        print(error)`,
  'foreach files': `
from drgn import FaultError
from drgn.helpers.linux.fs import d_path, for_each_file
from drgn.helpers.linux.pid import for_each_task
for task in for_each_task(prog):
    if not task.files:
        continue
    print(task.pid.value_(), task.comm.string_().decode())
    for fd, file in for_each_file(task):
        try:
            print(fd, hex(file.value_()), hex(file.f_inode.value_()), d_path(file.f_path).decode())
        except FaultError as error:
            print(error)`,
  'kmem -s': `
from drgn.helpers.linux.slab import for_each_slab_cache, slab_cache_usage
for cache in for_each_slab_cache(prog):
    print(hex(cache.value_()), cache.object_size.value_(), slab_cache_usage(cache), cache.name.string_().decode())`,
  'kmem -S': `
from drgn.helpers.linux.slab import for_each_slab_cache, slab_cache_for_each_allocated_object
for cache in for_each_slab_cache(prog):
    print(hex(cache.value_()), cache.name.string_().decode())
    for object in slab_cache_for_each_allocated_object(cache, "void"):
        print(hex(object.value_()))`,
  'search -k deadbeef': `
for at in prog.search_memory_u64(0xdeadbeef):
    print(hex(at[0]))`,
};

/** Where drgn and crash are looked for: here (`null`), or in a root directory to enter with chroot. */
export interface Place {
  readonly root: string | null;
}

export function inquest(program: string, command: string, dump: string, vmlinux: string | null = null): Program {
  const files = vmlinux === null ? [dump] : [dump, vmlinux];
  const argv = [process.execPath, program, 'crash', '-s', ...files, '-c', command];
  return { name: 'inquest', argv, input: '', mostRuns: Number.POSITIVE_INFINITY };
}

/** Null where drgn is not installed, or has no script for the command. */
export function drgn(place: Place, command: string, dump: string, vmlinux: string): Program | null {
  const script = drgnScripts[command];
  const version = versionOf(place, ['drgn', '--version'], /drgn ([\d.]+)/);
  if (script === undefined || version === null) return null;
  const argv = enter(place, ['drgn', '-q', '-c', dump, '-s', vmlinux, '-e', script.trim()]);
  return { name: `drgn ${version}`, argv, input: '', mostRuns: Number.POSITIVE_INFINITY };
}

/** Null where crash is not installed. */
export function crash(place: Place, command: string, dump: string, vmlinux: string): Program | null {
  const version = versionOf(place, ['crash', '-v'], /crash ([\d.]+)/);
  if (version === null) return null;
  const argv = enter(place, ['crash', '-s', vmlinux, dump]);
  return { name: `crash ${version}`, argv, input: `${command}\nquit\n`, mostRuns: 2 };
}

const versions = new Map<string, string | null>();

function versionOf(place: Place, argv: readonly string[], pattern: RegExp): string | null {
  const [name = ''] = argv;
  let version = versions.get(name);
  if (version === undefined) {
    const installed = place.root === null || existsSync(join(place.root, 'usr/bin', name));
    const whole = enter(place, argv);
    const run = installed ? spawnSync(whole[0]!, whole.slice(1), { encoding: 'utf8' }) : null;
    version = pattern.exec(`${run?.stdout ?? ''}${run?.stderr ?? ''}`)?.[1] ?? null;
    versions.set(name, version);
  }
  return version;
}

function enter({ root }: Place, argv: readonly string[]): readonly string[] {
  return root === null ? argv : ['chroot', root, ...argv];
}
