// One file with debug information: whether it fits the kernel or module in the dump, and what it tells of it.
import { FormatError } from '../../base/errors.ts';
import { BtfTypes } from '../btf.ts';
import { BtfInfo } from '../btf_info.ts';
import type { DebugInfo, DebugTarget } from '../debug_info.ts';
import { DwarfInfo } from '../dwarf/dwarf_info.ts';
import type { ElfFile } from '../elf/elf_file.ts';
import { ElfSymbols } from '../elf/symbols.ts';
import type { OrderedSymbols } from '../ordered_symbols.ts';
import { dwarfOf } from './debug_link.ts';
import { kernelSymbols } from './kernel_symbols.ts';
import { type LoadedSections, loadedSections } from './loaded_sections.ts';
import { openObjectFile, type Tell } from './object_file.ts';
import type { Wanted } from './search.ts';

/** Names by which the place of a kernel in memory is compared with where it was linked. */
const anchors = ['_stext', '_text', 'schedule', '_etext'];
/** Longest `linux_banner`, in bytes. */
const maxBanner = 1024;

/** How a file is opened. */
export interface Opening {
  /** Folders in which files are looked for that this one refers to. */
  readonly dirs: readonly string[];
  /** Refuse a file of another build. */
  readonly mustFit: boolean;
  readonly tell: Tell;
}

/**
 * What a file tells of a kernel or module.
 * @returns also the opened file, which whoever asked closes
 * @throws InquestError for a file that cannot be read, is not what it should be, or has no debug information
 */
export function openDebugFile(
  path: string,
  target: DebugTarget,
  opening: Opening,
): { readonly info: DebugInfo; readonly elf: ElfFile } {
  const elf = openObjectFile(path, opening.tell);
  try {
    if (elf.machine !== target.machine)
      throw new FormatError(path, `is for ${elf.machine}, the dump is of ${target.machine}`);
    const info =
      target.module === null ? kernelInfo(elf, target, opening) : moduleInfo(elf, target, target.module.name, opening);
    if (info === null) throw new FormatError(path, 'has no debug information');
    return { info, elf };
  } catch (error) {
    elf.close();
    throw error;
  }
}

/**
 * The symbols of a kernel's file; null for one that is no kernel, or not known to fit.
 * @param found whether the file was only found, not named: it must be known to fit
 * @throws InquestError for a file that cannot be read, or is of another build
 */
export function fileSymbols(
  path: string,
  kernel: Wanted & Pick<DebugTarget, 'machine' | 'kernelOffset' | 'symbol'>,
  { mustFit, found, tell }: Omit<Opening, 'dirs'> & { readonly found: boolean },
): OrderedSymbols | null {
  const elf = openObjectFile(path, tell);
  try {
    if (elf.kind === 'relocatable' || elf.machine !== kernel.machine) return null;
    if (mustFit) checkBuildId(elf, kernel.buildId, 'kernel');
    if (found && (elf.buildId === null || kernel.buildId === null)) return null;
    const bias = biasOf(elf, kernel) ?? kernel.kernelOffset;
    return bias === null ? null : kernelSymbols(elf, bias);
  } finally {
    elf.close();
  }
}

function kernelInfo(elf: ElfFile, target: DebugTarget, { dirs, mustFit, tell }: Opening): DebugInfo | null {
  if (elf.kind === 'relocatable') throw new FormatError(elf.path, 'is a module, not a kernel');
  if (mustFit) checkKernel(elf, target);
  const file = dwarfOf(elf, dirs, () => null, tell);
  if (file === null) return null;
  const bias = biasOf(elf, target) ?? biasOf(file.elf, target) ?? target.kernelOffset ?? 0n;
  return new DwarfInfo(file, baseName(elf.path), bias, completion(target));
}

function moduleInfo(
  elf: ElfFile,
  target: DebugTarget,
  name: string,
  { dirs, mustFit, tell }: Opening,
): DebugInfo | null {
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
  const file = dwarfOf(elf, dirs, (section) => loaded().addressOf(section), tell);
  if (file !== null) return new DwarfInfo(file, baseName(elf.path), 0n, completion(target));
  const btf = elf.section('.BTF');
  const base = target.before.findLast((info) => info instanceof BtfInfo);
  if (btf === null || base === undefined) return null;
  const content = elf.content(btf);
  return new BtfInfo(new BtfTypes(content.read(0, content.size), base.btf));
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
