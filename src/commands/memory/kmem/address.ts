// kmem ADDRESS: what an address is: symbol, task and stack, slab object, free block, area of vmalloc(), page.
import { type Pfn, physAddr, type VirtAddr, virtAddr } from '../../../base/address.ts';
import { UsageError } from '../../../base/errors.ts';
import { escapeTerminal, hex } from '../../../base/text.ts';
import { formatPlace } from '../../../debuginfo/symbol_table.ts';
import { type AddressIdentity, identify, physicalPage } from '../../../kernel/identify.ts';
import { memoryModel } from '../../../kernel/memory_model.ts';
import { addressArgument } from '../../address.ts';
import { type CommandContext, parseHex } from '../../context.ts';
import { eachWord } from '../../each_word.ts';
import { type ContextTask, contextTask, contextTaskText } from '../../task_context.ts';
import { pageRowsHeader, pageRowText } from '../page_rows.ts';
import { type PageItem, pageItem, physicalDigits } from './pages.ts';
import {
  type CacheItem,
  cacheItem,
  cacheText,
  type SlabItem,
  slabItem,
  slabItemText,
  slabOfPage,
  slabsHeader,
} from './slabs.ts';
import { type VmallocItem, vmallocHeader, vmallocItem, vmallocText } from './vmalloc.ts';

export interface AddressItem {
  readonly kind: 'address';
  readonly address: bigint;
  /** True for a physical address. */
  readonly physical: boolean;
  readonly symbol: { readonly address: VirtAddr; readonly type: string; readonly text: string } | null;
  /** The task whose task_struct or stack it lies in. */
  readonly task: ContextTask | null;
  readonly slab: { readonly cache: CacheItem; readonly slab: SlabItem } | null;
  readonly vmalloc: VmallocItem | null;
  readonly page: PageItem | null;
}

export interface AddressesHead {
  readonly kind: 'addresses';
  readonly addresses: readonly AddressItem[];
  /** Hexadecimal digits of the highest physical address. */
  readonly physicalDigits: number;
}

/** @param words addresses: virtual, unless `isPhysical` or below all memory's end and the kernel's half */
export function collectAddresses(
  context: CommandContext,
  words: readonly string[],
  isPhysical: boolean,
): AddressesHead {
  const { kernel } = context;
  return {
    kind: 'addresses',
    addresses: eachWord(context, words, (word) => addressItem(context, word, isPhysical)),
    physicalDigits: physicalDigits(kernel),
  };
}

function addressItem(context: CommandContext, word: string, isPhysical: boolean): AddressItem {
  const { kernel } = context;
  if (!isPhysical) {
    const address = addressArgument(context, word);
    if (kernel.arch.isKernelAddress(address)) return itemOf(context, address, false, identify(kernel, address));
  }
  // an address below the kernel's half is a physical one, as in crash(8)
  const given = parseHex(word);
  if (given === null || given >= BigInt(kernel.dump.memory.maxPfn * kernel.dump.memory.pageSize)) {
    throw new UsageError(
      `${escapeTerminal(word)}: not a ${isPhysical ? 'physical' : 'kernel virtual or physical'} address`,
    );
  }
  const physical = physAddr(Number(given));
  const virtual = kernel.space.linearAddress(physical);
  if (virtual !== null) return itemOf(context, given, true, identify(kernel, virtual));
  const page = physicalPage(kernel, physical);
  const bare: AddressItem = {
    kind: 'address',
    address: given,
    physical: true,
    symbol: null,
    task: null,
    slab: null,
    vmalloc: null,
    page: page === null ? null : pageItem(kernel, page.pfn),
  };
  return bare;
}

function itemOf(context: CommandContext, address: bigint, physical: boolean, found: AddressIdentity): AddressItem {
  const { kernel } = context;
  const { symbol, slab, vmalloc } = found;
  const task = found.task?.task ?? found.stack?.task ?? null;
  const page = found.pageStruct === null ? null : slabOfPage(kernel, virtAddr(address));
  const inSlab =
    slab !== null
      ? { ...slab.object, only: slab.object.address }
      : page !== null
        ? { cache: page.cache, slab: page.slab, only: null }
        : null;
  const frame: Pfn | null = found.pageStruct ?? found.page?.pfn ?? null;
  return {
    kind: 'address',
    address,
    physical,
    symbol:
      symbol === null
        ? null
        : {
            address: found.address,
            type: symbol.symbol.type,
            text: moduleText(formatPlace(symbol), symbol.symbol.module),
          },
    task: task === null ? null : contextTask(context, task),
    slab:
      inSlab === null
        ? null
        : {
            cache: cacheItem(kernel, inSlab.cache),
            slab: slabItem(kernel, inSlab.cache, inSlab.slab, inSlab.only),
          },
    vmalloc: vmalloc === null ? null : vmallocItem(kernel, vmalloc),
    page: frame === null || memoryModel(kernel) === null ? null : pageItem(kernel, frame),
  };
}

function moduleText(place: string, module: string | null): string {
  return module === null ? place : `${place} [${module}]`;
}

export function addressesText({ addresses, physicalDigits: digits }: AddressesHead): string {
  return addresses.map((item) => addressText(item, digits)).join('\n');
}

function addressText({ address, symbol, task, slab, vmalloc, page }: AddressItem, digits: number): string {
  const parts: string[] = [];
  if (symbol !== null) parts.push(`${hex(symbol.address)} (${symbol.type}) ${escapeTerminal(symbol.text)}\n`);
  if (slab !== null) {
    const item = slabItemText(slab.slab, { kind: 'slabs', show: 'caches' }, 0);
    parts.push(`${slabsHeader}${cacheText(slab.cache)}${item}`);
  }
  if (task !== null) parts.push(contextTaskText(task));
  if (vmalloc !== null) parts.push(vmallocHeader + vmallocText(vmalloc));
  if (page !== null) parts.push(pageRowsHeader(digits) + pageRowText(page, digits));
  return parts.length === 0 ? `${hex(address)}: nothing is known of it\n` : parts.join('\n');
}
