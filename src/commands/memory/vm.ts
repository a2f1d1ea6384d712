// vm: the memory of processes.
import type { MappedSpace } from '../../arch/kernel_space.ts';
import type { PhysAddr, VirtAddr } from '../../base/address.ts';
import { offsetBy } from '../../base/address.ts';
import { assertNever, UsageError } from '../../base/errors.ts';
import { escapeLine, hex } from '../../base/text.ts';
import type { KernelObject } from '../../debuginfo/object.ts';
import { openFile } from '../../kernel/fs.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { addressSpaceOf, type VmArea, vmAreas } from '../../kernel/mm_types.ts';
import { residentCounters, taskMemory } from '../../kernel/sched.ts';
import { specialEntry, swapAreas, swapFileName } from '../../kernel/swap.ts';
import type { Task } from '../../kernel/task.ts';
import { vmFlagNames } from '../../kernel/vm_flags.ts';
import { center } from '../columns.ts';
import { type Answer, defineStream, noItems } from '../command.ts';
import { type CommandContext, parseHex, type TaskLabel, taskHeader, taskLabel } from '../context.ts';
import { flag, type Options, radixOf, radixParams, rest, valued, values } from '../params.ts';
import { structSpec } from '../types/struct_spec.ts';
import { type StructValue, structText, structValue } from '../types/struct_value.ts';
import { valueReading } from '../types/value_reading.ts';
import { type VmaData, vmaHeader, vmaText } from './page_rows.ts';

/** The memory of a task as a whole. */
export interface MmData {
  /** Virtual addresses of the `struct mm_struct` and of the top page table; 0 for a task without user memory. */
  readonly mm: VirtAddr;
  readonly pgd: VirtAddr;
  /** KiB in memory, and mapped. Null where it cannot be read. */
  readonly rss: number | null;
  readonly totalVm: number | null;
}

/** Where a page of a VMA is. */
export type PagePlace =
  | { readonly in: 'memory'; readonly physical: PhysAddr }
  /** `offset` in pages. */
  | { readonly in: 'swap'; readonly file: string | null; readonly offset: bigint }
  /** `offset` in bytes. */
  | { readonly in: 'file'; readonly file: string; readonly offset: bigint }
  | { readonly in: 'nowhere' }
  /** No page, but a word of the kernel about the place: `guard`, `poisoned`, ... */
  | { readonly in: 'special'; readonly what: string }
  /** A page table cannot be read. */
  | { readonly in: 'unknown' };

/** What `vm` lists of a task, one after the other. */
export type VmItem =
  | ({ readonly kind: 'task'; readonly task: TaskLabel } & MmData)
  | ({ readonly kind: 'vma' /** The first of its task's. */; readonly isFirst: boolean } & VmaData)
  | { readonly kind: 'page'; readonly virtual: VirtAddr; readonly place: PagePlace; readonly isFirst: boolean }
  | { readonly kind: 'struct'; readonly value: StructValue }
  /** -P: the task has no such VMA. */
  | { readonly kind: 'missing' };

export interface VmHead {
  /** -f */
  readonly flags: { readonly value: bigint; readonly names: readonly string[] } | null;
  /** Hexadecimal digits of the highest physical address. */
  readonly physicalDigits: number;
}

const params = {
  pages: flag('p', 'every page of every VMA: its physical address, or where on a swap device or in a file it is', {
    excludes: ['P', 'm', 'v', 'R', 'f'],
  }),
  pagesOf: valued('P', 'vma', values.address, 'the pages of one VMA of the task', { excludes: ['m', 'v', 'R', 'f'] }),
  mm: valued('M', 'mm', values.address, 'this mm_struct, for a task that has left its own while it exits'),
  reference: valued(
    'R',
    'reference',
    values.word,
    `only what has to do with this: an mm_struct, a VMA, flags, a user or physical address of a page, an offset in a file
or on a swap device, or a part of a file's path`,
    { excludes: ['m', 'v', 'f'] },
  ),
  mmStruct: flag('m', 'the mm_struct', { excludes: ['v', 'f'] }),
  vmaStructs: flag('v', 'every vm_area_struct', { excludes: ['f'] }),
  flags: valued('f', 'vm_flags', values.word, 'the names of the flags in a number, hexadecimal'),
  ...radixParams,
  tasks: rest('pid|task', values.task),
};

type VmOptions = Options<typeof params>;

export const vm = defineStream({
  name: 'vm',
  help: {
    summary: 'memory of processes',
    usage: ['[-p | -P vma | -R reference | -m | -v] [-M mm] [-x|-d] [pid|task]...', '-f vm_flags'],
    description: `Prints the mm_struct of the current task or of those named, its page directory, what it has in memory and what is
mapped; then every VMA: the vm_area_struct, its range, its flags, and the file that it maps.`,
    examples: [
      ['vm -p 1', 'where each page of PID 1 is'],
      ['foreach vm -R libc', 'who maps a library'],
      ['vm -f 8100073', 'what flags mean'],
    ],
  },
  params,
  items: 'entries',
  collect: collectVm,
  text: {
    head: ({ flags }) => (flags === null ? '' : `${hex(flags.value)}: (${flags.names.join('|')})\n`),
    item: (item, view, head) => itemText(item, view.options, radixOf(view, view.options), head),
  },
});

function collectVm(context: CommandContext, options: VmOptions): Answer<VmHead, VmItem, null> {
  const { kernel } = context;
  const { maxPfn, pageSize } = kernel.dump.memory;
  const physicalDigits = Math.max(8, hex(maxPfn * pageSize).length);
  if (options.flags !== null) {
    const value = parseHex(options.flags);
    if (value === null) throw new UsageError(`not a number: ${escapeLine(options.flags)}`);
    return { head: { flags: { value, names: vmFlagNames(kernel, value) }, physicalDigits }, items: noItems(null) };
  }
  if (options.mm === 0n) throw new UsageError('invalid mm_struct address: 0');
  const tasks = options.tasks.length === 0 ? [context.task] : options.tasks;
  function* items(): Generator<VmItem, null> {
    for (const task of tasks) yield* taskItems(context, task, options);
    return null;
  }
  return { head: { flags: null, physicalDigits }, items: items() };
}

function* taskItems(context: CommandContext, task: Task, options: VmOptions): Generator<VmItem> {
  const { kernel } = context;
  const own = kernel.faults.attempt('mm_struct', () => task.object.member('mm').pointer(), 0n as VirtAddr);
  const address = own === 0n && options.mm !== null ? options.mm : own;
  const mm = address === 0n ? null : kernel.object('struct mm_struct', address);
  const whole: VmItem = { kind: 'task', task: taskLabel(task), ...mmData(kernel, task, mm) };
  if (options.reference !== null) {
    yield* references(kernel, mm, whole, options.reference);
    return;
  }
  yield whole;
  if (mm === null) return;
  if (options.mmStruct) {
    yield* structItem(context, 'mm_struct', mm);
    return;
  }
  let isFound = false;
  for (const area of vmAreas(kernel, mm)) {
    kernel.work.charge('nodes', 1);
    if (options.vmaStructs) {
      yield* structItem(context, 'vm_area_struct', kernel.object('struct vm_area_struct', area.address));
      continue;
    }
    if (options.pagesOf !== null && area.address !== options.pagesOf) continue;
    const vma = vmaData(kernel, area);
    yield { kind: 'vma', isFirst: !isFound, ...vma };
    isFound = true;
    if (!options.pages && options.pagesOf === null) continue;
    yield* pageItems(kernel, mm, area, vma.file);
  }
  if (options.pagesOf !== null && !isFound) yield { kind: 'missing' };
}

function mmData(kernel: Kernel, task: Task, mm: KernelObject | null): MmData {
  if (mm === null) return { mm: 0n as VirtAddr, pgd: 0n as VirtAddr, rss: 0, totalVm: 0 };
  const kib = kernel.dump.memory.pageSize / 1024;
  const memory = kernel.faults.attempt(
    'memory of a process',
    () => {
      const counted = taskMemory(kernel, task);
      if (counted !== null) return counted;
      const { file, anon, shmem } = residentCounters(kernel, mm);
      return { totalVm: mm.member('total_vm').number(), rss: Math.max(0, file + anon + shmem) };
    },
    null,
  );
  return {
    mm: mm.address,
    pgd: kernel.faults.attempt('mm_struct', () => mm.member('pgd').pointer(), 0n as VirtAddr),
    rss: memory === null ? null : memory.rss * kib,
    totalVm: memory === null ? null : memory.totalVm * kib,
  };
}

function* structItem(context: CommandContext, type: string, object: KernelObject): Generator<VmItem> {
  const spec = structSpec(context, type, 'struct');
  const read = () => structValue(object, spec, 'values', valueReading(context));
  const value = context.kernel.faults.attempt(type, read, null);
  if (value !== null) yield { kind: 'struct', value };
}

function vmaData(kernel: Kernel, { address, start, end, flags, file }: VmArea): VmaData {
  const held = file === 0n ? null : kernel.faults.attempt('mapped file', () => openFile(kernel, file).path, null);
  // what is in no directory is shown by its own name, as files does
  const path = held === null || held.placed ? (held?.path ?? null) : held.name;
  return { address, start, end, flags, file: file !== 0n && path === null ? '?' : path };
}

function* pageItems(kernel: Kernel, mm: KernelObject, area: VmArea, file: string | null): Generator<VmItem> {
  const space = kernel.faults.attempt('page tables of a process', () => addressSpaceOf(kernel, mm), null);
  if (space === null) return;
  const { pageSize } = kernel.dump.memory;
  for (let at = area.start; at < area.end; at = offsetBy(at, pageSize)) {
    kernel.work.charge('nodes', 1);
    const place = placeOf(kernel, space, area, file, at);
    yield { kind: 'page', virtual: at, place, isFirst: at === area.start };
  }
}

function placeOf(kernel: Kernel, space: MappedSpace, area: VmArea, file: string | null, at: VirtAddr): PagePlace {
  const walk = space.walk(at);
  if (walk.physical !== null) return { in: 'memory', physical: walk.physical };
  if (walk.swap !== null) {
    const what = specialEntry(kernel, walk.swap);
    if (what !== null) return { in: 'special', what };
    return { in: 'swap', file: swapFileName(kernel, walk.swap.type), offset: walk.swap.offset };
  }
  if (walk.fault !== null && walk.fault.reason !== 'not-mapped') {
    kernel.faults.record('page tables', walk.fault);
    return { in: 'unknown' };
  }
  if (file === null) return { in: 'nowhere' };
  return { in: 'file', file, offset: at - area.start + area.pageOffset * BigInt(kernel.dump.memory.pageSize) };
}

/** What of a task has to do with something: its mm as a whole, VMAs, single pages of them. */
function* references(
  kernel: Kernel,
  mm: KernelObject | null,
  whole: VmItem & { readonly kind: 'task' },
  reference: string,
): Generator<VmItem> {
  if (mm === null) return;
  const number = parseHex(reference);
  const decimal = /^\d{1,18}$/.test(reference) ? BigInt(reference) : null;
  if (number !== null && (number === whole.mm || number === whole.pgd)) {
    yield whole;
    return;
  }
  const has = (path: string | null): boolean =>
    path !== null && (reference === '/' ? path === '/' : path.includes(reference));
  const isPage = ({ place, virtual }: VmItem & { readonly kind: 'page' }): boolean => {
    switch (place.in) {
      case 'memory':
        return number === virtual || number === BigInt(place.physical);
      case 'swap':
        return number === virtual || decimal === place.offset || has(place.file);
      case 'file':
        return number === virtual || number === place.offset;
      case 'nowhere':
      case 'special':
      case 'unknown':
        return number === virtual;
      default:
        return assertNever(place);
    }
  };
  // a word may be of the path of a swap file, and of no page else
  const mayBePage =
    number !== null ||
    kernel.faults
      .attempt('swap areas', () => swapAreas(kernel), [])
      .some(({ type }) => has(swapFileName(kernel, type)));
  let isShown = false;
  for (const area of vmAreas(kernel, mm)) {
    kernel.work.charge('nodes', 1);
    const vma = vmaData(kernel, area);
    const isVma = number === area.address || number === area.flags || has(vma.file);
    const pages: VmItem[] = [];
    for (const page of mayBePage ? pageItems(kernel, mm, area, vma.file) : []) {
      if (page.kind === 'page' && isPage(page)) pages.push({ ...page, isFirst: pages.length === 0 });
    }
    if (!isVma && pages.length === 0) continue;
    if (!isShown) yield whole;
    yield { kind: 'vma', isFirst: !isShown, ...vma };
    isShown = true;
    yield* pages;
  }
}

function itemText(item: VmItem, options: VmOptions, radix: 10 | 16, { physicalDigits }: VmHead): string {
  switch (item.kind) {
    case 'task':
      return taskText(item, options);
    case 'vma':
      return (isListOfPages(options) || (options.reference !== null && item.isFirst) ? vmaHeader : '') + vmaText(item);
    case 'page':
      return (item.isFirst ? pageHeader(physicalDigits) : '') + pageText(item.virtual, item.place, physicalDigits);
    case 'struct':
      return structText(item.value, radix);
    case 'missing':
      return '(not found)\n';
    default:
      return assertNever(item);
  }
}

/** Whether pages stand between the VMAs, so that each has a header of its own. */
function isListOfPages({ pages, pagesOf }: VmOptions): boolean {
  return pages || pagesOf !== null;
}

function taskText(item: VmItem & { readonly kind: 'task' }, options: VmOptions): string {
  const { task, mm, pgd, rss, totalVm } = item;
  const header = `${taskHeader(task)}\n`;
  if (options.mmStruct || options.vmaStructs || options.pagesOf !== null) return header;
  const size = (kib: number | null, width: number) => center(kib === null ? '?' : `${kib}k`, width);
  const columns = [center(hex(mm), 16), center(hex(pgd), 16), size(rss, 6), size(totalVm, 8)];
  const vmas = mm === 0n || isListOfPages(options) || options.reference !== null ? '' : vmaHeader;
  return `${header}       MM               PGD          RSS    TOTAL_VM\n${columns.join('  ')}\n${vmas}`;
}

function pageHeader(physicalDigits: number): string {
  return `${'VIRTUAL'.padEnd(10)}  ${'PHYSICAL'.padEnd(physicalDigits)}\n`;
}

function pageText(virtual: VirtAddr, place: PagePlace, physicalDigits: number): string {
  const start = hex(virtual).padEnd(10);
  switch (place.in) {
    case 'memory':
      return `${start}  ${hex(place.physical).padStart(physicalDigits)}\n`;
    case 'swap':
      return `${start}  SWAP: ${escapeLine(place.file ?? '(unknown)')}  OFFSET: ${place.offset}\n`;
    case 'file':
      return `${start}  FILE: ${escapeLine(place.file)}  OFFSET: ${hex(place.offset)}\n`;
    case 'nowhere':
      return `${start}  (not mapped)\n`;
    case 'special':
      return `${start}  (${place.what})\n`;
    case 'unknown':
      return `${start}  (unknown)\n`;
    default:
      return assertNever(place);
  }
}
