// What to look at next: commands of the shell, with this dump's addresses, the most telling first. They are those that the
// findings and the origin of the bad value stand on, and a few that this kind of death calls for.
import type { ReportKind } from '../oops/kinds.ts';
import type { Finding, NextStep, OriginReport } from './analysis.ts';
import { kindTraits } from './traits.ts';

/** Most steps that are told. */
const maxSteps = 8;

/** What a reader sees anyway: the stack that the report shows. */
const shownAnyway = /^(bt( -s)?|bt \|.*|bt -s \|.*)$/;

export function nextSteps(kind: ReportKind, findings: readonly Finding[], origin: OriginReport | null): NextStep[] {
  const steps: NextStep[] = [];
  const add = (command: string | null, why: string): void => {
    if (command === null || why === '' || shownAnyway.test(command) || steps.some((step) => step.command === command))
      return;
    steps.push({ command, why });
  };
  for (const step of origin?.steps ?? []) add(step.command, step.words);
  // a log line is read, not looked into: after what leads on
  const evidence = findings.flatMap((finding) => finding.evidence);
  for (const { command, why } of evidence) if (!command.startsWith('log')) add(command, why);
  for (const { command, why } of usual(kind)) add(command, why);
  for (const { command, why } of evidence) add(command, why);
  return steps.slice(0, maxSteps);
}

/** What is looked at after any death of a kind. */
function usual(kind: ReportKind): readonly NextStep[] {
  const log: NextStep = { command: 'log | tail -60', why: 'What the kernel said last.' };
  switch (kindTraits[kind].blamed) {
    case 'sleeper':
      return [
        { command: 'foreach UN bt', why: 'Where every blocked task sleeps.' },
        { command: 'ps -m | head -20', why: 'Which tasks ran last, and how long ago.' },
        log,
      ];
    case 'stuck':
      return [
        { command: 'bt -a', why: 'What every CPU ran.' },
        { command: 'runq', why: 'What waited for the CPUs.' },
        log,
      ];
    case 'exception':
      return [
        { command: 'bt -f', why: 'The words of each frame: locals and saved registers.' },
        { command: 'bt -a', why: 'What the other CPUs did.' },
        log,
      ];
    case 'caller':
      if (kind === 'out-of-memory')
        return [
          { command: 'kmem -i', why: 'Where memory went.' },
          { command: 'ps -G', why: 'Processes with their memory.' },
          { command: 'kmem -s', why: 'Slab caches with their memory.' },
        ];
      return [
        { command: 'bt -a', why: 'What every CPU ran.' },
        { command: 'foreach UN bt', why: 'Tasks that were blocked, if any.' },
        log,
      ];
  }
}
