// mach: the machine as the kernel sees it.
import type { RegionName } from '../../arch/architecture.ts';
import type { Stack } from '../../arch/stacks.ts';
import { type VirtAddr, virtAddr } from '../../base/address.ts';
import { assertNever } from '../../base/errors.ts';
import { escapeLine, hex, hex16 } from '../../base/text.ts';
import { backtracer } from '../../kernel/backtrace.ts';
import { firmwareMemory, type MemoryRange } from '../../kernel/e820.ts';
import { resources } from '../../kernel/ioport.ts';
import { ticks } from '../../kernel/jiffies.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { presentPages } from '../../kernel/mmzone.ts';
import { threadSize } from '../../kernel/sched.ts';
import { defineCommand } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { flag, radixParams } from '../params.ts';
import { structSpec } from '../types/struct_spec.ts';
import { type StructValue, structText, structValue } from '../types/struct_value.ts';
import { valueReading } from '../types/value_reading.ts';
import { memorySize } from './memory_size.ts';

/** Stacks of one kind, of all CPUs. */
export interface StackKind {
  /** As crash(8) names it: `IRQ`, `NMI`. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly cpus: readonly {
    readonly cpu: number;
    readonly start: VirtAddr;
    /** False where no memory is mapped there. */
    readonly mapped: boolean;
  }[];
}

/** The machine. What is not known is null. */
export interface MachineSummary {
  readonly machine: string;
  /** Bytes of RAM. */
  readonly memory: number | null;
  readonly cpus: number;
  readonly megahertz: number | null;
  /** Timer ticks a second. */
  readonly hz: number | null;
  readonly pageSize: number;
  /** Where each part of the kernel's virtual memory starts. */
  readonly regions: Readonly<Partial<Record<RegionName, VirtAddr>>>;
  /** Bytes of a task's stack. */
  readonly stackSize: number;
  readonly stacks: readonly StackKind[];
}

export type MachData =
  | { readonly kind: 'summary'; readonly summary: MachineSummary }
  | { readonly kind: 'memory'; readonly ranges: readonly MemoryRange[] }
  | { readonly kind: 'cpus'; readonly cpus: readonly { readonly cpu: number; readonly value: StructValue }[] };

export const mach = defineCommand({
  name: 'mach',
  help: {
    summary: 'the machine: memory, clocks, address ranges, stacks',
    description: `The machine as the kernel sees it: memory, CPUs, ticks a second (HZ), where the parts of its virtual memory start, and
the stacks that CPUs have besides those of tasks. [unavailable]: nothing is mapped there.`,
    examples: [
      ['mach', 'which stack is that?'],
      ['mach -m', 'which memory did the firmware give?'],
    ],
  },
  params: {
    memory: flag('m', "the firmware's map of physical memory", { excludes: ['c'] }),
    cpus: flag('c', "what the kernel knows of each CPU's model", { excludes: ['m'] }),
    ...radixParams,
  },
  collect(context, options): MachData {
    const { kernel } = context;
    if (options.memory) return { kind: 'memory', ranges: physicalMemory(kernel) };
    if (options.cpus) return { kind: 'cpus', cpus: cpuModels(context) };
    return { kind: 'summary', summary: machineSummary(kernel) };
  },
  render(data, { options, radix }) {
    switch (data.kind) {
      case 'summary':
        return summaryText(data.summary);
      case 'memory':
        return `      PHYSICAL ADDRESS RANGE         TYPE\n${data.ranges.map(rangeText).join('')}`;
      case 'cpus': {
        const shown = options.hex ? 16 : options.decimal ? 10 : radix;
        return data.cpus.map(({ cpu, value }) => `CPU ${cpu}:\n${structText(value, shown)}`).join('\n');
      }
      default:
        return assertNever(data);
    }
  },
});

/** What the firmware gave or, on machines that do not tell, the RAM among physical addresses. */
function physicalMemory(kernel: Kernel): readonly MemoryRange[] {
  const map = firmwareMemory(kernel);
  if (map !== null) return map;
  return [...resources(kernel, 'iomem_resource')]
    .filter(({ name, depth }) => depth === 1 && name !== null)
    .map(({ name, start, end }) => ({ start, end: end + 1n, type: name! }));
}

/** The variable that holds what a CPU is, by machine: the first that the kernel has. */
const cpuVariables: readonly (readonly [variable: string, type: string])[] = [
  ['cpu_info', 'cpuinfo_x86'],
  ['cpu_data', 'cpuinfo_arm64'],
];

function cpuModels(context: CommandContext): { cpu: number; value: StructValue }[] {
  const { kernel } = context;
  const [variable, type] = cpuVariables.find(([name]) => kernel.ownSymbol(name) !== null) ?? cpuVariables[0]!;
  const spec = structSpec(context, type, 'struct');
  const reading = valueReading(context);
  const found: { cpu: number; value: StructValue }[] = [];
  for (const cpu of kernel.cpus.present) {
    kernel.faults.attempt(
      `CPU ${cpu}`,
      () => {
        const object = kernel.object(spec.type, kernel.perCpuAddress(variable, cpu));
        found.push({ cpu, value: structValue(object, spec, 'values', reading) });
      },
      undefined,
    );
  }
  return found;
}

function machineSummary(kernel: Kernel): MachineSummary {
  const read = <T>(what: string, work: () => T): T | null => kernel.faults.attempt(what, work, null);
  const { memory } = kernel.dump;
  const khz = read('processor speed', () => kernel.optionalVariable('cpu_khz')?.number() ?? 0) ?? 0;
  void kernel.symbols; // the regions are told by variables
  return {
    machine: kernel.arch.name,
    memory: read('memory size', () => presentPages(kernel) * memory.pageSize),
    cpus: kernel.cpus.present.length,
    megahertz: khz > 0 ? Math.floor(khz / 1000) : null,
    hz: read('HZ', () => ticks(kernel)?.rate ?? null),
    pageSize: memory.pageSize,
    regions: Object.fromEntries(kernel.arch.regions().map(({ name, start }) => [name, start])),
    stackSize: threadSize(kernel),
    stacks: stackKinds(kernel),
  };
}

/** Stacks of all CPUs besides their tasks', by kind: interrupts, then exceptions by address. */
function stackKinds(kernel: Kernel): StackKind[] {
  const kinds = new Map<string, { size: number; cpus: StackKind['cpus'][number][] }>();
  for (const cpu of kernel.cpus.running) {
    const rank = ({ kind }: Stack): number => (kind === 'irq' ? 0 : 1);
    const stacks = backtracer(kernel)
      .unwinder.stacks(virtAddr(0n), cpu)
      .filter(({ kind }) => kind === 'irq' || kind === 'exception' || kind === 'overflow')
      .sort((a, b) => rank(a) - rank(b) || (a.start < b.start ? -1 : 1));
    for (const { name, start, end } of stacks) {
      const mapped = kernel.space.isReadable(start);
      // a second stack for what comes while the first is in use is there on few machines
      if (!mapped && name === 'VC2') continue;
      const kind = kinds.get(name) ?? { size: Number(end - start), cpus: [] };
      kind.cpus.push({ cpu, start, mapped });
      kinds.set(name, kind);
    }
  }
  return [...kinds].map(([name, kind]) => ({ name, ...kind }));
}

/** Parts of virtual memory in the order in which they are shown, with their titles. */
const regionTitles: readonly (readonly [RegionName, string])[] = [
  ['direct-map', 'KERNEL VIRTUAL BASE'],
  ['vmalloc', 'KERNEL VMALLOC BASE'],
  ['vmemmap', 'KERNEL VMEMMAP BASE'],
  ['image', 'KERNEL START MAP'],
  ['modules', 'KERNEL MODULES BASE'],
];

function summaryText(summary: MachineSummary): string {
  const line = (title: string, value: string): string => `${title.padStart(22)}: ${value}\n`;
  const known = (value: number | null): string => (value === null ? '(unknown)' : String(value));
  const regions = regionTitles.flatMap(([name, title]) => {
    const start = summary.regions[name];
    return start === undefined ? [] : [line(title, hex(start))];
  });
  const stacks = summary.stacks.map(
    ({ name, size, cpus }) =>
      line(`${name} STACK SIZE`, String(size)) +
      `${`${name} STACKS`.padStart(22)}:\n${cpus
        .map(({ cpu, start, mapped }) => line(`CPU ${cpu}`, `${hex(start)}${mapped ? '' : ' [unavailable]'}`))
        .join('')}`,
  );
  return [
    line('MACHINE TYPE', escapeLine(summary.machine)),
    line('MEMORY SIZE', summary.memory === null ? '(unknown)' : memorySize(summary.memory)),
    line('CPUS', String(summary.cpus)),
    summary.megahertz === null ? '' : line('PROCESSOR SPEED', `${summary.megahertz} Mhz`),
    line('HZ', known(summary.hz)),
    line('PAGE SIZE', String(summary.pageSize)),
    ...regions,
    line('KERNEL STACK SIZE', String(summary.stackSize)),
    ...stacks,
  ].join('');
}

function rangeText({ start, end, type }: MemoryRange): string {
  return `${hex16(start)} - ${hex16(end)}  ${escapeLine(type)}\n`;
}
