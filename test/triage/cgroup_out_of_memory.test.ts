// Out of memory in a cgroup: told as the group's, with its limit and what took it, not as the machine's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reachVerdict } from '../../src/triage/verdict.ts';
import { DyingKernel, type StackItem, user } from '../support/dying_kernel.ts';

const log = [
  'busybox invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0',
  'CPU: 1 UID: 0 PID: 7 Comm: busybox Not tainted 6.12.0 #1',
  'Call Trace:',
  ' <TASK>',
  ' dump_header+0x50/0x100',
  ' out_of_memory+0x50/0x100',
  ' mem_cgroup_out_of_memory+0x50/0x100',
  ' try_charge_memcg+0x50/0x100',
  ' frob+0x50/0x100 [widget]',
  ' </TASK>',
  'memory: usage 20480kB, limit 20480kB, failcnt 82',
  'swap: usage 0kB, limit 9007199254740988kB, failcnt 0',
  'Memory cgroup stats for /app.slice/db.service:',
  'anon 1048576',
  'file 19922944',
  'shmem 18874368',
  'slab 53520',
  'Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled',
];

function verdict(stack: readonly StackItem[], lines: readonly string[]) {
  const dying = DyingKernel.make({ log: lines });
  dying.panicOn(1, dying.task({ pid: 7, comm: 'busybox' }), [
    'machine_kexec',
    '__crash_kexec',
    'panic',
    ...stack,
    'frob[widget]',
    user,
  ]);
  return reachVerdict(dying.facts);
}

test('the group, its limit, and what took it are the verdict', () => {
  const { panic, contest } = verdict(['out_of_memory', 'mem_cgroup_out_of_memory', 'try_charge_memcg'], log);
  assert.equal(
    panic.message,
    'The cgroup /app.slice/db.service ran out of memory, not the machine: it uses 20 MiB of its limit of 20 MiB, 90% of it files in tmpfs and shared memory; busybox (pid 7) asked for more.',
  );
  assert.deepEqual([panic.kind, panic.confidence], ['out-of-memory', 'certain']);
  assert.equal(contest.winner.explanation.name, 'cgroup-out-of-memory');
});

test('where no group was charged, it is the machine, whatever groups the log told of', () => {
  const machine = log.filter((line) => !/mem_cgroup|memcg|memory: |swap: |cgroup stats/.test(line));
  const { panic } = verdict(['out_of_memory', '__alloc_pages'], machine);
  assert.match(panic.message, /^Memory ran out/);
});
