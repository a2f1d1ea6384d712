// Debug information that was moved out of a file: into a file of its own (.gnu_debuglink: its name, and a checksum),
// and what several such files have in common into one more (.gnu_debugaltlink: dwz's, a path and a build-id).
import { existsSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { InquestError } from '../../base/errors.ts';
import { DwarfFile } from '../dwarf/dwarf_file.ts';
import type { ElfFile } from '../elf/elf_file.ts';
import type { SectionAddress } from '../elf/relocations.ts';
import { openObjectFile, type Tell } from './object_file.ts';

/** Longest name in a link, in bytes. */
const maxName = 4096;

/** The path that the section of a link has, and what stands behind it; null without one. @throws FormatError */
function linkIn(elf: ElfFile, name: string): { path: string; rest: Uint8Array } | null {
  const section = elf.section(name);
  if (section === null || section.fileSize === 0) return null;
  const content = elf.content(section);
  const bytes = content.readUpTo(0, maxName);
  const end = bytes.indexOf(0);
  if (end <= 0) return null;
  return { path: Buffer.from(bytes.subarray(0, end)).toString('latin1'), rest: bytes.slice(end + 1) };
}

/** The first of some files that is an ELF object with a build-id (any, if none is asked for); null if none is. */
function firstWith(paths: readonly string[], buildId: string | null, tell: Tell): ElfFile | null {
  for (const path of paths) {
    if (!existsSync(path)) continue;
    try {
      const elf = openObjectFile(path, tell);
      if (buildId === null || elf.buildId === buildId) return elf;
      elf.close();
    } catch (error) {
      if (!(error instanceof InquestError)) throw error; // another file of that name
    }
  }
  return null;
}

/**
 * The DWARF of a file, or of the file that it was moved to.
 * @param dirs debug folders in which is looked besides the file's own
 * @returns null for a file that has none, and names none that is there
 * @throws FormatError for debug information that is damaged
 */
export function dwarfOf(
  elf: ElfFile,
  dirs: readonly string[],
  addressOf: SectionAddress,
  tell: Tell = () => {},
): DwarfFile | null {
  if (DwarfFile.isIn(elf)) return new DwarfFile(elf, addressOf, alternateOf(elf, dirs, tell));
  const link = linkIn(elf, '.gnu_debuglink');
  const names = link === null ? [] : [join(dirname(elf.path), link.path), join(dirname(elf.path), '.debug', link.path)];
  for (const dir of dirs) {
    if (link !== null) names.push(join(dir, dirname(elf.path), basename(link.path)), join(dir, basename(link.path)));
    if (elf.buildId !== null)
      names.push(join(dir, '.build-id', elf.buildId.slice(0, 2), `${elf.buildId.slice(2)}.debug`));
  }
  const moved = firstWith(
    names.filter((path) => path !== elf.path),
    elf.buildId,
    tell,
  );
  if (moved === null) return null;
  return DwarfFile.isIn(moved) ? new DwarfFile(moved, addressOf, alternateOf(moved, dirs, tell)) : null;
}

function alternateOf(elf: ElfFile, dirs: readonly string[], tell: Tell): DwarfFile | null {
  const link = linkIn(elf, '.gnu_debugaltlink');
  if (link === null) return null;
  const buildId = Buffer.from(link.rest).toString('hex');
  const paths = [isAbsolute(link.path) ? link.path : join(dirname(elf.path), link.path)];
  for (const dir of dirs) {
    paths.push(join(dir, link.path), join(dir, '.dwz', basename(link.path)));
    paths.push(join(dir, '.build-id', buildId.slice(0, 2), `${buildId.slice(2)}.debug`));
  }
  const found = firstWith(paths, buildId === '' ? null : buildId, tell);
  return found === null ? null : new DwarfFile(found);
}
