// The verdict: the report names the kind of death that the scenario provoked, and the function it happened in.
import { reportCommand } from '../answers.ts';
import type { Fact } from '../fact.ts';

interface Report {
  readonly panic?: {
    readonly kind?: string;
    readonly message?: string;
    readonly rip?: { readonly symbol?: string; readonly module?: string | null } | null;
  } | null;
  readonly findings?: readonly { readonly title?: string }[];
}

export const verdict: Fact = {
  name: 'verdict',
  commands: [reportCommand],
  compare(world, [text = ''], tally) {
    const { panic, findings = [] } = JSON.parse(text || '{}') as Report;
    const { kind, at, says } = world.scenario.verdict;
    tally.compare('kind of death', kind, panic?.kind);
    if (at !== undefined) {
      tally.compare('function it died in', at, panic?.rip?.symbol);
      const symbol = world.picture.symbols.find(({ name }) => name === at);
      if (symbol?.module !== undefined)
        tally.compare('module of that function', symbol.module, panic?.rip?.module ?? 'none');
    }
    if (says !== undefined) {
      const words = [panic?.message ?? '', ...findings.map(({ title }) => title ?? '')].join('\n');
      if (says.test(words)) tally.same();
      else tally.fault(`the report does not say ${says}: ${JSON.stringify(words)}`);
    }
  },
};
