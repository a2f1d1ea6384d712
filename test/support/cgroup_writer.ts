// Writes control groups into a synthetic kernel.
import type { KernelObject } from '../../src/debuginfo/object.ts';
import type { SyntheticKernel } from './synthetic_kernel.ts';
import { machine } from './task_writer.ts';

/** @param parent what a kernfs node calls the one above: `__parent` since 6.15 */
const more = (parent = '__parent') => ({
  types: `
    struct list_head { struct list_head *next, *prev; };
    enum memcg_memory_event { MEMCG_LOW, MEMCG_HIGH, MEMCG_MAX, MEMCG_OOM, MEMCG_OOM_KILL };
    struct counter { long counter; };
    struct cgroup_subsys_state { struct cgroup *cgroup; struct list_head sibling; struct list_head children; };
    struct kernfs_node { struct kernfs_node *${parent}; const char *name; };
    struct css_set { struct cgroup_subsys_state *subsys[3]; struct cgroup *dfl_cgrp; struct list_head tasks;
      struct list_head mg_tasks; };
    struct cgrp_cset_link { struct css_set *cset; struct list_head cset_link; };
    struct freezer { bool e_freeze; };
    struct cgroup { struct cgroup_subsys_state self; struct kernfs_node *kn; struct cgroup_subsys_state *subsys[3];
      struct list_head cset_links; struct freezer freezer; };
    struct cgroup_root { unsigned subsys_mask; struct list_head root_list; struct cgroup cgrp; char name[64]; };
    struct cgroup_subsys { unsigned implicit_on_dfl : 1; const char *name; void *dfl_cftypes; };
    struct page_counter { struct counter usage; unsigned long min, low, high, max, watermark; };
    struct mem_cgroup { struct cgroup_subsys_state css; struct page_counter memory; struct page_counter swap;
      struct counter memory_events[5]; };
    struct cfs_bandwidth { u64 quota; u64 period; };
    struct task_group { struct cgroup_subsys_state css; unsigned long shares; struct cfs_bandwidth cfs_bandwidth; };
    struct pids_cgroup { struct cgroup_subsys_state css; struct counter counter; struct counter limit; };
    struct ns_common { unsigned inum; };
    struct uts_namespace { int name; struct ns_common ns; };
    struct upid { int nr; struct pid_ns *ns; };
    struct pid_ns { int level; struct ns_common ns; };
    struct thread_pid { int level; struct upid numbers[]; };
    struct user_ns { struct ns_common ns; };
    struct cred { struct user_ns *user_ns; };
    struct nsproxy { struct uts_namespace *uts_ns; };
  `,
  task: `struct css_set *cgroups; struct list_head cg_list; struct nsproxy *nsproxy; struct cred *cred;
    struct thread_pid *thread_pid;`,
});

/** A machine with version 2's hierarchy and the controllers cpu, memory and pids, by index. */
export class CgroupWorld {
  readonly kernel: SyntheticKernel;
  readonly root: KernelObject;
  private readonly children = new Map<KernelObject, KernelObject[]>();

  constructor(parent?: string) {
    this.kernel = machine({ more: more(parent) });
    const { kernel } = this;
    const table = kernel.reserve(24);
    kernel.define('cgroup_subsys', table, 24);
    for (const [i, name] of ['cpu', 'memory', 'pids'].entries()) {
      const controller = kernel.allocate('struct cgroup_subsys');
      kernel.set(controller, 'name', this.text(name));
      kernel.set(controller, 'dfl_cftypes', 1);
      kernel.space.words(table + BigInt(i * 8), controller.address);
    }
    const root = kernel.allocate('struct cgroup_root', 'cgrp_dfl_root');
    kernel.set(root, 'subsys_mask', 7);
    const roots = kernel.allocate('struct list_head', 'cgroup_roots');
    kernel.link(roots.address, root.member('root_list').address);
    this.root = root.member('cgrp');
    this.prepare(this.root, '', null);
  }

  private text(value: string): bigint {
    const address = this.kernel.reserve(value.length + 1);
    this.kernel.space.write(address, Buffer.from(`${value}\0`, 'latin1'));
    return address;
  }

  private prepare(group: KernelObject, name: string, parent: KernelObject | null): void {
    const { kernel } = this;
    const node = kernel.allocate('struct kernfs_node');
    kernel.set(node, 'name', this.text(name));
    if (parent !== null) kernel.set(node, node.has('__parent') ? '__parent' : 'parent', parent.member('kn').pointer());
    kernel.set(group, 'kn', node);
    kernel.set(group, 'self.cgroup', group);
    kernel.link(group.member('self.children').address);
    kernel.link(group.member('cset_links').address);
  }

  group(name: string, parent = this.root): KernelObject {
    const group = this.kernel.allocate('struct cgroup');
    this.prepare(group, name, parent);
    const siblings = this.children.get(parent) ?? [];
    siblings.push(group);
    this.children.set(parent, siblings);
    const nodes = siblings.map((sibling) => sibling.member('self.sibling').address);
    this.kernel.link(parent.member('self.children').address, ...nodes);
    return group;
  }

  /** Gives a group the struct of a controller. */
  control(group: KernelObject, index: number, type: string, members: Readonly<Record<string, number | bigint>>): void {
    const object = this.kernel.allocate(type);
    for (const [path, value] of Object.entries(members)) this.kernel.set(object, path, value);
    this.kernel.set(group, `subsys[${index}]`, object);
  }

  /** Puts tasks into a group. */
  put(group: KernelObject, ...tasks: KernelObject[]): void {
    const { kernel } = this;
    const set = kernel.allocate('struct css_set');
    const link = kernel.allocate('struct cgrp_cset_link');
    kernel.set(link, 'cset', set);
    kernel.set(set, 'dfl_cgrp', group);
    kernel.link(group.member('cset_links').address, link.member('cset_link').address);
    kernel.link(set.member('tasks').address, ...tasks.map((task) => task.member('cg_list').address));
    kernel.link(set.member('mg_tasks').address);
    for (const task of tasks) kernel.set(task, 'cgroups', set);
  }
}
