// What faulted while the kernel was dying already: a notifier, the dump itself. The stack proves the order.
import { frameName } from '../../kernel/backtrace.ts';
import { isDyingFunction, laterIncidents } from '../../oops/death.ts';
import { functionName } from '../../oops/frames.ts';
import { isDying } from '../dying.ts';
import { evidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';
import { framePlace, placeAt, shortPlace } from '../place.ts';
import type { Explanation } from './explanation.ts';

export const laterDeaths: Explanation = {
  name: 'died-while-dying',
  recognises: 'an exception that came while the kernel was dying already',
  weigh(scene) {
    const { facts } = scene;
    const told = facts.told === null ? onStack(facts) : inLog(facts);
    if (told.length === 0) return null;
    return {
      depth: 'beside',
      confidence: 'certain',
      because:
        facts.told === null
          ? 'the stack of the CPU that panicked has both, one upon the other'
          : 'its trace in the log goes through what runs only when the kernel dies',
      speaksFor: told.map(({ dying }) => `${dying} is on the stack below the exception`),
      speaksAgainst: [],
      about: scene.as(scene.kind),
      sentence: told.map(({ words }) => `Then, while the kernel was dying, ${words}.`).join(' '),
      findings: () => [
        {
          title: `The kernel died ${told.length + 1} times over: ${told.map(({ words }) => words).join('; then ')}`,
          explanation:
            'The first death is the one to explain; the later ones come from what ran to report it, and may have kept it from being reported whole.',
          confidence: 'certain',
          evidence: present(evidence(facts, 'bt', 'From the bottom: the first death, and upon it the later ones.')),
        },
      ],
    };
  },
};

function isNotifierChain(symbol: string): boolean {
  return /notifier_call_chain$/.test(functionName(symbol));
}

interface LaterDeath {
  readonly words: string;
  /** The function of dying that had called it. */
  readonly dying: string;
}

function onStack(facts: Facts): LaterDeath[] {
  return facts.laterDeaths.toReversed().map((index) => laterDeath(facts, index));
}

function inLog({ incidents, death }: Facts): LaterDeath[] {
  if (death === null) return [];
  return laterIncidents(incidents, death).map(({ instruction, faultAddress, traces }) => {
    const frames = traces
      .flatMap((trace) => trace.frames)
      .filter(({ reliable, symbol }) => reliable && symbol !== null);
    const until = frames.findIndex(({ symbol }) => isDyingFunction(symbol!));
    const dying = functionName(frames[until]?.symbol ?? 'panic');
    const chain = frames.slice(0, until).findIndex(({ symbol }) => isNotifierChain(symbol!));
    const notifier = chain > 0 ? frames[chain - 1] : undefined;
    const at = instruction === null ? 'code' : shortPlace({ ...instruction, address: null });
    const who =
      notifier === undefined
        ? `what ${dying}() had called`
        : `the notifier ${shortPlace({ ...notifier, offset: null, address: null })}`;
    return { words: `${who} faulted in ${at}${faultAddress === null ? '' : `, by address ${faultAddress}`}`, dying };
  });
}

/** Who faulted where, and which of the kernel's functions of dying had called it. */
function laterDeath(facts: Facts, index: number): LaterDeath {
  const { frames } = facts.crashTrace;
  const { registers } = frames[index]!;
  const at = placeAt(facts, facts.kernel.arch.registers.instructionPointer(registers!));
  const older = frames.slice(index + 1).filter(({ reliable }) => reliable);
  const until = older.findIndex(isDying);
  const called = older.slice(0, until);
  const chain = called.findIndex((frame) => isNotifierChain(frameName(frame)));
  const notifier = chain > 0 ? called[chain - 1] : undefined;
  const dying = functionName(frameName(older[until]!));
  const who =
    notifier !== undefined
      ? `the notifier ${shortPlace({ ...framePlace(facts, notifier), offset: null })} faulted in ${shortPlace(at)}`
      : `what ${dying}() had called faulted in ${shortPlace(at)}`;
  const address = facts.incidents.findLast(
    ({ instruction }) => instruction?.symbol === at.symbol && instruction?.offset === at.offset,
  )?.faultAddress;
  return { words: `${who}${address == null ? '' : `, by address ${address}`}`, dying };
}
