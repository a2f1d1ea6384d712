// What an address is, as data and in words: for `find`, and for whoever points to it in `refs`.
import type { VirtAddr } from '../../base/address.ts';
import { escapeLine, escapeTerminal, hex, hex16 } from '../../base/text.ts';
import { memberAt } from '../../debuginfo/member_at.ts';
import type { SymbolPlace } from '../../debuginfo/symbol.ts';
import { formatPlace } from '../../debuginfo/symbol_table.ts';
import { typeName } from '../../debuginfo/type.ts';
import { openFile } from '../../kernel/fs.ts';
import type { AddressIdentity, StackPlace } from '../../kernel/identify.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { PageUse } from '../../kernel/page_kind.ts';
import type { ObjectState } from '../../kernel/slab_object.ts';
import { slabType } from '../../kernel/slab_types.ts';
import { vmallocKinds } from '../../kernel/vmalloc.ts';
import { type TaskLabel, taskLabel } from '../context.ts';

/** What is known of an address. Parts that do not apply are null. */
export interface Identity {
  readonly address: VirtAddr;
  /** The part of the kernel's virtual memory: `direct-map`, `image`, `modules`, `vmalloc`, `vmemmap`. */
  readonly region: string | null;
  /** `function+offset`, `variable.member` */
  readonly symbol: string | null;
  /** Name of the module whose memory it lies in. */
  readonly module: string | null;
  readonly perCpu: {
    readonly cpu: number;
    /** `symbol+offset`; null in memory allocated at run time. */
    readonly symbol: string | null;
    /** The address that means this in every CPU's copy. */
    readonly base: bigint;
  } | null;
  /** The task whose task_struct it lies in, and the member there. */
  readonly task: { readonly task: TaskLabel; readonly offset: number; readonly member: string | null } | null;
  readonly stack: {
    readonly name: string;
    readonly start: VirtAddr;
    readonly end: VirtAddr;
    readonly task: TaskLabel | null;
    readonly cpu: number | null;
    /** `function+offset` of the frame that it lies in. */
    readonly frame: string | null;
    /** Below all frames: left over. */
    readonly unused: boolean;
  } | null;
  readonly slab: SlabIdentity | null;
  readonly vmalloc: {
    readonly area: VirtAddr;
    readonly start: VirtAddr;
    readonly end: VirtAddr;
    readonly by: readonly string[];
    readonly caller: string | null;
  } | null;
  readonly page: {
    readonly pfn: number;
    readonly physical: number;
    readonly use: PageUse | null;
    readonly structPage: VirtAddr | null;
  } | null;
  /** Number of the page frame whose `struct page` it lies in. */
  readonly structPageOf: number | null;
  readonly user: {
    readonly task: TaskLabel;
    readonly vma: VirtAddr;
    readonly start: VirtAddr;
    readonly end: VirtAddr;
    readonly file: string | null;
  } | null;
}

/** An object of a slab cache. */
export interface SlabIdentity {
  readonly cache: string | null;
  /** Virtual address of the `struct kmem_cache`. */
  readonly cacheAddress: VirtAddr;
  readonly slab: VirtAddr;
  readonly object: VirtAddr;
  /** Bytes of the object. */
  readonly size: number;
  /** Bytes from the object to the address; negative in the red zone before it. */
  readonly offset: number;
  /** Its number in the slab, of so many. */
  readonly index: number;
  readonly objects: number;
  readonly state: ObjectState;
  readonly cpu: number | null;
  /** `struct dentry`; null where the cache does not tell. */
  readonly type: string | null;
  /** The member that the address lies in; null where that is not known. */
  readonly member: string | null;
  /** The objects before and after it. */
  readonly previous: { readonly address: VirtAddr; readonly state: ObjectState } | null;
  readonly next: { readonly address: VirtAddr; readonly state: ObjectState } | null;
}

/** The data of an identity. */
export function identityOf(kernel: Kernel, found: AddressIdentity): Identity {
  const { address, region, symbol, module, perCpu, task, vmalloc, page, pageStruct, user } = found;
  const taskType = kernel.types.find('struct task_struct');
  return {
    address,
    region,
    symbol: symbol === null ? null : placeName(kernel, symbol),
    module: module?.name ?? null,
    perCpu:
      perCpu === null
        ? null
        : {
            cpu: perCpu.cpu,
            symbol: perCpu.symbol === null ? null : placeName(kernel, perCpu.symbol),
            base: perCpu.base,
          },
    task:
      task === null
        ? null
        : {
            task: taskLabel(task.task),
            offset: task.offset,
            member: taskType === null ? null : memberAt(taskType, task.offset),
          },
    stack: found.stack === null ? null : stackData(found.stack),
    slab: slabIdentity(kernel, found),
    vmalloc:
      vmalloc === null
        ? null
        : {
            area: vmalloc.address,
            start: vmalloc.start,
            end: vmalloc.end,
            by: vmalloc.vm === null ? ['vm_map_ram'] : vmallocKinds(vmalloc.vm),
            caller: callerOf(kernel, vmalloc.vm?.caller ?? null),
          },
    page: page === null ? null : { pfn: page.pfn, physical: page.physical, use: page.use, structPage: page.structPage },
    structPageOf: pageStruct,
    user:
      user === null
        ? null
        : {
            task: taskLabel(user.task),
            vma: user.area.address,
            start: user.area.start,
            end: user.area.end,
            file: user.area.file === 0n ? null : (openFile(kernel, user.area.file).path?.path ?? null),
          },
  };
}

/** `function+offset`; of a variable whose type is known, `variable.member`. */
function placeName(kernel: Kernel, place: SymbolPlace): string {
  const type = place.offset === 0 ? null : kernel.variableType(place.symbol.name);
  const member = type === null ? null : memberAt(type, place.offset);
  if (member === null || member === '') return formatPlace(place);
  return place.symbol.name + (member.startsWith('[') ? member : `.${member}`);
}

function callerOf(kernel: Kernel, caller: VirtAddr | null): string | null {
  const place = caller === null ? null : kernel.place(caller);
  return place === null ? null : formatPlace(place);
}

function stackData({ name, start, end, task, cpu, frame, unused }: StackPlace): Identity['stack'] {
  return {
    name,
    start,
    end,
    task: task === null ? null : taskLabel(task),
    cpu,
    frame: frame === null ? null : frame.place === null ? hex16(frame.address) : formatPlace(frame.place),
    unused,
  };
}

function slabIdentity(kernel: Kernel, { slab: place }: AddressIdentity): SlabIdentity | null {
  if (place === null) return null;
  const { object, offset, previous, next } = place;
  const { cache, slab } = object;
  const type = slabType(kernel, cache);
  return {
    cache: cache.name,
    cacheAddress: cache.address,
    slab: slab.address,
    object: object.address,
    size: cache.objectSize,
    offset,
    index: object.index,
    objects: slab.objects,
    state: object.state,
    cpu: object.cpu,
    type: type === null ? null : typeName(type),
    member: type === null ? null : memberAt(type, offset),
    previous: previous === null ? null : { address: previous.address, state: previous.state },
    next: next === null ? null : { address: next.address, state: next.state },
  };
}

function taskName({ pid, command }: TaskLabel): string {
  return `PID ${pid} "${escapeLine(command)}"`;
}

const stateText: Readonly<Record<ObjectState, string>> = {
  allocated: 'in use',
  free: 'free',
  cpu: 'free',
  sheaf: 'free',
  rcu: 'freed, waits for a grace period',
  unknown: 'in use or free, which is not known',
};

function stateOf({ state, cpu }: { readonly state: ObjectState; readonly cpu: number | null }): string {
  return cpu === null || state === 'rcu' ? stateText[state] : `${stateText[state]}, kept by CPU ${cpu}`;
}

function useText({ kind, order, compound }: PageUse): string {
  const words: Readonly<Record<PageUse['kind'], string>> = {
    none: 'not known',
    free: 'free',
    slab: 'slab',
    cache: 'page cache',
    anonymous: 'memory of a process',
    hugetlb: 'huge page (hugetlbfs)',
    table: 'page table',
    reserved: 'reserved',
    offline: 'offline',
    unaccepted: 'not accepted from the hypervisor',
    kernel: "the kernel's own",
  };
  const size =
    order === 0
      ? ''
      : `, in a ${kind === 'free' ? 'block' : compound ? 'compound page' : 'block'} of ${2 ** order} pages`;
  return words[kind] + size;
}

/** Everything that is known, a line each: what it is, then what that means. */
export function identityLines(found: Identity): (readonly [what: string, text: string])[] {
  const { symbol, module, perCpu, task, stack, slab, vmalloc, page, structPageOf, user, region } = found;
  const lines: (readonly [string, string])[] = [];
  if (symbol !== null) lines.push(['symbol', escapeTerminal(symbol)]);
  if (module !== null) lines.push(['module', escapeLine(module)]);
  if (perCpu !== null) {
    const name = perCpu.symbol === null ? 'allocated at run time' : escapeTerminal(perCpu.symbol);
    lines.push(['per-CPU', `${name}, the copy of CPU ${perCpu.cpu}; ${hex(perCpu.base)} in all copies`]);
  }
  if (task !== null) {
    const member = task.member === null || task.member === '' ? `offset ${task.offset}` : task.member;
    lines.push(['task', `task_struct of ${taskName(task.task)}, ${member}`]);
  }
  if (stack !== null) lines.push(['stack', stackText(stack)]);
  if (slab !== null) lines.push(...slabLines(slab));
  if (vmalloc !== null) {
    const caller = vmalloc.caller === null ? '' : `, asked for by ${escapeTerminal(vmalloc.caller)}`;
    lines.push([
      'vmalloc',
      `${hex16(vmalloc.start)} - ${hex16(vmalloc.end)}, ${vmalloc.by.join(' ')}${caller}; vmap_area ${hex16(vmalloc.area)}`,
    ]);
  }
  if (user !== null) {
    const file = user.file === null ? 'anonymous' : escapeTerminal(user.file);
    lines.push([
      'user',
      `of ${taskName(user.task)}, ${file}, ${hex(user.start)} - ${hex(user.end)}; VMA ${hex16(user.vma)}`,
    ]);
  }
  if (structPageOf !== null) lines.push(['struct page', `of page frame ${hex(structPageOf)}`]);
  if (page !== null) {
    const use = page.use === null ? '' : `, ${useText(page.use)}`;
    const struct = page.structPage === null ? '' : `; struct page ${hex16(page.structPage)}`;
    lines.push(['page', `frame ${hex(page.pfn)}, physical ${hex(page.physical)}${use}${struct}`]);
  }
  if (lines.length === 0 && region !== null) lines.push(['region', `${region}, nothing is mapped there`]);
  return lines;
}

function stackText({ name, start, end, task, cpu, frame, unused }: NonNullable<Identity['stack']>): string {
  const whose = task === null ? `${name} stack of CPU ${cpu}` : `of ${taskName(task)}`;
  const where =
    frame !== null ? `, in the frame of ${escapeTerminal(frame)}` : unused ? ', below all frames: left over' : '';
  return `${whose}${where}; ${hex16(start)} - ${hex16(end)}`;
}

function slabLines(slab: SlabIdentity): (readonly [string, string])[] {
  const { cache, object, size, offset, index, objects, type, member, previous, next } = slab;
  const name = cache === null ? '(unknown)' : escapeLine(cache);
  const place =
    member !== null && member !== '' ? `${type}.${member}` : offset === 0 ? `its start` : `offset ${offset}`;
  const near = (one: SlabIdentity['previous']): string =>
    one === null ? 'none' : `${hex16(one.address)} ${stateText[one.state]}`;
  return [
    ['slab', `${name}: object ${hex16(object)} of ${size} bytes, ${stateOf(slab)}; ${place}`],
    ['', `object ${index} of ${objects} in slab ${hex16(slab.slab)} of cache ${hex16(slab.cacheAddress)}`],
    ['', `before it: ${near(previous)}; after it: ${near(next)}`],
  ];
}

/** The most telling of it, in a few words. */
export function identitySummary(found: Identity): string {
  const { symbol, module, perCpu, task, stack, slab, vmalloc, page, structPageOf, user } = found;
  if (stack !== null) {
    const whose = stack.task === null ? `${stack.name} stack of CPU ${stack.cpu}` : `stack of ${taskName(stack.task)}`;
    return `${whose}${stack.frame === null ? (stack.unused ? ', left over' : '') : `, ${escapeTerminal(stack.frame)}`}`;
  }
  if (symbol !== null) return escapeTerminal(symbol) + (module === null ? '' : ` [${escapeLine(module)}]`);
  if (task !== null) return `task_struct of ${taskName(task.task)}, ${task.member ?? task.offset}`;
  if (slab !== null) {
    const { cache, object, offset, member } = slab;
    const place = member !== null && member !== '' ? `.${member}` : `+${offset}`;
    return `${cache === null ? '(unknown)' : escapeLine(cache)} ${hex16(object)}${place} (${stateOf(slab)})`;
  }
  if (perCpu !== null) return `${escapeTerminal(perCpu.symbol ?? 'per-CPU memory')} of CPU ${perCpu.cpu}`;
  if (structPageOf !== null) return `struct page of frame ${hex(structPageOf)}`;
  if (vmalloc !== null)
    return `${vmalloc.by.join(' ')} area ${hex16(vmalloc.start)} of ${escapeTerminal(vmalloc.caller ?? '?')}`;
  if (user !== null) return `user memory of ${taskName(user.task)}`;
  if (page?.use != null) return `page of ${useText(page.use)}`;
  return 'not known';
}
