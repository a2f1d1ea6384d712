// The ladder, climbed: from an opened dump to its kernel. Only what everything stands on is read at once, the rest when
// first asked for.
import { createRequire } from 'node:module';
import { openArchitecture } from '../arch/architectures.ts';
import type { DebugInfo, DebugInfoKind } from '../debuginfo/debug_info.ts';
import { debugInfoKinds } from '../debuginfo/debug_sources.ts';
import type { DebugFiles } from '../debuginfo/files/debug_files.ts';
import { Kallsyms } from '../debuginfo/kallsyms.ts';
import type { OrderedSymbols } from '../debuginfo/ordered_symbols.ts';
import { SymbolTable } from '../debuginfo/symbol_table.ts';
import type { Dump } from '../dump/dump.ts';
import { Vmcoreinfo } from '../dump/vmcoreinfo.ts';
import { findVmcoreinfo } from '../dump/vmcoreinfo_search.ts';
import { kernelBuildId, moduleBuildId } from './build_id.ts';
import { installExcludedPageJudge, installLiveGuard } from './excluded_pages.ts';
import { generatedCode } from './generated_code.ts';
import { Kernel } from './kernel.ts';
import type { Module } from './module.ts';
import { readModules } from './module_list.ts';
import { moduleSymbols } from './module_symbols.ts';
import { readCpus } from './percpu.ts';
import { readTasks } from './sched.ts';

/**
 * The kernel in a dump.
 * @param kinds the kinds of debug information to look for in the dump, best first
 * @param files debug information in files, for what the dump does not tell itself; null to do without
 * @throws FormatError when not even the kernel's page tables can be found; UnsupportedError for an
 *   architecture whose memory cannot be translated
 */
export function openKernel(
  dump: Dump,
  kinds: readonly DebugInfoKind[] = debugInfoKinds,
  files: DebugFiles | null = null,
): Kernel {
  const found = dump.notes.vmcoreinfo === null ? findVmcoreinfo(dump.memory) : null;
  const vmcoreinfo = new Vmcoreinfo(dump.notes.vmcoreinfo ?? found ?? '');
  const arch = openArchitecture(dump, vmcoreinfo);
  const kernel = new Kernel({
    dump,
    vmcoreinfo,
    vmcoreinfoFromMemory: found !== null,
    arch,
    space: arch.space,
    live: dump.live !== null,
    symbols: openSymbols,
    debugInfo: debugInfoOpener(files === null ? kinds : [...kinds, files]),
    debugFiles: files,
    modules: readModules,
    cpus: readCpus,
    tasks: readTasks,
  });
  installExcludedPageJudge(kernel);
  installLiveGuard(kernel);
  return kernel;
}

function openSymbols(kernel: Kernel): SymbolTable {
  const { arch, faults, space, vmcoreinfo } = kernel;
  const kallsyms = faults.attempt('kallsyms', () => Kallsyms.open(space, vmcoreinfo, arch.symbolSearch), null);
  const text = kallsyms?.find('_stext')?.address ?? vmcoreinfo.symbol('_stext') ?? arch.symbolSearch?.start ?? null;
  const start = kallsyms?.find('_etext')?.address ?? text;
  // every kernel has init_task; where its name is missing, so are all names of data
  const isWhole = kallsyms?.find('init_task') != null;
  const ofFile = isWhole ? null : faults.attempt('symbols of vmlinux', () => symbolsOfFile(kernel, kallsyms), null);
  const own =
    isWhole || ofFile !== null || text === null || start === null
      ? (ofFile ?? kallsyms)
      : searcher().searchSymbols(kernel, { kallsyms, text, start });
  arch.useSymbols((name) => own?.find(name)?.address ?? null);
  return new SymbolTable(
    own,
    () => faults.attempt('module symbols', () => moduleSymbols(kernel), []),
    () => generatedCode(kernel).map(({ symbol }) => symbol),
  );
}

/** What finds symbols that a kernel hides: loaded for such a kernel alone. */
function searcher(): typeof import('./search_symbols.ts') {
  return createRequire(import.meta.url)('./search_symbols.ts');
}

/** The symbols of a vmlinux, for a dump that lacks some. */
function symbolsOfFile({ arch, debugFiles, vmcoreinfo }: Kernel, kallsyms: Kallsyms | null): OrderedSymbols | null {
  if (debugFiles === null) return null;
  const { release, buildId, kernelOffset } = vmcoreinfo;
  return debugFiles.symbols({
    machine: arch.name,
    release,
    buildId,
    kernelOffset,
    symbol: (name) => kallsyms?.find(name)?.address ?? vmcoreinfo.symbol(name),
  });
}

/** Opens each kind that there is; one that cannot be opened is a fault. */
export function debugInfoOpener(
  kinds: readonly DebugInfoKind[],
): (kernel: Kernel, module: Module | null) => readonly DebugInfo[] {
  const ofKernel = new Map<DebugInfoKind, DebugInfo>();
  return (kernel, module) => {
    if (module !== null) kernel.debugInfo(null);
    const infos: DebugInfo[] = [];
    for (const kind of kinds) {
      const info = kernel.faults.attempt(
        module === null ? kind.name : `debug information of module ${module.name}`,
        () =>
          kind.open({
            module,
            machine: kernel.arch.name,
            release: kernel.vmcoreinfo.release,
            buildId: module === null ? kernelBuildId(kernel) : moduleBuildId(module),
            kernelOffset: kernel.vmcoreinfo.kernelOffset,
            space: kernel.space,
            symbol: (name) => kernel.ownSymbol(name)?.address ?? null,
            symbols: () => (module === null ? [] : (kernel.symbols.ofModule(module.name) ?? [])),
            before: module === null ? infos.slice() : [...infos, ...kernel.debugInfo(null)],
            base: module === null ? null : (ofKernel.get(kind) ?? null),
            types: { find: (name) => kernel.types.find(name), all: () => kernel.types.all() },
          }),
        null,
      );
      if (info === null) continue;
      if (module === null) ofKernel.set(kind, info);
      infos.push(info);
    }
    return infos;
  };
}
