// The libraries that a program needs, as its ELF file names them, and where the loader finds them (ld.so(8)).
import type { HostRoot } from '../root.ts';

/** What an ELF file says of its loader and libraries. */
export interface DynamicNeeds {
  readonly interpreter: string | null;
  readonly needed: readonly string[];
  /** Folders that are searched first; `$ORIGIN` is the file's own. */
  readonly runPath: readonly string[];
}

const segment = { load: 1, dynamic: 2, interpreter: 3 } as const;
const tag = { end: 0, needed: 1, strings: 5, rpath: 15, runpath: 29 } as const;

/** Null for what is no 64-bit little-endian ELF file, or is damaged. */
export function dynamicNeeds(elf: Buffer): DynamicNeeds | null {
  if (elf.length < 64 || elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1) return null;
  const at = Number(elf.readBigUInt64LE(32));
  const size = elf.readUInt16LE(54);
  const count = elf.readUInt16LE(56);
  if (size < 56 || at + size * count > elf.length) return null;
  const segments = Array.from({ length: count }, (_, i) => {
    const here = at + i * size;
    const word = (offset: number): number => Number(elf.readBigUInt64LE(here + offset));
    return { kind: elf.readUInt32LE(here), offset: word(8), address: word(16), fileSize: word(32) };
  });
  const text = (offset: number): string => {
    const end = elf.indexOf(0, offset);
    return end < 0 || offset < 0 || end - offset > 4096 ? '' : elf.toString('utf8', offset, end);
  };
  const named = segments.find(({ kind }) => kind === segment.interpreter);
  const dynamic = segments.find(({ kind }) => kind === segment.dynamic);
  const interpreter = named === undefined ? null : text(named.offset);
  if (dynamic === undefined) return { interpreter, needed: [], runPath: [] };
  const entries: (readonly [number, number])[] = [];
  for (let i = dynamic.offset; i + 16 <= Math.min(elf.length, dynamic.offset + dynamic.fileSize); i += 16) {
    const key = Number(elf.readBigUInt64LE(i));
    if (key === tag.end) break;
    entries.push([key, Number(elf.readBigUInt64LE(i + 8))]);
  }
  const address = entries.find(([key]) => key === tag.strings)?.[1] ?? -1;
  const load = segments.find(
    (one) => one.kind === segment.load && address >= one.address && address < one.address + one.fileSize,
  );
  if (load === undefined) return null;
  const strings = address - load.address + load.offset;
  const of = (...keys: number[]): string[] =>
    entries.filter(([key]) => keys.includes(key)).map(([, value]) => text(strings + value));
  return {
    interpreter,
    needed: of(tag.needed),
    runPath: of(tag.runpath, tag.rpath).flatMap((path) => path.split(':')),
  };
}

export interface NeededFiles {
  /** Paths on the machine: libraries and loaders, as they are asked for. */
  readonly paths: readonly string[];
  readonly missing: readonly string[];
}

/** All libraries that programs need, and the libraries of those. */
export function librariesOf(root: HostRoot, programs: readonly string[]): NeededFiles {
  const paths = new Set<string>();
  const missing = new Set<string>();
  const folders = libraryFolders(root);
  const looked = new Set<string>();
  const look = (path: string): void => {
    const real = root.canonical(path);
    if (real === null || looked.has(real)) return;
    looked.add(real);
    const bytes = root.bytes(real, 1 << 30);
    const needs = bytes === null ? null : dynamicNeeds(bytes);
    if (needs === null) return;
    if (needs.interpreter !== null && needs.interpreter !== '') take(needs.interpreter);
    const own = real.slice(0, real.lastIndexOf('/'));
    const first = needs.runPath.map((folder) => folder.replaceAll(/\$\{?ORIGIN\}?/g, own));
    for (const name of needs.needed) {
      const found = [...first, ...folders].map((folder) => `${folder}/${name}`).find((one) => root.exists(one));
      if (found === undefined) missing.add(name);
      else take(found);
    }
  };
  const take = (path: string): void => {
    if (paths.has(path)) return;
    if (!root.exists(path)) {
      missing.add(path);
      return;
    }
    paths.add(path);
    look(path);
  };
  for (const program of programs) look(program);
  return { paths: [...paths].sort(), missing: [...missing].sort() };
}

function libraryFolders(root: HostRoot): readonly string[] {
  const listed = root
    .list('/etc/ld.so.conf.d')
    .flatMap((name) => (root.text(`/etc/ld.so.conf.d/${name}`) ?? '').split('\n'))
    .map((line) => line.trim())
    .filter((line) => line.startsWith('/'));
  return [...new Set([...listed, '/lib64', '/usr/lib64', '/lib', '/usr/lib'])];
}
