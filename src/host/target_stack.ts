// What the capture kernel needs to reach a target: modules and programs, found by what drives it in the running machine.
import { assertNever } from '../base/errors.ts';
import type { Target } from './config/capture_config.ts';
import type { HostRoot } from './root.ts';
import {
  type BlockDevice,
  deviceName,
  deviceStack,
  driverModules,
  filesystemModules,
  type Mount,
  mountOf,
  readMounts,
} from './storage.ts';

export interface TargetStack {
  readonly target: Target;
  /** The file system of a directory, mounted; null where there is none, or it is not mounted. */
  readonly mount: Mount | null;
  /** Devices below it, the uppermost first. */
  readonly devices: readonly BlockDevice[];
  /** The type of file system to mount; null for a raw partition, SSH and HTTPS. */
  readonly fstype: string | null;
  readonly modules: readonly string[];
  readonly programs: readonly string[];
  /** The network device that leads out, where it is over the network. */
  readonly network: string | null;
  /** Why it cannot be a target. */
  readonly problems: readonly string[];
}

/** File systems that the capture kernel writes to, and that were tried. */
const fileSystems = ['ext2', 'ext3', 'ext4', 'xfs'];
const notWritten: Readonly<Record<string, string>> = {
  btrfs: 'btrfs takes several hundred MiB of memory to mount after a crash',
  zfs: 'zfs is no part of the kernel, and takes more memory than is reserved',
  tmpfs: 'tmpfs is lost with the next boot',
  ramfs: 'ramfs is lost with the next boot',
  overlay: 'overlay is a container: name the device below it',
  fuse: 'a file system in user space is not there in the capture kernel',
};

export function targetStack(root: HostRoot, target: Target): TargetStack {
  const none = {
    target,
    mount: null,
    devices: [],
    fstype: null,
    modules: [],
    programs: [],
    network: null,
    problems: [],
  };
  switch (target.kind) {
    case 'directory':
      return directoryStack(root, target);
    case 'raw': {
      const devices = stackOf(root, target.device);
      const mounted = readMounts(root).find(({ source }) => source === target.device);
      const problems = [
        ...(devices.length === 0 && root.exists('/sys/class/block') ? [`${target.device} is not there`] : []),
        ...(mounted === undefined
          ? []
          : [`${target.device} is mounted at ${mounted.at}: its file system would be overwritten`]),
      ];
      return { ...none, devices, modules: modulesOf(devices), programs: programsOf(devices), problems };
    }
    case 'nfs':
      return {
        ...none,
        ...network(root),
        fstype: 'nfs',
        modules: [...network(root).modules, ...filesystemModules('nfs')],
        programs: ['mount.nfs'],
      };
    case 'ssh':
      return {
        ...none,
        ...network(root),
        programs: ['ssh'],
        problems: missingFiles(root, [target.key, target.knownHosts]),
      };
    case 'https':
      return { ...none, ...network(root), problems: missingFiles(root, [target.tokenFile, target.caFile]) };
    case 'virtiofs':
      return { ...none, fstype: 'virtiofs', modules: ['virtio_pci', 'virtiofs'] };
    default:
      return assertNever(target);
  }
}

function directoryStack(root: HostRoot, target: Target & { readonly kind: 'directory' }): TargetStack {
  const mounts = readMounts(root);
  const named = target.device === null ? null : deviceName(root, target.device);
  const mount =
    target.device === null
      ? mountOf(mounts, root.canonical(target.path) ?? target.path)
      : (mounts.find(
          ({ source, device }) =>
            source === target.device || (named !== null && device !== null && deviceName(root, device) === named),
        ) ?? null);
  const device = target.device ?? mount?.device ?? mount?.source ?? null;
  const devices = device === null ? [] : stackOf(root, device, mount?.source);
  const fstype = target.fstype ?? mount?.type ?? null;
  const problems: string[] = [];
  if (target.device !== null && named === null && root.exists('/sys/class/block'))
    problems.push(`${target.device} is not there`);
  if (fstype !== null && !fileSystems.includes(fstype)) {
    const why = notWritten[fstype.split('.')[0]!] ?? 'it was never tried';
    problems.push(`${fstype} is not written to: ${why}`);
  }
  if (target.fstype !== null && mount !== null && mount.type !== target.fstype)
    problems.push(`it is said to be ${target.fstype}, and is ${mount.type}`);
  for (const { kind, name, detail } of devices) {
    if (kind === 'crypt')
      problems.push(`${name} is encrypted (${detail ?? 'LUKS'}): the capture kernel has no key for it`);
    if (kind === 'loop') problems.push(`${name} is a loop device, which the capture kernel does not set up`);
    if (kind === 'multipath') problems.push(`${name} is a multipath device, which the capture kernel does not set up`);
  }
  const fs = fstype === null ? [] : filesystemModules(fstype);
  return {
    target,
    mount,
    devices,
    fstype,
    modules: [...modulesOf(devices), ...fs],
    programs: programsOf(devices),
    network: null,
    problems,
  };
}

function stackOf(root: HostRoot, device: string, source?: string): readonly BlockDevice[] {
  const name = deviceName(root, device) ?? (source === undefined ? null : deviceName(root, source));
  return name === null ? [] : deviceStack(root, name);
}

function modulesOf(devices: readonly BlockDevice[]): readonly string[] {
  // the lowest is loaded first
  return [...new Set([...devices].reverse().flatMap(({ modules }) => modules))];
}

function programsOf(devices: readonly BlockDevice[]): readonly string[] {
  const kinds = new Set(devices.map(({ kind }) => kind));
  return [...(kinds.has('lvm') ? ['lvm'] : []), ...(kinds.has('md') ? ['mdadm'] : [])];
}

/** The device of the default route, and what drives it. */
function network(root: HostRoot): { readonly network: string | null; readonly modules: readonly string[] } {
  const route = (root.text('/proc/net/route') ?? '').split('\n').map((line) => line.split('\t'));
  const device =
    route.find(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000')?.[0] ?? null;
  if (device === null) return { network: null, modules: [] };
  const at = root.canonical(`/sys/class/net/${device}`);
  const drivers = at === null ? [] : driverModules(root, root.canonical(`${at}/device`) ?? at);
  const bus = drivers.some((module) => module.startsWith('virtio')) ? ['virtio_pci'] : [];
  return { network: device, modules: [...bus, ...drivers] };
}

function missingFiles(root: HostRoot, paths: readonly (string | null)[]): readonly string[] {
  return paths
    .filter((path): path is string => path !== null && !root.exists(path))
    .map((path) => `${path} is not there`);
}
