// irq: interrupt lines, who handles them, where they go and how often they came.
import type { VirtAddr } from '../../base/address.ts';
import { NotFoundError } from '../../base/errors.ts';
import { escapeLine, hex16 } from '../../base/text.ts';
import { interruptGates } from '../../kernel/idt.ts';
import { type Interrupt, interrupts, irqLimit } from '../../kernel/irqdesc.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { pendingSoftirqs, pendingTasklets, softirqNames, softirqs } from '../../kernel/softirq.ts';
import { center } from '../columns.ts';
import { defineStream } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { flag, type Options, rest, valued, values } from '../params.ts';
import { addressName } from './address_name.ts';

/** One handler of an interrupt line. */
export interface IrqHandler {
  /** Virtual address of the `struct irqaction`. */
  readonly address: VirtAddr;
  readonly name: string | null;
  readonly handler: VirtAddr | null;
  /** Name of its function; null where no symbol has it. */
  readonly function: string | null;
}

/** An interrupt line; `address` is null for a number that none has. */
export interface IrqRow {
  readonly kind: 'irq';
  readonly irq: number;
  /** Virtual address of the `struct irq_desc`. */
  readonly address: VirtAddr | null;
  readonly handlers: readonly IrqHandler[];
  readonly chip: string | null;
  readonly flow: string | null;
  readonly affinity: readonly number[] | null;
  readonly effective: readonly number[] | null;
  /** By CPU, in the order of the head's `cpus`. */
  readonly counts: readonly number[];
  readonly depth: number | null;
}

/** A gate of the interrupt descriptor table. */
export interface GateRow {
  readonly kind: 'gate';
  readonly vector: number;
  readonly handler: VirtAddr;
  readonly name: string | null;
}

/** A softirq. */
export interface SoftirqRow {
  readonly kind: 'softirq';
  readonly number: number;
  readonly name: string;
  readonly action: VirtAddr;
  readonly function: string | null;
}

export type IrqItem = IrqRow | GateRow | SoftirqRow;

export interface IrqHead {
  /** CPUs whose counts are shown. */
  readonly cpus: readonly number[];
}

/** With `-b`: what was raised and not run yet. */
export interface BottomHalvesTail {
  readonly pending: readonly {
    readonly cpu: number;
    /** Names of softirqs. */
    readonly softirqs: readonly string[];
    readonly tasklets: readonly {
      readonly address: VirtAddr;
      readonly function: string | null;
      readonly high: boolean;
    }[];
  }[];
}

const forms = ['u', 'd', 'b', 'a', 's'];
const others = (letter: string): string[] => forms.filter((one) => one !== letter);

const params = {
  used: flag('u', 'lines in use alone', { excludes: others('u') }),
  gates: flag('d', "x86's interrupt descriptor table: where the CPU goes for each vector", { excludes: others('d') }),
  bottom: flag('b', 'softirqs and, where some wait, tasklets', { excludes: others('b') }),
  affinity: flag('a', 'the CPUs that each line in use may be sent to', { excludes: ['u', 'd', 'b'] }),
  statistics: flag('s', 'how often each line in use came, by CPU', { excludes: ['u', 'd', 'b'] }),
  cpus: valued('c', 'cpus', values.cpus, 'with -s: of these CPUs alone'),
  numbers: rest('index', { kind: 'number', parse: (word) => lineNumber(word) }, 'numbers of lines'),
};

/** A number of an interrupt line: decimal, as the kernel shows them. @throws NotFoundError */
function lineNumber(word: string): number {
  if (!/^\d{1,7}$/.test(word)) throw new NotFoundError('interrupt', escapeLine(word));
  return Number(word);
}

export const irq = defineStream({
  name: 'irq',
  help: {
    summary: 'interrupt lines, gates and softirqs',
    description: `Every interrupt line by number: its irq_desc, and for each device on it the irqaction and the name that its driver
gave. Counts and CPUs are as /proc/interrupts and /proc/irq have them.`,
    examples: [
      ['irq -u', 'lines in use'],
      ['irq -s -c 1', 'what interrupted CPU 1, and how often'],
      ['irq -b', 'softirqs, and what waits to be run'],
    ],
  },
  params,
  items: 'lines',
  collect(context, options) {
    const { kernel } = context;
    return {
      head: { cpus: options.cpus ?? kernel.cpus.running } satisfies IrqHead,
      items: options.gates
        ? gates(kernel)
        : options.bottom
          ? bottomHalves(kernel)
          : lines(context, options, options.cpus ?? kernel.cpus.running),
    };
  },
  text: {
    head({ cpus }, { options }) {
      if (options.gates) return '';
      if (options.bottom) return 'SOFTIRQ_VEC      ACTION     \n';
      if (options.affinity) return 'IRQ NAME                 AFFINITY\n';
      if (options.statistics) return `     ${cpus.map((cpu) => `${`CPU${cpu}`.padStart(10)} `).join('')}\n`;
      return ' IRQ   IRQ_DESC/_DATA      IRQACTION      NAME\n';
    },
    item(item, { options }) {
      if (item.kind === 'gate') return `${`[${item.vector}]`.padStart(5)} ${nameText(item.name, item.handler)}\n`;
      if (item.kind === 'softirq') {
        return `    ${`[${item.number}]`.padEnd(7)} ${hex16(item.action)}  <${nameText(item.function, item.action)}>\n`;
      }
      if (options.affinity) return affinityText(item);
      return options.statistics ? statisticsText(item) : lineText(item);
    },
    tail(tail, { options }) {
      // crash(8) ends the counts of chosen CPUs with an empty line
      if (tail === null) return options.statistics && options.cpus !== null ? '\n' : '';
      return tail.pending.map(pendingText).join('');
    },
  },
});

function* lines(
  { kernel }: CommandContext,
  options: Options<typeof params>,
  cpus: readonly number[],
): Generator<IrqItem, null> {
  const { used, affinity, statistics, numbers } = options;
  const chosen = numbers.length === 0 ? null : new Set(numbers);
  const onlyUsed = used || affinity || statistics;
  const limit = kernel.faults.attempt('nr_irqs', () => irqLimit(kernel), null);
  for (const number of numbers) {
    if (limit !== null && number >= limit) throw new NotFoundError('interrupt', String(number), `there are ${limit}`);
  }
  let next = 0;
  const nobody = function* (until: number): Generator<IrqItem> {
    for (; next < until; next++) if (!onlyUsed && (chosen === null || chosen.has(next))) yield unused(next);
  };
  for (const interrupt of interrupts(kernel, cpus)) {
    yield* nobody(interrupt.irq);
    next = interrupt.irq + 1;
    if (chosen !== null && !chosen.has(interrupt.irq)) continue;
    if ((affinity || statistics) && interrupt.actions.length === 0) continue;
    yield row(kernel, interrupt);
  }
  if (limit !== null) yield* nobody(limit);
  return null;
}

function unused(irq: number): IrqRow {
  return {
    ...{ kind: 'irq', irq, address: null, handlers: [], chip: null, flow: null, affinity: null },
    ...{ effective: null, counts: [], depth: null },
  };
}

function row(kernel: Kernel, interrupt: Interrupt): IrqRow {
  const { irq, address, actions, chip, flow, affinity, effective, counts, depth } = interrupt;
  return {
    ...{ kind: 'irq', irq, address, chip, flow, affinity, effective, counts, depth },
    handlers: actions.map((action) => ({
      address: action.address,
      name: action.name,
      handler: action.handler,
      function: action.handler === null ? null : addressName(kernel, action.handler),
    })),
  };
}

function* gates(kernel: Kernel): Generator<IrqItem, null> {
  for (const { vector, handler } of interruptGates(kernel)) {
    yield { kind: 'gate', vector, handler, name: addressName(kernel, handler) };
  }
  return null;
}

function* bottomHalves(kernel: Kernel): Generator<IrqItem, BottomHalvesTail> {
  for (const { number, action } of softirqs(kernel)) {
    yield { kind: 'softirq', number, name: softirqNames[number]!, action, function: addressName(kernel, action) };
  }
  const pending = kernel.cpus.running.map((cpu) => {
    const raised = pendingSoftirqs(kernel, cpu) ?? 0;
    return {
      cpu,
      softirqs: softirqNames.filter((_, number) => ((raised >> number) & 1) === 1),
      tasklets: pendingTasklets(kernel, cpu).map((tasklet) => ({
        address: tasklet.address,
        function: addressName(kernel, tasklet.function),
        high: tasklet.high,
      })),
    };
  });
  return { pending: pending.filter((one) => one.softirqs.length > 0 || one.tasklets.length > 0) };
}

function nameText(name: string | null, address: VirtAddr): string {
  return name === null ? hex16(address) : escapeLine(name);
}

const empty = center('(unused)', 16);

function lineText({ irq, address, handlers }: IrqRow): string {
  const title = `${center(String(irq), 5)} ${address === null ? empty : hex16(address)}  `;
  if (handlers.length === 0) return `${title}${empty}\n`;
  return handlers
    .map(
      (handler, i) =>
        `${i === 0 ? title : ' '.repeat(title.length)}${hex16(handler.address)}  "${escapeLine(handler.name ?? '?')}"\n`,
    )
    .join('');
}

function handlerNames({ handlers }: IrqRow, between: string): string {
  return handlers.map(({ name }) => escapeLine(name ?? '?')).join(between);
}

function affinityText(line: IrqRow): string {
  const cpus = line.affinity === null ? '?' : ranges(line.affinity);
  return `${String(line.irq).padStart(3)} ${handlerNames(line, ',').padEnd(20)} ${cpus}\n`;
}

function statisticsText(line: IrqRow): string {
  const { irq, counts, chip, flow } = line;
  const numbers = counts.map((count) => `${String(count).padStart(10)} `).join('');
  const how = `${escapeLine(chip ?? '').padStart(8)}${flow === null ? ''.padEnd(9) : `-${escapeLine(flow).padEnd(8)}`}`;
  return `${String(irq).padStart(3)}: ${numbers}${how} ${handlerNames(line, ', ')}\n`;
}

function pendingText({ cpu, softirqs: raised, tasklets }: BottomHalvesTail['pending'][number]): string {
  const waiting = tasklets.map(
    ({ address, function: name, high }) =>
      `    ${hex16(address)}  <${escapeLine(name ?? 'unknown')}>${high ? ' (high)' : ''}\n`,
  );
  return `\nCPU ${cpu}: raised: ${raised.length === 0 ? '(none)' : raised.join(' ')}\n${waiting.length === 0 ? '' : `  TASKLETS\n${waiting.join('')}`}`;
}

/** CPU numbers as `0-3,7`. */
export function ranges(cpus: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < cpus.length; ) {
    let last = i;
    while (cpus[last + 1] === cpus[last]! + 1) last++;
    parts.push(last === i ? String(cpus[i]) : `${cpus[i]}-${cpus[last]}`);
    i = last + 1;
  }
  return parts.join(',');
}
