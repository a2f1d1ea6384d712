// sbitmapq: a sbitmap_queue, by which requests get their tags.
import type { VirtAddr } from '../../base/address.ts';
import { offsetBy } from '../../base/address.ts';
import { UsageError } from '../../base/errors.ts';
import { escapeTerminal, hex } from '../../base/text.ts';
import { sizeOf } from '../../debuginfo/type.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { readSbitmap, type Sbitmap, setBits } from '../../kernel/sbitmap.ts';
import { defineCommand } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { flag, type Options, radixParams, required, valued, values } from '../params.ts';
import { structSpec } from '../types/struct_spec.ts';
import { type StructValue, structText, structValue } from '../types/struct_value.ts';
import { valueReading } from '../types/value_reading.ts';

/** A `struct sbitmap_queue`. Numbers that this kernel does not keep are null. */
export interface SbitmapQueueData {
  readonly address: VirtAddr;
  readonly depth: number;
  /** Bits in use. */
  readonly busy: readonly number[];
  /** Bits that were given back and not yet cleared in the map. */
  readonly cleared: number;
  readonly bitsPerWord: number;
  readonly words: number;
  /** Where each CPU looks first. */
  readonly hints: readonly number[] | null;
  readonly wakeBatch: number;
  readonly wakeIndex: number;
  readonly waitersActive: number | null;
  /** Wait queues: how many completions each still waits for (before 6.1), and whether somebody is on it. */
  readonly waits: readonly { readonly count: number | null; readonly active: boolean }[];
  readonly roundRobin: boolean | null;
  readonly minShallowDepth: number | null;
  /** The map's bytes, hexadecimal. */
  readonly bitmap: string;
  /** With `-s`: the structs that belong to the bits in use. */
  readonly entries: readonly {
    readonly bit: number;
    readonly address: VirtAddr;
    /** With `-v`, or where members were asked for. */
    readonly value: StructValue | null;
  }[];
  readonly showEntries: boolean;
}

/** Wait queues of a sbitmap_queue (SBQ_WAIT_QUEUES). */
const waitQueues = 8;

const params = {
  structure: valued('s', 'struct[.member,...]', values.type, 'the structs of the bits in use, of the array at -a'),
  array: valued('a', 'address', values.address, 'with -s: where the array of structs starts'),
  pointers: flag('p', 'with -s: the array is one of pointers to structs'),
  verbose: flag('v', 'with -s: show the structs'),
  ...radixParams,
  address: required('address', values.place, 'a struct sbitmap_queue'),
};

export const sbitmapq = defineCommand({
  name: 'sbitmapq',
  help: {
    summary: 'a sbitmap_queue: bits in use, and who waits for one',
    description: `Shows a sbitmap_queue, with its bitmap as bytes. The block layer gives out tags by it, SCSI targets commands. With
-s and -a, the structs of an array whose bits are in use.`,
    examples: [
      ['sbitmapq ffff8e99d0dc8010', 'how many tags are taken?'],
      ['sbitmapq -s iscsi_cmd -a ffffc0000671c000 ffff8e99d0dc8010', 'the commands that are in use'],
    ],
  },
  params,
  collect: collectQueue,
  render: (data, { options, radix }) =>
    data.showEntries
      ? data.entries.map((entry) => entryText(entry, options.hex ? 16 : options.decimal ? 10 : radix)).join('')
      : queueText(data),
});

function collectQueue(context: CommandContext, options: Options<typeof params>): SbitmapQueueData {
  const { kernel } = context;
  if ((options.structure === null) !== (options.array === null)) throw new UsageError('-s and -a belong together');
  const address = values.address.parse(options.address, context);
  if (!kernel.arch.isKernelAddress(address)) throw new UsageError(`invalid kernel virtual address: ${hex(address)}`);
  const queue = kernel.object('struct sbitmap_queue', address);
  const map = queue.member('sb');
  const bits = readSbitmap(map);
  const busy = [...setBits(bits)];
  const optional = (...names: string[]): number | null => {
    for (const name of names) {
      const found = queue.optional(name);
      if (found !== null) return found.number();
    }
    return null;
  };
  return {
    address,
    depth: bits.depth,
    busy,
    cleared: bits.words.reduce((sum, { word, cleared }) => sum + countBits(word & cleared), 0),
    bitsPerWord: bits.bitsPerWord,
    words: bits.words.length,
    // it moved into the sbitmap with c548e62bcf6a (5.13), as did round_robin with efe1f3a1d583
    hints: kernel.faults.attempt(
      'hints of a sbitmap',
      () => {
        const hint = (map.optional('alloc_hint') ?? queue.optional('alloc_hint'))?.pointer() ?? 0n;
        return hint === 0n
          ? null
          : kernel.cpus.possible.map((cpu) => kernel.space.u32(offsetBy(hint as VirtAddr, kernel.perCpuOffset(cpu))));
      },
      null,
    ),
    wakeBatch: queue.member('wake_batch').number(),
    wakeIndex: queue.member('wake_index.counter').number(),
    waitersActive: optional('ws_active.counter'),
    waits: kernel.faults.attempt('wait queues of a sbitmap', () => readWaits(kernel, queue.member('ws').pointer()), []),
    roundRobin: (map.optional('round_robin') ?? queue.optional('round_robin'))?.bool() ?? null,
    minShallowDepth: optional('min_shallow_depth'),
    bitmap: bitmapBytes(bits),
    entries: options.structure === null ? [] : entries(context, options, busy),
    showEntries: options.structure !== null,
  };
}

function readWaits(kernel: Kernel, address: VirtAddr): { count: number | null; active: boolean }[] {
  const type = kernel.type('struct sbq_wait_state');
  return Array.from({ length: waitQueues }, (_, i) => {
    const state = kernel.object(type, offsetBy(address, i * sizeOf(type)));
    const head = state.member('wait').memberAmong('head', 'task_list');
    return {
      count: state.optional('wait_cnt.counter')?.number() ?? null,
      active: head.member('next').pointer() !== head.address,
    };
  });
}

function entries(
  context: CommandContext,
  options: Options<typeof params>,
  busy: readonly number[],
): SbitmapQueueData['entries'] {
  const { kernel } = context;
  const spec = structSpec(context, options.structure!, 'any');
  const size = sizeOf(spec.type);
  const reading = valueReading(context);
  return busy.map((bit) => {
    const address = options.pointers
      ? kernel.space.pointer(offsetBy(options.array!, bit * 8))
      : offsetBy(options.array!, bit * size);
    const shown = options.verbose || spec.members.length > 0;
    return {
      bit,
      address,
      value: shown
        ? kernel.faults.attempt(
            `struct of bit ${bit}`,
            () => structValue(kernel.object(spec.type, address), spec, 'values', reading),
            null,
          )
        : null,
    };
  });
}

function countBits(word: bigint): number {
  let count = 0;
  for (let rest = word; rest !== 0n; rest &= rest - 1n) count++;
  return count;
}

/** The bits of all words one after another, without those that are given back. */
function bitmapBytes({ depth, bitsPerWord, words }: Sbitmap): string {
  const bytes = Buffer.alloc(Math.ceil(depth / 8));
  for (const [i, { word, cleared }] of words.entries()) {
    const used = word & ~cleared;
    for (let bit = 0; bit < bitsPerWord; bit++) {
      const at = i * bitsPerWord + bit;
      if (at < depth && ((used >> BigInt(bit)) & 1n) === 1n) bytes[at >> 3]! |= 1 << (at & 7);
    }
  }
  return bytes.toString('hex');
}

function queueText(data: SbitmapQueueData): string {
  const lines = [
    `depth = ${data.depth}`,
    `busy = ${data.busy.length}`,
    `cleared = ${data.cleared}`,
    `bits_per_word = ${data.bitsPerWord}`,
    `map_nr = ${data.words}`,
    ...(data.hints === null ? [] : [`alloc_hint = {${data.hints.join(', ')}}`]),
    `wake_batch = ${data.wakeBatch}`,
    `wake_index = ${data.wakeIndex}`,
    ...(data.waitersActive === null ? [] : [`ws_active = ${data.waitersActive}`]),
    'ws = {',
    ...data.waits.map(
      ({ count, active }) =>
        `        { ${count === null ? '' : `.wait_cnt = ${count}, `}.wait = ${active ? 'active' : 'inactive'} },`,
    ),
    '}',
    ...(data.roundRobin === null ? [] : [`round_robin = ${data.roundRobin ? 1 : 0}`]),
    ...(data.minShallowDepth === null ? [] : [`min_shallow_depth = ${data.minShallowDepth}`]),
    '',
  ];
  for (let at = 0; at < data.bitmap.length; at += 32) {
    const row = data.bitmap.slice(at, at + 32).replace(/....(?=.)/g, '$& ');
    lines.push(`${(at / 2).toString(16).padStart(8, '0')}: ${row}`);
  }
  return `${lines.join('\n')}\n`;
}

function entryText({ bit, address, value }: SbitmapQueueData['entries'][number], radix: 10 | 16): string {
  const line = `${bit}: ${escapeTerminal(hex(address))}\n`;
  return value === null ? line : `${line}${structText(value, radix)}`;
}
