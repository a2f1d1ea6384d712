// Opening what the command line names: dumps, and files with debug information among them, in any order.

import { createRequire } from 'node:module';
import { limitsFor } from '../base/budget.ts';
import { FormatError, UsageError } from '../base/errors.ts';
import { escapeTerminal } from '../base/text.ts';
import { CommandContext } from '../commands/context.ts';
import { debugInfoKinds } from '../debuginfo/debug_sources.ts';
import { DebugFiles } from '../debuginfo/files/debug_files.ts';
import type { Tell } from '../debuginfo/files/object_file.ts';
import { objectKind } from '../debuginfo/files/object_kind.ts';
import type { Dump } from '../dump/dump.ts';
import { openDump } from '../dump/open.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { openKernel } from '../kernel/open_kernel.ts';
import { type DebugOptions, noDebugOptions } from './debug_options.ts';
import { writeError } from './output.ts';

/** Loads what few runs need. */
const require = createRequire(import.meta.url);

/** What the files of a command line are. */
export interface NamedFiles {
  readonly dumps: readonly string[];
  readonly vmlinux: string | null;
  readonly modules: readonly string[];
}

/**
 * Tells dumps, a vmlinux and modules apart by what is in them, as crash(8) takes them in any order.
 * @throws FormatError if there is no dump; UsageError for more than one vmlinux
 */
export function sortFiles(files: readonly string[], { vmlinux: option }: DebugOptions = noDebugOptions): NamedFiles {
  const dumps: string[] = [];
  const kernels = option === null ? [] : [option];
  const modules: string[] = [];
  for (const file of files) {
    const kind = objectKind(file);
    (kind === null ? dumps : kind === 'kernel' ? kernels : modules).push(file);
  }
  if (kernels.length > 1) throw new UsageError(`more than one kernel was named: ${kernels.join(', ')}`);
  if (dumps.length === 0)
    throw new FormatError(files.join(', '), 'a kernel or module with debug information, and no dump');
  return { dumps, vmlinux: kernels[0] ?? null, modules };
}

/** The dump among the files named. @throws InquestError if there is none, or it cannot be read */
export function openNamedDump(files: readonly string[]): Dump {
  return openDump(sortFiles(files).dumps);
}

/** The files with debug information that were named, and the usual places. @throws InquestError for a named file that is no such file */
export function namedDebugFiles({ vmlinux, modules }: NamedFiles, options: DebugOptions): DebugFiles {
  const tell: Tell = (sentence) => writeError(`inquest: ${escapeTerminal(sentence)}\n`);
  const named = [...(vmlinux === null ? [] : [vmlinux]), ...modules];
  if (named.length > 0) {
    const { openObjectFile } =
      require('../debuginfo/files/object_file.ts') as typeof import('../debuginfo/files/object_file.ts');
    for (const path of named) openObjectFile(path, tell).close();
  }
  return new DebugFiles({
    vmlinux,
    modules,
    dirs: options.dirs,
    force: options.force,
    fetch: options.debuginfod ? debuginfodFetch(tell) : null,
    tell,
  });
}

/** Asks the servers of DEBUGINFOD_URLS for a build-id. @returns the path of what was fetched; null if no server has it */
function debuginfodFetch(tell: Tell): (buildId: string) => string | null {
  const { debuginfodConfig, fetchDebugInfo, notThere } =
    require('../debuginfo/files/debuginfod.ts') as typeof import('../debuginfo/files/debuginfod.ts');
  const config = debuginfodConfig(process.env);
  return (buildId) => {
    const fetched = fetchDebugInfo(config, buildId, tell);
    if ('path' in fetched) return fetched.path;
    if (fetched.problem !== notThere) tell(`debug information with build-id ${buildId}: ${fetched.problem}`);
    return null;
  };
}

/** As `openNamedDump`, with the kernel in it and its debug information. */
export function openNamedKernel(files: readonly string[], options: DebugOptions = noDebugOptions): Kernel {
  return openSorted(sortFiles(files, options), options);
}

function openSorted(named: NamedFiles, options: DebugOptions): Kernel {
  return openBudgeted(openDump(named.dumps), options.budget, namedDebugFiles(named, options));
}

/** As `openKernel`; the work that the dump makes is limited by its size. @param times `--budget` */
export function openBudgeted(dump: Dump, times: number, files: DebugFiles | null = null): Kernel {
  const { work } = dump.memory;
  work.limit(limitsFor(dump.info.fileSize, times));
  return work.within(work.part('opening the dump'), () => openKernel(dump, debugInfoKinds, files));
}

/** What commands on the files of a command line share. @throws as `openNamedKernel` */
export function openContext(files: readonly string[], options: DebugOptions): CommandContext {
  const named = sortFiles(files, options);
  const context = new CommandContext(openSorted(named, options));
  if (named.vmlinux !== null) context.variables.assign('namelist', named.vmlinux);
  context.src = options.src;
  return context;
}
