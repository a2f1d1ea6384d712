// Lines of the kernel's source, from a folder that the user named or from where the compiler had them.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { isAbsolute, join, normalize } from 'node:path';
import type { SourceLine } from '../../debuginfo/debug_info.ts';

/** Largest source file that is read, in bytes. */
const largest = 64 * 1024 * 1024;

/** Path of a source file as it stands in the kernel's source tree, where that can be told. */
export function pathInTree({ file, folder }: Pick<SourceLine, 'file' | 'folder'>): string {
  return folder === '' ? file : normalize(file.slice(folder.length + 1));
}

/**
 * The lines of a source file.
 * @param src folder of the source; null to look where the compiler had it
 * @returns null where it is not there
 */
export function sourceText(line: Pick<SourceLine, 'file' | 'folder'>, src: string | null): readonly string[] | null {
  const path = candidates(line, src).find((candidate) => existsSync(candidate) && statSync(candidate).isFile());
  if (path === undefined || statSync(path).size > largest) return null;
  return readFileSync(path, 'utf8').split(/\r?\n/);
}

/** The path below the folder, then with more and more of its first parts left out: trees are moved about. */
function candidates(line: Pick<SourceLine, 'file' | 'folder'>, src: string | null): string[] {
  if (src === null) return isAbsolute(line.file) ? [line.file] : [];
  const parts = pathInTree(line)
    .split('/')
    .filter((part) => part !== '' && part !== '.');
  // names come from the debug information: they must not lead out of the folder
  if (parts.includes('..')) return [];
  return parts.map((_, i) => join(src, ...parts.slice(i)));
}
