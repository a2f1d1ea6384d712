// `inquest same A B`: whether two dumps or logs tell of the same death, and by what.
import { FormatError } from '../base/errors.ts';
import { escapeLine } from '../base/text.ts';
import { fatalIncident } from '../oops/death.ts';
import type { Incident } from '../oops/incident.ts';
import { reportKind } from '../oops/kinds.ts';
import { LogScanner } from '../oops/scanner.ts';
import { significantFrames, similarity } from '../oops/signature.ts';
import { waitKind } from '../oops/wait_kind.ts';
import { Facts } from '../triage/facts.ts';
import { noDebugOptions } from './debug_options.ts';
import { openContext } from './open.ts';
import { writeOut } from './output.ts';
import { isDumpSource, readSource } from './source.ts';

/** How alike two deaths must be to be taken for one, and for likely one. */
const surely = 1;
const likely = 0.75;

export interface Comparison {
  readonly same: 'yes' | 'likely' | 'no';
  /** 0 to 1. */
  readonly similarity: number;
  readonly titles: readonly [string, string];
  readonly signatures: readonly [string, string];
  /** What they have in common, and what not. */
  readonly reasons: readonly string[];
}

/** @returns 0 where they are the same, or likely so; 3 where they are not */
export function runSame(a: string, b: string, { json }: { readonly json: boolean }): number {
  const found = compare(deathOf(a), deathOf(b));
  if (json) writeOut(`${JSON.stringify(found)}\n`);
  else writeOut(renderComparison(found));
  return found.same === 'no' ? 3 : 0;
}

/** The death that a dump or a log tells of. @throws FormatError where it tells of none */
function deathOf(source: string): Incident {
  if (isDumpSource(source)) {
    const { death } = new Facts(openContext([source], noDebugOptions));
    if (death === null) throw new FormatError(source, 'its log tells of no death: there is nothing to compare');
    return death;
  }
  const scanner = new LogScanner();
  const incidents: Incident[] = [];
  for (const chunk of readSource(source)) incidents.push(...scanner.push(chunk));
  incidents.push(...scanner.end());
  const death = fatalIncident(incidents) ?? incidents.at(-1);
  if (death === undefined) throw new FormatError(source, 'no incident in this log');
  return death;
}

/** Two deaths held against each other. */
export function compare(a: Incident, b: Incident): Comparison {
  const alike = similarity(a, b);
  const [framesA, framesB] = [significantFrames(a), significantFrames(b)];
  const common = framesA.filter((name) => framesB.includes(name));
  const functions = [a.guilty?.function ?? null, b.guilty?.function ?? null] as const;
  const waits = [waitKind(a), waitKind(b)] as const;
  const isOther = waits[0] !== null && waits[1] !== null && waits[0] !== waits[1];
  const reasons = [
    a.signature === b.signature ? `one signature: ${a.signature}` : `two signatures: ${a.signature} and ${b.signature}`,
    a.kind === b.kind ? `both are ${a.kind}` : `one is ${a.kind}, the other ${b.kind}`,
    functions[0] === functions[1]
      ? functions[0] === null
        ? 'neither blames a function'
        : `both blame ${functions[0]}`
      : `one blames ${functions[0] ?? 'no function'}, the other ${functions[1] ?? 'none'}`,
    framesA.length === 0 && framesB.length === 0
      ? 'no frames to compare'
      : `${common.length} functions on both stacks, of ${framesA.length} and ${framesB.length}${common.length === 0 ? '' : `: ${common.slice(0, 6).join(', ')}`}`,
    ...(waits[0] === null || waits[1] === null
      ? []
      : [waits[0] === waits[1] ? `both wait for ${waits[0]}` : `one waits for ${waits[0]}, the other for ${waits[1]}`]),
    ...(a.kernelRelease !== null && b.kernelRelease !== null && a.kernelRelease !== b.kernelRelease
      ? [`of two kernels: ${a.kernelRelease} and ${b.kernelRelease}`]
      : []),
  ];
  return {
    same: isOther
      ? 'no'
      : alike >= surely
        ? 'yes'
        : alike >= likely && reportKind(a) === reportKind(b)
          ? 'likely'
          : 'no',
    similarity: Math.round(alike * 100) / 100,
    titles: [a.title, b.title],
    signatures: [a.signature, b.signature],
    reasons,
  };
}

function renderComparison({ same, titles, reasons }: Comparison): string {
  const answer = {
    yes: 'The same death.',
    likely: 'Likely the same death.',
    no: 'Not the same death.',
  }[same];
  return [
    answer,
    ...titles.map((title, i) => `  ${'AB'[i]}: ${escapeLine(title)}`),
    ...reasons.map((reason) => `  - ${escapeLine(reason)}`),
  ]
    .map((line) => `${line}\n`)
    .join('');
}
