// What a fact is: one function that compares what the guest said about itself with what the dump says, through the
// commands it needs. A fact whose commands the program does not have is "not claimed": neither right nor wrong.
import type { Answers } from './answers.ts';
import { parseMembers, parseTaskBlocks } from './crash_text.ts';
import type { Death } from './given.ts';
import type { Change } from './given_dumps.ts';
import type { MachineKind } from './kernels.ts';
import type { Picture, PictureTask } from './picture.ts';
import type { RunRecord } from './run.ts';
import type { Tally } from './tally.ts';

/** The command lines a fact needs, and what each printed, in the same order. */
export interface Fact {
  readonly name: string;
  readonly commands: readonly string[];
  /** Whether the guest had what a command names: one that is not asked prints nothing. Without it, all are asked. */
  isAsked?(picture: Picture, command: string): boolean;
  /** A program that is not installed here and without which nothing can be said; undefined if there is none. */
  lacks?(machine: MachineKind): string | undefined;
  compare(world: World, texts: readonly string[], tally: Tally): void;
}

/** What a fact knows beside the answers. */
export interface World {
  readonly picture: Picture;
  readonly scenario: Death;
  readonly record: RunRecord;
  readonly machine: MachineKind;
  /** Bytes. */
  readonly pageSize: number;
  /** What is known to have gone between the picture and the crash; null if nothing is. */
  readonly gone: Change | null;
  /** Which slab caches are known to have grown between them; null if none is. */
  readonly made: Change | null;
  /** The log as makedumpfile read it from the same memory; undefined when QEMU wrote the dump. */
  readonly dmesgOfMakedumpfile: string | undefined;
  /** Why a task's state may differ: it ran after the picture. Undefined: it did not, so nothing about it may differ. */
  ranSince(task: PictureTask): string | undefined;
}

/** A kernel thread that sets up tables of a fresh file system, and ends when that is done or it can no longer be written to. */
const endsByItself = 'ext4lazyinit';

/** Why something of this name may not be in the dump; undefined: it must be. */
export function whyGone({ gone }: World, name: string): string | undefined {
  if (name === endsByItself) return 'its work was done, or its file system had become read-only';
  return gone?.names.test(name) === true ? gone.why : undefined;
}

/** Why what comes and goes may differ, where the machine was asked while it ran on; undefined of a dump. */
export function goesOn({ record, scenario }: World): string | undefined {
  return record.format === 'live' ? scenario.moves : undefined;
}

/** The processes of the picture that did not run since: nothing about them may differ. */
export function processesAtRest({ picture, ranSince }: World): PictureTask[] {
  return [...picture.tasks.values()].filter(
    (task) => task.tid === task.pid && task.state !== 'Z' && task.comm !== endsByItself && ranSince(task) === undefined,
  );
}

export const switchesCommand = 'foreach task -R nvcsw,nivcsw,on_rq';

/**
 * Tells whether tasks ran between the picture and the crash, by their counts of context switches: the guest's in
 * /proc/PID/status, the dump's in task_struct. Where the program cannot read those, every task may have run.
 */
export function whoRan(answers: Answers): (task: PictureTask) => string | undefined {
  const text = answers.ask(switchesCommand);
  if (text === undefined) return () => 'whether the task ran since is unknown: no task -R';
  const counts = new Map(parseTaskBlocks(text).map((block) => [block.pid, parseMembers(block.body)]));
  return (task) => {
    const members = counts.get(task.tid);
    if (members === undefined) return undefined;
    const [voluntary, involuntary] = [Number(members.get('nvcsw')), Number(members.get('nivcsw'))];
    // a byte since 7.1, printed with its character: `1 '\001'`
    const queued = Number.parseInt(members.get('on_rq') ?? '', 10) > 0;
    if (voluntary === task.voluntary && involuntary === task.involuntary) {
      // A task on a CPU has no new count yet: it may have been anywhere in its work.
      if (task.state === 'R') return 'the task was running';
      return queued ? 'the task was woken, and had no CPU yet' : undefined;
    }
    // Counts never fall; and a task that slept and sleeps again went to sleep in between, by itself.
    if (voluntary < task.voluntary || involuntary < task.involuntary) return undefined;
    if (voluntary === task.voluntary && task.state !== 'R' && !queued) return undefined;
    return 'the task ran again before the crash';
  };
}
