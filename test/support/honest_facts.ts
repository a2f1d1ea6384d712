// What a sound dump tells, and which page frames each of it is read from: what is read from frames that nobody damaged must be
// told of the damaged dump too.
import { CommandContext } from '../../src/commands/context.ts';
import { commands } from '../../src/commands/registry.ts';
import { gather } from '../../src/commands/run.ts';
import { openDump } from '../../src/dump/open.ts';
import { openKernel } from '../../src/kernel/open_kernel.ts';
import { analyse } from '../../src/triage/analyse.ts';
import { AlteredMemory, withMemory } from '../robustness/altered_memory.ts';
import { jobs, withinLimits } from './hostile_jobs.ts';

/** What jobs read of the kernel. */
const readers: Readonly<Record<string, (context: CommandContext) => void>> = {
  report: (context) => void analyse(context),
  log: (context) => void gather(commands.log, context, []),
  'log -a': (context) => void gather(commands.log, context, ['-a']),
  ps: (context) => void gather(commands.ps, context, []),
  mod: (context) => void gather(commands.mod, context, []),
  'bt -a': (context) => void gather(commands.bt, context, ['-a']),
};

/** What of a report comes from what the named jobs read, and from nothing else. */
const reportFacts: readonly (readonly [field: string, jobs: readonly string[]])[] = [
  ['modules', ['mod']],
  ['log', ['log']],
  ['incidents', ['log']],
  ['registers', ['bt -a', 'log']],
  ['backtrace', ['bt -a', 'log']],
  ['blamedStack', ['bt -a', 'log']],
  ['panic', ['bt -a', 'log', 'mod', 'ps']],
];

export interface Comparison {
  /** Facts that were held against those of the sound dump. */
  compared: number;
  /** Those that are not told any more. */
  readonly missing: string[];
}

export class HonestFacts {
  private readonly dump: string;
  private readonly touched = new Map<string, ReadonlySet<number>>();
  private readonly outputs = new Map<string, string>();

  /** @param dump the path of a sound one */
  constructor(dump: string) {
    this.dump = dump;
    for (const [job, read] of Object.entries(readers)) {
      const sound = openDump([dump]);
      const memory = new AlteredMemory(sound.memory);
      read(new CommandContext(openKernel(withMemory(sound, memory))));
      this.touched.set(job, memory.touched);
      sound.close();
    }
  }

  /** Frames that any job reads. */
  frames(): ReadonlySet<number> {
    return new Set([...this.touched.values()].flatMap((frames) => [...frames]));
  }

  /**
   * Runs jobs on a damaged dump, each within its limits.
   * @param changed its frames that are not those of the sound one
   */
  async compare(path: string, changed: ReadonlySet<number>, which = Object.keys(jobs)): Promise<Comparison> {
    const comparison: Comparison = { compared: 0, missing: [] };
    const isSound = (job: string): boolean =>
      [...changed].every((frame) => this.touched.get(job)?.has(frame) === false);
    const hold = (what: string, expected: string, actual: string): void => {
      comparison.compared++;
      if (expected !== actual) comparison.missing.push(`${what}: ${difference(expected, actual)}`);
    };
    for (const job of which) {
      const [sound, damaged] = [await this.sound(job), await withinLimits(path, job)];
      if (job !== 'report') {
        if (isSound(job)) hold(job, sound, damaged);
        continue;
      }
      const [expected, actual] = [sound, damaged].map((text) => JSON.parse(text) as Readonly<Record<string, unknown>>);
      for (const [field, from] of reportFacts) {
        if (from.every(isSound))
          hold(`report, ${field}`, JSON.stringify(expected![field]), JSON.stringify(actual![field]));
      }
    }
    return comparison;
  }

  private async sound(job: string): Promise<string> {
    const known = this.outputs.get(job) ?? (await withinLimits(this.dump, job));
    this.outputs.set(job, known);
    return known;
  }
}

function difference(sound: string, damaged: string): string {
  let at = 0;
  while (at < sound.length && sound[at] === damaged[at]) at++;
  const part = (text: string): string => JSON.stringify(text.slice(Math.max(0, at - 40), at + 80));
  return `${part(damaged)} and not ${part(sound)}`;
}
