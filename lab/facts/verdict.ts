// The verdict: the report names the kind of death that the scenario provoked, and the function it happened in.
import { reportCommand } from '../answers.ts';
import type { Fact } from '../fact.ts';

interface Report {
  readonly panic?: {
    readonly kind?: string;
    readonly message?: string;
    readonly confidence?: string;
    readonly comm?: string;
    readonly rip?: { readonly symbol?: string; readonly module?: string | null } | null;
  } | null;
  readonly findings?: readonly { readonly title?: string }[];
}

export const verdict: Fact = {
  name: 'verdict',
  commands: [reportCommand],
  compare(world, [text = ''], tally) {
    const { panic, findings = [] } = JSON.parse(text || '{}') as Report;
    if (world.scenario.verdict === null) return;
    const { kind, at, task, says, sentence, never, uncertain } = world.scenario.verdict;
    const oneOf = (what: string, expected: string | readonly string[], found: string | undefined): void => {
      const several = typeof expected === 'string' ? [expected] : expected;
      tally.compare(what, found !== undefined && several.includes(found) ? found : several.join(' or '), found);
    };
    oneOf('kind of death', kind, panic?.kind);
    if (at !== undefined) {
      oneOf('function it died in', at, panic?.rip?.symbol);
      const expected = [at].flat();
      const function_ = expected.find((name) => name === panic?.rip?.symbol) ?? expected[0];
      const symbol = world.picture.symbols.find(({ name }) => name === function_);
      if (symbol?.module !== undefined)
        tally.compare('module of that function', symbol.module, panic?.rip?.module ?? 'none');
    }
    if (task !== undefined) tally.compare('task that was running', task, panic?.comm);
    const message = panic?.message ?? '';
    const words = [message, ...findings.map(({ title }) => title ?? '')].join('\n');
    for (const wanted of says === undefined ? [] : says instanceof RegExp ? [says] : says) {
      if (wanted.test(words)) tally.same();
      else tally.fault(`the report does not say ${wanted}: ${JSON.stringify(words)}`);
    }
    if (sentence !== undefined) {
      if (sentence.test(message)) tally.same();
      else tally.fault(`the verdict does not say ${sentence}: ${JSON.stringify(message)}`);
    }
    if (never !== undefined) {
      if (!never.test(message)) tally.same();
      else tally.fault(`the verdict says ${never}: ${JSON.stringify(message)}`);
    }
    if (uncertain === true)
      tally.compare('certain of what cannot be proven', 'no', panic?.confidence === 'certain' ? 'yes' : 'no');
  },
};
