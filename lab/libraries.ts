// Which shared libraries a program needs, and where they lie, told from its ELF file: also for a machine whose programs
// cannot run here. Layout: gabi chapter 5, "Dynamic Linking".
import { existsSync, globSync, lstatSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** The program interpreter and all libraries that programs (paths inside `root`) need: where a loader looks for each, and its file. */
export function librariesOf(root: string, programs: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  const left = [...programs];
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    for (const wanted of needsOf(readFileSync(realInside(root, path)))) {
      const library = wanted.startsWith('/') ? wanted : libraryIn(root, wanted);
      if (library === null || found.has(library)) continue;
      found.set(library, realInside(root, library));
      left.push(library);
    }
  }
  return found;
}

/** Its interpreter (a path) and the names of its libraries; none for a program that is linked statically. */
export function needsOf(elf: Buffer): string[] {
  const segments = Array.from({ length: elf.readUInt16LE(56) }, (_, i) => {
    const at = Number(elf.readBigUInt64LE(32)) + i * elf.readUInt16LE(54);
    const [offset = 0, address = 0, size = 0] = [8, 16, 32].map((field) => Number(elf.readBigUInt64LE(at + field)));
    return { kind: elf.readUInt32LE(at), offset, address, size };
  });
  const textAt = (offset: number) => elf.toString('latin1', offset, elf.indexOf(0, offset));
  const needs = segments.filter(({ kind }) => kind === 3).map(({ offset }) => textAt(offset)); // PT_INTERP
  const dynamic = segments.find(({ kind }) => kind === 2); // PT_DYNAMIC
  const entries = Array.from({ length: (dynamic?.size ?? 0) / 16 }, (_, i) => {
    const at = (dynamic?.offset ?? 0) + i * 16;
    return { tag: Number(elf.readBigUInt64LE(at)), value: Number(elf.readBigUInt64LE(at + 8)) };
  });
  const strings = entries.find(({ tag }) => tag === 5)?.value ?? 0; // DT_STRTAB
  const within = segments.find(
    ({ kind, address, size }) => kind === 1 && strings >= address && strings < address + size, // PT_LOAD
  );
  if (within === undefined) return needs;
  const table = strings - within.address + within.offset;
  return [...needs, ...entries.filter(({ tag }) => tag === 1).map(({ value }) => textAt(table + value))]; // DT_NEEDED
}

/** Where the loader finds a library: in the folder of its machine (Debian's multiarch). */
function libraryIn(root: string, name: string): string | null {
  const found = globSync(`usr/lib/*-linux-gnu*/${name}`, { cwd: root })[0];
  // The initrd has no merged /usr: a library lies where the loader looks for it first.
  return found === undefined ? null : `/${found.replace(/^usr\//, '')}`;
}

/** Follows symbolic links as they are inside `root`. */
export function realInside(root: string, path: string): string {
  let at = join(realpathSync(join(root, dirname(path))), basename(path));
  for (let i = 0; i < 8 && existsSync(dirname(at)) && lstatSync(at).isSymbolicLink(); i++) {
    const target = readlinkSync(at);
    at = target.startsWith('/') ? join(root, target) : join(dirname(at), target);
  }
  return at;
}
