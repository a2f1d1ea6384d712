// Options that say where debug information is: the same for every job that reads a dump.
import { type Command, InvalidArgumentError, Option } from 'commander';

/** As plain data, so that a thread can be started with it. */
export interface DebugOptions {
  readonly vmlinux: string | null;
  readonly dirs: readonly string[];
  /** Use files of another build, too. */
  readonly force: boolean;
  /** Ask the servers of DEBUGINFOD_URLS. */
  readonly debuginfod: boolean;
  /** Folder of the kernel's source. */
  readonly src: string | null;
  /** How many times as much work a damaged dump may make as a sound one of its size would. */
  readonly budget: number;
}

export const noDebugOptions: DebugOptions = {
  vmlinux: null,
  dirs: [],
  force: false,
  debuginfod: false,
  src: null,
  budget: 1,
};

/** What commander makes of them. */
interface Given {
  readonly vmlinux?: string;
  readonly debugDir: string[];
  readonly forceDebuginfo?: boolean;
  readonly debuginfod?: boolean;
  readonly src?: string;
  readonly budget?: number;
}

/** Adds the options to a job, and its text on them to its help. */
export function withDebugOptions(command: Command): Command {
  const collect = (value: string, before: string[]): string[] => [...before, value];
  return command
    .option('--vmlinux <file>', "the kernel's file with debug information; also packed with xz, zstd or gzip")
    .option('--debug-dir <dir>', 'where else to look for debug information; may be given more than once', collect, [])
    .option('--force-debuginfo', 'use files of another build than the kernel in the dump, at your own risk')
    .option('--debuginfod', 'ask the servers of $DEBUGINFOD_URLS, which then know the build-ids in the dump')
    .option('--src <dir>', "folder of the kernel's source, to show lines of it")
    .addOption(budgetOption());
}

/** For jobs that read a dump. */
export function budgetOption(): Option {
  return new Option(
    '--budget <times>',
    'let a damaged dump make so many times as much work before it is ended',
  ).argParser((text) => {
    const times = Number(text);
    if (!(times > 0)) throw new InvalidArgumentError('It is a number above 0.');
    return times;
  });
}

export function debugOptionsOf(options: object): DebugOptions {
  const { vmlinux, debugDir, forceDebuginfo, debuginfod, src, budget } = options as Given;
  return {
    vmlinux: vmlinux ?? null,
    dirs: debugDir,
    force: forceDebuginfo ?? false,
    debuginfod: debuginfod ?? false,
    src: src ?? null,
    budget: budget ?? 1,
  };
}
