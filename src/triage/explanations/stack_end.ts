// Stacks that ended: overflow, and exceptions for which there was no stack left.
import { frameName } from '../../kernel/backtrace.ts';
import type { Finding } from '../analysis.ts';
import { evidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';
import { recursionIn, recursionWords } from '../recursion.ts';
import { said } from '../rules/said.ts';
import { phrases } from '../scene.ts';
import { ofKind } from './explanation.ts';

/** The largest kernel stack of any machine, in bytes. */
const maxStack = 256 * 1024;

export const stackOverflow = ofKind({
  name: 'stack-overflow',
  recognises: 'a kernel stack that was too small for what ran on it',
  kinds: ['stack-overflow'],
  sentence: (scene, about) => {
    const { who, onCpu, where } = phrases(scene, about);
    return `The kernel stack of ${who ?? 'a task'}${onCpu} overflowed${where}: ${depthWords(scene.facts)}.`;
  },
  findings: (scene) => depthFindings(scene.facts),
});

export const doubleFault = ofKind({
  name: 'double-fault',
  recognises: 'an exception that could not be delivered',
  kinds: ['double-fault'],
  sentence: (scene, about) => {
    const { where, runBy } = phrases(scene, about);
    const large = largestFrame(scene.facts);
    const why =
      large === null
        ? 'often a stack overflow or a broken stack pointer'
        : `the frame of ${large.name} alone takes ${large.size} bytes of the stack`;
    return `An exception could not be delivered (double fault)${where}${runBy}: ${why}.`;
  },
  findings: (scene) => depthFindings(scene.facts),
});

/** Bytes from which on one frame is said to be too large. */
const largeFrame = 4096;

/** The largest frame on the crashed stack, if it is a large one: from where it left off to where its caller's begins. */
function largestFrame({ crashTrace: { frames } }: Facts): { readonly name: string; readonly size: number } | null {
  let largest: { name: string; size: number } | null = null;
  for (const [i, frame] of frames.entries()) {
    const next = frames[i + 1];
    if (next === undefined || frame.kind === 'entry' || next.kind !== 'call' || !frame.reliable || !next.reliable)
      continue;
    if (frame.stack !== next.stack && frame.kind !== 'interrupted') continue;
    const size = Number(next.frameAddress - frame.stackPointer);
    // beyond that they are two stacks
    if (size < largeFrame || size > maxStack || size <= (largest?.size ?? 0)) continue;
    largest = { name: frameName(frame), size };
  }
  return largest;
}

/** What the frames say: who calls itself, or that nobody does. */
function depthWords(facts: Facts): string {
  const { frames } = facts.crashTrace;
  const recursion = recursionIn(frames);
  const large = largestFrame(facts);
  const reliable = frames.filter((frame) => frame.reliable).length;
  if (recursion !== null)
    return `${recursionWords(recursion)}; ${recursion.times} of the stack's ${recursion.frames} frames are its`;
  if (large !== null) return `the frame of ${large.name} alone takes ${large.size} bytes of it`;
  if (reliable > 1)
    return `no function is on it again and again, so its ${reliable} frames take too much of it, or it was deep before`;
  return 'recursion without end, or too much on the stack';
}

/** How deep the stack was when it ended. */
export function depthFindings(facts: Facts): Finding[] {
  const { frames } = facts.crashTrace;
  const recursion = recursionIn(frames);
  const evidences = present(
    said(facts),
    evidence(facts, 'bt', 'Where the stack ended.', { cut: { kind: 'head', lines: 24 } }),
    recursion === null ? null : evidence(facts, 'bt', 'Where it began.', { cut: { kind: 'tail', lines: 24 } }),
  );
  if (evidences.length === 0) return [];
  return [
    {
      title:
        recursion === null
          ? `The stack had ${frames.filter((frame) => frame.reliable).length} frames when it ended`
          : `${recursionWords(recursion)}: ${recursion.times} times, in ${recursion.frames} frames`,
      explanation: recursion === null ? '' : 'Recursion in the kernel must have a bound: its stacks are small.',
      confidence: 'certain',
      evidence: evidences,
    },
  ];
}
