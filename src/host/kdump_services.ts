// The kdump services that a machine has: whose they are, whether they start at boot, and what they load.
import type { Configuration, Family } from './config/distribution.ts';
import { readInquestConfig } from './config/inquest_config.ts';
import { readKdumpUtils } from './config/kdump_conf.ts';
import { readKdumpTools } from './config/kdump_tools.ts';
import { readSuse } from './config/suse.ts';
import type { HostRoot } from './root.ts';

/** A service that loads a capture kernel. */
export interface KdumpService {
  readonly family: Family;
  readonly unit: string;
  /** Whether systemd starts it. */
  readonly isEnabled: boolean;
  readonly isMasked: boolean;
  readonly configuration: Configuration;
  /** Files of the capture kernel and its initramfs; null where they are not there. */
  readonly kernel: string | null;
  readonly initramfs: string | null;
}

/** Where inquest keeps what it built for the capture kernel. */
export const captureFolder = '/var/lib/inquest/kdump';

interface Known {
  readonly family: Family;
  readonly unit: string;
  readonly read: (root: HostRoot) => Configuration | null;
  /** Places of the capture kernel and of its initramfs, the likeliest first. */
  readonly kernels: (release: string) => readonly string[];
  readonly initramfses: (release: string) => readonly string[];
}

const known: readonly Known[] = [
  {
    family: 'inquest',
    unit: 'inquest-kdump.service',
    read: readInquestConfig,
    kernels: () => [`${captureFolder}/vmlinuz`],
    initramfses: () => [`${captureFolder}/initramfs.img`],
  },
  {
    family: 'kdump-tools',
    unit: 'kdump-tools.service',
    read: readKdumpTools,
    kernels: (release) => ['/var/lib/kdump/vmlinuz', `/var/lib/kdump/vmlinuz-${release}`],
    initramfses: (release) => ['/var/lib/kdump/initrd.img', `/var/lib/kdump/initrd.img-${release}`],
  },
  {
    family: 'kdump-utils',
    unit: 'kdump.service',
    read: readKdumpUtils,
    kernels: (release) => [`/boot/vmlinuz-${release}`, `/lib/modules/${release}/vmlinuz`],
    initramfses: (release) => [`/boot/initramfs-${release}kdump.img`, `/var/lib/kdump/initramfs-${release}kdump.img`],
  },
  {
    family: 'suse',
    unit: 'kdump.service',
    read: readSuse,
    kernels: (release) => ['/var/lib/kdump/kernel', `/boot/vmlinuz-${release}`],
    initramfses: () => ['/var/lib/kdump/initrd'],
  },
];

/** @param release of the kernel that would be captured; null where it is not known */
export function kdumpServices(root: HostRoot, release: string | null): readonly KdumpService[] {
  return known.flatMap(({ family, unit, read, kernels, initramfses }) => {
    const configuration = read(root);
    if (configuration === null) return [];
    const first = (paths: readonly string[]): string | null => paths.find((path) => root.exists(path)) ?? null;
    return [
      {
        family,
        unit,
        ...unitState(root, unit),
        configuration,
        kernel: first(kernels(release ?? '')),
        initramfs: first(initramfses(release ?? '')),
      },
    ];
  });
}

/** The service that counts: one that is started; else the first there is. */
export function activeService(services: readonly KdumpService[]): KdumpService | null {
  return services.find(({ isEnabled }) => isEnabled) ?? services[0] ?? null;
}

/** Whether a unit is started at boot: some target or unit wants it (systemd.unit(5)). */
export function unitState(root: HostRoot, unit: string): { readonly isEnabled: boolean; readonly isMasked: boolean } {
  const isMasked = root.link(`/etc/systemd/system/${unit}`) === '/dev/null';
  const isWanted = ['/etc/systemd/system', '/usr/lib/systemd/system', '/lib/systemd/system'].some((folder) =>
    root
      .list(folder)
      .some((name) => /\.(wants|requires|upholds)$/.test(name) && root.list(`${folder}/${name}`).includes(unit)),
  );
  return { isEnabled: isWanted && !isMasked, isMasked };
}
