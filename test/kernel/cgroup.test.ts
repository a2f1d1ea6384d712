// Control groups: the tree, tasks, limits and use; the namespaces of a task.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cgroupHierarchies, cgroupTree, taskCgroups } from '../../src/kernel/cgroup.ts';
import { namespacesOf } from '../../src/kernel/nsproxy.ts';
import { CgroupWorld } from '../support/cgroup_writer.ts';
import { linkTasks, newTask } from '../support/task_writer.ts';

function read({ kernel }: CgroupWorld) {
  return kernel.faults.collect(() => {
    const [hierarchy] = cgroupHierarchies(kernel);
    return [...cgroupTree(kernel, hierarchy!)];
  });
}

describe('cgroups', () => {
  test('the tree, each group before those below it, with its tasks', () => {
    const world = new CgroupWorld();
    const web = world.group('web.slice');
    const one = world.group('one.service', web);
    world.group('batch.slice');
    const task = newTask(world.kernel, { pid: 5 });
    world.put(one, task);
    const { value, faults } = read(world);
    assert.deepEqual(
      value.map(({ path, depth, tasks }) => [path, depth, tasks.length]),
      [
        ['/', 0, 0],
        ['/web.slice', 1, 0],
        ['/web.slice/one.service', 2, 1],
        ['/batch.slice', 1, 0],
      ],
    );
    assert.deepEqual([value[2]?.tasks[0], faults.length], [task.address, 0]);
  });

  test('limits: those that are set, and those that do not limit', () => {
    const world = new CgroupWorld();
    const group = world.group('a');
    const none = 2n ** 51n - 1n;
    world.control(group, 0, 'struct task_group', {
      shares: 102400,
      'cfs_bandwidth.quota': 50_000_000,
      'cfs_bandwidth.period': 100_000_000,
    });
    world.control(group, 1, 'struct mem_cgroup', {
      'memory.usage.counter': 70,
      'memory.max': 8192,
      'memory.high': none,
      'swap.max': none,
      'memory_events[4].counter': 3,
    });
    world.control(group, 2, 'struct pids_cgroup', { 'counter.counter': 2, 'limit.counter': 4194305 });
    const [, found] = read(world).value;
    assert.deepEqual(found?.cpu, { weight: 10, quota: 50_000_000, period: 100_000_000 });
    assert.deepEqual(
      [
        found?.memory?.current,
        found?.memory?.max,
        found?.memory?.high,
        found?.memory?.swapMax,
        found?.memory?.oomKills,
      ],
      [70 * 4096, 32 * 2 ** 20, null, null, 3],
    );
    assert.deepEqual(found?.pids, { current: 2, max: null });
    assert.deepEqual(found?.controllers, ['cpu', 'memory', 'pids']);
  });

  test('a group that is its own ancestor ends with a fault', () => {
    const world = new CgroupWorld();
    const web = world.group('web.slice');
    world.kernel.link(web.member('self.children').address, world.root.member('self.sibling').address);
    const { value, faults } = read(world);
    assert.equal(value.length, 2);
    assert.match(faults[0]!.message, /twice/);
  });

  test("a controller's struct that is missing costs its limits alone", () => {
    const world = new CgroupWorld();
    const group = world.group('a');
    world.control(group, 1, 'struct mem_cgroup', { 'memory.max': 8192 });
    world.kernel.space.exclude(group.member('subsys').index(1).pointer());
    const { value, faults } = read(world);
    assert.deepEqual([value[1]?.path, value[1]?.memory, faults.length], ['/a', null, 1]);
  });

  for (const parent of ['__parent', 'parent']) {
    test(`the path of a task's group, where nodes have ${parent}`, () => {
      const world = new CgroupWorld(parent);
      const task = newTask(world.kernel, { pid: 5 });
      world.put(world.group('one.service', world.group('web.slice')), task);
      linkTasks(world.kernel, [task]);
      const found = taskCgroups(world.kernel, world.kernel.tasks.byPid(5)!);
      assert.deepEqual(found, [{ hierarchy: '', path: '/web.slice/one.service' }]);
    });
  }
});

describe('namespaces', () => {
  test('those of a task: the PID namespace is that of its own number', () => {
    const { kernel } = new CgroupWorld();
    const task = newTask(kernel, { pid: 5 });
    const proxy = kernel.allocate('struct nsproxy');
    const uts = kernel.allocate('struct uts_namespace');
    kernel.set(uts, 'ns.inum', 4026531838);
    kernel.set(proxy, 'uts_ns', uts);
    kernel.set(task, 'nsproxy', proxy);
    const inner = kernel.allocate('struct pid_ns');
    kernel.set(inner, 'ns.inum', 4026532000);
    const pid = kernel.object('struct thread_pid', kernel.reserve(64));
    kernel.set(pid, 'level', 1);
    kernel.set(pid.member('numbers').index(1), 'ns', inner);
    kernel.set(task, 'thread_pid', pid);
    linkTasks(kernel, [task]);
    const cred = kernel.allocate('struct cred');
    kernel.set(task, 'cred', cred);
    const found = namespacesOf(kernel, kernel.tasks.byPid(5)!);
    assert.deepEqual(
      found.map(({ kind, number }) => [kind, number]),
      [
        ['pid', 4026532000],
        ['uts', 4026531838],
      ],
    );
  });
});
