// A report's frames with what debug information says of them: file and line, and the functions that were inlined, as the
// kernel's scripts/decode_stacktrace.sh puts them in.
import { type Frame, makeFrame } from './frames.ts';
import type { Incident } from './incident.ts';
import { checkFrame, type Symbolizer } from './symbolizer.ts';

/** The incident with source lines in every frame that the symbolizer knows and the text does not tell of itself. */
export function decodeIncident(incident: Incident, symbolizer: Symbolizer): Incident {
  const { instruction, traces, guilty } = incident;
  const decoded = traces.map((trace) => ({
    ...trace,
    frames: trace.frames.flatMap((frame) => decodeFrame(frame, symbolizer, frame.interrupted)),
  }));
  return {
    ...incident,
    instruction: instruction === null ? null : (decodeFrame(instruction, symbolizer, true).at(-1) ?? instruction),
    guilty: guilty === null ? null : { ...guilty, source: guilty.source ?? sourceOfGuilty(incident, symbolizer) },
    traces: decoded,
  };
}

/** The frame, after the functions inlined into it, innermost first. */
function decodeFrame(frame: Frame, symbolizer: Symbolizer, exact: boolean): Frame[] {
  if (frame.source !== null || frame.inline || frame.symbol === null) return [frame];
  const { verdict, source } = checkFrame(frame, symbolizer, exact);
  const own = source.at(-1);
  // a function of another size is of another build: its lines would mislead
  if (verdict === 'other-size' || verdict === 'outside' || own === undefined) return [frame];
  const inlined = source.slice(0, -1).map((line) =>
    makeFrame({
      symbol: line.function ?? null,
      source: text(line),
      inline: true,
      reliable: frame.reliable,
      module: frame.module,
    }),
  );
  return [...inlined, { ...frame, source: text(own) }];
}

function sourceOfGuilty({ guilty, instruction }: Incident, symbolizer: Symbolizer): string | null {
  if (guilty === null || guilty.offset === null) return null;
  const isInstruction = instruction?.symbol === guilty.symbol && instruction.offset === guilty.offset;
  return decodeFrame(makeFrame(guilty), symbolizer, isInstruction).at(-1)?.source ?? null;
}

function text({ file, line }: { readonly file: string; readonly line: number }): string {
  return `${file}:${line}`;
}
