// Debug information in files: which file is taken for the kernel and for each module, and why another one is not.
//
//   named on the command line -> must fit, or is not used and said so
//   found in the usual places -> the first that fits
import { createRequire } from 'node:module';
import { InquestError } from '../../base/errors.ts';
import type { DebugInfo, DebugInfoKind, DebugTarget } from '../debug_info.ts';
import type { ElfFile } from '../elf/elf_file.ts';
import type { OrderedSymbols } from '../ordered_symbols.ts';
import type { Tell } from './object_file.ts';
import { moduleName, searchKernel, searchModule, usualDirs, type Wanted } from './search.ts';

export interface DebugFileOptions {
  /** The kernel's file, where one was named. */
  readonly vmlinux: string | null;
  /** Files of modules that were named. */
  readonly modules: readonly string[];
  /** Folders that were named; the usual ones are looked at after them. */
  readonly dirs: readonly string[];
  /** Use named files even if they are of another build. */
  readonly force: boolean;
  /** Fetches by build-id, where that was asked for: path of the file, or null. */
  readonly fetch: ((buildId: string) => string | null) | null;
  readonly tell: Tell;
}

/** What became of a file that was looked at. */
export interface Considered {
  readonly path: string;
  /** Null if it is used. */
  readonly problem: string | null;
}

/** One search, for those who ask what was found and where it was looked. */
export interface SearchResult {
  /** The module; null for the kernel. */
  readonly module: string | null;
  readonly wanted: Wanted;
  readonly considered: readonly Considered[];
  readonly looked: readonly string[];
}

export class DebugFiles implements DebugInfoKind {
  readonly name = 'debug files';
  private readonly options: DebugFileOptions;
  private readonly dirs: readonly string[];
  /** Files of modules by module name, as they were named at the start. */
  private readonly named = new Map<string, string>();
  /** The same, as was said since: empty where none is to be used. */
  private readonly chosen = new Map<string, string>();
  private readonly searches = new Map<string, SearchResult>();
  private readonly opened: ElfFile[] = [];

  constructor(options: DebugFileOptions) {
    this.options = options;
    this.dirs = [...options.dirs, ...usualDirs];
    for (const path of options.modules) this.named.set(moduleName(path) ?? path, path);
  }

  /** Names the file of a module, or with null that none is to be used. Takes effect when it is opened the next time. */
  use(module: string, path: string | null): void {
    this.chosen.set(module, path ?? '');
  }

  /** Forgets what `use` said of a module. */
  reset(module: string): void {
    this.chosen.delete(module);
  }

  /** The file that is used for a module (null: the kernel), as far as it was opened; null for none. */
  used(module: string | null): string | null {
    return this.search(module)?.considered.find(({ problem }) => problem === null)?.path ?? null;
  }

  /** What was looked for and found when a module's (null: the kernel's) files were opened; null before that. */
  search(module: string | null): SearchResult | null {
    return this.searches.get(module ?? '') ?? null;
  }

  open(target: DebugTarget): DebugInfo | null {
    const name = target.module?.name ?? null;
    const wanted = { release: target.release, buildId: target.buildId };
    const named = name === null ? this.options.vmlinux : (this.chosen.get(name) ?? this.named.get(name) ?? null);
    const considered: Considered[] = [];
    let looked: readonly string[] = [];
    try {
      if (named === '') return null;
      if (named !== null) {
        try {
          const info = this.openFile(named, target, !this.options.force);
          considered.push({ path: named, problem: null });
          return info;
        } catch (error) {
          if (error instanceof InquestError) considered.push({ path: named, problem: error.message });
          throw error;
        }
      }
      const search = name === null ? searchKernel(this.dirs, wanted) : searchModule(this.dirs, name, wanted);
      looked = search.looked;
      const fetched =
        search.found.length === 0 && wanted.buildId !== null ? (this.options.fetch?.(wanted.buildId) ?? null) : null;
      for (const path of fetched === null ? search.found : [fetched]) {
        try {
          const info = this.openFile(path, target, true);
          considered.push({ path, problem: null });
          return info;
        } catch (error) {
          if (!(error instanceof InquestError)) throw error;
          considered.push({ path, problem: error.message });
        }
      }
      return null;
    } finally {
      this.searches.set(name ?? '', { module: name, wanted, considered, looked });
    }
  }

  /**
   * The symbols of the kernel's file, for a dump that does not tell its own; null where there is no file that fits.
   * @param kernel what is known of the kernel before its symbols are: `symbol` by VMCOREINFO, or what kallsyms has
   * @throws InquestError for a named file that cannot be read, or is of another build
   */
  symbols(kernel: Wanted & Pick<DebugTarget, 'machine' | 'kernelOffset' | 'symbol'>): OrderedSymbols | null {
    const { vmlinux, force, tell } = this.options;
    const paths = vmlinux === null ? searchKernel(this.dirs, kernel).found : [vmlinux];
    for (const path of paths) {
      try {
        const found = reader().fileSymbols(path, kernel, { mustFit: !force, found: vmlinux === null, tell });
        if (found !== null) return found;
      } catch (error) {
        if (vmlinux !== null || !(error instanceof InquestError)) throw error;
      }
    }
    return null;
  }

  /** Closes every file that was opened. What is asked of their debug information afterwards fails. */
  close(): void {
    for (const elf of this.opened) elf.close();
    this.opened.length = 0;
  }

  private openFile(path: string, target: DebugTarget, mustFit: boolean): DebugInfo {
    const { info, elf } = reader().openDebugFile(path, target, { dirs: this.dirs, mustFit, tell: this.options.tell });
    this.opened.push(elf);
    return info;
  }
}

/** What reads ELF and DWARF: loaded when there is a file, since most dumps are opened without any. */
function reader(): typeof import('./debug_file.ts') {
  return createRequire(import.meta.url)('./debug_file.ts');
}
