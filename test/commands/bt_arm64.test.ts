import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bt } from '../../src/commands/tasks/bt/bt.ts';
import { DyingArm64, user } from '../support/dying_arm64.ts';
import { exception } from '../support/dying_kernel.ts';
import { assertGolden } from '../support/golden.ts';
import { run } from '../support/run_command.ts';

/**
 * CPU 1 panicked of pid 7's fault in a module, in a function that had made no record yet; CPU 0, which ran pid 9, was
 * stopped by an interrupt, and taken offline by that; pid 12 sleeps.
 */
function scene() {
  const dying = DyingArm64.make({ cpus: 2 });
  const busy = dying.task({ pid: 9, comm: 'busy' });
  const sh = dying.task({ pid: 7, comm: 'sh' });
  const sleeper = dying.task({ pid: 12, comm: 'sleeper' });
  dying.runs(0, busy, [
    'local_cpu_stop',
    'gic_handle_irq',
    'call_on_irq_stack',
    'el1_interrupt',
    exception('el1h_64_irq', 'copy_page+0x8', { x0: 0x77n, x19: 0xfeedn }),
    'copy_page',
    'vfs_read',
    user,
  ]);
  dying.panicOn(1, sh, [
    'panic',
    'die',
    'do_mem_abort',
    exception('el1h_64_sync', 'spin+0x22[widget]', { x0: 0n, x1: 0xdead_beefn }),
    'frob[widget]',
    'vfs_write',
    'el0_svc',
    user,
  ]);
  dying.sleeps(sleeper, ['schedule', 'kthread'], 1);
  dying.space.words(dying.address('__cpu_online_mask'), 2n);
  dying.set(dying.allocate('struct cpumask', '__cpu_active_mask'), 'bits[0]', 3);
  return {
    dying,
    run: (...args: string[]): string => {
      const output = run(bt, dying.context, args);
      assert.deepEqual(output.faults, []);
      return output.text;
    },
  };
}

describe('bt of arm64 prints what scripts read', () => {
  for (const [name, args] of [
    ['panicked', []],
    ['symbols', ['-s']],
    ['words', ['-f']],
    ['text', ['-t']],
    ['exceptions', ['-e']],
    ['sleeper', ['12']],
    ['all', ['-a']],
  ] as const) {
    test(`bt ${args.join(' ')}`, () => {
      assertGolden(new URL(`golden/bt_arm64.${name}.txt`, import.meta.url), scene().run(...args));
    });
  }

  test('-E finds what the stopping interrupt interrupted only where it is: not on the stack of interrupts', () => {
    assert.match(scene().run('-E'), /^CPU 0 IRQ STACK:\n\(none found\)\n/);
  });

  test('a CPU that was in user mode: its registers, under a line that says so', () => {
    const { dying, run } = scene();
    dying.notes[0] = { ...dying.notes[0]!, registers: { pc: 0x40_1000n, sp: 0x7000n, x29: 0n, x30: 0n, pstate: 0n } };
    assert.match(run('-c', '0'), /^PID: 9 .*\n #0 \[user space\]\n {5}PC: 0000000000401000 {3}LR: 0000000000000000 /);
  });

  test('-f shows each record once: the words of a frame end where the next begins', () => {
    const text = scene().run('-f', '12');
    const at = [...text.matchAll(/^ {4}([0-9a-f]{16}):/gm)].map(([, address]) => address);
    assert.equal(new Set(at).size, at.length);
    assert.ok(at.length > 3);
  });
});
