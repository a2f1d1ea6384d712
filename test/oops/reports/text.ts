// One text of the corpus: what a kernel says, and what a reader should be told of it. The labels were written before the
// texts were first read by the code under test: `blame` is the function whose maintainer should be mailed.
import type { IncidentKind } from '../../../src/oops/kinds.ts';
import { type Arch, Voice } from './voice.ts';

export interface Text {
  readonly name: string;
  /** null: there is no incident in it. */
  readonly kind: IncidentKind | null;
  /** null: no function is to blame. */
  readonly blame: string | null;
  readonly lines: readonly string[];
  /** As `blame`, in an alternative title: what else the same bug is called by. */
  readonly also: string | null;
}

/**
 * @param kernel `5.15`, or with the architecture: `5.15 arm64`
 * @param blame `function`, or `function|other` where the other is an alternative
 */
export function text(
  name: string,
  kernel: string,
  kind: IncidentKind | null,
  blame: string | null,
  make: (voice: Voice) => readonly string[],
): Text {
  const [release, arch = 'x86_64'] = kernel.split(' ');
  const [function_, also] = (blame ?? '').split('|');
  return {
    name: `${name} ${kernel}`,
    kind,
    blame: function_ === '' ? null : function_!,
    also: also ?? null,
    lines: make(new Voice(release!, arch as Arch)),
  };
}

/** The same event told by several kernels. */
export function texts(
  name: string,
  kernels: readonly string[],
  kind: IncidentKind,
  blame: string | null,
  make: (voice: Voice) => readonly string[],
): Text[] {
  return kernels.map((kernel) => text(name, kernel, kind, blame, make));
}
