// The contest of explanations: all are weighed against the facts, the strongest is the verdict.
import type { Confidence } from './analysis.ts';
import type { Claim, Depth, Explanation } from './explanations/explanation.ts';
import { explanations } from './explanations/index.ts';
import { nothing } from './explanations/nothing.ts';
import type { Scene } from './scene.ts';

/** An explanation with what it makes of a death; null: nothing speaks for it. */
export interface Considered {
  readonly explanation: Explanation;
  readonly claim: Claim | null;
}

export interface Contest {
  readonly winner: Considered & { readonly claim: Claim };
  /** What came after or beside the death, the surest first. */
  readonly beside: readonly (Considered & { readonly claim: Claim })[];
  /** All, the strongest first, those for which nothing speaks last. */
  readonly considered: readonly Considered[];
}

export function contest(scene: Scene): Contest {
  const considered = explanations
    .map((explanation) => ({ explanation, claim: weigh(explanation, scene) }))
    .sort((a, b) => strength(scene, b.claim) - strength(scene, a.claim));
  const applies = (one: Considered): one is Considered & { readonly claim: Claim } => one.claim !== null;
  const winner = considered.filter(applies).find(({ claim }) => claim.depth !== 'beside') ?? {
    explanation: nothing,
    claim: unread(scene),
  };
  return { winner, beside: considered.filter(applies).filter(({ claim }) => claim.depth === 'beside'), considered };
}

/** What an explanation makes of a death; null also where the dump makes it no end of work. */
function weigh(explanation: Explanation, scene: Scene): Claim | null {
  const { faults, work } = scene.facts.kernel;
  const { name } = explanation;
  return faults.attempt(name, () => work.within(work.part(name), () => explanation.weigh(scene)), null);
}

/** What the log says, for a dump in which no explanation could be weighed. */
function unread({ facts: { death }, kind }: Scene): Claim {
  return {
    depth: 'words',
    confidence: 'possible',
    because: 'the dump is too damaged to say more',
    speaksFor: [],
    speaksAgainst: [],
    about: {
      kind,
      subject: null,
      blamed: null,
      blamedCaller: null,
      instruction: null,
      access: null,
      faultAddress: null,
      disagreements: [],
    },
    sentence: `${death?.title ?? 'What killed the kernel cannot be told'}: the dump is too damaged to say more.`,
    findings: () => [],
  };
}

const depths: Readonly<Record<Depth, number>> = { beside: 1, words: 2, kind: 3, mechanism: 4 };
const confidences: Readonly<Record<Confidence, number>> = { possible: 0, likely: 1, certain: 2 };

/** The deeper explains the shallower, unless it is a mere possibility; of two as deep, what the log says; then the surer. */
function strength(scene: Scene, claim: Claim | null): number {
  if (claim === null) return -1;
  const depth = claim.depth === 'mechanism' && claim.confidence === 'possible' ? 'words' : claim.depth;
  const isTold = claim.about.kind === scene.told && claim.about.kind !== 'unknown';
  return depths[depth] * 100 + (isTold ? 10 : 0) + confidences[claim.confidence];
}
