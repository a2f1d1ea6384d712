// vtop: the way of a virtual address through the page tables, and the page that it comes to.
import type { PageTableEntry, PageWalk } from '../../arch/page_walk.ts';
import { type PhysAddr, pfn, type VirtAddr } from '../../base/address.ts';
import { UsageError } from '../../base/errors.ts';
import { escapeLine, escapeTerminal, hex, hex16 } from '../../base/text.ts';
import { openFile } from '../../kernel/fs.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { memoryModel } from '../../kernel/memory_model.ts';
import { userMemory, type VmArea, vmAreaAround } from '../../kernel/mm_types.ts';
import { pageFlagNames, pageRow } from '../../kernel/page.ts';
import { swapFileName } from '../../kernel/swap.ts';
import { swapSlotOf } from '../../kernel/swapped_pages.ts';
import type { Task } from '../../kernel/task.ts';
import { addressArgument } from '../address.ts';
import { defineCommand } from '../command.ts';
import { type TaskLabel, taskHeader, taskLabel } from '../context.ts';
import { eachWord } from '../each_word.ts';
import { flag, rest, type ValueKind, valued, values } from '../params.ts';
import {
  type EntryData,
  entryText,
  type NamedPageRow,
  pageRowsHeader,
  pageRowText,
  type VmaData,
  vmaHeader,
  vmaText,
} from './page_rows.ts';

/** One address translated. */
export interface Translation {
  readonly address: VirtAddr;
  readonly space: 'kernel' | 'user';
  /** null where nothing is mapped, or tables cannot be read. */
  readonly physical: PhysAddr | null;
  /** Why there is none, if not for want of a mapping; null if there is one. */
  readonly problem: string | null;
  /** The entries passed, top first; `entryAddress` is physical. */
  readonly entries: readonly PageTableEntry[];
  /** Virtual address of the kernel's top table; null for a user address. */
  readonly top: VirtAddr | null;
  /** Bytes in the page that maps it; null if none does. */
  readonly pageSize: number | null;
  /** The last entry, by its meaning; null where no entry could be read, or the last one is empty. */
  readonly entry: EntryData | null;
  /** The VMA that a user address lies in. */
  readonly vma: VmaData | null;
  /** Where in the VMA's file the page is, in bytes; null where it is mapped, or has an entry, or there is no file. */
  readonly fileOffset: bigint | null;
  /** The `struct page` of the page frame. */
  readonly page: NamedPageRow | null;
}

export interface VtopData {
  /** With -c: whose address space, once for each task. */
  readonly tasks: readonly { readonly task: TaskLabel | null; readonly translations: readonly Translation[] }[];
  /** Hexadecimal digits of the highest physical address. */
  readonly physicalDigits: number;
}

/** A task as the only one of a list: `foreach` gives others. */
const oneTask: ValueKind<readonly Task[]> = {
  kind: 'task',
  parse: (word, context) => [values.task.parse(word, context)],
};

export const vtop = defineCommand({
  name: 'vtop',
  help: {
    summary: 'virtual address to physical, with the page tables on the way',
    description: `Shows how each virtual address is translated: every table entry passed, what the last one says, for a user address
the VMA that it lies in, and the page frame's struct page. Addresses below the kernel's half are of the current task.
A page that is not there may be swapped out: then the swap area and the offset (in pages) are shown.`,
    examples: [
      ['vtop c000000000000000', 'a kernel address'],
      ['vtop -c 1 400000', 'a user address of PID 1'],
      ['foreach vtop 400000', 'of every task'],
    ],
  },
  params: {
    user: flag('u', "user addresses, of the current task's memory", { excludes: ['k'] }),
    kernel: flag('k', 'kernel addresses'),
    tasks: valued('c', 'pid|task', oneTask, 'user addresses, of this task'),
    header: flag('H', 'with a line that names the task, as foreach does'),
    addresses: rest('address', values.place),
  },
  collect(context, { user, kernel: isKernel, tasks, addresses }): VtopData {
    const { kernel } = context;
    if (addresses.length === 0) throw new UsageError('');
    const places = eachWord(context, addresses, (word) => addressArgument(context, word));
    const { maxPfn, pageSize } = kernel.dump.memory;
    const where = (address: VirtAddr): 'kernel' | 'user' => {
      if (isKernel) return 'kernel';
      return user || tasks !== null || !kernel.arch.isKernelAddress(address) ? 'user' : 'kernel';
    };
    const translate = (task: Task | null): Translation[] =>
      places.map((address) =>
        where(address) === 'kernel' ? ofKernel(kernel, address) : ofUser(kernel, task ?? context.task, address),
      );
    return {
      tasks:
        tasks === null
          ? [{ task: null, translations: translate(null) }]
          : tasks.map((task) => ({ task: taskLabel(task), translations: translate(task) })),
      physicalDigits: hex(maxPfn * pageSize).length,
    };
  },
  render: ({ tasks, physicalDigits }, { options }) =>
    tasks
      .map(({ task, translations }) => {
        const header = options.header && task !== null ? `${taskHeader(task)}\n` : '';
        return header + translations.map((one) => translationText(one, physicalDigits)).join('\n');
      })
      .join('\n'),
  forTask: (options, task) => ({ ...options, tasks: [task], header: true }),
});

function ofKernel(kernel: Kernel, address: VirtAddr): Translation {
  const space = kernel.arch.space;
  const walk = space.walk(address);
  // what the linear maps tell holds where tables cannot be read
  const { faults } = kernel;
  const physical =
    walk.physical ?? faults.apart(() => faults.attempt('linear map', () => space.translate(address), null)).value;
  const first = walk.entries[0];
  const tableStart =
    first === undefined
      ? null
      : ((first.entryAddress - (first.entryAddress % kernel.dump.memory.pageSize)) as PhysAddr);
  return {
    ...common(kernel, walk, address, physical),
    space: 'kernel',
    top: tableStart === null ? null : kernelTable(kernel, tableStart),
    vma: null,
    fileOffset: null,
  };
}

/** @throws NotFoundError for a task without user memory */
function ofUser(kernel: Kernel, task: Task, address: VirtAddr): Translation {
  const space = userMemory(kernel, task);
  const walk = space.walk(address);
  const vma = kernel.faults.attempt('VMA', () => vmAreaAround(kernel, task.object.member('mm').deref(), address), null);
  const file = vma === null || vma.file === 0n ? null : openFile(kernel, vma.file).path?.path;
  const page = common(kernel, walk, address, walk.physical);
  const isInFile = file != null && page.physical === null && page.entry === null && page.problem === null;
  return {
    ...page,
    space: 'user',
    top: null,
    vma: vma === null ? null : { ...vma, file: file ?? null },
    fileOffset: vma === null || !isInFile ? null : offsetInFile(kernel, vma, address),
  };
}

/** Of the page that an address lies in, in bytes. */
function offsetInFile(kernel: Kernel, { start, pageOffset }: VmArea, address: VirtAddr): bigint {
  const size = BigInt(kernel.dump.memory.pageSize);
  return pageOffset * size + (address - (address % size) - start);
}

function common(
  kernel: Kernel,
  walk: PageWalk,
  address: VirtAddr,
  physical: PhysAddr | null,
): Omit<Translation, 'space' | 'top' | 'vma' | 'fileOffset'> {
  const last = walk.entries.at(-1);
  return {
    address,
    physical,
    problem: physical !== null || walk.fault?.reason === 'not-mapped' ? null : (walk.fault?.message ?? null),
    entries: walk.entries,
    pageSize: walk.pageSize,
    entry: last === undefined || last.value === 0n ? null : entryData(kernel, last, walk),
    page: physical === null ? null : pageOf(kernel, physical),
  };
}

function entryData(kernel: Kernel, { value, level }: PageTableEntry, walk: PageWalk): EntryData | null {
  const { present, physical, flags } = kernel.arch.describeEntry(value, level);
  const swap = present || physical !== null ? null : swapSlotOf(kernel, value);
  // an entry that leads to a table which cannot be read maps nothing
  if (present && walk.pageSize === null) return null;
  return { value, present, physical, flags, swap, swapFile: swap === null ? null : swapFileName(kernel, swap.type) };
}

function pageOf(kernel: Kernel, physical: PhysAddr): NamedPageRow | null {
  const at = memoryModel(kernel)?.pageStruct(pfn(Math.floor(physical / kernel.dump.memory.pageSize))) ?? null;
  if (at === null) return null;
  return kernel.faults.attempt(
    'struct page',
    () => {
      const row = pageRow(kernel, at);
      return row === null ? null : { ...row, flagNames: pageFlagNames(kernel, row.flags) };
    },
    null,
  );
}

/** Sizes of pages that are larger than usual. */
function sizeName(bytes: number): string {
  if (bytes >= 2 ** 30) return `(${bytes / 2 ** 30}GB)`;
  return bytes >= 2 ** 20 ? `(${bytes / 2 ** 20}MB)` : '';
}

function translationText(one: Translation, physicalDigits: number): string {
  const { address, space, physical, entries, top, pageSize, entry, vma, page } = one;
  const outside = space === 'user' && physical === null && vma === null && entry === null && one.problem === null;
  const width = space === 'kernel' ? 16 : 10;
  const found = outside ? '(not accessible)' : physical === null ? '(not mapped)' : hex(physical);
  const lines = [
    `${'VIRTUAL'.padEnd(width)}  ${'PHYSICAL'.padEnd(16)}\n`,
    `${(space === 'kernel' ? hex16(address) : hex(address)).padEnd(width)}  ${found.padEnd(16)}\n`,
  ];
  if (outside) return lines.join('');
  if (entries.length > 0) {
    lines.push('\n', tablesText(entries, top));
    if (physical !== null && pageSize !== null) {
      lines.push(`  PAGE: ${hex(physical - (physical % pageSize))}  ${sizeName(pageSize)}\n`);
    }
  }
  if (entry !== null) lines.push('\n', entryText(entry));
  if (one.problem !== null && entry?.swap == null) lines.push('\n', `  ${escapeTerminal(one.problem)}\n`);
  if (vma !== null) lines.push('\n', vmaHeader, vmaText(vma));
  if (one.fileOffset !== null) {
    lines.push('\n', `FILE: ${escapeLine(vma?.file ?? '')}  OFFSET: ${hex(one.fileOffset)}\n`, '\n');
  }
  if (page !== null) lines.push('\n', pageRowsHeader(physicalDigits), pageRowText(page, physicalDigits));
  return lines.join('');
}

/** Where the kernel's top table is: as init_mm names it, which is in the image, else in the map of all memory. */
function kernelTable(kernel: Kernel, table: PhysAddr): VirtAddr | null {
  const image = kernel.faults.attempt(
    'init_mm',
    () => {
      const named = kernel.optionalVariable('init_mm')?.member('pgd').pointer() ?? null;
      return named !== null && kernel.space.translate(named) === table ? named : null;
    },
    null,
  );
  return image ?? kernel.space.linearAddress(table);
}

function tablesText(entries: readonly PageTableEntry[], top: VirtAddr | null): string {
  const line = ({ level, entryAddress, value }: PageTableEntry): string =>
    `   ${level}: ${hex(entryAddress)} => ${hex(value)}\n`;
  if (top === null) return entries.map(line).join('');
  const [first, ...others] = entries;
  return `PGD DIRECTORY: ${hex16(top)}\nPAGE DIRECTORY: ${hex(first!.value)}\n${others.map(line).join('')}`;
}
