// What the sections about other CPUs and tasks say is not taken for the incident's own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findIncidents } from '../../src/oops/scanner.ts';

const section = (cpu: number, name: string): string[] => [
  `NMI backtrace for cpu ${cpu}`,
  `CPU: ${cpu} PID: ${cpu + 100} Comm: task${cpu} Not tainted 6.1.0 #1`,
  `RIP: 0010:${name}+0x1/0x20`,
  'Code: 00 01 <02> 03',
  `RSP: 0018:ffffb2a5c0d3bc9${cpu}`,
  'Call Trace:',
  ` ${name}_caller+0x1/0x20`,
];

test('registers, code and task of other CPUs are left out', () => {
  const [incident] = findIncidents(
    [
      'watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [task0:100]',
      ...section(0, 'spin').slice(1),
      'Sending NMI from CPU 0 to CPUs 1:',
      ...section(1, 'idle'),
    ].join('\n'),
  );
  assert.equal(incident!.cpu, 0);
  assert.equal(incident!.task!.comm, 'task0');
  assert.equal(incident!.instruction!.symbol, 'spin');
  assert.deepEqual(incident!.registers, [{ name: 'RSP', value: '0xffffb2a5c0d3bc90' }]);
  assert.deepEqual(
    incident!.traces.map((trace) => trace.purpose),
    ['main', 'other-cpu'],
  );
});

test('a stall is about the CPU that it names, though another one reports it', () => {
  const [incident] = findIncidents(
    [
      'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:',
      'rcu: \t1-...!: (1 GPs behind) idle=d0c/1/0x4000000000000000 softirq=73/74 fqs=0',
      'rcu: \t(detected by 0, t=2102 jiffies, g=-1087, q=5 ncpus=2)',
      'Sending NMI from CPU 0 to CPUs 1:',
      ...section(1, 'spin'),
      ...section(0, 'idle'),
    ].join('\n'),
  );
  assert.equal(incident!.cpu, 1);
  assert.equal(incident!.task!.comm, 'task1');
  assert.equal(incident!.instruction!.symbol, 'spin');
  assert.equal(incident!.guilty!.function, 'spin_caller');
  assert.deepEqual(
    incident!.traces.map((trace) => trace.purpose),
    ['main', 'other-cpu'],
  );
});
