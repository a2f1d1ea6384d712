// What a kernel's and its modules' files say of code that a log names, without a dump: symbols where they were linked,
// modules at places of their own.

import { virtAddr } from '../base/address.ts';
import { InquestError, messageOf } from '../base/errors.ts';
import { escapeTerminal } from '../base/text.ts';
import { DwarfInfo } from '../debuginfo/dwarf/dwarf_info.ts';
import type { ElfFile } from '../debuginfo/elf/elf_file.ts';
import { sectionFlags } from '../debuginfo/elf/elf_section.ts';
import { ElfSymbols } from '../debuginfo/elf/symbols.ts';
import { dwarfOf } from '../debuginfo/files/debug_link.ts';
import { openObjectFile } from '../debuginfo/files/object_file.ts';
import { moduleName, searchKernel, searchModule, usualDirs } from '../debuginfo/files/search.ts';
import type { KnownSymbol, SourceLine, Symbolizer } from '../oops/symbolizer.ts';
import { writeError } from './output.ts';

/** Most bytes between functions: alignment, and what patching calls puts before a function. */
const maxPadding = 127;
/** Where modules are put: far from any kernel, each with room of its own. */
const modulesAt = 0xffff_f000_0000_0000n;
const moduleRoom = 1n << 36n;

interface OpenFile {
  readonly symbols: ElfSymbols;
  readonly info: DwarfInfo;
  /** Address of a section; 0 for the kernel, whose symbols are addresses. */
  readonly addressOf: (section: number) => bigint;
}

export class FileSymbolizer implements Symbolizer {
  private readonly kernel: OpenFile | null;
  private readonly modules = new Map<string, OpenFile | null>();
  private readonly named: ReadonlyMap<string, string>;
  private readonly dirs: readonly string[];
  private readonly release: string | null;

  /**
   * @param vmlinux null: only modules are known
   * @param modules files of modules
   * @param dirs folders that are searched for the files of other modules
   * @param release of the kernel, where the log tells it
   * @throws InquestError for a vmlinux that cannot be read, or has no debug information
   */
  constructor(vmlinux: string | null, modules: readonly string[], dirs: readonly string[], release: string | null) {
    this.dirs = [...dirs, ...usualDirs];
    this.release = release;
    this.named = new Map(modules.map((path) => [moduleName(path) ?? path, path]));
    this.kernel = vmlinux === null ? null : this.open(vmlinux, null);
  }

  /** For a kernel that a log names: its file is looked for. */
  static ofRelease(release: string, modules: readonly string[], dirs: readonly string[]): FileSymbolizer {
    const wanted = { release: release === '' ? null : release, buildId: null };
    for (const path of searchKernel([...dirs, ...usualDirs], wanted).found) {
      try {
        return new FileSymbolizer(path, modules, dirs, wanted.release);
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
      }
    }
    return new FileSymbolizer(null, modules, dirs, wanted.release);
  }

  find(name: string, module: string | null): readonly KnownSymbol[] {
    const file = module === null ? this.kernel : this.module(module);
    if (file === null) return [];
    return file.symbols
      .find(name)
      .map(({ value, size, section }) => ({ address: file.addressOf(section) + value, size, padding: maxPadding }));
  }

  source(address: bigint): readonly SourceLine[] {
    const file = this.fileAt(address);
    const at = virtAddr(address);
    const lines: SourceLine[] = [];
    let line = file?.info.code.line(at) ?? null;
    for (const inlined of file?.info.code.inlines(at) ?? []) {
      if (line !== null) lines.push({ file: line.file, line: line.line, function: inlined.name });
      line = inlined.calledAt;
    }
    if (line !== null) lines.push({ file: line.file, line: line.line });
    return lines;
  }

  private fileAt(address: bigint): OpenFile | null {
    const slot = Number((address - modulesAt) / moduleRoom);
    if (address < modulesAt || slot >= this.modules.size) return this.kernel;
    return [...this.modules.values()][slot] ?? null;
  }

  private module(name: string): OpenFile | null {
    let file = this.modules.get(name);
    if (file === undefined) {
      file = this.openModule(name);
      this.modules.set(name, file);
    }
    return file;
  }

  private openModule(name: string): OpenFile | null {
    const named = this.named.get(name);
    const place = modulesAt + BigInt(this.modules.size) * moduleRoom;
    const paths =
      named === undefined ? searchModule(this.dirs, name, { release: this.release, buildId: null }).found : [named];
    for (const path of paths) {
      try {
        return this.open(path, place);
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
        if (named !== undefined) writeError(`inquest: ${escapeTerminal(messageOf(error))}\n`);
      }
    }
    return null;
  }

  /** @param place where the sections of a module are put; null for the kernel */
  private open(path: string, place: bigint | null): OpenFile {
    const elf = openObjectFile(path);
    const addresses = place === null ? new Map<number, bigint>() : layOut(elf, place);
    const dwarf = dwarfOf(elf, this.dirs, (section) => addresses.get(section) ?? null);
    const symbols = ElfSymbols.of(elf);
    if (dwarf === null || symbols === null) throw new NoDebugInformation(path);
    const info = new DwarfInfo(dwarf, path, 0n);
    return { symbols, info, addressOf: (section) => addresses.get(section) ?? 0n };
  }
}

class NoDebugInformation extends InquestError {
  readonly code = 'no-debug-information';
  constructor(path: string) {
    super(`${path}: has no debug information`);
  }
}

/** Sections one behind the other. */
function layOut(elf: ElfFile, start: bigint): Map<number, bigint> {
  const addresses = new Map<number, bigint>();
  let next = start;
  for (const section of elf.sections) {
    if ((section.flags & sectionFlags.alloc) === 0) continue;
    addresses.set(section.index, next);
    next += (BigInt(section.size) + 0xffffn) & ~0xffffn;
  }
  return addresses;
}
