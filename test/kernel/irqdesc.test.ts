// Interrupt lines: who handles them, where and how often; and those that are broken.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { interruptGates } from '../../src/kernel/idt.ts';
import { interrupts, irqLimit } from '../../src/kernel/irqdesc.ts';
import { pendingSoftirqs, pendingTasklets, softirqs } from '../../src/kernel/softirq.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const types = `
  struct cpumask { unsigned long bits[1]; };
  struct irq_chip { const char *name; };
  struct irq_data { struct irq_chip *chip; };
  struct irq_common_data { struct cpumask affinity[1]; struct cpumask *effective_affinity; };
  struct irqaction { void *handler; struct irqaction *next; void *thread; const char *name; };
  struct irqstat { unsigned int cnt; };
  struct irq_desc {
    struct irq_common_data irq_common_data; struct irq_data irq_data; struct irqstat *kstat_irqs;
    struct irqaction *action; unsigned int depth; const char *name;
  };
  struct xa_node { u8 shift; void *slots[64]; };
  struct xarray { void *xa_head; };
  struct softirq_action { void *action; };
  struct tasklet_struct { struct tasklet_struct *next; void *func; };
  struct tasklet_head { struct tasklet_struct *head; };
  struct pcpu_hot { u16 softirq_pending; };
`;

/** A machine of two CPUs with the lines given, and text at addresses. */
function machine(...lines: number[]) {
  const kernel = new SyntheticKernel(types);
  kernel.define('nr_cpu_ids', kernel.reserve(4), 4, kernel.type('unsigned int'));
  kernel.space.write(kernel.address('nr_cpu_ids'), Buffer.from([2, 0, 0, 0]));
  const possible = kernel.allocate('struct cpumask', '__cpu_possible_mask');
  kernel.set(possible, 'bits[0]', 3);
  const node = kernel.allocate('struct xa_node');
  const root = kernel.allocate('struct xarray', 'irq_desc_tree');
  kernel.set(root, 'xa_head', node.address | 2n);
  const text = (words: string): bigint => {
    const at = kernel.reserve(words.length + 1);
    kernel.space.write(at, Buffer.from(words));
    return at;
  };
  const descs = new Map<number, KernelObject>();
  for (const irq of lines) {
    const desc = kernel.allocate('struct irq_desc');
    kernel.set(node, `slots[${irq}]`, desc);
    descs.set(irq, desc);
  }
  return { kernel, text, desc: (irq: number) => descs.get(irq)! };
}

function addAction(kernel: SyntheticKernel, desc: KernelObject, name: bigint): KernelObject {
  const action = kernel.allocate('struct irqaction');
  kernel.set(action, 'name', name);
  kernel.set(action, 'handler', 0x1000);
  kernel.set(action, 'next', desc.member('action').bigint());
  kernel.set(desc, 'action', action);
  return action;
}

describe('interrupt lines', () => {
  test('controller, CPUs, counts and every handler of a shared line', () => {
    const { kernel, text, desc } = machine(1, 9);
    const chip = kernel.allocate('struct irq_chip');
    kernel.set(chip, 'name', text('IO-APIC'));
    kernel.set(desc(9), 'irq_data.chip', chip);
    kernel.set(desc(9), 'name', text('fasteoi'));
    kernel.set(desc(9).member('irq_common_data.affinity').index(0), 'bits[0]', 3);
    const effective = kernel.allocate('struct cpumask');
    kernel.set(effective, 'bits[0]', 2);
    kernel.set(desc(9), 'irq_common_data.effective_affinity', effective);
    kernel.set(desc(9), 'kstat_irqs', kernel.allocate('struct irqstat'));
    kernel.set(desc(9).member('kstat_irqs').deref(), 'cnt', 71);
    addAction(kernel, desc(9), text('ahci'));
    addAction(kernel, desc(9), text('acpi'));
    const [one, nine] = [...interrupts(kernel)];
    assert.deepEqual([one!.irq, one!.actions, one!.chip, one!.flow, one!.counts], [1, [], null, null, []]);
    assert.equal(nine!.irq, 9);
    assert.deepEqual(
      nine!.actions.map(({ name }) => name),
      ['acpi', 'ahci'],
    );
    assert.deepEqual([nine!.chip, nine!.flow], ['IO-APIC', 'fasteoi']);
    assert.deepEqual([nine!.affinity, nine!.effective], [[0, 1], [1]]);
    // without __per_cpu_offset there is one copy of everything
    assert.deepEqual(nine!.counts, [71, 71]);
  });

  test('an unreadable line, name or mask, and handlers in a loop, cost themselves and are told', () => {
    const { kernel, text, desc } = machine(1, 2, 3);
    kernel.space.exclude(desc(1).address);
    const lost = text('lost');
    kernel.space.exclude(lost);
    addAction(kernel, desc(2), lost);
    kernel.set(desc(2), 'irq_common_data.effective_affinity', lost);
    const looping = addAction(kernel, desc(3), text('loop'));
    kernel.set(looping, 'next', looping);
    const { value, faults } = kernel.faults.collect(() => [...interrupts(kernel)]);
    assert.deepEqual(
      value.map(({ irq, actions, effective }) => [irq, actions.map(({ name }) => name), effective]),
      [
        [2, [null], null],
        [3, ['loop'], []],
      ],
    );
    assert.deepEqual(
      faults.map(({ what }) => what).filter((what) => what.includes('handler') || what.includes('interrupt')),
      ['interrupt 1', 'name of a handler', 'CPUs of interrupt 2', 'handlers of interrupt 3'],
    );
  });

  test('a limit that no kernel has is not believed', () => {
    const { kernel } = machine();
    kernel.define('nr_irqs', kernel.reserve(4), 4, kernel.type('int'));
    kernel.space.write(kernel.address('nr_irqs'), Buffer.from([0xff, 0xff, 0xff, 0x7f]));
    assert.throws(() => irqLimit(kernel), /out of range/);
  });
});

describe('softirqs', () => {
  test('those with a function, those raised, and tasklets that wait', () => {
    const { kernel } = machine();
    const vector = kernel.allocate(
      { kind: 'array', element: kernel.type('struct softirq_action'), length: 10 },
      'softirq_vec',
    );
    kernel.set(vector.index(1), 'action', 0x1000);
    assert.deepEqual(softirqs(kernel), [{ number: 1, action: 0x1000n }]);
    assert.equal(pendingSoftirqs(kernel, 0), null);
    kernel.set(kernel.allocate('struct pcpu_hot', 'pcpu_hot'), 'softirq_pending', 0x202);
    assert.equal(pendingSoftirqs(kernel, 0), 0x202);

    kernel.allocate('struct tasklet_head', 'tasklet_vec');
    const high = kernel.allocate('struct tasklet_head', 'tasklet_hi_vec');
    const tasklet = kernel.allocate('struct tasklet_struct');
    kernel.set(high, 'head', tasklet);
    kernel.set(tasklet, 'func', 0x2000);
    kernel.set(tasklet, 'next', tasklet);
    const { value, faults } = kernel.faults.collect(() => pendingTasklets(kernel, 1));
    assert.deepEqual(value, [{ cpu: 1, high: true, address: tasklet.address, function: 0x2000n }]);
    assert.match(faults[0]!.message, /loop back/);
  });
});

test('interrupt gates: the address that a gate holds in three pieces', () => {
  const { kernel } = machine();
  kernel.define('idt_table', kernel.reserve(4096), 4096);
  const gate = Buffer.alloc(16);
  gate.writeUInt16LE(0x1ab0, 0);
  gate.writeUInt16LE(0xa120, 6);
  gate.writeUInt32LE(0xffffffff, 8);
  kernel.space.write(kernel.address('idt_table') + 14n * 16n, gate);
  assert.equal(interruptGates(kernel)[14]!.handler, 0xffff_ffff_a120_1ab0n);
});
