// The crashes of this machine: what each left behind, and which are to go.
import { rmSync } from 'node:fs';
import type { CaptureRecord } from './capture/record.ts';
import type { Retention } from './config/capture_config.ts';
import { type CrashFolder, crashFolders } from './crash_folders.ts';
import type { HostRoot } from './root.ts';

export interface Crash extends CrashFolder {
  /** One sentence; null where nothing analysed it. */
  readonly verdict: string | null;
  readonly signature: string | null;
  /** `complete`: all that was configured; `partial`: something is missing; `foreign`: another kdump saved it. */
  readonly state: 'complete' | 'partial' | 'foreign';
  readonly record: CaptureRecord | null;
}

/** The crashes in some folders, oldest first. */
export function readCrashes(root: HostRoot, folders: readonly string[]): readonly Crash[] {
  return [...new Set(folders)]
    .flatMap((folder) => crashFolders(root, folder))
    .map((folder): Crash => {
      const panic = (
        json(root, `${folder.path}/verdict.json`) as {
          readonly panic?: { readonly message?: unknown; readonly signature?: unknown };
        } | null
      )?.panic;
      const record = json(root, `${folder.path}/capture.json`) as CaptureRecord | null;
      const isCut = folder.files.some((name) => /incomplete|\.part$/.test(name));
      return {
        ...folder,
        verdict: typeof panic?.message === 'string' ? panic.message : null,
        signature: typeof panic?.signature === 'string' ? panic.signature : null,
        state:
          record === null
            ? isCut || folder.files.some((name) => name.startsWith('verdict.'))
              ? 'partial'
              : 'foreign'
            : record.isComplete === true && !isCut
              ? 'complete'
              : 'partial',
        record,
      };
    })
    .sort((a, b) => a.time - b.time);
}

function json(root: HostRoot, path: string): unknown {
  try {
    const value: unknown = JSON.parse(root.text(path) ?? 'null');
    return typeof value === 'object' ? value : null;
  } catch {
    return null; // cut: the machine died a second time
  }
}

/**
 * Crashes to be taken away: the oldest first, until what is left is within bounds. Of each kind the first and the last stay,
 * whatever the bounds are; a crash without a signature is of the same kind as all others without.
 * @param now ms since 1970
 */
export function toPrune(crashes: readonly Crash[], { number, days, size }: Retention, now: number): readonly Crash[] {
  const kinds = new Set(crashes.map(({ signature }) => signature));
  const kept = new Set(
    [...kinds].flatMap((kind) => {
      const isOfIt = ({ signature }: Crash): boolean => signature === kind;
      return [crashes.find(isOfIt), crashes.findLast(isOfIt)];
    }),
  );
  const gone: Crash[] = [];
  let count = crashes.length;
  let bytes = crashes.reduce((sum, crash) => sum + crash.bytes, 0);
  for (const crash of crashes) {
    const isOver =
      (number !== null && count > number) ||
      (size !== null && bytes > size) ||
      (days !== null && now - crash.time > days * 86_400_000);
    if (!isOver || kept.has(crash)) continue;
    gone.push(crash);
    count--;
    bytes -= crash.bytes;
  }
  return gone;
}

/** Takes a crash's folder away. */
export function pruneCrash(root: HostRoot, { path }: Crash): void {
  const place = root.place(path);
  if (place !== null) rmSync(place, { recursive: true });
}
