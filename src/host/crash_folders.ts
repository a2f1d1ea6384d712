// The crashes that lie in a folder: one folder each, whoever saved them.
import type { HostRoot } from './root.ts';

export interface CrashFolder {
  /** The folder's name. */
  readonly id: string;
  readonly path: string;
  /** ms since 1970: of the newest file. */
  readonly time: number;
  readonly bytes: number;
  readonly files: readonly string[];
}

/** Files by which a folder is known to hold a crash (kdump-utils, kdump-tools, SUSE's kdump, inquest). */
const crashFiles = /^(vmcore|dump\.|dmesg\.|vmcore-dmesg|verdict\.)/;

/** Oldest first. */
export function crashFolders(root: HostRoot, folder: string): readonly CrashFolder[] {
  return root
    .list(folder)
    .flatMap((id) => {
      const path = `${folder}/${id}`;
      const files = root.list(path);
      if (!files.some((name) => crashFiles.test(name))) return [];
      const of = (read: (path: string) => number | null): readonly number[] =>
        files.map((name) => read(`${path}/${name}`) ?? 0);
      return [
        {
          id,
          path,
          files,
          time: Math.max(...of((one) => root.changed(one))),
          bytes: of((one) => root.size(one)).reduce((sum, n) => sum + n, 0),
        },
      ];
    })
    .sort((a, b) => a.time - b.time || (a.id < b.id ? -1 : 1));
}
