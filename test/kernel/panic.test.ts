import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NotFoundError } from '../../src/base/errors.ts';
import { cpuNote } from '../../src/kernel/backtrace.ts';
import { crashedCpu, crashedTask, taints } from '../../src/kernel/panic.ts';
import { readCpus } from '../../src/kernel/percpu.ts';
import { DyingArm64 } from '../support/dying_arm64.ts';
import { DyingKernel } from '../support/dying_kernel.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

describe('the CPU that panicked', () => {
  const cpu = (change: (dying: DyingKernel) => void): unknown => {
    const dying = DyingKernel.make({ cpus: 2 });
    change(dying);
    return crashedCpu(dying);
  };

  test('none: panic_cpu is -1', () =>
    assert.equal(
      cpu(() => {}),
      null,
    ));

  test('panic_cpu', () => {
    assert.deepEqual(
      cpu((dying) => dying.space.words(dying.address('panic_cpu'), 1n)),
      { cpu: 1, source: 'panic_cpu' },
    );
  });

  test('crashing_cpu, where there is no panic_cpu to tell', () => {
    assert.deepEqual(
      cpu((dying) => dying.space.words(dying.allocate('int', 'crashing_cpu').address, 0n)),
      { cpu: 0, source: 'crashing_cpu' },
    );
  });

  test('a number that is no CPU of this machine is not believed', () => {
    assert.equal(
      cpu((dying) => dying.space.words(dying.address('panic_cpu'), 77n)),
      null,
    );
  });

  test('its task; null where that cannot be read', () => {
    const dying = DyingKernel.make();
    dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), ['machine_kexec', 'panic']);
    assert.equal(crashedTask(dying)!.task.pid, 7);
    dying.lose(7);
    assert.equal(crashedTask(dying), null);
  });
});

describe('CPUs that panic() stopped, and so took offline', () => {
  const stopped = (active: number): DyingKernel => {
    const dying = DyingKernel.make({ cpus: 3 });
    dying.runs(1, dying.task({ pid: 9 }), ['stop_this_cpu']);
    dying.space.words(dying.address('__cpu_online_mask'), 1n);
    dying.set(dying.allocate('struct cpumask', '__cpu_active_mask'), 'bits[0]', active);
    return dying;
  };

  test('ran tasks all the same: what they ran is no sleeper', () => {
    const { cpus, tasks } = stopped(0b011);
    assert.deepEqual([cpus.online, cpus.running], [[0], [0, 1]]);
    assert.equal(tasks.active(1)?.pid, 9);
    assert.equal(tasks.byPid(9)?.active, true);
  });

  test('are not those that were unplugged before', () => {
    assert.deepEqual(stopped(0b001).cpus.running, [0]);
  });
});

describe('a kernel without BTF', () => {
  test('still says which CPUs there are, and which panicked', () => {
    const kernel = new SyntheticKernel('');
    // nothing but symbols: types of variables are those that every kernel shares
    const variables = kernel.reserve(64);
    kernel.define('nr_cpu_ids', variables, 4);
    kernel.space.words(variables, 4n);
    for (const [i, [name, bits]] of (
      [
        ['__cpu_possible_mask', 0b1111n],
        ['__cpu_online_mask', 0b1011n],
        ['__cpu_present_mask', 0b1111n],
      ] as const
    ).entries()) {
      kernel.define(name, variables + 16n + BigInt(i * 8), 8);
      kernel.space.words(variables + 16n + BigInt(i * 8), bits);
    }
    kernel.define('panic_cpu', variables + 8n, 4);
    kernel.space.words(variables + 8n, 3n);
    const four = [0, 1, 2, 3];
    const [online, running] = [
      [0, 1, 3],
      [0, 1, 3],
    ];
    assert.deepEqual(readCpus(kernel), { possible: four, present: four, online, running });
    assert.deepEqual(crashedCpu(kernel), { cpu: 3, source: 'panic_cpu' });
  });

  test('whose CPU masks are missing has a CPU for each note of registers', () => {
    const kernel = DyingArm64.make();
    const note = { pid: 1, registers: {}, source: 'prstatus' } as const;
    kernel.notes.push({ ...note, index: 0 }, { ...note, index: 1 }, { ...note, index: 2 });
    kernel.ownSymbol = () => null;
    kernel.address = () => {
      throw new NotFoundError('symbol', 'any');
    };
    const three = [0, 1, 2];
    assert.deepEqual(readCpus(kernel), { possible: three, present: three, online: three, running: three });
  });
});

describe("a CPU's saved registers", () => {
  const note = (index: number, pid: number) =>
    ({ index, pid, registers: { rip: BigInt(index) }, source: 'prstatus' }) as const;
  const world = (...pids: readonly number[]): DyingKernel => {
    const dying = DyingKernel.make({ cpus: 3 });
    for (const [cpu, pid] of [
      [0, 20],
      [1, 21],
      [2, 22],
    ] as const)
      dying.runs(cpu, dying.task({ pid }), []);
    dying.notes.push(...pids.map((pid, i) => note(i, pid)));
    return dying;
  };

  test('notes of all CPUs stand in their order, whatever pids they tell', () => {
    const kernel = world(0, 0, 0);
    assert.deepEqual(
      [0, 1, 2].map((cpu) => cpuNote(kernel, cpu)?.index),
      [0, 1, 2],
    );
  });

  test('where a CPU saved none, the others are told by their tasks, and it has none', () => {
    const kernel = world(20, 22);
    assert.deepEqual(
      [0, 1, 2].map((cpu) => cpuNote(kernel, cpu)?.index),
      [0, undefined, 1],
    );
  });

  test('a CPU that there is not', () => assert.equal(cpuNote(world(0, 0, 0), 9), null));
});

test('taints: letters in the order of their bits, and bits that no letter is known for', () => {
  const dying = DyingKernel.make();
  dying.space.words(dying.allocate('unsigned long', 'tainted_mask').address, (1n << 12n) | (1n << 7n) | (1n << 40n));
  const { flags } = taints(dying);
  assert.deepEqual(
    flags.map(({ letter }) => letter),
    ['D', 'O', '?'],
  );
  assert.match(flags[2]!.meaning, /40/);
});
