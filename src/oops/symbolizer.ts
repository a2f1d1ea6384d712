// The seam between a report's frames and a dead kernel's symbols: where there is a dump (or debuginfo), the text is checked
// against it. This folder knows only the interface.
import type { Frame } from './frames.ts';
import type { Incident } from './incident.ts';

/** A symbol of the dump. Addresses are kernel virtual. */
export interface KnownSymbol {
  address: bigint;
  /** In bytes; undefined: not known. */
  size?: number;
  /**
   * Most bytes between the end of the function and the next one, where `size` is without them: what the kernel prints
   * is the way to the next symbol.
   */
  padding?: number;
}

export interface SourceLine {
  file: string;
  line: number;
  function?: string;
}

/** What a dump can say of its code. */
export interface Symbolizer {
  /** Every symbol of that name, in the module when one is named (static functions share names). */
  find(name: string, module: string | null): readonly KnownSymbol[];
  /** Whether the bytes before the address are a call instruction; undefined: cannot be read. */
  followsCall?(address: bigint): boolean | undefined;
  /** Innermost inlined function first. */
  source?(address: bigint): readonly SourceLine[];
}

export type FrameVerdict =
  /** the dump has such a function of that size */
  | 'fits'
  /** no symbol of that name: another kernel, or a module that is not loaded */
  | 'no-symbol'
  /** the function has another size: the text is of another build */
  | 'other-size'
  /** the offset lies beyond the function's end */
  | 'outside'
  /** no call stands before the return address: a stale or damaged frame */
  | 'no-call';

export interface FrameCheck {
  frame: Frame;
  verdict: FrameVerdict;
  /** Virtual address of the instruction, when the symbol was found. */
  address?: bigint;
  source: readonly SourceLine[];
}

/** Checks one frame. `exact`: the address is of an instruction that faulted, not a return address. */
export function checkFrame(frame: Frame, symbolizer: Symbolizer, exact: boolean): FrameCheck {
  const known = frame.symbol === null ? [] : symbolizer.find(frame.symbol, frame.module);
  if (known.length === 0 || frame.offset === null) return { frame, verdict: 'no-symbol', source: [] };
  const sameSize = known.find(({ size, padding = 0 }) => {
    if (size === undefined || frame.size === null) return true;
    return frame.size >= size && frame.size <= size + padding;
  });
  const symbol = sameSize ?? known[0]!;
  const address = symbol.address + BigInt(frame.offset);
  const source = symbolizer.source?.(exact ? address : address - 1n) ?? [];
  let verdict: FrameVerdict = 'fits';
  if (symbol.size !== undefined && frame.offset > symbol.size) verdict = 'outside';
  else if (sameSize === undefined) verdict = 'other-size';
  else if (!exact && frame.reliable && !frame.interrupted && symbolizer.followsCall?.(address) === false)
    verdict = 'no-call';
  return { frame, verdict, address, source };
}

/** Checks the instruction pointer and the reliable frames of every trace. */
export function checkIncident(incident: Incident, symbolizer: Symbolizer): FrameCheck[] {
  const checks: FrameCheck[] = [];
  const { instruction } = incident;
  if (instruction !== null && instruction.symbol !== null) checks.push(checkFrame(instruction, symbolizer, true));
  for (const trace of incident.traces) {
    for (const frame of trace.frames) {
      if (frame.reliable && frame.symbol !== null && !frame.inline)
        checks.push(checkFrame(frame, symbolizer, frame.interrupted));
    }
  }
  return checks;
}
