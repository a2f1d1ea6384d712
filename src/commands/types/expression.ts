// C expressions as users write them: `init_task.tasks`, `((struct task_struct *)0xff...)->mm`.
import type { VirtAddr } from '../../base/address.ts';
import { NotFoundError, UsageError } from '../../base/errors.ts';
import { escapeTerminal } from '../../base/text.ts';
import { type ExpressionEnvironment, evaluate } from '../../debuginfo/c_expression.ts';
import { KernelObject, type ObjectContext } from '../../debuginfo/object.ts';
import { strip, type Type } from '../../debuginfo/type.ts';
import { addressArgument } from '../address.ts';
import { type CommandContext, parseHex } from '../context.ts';
import { keptValue } from './value_history.ts';

/**
 * Evaluates an expression over the kernel's variables and types.
 * @param objects where pointers lead to: the kernel's memory, or a process's
 * @throws UsageError for what is no expression; NotFoundError for an unknown name; MemoryFault
 */
export function evaluateText(
  context: CommandContext,
  text: string,
  objects: ObjectContext = context.kernel,
): KernelObject {
  const environment: ExpressionEnvironment = {
    context: objects,
    symbol: (name) => namedObject(context, name, objects) ?? keptValue(context, name),
    macro: (name) => context.kernel.macro(name),
  };
  return evaluate(text, environment);
}

/** A variable or function; of one whose type nobody knows, a place of type void, of which `&` is the address. */
function namedObject(context: CommandContext, name: string, objects: ObjectContext): KernelObject | null {
  const { kernel } = context;
  const symbol = kernel.symbols.find(name);
  if (symbol === null) return null;
  return KernelObject.at(objects, symbolType(context, name) ?? { kind: 'void' }, symbol.address);
}

/** C type of a variable or function, or null. */
export function symbolType(context: CommandContext, name: string): Type | null {
  const { kernel } = context;
  return kernel.variableType(name) ?? kernel.functionType(name);
}

/** An expression as an address: the value of a pointer or number, the place of a struct or array. */
function evaluateAddress(context: CommandContext, text: string): VirtAddr {
  const object = evaluateText(context, text);
  const { kind } = strip(object.type);
  if (kind === 'void' || kind === 'float' || kind === 'incomplete') {
    throw new UsageError(`invalid argument: ${escapeTerminal(text)}`);
  }
  return object.pointer();
}

/** A start as users write it: an address, a symbol, a sum, or an expression. @throws NotFoundError, UsageError */
export function startAddress(context: CommandContext, word: string): VirtAddr {
  if (parseHex(word) !== null || context.kernel.symbols.find(word) !== null) return addressArgument(context, word);
  try {
    return addressArgument(context, word);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    return evaluateAddress(context, word);
  }
}
