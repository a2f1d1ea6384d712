// timer, irq, runq: the lines that scripts cut out of crash's output.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NotFoundError, UsageError } from '../../src/base/errors.ts';
import { irq } from '../../src/commands/system/irq.ts';
import { timer } from '../../src/commands/system/timer.ts';
import { runq } from '../../src/commands/tasks/runq.ts';
import { CommandKernel, lines } from '../support/command_kernel.ts';

describe('timer', () => {
  const types = `
    struct hlist_node { struct hlist_node *next; struct hlist_node **pprev; };
    struct hlist_head { struct hlist_node *first; };
    struct timer_list { struct hlist_node entry; unsigned long expires; void *function; u32 flags; };
    struct timer_base { struct timer_list *running_timer; unsigned long clk; struct hlist_head vectors[4]; };
  `;
  function machine(): CommandKernel {
    const kernel = new CommandKernel(types, [0n]);
    kernel.space.words(kernel.allocate('u64', 'jiffies_64').address, 4_294_899_021n);
    const bases = kernel.allocate(
      { kind: 'array', element: kernel.type('struct timer_base'), length: 2 },
      'timer_bases',
    );
    const made = kernel.allocate('struct timer_list');
    kernel.set(made, 'expires', 4_294_899_000);
    kernel.set(made, 'function', kernel.code('widget_tick', 'c3'));
    kernel.set(bases.index(0), 'vectors[1].first', made.member('entry'));
    return kernel;
  }

  test('a timer that is late has a negative time left; a base without timers says so', () => {
    const output = lines(machine().run(timer, ''));
    assert.deepEqual(output.slice(0, 3), ['JIFFIES   ', '4294899021', '']);
    assert.match(output[3]!, /^TIMER_BASES\[0\]\[BASE_STD\]: [0-9a-f]{16}$/);
    assert.equal(output[4], '  EXPIRES        TTE      TIMER_LIST     FUNCTION');
    assert.match(output[5]!, /^ {2}4294899000 {3}-21 {2}[0-9a-f]{16} {2}[0-9a-f]{16} {2}<widget_tick>$/);
    assert.match(output[6]!, /^TIMER_BASES\[0\]\[BASE_DEF\]/);
    assert.equal(output[7], '  (none)');
  });

  test('times are decimal text in JSON: jiffies and nanoseconds may pass what a number holds', () => {
    const { bases, jiffies } = machine().run(timer, '').data as {
      jiffies: string;
      bases: { timers: { expires: string; left: string; name: string }[] }[];
    };
    assert.equal(jiffies, '4294899021');
    const [{ expires, left, name }] = bases[0]!.timers as [{ expires: string; left: string; name: string }];
    assert.deepEqual({ expires, left, name }, { expires: '4294899000', left: '-21', name: 'widget_tick' });
  });

  test('a CPU that there is not is refused', () => assert.throws(() => machine().run(timer, '-C 9'), UsageError));
});

describe('irq', () => {
  const types = `
    struct cpumask { unsigned long bits[1]; };
    struct irq_chip { const char *name; };
    struct irq_data { struct irq_chip *chip; };
    struct irq_common_data { struct cpumask affinity[1]; };
    struct irqaction { void *handler; struct irqaction *next; void *thread; const char *name; };
    struct irqstat { unsigned int cnt; };
    struct irq_desc {
      struct irq_common_data irq_common_data; struct irq_data irq_data; struct irqstat *kstat_irqs;
      struct irqaction *action; unsigned int depth; const char *name;
    };
    struct xa_node { u8 shift; void *slots[64]; };
    struct xarray { void *xa_head; };
  `;
  function machine(): CommandKernel {
    const kernel = new CommandKernel(types, [0n, 0n]);
    const text = (content: string): bigint => {
      const at = kernel.reserve(content.length + 1);
      kernel.space.write(at, Buffer.from(content));
      return at;
    };
    kernel.space.write(kernel.allocate('int', 'nr_irqs').address, Buffer.from([3, 0, 0, 0]));
    const node = kernel.allocate('struct xa_node');
    kernel.set(kernel.allocate('struct xarray', 'irq_desc_tree'), 'xa_head', node.address | 2n);
    const desc = kernel.allocate('struct irq_desc');
    kernel.set(node, 'slots[1]', desc);
    kernel.set(desc.member('irq_common_data.affinity').index(0), 'bits[0]', 3);
    const chip = kernel.allocate('struct irq_chip');
    kernel.set(chip, 'name', text('IO-APIC'));
    kernel.set(desc, 'irq_data.chip', chip);
    kernel.set(desc, 'name', text('edge'));
    const counts = kernel.allocate('struct irqstat');
    kernel.set(counts, 'cnt', 9);
    kernel.set(desc, 'kstat_irqs', counts);
    const names = ['acpi', 'i2c\x1b[2J'].map((name) => {
      const action = kernel.allocate('struct irqaction');
      kernel.set(action, 'name', text(name));
      return action;
    });
    kernel.set(desc, 'action', names[0]!);
    kernel.set(names[0]!, 'next', names[1]!);
    return kernel;
  }

  test('a shared line has a line for each handler; names are made safe; unused numbers are shown unless -u', () => {
    const output = lines(machine().run(irq, ''));
    assert.equal(output[0], ' IRQ   IRQ_DESC/_DATA      IRQACTION      NAME');
    assert.match(output[1]!, /^ {2}0 {7}\(unused\) {10}\(unused\)/);
    assert.match(output[2]!, /^ {2}1 {3}[0-9a-f]{16} {2}[0-9a-f]{16} {2}"acpi"$/);
    assert.match(output[3]!, /^ {24}[0-9a-f]{16} {2}"i2c\\x1b\[2J"$/);
    assert.equal(output.length, 5);
    assert.equal(lines(machine().run(irq, '-u')).length, 3);
  });

  test('counts and CPUs', () => {
    const kernel = machine();
    assert.deepEqual(lines(kernel.run(irq, '-s')), [
      '           CPU0       CPU1 ',
      '  1:          9          9  IO-APIC-edge     acpi, i2c\\x1b[2J',
    ]);
    assert.equal(lines(kernel.run(irq, '-a'))[1], '  1 acpi,i2c\\x1b[2J      0-1');
  });

  test('numbers that there are not, and options that exclude each other, are refused', () => {
    assert.throws(() => machine().run(irq, '3'), NotFoundError);
    assert.throws(() => machine().run(irq, 'x'), NotFoundError);
    assert.throws(() => machine().run(irq, '-a -u'), UsageError);
  });
});

describe('runq', () => {
  const types = `
    struct list_head { struct list_head *next, *prev; };
    struct rb_node { unsigned long __rb_parent_color; struct rb_node *rb_right; struct rb_node *rb_left; };
    struct rb_root { struct rb_node *rb_node; };
    struct sched_entity { struct rb_node run_node; u64 exec_start; };
    struct cfs_rq { struct rb_root tasks_timeline; struct sched_entity *curr; };
    struct rt_prio_array { struct list_head queue[100]; };
    struct rt_rq { struct rt_prio_array active; };
    struct dl_rq { struct rb_root root; };
    struct task_struct { int prio; int on_rq; struct sched_entity se; };
    struct rq {
      unsigned int nr_running; struct cfs_rq cfs; struct rt_rq rt; struct dl_rq dl;
      struct task_struct *curr; struct task_struct *idle; struct task_struct *stop; u64 clock; int cpu;
    };
  `;
  test('a task that cannot be found among the tasks is shown by its address', () => {
    const kernel = new CommandKernel(types, [0n]);
    const rq = kernel.allocate('struct rq', 'runqueues');
    for (const head of rq.member('rt.active.queue').elements()) kernel.link(head.address);
    const task = kernel.allocate('struct task_struct');
    kernel.set(task, 'prio', 120);
    kernel.set(rq, 'curr', task);
    kernel.set(rq, 'cfs.curr', task.member('se'));
    kernel.set(rq, 'stop', kernel.allocate('struct task_struct'));
    kernel.set(rq, 'clock', 27_152_206_808n);
    const address = task.address.toString(16);
    assert.deepEqual(lines(kernel.run(runq, '')).slice(1), [
      `  CURRENT: PID: ?      TASK: ${address}  COMMAND: "?"`,
      `  RT PRIO_ARRAY: ${rq.member('rt.active').address.toString(16)}`,
      '     [no tasks queued]',
      `  CFS RB_ROOT: ${rq.member('cfs.tasks_timeline').address.toString(16)}`,
      '     [no tasks queued]',
    ]);
    assert.match(lines(kernel.run(runq, '-g')).at(-1)!, /^ {5}\[120\] PID: \?.* \[CURRENT\]$/);
    assert.equal(lines(kernel.run(runq, '-T'))[0], '  CPU 0: 0.00 secs');
  });
});
