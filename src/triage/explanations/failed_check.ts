// A check of the kernel's own failed: BUG(), WARN(), lists, freed memory, sleeping where one must not.
import { assertNever } from '../../base/errors.ts';
import type { ReportKind } from '../../oops/kinds.ts';
import type { Facts } from '../facts.ts';
import { givenBack, isGivenBack } from '../given_back.ts';
import { type Case, phrases, type Scene, withoutStop } from '../scene.ts';
import { socketBufferWords } from '../socket_buffer.ts';
import { accessFindings } from './bad_access.ts';
import { ofKind } from './explanation.ts';

type Check = Extract<ReportKind, 'use-after-free' | 'BUG' | 'list-corruption' | 'WARN' | 'atomic-sleep'>;

export const failedCheck = ofKind({
  name: 'failed-check',
  recognises: "a check in the kernel's own code failed",
  kinds: ['use-after-free', 'BUG', 'list-corruption', 'WARN', 'atomic-sleep'] satisfies readonly Check[],
  sentence: checkWords,
  // freed memory may have been found by the CPU, too
  findings: (scene, about, origin) =>
    accessFindings(scene, about.kind === 'use-after-free' ? about : { ...about, access: null }, origin),
});

function checkWords(scene: Scene, about: Case): string {
  const { where, runBy, noticed, detail } = phrases(scene, about);
  const kind = about.kind as Check;
  switch (kind) {
    case 'use-after-free':
      return `Memory was used after it was freed${where}${noticed}${runBy}${detail === null ? '' : `: ${detail}`}.`;
    case 'BUG':
      return `${isGivenBack(about) ? givenBackWords(scene) : (inSocketBuffer(scene.facts) ?? whatWasChecked(scene.facts))} (${withoutStop(scene.facts.death?.message ?? 'BUG')})${where}${noticed}${runBy}${said(scene.facts)}.`;
    case 'list-corruption':
      return `A linked list is corrupt${detail === null ? '' : ` (${detail})`}: noticed${where}${runBy}.`;
    case 'WARN':
      return `${isGivenBack(about) ? `${givenBackWords(scene)}: a warning` : 'A warning'} was made fatal by panic_on_warn${detail === null ? sourceLine(scene.facts) : ''}${where}${noticed}${detail === null ? '' : `: ${detail}`}${runBy}.`;
    case 'atomic-sleep':
      return `Code that must not sleep did so${where}${runBy}.`;
    default:
      return assertNever(kind);
  }
}

/** What a check that failed was for. */
function whatWasChecked({ death }: Facts): string {
  switch (death?.kind) {
    case 'usercopy':
      return 'A copy between the kernel and a process went beyond its object, and was refused';
    case 'fortify':
      return 'A memory or string function would have gone beyond its buffer, and was stopped';
    default:
      return 'A check in the kernel failed';
  }
}

/** `: memset: detected buffer overflow: 400 byte write of buffer size 72`; a warning before the BUG may have said it. */
function said({ death, incidents }: Facts): string {
  const before = incidents.findLast(
    ({ kind, span }) => death !== null && kind === death.kind && span.endLine <= death.span.startLine,
  );
  const detail = death?.detail ?? (death?.kind === 'fortify' ? before?.detail : null) ?? null;
  return detail === null ? '' : `: ${detail.replace(/[!.\s]{1,100}$/, '')}`;
}

/** `4000 bytes were put into a socket buffer that had room for 220`; null for other checks. */
function inSocketBuffer({ death }: Facts): string | null {
  return death === null ? null : socketBufferWords(`${death.message}\n${death.detail ?? ''}`);
}

function givenBackWords({ facts }: Scene): string {
  const given = givenBack(facts);
  return `Memory was given back that could not be${given === null ? ': it was free already, or no allocation gave it' : `: ${given.words}`}`;
}

/** ` (kernel/rcu/tree.c:3141)`: where a warning without words is in the source; empty where the log does not say. */
function sourceLine({ death }: Facts): string {
  const line = /(?<![\w./-])[\w./-]+\.[chS]:\d+/.exec(death?.message ?? '')?.[0];
  return line === undefined ? '' : ` (${line})`;
}
