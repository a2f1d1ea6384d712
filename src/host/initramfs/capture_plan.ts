// What the capture kernel is told: written into its initramfs as plan.json, so that nothing has to be found out after the panic.
import { hostname, networkInterfaces } from 'node:os';
import type { CaptureConfig, Target } from '../config/capture_config.ts';
import type { Host } from '../host.ts';
import { mountOf, readMounts } from '../storage.ts';
import type { TargetStack } from '../target_stack.ts';

/** How a network device is set up anew; it is known by its hardware address, since names may differ. */
export interface NetworkSetup {
  readonly mac: string;
  /** `ADDRESS/PREFIX`. */
  readonly addresses: readonly string[];
  readonly gateway: string | null;
}

/** One target, with what the running machine knew of it. */
export interface PlannedTarget {
  readonly target: Target;
  /** How its device is found: `UUID=...` or a device; null where there is none. */
  readonly device: string | null;
  readonly fstype: string | null;
  /** Folder below the mount point. */
  readonly path: string;
}

export interface CapturePlan {
  readonly release: string;
  readonly hostname: string;
  readonly config: CaptureConfig;
  readonly targets: readonly PlannedTarget[];
  /** The root file system, for the failure action `root`; null where it is not written to. */
  readonly root: PlannedTarget | null;
  readonly network: NetworkSetup | null;
  /** Whether logical volumes, and md arrays, must be put together. */
  readonly needsLvm: boolean;
  readonly needsMd: boolean;
}

/**
 * @param config of inquest itself
 * @param stacks of its targets, in their order
 */
export function capturePlan(host: Host, config: CaptureConfig, stacks: readonly TargetStack[]): CapturePlan {
  const devices = stacks.flatMap((stack) => stack.devices);
  const root: Target = { kind: 'directory', device: null, fstype: null, path: '/var/crash' };
  const rootMount = mountOf(readMounts(host.root), '/');
  return {
    release: host.release ?? '',
    hostname: host.root.isLive ? hostname() : (host.root.word('/etc/hostname') ?? 'localhost'),
    config,
    targets: config.targets.map((target, i) => planned(host, target, stacks[i]?.fstype ?? null)),
    root:
      config.failureAction === 'root' && /^(ext[234]|xfs)$/.test(rootMount?.type ?? '')
        ? planned(host, root, null)
        : null,
    network: stacks.some(({ network }) => network !== null) || config.netconsole !== null ? networkSetup(host) : null,
    needsLvm: devices.some(({ kind }) => kind === 'lvm'),
    needsMd: devices.some(({ kind }) => kind === 'md'),
  };
}

/** @param known its type of file system, where that was found out */
function planned(host: Host, target: Target, known: string | null): PlannedTarget {
  switch (target.kind) {
    case 'directory': {
      const mounts = readMounts(host.root);
      const real = host.root.canonical(target.path) ?? target.path;
      const mount = target.device === null ? mountOf(mounts, real) : null;
      const device = target.device ?? (mount === null ? null : (uuidOf(host, mount.source) ?? mount.source));
      const below =
        mount === null || mount.at === '/' ? (mount === null ? target.path : real) : real.slice(mount.at.length) || '/';
      return { target, device, fstype: target.fstype ?? known ?? mount?.type ?? null, path: below };
    }
    case 'raw':
      return { target, device: target.device, fstype: null, path: '/' };
    case 'nfs':
      return { target, device: target.source, fstype: 'nfs', path: target.path };
    case 'virtiofs':
      return { target, device: target.tag, fstype: 'virtiofs', path: target.path };
    case 'ssh':
      return { target, device: null, fstype: null, path: target.path };
    case 'https':
      return { target, device: null, fstype: null, path: '/' };
  }
}

/** `UUID=...` of a device, as udev links it. */
function uuidOf({ root }: Host, device: string): string | null {
  const real = root.canonical(device);
  if (real === null) return null;
  for (const uuid of root.list('/dev/disk/by-uuid'))
    if (root.canonical(`/dev/disk/by-uuid/${uuid}`) === real) return `UUID=${uuid}`;
  return null;
}

function networkSetup({ root }: Host): NetworkSetup | null {
  const lines = (root.text('/proc/net/route') ?? '').split('\n').map((line) => line.split('\t'));
  const route = lines.find(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000');
  const device = route?.[0];
  if (device === undefined || !root.isLive) return null;
  const addresses = (networkInterfaces()[device] ?? []).filter(
    ({ internal, cidr, scopeid }) => !internal && cidr !== null && (scopeid ?? 0) === 0,
  );
  const mac = root.word(`/sys/class/net/${device}/address`);
  if (mac === null || addresses.length === 0) return null;
  const gateway = route?.[2] ?? '00000000';
  // /proc/net/route has addresses as hexadecimal words of the machine's own byte order
  const bytes = [...Buffer.from(gateway, 'hex')].reverse();
  return {
    mac,
    addresses: addresses.map(({ cidr }) => cidr!),
    gateway: gateway === '00000000' ? null : bytes.join('.'),
  };
}

/** Where the plan lies in the initramfs. */
export const planPath = '/etc/inquest/plan.json';

/** Where hooks lie, in the machine and in the initramfs. */
export const hookFolder = '/etc/inquest/kdump.d';
