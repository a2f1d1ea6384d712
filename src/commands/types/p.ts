// p: the value of an expression.
import { FormatError, NotFoundError, UsageError } from '../../base/errors.ts';
import { escapeTerminal, hex } from '../../base/text.ts';
import { declare, typeText } from '../../debuginfo/c_declaration.ts';
import { type CValue, readValue } from '../../debuginfo/c_value.ts';
import { type ValueData, valueData } from '../../debuginfo/c_value_data.ts';
import { printText, type ValueStyle } from '../../debuginfo/c_value_text.ts';
import { type NumberFormat, numberFormats } from '../../debuginfo/number_format.ts';
import { KernelObject } from '../../debuginfo/object.ts';
import { strip, type Type } from '../../debuginfo/type.ts';
import { userMemory } from '../../kernel/mm_types.ts';
import { isPerCpuSymbol } from '../../kernel/percpu_symbols.ts';
import { cpusOf, splitCpuSpec } from '../address.ts';
import { defineCommand } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { flag, type Options, radixOf, radixParamsOrH, text, valued } from '../params.ts';
import { evaluateText, symbolType } from './expression.ts';
import { drawing } from './struct_value.ts';
import { keepValue } from './value_history.ts';
import { objectsIn, valueReading } from './value_reading.ts';

export interface PrintedValue {
  /** CPU whose copy this is; null unless CPUs were asked for. */
  readonly cpu: number | null;
  /** Counts what a session printed, as gdb does: `$1`. */
  readonly number: number;
  readonly value: ValueData;
  /** What the text is made from besides. */
  readonly [drawing]: {
    readonly type: Type;
    readonly value: CValue;
    readonly leader: string;
    readonly style: ValueStyle;
  };
}

export type PrintData =
  | {
      readonly kind: 'values';
      readonly expression: string;
      readonly type: string;
      readonly values: readonly PrintedValue[];
    }
  | {
      readonly kind: 'per-cpu';
      readonly name: string;
      /** Its declaration; null where nobody knows its type. */
      readonly declaration: string | null;
      readonly copies: readonly { readonly cpu: number; readonly address: bigint }[];
    };

const params = {
  ...radixParamsOrH,
  format: valued(
    '-format',
    'letter',
    { kind: 'word', parse: formatOf },
    "as gdb's p/LETTER: x, d, u, o, t (binary), z, a, c, f or s (as without)",
  ),
  user: flag('u', "pointers lead into the current task's user memory"),
  expression: text('expression|symbol:cpus', 'symbol'),
};

export const p = defineCommand({
  name: 'p',
  help: {
    summary: 'the value of an expression',
    description: `Evaluates a C expression over the kernel's variables and types: operators, casts, sizeof, members, and
pointers followed. A per-CPU variable alone shows its type and where its copies are; with CPUS, their values.

Types of variables come from BTF, which on most kernels has the per-CPU ones alone, and from a table of
well-known ones. Of any other variable the address is known, and a cast gives it a type: *(int *)&NAME.

Values are numbered, and may be used again: $ is the last one, $$ the one before, $3 the third.`,
    examples: [
      ['p jiffies', 'a variable'],
      ['p init_task.tasks', 'a member'],
      ['p runqueues:1', "one CPU's copy"],
      ['p ((struct task_struct *)0xff1459ed011f0000)->comm', 'a member of what is at an address'],
      ['p sizeof(struct page)', 'a size'],
      ['p/t init_task.flags', 'in binary'],
      ['p $.pid', 'a member of what was printed last'],
    ],
  },
  params,
  collect: collectPrint,
  render: renderPrint,
});

function collectPrint(context: CommandContext, options: Options<typeof params>): PrintData {
  const { kernel } = context;
  const text = options.expression.join(' ');
  if (text === '' || /^-[A-Za-z]$/.test(text)) throw new UsageError('');
  const { format } = options;
  const style = { radix: radixOf(context, options), ...(format === null || format === 's' ? {} : { format }) };
  // gdb's print, unlike crash's own p, tells no names
  const leader = (name: string): string => (format === null ? `${name} = ` : '');

  const { base, cpus } = splitCpuSpec(text);
  const symbol = kernel.symbols.find(cpus === null ? text : base);
  if (symbol !== null && isPerCpuSymbol(kernel, symbol)) {
    const type = symbolType(context, symbol.name);
    if (cpus === null) {
      const copies = kernel.cpus.possible.map((cpu) => ({
        cpu,
        address: kernel.perCpuAddress(symbol.name, cpu) as bigint,
      }));
      return {
        kind: 'per-cpu',
        name: symbol.name,
        declaration: type === null ? null : escapeTerminal(declare(type, symbol.name)),
        copies,
      };
    }
    if (type === null) throw unknownType(symbol.name);
    const values = cpusOf(context, cpus).map((cpu) => {
      const object = kernel.object(type, kernel.perCpuAddress(symbol.name, cpu));
      return printed(context, object, leader(`per_cpu(${symbol.name}, ${cpu})`), style, cpu);
    });
    return { kind: 'values', expression: text, type: typeText(type), values };
  }
  if (symbol === null && cpus !== null && !text.includes('?')) throw new NotFoundError('symbol', escapeTerminal(base));
  if (symbol !== null && cpus !== null) {
    kernel.faults.record(base, new FormatError('CPU specification', `${base} is not a per-CPU variable: ignored`));
  }
  const expression = symbol === null ? text : symbol.name;
  const objects = options.user ? objectsIn(context, userMemory(kernel, context.task)) : kernel;
  const object = asDeclared(context, evaluateText(context, expression, objects), symbol?.name ?? null);
  if (strip(object.type).kind === 'void') throw unknownType(expression);
  const value = printed(context, object, symbol === null ? '' : leader(symbol.name), style, null);
  return { kind: 'values', expression: text, type: typeText(object.type), values: [value] };
}

/** @throws UsageError for a letter that is none of gdb's print */
function formatOf(word: string): NumberFormat | 's' {
  const letter = [...numberFormats, 's'].find((one) => one === word);
  if (letter === undefined)
    throw new UsageError(`${escapeTerminal(word)} is no format of p: x, d, u, o, t, z, a, c, f or s`);
  return letter as NumberFormat | 's';
}

function unknownType(expression: string): UsageError {
  const name = escapeTerminal(expression);
  return new UsageError(`the type of ${name} is not known: cast it, as in *(int *)&${name}`);
}

/** A char array declared without a length is shown as gdb shows it: where it is, and its text. */
function asDeclared(context: CommandContext, object: KernelObject, name: string | null): KernelObject {
  const type = strip(object.type);
  if (name === null || type.kind !== 'array' || !isChar(type.element)) return object;
  const declared = context.kernel.declaredType(name);
  return declared?.kind === 'array' && declared.length === 0
    ? KernelObject.at(object.context, declared, object.address)
    : object;
}

function isChar(type: Type): boolean {
  const t = strip(type);
  return t.kind === 'int' && t.encoding === 'char';
}

function printed(
  context: CommandContext,
  object: KernelObject,
  leader: string,
  style: ValueStyle,
  cpu: number | null,
): PrintedValue {
  const value = readValue(object, valueReading(context));
  return {
    cpu,
    number: keepValue(context, object),
    get value() {
      return valueData(value);
    },
    [drawing]: { type: object.type, value, leader, style },
  };
}

function printedText({ number, [drawing]: { type, value, leader, style } }: PrintedValue): string {
  const text = printText(type, value, style);
  // crash(8) puts what begins with a brace and goes on behind it on a line of its own
  const gap = leader !== '' && /^\{./.test(text) ? '\n ' : '';
  return escapeTerminal(`${leader}$${number} = ${gap}${text}\n`);
}

function renderPrint(data: PrintData): string {
  if (data.kind === 'values') return data.values.map(printedText).join('');
  const copies = data.copies.map(({ cpu, address }) => `  [${cpu}]: ${hex(address)}\n`).join('');
  return `PER-CPU DATA TYPE:\n  ${data.declaration ?? `(unknown type) ${escapeTerminal(data.name)}`};\nPER-CPU ADDRESSES:\n${copies}`;
}
