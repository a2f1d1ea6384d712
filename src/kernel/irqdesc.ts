// include/linux/irqdesc.h, include/linux/interrupt.h: interrupt lines, who handles them, where and how often.
//
//   sparse_irqs (721255b9826b, 6.5) or irq_desc_tree --> irq_desc --+-- action --> irqaction --> irqaction (shared lines)
//                                                                 +-- kstat_irqs: counts, per CPU
//                                                                 +-- irq_data.chip, irq_common_data.affinity
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { cpumask } from './cpumask.ts';
import type { Kernel } from './kernel.ts';
import { mapleEntries } from './maple_tree.ts';
import { xarrayEntries } from './xarray.ts';

/** One handler of an interrupt line. */
export interface InterruptAction {
  /** Virtual address of the `struct irqaction`. */
  readonly address: VirtAddr;
  /** Who asked for it; null where it gave no name. */
  readonly name: string | null;
  /** Virtual address of its function; null where it cannot be read. */
  readonly handler: VirtAddr | null;
  /** Virtual address of the task_struct of its thread; null for none. */
  readonly thread: VirtAddr | null;
}

export interface Interrupt {
  /** Its number in Linux. */
  readonly irq: number;
  /** Virtual address of the `struct irq_desc`. */
  readonly address: VirtAddr;
  /** Several where devices share the line. */
  readonly actions: readonly InterruptAction[];
  /** Name of the interrupt controller; null where there is none. */
  readonly chip: string | null;
  /** How the line is handled, as /proc/interrupts has it after the chip: `edge`, `fasteoi`; null where nobody says. */
  readonly flow: string | null;
  /** CPUs that it may be sent to; null where unknown. */
  readonly affinity: readonly number[] | null;
  /** CPUs that it is really sent to; null where the kernel does not note it. */
  readonly effective: readonly number[] | null;
  /** How often it came, by CPU, in the order of the CPUs asked for. */
  readonly counts: readonly number[];
  /** How many times more it was disabled than enabled: 0 when it may come. */
  readonly depth: number;
}

/** Most handlers of one line that are followed, and largest number of a line believed (IRQ_BITMAP_BITS is NR_IRQS + 8196). */
const maxActions = 1000;
const maxIrqs = 1 << 20;

/** One past the highest number of an interrupt line. @throws NotFoundError, MemoryFault */
export function irqLimit(kernel: Kernel): number {
  // renamed and made static in 6.13
  const limit = (kernel.optionalVariable('total_nr_irqs') ?? kernel.variable('nr_irqs')).number();
  if (limit < 0 || limit > maxIrqs) throw new FormatError('nr_irqs', `value ${limit} is out of range`);
  return limit;
}

/**
 * Interrupt lines by ascending number. One that cannot be read costs itself.
 * @param cpus whose counts are wanted
 */
export function* interrupts(kernel: Kernel, cpus: readonly number[] = kernel.cpus.possible): Generator<Interrupt> {
  const { faults } = kernel;
  for (const { irq, address } of descriptors(kernel)) {
    const interrupt = faults.attempt(`interrupt ${irq}`, () => readInterrupt(kernel, irq, address, cpus), null);
    if (interrupt !== null) yield interrupt;
  }
}

function* descriptors(kernel: Kernel): Generator<{ readonly irq: number; readonly address: VirtAddr }> {
  const sparse = kernel.optionalVariable('sparse_irqs');
  if (sparse !== null) {
    for (const { first, entry } of mapleEntries(sparse, kernel.faults)) yield { irq: Number(first), address: entry };
    return;
  }
  const root = kernel.ownSymbol('irq_desc_tree');
  if (root !== null) {
    // radix trees are xarrays since f8d5d0cc145c (4.20)
    const tree = kernel.object(kernel.types.find('struct radix_tree_root') ?? 'struct xarray', root.address);
    for (const { index, entry } of xarrayEntries(tree, kernel.faults)) yield { irq: index, address: entry };
    return;
  }
  // without CONFIG_SPARSE_IRQ
  const table = kernel.faults.attempt('interrupt lines', () => kernel.variable('irq_desc'), null);
  if (table === null) return;
  for (const [irq, { address }] of [...table.elements(maxIrqs)].entries()) yield { irq, address };
}

function readInterrupt(kernel: Kernel, irq: number, address: VirtAddr, cpus: readonly number[]): Interrupt {
  const desc = kernel.object('struct irq_desc', address);
  const common = desc.member('irq_common_data');
  const chip = desc.member('irq_data.chip');
  const name = desc.member('name');
  const depth = desc.member('depth').number();
  const mask = (member: KernelObject | null): number[] | null =>
    member === null ? null : kernel.faults.attempt(`CPUs of interrupt ${irq}`, () => cpuSet(kernel, member), null);
  return {
    irq,
    address,
    actions: readActions(kernel, desc, irq),
    chip: chip.isNull || chip.member('name').isNull ? null : chip.member('name').string(64),
    flow: name.isNull ? null : name.string(64),
    affinity: mask(common.optional('affinity')),
    effective: mask(common.optional('effective_affinity')),
    counts: kernel.faults.attempt(`counts of interrupt ${irq}`, () => readCounts(kernel, desc, cpus), []),
    depth,
  };
}

function readActions(kernel: Kernel, desc: KernelObject, irq: number): InterruptAction[] {
  const actions: InterruptAction[] = [];
  kernel.faults.attempt(
    `handlers of interrupt ${irq}`,
    () => {
      for (let at = desc.member('action'); !at.isNull; at = at.member('next')) {
        const address = at.pointer();
        if (actions.length >= maxActions || actions.some((action) => action.address === address))
          throw new FormatError(`handlers of interrupt ${irq}`, `loop back to ${address.toString(16)}`);
        const unknown = { address, name: null, handler: null, thread: null };
        actions.push(kernel.faults.attempt('handler of an interrupt', () => readAction(kernel, at), unknown));
      }
    },
    undefined,
  );
  return actions;
}

function readAction(kernel: Kernel, at: KernelObject): InterruptAction {
  const name = at.member('name');
  const thread = at.member('thread').pointer();
  return {
    address: at.pointer(),
    name: name.isNull ? null : kernel.faults.attempt('name of a handler', () => name.string(256), null),
    handler: at.member('handler').pointer(),
    thread: thread === 0n ? null : thread,
  };
}

/** kstat_irqs points to per-CPU memory; counts lie in a struct since 86d2a2f51fba (6.10). */
function readCounts(kernel: Kernel, desc: KernelObject, cpus: readonly number[]): number[] {
  const base = desc.member('kstat_irqs').pointer();
  return base === 0n ? [] : cpus.map((cpu) => kernel.space.u32(offsetBy(base, kernel.perCpuOffset(cpu))));
}

/** CPUs of a cpumask_var_t: a pointer to a mask where there may be many CPUs, else an array of one. */
function cpuSet(kernel: Kernel, mask: KernelObject): number[] {
  const first = mask.index(0);
  return first.address === 0n ? [] : cpumask(first, Math.max(-1, ...kernel.cpus.possible) + 1);
}
