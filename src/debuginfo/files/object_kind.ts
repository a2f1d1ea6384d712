// Telling files with debug information from dumps, by their first bytes.
import { FormatError } from '../../base/errors.ts';
import { type ByteSource, FileSource, readUpTo } from '../../dump/byte_source.ts';
import { isElfObject } from '../elf/elf_object.ts';
import { packingOf } from '../elf/packing.ts';

const startSize = 64;

/**
 * What a file on a command line is: an object with debug information of the kernel or of a module; null for anything
 * else. A packed file is told by its name, which is not unpacked for it.
 */
export function objectKind(path: string): 'kernel' | 'module' | null {
  let source: ByteSource;
  try {
    source = new FileSource(path);
  } catch {
    return null; // opening it as what it is thought to be will say what is wrong with it
  }
  try {
    const start = readUpTo(source, 0, startSize);
    if (packingOf(start) !== null) {
      return /\.ko(\.debug)?\.\w+$/.test(path) ? 'module' : /vmlinux[^/]*\.\w+$/.test(path) ? 'kernel' : null;
    }
    if (!isElfObject(start)) return null;
    return (start[5] === 2 ? start[17] : start[16]) === 1 ? 'module' : 'kernel';
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  } finally {
    source.close();
  }
}
