// Debug information in files: which file is taken for the kernel and for each module, and why another one is not.
//
//   named on the command line -> must fit, or is not used and said so
//   found in the usual places -> the first that fits
import { FormatError, InquestError } from '../../base/errors.ts';
import { BtfTypes } from '../btf.ts';
import { BtfInfo } from '../btf_info.ts';
import type { DebugInfo, DebugInfoKind, DebugTarget } from '../debug_info.ts';
import { DwarfInfo } from '../dwarf/dwarf_info.ts';
import type { ElfFile } from '../elf/elf_file.ts';
import { ElfSymbols } from '../elf/symbols.ts';
import type { OrderedSymbols } from '../ordered_symbols.ts';
import { dwarfOf } from './debug_link.ts';
import { kernelSymbols } from './kernel_symbols.ts';
import { type LoadedSections, loadedSections } from './loaded_sections.ts';
import { openObjectFile, type Tell } from './object_file.ts';
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

/** Names by which the place of a kernel in memory is compared with where it was linked. */
const anchors = ['_stext', '_text', 'schedule', '_etext'];
/** Longest `linux_banner`, in bytes. */
const maxBanner = 1024;

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
      let elf: ElfFile | null = null;
      try {
        elf = openObjectFile(path, tell);
        if (elf.kind === 'relocatable' || elf.machine !== kernel.machine) continue;
        if (!force) checkBuildId(elf, kernel.buildId, 'kernel');
        // a file that was only found must be known to fit
        if (vmlinux === null && (elf.buildId === null || kernel.buildId === null)) continue;
        const bias = biasOf(elf, kernel) ?? kernel.kernelOffset;
        const found = bias === null ? null : kernelSymbols(elf, bias);
        if (found !== null) return found;
      } catch (error) {
        if (vmlinux !== null || !(error instanceof InquestError)) throw error;
      } finally {
        elf?.close();
      }
    }
    return null;
  }

  /** Closes every file that was opened. What is asked of their debug information afterwards fails. */
  close(): void {
    for (const elf of this.opened) elf.close();
    this.opened.length = 0;
  }

  /** @throws InquestError for a file that cannot be read, is not what it should be, or has no debug information */
  private openFile(path: string, target: DebugTarget, mustFit: boolean): DebugInfo {
    const elf = openObjectFile(path, this.options.tell);
    try {
      if (elf.machine !== target.machine)
        throw new FormatError(path, `is for ${elf.machine}, the dump is of ${target.machine}`);
      const info =
        target.module === null
          ? this.kernelInfo(elf, target, mustFit)
          : this.moduleInfo(elf, target, target.module.name, mustFit);
      if (info === null) throw new FormatError(path, 'has no debug information');
      this.opened.push(elf);
      return info;
    } catch (error) {
      elf.close();
      throw error;
    }
  }

  private kernelInfo(elf: ElfFile, target: DebugTarget, mustFit: boolean): DebugInfo | null {
    if (elf.kind === 'relocatable') throw new FormatError(elf.path, 'is a module, not a kernel');
    if (mustFit) checkKernel(elf, target);
    const file = dwarfOf(elf, this.dirs, () => null, this.options.tell);
    if (file === null) return null;
    const bias = biasOf(elf, target) ?? biasOf(file.elf, target) ?? target.kernelOffset ?? 0n;
    return new DwarfInfo(file, baseName(elf.path), bias, completion(target));
  }

  private moduleInfo(elf: ElfFile, target: DebugTarget, name: string, mustFit: boolean): DebugInfo | null {
    if (elf.kind !== 'relocatable') throw new FormatError(elf.path, 'is not a module');
    if (mustFit) checkBuildId(elf, target.buildId, `module ${name}`);
    let sections: LoadedSections | null = null;
    const loaded = (): LoadedSections => (sections ??= loadedSections(elf, target.symbols()));
    if (mustFit && (elf.buildId === null || target.buildId === null)) {
      const { agree, differ } = loaded();
      if (differ > agree) {
        throw new FormatError(
          elf.path,
          `is of another build: ${differ} of ${agree + differ} symbols lie elsewhere in the dump`,
        );
      }
    }
    const file = dwarfOf(elf, this.dirs, (section) => loaded().addressOf(section), this.options.tell);
    if (file !== null) return new DwarfInfo(file, baseName(elf.path), 0n, completion(target));
    const btf = elf.section('.BTF');
    const base = target.before.findLast((info) => info instanceof BtfInfo);
    if (btf === null || base === undefined) return null;
    const content = elf.content(btf);
    return new BtfInfo(new BtfTypes(content.read(0, content.size), base.btf));
  }
}

/** Where a type is looked for that a file only declares. */
function completion(target: DebugTarget): {
  find(name: string): ReturnType<DebugTarget['types']['find']>;
  own: boolean;
} {
  const { before } = target;
  return {
    find(name) {
      for (const { types } of before) {
        const found = types.find(name);
        if (found !== null && found.kind !== 'incomplete') return found;
      }
      return null;
    },
    // what the kernel's BTF does not define is defined nowhere: no need to walk over the whole file for it
    own: target.module !== null || !before.some((info) => info instanceof BtfInfo),
  };
}

/** @throws FormatError for a file of another build */
function checkBuildId(elf: ElfFile, wanted: string | null, of: string): void {
  if (wanted === null || elf.buildId === null || elf.buildId === wanted) return;
  throw new FormatError(
    elf.path,
    `is of another build than the dump's ${of}: its build-id is ${elf.buildId}, that of the dump ${wanted}; not used`,
  );
}

function checkKernel(elf: ElfFile, target: DebugTarget): void {
  checkBuildId(elf, target.buildId, 'kernel');
  if (elf.buildId !== null && target.buildId !== null) return;
  // a kernel from before build-ids were told: its banner has version, host and time of the build
  const own = bannerOf(elf);
  const address = target.symbol('linux_banner');
  const banner = address === null ? null : target.space.cString(address, maxBanner);
  if (own !== null && banner !== null && own !== banner) {
    throw new FormatError(
      elf.path,
      `is of another build than the dump's kernel: it says "${own.trim()}", the dump "${banner.trim()}"; not used`,
    );
  }
}

function bannerOf(elf: ElfFile): string | null {
  const value = ElfSymbols.of(elf)?.value('linux_banner') ?? null;
  if (value === null) return null;
  const section = elf.sections.find(
    ({ address, fileSize }) => address !== 0n && value >= address && value < address + BigInt(fileSize),
  );
  return section === undefined ? null : elf.content(section).text(Number(value - section.address));
}

/** What is added to the addresses of a file to get those of the dump (KASLR); null where no symbol tells. */
function biasOf(elf: ElfFile, target: Pick<DebugTarget, 'symbol'>): bigint | null {
  const symbols = ElfSymbols.of(elf);
  if (symbols === null) return null;
  for (const name of anchors) {
    const loaded = target.symbol(name);
    const linked = loaded === null ? null : symbols.value(name);
    if (loaded !== null && linked !== null) return loaded - linked;
  }
  return null;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
