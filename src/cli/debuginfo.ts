// `inquest debuginfo`: which debug information a dump needs, what there is of it, where it was looked for, and which
// package has it.
import { UsageError } from '../base/errors.ts';
import { escapeTerminal } from '../base/text.ts';
import { toJson } from '../commands/command.ts';
import { cacheFolder, clearCache } from '../debuginfo/elf/unpacked_cache.ts';
import type { Considered, SearchResult } from '../debuginfo/files/debug_files.ts';
import { type DebugPackage, debugPackage } from '../debuginfo/files/packages.ts';
import { kernelBuildId } from '../kernel/build_id.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { DebugOptions } from './debug_options.ts';
import { openNamedKernel } from './open.ts';
import { writeOut } from './output.ts';

/** What is known of one file's worth of debug information. */
export interface Needed {
  /** The module; null for the kernel. */
  readonly module: string | null;
  readonly buildId: string | null;
  /** The file that is used; null for none. */
  readonly file: string | null;
  /** Files that were there, and why they are not used. */
  readonly refused: readonly Considered[];
  /** Paths that were looked at. */
  readonly looked: readonly string[];
}

export interface DebugInfoData {
  readonly release: string | null;
  /** Debug information in the dump itself. */
  readonly inDump: readonly string[];
  readonly kernel: Needed;
  readonly modules: readonly Needed[];
  readonly package: DebugPackage | null;
}

/** @returns 0 if there is some for the kernel, 1 if not */
export function runDebugInfo(
  files: readonly string[],
  options: DebugOptions & { readonly json: boolean; readonly clearCache: boolean },
): number {
  if (options.clearCache) {
    writeOut(`${(clearCache() / 2 ** 20).toFixed(1)} MiB taken away from ${escapeTerminal(cacheFolder())}\n`);
    if (files.length === 0) return 0;
  }
  if (files.length === 0) throw new UsageError('name a dump');
  const kernel = openNamedKernel(files, options);
  const data = kernel.faults.collect(() => collect(kernel)).value;
  writeOut(options.json ? `${toJson(data, 2)}\n` : asText(data));
  return data.kernel.file === null ? 1 : 0;
}

function collect(kernel: Kernel): DebugInfoData {
  const infos = kernel.debugInfo(null);
  const modules = kernel.modules.map((module) => {
    kernel.debugInfo(module);
    return needed(kernel.debugFiles?.search(module.name) ?? null, module.name, null);
  });
  const { release } = kernel.vmcoreinfo;
  return {
    release,
    inDump: infos.filter(({ code }) => code === null).map(({ origin }) => origin),
    kernel: needed(kernel.debugFiles?.search(null) ?? null, null, kernelBuildId(kernel)),
    modules,
    package: release === null ? null : debugPackage(release, banner(kernel)),
  };
}

function needed(search: SearchResult | null, module: string | null, buildId: string | null): Needed {
  const considered = search?.considered ?? [];
  return {
    module,
    buildId: search?.wanted.buildId ?? buildId,
    file: considered.find(({ problem }) => problem === null)?.path ?? null,
    refused: considered.filter(({ problem }) => problem !== null),
    looked: search?.looked ?? [],
  };
}

function banner(kernel: Kernel): string {
  const address = kernel.ownSymbol('linux_banner')?.address;
  return address === undefined
    ? ''
    : (kernel.faults.attempt('linux_banner', () => kernel.space.cString(address, 1024), '') ?? '');
}

function asText({ release, inDump, kernel, modules, package: found }: DebugInfoData): string {
  const lines: string[] = [];
  const row = (label: string, value: string): void => {
    lines.push(`${label.padStart(10)}  ${escapeTerminal(value)}`);
  };
  row('kernel', release ?? 'of a release that is not told');
  row('build-id', kernel.buildId ?? 'not told');
  row(
    'in dump',
    inDump.length === 0
      ? 'no types'
      : `types (${inDump.join(', ')}), symbols: enough for all but source lines and variables of functions`,
  );
  row('vmlinux', kernel.file ?? 'none found');
  for (const { path, problem } of kernel.refused)
    row('', `not used: ${problem!.startsWith(path) ? problem! : `${path}: ${problem}`}`);
  const have = modules.filter(({ file }) => file !== null);
  row(
    'modules',
    `${modules.length} loaded, debug information for ${have.length === modules.length ? 'all' : have.length}`,
  );
  for (const { module, file } of have.slice(0, 10)) row('', `${module}  ${file}`);
  if (have.length > 10) row('', `and ${have.length - 10} more`);
  for (const { module, refused } of modules)
    for (const { problem } of refused) row('', `${module} not used: ${problem}`);
  if (kernel.file === null) {
    if (found !== null) {
      row('package', `${found.name} (${found.distribution})`);
      row('install', found.install);
    } else row('package', 'of no distribution that is known here: take the vmlinux from where the kernel was built');
    row('or', '--vmlinux FILE, --debug-dir DIR, or --debuginfod with DEBUGINFOD_URLS set');
    for (const [i, path] of kernel.looked.entries()) row(i === 0 ? 'looked at' : '', path);
  }
  return `${lines.join('\n')}\n`;
}
