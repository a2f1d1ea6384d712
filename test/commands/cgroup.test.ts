// cgroup: which container or service used up what, and whose a process is.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UsageError } from '../../src/base/errors.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { cgroup } from '../../src/commands/tasks/cgroup.ts';
import { CgroupWorld } from '../support/cgroup_writer.ts';
import { run as runCommand } from '../support/run_command.ts';
import { linkTasks, newTask } from '../support/task_writer.ts';

/** /web.slice/one.service with a limit of 32 MiB, half a CPU and one task; an empty /batch.slice. */
function world() {
  const groups = new CgroupWorld();
  const { kernel } = groups;
  const web = groups.group('web.slice');
  const one = groups.group('one\x1b.service', web);
  groups.group('batch.slice');
  const none = 2n ** 51n - 1n;
  groups.control(one, 0, 'struct task_group', {
    shares: 2 * 1024 * 1024,
    'cfs_bandwidth.quota': 50_000_000,
    'cfs_bandwidth.period': 100_000_000,
  });
  groups.control(one, 1, 'struct mem_cgroup', {
    'memory.usage.counter': 67,
    'memory.watermark': 70,
    'memory.max': 8192,
    'memory.high': none,
    'swap.max': none,
    'memory_events[4].counter': 3,
  });
  groups.control(one, 2, 'struct pids_cgroup', { 'counter.counter': 1, 'limit.counter': 4194305 });
  const task = newTask(kernel, { pid: 5, comm: 'httpd' });
  groups.put(one, task);
  const proxy = kernel.allocate('struct nsproxy');
  const uts = kernel.allocate('struct uts_namespace');
  kernel.set(uts, 'ns.inum', 4026531838);
  kernel.set(proxy, 'uts_ns', uts);
  kernel.set(task, 'nsproxy', proxy);
  kernel.set(task, 'cred', kernel.allocate('struct cred'));
  linkTasks(kernel, [task]);
  const context = new CommandContext(kernel);
  return (...words: string[]) =>
    runCommand(cgroup, context, words).text.replace(/ffff8[0-9a-f]{11}/g, 'ADDRESS'.padEnd(16));
}

describe('cgroup', () => {
  for (const words of [['-t', '5'], ['-g', '/nosuch'], ['-g', '/web'], ['77']]) {
    test(`${words.join(' ')} is refused`, () => assert.throws(() => world()(...words), UsageError));
  }

  test('the tree, with limits and use; names made safe', () => {
    assert.equal(
      world()(),
      `VERSION: 2  CONTROLLERS: cpu memory pids
     CGROUP      TASKS       ALL/MAX       USED        MAX       PEAK KILLED   CPUS  PATH
ADDRESS              0             -          -          -          -      -      -  /
ADDRESS              0             -          -          -          -      -      -  /web.slice
ADDRESS              1         1/max        268      32768        280      3   0.50  /web.slice/one\\x1b.service
ADDRESS              0             -          -          -          -      -      -  /batch.slice
`,
    );
  });

  test('a group and those below it, with tasks', () => {
    const lines = world()('-t', '-g', '/web.slice/').split('\n').slice(2);
    assert.deepEqual(
      lines.map((line) => line.split(/ {2,}/).at(-1)),
      ['/web.slice', '/web.slice/one\\x1b.service', 'COMMAND: "httpd"', ''],
    );
  });

  test('in full', () => {
    assert.equal(
      world()('-l', '-g', '/web.slice/one\x1b.service'),
      `VERSION: 2  CONTROLLERS: cpu memory pids

/web.slice/one\\x1b.service
       CGROUP: ADDRESS         
  CONTROLLERS: cpu memory pids
        TASKS: 1
         PIDS: 1 of max
       MEMORY: 268 of 32768 KB, at most 280
       LIMITS: min 0, low 0, high max KB
         SWAP: 0 of max KB
    OOM KILLS: 3
          CPU: 0.50 CPUs, weight 200
`,
    );
  });

  test('where a task is', () => {
    assert.equal(
      world()('5'),
      `PID: 5        TASK: ADDRESS           CPU: 0    COMMAND: "httpd"
    CGROUP: /web.slice/one\\x1b.service
NAMESPACES: uts:[4026531838]
`,
    );
  });
});
