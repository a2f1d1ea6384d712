// Where code of the dead kernel comes from in the source, by whatever debug information knows it.
import type { Frame } from '../arch/unwinder.ts';
import { offsetBy, type VirtAddr } from '../base/address.ts';
import type { CodeInfo, InlinedFunction, LineTaken, SourceLine } from '../debuginfo/debug_info.ts';
import type { Kernel } from './kernel.ts';

/** What is known of the code at an address; null where no debug information covers it. */
export function codeInfoAt(kernel: Kernel, at: VirtAddr): CodeInfo | null {
  const place = kernel.place(at);
  if (place === null) return null;
  const { module: name } = place.symbol;
  const module = name === null ? null : (kernel.modules.find((one) => one.name === name) ?? null);
  if (name !== null && module === null) return null;
  return kernel.debugInfo(module).find(({ code }) => code !== null)?.code ?? null;
}

/** The line that the instruction at an address comes from; null where that is not told. */
export function sourceLine(kernel: Kernel, at: VirtAddr, taken: LineTaken = 'last'): SourceLine | null {
  return codeInfoAt(kernel, at)?.line(at, taken) ?? null;
}

/** True if debug information of the kernel itself has lines: else nobody need look for any. */
export function hasLines(kernel: Kernel): boolean {
  return kernel.debugInfo(null).some(({ code }) => code !== null);
}

/** An address of the instruction that a frame is in: where a call returns to may belong to the next line, or function. */
export function frameCode(frame: Pick<Frame, 'kind' | 'address'>): VirtAddr {
  return frame.kind === 'call' ? offsetBy(frame.address, -1) : frame.address;
}

/** A function at a frame, inlined ones first, with the line that it is at. */
export interface FrameFunction {
  readonly inlined: InlinedFunction | null;
  readonly line: SourceLine | null;
}

/** The functions inlined at a frame, innermost first, and last the frame's own; none where nothing is known of its code. */
export function frameFunctions(kernel: Kernel, frame: Pick<Frame, 'kind' | 'address'>): readonly FrameFunction[] {
  const at = frameCode(frame);
  const code = codeInfoAt(kernel, at);
  if (code === null) return [];
  const functions: FrameFunction[] = [];
  let line = code.line(at);
  for (const inlined of code.inlines(at)) {
    functions.push({ inlined, line });
    line = inlined.calledAt;
  }
  functions.push({ inlined: null, line });
  return functions;
}
