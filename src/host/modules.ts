// Modules of a release: their files, what they need, and what is built into the kernel (what depmod wrote).
import type { HostRoot } from './root.ts';

/** A module's name as the kernel has it, from a file's path or a driver's name. */
export function moduleName(path: string): string {
  return path
    .replace(/^.*\//, '')
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_');
}

export class ModuleTree {
  /** `/lib/modules/RELEASE`. */
  readonly folder: string;
  readonly #files = new Map<string, { readonly path: string; readonly needs: readonly string[] }>();
  readonly #builtin: ReadonlySet<string>;
  readonly #soft = new Map<string, readonly string[]>();

  private constructor(root: HostRoot, folder: string, dependencies: string) {
    this.folder = folder;
    for (const line of dependencies.split('\n')) {
      const [path, needs] = line.split(':');
      if (path === undefined || needs === undefined) continue;
      this.#files.set(moduleName(path), { path, needs: needs.trim().split(/\s+/).filter(Boolean).map(moduleName) });
    }
    this.#builtin = new Set((root.text(`${folder}/modules.builtin`) ?? '').split('\n').map(moduleName));
    for (const [, name, words] of (root.text(`${folder}/modules.softdep`) ?? '').matchAll(/^softdep (\S+) (.*)$/gm)) {
      this.#soft.set(
        moduleName(name!),
        words!
          .split(/\s+/)
          .filter((word) => word !== '' && !word.endsWith(':'))
          .map(moduleName),
      );
    }
  }

  /** Null where a release has no modules, or depmod did not run. */
  static of(root: HostRoot, release: string): ModuleTree | null {
    const folder = `/lib/modules/${release}`;
    const dependencies = root.text(`${folder}/modules.dep`);
    return dependencies === null ? null : new ModuleTree(root, folder, dependencies);
  }

  /** Path of a module's file below the folder; null if there is none. */
  file(name: string): string | null {
    return this.#files.get(moduleName(name))?.path ?? null;
  }

  isBuiltIn(name: string): boolean {
    return this.#builtin.has(moduleName(name));
  }

  /**
   * Modules and all that they need, each behind what it needs: the order in which to load them. What is built in is left
   * out; what is neither built in nor there is in `missing`.
   */
  closure(names: Iterable<string>): { readonly order: readonly string[]; readonly missing: readonly string[] } {
    const order: string[] = [];
    const missing: string[] = [];
    const seen = new Set<string>();
    const add = (name: string, isWanted: boolean): void => {
      if (seen.has(name)) return;
      seen.add(name);
      const found = this.#files.get(name);
      if (found === undefined) {
        if (isWanted && !this.#builtin.has(name)) missing.push(name);
        return;
      }
      for (const need of found.needs) add(need, true);
      for (const need of this.#soft.get(name) ?? []) add(need, false);
      order.push(name);
    };
    for (const name of names) add(moduleName(name), true);
    return { order, missing };
  }
}
