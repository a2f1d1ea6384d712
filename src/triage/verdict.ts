// From facts to a verdict: the explanation that won, and what the report's head says of it. The log tells a death in
// words, the panicking CPU's stack in frames; where both speak, they are held against each other.
import { addressText } from '../base/text.ts';
import { functionName } from '../oops/frames.ts';
import type { ReportKind } from '../oops/kinds.ts';
import type { Analysis, Place } from './analysis.ts';
import { type Contest, contest } from './contest.ts';
import { frameDisagreements } from './cross_check.ts';
import type { Facts } from './facts.ts';
import { type Case, Scene } from './scene.ts';
import { agree, kindTraits } from './traits.ts';

export interface Verdict extends Case {
  readonly panic: Analysis['panic'];
  readonly contest: Contest;
}

export function reachVerdict(facts: Facts): Verdict {
  const { death, crashed } = facts;
  const scene = new Scene(facts);
  const { told, onStack } = scene;
  const found = contest(scene);
  const { claim } = found.winner;
  const { about } = claim;
  const { kind, subject, blamed } = about;
  const disagreements: string[] = [];
  if (told !== null && onStack !== null && !agree(told, onStack)) {
    disagreements.push(
      `The log tells of ${told}, the panicking task's stack of ${onStack}; the report follows the ${kind === told ? 'log' : 'stack'}.`,
    );
  }
  disagreements.push(...about.disagreements);
  if (death !== null && facts.told === null) {
    const { faults } = facts.kernel;
    disagreements.push(...faults.attempt('frames', () => frameDisagreements(facts.kernel, death), []));
  }

  const source =
    death !== null && facts.told === null && facts.crashTrace.frames.length > 0
      ? 'log and memory'
      : death !== null
        ? 'log'
        : onStack !== null
          ? 'memory'
          : 'nothing';
  // who panicked: the log's report is about him, unless it is about another task or CPU
  const panicked = crashed?.task ?? (kindTraits[kind].aboutOthers ? null : (death?.task ?? null));
  const culprit =
    subject === null || subject.address === crashed?.task.address || (crashed === null && subject.pid === panicked?.pid)
      ? null
      : subject;
  return {
    ...about,
    disagreements,
    contest: found,
    panic: {
      kind,
      title: death?.title ?? titleOf(kind, blamed),
      subject: subjectLine(facts, death?.title ?? titleOf(kind, blamed), blamed),
      message: [claim.sentence, ...found.beside.map((other) => other.claim.sentence)].join(' '),
      confidence: claim.confidence,
      because: claim.because,
      cpu: facts.crashedCpu?.cpu ?? death?.cpu ?? null,
      pid: panicked?.pid ?? null,
      comm: panicked?.comm ?? null,
      task: crashed === null ? null : addressText(crashed.task.address),
      rip: blamed,
      faultAddress: about.faultAddress,
      reason: death?.panic ?? null,
      culprit: culprit === null ? null : { pid: culprit.pid, comm: culprit.comm, cpu: culprit.cpu },
      signature: death?.signature ?? null,
      source,
    },
  };
}

/** `[6.12.0] BUG: ... in frob [widget] (c6359b1ea0e812d0)` */
function subjectLine({ kernel, death }: Facts, title: string, blamed: Place | null): string {
  const release = kernel.vmcoreinfo.release ?? death?.kernelRelease ?? null;
  const module = blamed?.module == null ? '' : ` [${blamed.module}]`;
  const signature = death === null ? '' : ` (${death.signature})`;
  return `${release === null ? '' : `[${release}] `}${title}${module}${signature}`;
}

function titleOf(kind: ReportKind, blamed: Place | null): string {
  return blamed?.symbol == null ? kind : `${kind} in ${functionName(blamed.symbol)}`;
}
