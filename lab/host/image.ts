// Disk images of real Debian machines: a root of the archive's packages on ext4, in a partition, booted by grub.
//
//   host/SUITE/   root.tar (mmdebstrap)   vmlinuz, initrd (of the root, for the first boot)   disk.raw   base.qcow2
import {
  chmodSync,
  closeSync,
  existsSync,
  globSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { debianSources } from '../archive.ts';
import type { DebianSuite } from '../kernels.ts';
import { place, say } from '../place.ts';
import { needPrograms, runProgram } from '../programs.ts';
import { bootMachine } from './machine.ts';

/** A server as a distribution's installer leaves it: no Node, no kdump; what its disks, file systems and network want. */
const packages = [
  'systemd-sysv',
  'udev',
  // what the newest Debian no longer has as essential, and an installer leaves all the same
  'mount',
  'login',
  'bsdutils',
  'dbus',
  'kmod',
  'linux-image-cloud-amd64',
  'grub-pc',
  'initramfs-tools',
  'e2fsprogs',
  'iproute2',
  'openssh-client',
  'nfs-common',
  'lvm2',
  'mdadm',
  'xfsprogs',
  'zstd',
  'ca-certificates',
  // recommended by inquest's package, and by kdump-tools
  'kexec-tools',
  'busybox',
];

const diskSize = 4 * 2 ** 30;
/** Where the root's partition begins: room for grub before it. */
const partitionStart = 1 << 20;

/** The image that machines of a suite begin with; made when it is not there. */
export async function baseImage(suite: DebianSuite): Promise<string> {
  const folder = place.host(suite);
  const base = join(folder, 'base.qcow2');
  if (existsSync(base)) return base;
  needPrograms('mkfs.ext4', 'qemu-img', 'qemu-system-x86_64', 'tar');
  const tar = rootArchive(suite);
  const root = join(folder, 'root');
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root);
  runProgram('tar', ['-x', '-f', tar, '-C', root, '--exclude=./dev/*']);
  prepareRoot(root);
  const raw = join(folder, 'disk.raw');
  writeDisk(root, raw);
  const boot = (pattern: string): string => join(root, 'boot', globSync(pattern, { cwd: join(root, 'boot') })[0]!);
  say(`${suite}: first boot, to install grub`);
  const machine = await bootMachine({
    folder,
    name: 'first',
    disks: [{ file: raw, format: 'raw' }],
    kernel: {
      vmlinuz: boot('vmlinuz-*'),
      initrd: boot('initrd.img-*'),
      append: 'root=LABEL=root rw console=ttyS0',
    },
  });
  try {
    await machine.run('grub-install /dev/vda && update-grub && rm -rf /var/lib/apt/lists/*', 600);
    await machine.powerOff();
  } finally {
    await machine.stop();
  }
  runProgram('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, `${base}.part`]);
  rmSync(raw);
  rmSync(root, { recursive: true, force: true });
  renameSync(`${base}.part`, base);
  return base;
}

/** A clean root of a suite, as tar; fetched when it is not there. */
export function rootArchive(suite: DebianSuite): string {
  const tar = join(place.host(suite), 'root.tar');
  if (!existsSync(tar)) {
    needPrograms('mmdebstrap');
    fetchRoot(suite, tar);
  }
  return tar;
}

/** A disk that holds what another one does, and what is written to it. */
export function overlay(base: string, file: string): string {
  rmSync(file, { force: true });
  runProgram('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', file]);
  return file;
}

function fetchRoot(suite: DebianSuite, tar: string): void {
  say(`${suite}: fetching a root by mmdebstrap (some minutes)`);
  const left = ['doc', 'locale', 'man'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);
  const args = [
    '--quiet',
    '--variant=apt',
    ...left,
    `--include=${packages.join(',')}`,
    '--aptopt=APT::Install-Recommends "false"',
    // a mirror may be a frozen copy
    '--aptopt=Acquire::Check-Valid-Until "false"',
    suite,
    `${tar}.part.tar`,
    '-',
  ];
  runProgram('mmdebstrap', args, { input: Buffer.from(debianSources(suite)) });
  renameSync(`${tar}.part.tar`, tar);
}

/**
 * Runs what the lab sends through a serial port, one script a line in base64, and answers with its output and status: with
 * no network, no login and no package.
 */
const agent = `#!/bin/bash
exec 3<>/dev/virtio-ports/lab
echo "up $(cat /proc/sys/kernel/random/boot_id)" >&3
while read -r script <&3; do
  echo "$script" | base64 -d >/run/lab-script
  bash /run/lab-script </dev/null >/run/lab-output 2>&1
  echo "done $? $(base64 -w0 /run/lab-output)" >&3
done
`;
const agentUnit = `[Unit]
Description=Does what the lab says
After=multi-user.target

[Service]
ExecStart=/usr/local/sbin/lab-agent
Restart=always

[Install]
WantedBy=multi-user.target
`;

/** What an installer would have asked for, and the agent. */
function prepareRoot(root: string): void {
  const write = (path: string, text: string): void => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  write('etc/hostname', 'labhost\n');
  write('etc/hosts', '127.0.0.1 localhost\n127.0.1.1 labhost\n');
  write('etc/fstab', 'LABEL=root / ext4 defaults 0 1\n');
  write(
    'etc/default/grub.d/lab.cfg',
    'GRUB_TIMEOUT=0\nGRUB_TERMINAL=serial\nGRUB_CMDLINE_LINUX="console=ttyS0 systemd.show_status=0"\n',
  );
  write('etc/systemd/network/lab.network', '[Match]\nName=e*\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\n');
  write('usr/local/sbin/lab-agent', agent);
  chmodSync(join(root, 'usr/local/sbin/lab-agent'), 0o755);
  write('etc/systemd/system/lab-agent.service', agentUnit);
  const systemctl = (...args: string[]): void => void runProgram('systemctl', [`--root=${root}`, '-q', ...args]);
  systemctl('enable', 'lab-agent.service', 'systemd-networkd.service');
  // minutes under emulation, and nothing of what is proven needs them
  systemctl(
    'mask',
    ...['apt-daily.timer', 'apt-daily-upgrade.timer', 'e2scrub_all.timer', 'fstrim.timer', 'dpkg-db-backup.timer'],
    ...['e2scrub_reap.service', 'systemd-networkd-wait-online.service', 'rpc-statd-notify.service'],
  );
}

/** A disk with one bootable partition, and a root in it. */
function writeDisk(root: string, file: string): void {
  rmSync(file, { force: true });
  runProgram('truncate', ['-s', String(diskSize), file]);
  runProgram('mkfs.ext4', [
    ...['-q', '-F', '-L', 'root', '-d', root, '-E', `offset=${partitionStart}`],
    // grub of Debian 12 does not read what newer mkfs makes by itself
    ...['-O', '^metadata_csum_seed,^orphan_file'],
    file,
    `${(diskSize - partitionStart) / 1024}k`,
  ]);
  const fd = openSync(file, 'r+');
  writeSync(fd, partitionTable(), 0, 66, 446);
  closeSync(fd);
}

/** The end of a master boot record: one Linux partition, to boot from. */
function partitionTable(): Buffer {
  const table = Buffer.alloc(66);
  table[0] = 0x80;
  table[4] = 0x83;
  table.writeUInt32LE(partitionStart / 512, 8);
  table.writeUInt32LE((diskSize - partitionStart) / 512, 12);
  table.writeUInt16LE(0xaa55, 64);
  return table;
}
