// What a function was called with, by its caller.
import { parameterOf } from './arguments.ts';
import type { FrameValues, Sureness } from './frame_values.ts';
import type { Value } from './value.ts';

/** A value that a function was entered with: `argument 2 (link) of stray_pass()`. */
export function parameterWords(frame: FrameValues, value: Value): string {
  const prototype = frame.kernel.functionType(frame.name);
  const parameter = prototype === null ? null : parameterOf(frame, prototype, value);
  const { arguments: registers } = frame.kernel.arch.registers;
  const index = parameter?.index ?? (value.kind === 'entry' ? registers.indexOf(value.register) : -1);
  const name = parameter === null || parameter.name === '' ? '' : ` (${parameter.name})`;
  if (index >= 0) return `argument ${index + 1}${name} of ${frame.name}()`;
  return value.kind === 'entry'
    ? `what ${value.register} held when ${frame.name}() was called`
    : `an argument of ${frame.name}() on the stack`;
}

/** What the caller had in a register or stack slot that its callee was entered with. */
export function passedBy(
  frame: FrameValues,
  value: Extract<Value, { kind: 'entry' | 'slot' }>,
): { caller: FrameValues; value: Value; sure: Sureness } | null {
  if (frame.caller === null) return null;
  const { frame: caller, sure } = frame.caller;
  let passed: Value;
  if (value.kind === 'entry') passed = caller.value(value.register);
  else {
    const { stack } = frame.kernel.arch.registers;
    const pointer = caller.where.flow.stackOffset(caller.value(stack.pointer));
    if (pointer === null || value.offset < stack.pushedByCall) return null;
    passed = caller.slot(pointer + value.offset - stack.pushedByCall);
  }
  return { caller, value: passed, sure };
}
