// What is done after a panic: inquest's own configuration, /etc/inquest/kdump.toml, as data.
import type { PageCompression } from '../../dump/dump.ts';

/** Where dumps go. Paths are absolute, below the target's own root. */
export type Target =
  /** A folder on a file system: `UUID=`, `LABEL=` or a device; null for the one that holds the path in the running machine. */
  | {
      readonly kind: 'directory';
      readonly device: string | null;
      readonly fstype: string | null;
      readonly path: string;
    }
  /** A partition without a file system, read back at the next boot. */
  | { readonly kind: 'raw'; readonly device: string }
  | { readonly kind: 'nfs'; readonly source: string; readonly options: string | null; readonly path: string }
  | {
      readonly kind: 'ssh';
      readonly host: string;
      readonly port: number | null;
      readonly key: string;
      /** A known_hosts file; the host must be in it. */
      readonly knownHosts: string;
      readonly path: string;
    }
  /** Resumable uploads (tus 1.0.0). */
  | { readonly kind: 'https'; readonly url: string; readonly tokenFile: string | null; readonly caFile: string | null }
  | { readonly kind: 'virtiofs'; readonly tag: string; readonly path: string };

export type FinalAction = 'reboot' | 'halt' | 'poweroff';
/** `root`: the dump goes to the machine's root file system, then it reboots. */
export type FailureAction = FinalAction | 'shell' | 'root';

export interface CaptureConfig {
  /** In the order in which they are tried. */
  readonly targets: readonly Target[];
  /** The first target that takes the full dump is enough; else every target gets it. The verdict always goes to all. */
  readonly everyTarget: boolean;
  readonly mini: boolean;
  readonly full: boolean;
  /** What the full dump leaves out: bits of makedumpfile's -d. */
  readonly level: number;
  readonly compression: PageCompression;
  /** Seconds that a step may take. */
  readonly limits: { readonly verdict: number; readonly mini: number; readonly full: number; readonly target: number };
  readonly finalAction: FinalAction;
  readonly failureAction: FailureAction;
  /** `ADDRESS:PORT` to which the verdict is sent by UDP; null for nowhere. */
  readonly netconsole: string | null;
  /** Words for the capture kernel's command line, besides those that it gets anyway. */
  readonly append: string;
  readonly modules: readonly string[];
  /** Value of crashkernel=; null leaves it as it is. */
  readonly crashkernel: string | null;
  readonly retention: Retention;
}

/** Which crashes of this machine are kept; null: without such a bound. */
export interface Retention {
  readonly number: number | null;
  readonly days: number | null;
  /** Bytes. */
  readonly size: number | null;
}

export const defaultConfig: CaptureConfig = {
  targets: [{ kind: 'directory', device: null, fstype: null, path: '/var/crash' }],
  everyTarget: false,
  mini: true,
  full: true,
  level: 31,
  compression: 'zstd',
  limits: { verdict: 120, mini: 600, full: 7200, target: 90 },
  finalAction: 'reboot',
  failureAction: 'reboot',
  netconsole: null,
  append: '',
  modules: [],
  crashkernel: null,
  retention: { number: null, days: null, size: null },
};

/** One line that says where a target is. */
export function targetText(target: Target): string {
  switch (target.kind) {
    case 'directory':
      return target.device === null ? target.path : `${target.device}:${target.path}`;
    case 'raw':
      return `raw partition ${target.device}`;
    case 'nfs':
      return `nfs ${target.source}${target.path}`;
    case 'ssh':
      return `ssh ${target.host}${target.port === null ? '' : `:${target.port}`}:${target.path}`;
    case 'https':
      return target.url;
    case 'virtiofs':
      return `virtiofs ${target.tag}:${target.path}`;
  }
}
