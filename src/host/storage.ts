// What lies below a file: the file system, the devices under it (LVM, md, LUKS, partitions), and the modules that drive them.
import { moduleName } from './modules.ts';
import type { HostRoot } from './root.ts';

/** A mounted file system. */
export interface Mount {
  readonly source: string;
  readonly at: string;
  readonly type: string;
  readonly options: readonly string[];
  /** `MAJOR:MINOR`; null where only /proc/mounts tells. */
  readonly device: string | null;
}

/** Mounts as they are; on a root that is not running, as /etc/fstab has them. */
export function readMounts(root: HostRoot): readonly Mount[] {
  const info = root.text('/proc/self/mountinfo') ?? root.text('/proc/1/mountinfo');
  if (info !== null) {
    return info.split('\n').flatMap((line) => {
      const [before = '', after] = line.split(' - ');
      const [, , device, , at, options = ''] = before.split(' ');
      const [type, source, more = ''] = after?.split(' ') ?? [];
      if (at === undefined || type === undefined || source === undefined || device === undefined) return [];
      return [
        {
          source: unmangled(source),
          at: unmangled(at),
          type,
          device,
          options: [...options.split(','), ...more.split(',')],
        },
      ];
    });
  }
  return parseTable(root.text('/proc/mounts') ?? root.text('/etc/fstab') ?? '');
}

/** What /etc/fstab would mount at a path, or above it, and is not mounted; null where all that it names there is. */
export function unmountedAbove(root: HostRoot, path: string): Mount | null {
  if (root.text('/proc/self/mountinfo') === null && root.text('/proc/mounts') === null) return null;
  const wanted = mountOf(
    parseTable(root.text('/etc/fstab') ?? '').filter(({ at }) => at.startsWith('/')),
    path,
  );
  return wanted === null || readMounts(root).some(({ at }) => at === wanted.at) ? null : wanted;
}

/** Lines of /proc/mounts, or of fstab(5). */
function parseTable(table: string): readonly Mount[] {
  return table.split('\n').flatMap((line) => {
    const [source, at, type, options = ''] = line.trim().split(/\s+/);
    if (source === undefined || source.startsWith('#') || at === undefined || type === undefined) return [];
    return [{ source: unmangled(source), at: unmangled(at), type, device: null, options: options.split(',') }];
  });
}

/** `\040` for a space, and so on (fs/seq_file.c, mangle_path). */
function unmangled(word: string): string {
  return word.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** The mount that holds a path: the one deepest, and of several there the last. */
export function mountOf(mounts: readonly Mount[], path: string): Mount | null {
  let best: Mount | null = null;
  for (const mount of mounts) {
    const holds = mount.at === '/' || path === mount.at || path.startsWith(`${mount.at}/`);
    if (holds && (best === null || mount.at.length >= best.at.length)) best = mount;
  }
  return best;
}

/** One block device of a stack. */
export interface BlockDevice {
  /** As in /sys/class/block: `sda1`, `dm-0`. */
  readonly name: string;
  readonly kind: 'disk' | 'partition' | 'lvm' | 'crypt' | 'multipath' | 'dm' | 'md' | 'loop';
  /** Level of an md array; type of encryption: `raid1`, `LUKS2`. */
  readonly detail: string | null;
  /** Modules that drive it, as far as /sys tells. */
  readonly modules: readonly string[];
}

/** The stack of a device, itself first; devices of several disks (RAID) are all in it. Empty where /sys does not tell. */
export function deviceStack(root: HostRoot, name: string): readonly BlockDevice[] {
  const stack = new Map<string, BlockDevice>();
  const add = (device: string): void => {
    if (stack.has(device) || stack.size > 256) return;
    const at = root.canonical(`/sys/class/block/${device}`);
    if (at === null) return;
    stack.set(device, describe(root, device, at));
    for (const below of root.list(`${at}/slaves`)) add(below);
    if (root.exists(`${at}/partition`)) add(at.split('/').at(-2)!);
  };
  add(name);
  return [...stack.values()];
}

function describe(root: HostRoot, name: string, at: string): BlockDevice {
  const uuid = root.word(`${at}/dm/uuid`) ?? '';
  const level = root.word(`${at}/md/level`);
  if (root.exists(`${at}/dm`)) {
    const modules = ['dm_mod'];
    if (uuid.startsWith('LVM-')) return { name, kind: 'lvm', detail: null, modules };
    if (uuid.startsWith('CRYPT-'))
      return { name, kind: 'crypt', detail: uuid.split('-')[1]!, modules: [...modules, 'dm_crypt'] };
    if (uuid.startsWith('mpath-'))
      return { name, kind: 'multipath', detail: null, modules: [...modules, 'dm_multipath'] };
    return { name, kind: 'dm', detail: null, modules };
  }
  if (root.exists(`${at}/md`)) {
    const module = level === null ? [] : /^raid(4|5|6)$/.test(level) ? ['raid456'] : [level];
    return { name, kind: 'md', detail: level, modules: ['md_mod', ...module] };
  }
  if (name.startsWith('loop')) return { name, kind: 'loop', detail: null, modules: ['loop'] };
  if (root.exists(`${at}/partition`)) return { name, kind: 'partition', detail: null, modules: [] };
  return { name, kind: 'disk', detail: null, modules: diskModules(root, name, at) };
}

/** Modules of all drivers between a device and the root of the device tree: disk, controller, bus. */
export function driverModules(root: HostRoot, at: string): readonly string[] {
  const modules: string[] = [];
  for (let here = at; here.startsWith('/sys/devices/'); here = here.slice(0, here.lastIndexOf('/'))) {
    const driver = root.canonical(`${here}/driver`);
    if (driver === null) continue;
    const module = root.canonical(`${driver}/module`);
    modules.push(moduleName(module ?? driver));
  }
  return [...new Set(modules)];
}

/** A disk of SCSI is driven by sd_mod, whose driver is called `sd`; a bus that needs no driver shows none. */
function diskModules(root: HostRoot, name: string, at: string): readonly string[] {
  const own = name.startsWith('sd')
    ? ['sd_mod']
    : name.startsWith('vd')
      ? ['virtio_blk']
      : name.startsWith('nvme')
        ? ['nvme']
        : [];
  const drivers = driverModules(root, at).filter((module) => module !== 'sd');
  const bus = drivers.some((module) => module.startsWith('virtio')) || name.startsWith('vd') ? ['virtio_pci'] : [];
  return [...new Set([...own, ...drivers, ...bus])];
}

/** The name in /sys of a device: of `/dev/NAME`, `/dev/mapper/NAME`, `UUID=`, `LABEL=`, `MAJOR:MINOR`. Null if unknown. */
export function deviceName(root: HostRoot, device: string): string | null {
  const tag = /^(UUID|LABEL|PARTUUID|PARTLABEL)="?([^"]+)"?$/.exec(device);
  if (tag !== null) {
    const link = root.link(`/dev/disk/by-${tag[1]!.toLowerCase()}/${tag[2]!}`);
    return link === null ? null : link.slice(link.lastIndexOf('/') + 1);
  }
  if (/^\d+:\d+$/.test(device)) return root.canonical(`/sys/dev/block/${device}`)?.split('/').at(-1) ?? null;
  const mapped = /^\/dev\/mapper\/(.+)$/.exec(device)?.[1];
  if (mapped !== undefined) {
    for (const name of root.list('/sys/class/block')) {
      if (root.word(`/sys/class/block/${name}/dm/name`) === mapped) return name;
    }
  }
  const last = (root.canonical(device) ?? device).split('/').at(-1)!;
  return root.exists(`/sys/class/block/${last}`) ? last : null;
}

/** Modules that a file system takes: itself, and what it asks for while it runs. */
export function filesystemModules(type: string): readonly string[] {
  switch (type) {
    case 'ext2':
    case 'ext3':
    case 'ext4':
      return ['ext4', 'crc32c_generic'];
    case 'xfs':
      return ['xfs', 'crc32c_generic'];
    case 'nfs':
    case 'nfs4':
      return ['nfs', 'nfsv3', 'nfsv4'];
    default:
      return [type];
  }
}
