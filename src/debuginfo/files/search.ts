// Where debug information of a kernel and its modules usually lies.
//
//   DIR/boot/vmlinux-R          DIR/lib/modules/R/vmlinux        DIR/lib/modules/R/**/NAME.ko[.debug]
//   DIR/.build-id/ab/cdef.debug                                   each also packed: .xz .zst .gz
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Places by which all distributions go: debug packages, and what was built and installed here. */
export const usualDirs: readonly string[] = ['/usr/lib/debug', '/'];

const packings = ['', '.xz', '.zst', '.gz'];
/** Most folders of one tree of modules. */
const mostFolders = 20_000;

/** What is looked for. */
export interface Wanted {
  /** `uname -r`; null if not known. */
  readonly release: string | null;
  /** GNU build-id in hexadecimal; null if not known. */
  readonly buildId: string | null;
}

/** The files that there are, likeliest first, and every path that was looked at. */
export interface Search {
  readonly found: readonly string[];
  readonly looked: readonly string[];
}

/** Files that may have the kernel's debug information. Nothing is opened. @param dirs in which is looked, in this order */
export function searchKernel(dirs: readonly string[], { release, buildId }: Wanted): Search {
  const paths: string[] = [];
  for (const dir of dirs) {
    if (buildId !== null) paths.push(buildIdPath(dir, buildId));
    if (release === null) {
      if (!usualDirs.includes(dir)) paths.push(join(dir, 'vmlinux'));
      continue;
    }
    paths.push(
      join(dir, 'boot', `vmlinux-${release}`), // Debian, Ubuntu
      join(dir, 'lib/modules', release, 'vmlinux'), // Fedora, RHEL; before `/usr` was merged
      join(dir, 'usr/lib/modules', release, 'vmlinux'),
      join(dir, 'lib/modules', release, 'vmlinux.debug'), // SUSE
      join(dir, 'usr/lib/modules', release, 'vmlinux.debug'),
      join(dir, 'boot', `vmlinux-${release}.debug`),
      join(dir, 'lib/modules', release, 'build', 'vmlinux'), // a kernel that was built here
    );
    // a folder that was named is looked at as it is, too
    if (!usualDirs.includes(dir)) {
      paths.push(
        join(dir, 'usr/lib/debug/boot', `vmlinux-${release}`),
        join(dir, 'usr/lib/debug/lib/modules', release, 'vmlinux'),
      );
      paths.push(join(dir, `vmlinux-${release}`), join(dir, 'vmlinux'), join(dir, 'vmlinux.debug'));
    }
  }
  return existing(paths);
}

/** Files that may have a module's debug information. Its name may be written with `-` or `_` in file names. */
export function searchModule(dirs: readonly string[], name: string, { release, buildId }: Wanted): Search {
  const looked: string[] = [];
  const found: string[] = [];
  for (const dir of dirs) {
    if (buildId !== null) {
      const byId = existing([buildIdPath(dir, buildId)]);
      looked.push(...byId.looked);
      found.push(...byId.found);
    }
    if (release !== null) {
      for (const tree of [
        join(dir, 'lib/modules', release),
        join(dir, 'usr/lib/modules', release),
        join(dir, 'usr/lib/debug/lib/modules', release),
      ]) {
        looked.push(join(tree, '**', `${name}.ko`));
        found.push(...(modulesIn(tree).get(name) ?? []));
      }
    }
    if (usualDirs.includes(dir)) continue;
    looked.push(join(dir, `${name}.ko`));
    found.push(...(filesIn(dir).get(name) ?? []));
  }
  // separated debug files before those that are loaded: only they are sure to have what is looked for
  const distinct = [...new Set(found)];
  return { found: distinct.sort((a, b) => Number(isDebug(b)) - Number(isDebug(a))), looked };
}

function isDebug(path: string): boolean {
  return path.includes('/debug/') || path.includes('.debug');
}

function buildIdPath(dir: string, buildId: string): string {
  const base = dir === '/' ? '/usr/lib/debug' : dir;
  return join(base, '.build-id', buildId.slice(0, 2), `${buildId.slice(2)}.debug`);
}

function existing(paths: readonly string[]): Search {
  const looked = [...new Set(paths)];
  const found = looked.flatMap((path) => packings.map((packing) => path + packing).filter((file) => existsSync(file)));
  return { found, looked };
}

/** Module files by module name. */
type Modules = ReadonlyMap<string, readonly string[]>;

const trees = new Map<string, Modules>();

/** The module files of a tree, read once. */
function modulesIn(tree: string): Modules {
  let known = trees.get(tree);
  if (known === undefined) {
    known = list(tree, true);
    trees.set(tree, known);
  }
  return known;
}

function filesIn(dir: string): Modules {
  return list(dir, false);
}

/** The module files in a folder and all below it: one of each module. */
export function modulesUnder(folder: string): ReadonlyMap<string, string> {
  return new Map(Array.from(list(folder, true), ([name, paths]) => [name, paths[0]!]));
}

function list(tree: string, recursive: boolean): Modules {
  const modules = new Map<string, string[]>();
  const folders = [tree];
  for (let i = 0; i < folders.length && i < mostFolders; i++) {
    const folder = folders[i]!;
    let entries: import('node:fs').Dirent[];
    try {
      entries = readdirSync(folder, { withFileTypes: true });
    } catch {
      continue; // not there, or not for us to read
    }
    for (const entry of entries) {
      if (entry.isDirectory()) {
        // `build` and `source` lead to whole source trees
        if (recursive) folders.push(join(folder, entry.name));
        continue;
      }
      const name = moduleName(entry.name);
      if (name === null) continue;
      const path = join(folder, entry.name);
      const same = modules.get(name);
      if (same === undefined) modules.set(name, [path]);
      else same.push(path);
    }
  }
  return modules;
}

/** The module that a file is of, by the file's name; null for other files. */
export function moduleName(file: string): string | null {
  const name = /^(?:.*\/)?([^/]+?)\.ko(?:\.debug)?(?:\.(?:xz|zst|gz))?$/.exec(file)?.[1];
  return name === undefined ? null : name.replaceAll('-', '_');
}
