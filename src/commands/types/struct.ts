// struct, union, *: definitions of types, and memory as objects of them.
import type { AddressSpace } from '../../arch/address_space.ts';
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import { MemoryFault, UsageError } from '../../base/errors.ts';
import { escapeTerminal, hex } from '../../base/text.ts';
import { definition } from '../../debuginfo/c_declaration.ts';
import { KernelObject } from '../../debuginfo/object.ts';
import { sizeOf } from '../../debuginfo/type.ts';
import { fileSpace } from '../../kernel/file_space.ts';
import { userMemory } from '../../kernel/mm_types.ts';
import { isPerCpuSymbol } from '../../kernel/percpu_symbols.ts';
import { addressArgument, countArgument, cpusOf, elementAddress, splitCpuSpec } from '../address.ts';
import { type Command, type CommandHelp, defineCommand } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { parseHex } from '../context.ts';
import { readWords, type WordRow, wordRowsText } from '../memory/memory_words.ts';
import { type ParsedOptions, parseOptions } from '../options.ts';
import { offsetArgument, type StructKind, type StructSpec, structSpec } from './struct_spec.ts';
import {
  asText,
  definitionText,
  type MemberData,
  membersData,
  type StructStyle,
  type StructValue,
  structValue,
  typeTitle,
} from './struct_value.ts';
import { chosenRadix, objectsIn, valueStyle } from './value_style.ts';

/** Objects of one CPU, or all where no CPUs were asked for. */
interface ObjectGroup {
  readonly cpu: number | null;
  readonly address: VirtAddr;
  readonly objects: readonly (StructValue | RawObject)[];
}

interface RawObject {
  readonly type: string;
  readonly address: bigint;
  readonly rows: readonly WordRow[];
}

type StructData =
  | {
      readonly kind: 'definition';
      readonly type: string;
      /** Bytes. */
      readonly size: number;
      readonly members: readonly MemberData[];
      readonly [asText]: string;
    }
  | { readonly kind: 'objects'; readonly groups: readonly ObjectGroup[] };

/** Most objects of one command. */
const maxObjects = 100_000;

const description = `Without ADDRESS: the definition of the type and its size or, with members, their offsets and types.
With ADDRESS: the object there. A member may be a path: se.vruntime, pid_links[1].next.

  ADDRESS   a symbol, hexadecimal digits, or a sum; with :CPUS, each CPU's copy of a per-CPU variable or of
            what a per-CPU pointer points to: runqueues:1, runqueues:a, 60fdb48026c8:0-3
  COUNT     that many objects of an array; -c COUNT may be negative: as many, ending with the one at ADDRESS
  -o        offsets in definitions; with ADDRESS, the address of each member
  -l OFFSET ADDRESS is that of a member OFFSET bytes (or struct.member) inside the object
  -p        pointer members with their type and what they point to
  -r        the object's memory as words
  -u        ADDRESS is in the current task's user memory; taken as such anyway below the kernel's half
  -f        ADDRESS is an offset in the dump file
  -x, -d    values and offsets in hexadecimal or decimal`;

function help(summary: string, examples: CommandHelp['examples']): CommandHelp {
  return {
    summary,
    usage: ['NAME[.MEMBER[,MEMBER]...] [-oprufxd] [-l OFFSET] [ADDRESS[:CPUS] [COUNT|-c COUNT]]'],
    description,
    examples,
  };
}

function structCommand(name: string, kind: StructKind, about: CommandHelp): Command {
  return defineCommand<StructData>({
    name,
    help: about,
    collect: (context, args) => collectStruct(context, args, kind),
    render: renderStruct,
  });
}

export const struct = structCommand(
  'struct',
  'struct',
  help('definition of a struct, or memory as objects of it', [
    ['struct list_head', 'its definition and size'],
    ['struct task_struct.pid,comm init_task', 'two members of an object'],
    ['struct rq.nr_running,curr runqueues:a', "each CPU's runqueue"],
    ['struct -o task_struct.tasks', 'the offset of a member'],
  ]),
);

export const union = structCommand(
  'union',
  'union',
  help('definition of a union, or memory as objects of it', [['union thread_union', 'its definition and size']]),
);

export const pointerTo = structCommand(
  '*',
  'any',
  help('definition of a struct, union or typedef, or memory as objects of it', [
    ['* list_head', 'its definition and size'],
    ['* task_struct.comm init_task', 'a member of an object'],
  ]),
);

function collectStruct(context: CommandContext, args: readonly string[], kind: StructKind): StructData {
  const options = parseOptions(args, 'oprufxdc:l:');
  const [what, where, countWord, ...more] = options.args;
  if (what === undefined || more.length > 0) throw new UsageError('');
  const radix = chosenRadix(context, options);
  if (where === undefined) {
    const other = kind === 'any' ? otherDefinition(context, what) : null;
    if (other !== null) return other;
    const spec = structSpec(context, what, kind);
    const text = definitionText(spec, options.has('o') ? { radix } : null, radix);
    return {
      kind: 'definition',
      type: typeTitle(spec),
      size: sizeOf(spec.type),
      members: membersData(spec),
      [asText]: escapeTerminal(text),
    };
  }
  const spec = structSpec(context, what, kind);
  const count = options.value('c') ?? countWord;
  const total = count === undefined ? 1 : countArgument(count, { negative: options.value('c') !== null });
  if (Math.abs(total) > maxObjects) throw new UsageError(`invalid count request: ${count}`);
  const back = options.value('l') === null ? 0 : offsetArgument(context, options.value('l')!);
  const style: StructStyle = {
    ...valueStyle(context, radix),
    show: options.has('o') ? 'addresses' : options.has('p') ? 'targets' : 'values',
  };
  const groups = startAddresses(context, options, where).map(({ cpu, address }): ObjectGroup => {
    const start = offsetBy(address, -back);
    return { cpu, address: start, objects: objectsAt(context, options, spec, start, total, style) };
  });
  return { kind: 'objects', groups };
}

function startAddresses(
  context: CommandContext,
  options: ParsedOptions,
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
    const literal = options.has('f') ? parseHex(where) : null;
    return [{ cpu: null, address: literal ?? addressArgument(context, where) }];
  }
  if (symbol !== null && !isPerCpuSymbol(kernel, symbol)) {
    throw new UsageError(`${escapeTerminal(base)} is not a per-CPU variable`);
  }
  const address = addressArgument(context, base);
  return cpusOf(context, cpus).map((cpu) => ({ cpu, address: offsetBy(address, kernel.perCpuOffset(cpu)) }));
}

function objectsAt(
  context: CommandContext,
  options: ParsedOptions,
  spec: StructSpec,
  address: VirtAddr,
  total: number,
  style: StructStyle,
): (StructValue | RawObject)[] {
  const size = sizeOf(spec.type);
  const space = chooseSpace(context, options, address);
  const objects = objectsIn(context, space);
  const found: (StructValue | RawObject)[] = [];
  const first = total < 0 ? total + 1 : 0;
  for (let i = 0; i < Math.abs(total); i++) {
    const at = elementAddress(address, first + i, size);
    try {
      if (options.has('r')) found.push(rawObject(context, space, spec, at));
      else found.push(structValue(KernelObject.at(objects, spec.type, at), spec, style));
    } catch (error) {
      // the first that cannot be read at all is the command's error; of more, the rest is shown
      if (!(error instanceof MemoryFault) || i === 0) throw error;
      // (values have recorded it)
      if (options.has('r')) context.kernel.faults.record(typeTitle(spec), error);
      break;
    }
  }
  return found;
}

function chooseSpace(context: CommandContext, options: ParsedOptions, address: VirtAddr): AddressSpace {
  const { kernel } = context;
  if (options.has('f')) return fileSpace(kernel.dump);
  if (options.has('u') || !kernel.arch.isKernelAddress(address)) return userMemory(kernel, context.task);
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
function otherDefinition(context: CommandContext, what: string): StructData | null {
  const { types } = context.kernel;
  if (types.find(`struct ${what}`) !== null || types.find(`union ${what}`) !== null) return null;
  const type = types.find(what) ?? types.find(`enum ${what}`);
  if (type === null || (type.kind !== 'typedef' && type.kind !== 'enum')) return null;
  return {
    kind: 'definition',
    type: type.kind === 'enum' ? `enum ${type.name}` : type.name,
    size: sizeOf(type),
    members: [],
    [asText]: escapeTerminal(`${definition(type)}\n`),
  };
}

function renderStruct(data: StructData): string {
  if (data.kind === 'definition') return data[asText];
  return data.groups
    .map(({ cpu, address, objects }) => {
      const header = cpu === null ? '' : `[${cpu}]: ${hex(address)}\n`;
      return header + objects.map(renderObject).join('\n');
    })
    .join('');
}

function renderObject(object: StructValue | RawObject): string {
  if (!('rows' in object)) return object[asText];
  const last = object.rows[0];
  const size = last === undefined ? 64 : (((last.ascii.length / last.words.length) * 8) as 8 | 16 | 32 | 64);
  return wordRowsText(object.rows, { size, show: 'hex', ascii: true });
}
