// What an explanation of a death is: one file each in this folder, and a line in index.ts.
import type { ReportKind } from '../../oops/kinds.ts';
import type { Confidence, Finding, OriginReport } from '../analysis.ts';
import type { Case, Scene } from '../scene.ts';
import { agree } from '../traits.ts';

/** One thing that may have happened. */
export interface Explanation {
  /** Stable: what `--why` calls it. */
  readonly name: string;
  /** What it recognises, in a line. */
  readonly recognises: string;
  /** Null where nothing speaks for it. */
  weigh(scene: Scene): Claim | null;
}

/**
 * How far a claim goes. The deeper one explains the shallower, so it wins wherever it is likely.
 * - `words`: that the kernel died, and no more
 * - `kind`: the kind of death, as the kernel itself has it
 * - `mechanism`: how that came about
 * - `beside`: what came after the death or beside it: never the verdict
 */
export type Depth = 'words' | 'kind' | 'mechanism' | 'beside';

/** What an explanation makes of a death. */
export interface Claim {
  readonly depth: Depth;
  readonly confidence: Confidence;
  /** What that confidence rests on, so that a reader can check it. */
  readonly because: string;
  readonly speaksFor: readonly string[];
  readonly speaksAgainst: readonly string[];
  /** Whom and what code it is about. */
  readonly about: Case;
  /** As the verdict; of claims `beside`, a sentence that follows it. */
  readonly sentence: string;
  /** Asked of the verdict, and of claims that follow it. @param origin where the bad value came from, if that is known */
  readonly findings: (origin?: OriginReport | null) => readonly Finding[];
}

/** What log and stack say for a kind of death; null where neither says it. */
export function signsOf(
  scene: Scene,
  kind: ReportKind,
): Pick<Claim, 'confidence' | 'because' | 'speaksFor' | 'speaksAgainst'> | null {
  const { told, onStack, facts } = scene;
  if (told !== kind && onStack !== kind) return null;
  const speaksFor: string[] = [];
  const speaksAgainst: string[] = [];
  if (told === kind) speaksFor.push(`the log says: ${facts.death!.message}`);
  if (onStack === kind) speaksFor.push(`the panicking CPU's stack went that way`);
  if (told !== null && told !== 'unknown' && told !== kind && !agree(told, kind))
    speaksAgainst.push(`the log tells of ${told}`);
  if (onStack !== null && told === kind && !agree(kind, onStack))
    speaksAgainst.push(`the panicking CPU's stack shows ${onStack}`);
  const both = told !== null && onStack !== null && agree(told, onStack) && told !== 'panic' && onStack !== 'panic';
  return {
    confidence: both || (told === kind && speaksAgainst.length === 0) ? 'certain' : 'likely',
    because: both
      ? 'the log and the stack of the CPU that panicked tell the same'
      : told === kind
        ? 'the log says so'
        : 'the stack of the CPU that panicked shows it, and no log was there to compare',
    speaksFor,
    speaksAgainst,
  };
}

/** An explanation that is a kind of death, recognised by what log and stack call it. */
export function ofKind(given: {
  readonly name: string;
  readonly recognises: string;
  readonly kinds: readonly ReportKind[];
  /** What must hold besides; null: it does not. What speaks for it, in words. */
  readonly when?: (scene: Scene) => readonly string[] | null;
  readonly sentence: (scene: Scene, about: Case) => string;
  readonly findings?: (scene: Scene, about: Case, origin: OriginReport | null) => readonly Finding[];
  /** Where log and stack say it, and yet it is not proven: why not. */
  readonly doubt?: (scene: Scene) => string | null;
}): Explanation {
  const { name, recognises, kinds } = given;
  return {
    name,
    recognises,
    weigh(scene) {
      const kind = [scene.told, scene.onStack].find((candidate) => candidate !== null && kinds.includes(candidate));
      const signs = kind == null ? null : signsOf(scene, kind);
      const more = given.when === undefined ? [] : given.when(scene);
      if (kind == null || signs === null || more === null) return null;
      const about = scene.as(kind);
      const doubt = given.doubt?.(scene) ?? null;
      return {
        ...signs,
        ...(doubt === null ? {} : { confidence: 'likely' as const, because: doubt }),
        speaksFor: [...signs.speaksFor, ...more],
        depth: 'kind',
        about,
        sentence: given.sentence(scene, about),
        findings: (origin = null) => given.findings?.(scene, about, origin) ?? [],
      };
    },
  };
}
