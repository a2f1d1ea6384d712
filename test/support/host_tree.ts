// Root trees of machines, made from a few lines: files, folders and symbolic links below a temporary folder.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type CpioNode, writeCpio } from '../../src/host/cpio.ts';
import { HostRoot } from '../../src/host/root.ts';

/** What lies at a path: a file's text or bytes, a symbolic link, or nothing (to take out what a tree has). */
export type TreeNode = string | Uint8Array | { readonly link: string } | null;
export type Tree = Readonly<Record<string, TreeNode>>;

const made: string[] = [];
process.on('exit', () => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

/** Makes a tree; it is taken away when the test process ends. Files are as old as each other, unless in `newer`. */
export function hostTree(tree: Tree, newer: readonly string[] = []): HostRoot {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-host-'));
  made.push(folder);
  for (const [path, node] of Object.entries(tree)) {
    if (node === null) continue;
    const place = join(folder, path);
    mkdirSync(path.endsWith('/') ? place : dirname(place), { recursive: true });
    if (path.endsWith('/')) continue;
    if (typeof node === 'string' || node instanceof Uint8Array) {
      writeFileSync(place, node);
      const seconds = newer.includes(path) ? 1_700_000_000 : 1_600_000_000;
      utimesSync(place, seconds, seconds);
    } else symlinkSync(node.link, place);
  }
  return new HostRoot(folder);
}

export const release = '6.12.9-test';

/** An initramfs with modules of a release. */
export function image(modules: readonly string[], of = release): Buffer {
  const nodes = new Map<string, CpioNode>([['init', { kind: 'file', bytes: Buffer.alloc(100), mode: 0o755 }]]);
  for (const name of modules) {
    nodes.set(`usr/lib/modules/${of}/kernel/${name}.ko.xz`, { kind: 'file', bytes: Buffer.from(name) });
  }
  return gzipSync(writeCpio(nodes));
}

/** The start of a kernel's file that says its release. */
export function bzImage(of: string): Buffer {
  const bytes = Buffer.alloc(0x1000);
  bytes.write('HdrS', 0x202);
  bytes.writeUInt16LE(0x400, 0x20e);
  bytes.write(`${of} (builder@host) #1 SMP\0`, 0x600);
  return bytes;
}

const pci = '/sys/devices/pci0000:00/0000:00:05.0';

/** A running machine with Fedora's kdump, on which the next panic is captured: a disk of virtio with ext4 on a partition. */
export const readyMachine: Tree = {
  '/proc/sys/kernel/osrelease': `${release}\n`,
  '/proc/cmdline': 'BOOT_IMAGE=/vmlinuz root=UUID=1111 ro crashkernel=2G-64G:256M,64G-:512M console=ttyS0\n',
  '/proc/meminfo':
    'MemTotal:        8000000 kB\nMemFree:         6000000 kB\nBuffers:          100000 kB\nCached:          1000000 kB\nShmem: 1000 kB\nAnonPages:        500000 kB\n',
  '/proc/iomem':
    '00001000-0009ffff : System RAM\n00100000-20fffffff : System RAM\n  ab000000-bb0fffff : Crash kernel\n  1000000-27fffff : Kernel code\n  2800000-2ffffff : Kernel data\n',
  '/proc/modules': 'virtio_blk 32768 2 - Live 0x0\next4 1048576 1 - Live 0x0\n',
  '/proc/self/mountinfo':
    '25 1 252:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n26 25 0:22 / /proc rw - proc proc rw\n',
  '/sys/kernel/kexec_crash_size': '268435456\n',
  '/sys/kernel/kexec_crash_loaded': '1\n',
  '/sys/dev/block/252:1': { link: '../../devices/pci0000:00/0000:00:05.0/virtio2/block/vda/vda1' },
  '/sys/class/block/vda': { link: '../../devices/pci0000:00/0000:00:05.0/virtio2/block/vda' },
  '/sys/class/block/vda1': { link: '../../devices/pci0000:00/0000:00:05.0/virtio2/block/vda/vda1' },
  [`${pci}/virtio2/block/vda/vda1/partition`]: '1\n',
  [`${pci}/virtio2/driver`]: { link: '../../../../bus/virtio/drivers/virtio_blk' },
  [`${pci}/driver`]: { link: '../../../bus/pci/drivers/virtio-pci' },
  '/sys/bus/virtio/drivers/virtio_blk/module': { link: '../../../../module/virtio_blk' },
  '/sys/bus/pci/drivers/virtio-pci/module': { link: '../../../../module/virtio_pci' },
  '/sys/module/virtio_blk/': '',
  '/sys/module/virtio_pci/': '',
  '/sys/devices/system/cpu/possible': '0-3\n',
  '/proc/sys/kernel/panic': '10\n',
  '/proc/sys/kernel/panic_on_oops': '1\n',
  '/proc/sys/kernel/kexec_load_disabled': '0\n',
  '/sys/kernel/security/lockdown': '[none] integrity confidentiality\n',
  [`/boot/config-${release}`]: [
    'KEXEC',
    'KEXEC_FILE',
    'CRASH_DUMP',
    'PROC_VMCORE',
    'BLK_DEV_INITRD',
    'KALLSYMS',
    'DEBUG_INFO_BTF',
    'DEVTMPFS',
    'TMPFS',
  ]
    .map((name) => `CONFIG_${name}=y\n`)
    .join('')
    .concat('CONFIG_X86_64=y\nCONFIG_SQUASHFS=m\nCONFIG_BLK_DEV_LOOP=m\n# CONFIG_IP_PNP is not set\n'),
  [`/boot/vmlinuz-${release}`]: bzImage(release),
  [`/boot/initramfs-${release}kdump.img`]: image(['virtio_blk', 'virtio_pci', 'virtio', 'ext4', 'jbd2']),
  [`/lib/modules/${release}/modules.dep`]:
    'kernel/virtio_blk.ko.xz: kernel/virtio.ko.xz\nkernel/virtio_pci.ko.xz: kernel/virtio.ko.xz\nkernel/virtio.ko.xz:\nkernel/ext4.ko.xz: kernel/jbd2.ko.xz\nkernel/jbd2.ko.xz:\nkernel/loop.ko.xz:\nkernel/squashfs.ko.xz:\nkernel/xfs.ko.xz:\n',
  [`/lib/modules/${release}/modules.builtin`]: 'kernel/lib/crc32c_generic.ko\n',
  '/etc/kdump.conf': '# what is captured\npath /var/crash\ncore_collector makedumpfile -l --message-level 7 -d 31\n',
  '/etc/sysconfig/kdump': 'KDUMP_COMMANDLINE_APPEND="irqpoll nr_cpus=1 reset_devices"\n',
  '/etc/systemd/system/multi-user.target.wants/kdump.service': { link: '/usr/lib/systemd/system/kdump.service' },
};
