// The arguments that the functions of a frame were called with, worked out of their code (src/origin): no debug
// information in files is needed. Where there is some and it knows more, it is asked.
import { MemoryFault } from '../../../base/errors.ts';
import { escapeLine, escapeTerminal } from '../../../base/text.ts';
import { typeText } from '../../../debuginfo/c_declaration.ts';
import { type CValue, readValue } from '../../../debuginfo/c_value.ts';
import { type ValueData, valueData } from '../../../debuginfo/c_value_data.ts';
import { printText } from '../../../debuginfo/c_value_text.ts';
import type { FrameState } from '../../../debuginfo/debug_info.ts';
import { localValue } from '../../../debuginfo/local_value.ts';
import { KernelObject } from '../../../debuginfo/object.ts';
import { strip, type Type } from '../../../debuginfo/type.ts';
import type { Frame } from '../../../kernel/backtrace.ts';
import { codeInfoAt, frameCode } from '../../../kernel/source_line.ts';
import { argumentsOf, howKnown } from '../../../origin/arguments.ts';
import type { FrameValues } from '../../../origin/frame_values.ts';
import type { CommandContext } from '../../context.ts';
import { drawing } from '../../types/struct_value.ts';
import { valueReading } from '../../types/value_reading.ts';

/** A function with what it was called with. */
export interface CallData {
  readonly function: string;
  /** Null where its prototype is not known. */
  readonly arguments: readonly ArgumentData[] | null;
}

export interface ArgumentData {
  readonly name: string;
  /** Its C type. */
  readonly type: string;
  /** Null where it cannot be told. */
  readonly value: ValueData;
  /**
   * - `proved`: what the dump has of registers and stack says so
   * - `likely`: memory that it was loaded from may have changed, or the call is believed to be the one it seems
   * - `now`: what debug information says that the parameter is now: the function may have changed it
   */
  readonly sure: 'proved' | 'likely' | 'now' | null;
  /** What has it: `rbx`, `stack`, `vfs_write: r12` of a caller; null where nothing does. */
  readonly from: string | null;
  /** What shows it; null where it is in a register, which `bt` shows, or nowhere. */
  readonly command: string | null;
  readonly [drawing]: { readonly type: Type; readonly value: CValue } | null;
}

/**
 * The arguments of the function of a frame.
 * @param values what is known of the frame; null for nothing
 * @param state for what debug information knows of its parameters
 */
export function callData(
  context: CommandContext,
  frame: Frame,
  values: FrameValues | null,
  state: FrameState | null,
): CallData | null {
  const { kernel } = context;
  if (frame.place === null || frame.kind === 'entry') return null;
  const name = frame.place.symbol.name.replace(coldName, '');
  const prototype = kernel.functionType(name);
  if (prototype === null) return { function: name, arguments: null };
  const known = values === null ? null : argumentsOf(values, prototype);
  return {
    function: name,
    arguments: prototype.parameters.map(({ name: parameter, type }, i): ArgumentData => {
      const told = known?.[i]?.known ?? null;
      const label = { name: parameter === '' ? `argument ${i + 1}` : parameter, type: typeText(type) };
      if (told?.sure !== 'proved') {
        const local = state === null ? null : parameterNow(context, frame, parameter, state);
        if (local !== null)
          return { ...label, ...readAs(context, local), sure: 'now', from: 'debug information', command: null };
      }
      if (told === null || values === null)
        return { ...label, value: null, sure: null, from: null, command: null, [drawing]: null };
      const { words, command } = howKnown(values, told.holder);
      const object = isScalar(type) ? KernelObject.value(kernel, type, told.value) : null;
      const bits = object ?? KernelObject.value(kernel, word, told.value);
      return { ...label, ...readAs(context, bits), sure: told.sure, from: words, command };
    }),
  };
}

/** The part of a function that GCC moved out of the way. */
const coldName = /\.cold(?:\.\d+)?$/;

/** What a small struct is shown as. */
const word: Type = { kind: 'int', name: 'unsigned long', size: 8, signed: false, encoding: 'integer' };

function isScalar(type: Type): boolean {
  return ['int', 'pointer', 'enum'].includes(strip(type).kind);
}

function readAs(context: CommandContext, object: KernelObject): Pick<ArgumentData, 'value' | typeof drawing> {
  try {
    // what an argument points to may well not be there (user memory): it is told with the value
    const value = readValue(object, { ...valueReading(context), onFault: () => {} });
    return { value: valueData(value), [drawing]: { type: object.type, value } };
  } catch (error) {
    if (error instanceof MemoryFault) return { value: null, [drawing]: null };
    throw error;
  }
}

/** A parameter of the frame's own function, as debug information has it; null where that does not know its value. */
function parameterNow(context: CommandContext, frame: Frame, name: string, state: FrameState): KernelObject | null {
  const at = frameCode(frame);
  const code = codeInfoAt(context.kernel, at);
  if (code === null || name === '') return null;
  const own = code.inlines(at).length;
  const local = code.locals(at).find((one) => one.kind === 'parameter' && one.inline === own && one.name === name);
  const found = local === undefined ? null : localValue(local, state, context.kernel);
  return found === null || 'reason' in found ? null : found.object;
}

/** Lines below a frame. @param own the frame's own function, which needs no name */
export function callLines(calls: readonly CallData[], own: string | null, radix: 10 | 16): string[] {
  const lines: string[] = [];
  for (const { function: name, arguments: all } of calls) {
    const isOwn = own?.replace(coldName, '') === name;
    if (all === null) lines.push(`    ${isOwn ? '' : `${escapeLine(name)}: `}(its prototype is not known)`);
    else if (all.length > 0 && !isOwn) lines.push(`    ${escapeLine(name)}`);
    for (const argument of all ?? []) lines.push(argumentText(argument, radix));
  }
  return lines;
}

function argumentText({ name, type, sure, from, [drawing]: drawn }: ArgumentData, radix: 10 | 16): string {
  const label = `        ${escapeLine(name)} = `;
  if (drawn === null || sure === null) return `${label}? (${escapeLine(type)})`;
  const value = escapeTerminal(printText(drawn.type, drawn.value, { radix }).replaceAll('\n', '\n        '));
  return `${label}${value}  [${sure}: ${escapeLine(from ?? '')}]`;
}
