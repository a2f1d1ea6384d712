// The sample dump, held against what its kernel said about itself.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { call } from '../../src/commands/command.ts';
import { commands } from '../../src/commands/registry.ts';
import { CommandContext, type Kernel, openDump, readLog } from '../../src/index.ts';
import { vmAreas } from '../../src/kernel/mm_types.ts';
import { logTimestamp } from '../../src/kernel/printk.ts';
import { parentPid } from '../../src/kernel/sched.ts';
import { analyse } from '../../src/triage/analyse.ts';
import { markedLines } from '../support/shown.ts';

const file = (name: string): string => fileURLToPath(new URL(`../../samples/${name}`, import.meta.url));
const truth = (name: string): string[] =>
  readFileSync(file(`truth/${name}`), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
const kernel: Kernel = openDump(file('vmcore'));

test('every thread that the kernel listed is found, with its parent and name, unless it ended meanwhile', () => {
  let found = 0;
  for (const line of truth('tasks')) {
    const [tid, tgid, ppid, comm] = /^(\d+) (\d+) (\d+) (.*)$/.exec(line)!.slice(1);
    const task = kernel.tasks.byPid(Number(tid));
    if (task === null) continue;
    found++;
    assert.equal(task.tgid, Number(tgid), line);
    // of kernel threads /proc shows the whole name; comm has its first 15 characters, and of workers less
    if (task.kernelThread) assert.ok(comm!.startsWith('kworker') || comm!.startsWith(task.comm), line);
    else assert.equal(task.comm, comm, line);
    assert.equal(parentPid(task), Number(ppid), line);
  }
  assert.ok(found >= truth('tasks').length - 5, `${found} of ${truth('tasks').length} found`);
});

test('modules are those of /proc/modules', () => {
  const expected = truth('modules').map((line) => {
    const [name, size, , , , address] = line.split(' ');
    return `${name} ${size} ${address}`;
  });
  const actual = kernel.modules.map(({ name, size, base }) => `${name} ${size} 0x${base.toString(16)}`);
  assert.deepEqual(actual, expected);
});

test('the log begins as dmesg showed it', () => {
  const lines = readLog(kernel).flatMap(({ level, timestampNs, text }) =>
    text.split('\n').map((line) => `<${level}>${logTimestamp(timestampNs ?? 0n)} ${line}`),
  );
  const expected = readFileSync(file('truth/dmesg'), 'utf8').replace(/\n$/, '').split('\n');
  assert.deepEqual(lines.slice(0, expected.length), expected);
});

test('the report names the cause, and shows it', () => {
  const report = analyse(new CommandContext(kernel));
  const { kind, rip, cpu, comm, faultAddress, source } = report.panic;
  assert.deepEqual(
    { kind, symbol: rip?.symbol, module: rip?.module, comm, faultAddress: BigInt(faultAddress ?? 0), source },
    {
      kind: 'null-pointer',
      symbol: 'perish_sum',
      module: 'perish',
      comm: 'busybox',
      faultAddress: 0x200n,
      source: 'log and memory',
    },
  );
  assert.equal(cpu, 1);
  assert.ok(report.findings.length > 0 && report.findings.every(({ evidence }) => evidence.length > 0));
  assert.match(markedLines(report.code!).join('\n'), /<perish_sum\+11>/);
  assert.deepEqual(report.disagreements, []);
  assert.deepEqual(report.faults, []);
});

test('code that the sample leaves out is said to be excluded, not shown as zeroes', () => {
  const symbol = kernel.symbols.find('ext4_fill_super') ?? kernel.symbols.find('acpi_ds_create_operand');
  assert.ok(symbol !== null);
  assert.throws(() => kernel.space.u64(symbol.address), /excluded by the dump's filter/);
});

test('who points to the first task: its children, what CPUs run, stacks', () => {
  const context = new CommandContext(kernel);
  const { value } = call(context, commands.refs, { address: kernel.address('init_task') });
  const places = value.items.map(({ in: { task, perCpu, stack } }) =>
    task !== null
      ? `${task.task.command} ${task.member}`
      : perCpu !== null
        ? `CPU ${perCpu.cpu} ${perCpu.symbol}`
        : stack !== null
          ? 'stack'
          : 'other',
  );
  for (const place of ['init real_parent', 'kthreadd parent', 'CPU 0 runqueues.idle', 'stack']) {
    assert.ok(places.includes(place), place);
  }
  assert.equal(new Set(value.items.map(({ at }) => at)).size, value.tail.count);
});

test('every task_struct is an object of its slab cache that is in use, and no other is', () => {
  const context = new CommandContext(kernel);
  const { value } = call(context, commands.kmem, { slabs: true, words: ['task_struct'] });
  const [cache] = value.items;
  assert.ok(cache?.kind === 'cache');
  // the first CPU's idle task is no slab object; tasks that are gone may wait for a grace period
  const living = kernel.tasks.all.length - 1;
  assert.ok(
    cache.allocated !== null && cache.allocated >= living && cache.allocated <= living + 8,
    `${cache.allocated}`,
  );
  for (const task of kernel.tasks.all) {
    const [found] = call(context, commands.find, { addresses: [`0x${task.address.toString(16)}`] }).value.head;
    if (task.pid === 0 && task.cpu === 0) assert.equal(found?.symbol, 'init_task');
    else assert.equal(found?.slab?.state, 'allocated', task.comm);
  }
});

test("a string in a process's memory is found where one of its mappings is, by that task's name", () => {
  const context = new CommandContext(kernel);
  const init = kernel.tasks.all.find(({ pid }) => pid === 1)!;
  const { items } = call(context, commands.search, { task: init, strings: true, wanted: ['\x7fELF'] }).value;
  const areas = [...vmAreas(kernel, init.object.member('mm').deref())];
  assert.ok(items.length > 0);
  for (const { address, task } of items) {
    assert.equal(task?.pid, 1);
    assert.ok(
      areas.some(({ start, end }) => address >= start && address < end),
      address.toString(16),
    );
  }
});
