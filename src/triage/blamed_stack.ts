// The stack that the verdict is about, as short as it can be told: who, and the names of its functions.
import { sourceName } from '../debuginfo/source_name.ts';
import { frameName } from '../kernel/backtrace.ts';
import { functionName } from '../oops/frames.ts';
import type { ReportKind } from '../oops/kinds.ts';
import { isMachinery } from '../oops/machinery.ts';
import type { BlamedStack } from './analysis.ts';
import type { Facts } from './facts.ts';
import { framePlace } from './place.ts';
import type { Case } from './scene.ts';
import { framesToBlame, stuckCpu } from './subject.ts';
import { label } from './words.ts';

/** Most frames of it that are kept: a stack that overflowed has hundreds. */
const maxFrames = 400;

export function blamedStack(facts: Facts, { kind, subject }: Case): BlamedStack {
  const { isUserMode } = facts.kernel.arch.registers;
  const frames = framesToBlame(facts, kind, subject);
  // where it came from user space, it ends
  const end = frames.findIndex(
    (frame) => frame.kind === 'entry' && frame.registers !== null && isUserMode(frame.registers),
  );
  const cpu = stuckCpu(facts, kind, subject);
  const named = frames
    .slice(0, Math.min(maxFrames, end < 0 ? frames.length : end))
    .filter((frame) => frame.reliable && frameName(frame) !== '')
    .map((frame) => {
      const name = frameName(frame);
      return {
        ...framePlace(facts, frame),
        name: sourceName(name),
        machinery: isMachinery(functionName(name), frame.place?.symbol.module ?? null, kind),
      };
    });
  return {
    of: subject !== null ? label(subject) : cpu === null ? null : `CPU ${cpu}`,
    frames: named.length > 0 ? named : framesOfLog(facts, kind),
  };
}

/** What the log shows of that stack: where the dump's symbols or stacks are gone, its names are still there. */
function framesOfLog({ death }: Facts, kind: ReportKind): BlamedStack['frames'] {
  const traces = death?.traces ?? [];
  const main = traces.filter(({ purpose }) => purpose === 'main');
  return (main.length > 0 ? main : traces.filter(({ purpose }) => purpose === 'panic'))
    .flatMap(({ frames }) => frames)
    .slice(0, maxFrames)
    .flatMap(({ symbol, offset, module, reliable }) =>
      symbol === null || !reliable
        ? []
        : [
            {
              address: null,
              symbol,
              offset,
              module,
              name: sourceName(symbol),
              machinery: isMachinery(functionName(symbol), module, kind),
            },
          ],
    );
}
