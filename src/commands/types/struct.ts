// struct, union, *: definitions of types, and memory as objects of them.
import type { AddressSpace } from '../../arch/address_space.ts';
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import { MemoryFault, UsageError } from '../../base/errors.ts';
import { escapeTerminal, hex } from '../../base/text.ts';
import { definition } from '../../debuginfo/c_declaration.ts';
import { KernelObject } from '../../debuginfo/object.ts';
import { sizeOf, type Type } from '../../debuginfo/type.ts';
import { fileSpace } from '../../kernel/file_space.ts';
import { userMemory } from '../../kernel/mm_types.ts';
import { isPerCpuSymbol } from '../../kernel/percpu_symbols.ts';
import { addressArgument, cpusOf, elementAddress, splitCpuSpec } from '../address.ts';
import { type Answer, type CommandHelp, defineStream, noItems } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { parseHex } from '../context.ts';
import { readWords, type WordRow, wordRowsText } from '../memory/memory_words.ts';
import { flag, type Options, optional, radixOf, radixParamsOrH, required, valued, values } from '../params.ts';
import { startAddress } from './expression.ts';
import { offsetArgument, type StructKind, type StructSpec, structSpec } from './struct_spec.ts';
import {
  definitionText,
  drawing,
  type MemberData,
  membersData,
  type StructShow,
  type StructValue,
  structText,
  structValue,
  typeTitle,
} from './struct_value.ts';
import { objectsIn, valueReading } from './value_reading.ts';

/** Memory as words: `-r`. */
export interface RawObject {
  readonly type: string;
  readonly address: bigint;
  readonly rows: readonly WordRow[];
}

export type StructHead =
  | {
      readonly kind: 'definition';
      readonly type: string;
      /** Bytes. */
      readonly size: number;
      readonly members: readonly MemberData[];
      readonly [drawing]: DefinitionDrawing;
    }
  | { readonly kind: 'objects' };

/** The types of a definition, which its text is made from. */
type DefinitionDrawing =
  | { readonly spec: StructSpec; readonly offsets: boolean; readonly radix: 10 | 16 }
  | { readonly other: Type };

/** One object. */
export interface StructItem {
  /** CPU whose copy this is; null where no CPUs were asked for. */
  readonly cpu: number | null;
  /** Where the objects of this CPU, or all, begin. */
  readonly start: VirtAddr;
  /** Its number among those, from 0. */
  readonly index: number;
  readonly object: StructValue | RawObject;
}

const description = `Without an address: the definition of the type and its size or, with members, their offsets and types.
With an address: the object there. A member may be a path: se.vruntime, pid_links[1].next.

An address is a symbol, hexadecimal digits, or a sum; with :CPUS, each CPU's copy of a per-CPU variable or of what a
per-CPU pointer points to: runqueues:1, runqueues:a, 60fdb48026c8:0-3. A count behind it shows that many objects of an
array.`;

const params = {
  offsets: flag('o', 'offsets in definitions; with an address, the address of each member'),
  targets: flag('p', 'pointer members with their type and what they point to'),
  raw: flag('r', "the object's memory as words"),
  user: flag('u', "the address is in the current task's user memory; taken as such anyway below the kernel's half"),
  file: flag('f', 'the address is an offset in the dump file'),
  ...radixParamsOrH,
  verbose: flag('v', ''),
  count: valued(
    'c',
    'count',
    values.signedCount,
    'that many objects of an array; a negative count: as many, ending with the one at the address',
  ),
  back: valued(
    'l',
    'offset',
    values.member,
    'the address is that of a member at this offset (bytes, or struct.member)',
  ),
  what: required('name[.member[,member]...]', values.type),
  where: optional('address[:cpus]', values.place),
  number: optional('count', values.count),
};

type StructOptions = Options<typeof params>;

function structCommand(name: string, kind: StructKind, summary: string, examples: CommandHelp['examples']) {
  return defineStream({
    name,
    help: {
      summary,
      usage: ['name[.member[,member]...] [-oprufxd] [-l offset] [address[:cpus] [count|-c count]]'],
      description,
      examples,
    },
    params,
    items: 'objects',
    collect: (context, options) => collectStruct(context, options, kind),
    text: {
      head: (head) => (head.kind === 'definition' ? definitionOf(head[drawing]) : ''),
      item({ cpu, start, index, object }, view) {
        const header = cpu === null || index > 0 ? '' : `[${cpu}]: ${hex(start)}\n`;
        return `${header}${index > 0 ? '\n' : ''}${renderObject(object, radixOf(view, view.options))}`;
      },
    },
  });
}

export const struct = structCommand('struct', 'struct', 'definition of a struct, or memory as objects of it', [
  ['struct list_head', 'its definition and size'],
  ['struct task_struct.pid,comm init_task', 'two members of an object'],
  ['struct rq.nr_running,curr runqueues:a', "each CPU's runqueue"],
  ['struct -o task_struct.tasks', 'the offset of a member'],
]);

export const union = structCommand('union', 'union', 'definition of a union, or memory as objects of it', [
  ['union thread_union', 'its definition and size'],
]);

export const pointerTo = structCommand(
  '*',
  'any',
  'definition of a struct, union or typedef, or memory as objects of it',
  [
    ['* list_head', 'its definition and size'],
    ['* task_struct.comm init_task', 'a member of an object'],
  ],
);

function collectStruct(
  context: CommandContext,
  options: StructOptions,
  kind: StructKind,
): Answer<StructHead, StructItem, null> {
  const { what, where } = options;
  const radix = radixOf(context, options);
  if (where === null) {
    const other = kind === 'any' ? otherDefinition(context, what) : null;
    if (other !== null) return { head: other, items: noItems(null) };
    const spec = structSpec(context, what, kind);
    const head: StructHead = {
      kind: 'definition',
      type: typeTitle(spec),
      size: sizeOf(spec.type),
      members: membersData(spec),
      [drawing]: { spec, offsets: options.offsets, radix },
    };
    return { head, items: noItems(null) };
  }
  const spec = structSpec(context, what, kind);
  const total = options.count ?? options.number ?? 1;
  const back = options.back === null ? 0 : offsetArgument(context, options.back);
  const show = options.offsets ? 'addresses' : options.targets ? 'targets' : 'values';
  const places = startAddresses(context, options, where);
  function* objects(): Generator<StructItem, null> {
    for (const { cpu, address } of places) {
      const start = offsetBy(address, -back);
      let index = 0;
      for (const object of objectsAt(context, options, spec, start, total, show)) {
        yield { cpu, start, index: index++, object };
      }
    }
    return null;
  }
  return { head: { kind: 'objects' }, items: objects() };
}

function startAddresses(
  context: CommandContext,
  options: StructOptions,
  where: string,
): { cpu: number | null; address: VirtAddr }[] {
  const { kernel } = context;
  const { base, cpus } = splitCpuSpec(where);
  const symbol = kernel.symbols.find(base);
  if (cpus === null) {
    if (symbol !== null && isPerCpuSymbol(kernel, symbol)) {
      const name = escapeTerminal(base);
      throw new UsageError(`${name} is a per-CPU variable: say which CPUs, as in ${name}:0 or ${name}:a`);
    }
    const literal = options.file ? parseHex(where) : null;
    return [{ cpu: null, address: literal ?? startAddress(context, where) }];
  }
  if (symbol !== null && !isPerCpuSymbol(kernel, symbol)) {
    throw new UsageError(`${escapeTerminal(base)} is not a per-CPU variable`);
  }
  const address = addressArgument(context, base);
  return cpusOf(context, cpus).map((cpu) => ({ cpu, address: offsetBy(address, kernel.perCpuOffset(cpu)) }));
}

function* objectsAt(
  context: CommandContext,
  options: StructOptions,
  spec: StructSpec,
  address: VirtAddr,
  total: number,
  show: StructShow,
): Generator<StructValue | RawObject> {
  const size = sizeOf(spec.type);
  const space = chooseSpace(context, options, address);
  const objects = objectsIn(context, space);
  const reading = valueReading(context);
  const first = total < 0 ? total + 1 : 0;
  for (let i = 0; i < Math.abs(total); i++) {
    context.kernel.work.charge('nodes', 1);
    const at = elementAddress(address, first + i, size);
    try {
      if (options.raw) yield rawObject(context, space, spec, at);
      else yield structValue(KernelObject.at(objects, spec.type, at), spec, show, reading);
    } catch (error) {
      // the first that cannot be read at all is the command's error; of more, the rest is shown
      if (!(error instanceof MemoryFault) || i === 0) throw error;
      // (values have recorded it)
      if (options.raw) context.kernel.faults.record(typeTitle(spec), error);
      break;
    }
  }
}

function chooseSpace(context: CommandContext, options: StructOptions, address: VirtAddr): AddressSpace {
  const { kernel } = context;
  if (options.file) return fileSpace(kernel.dump);
  if (options.user || !kernel.arch.isKernelAddress(address)) return userMemory(kernel, context.task);
  return kernel.space;
}

/** The memory of an object, or of its one member asked for, as words. */
function rawObject(context: CommandContext, space: AddressSpace, spec: StructSpec, address: VirtAddr): RawObject {
  const [path] = spec.members;
  const object = KernelObject.at(objectsIn(context, space), spec.type, address);
  const part = path === undefined ? object : object.member(path);
  const size = Math.max(1, part.size);
  const unit = size % 8 === 0 ? 64 : size % 4 === 0 ? 32 : size % 2 === 0 ? 16 : 8;
  const { rows, fault } = readWords(space, part.address, Math.floor((size * 8) / unit), unit);
  if (fault !== null) context.kernel.faults.record(typeTitle(spec), fault);
  return { type: typeTitle(spec), address: part.address, rows };
}

/** The definition of a typedef or enum, which only `*` gives. */
function otherDefinition(context: CommandContext, what: string): StructHead | null {
  const { types } = context.kernel;
  if (types.find(`struct ${what}`) !== null || types.find(`union ${what}`) !== null) return null;
  const type = types.find(what) ?? types.find(`enum ${what}`);
  if (type === null || (type.kind !== 'typedef' && type.kind !== 'enum')) return null;
  return {
    kind: 'definition',
    type: type.kind === 'enum' ? `enum ${type.name}` : type.name,
    size: sizeOf(type),
    members: [],
    [drawing]: { other: type },
  };
}

function definitionOf(drawn: DefinitionDrawing): string {
  if ('other' in drawn) return escapeTerminal(`${definition(drawn.other)}\n`);
  const { spec, offsets, radix } = drawn;
  return escapeTerminal(definitionText(spec, offsets ? { radix } : null, radix));
}

function renderObject(object: StructValue | RawObject, radix: 10 | 16): string {
  if (!('rows' in object)) return structText(object, radix);
  const last = object.rows[0];
  const size = last === undefined ? 64 : (((last.ascii.length / last.words.length) * 8) as 8 | 16 | 32 | 64);
  return wordRowsText(object.rows, { size, show: 'hex', ascii: true });
}
