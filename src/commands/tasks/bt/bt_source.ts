// What debug information in files adds to a frame: its line, the functions inlined there, and their variables.
import { MemoryFault } from '../../../base/errors.ts';
import { escapeLine, escapeTerminal } from '../../../base/text.ts';
import { typeText } from '../../../debuginfo/c_declaration.ts';
import { type CValue, readValue, type ValueReading } from '../../../debuginfo/c_value.ts';
import { type ValueData, valueData } from '../../../debuginfo/c_value_data.ts';
import { printText } from '../../../debuginfo/c_value_text.ts';
import type { FrameState, Local } from '../../../debuginfo/debug_info.ts';
import { localValue } from '../../../debuginfo/local_value.ts';
import type { KernelObject } from '../../../debuginfo/object.ts';
import type { Type } from '../../../debuginfo/type.ts';
import type { Frame } from '../../../kernel/backtrace.ts';
import { codeInfoAt, frameCode, frameFunctions } from '../../../kernel/source_line.ts';
import type { CommandContext } from '../../context.ts';
import { placeText, type SourcePlace, sourcePlace } from '../../source_place.ts';
import { drawing } from '../../types/struct_value.ts';
import { valueReading } from '../../types/value_reading.ts';

/** A function at a frame: one that was inlined there, or last the frame's own. */
export interface FunctionData {
  readonly name: string;
  readonly inlined: boolean;
  /** Where it is: of all but the innermost, the call. */
  readonly source: SourcePlace | null;
  /** Its parameters and variables; null unless asked for. */
  readonly locals: readonly LocalData[] | null;
}

export interface LocalData {
  readonly name: string;
  readonly kind: 'parameter' | 'variable';
  /** Its C type; null where that is not told. */
  readonly type: string | null;
  /** Null where there is none: see `missing`. */
  readonly value: ValueData;
  /** Why there is no value. */
  readonly missing: 'optimized out' | string | null;
  readonly [drawing]: { readonly type: Type; readonly value: CValue } | null;
}

/** The functions at a frame, innermost first. @param state of the frame, for its variables; null to do without */
export function functionsAt(context: CommandContext, frame: Frame, state: FrameState | null): FunctionData[] {
  const { kernel } = context;
  const at = frameCode(frame);
  const locals = state === null ? [] : (codeInfoAt(kernel, at)?.locals(at) ?? []);
  return frameFunctions(kernel, frame).map(({ inlined, line }, level) => ({
    name: inlined?.name ?? frame.place?.symbol.name ?? '',
    inlined: inlined !== null,
    source: sourcePlace(line),
    locals:
      state === null
        ? null
        : locals.filter(({ inline }) => inline === level).map((local) => localData(context, local, state)),
  }));
}

function localData(context: CommandContext, local: Local, state: FrameState): LocalData {
  const { name, kind, type } = local;
  const found = localValue(local, state, context.kernel);
  const shared = { name, kind, type: type === null ? null : typeText(type) };
  if ('reason' in found) {
    const missing = found.reason === 'optimized-out' ? 'optimized out' : found.detail;
    return { ...shared, value: null, missing, [drawing]: null };
  }
  // what a variable points to may well not be there (user memory): it is told with the value
  const value = readOr(found.object, { ...valueReading(context), onFault: () => {} });
  if (value === null) return { ...shared, value: null, missing: 'not readable', [drawing]: null };
  return { ...shared, value: valueData(value), missing: null, [drawing]: { type: found.object.type, value } };
}

/** Null where not a byte of it can be read. */
function readOr(object: KernelObject, reading: ValueReading): CValue | null {
  try {
    return readValue(object, reading);
  } catch (error) {
    if (error instanceof MemoryFault) return null;
    throw error;
  }
}

/** Lines below a frame. */
export function functionLines(functions: readonly FunctionData[], radix: 10 | 16): string[] {
  const lines: string[] = [];
  for (const { name, inlined, source, locals } of functions) {
    const place = source === null ? '' : ` at ${placeText(source)}`;
    lines.push(`    ${inlined ? '(inlined) ' : ''}${escapeLine(name)}${place}`);
    for (const local of locals ?? []) lines.push(localText(local, radix));
  }
  return lines;
}

function localText({ name, missing, [drawing]: drawn }: LocalData, radix: 10 | 16): string {
  const label = `        ${escapeLine(name)} = `;
  if (drawn === null) return `${label}<${escapeLine(missing ?? 'not known')}>`;
  return label + escapeTerminal(printText(drawn.type, drawn.value, { radix }).replaceAll('\n', '\n        '));
}
