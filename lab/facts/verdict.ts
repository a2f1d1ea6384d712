// The verdict: the report names the kind of death that the scenario provoked, and the function it happened in.
import { reportCommand } from '../answers.ts';
import type { Fact } from '../fact.ts';

export const verdict: Fact = {
  name: 'verdict',
  commands: [reportCommand],
  compare(world, [text = ''], tally) {
    const report = JSON.parse(text || '{}') as { panic?: { kind?: string; rip?: { symbol?: string } | null } };
    const { kind, at } = world.scenario.verdict;
    tally.compare('kind of death', kind, report.panic?.kind);
    if (at !== undefined) tally.compare('function it died in', at, report.panic?.rip?.symbol);
  },
};
