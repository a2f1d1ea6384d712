// include/linux/cgroup-defs.h: control groups, their tasks, limits and use.
//
//   cgroup_root.cgrp                       the root of a hierarchy: the one of version 2, or one of version 1
//     cgroup.self.children <-> css.sibling, of its children's `self`
//     cgroup.cset_links -> cgrp_cset_link -> css_set.tasks <-> task.cg_list
//     cgroup.subsys[controller] -> css, which the controller's own struct begins with: mem_cgroup, task_group, ...
import type { VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { sizeOf, strip } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';
import { perKernel } from './per_kernel.ts';
import type { Task } from './task.ts';

/** Deepest tree and most groups that are followed: cgroup.max.descendants has no bound of its own. */
const maxDepth = 512;
const maxGroups = 1_000_000;
/** PIDS_MAX (kernel/cgroup/pids.c): more than PID_MAX_LIMIT stands for no limit. */
const maxPids = 4 * 1024 * 1024;

/** A tree of groups. */
export interface CgroupHierarchy {
  /** The `struct cgroup` at its root. */
  readonly root: KernelObject;
  readonly version: 1 | 2;
  /** `memory`, `cpu`, ...: what it may limit. */
  readonly controllers: readonly string[];
  /** Name of a hierarchy of version 1 that was given one (`systemd`); empty otherwise. */
  readonly name: string;
}

/** Memory of a group, with all below it. Bytes; a limit that is null does not limit. */
export interface CgroupMemory {
  readonly current: number;
  readonly peak: number;
  readonly min: number;
  readonly low: number;
  readonly high: number | null;
  readonly max: number | null;
  readonly swap: number | null;
  readonly swapMax: number | null;
  /** Processes that were killed for want of memory in it or below it; null where the kernel does not count them. */
  readonly oomKills: number | null;
}

/** Time that a group may use. */
export interface CgroupCpu {
  /** cpu.weight, 100 unless set; of version 1 cpu.shares, 1024 unless set. */
  readonly weight: number;
  /** Nanoseconds of CPU time in each period; null for no limit. */
  readonly quota: number | null;
  /** Nanoseconds. */
  readonly period: number | null;
}

/** A group. */
export interface Cgroup {
  /** Virtual address of the `struct cgroup`. */
  readonly address: VirtAddr;
  /** From the root of its hierarchy: `/`, `/web.slice/one.service`; names as in memory. */
  readonly path: string;
  readonly depth: number;
  /** Controllers that it has. */
  readonly controllers: readonly string[];
  /** Virtual addresses of the task_structs in it, threads among them; those of groups below are not. */
  readonly tasks: readonly VirtAddr[];
  readonly memory: CgroupMemory | null;
  readonly cpu: CgroupCpu | null;
  /** Tasks in it and below it, and how many there may be (null: any number). */
  readonly pids: { readonly current: number; readonly max: number | null } | null;
  readonly frozen: boolean;
}

interface Controller {
  readonly index: number;
  readonly name: string;
  /** Whether groups of version 2 have files of it: not for what is always on, nor for what version 1 alone has. */
  readonly inVersion2: boolean;
}

/** Controllers of the kernel, in the order of css_set.subsys. */
const controllers = perKernel((kernel: Kernel): readonly Controller[] => {
  const held = kernel.type('struct css_set');
  const subsys = strip(held);
  const member = subsys.kind === 'struct' ? subsys.members.find(({ name }) => name === 'subsys') : undefined;
  const count = member === undefined ? 0 : sizeOf(member.type) / 8;
  const table = kernel.address('cgroup_subsys');
  return Array.from({ length: count }, (_, index) => {
    const at = kernel.space.pointer((table + BigInt(index * 8)) as VirtAddr);
    const controller = kernel.object('struct cgroup_subsys', at);
    return {
      index,
      name: controller.member('name').string(32),
      // as cgroup_init in kernel/cgroup/cgroup.c
      inVersion2: !controller.member('implicit_on_dfl').bool() && !controller.member('dfl_cftypes').isNull,
    };
  });
});

/** The hierarchies of a kernel: version 2 first; those of version 1 that are mounted. @throws NotFoundError without cgroups */
export function cgroupHierarchies(kernel: Kernel): CgroupHierarchy[] {
  const known = controllers(kernel);
  const dflRoot = kernel.object('struct cgroup_root', kernel.address('cgrp_dfl_root'));
  const hierarchy = (root: KernelObject, version: 1 | 2): CgroupHierarchy => {
    const mask = root.member('subsys_mask').number();
    return {
      root: root.member('cgrp'),
      version,
      controllers: known
        .filter(({ index, inVersion2 }) => (mask & (1 << index)) !== 0 && (version === 1 || inVersion2))
        .map(({ name }) => name),
      name: root.member('name').string(),
    };
  };
  const found = [hierarchy(dflRoot, 2)];
  kernel.faults.attempt(
    'cgroup hierarchies',
    () => {
      const roots = kernel.object('struct list_head', kernel.address('cgroup_roots'));
      for (const root of listEntries(roots, 'struct cgroup_root', 'root_list')) {
        if (root.address !== dflRoot.address) found.push(hierarchy(root, 1));
      }
    },
    undefined,
  );
  return found;
}

/**
 * The groups of a hierarchy, each before those below it. Groups that cannot be read are faults, and cost what is below
 * them; parts of them that cannot be read are null.
 */
export function* cgroupTree(kernel: Kernel, hierarchy: CgroupHierarchy): Generator<Cgroup> {
  const seen = new Set<bigint>();
  function* walk(group: KernelObject, path: string, depth: number): Generator<Cgroup> {
    const here = kernel.faults.attempt(
      'cgroup',
      () => {
        if (seen.has(group.address)) throw new FormatError('cgroups', `come to ${group.address.toString(16)} twice`);
        if (depth > maxDepth || seen.size >= maxGroups) throw new FormatError('cgroups', 'have no end');
        seen.add(group.address);
        return cgroupAt(kernel, hierarchy, group, path, depth);
      },
      null,
    );
    if (here === null) return;
    yield here;
    for (const child of childrenOf(kernel, group)) {
      const name = kernel.faults.attempt('cgroup name', () => child.member('kn').member('name').string(256), '?');
      yield* walk(child, `${path === '/' ? '' : path}/${name}`, depth + 1);
    }
  }
  yield* walk(hierarchy.root, '/', 0);
}

/** The paths of the groups that a task is in, one for each hierarchy: version 2 first. What cannot be read is a fault. */
export function taskCgroups(kernel: Kernel, task: Task): { readonly hierarchy: string; readonly path: string }[] {
  const found: { hierarchy: string; path: string }[] = [];
  kernel.faults.attempt(
    'cgroups of a task',
    () => {
      const set = task.object.member('cgroups');
      if (set.isNull) return;
      for (const { version, controllers: held, name } of cgroupHierarchies(kernel)) {
        const first = controllers(kernel).find((one) => held.includes(one.name));
        const group =
          version === 2
            ? set.member('dfl_cgrp')
            : first === undefined
              ? null
              : set.member('subsys').index(first.index).member('cgroup');
        if (group === null || group.isNull) continue;
        found.push({ hierarchy: version === 2 ? '' : [...held, name].filter(Boolean).join(','), path: pathOf(group) });
      }
    },
    undefined,
  );
  return found;
}

/** The path of a `struct cgroup`, by the names of its kernfs nodes. @throws MemoryFault, FormatError */
function pathOf(group: KernelObject): string {
  const names: string[] = [];
  let node = group.member('kn');
  for (let depth = 0; depth <= maxDepth; depth++) {
    // __parent since 633488947ef6 (6.15)
    const parent = node.memberAmong('__parent', 'parent');
    if (parent.isNull) return `/${names.reverse().join('/')}`;
    names.push(node.member('name').string(256));
    node = parent;
  }
  throw new FormatError('cgroup', `is deeper than ${maxDepth}`);
}

function childrenOf(kernel: Kernel, group: KernelObject): KernelObject[] {
  const found: KernelObject[] = [];
  kernel.faults.attempt(
    'cgroups',
    () => {
      for (const state of listEntries(group.member('self.children'), 'struct cgroup_subsys_state', 'sibling')) {
        found.push(state.containerOf(kernel.type('struct cgroup'), 'self'));
      }
    },
    undefined,
  );
  return found;
}

function cgroupAt(
  kernel: Kernel,
  { version }: CgroupHierarchy,
  group: KernelObject,
  path: string,
  depth: number,
): Cgroup {
  const { faults } = kernel;
  const states = group.member('subsys');
  const held = controllers(kernel).filter(
    ({ index, inVersion2 }) => (version === 1 || inVersion2) && !states.index(index).isNull,
  );
  /** The struct of a controller, if the group has one of its own. */
  const own = <T>(name: string, type: string, read: (object: KernelObject) => T): T | null => {
    const controller = held.find((one) => one.name === name);
    if (controller === undefined || kernel.types.find(type) === null) return null;
    return faults.attempt(
      `${name} of cgroup ${path}`,
      () => read(states.index(controller.index).deref().containerOf(type, 'css')),
      null,
    );
  };
  return {
    address: group.address,
    path,
    depth,
    controllers: held.map(({ name }) => name),
    tasks: faults.attempt(`tasks of cgroup ${path}`, () => tasksOf(kernel, group), []),
    // nobody charges the root group what it uses itself
    memory: depth === 0 ? null : own('memory', 'struct mem_cgroup', (memory) => memoryOf(kernel, memory)),
    cpu: depth === 0 ? null : own('cpu', 'struct task_group', (cpu) => cpuOf(cpu, version)),
    pids:
      depth === 0
        ? null
        : own('pids', 'struct pids_cgroup', (pids) => {
            const max = pids.member('limit.counter').number();
            return { current: pids.member('counter.counter').number(), max: max > maxPids ? null : max };
          }),
    frozen: faults.attempt('freezer', () => group.optional('freezer.e_freeze')?.bool() ?? false, false),
  };
}

function tasksOf(kernel: Kernel, group: KernelObject): VirtAddr[] {
  const found: VirtAddr[] = [];
  for (const link of listEntries(group.member('cset_links'), 'struct cgrp_cset_link', 'cset_link')) {
    const set = link.member('cset');
    for (const list of ['tasks', 'mg_tasks', 'dying_tasks']) {
      const head = set.optional(list);
      if (head === null) continue;
      for (const task of listEntries(head, kernel.type('struct task_struct'), 'cg_list')) found.push(task.address);
    }
  }
  return found;
}

function memoryOf(kernel: Kernel, memory: KernelObject): CgroupMemory {
  // counted in pages
  const { pageSize } = kernel.space.memory;
  const bytes = (path: string) => memory.member(path).number() * pageSize;
  // PAGE_COUNTER_MAX: LONG_MAX in pages
  const unlimited = 2n ** 63n / BigInt(pageSize) - 1n;
  const limit = (path: string): number | null => {
    const value = memory.member(path).bigint();
    return value >= unlimited ? null : Number(value) * pageSize;
  };
  const swap = memory.optional('swap');
  return {
    current: bytes('memory.usage.counter'),
    peak: bytes('memory.watermark'),
    min: bytes('memory.min'),
    low: bytes('memory.low'),
    high: limit('memory.high'),
    max: limit('memory.max'),
    swap: swap === null ? null : bytes('swap.usage.counter'),
    swapMax: swap === null ? null : limit('swap.max'),
    oomKills: oomKills(kernel, memory),
  };
}

function oomKills(kernel: Kernel, memory: KernelObject): number | null {
  const type = kernel.types.find('enum memcg_memory_event');
  const names = type === null ? null : strip(type);
  const event = names?.kind === 'enum' ? names.values.find(({ name }) => name === 'MEMCG_OOM_KILL') : undefined;
  return event === undefined
    ? null
    : memory.member('memory_events').index(Number(event.value)).member('counter').number();
}

function cpuOf(group: KernelObject, version: 1 | 2): CgroupCpu {
  // shares are scaled by 1024 on 64-bit machines (scale_load in kernel/sched/sched.h)
  const shares = group.member('shares').number() / 1024;
  const quota = group.optional('cfs_bandwidth.quota')?.bigint() ?? null;
  const period = group.optional('cfs_bandwidth.period')?.number() ?? null;
  return {
    // sched_weight_to_cgroup (include/linux/cgroup.h)
    weight: version === 1 ? shares : Math.round((shares * 100) / 1024),
    quota: quota === null || quota < 0n || quota === 0xffff_ffff_ffff_ffffn ? null : Number(quota),
    period,
  };
}
