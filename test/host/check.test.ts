import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type CheckReport, checkHost, exitStatus } from '../../src/host/check.ts';
import type { Finding } from '../../src/host/checks/finding.ts';
import { readCrashes } from '../../src/host/crashes.ts';
import { Host } from '../../src/host/host.ts';
import { bzImage, hostTree, image, readyMachine, release, type Tree } from '../support/host_tree.ts';

function check(changes: Tree = {}, newer: readonly string[] = [], free: number | null = null): CheckReport {
  const root = hostTree({ ...readyMachine, ...changes }, newer);
  return checkHost(new Host(Object.assign(root, { freeSpace: () => free })));
}

function of(report: CheckReport, id: string): readonly Finding[] {
  return report.findings.filter((one) => one.id === id);
}

test('a machine on which everything is as it should be is ready, and nothing is to be mended', () => {
  const report = check();
  assert.deepEqual(
    report.findings.filter(({ state }) => state === 'failed' || state === 'warning'),
    [],
  );
  assert.equal(report.state, 'ready');
  assert.equal(report.family, 'kdump-utils');
  assert.equal(exitStatus(report), 0);
});

/** One thing broken: what is then found, and what mends it. */
interface Broken {
  readonly what: string;
  readonly change: Tree;
  readonly newer?: readonly string[];
  /** Bytes that are free on every disk: of the live machine alone they are known. */
  readonly free?: number;
  readonly id: string;
  readonly state: Finding['state'];
  readonly found: RegExp;
  readonly mend: RegExp;
}

const config = readyMachine[`/boot/config-${release}`] as string;
const line = (value: string): Tree => ({ '/proc/cmdline': `root=/dev/vda1 ${value}\n` });
const kdumpConf = (text: string): Tree => ({ '/etc/kdump.conf': text });

const broken: readonly Broken[] = [
  {
    what: 'no /proc/vmcore',
    change: { [`/boot/config-${release}`]: config.replace('CONFIG_PROC_VMCORE=y', '# CONFIG_PROC_VMCORE is not set') },
    id: 'kernel-support',
    state: 'failed',
    found: /CONFIG_PROC_VMCORE/,
    mend: /boot/,
  },
  {
    what: 'no kexec at all',
    change: { [`/boot/config-${release}`]: config.replace(/CONFIG_KEXEC\w*=y\n/g, '') },
    id: 'kernel-support',
    state: 'failed',
    found: /CONFIG_KEXEC or CONFIG_KEXEC_FILE/,
    mend: /boot/,
  },
  {
    what: 'no BTF',
    change: { [`/boot/config-${release}`]: config.replace('CONFIG_DEBUG_INFO_BTF=y\n', '') },
    id: 'kernel-analysis',
    state: 'warning',
    found: /CONFIG_DEBUG_INFO_BTF/,
    mend: /vmlinux/,
  },
  {
    what: 'no squashfs',
    change: { [`/boot/config-${release}`]: config.replace('CONFIG_SQUASHFS=m\n', '') },
    id: 'kernel-capture',
    state: 'warning',
    found: /CONFIG_SQUASHFS/,
    mend: /without a verdict/,
  },
  {
    what: 'no crashkernel=',
    change: line('quiet'),
    id: 'crashkernel',
    state: 'failed',
    found: /no crashkernel=/,
    mend: /crashkernel=256M/,
  },
  {
    what: 'crashkernel= that the kernel does not take',
    change: line('crashkernel=256Q'),
    id: 'crashkernel',
    state: 'failed',
    found: /256Q/,
    mend: /crashkernel/,
  },
  {
    what: 'ranges that leave this machine out',
    change: line('crashkernel=512G-:512M'),
    id: 'crashkernel',
    state: 'failed',
    found: /asks for nothing/,
    mend: /crashkernel/,
  },
  {
    what: "another program's ranges, which come last",
    change: {
      ...line('crashkernel=512G-:512M'),
      '/etc/default/grub.d/kdump-tools.cfg':
        'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT crashkernel=512G-:512M"\n',
    },
    id: 'crashkernel',
    state: 'failed',
    found: /asks for nothing/,
    mend: /^take crashkernel=512G-:512M out of \/etc\/default\/grub\.d\/kdump-tools\.cfg:1, then: /,
  },
  {
    what: 'crashkernel=auto',
    change: line('crashkernel=auto'),
    id: 'crashkernel',
    state: 'failed',
    found: /RHEL 8/,
    mend: /crashkernel/,
  },
  {
    what: 'crashkernel= twice',
    change: line('crashkernel=512M crashkernel=256M'),
    id: 'crashkernel',
    state: 'warning',
    found: /more than once/,
    mend: /crashkernel/,
  },
  {
    what: 'nothing reserved',
    change: { '/sys/kernel/kexec_crash_size': '0\n', '/proc/iomem': '00001000-1fffffffff : System RAM\n' },
    id: 'reservation',
    state: 'failed',
    found: /nothing is reserved, and/,
    mend: /log of the boot/,
  },
  {
    what: 'reserved, and made smaller',
    change: { '/sys/kernel/kexec_crash_size': '67108864\n', '/proc/iomem': '0-fff : System RAM\n' },
    id: 'reservation',
    state: 'warning',
    found: /made smaller/,
    mend: /reboot/,
  },
  {
    what: 'too little reserved',
    change: { ...line('crashkernel=64M'), '/sys/kernel/kexec_crash_size': '67108864\n', '/proc/iomem': '' },
    id: 'capture-memory',
    state: 'failed',
    found: /are needed/,
    mend: /crashkernel=\d+M/,
  },
  {
    what: 'no capture kernel loaded',
    change: { '/sys/kernel/kexec_crash_loaded': '0\n' },
    id: 'loaded',
    state: 'failed',
    found: /no capture kernel is loaded/,
    mend: /kdumpctl restart/,
  },
  {
    what: 'loading forbidden before it was loaded',
    change: { '/sys/kernel/kexec_crash_loaded': '0\n', '/proc/sys/kernel/kexec_load_disabled': '1\n' },
    id: 'kexec-disabled',
    state: 'failed',
    found: /kexec_load_disabled is 1/,
    mend: /reboot/,
  },
  {
    what: 'a service that is not started',
    change: { '/etc/systemd/system/multi-user.target.wants/kdump.service': null },
    id: 'service',
    state: 'failed',
    found: /not started at boot/,
    mend: /systemctl enable --now kdump.service/,
  },
  {
    what: 'a masked service',
    change: { '/etc/systemd/system/kdump.service': { link: '/dev/null' } },
    id: 'service',
    state: 'failed',
    found: /masked/,
    mend: /unmask/,
  },
  {
    what: 'two services',
    change: {
      '/etc/inquest/kdump.toml': '[[target]]\ntype = "directory"\n',
      '/etc/systemd/system/multi-user.target.wants/inquest-kdump.service': { link: '/x' },
    },
    id: 'services',
    state: 'failed',
    found: /inquest-kdump.service and kdump.service/,
    mend: /disable --now kdump.service/,
  },
  {
    what: 'no kdump',
    change: { '/etc/kdump.conf': null, '/etc/sysconfig/kdump': null },
    id: 'service',
    state: 'failed',
    found: /no kdump is configured/,
    mend: /inquest kdump setup/,
  },
  {
    what: 'no capture kernel',
    change: { [`/boot/vmlinuz-${release}`]: null },
    id: 'capture-release',
    state: 'failed',
    found: /no capture kernel/,
    mend: /rebuild/,
  },
  {
    what: 'a capture kernel of another release',
    change: { [`/boot/vmlinuz-${release}`]: bzImage('5.4.0-other') },
    id: 'capture-release',
    state: 'warning',
    found: /5\.4\.0-other/,
    mend: /rebuild/,
  },
  {
    what: 'no capture initramfs',
    change: { [`/boot/initramfs-${release}kdump.img`]: null },
    id: 'capture-initramfs',
    state: 'failed',
    found: /no capture initramfs/,
    mend: /rebuild/,
  },
  {
    what: 'a cut capture initramfs',
    change: { [`/boot/initramfs-${release}kdump.img`]: image(['ext4']).subarray(0, 60) },
    id: 'capture-initramfs',
    state: 'failed',
    found: /unpacked|cut/,
    mend: /rebuild/,
  },
  {
    what: 'a module of the target left out',
    change: { [`/boot/initramfs-${release}kdump.img`]: image(['ext4', 'jbd2', 'virtio', 'virtio_pci']) },
    id: 'capture-modules',
    state: 'failed',
    found: /lacks virtio_blk/,
    mend: /rebuild/,
  },
  {
    what: 'modules of another release',
    change: { [`/boot/initramfs-${release}kdump.img`]: image(['ext4'], '5.4.0-other') },
    id: 'capture-modules',
    state: 'failed',
    found: /modules of 5\.4\.0-other/,
    mend: /rebuild/,
  },
  {
    what: 'a configuration that changed since',
    change: {},
    newer: ['/etc/kdump.conf'],
    id: 'capture-fresh',
    state: 'warning',
    found: /kdump.conf changed after/,
    mend: /rebuild/,
  },
  {
    what: 'a setting that is none',
    change: kdumpConf('path /var/crash\npth /x\n'),
    id: 'configuration',
    state: 'failed',
    found: /kdump.conf:2: pth is no setting.*perhaps path/,
    mend: /correct/,
  },
  {
    what: "Debian's switch set to off",
    change: {
      '/etc/kdump.conf': null,
      '/etc/sysconfig/kdump': null,
      '/etc/default/kdump-tools': 'USE_KDUMP=0\n',
    },
    id: 'configuration-on',
    state: 'failed',
    found: /switches kdump off/,
    mend: /USE_KDUMP=1/,
  },
  {
    what: 'a target whose file system is not mounted',
    change: { '/etc/fstab': '# a disk\nUUID=9 /var/crash xfs defaults,nofail 0 2\n/dev/vda1 / ext4 defaults 0 1\n' },
    id: 'target',
    state: 'failed',
    found: /UUID=9 is not mounted at \/var\/crash/,
    mend: /mount \/var\/crash/,
  },
  {
    what: 'a file system that is not written to',
    change: { '/proc/self/mountinfo': '25 1 252:1 / / rw - btrfs /dev/vda1 rw\n' },
    id: 'target',
    state: 'warning',
    found: /btrfs is not written to/,
    mend: /another target/,
  },
  {
    what: 'a target on an encrypted device',
    change: {
      '/proc/self/mountinfo': '25 1 253:0 / / rw - ext4 /dev/mapper/luks rw\n',
      '/sys/dev/block/253:0': { link: '../../devices/virtual/block/dm-0' },
      '/sys/class/block/dm-0': { link: '../../devices/virtual/block/dm-0' },
      '/sys/devices/virtual/block/dm-0/dm/uuid': 'CRYPT-LUKS2-abc-luks\n',
      '/sys/devices/virtual/block/dm-0/slaves/vda1': { link: '../x' },
    },
    id: 'target',
    state: 'warning',
    found: /dm-0 is encrypted \(LUKS2\)/,
    mend: /another target/,
  },
  {
    what: 'a device that is not there',
    change: kdumpConf('ext4 UUID=dead-beef\npath /crash\n'),
    id: 'target',
    state: 'failed',
    found: /UUID=dead-beef is not there/,
    mend: /another target/,
  },
  {
    what: 'a key that is not there',
    change: kdumpConf('ssh kdump@backup\npath /crash\ncore_collector makedumpfile -F -l -d 31\n'),
    id: 'target',
    state: 'failed',
    found: /kdump_id_rsa is not there/,
    mend: /another target/,
  },
  {
    what: 'no panic on an oops',
    change: { '/proc/sys/kernel/panic_on_oops': '0\n' },
    id: 'panic-on-oops',
    state: 'warning',
    found: /panic_on_oops is 0/,
    mend: /sysctl -w kernel.panic_on_oops=1/,
  },
  {
    what: 'no reboot after a panic',
    change: { '/proc/sys/kernel/panic': '0\n' },
    id: 'panic-timeout',
    state: 'warning',
    found: /kernel.panic is 0/,
    mend: /sysctl -w kernel.panic=10/,
  },
  {
    what: 'an armed watchdog',
    change: {
      '/sys/class/watchdog/watchdog0/state': 'active\n',
      '/sys/class/watchdog/watchdog0/identity': 'iTCO_wdt\n',
      '/sys/class/watchdog/watchdog0/timeout': '30\n',
    },
    id: 'watchdog',
    state: 'warning',
    found: /iTCO_wdt is armed, 30 s/,
    mend: /longer timeout/,
  },
  {
    what: 'secure boot with the system call that it refuses',
    change: {
      '/sys/kernel/security/lockdown': 'none [integrity] confidentiality\n',
      '/etc/sysconfig/kdump': 'KEXEC_ARGS="-c"\n',
    },
    id: 'lockdown',
    state: 'failed',
    found: /lockdown is integrity/,
    mend: /-c/,
  },
  {
    what: 'another crashkernel= for the next boot',
    change: { '/etc/default/grub': 'GRUB_CMDLINE_LINUX="crashkernel=1G quiet"\n' },
    id: 'crashkernel-next-boot',
    state: 'warning',
    found: /grub:1 asks for 1024 MiB/,
    mend: /reboot/,
  },
  {
    what: 'a broken crashkernel= for the next boot',
    change: { '/etc/default/grub': '#\nGRUB_CMDLINE_LINUX="crashkernel=lots quiet"\n' },
    id: 'crashkernel-next-boot',
    state: 'failed',
    found: /grub:2: .*lots/,
    mend: /update-grub/,
  },
  {
    what: 'crashkernel= set in two files',
    change: {
      '/etc/default/grub': 'GRUB_CMDLINE_LINUX=crashkernel=1G\n',
      '/etc/default/grub.d/kdump.cfg': 'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT crashkernel=512M"\n',
    },
    id: 'crashkernel-next-boot',
    state: 'warning',
    found: /grub:1, .*kdump.cfg:1/,
    mend: /leave one/,
  },
  {
    what: 'a configuration of the kernel that is not there',
    change: { [`/boot/config-${release}`]: null },
    id: 'kernel-support',
    state: 'unknown',
    found: /configuration of .* is not there/,
    mend: /boot\/config/,
  },
  {
    what: 'lockdown, and a kernel without kexec_file_load',
    change: {
      '/sys/kernel/security/lockdown': 'none [integrity] confidentiality\n',
      [`/boot/config-${release}`]: config.replace('CONFIG_KEXEC_FILE=y\n', ''),
    },
    id: 'lockdown',
    state: 'failed',
    found: /no kexec_file_load/,
    mend: /distribution's own kernel/,
  },
  {
    what: 'no kexec allowed any more',
    change: { '/sys/kernel/kexec_crash_loaded': '0\n', '/proc/sys/kernel/kexec_load_limit_panic': '0\n' },
    id: 'kexec-disabled',
    state: 'failed',
    found: /kexec_load_limit_panic is 0/,
    mend: /reboot/,
  },
  {
    what: 'a command line that cannot be seen',
    change: { '/proc/cmdline': null },
    id: 'crashkernel',
    state: 'unknown',
    found: /not known/,
    mend: /^$/,
  },
  {
    what: 'a crashkernel= that asks for more than was there',
    change: {
      '/sys/kernel/kexec_crash_size': null,
      '/proc/iomem': null,
    },
    id: 'reservation',
    state: 'unknown',
    found: /not known/,
    mend: /^$/,
  },
  {
    what: 'a disk that is too small for a dump',
    change: {},
    free: 100 << 20,
    id: 'target-space',
    state: 'failed',
    found: /are free, a dump takes about/,
    mend: /prune/,
  },
  {
    what: 'a target over the network, and no way there',
    change: {
      ...kdumpConf('nfs backup:/dumps\n'),
      '/proc/net/route': 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n',
    },
    id: 'target-network',
    state: 'warning',
    found: /no default route/,
    mend: /ip route/,
  },
  {
    what: 'no target',
    change: {
      ...kdumpConf('# nothing\n'),
      '/etc/kdump.conf': null,
      '/etc/sysconfig/kdump': null,
      '/etc/inquest/kdump.toml': 'mini = true\n',
    },
    id: 'target',
    state: 'failed',
    found: /names no target/,
    mend: /--target/,
  },
  {
    what: 'many crashes, and nothing that takes old ones away',
    change: Object.fromEntries(
      Array.from({ length: 10 }, (_, i) => [`/var/crash/127.0.0.1-2026-01-${10 + i}-10:00:00/vmcore`, 'dump']),
    ),
    id: 'retention',
    state: 'warning',
    found: /10 crashes/,
    mend: /prune --keep 10/,
  },
  {
    what: 'SELinux that enforces',
    change: { '/sys/fs/selinux/enforce': '1\n' },
    id: 'selinux',
    state: 'info',
    found: /enforces/,
    mend: /restorecon -R \/var\/crash/,
  },
  {
    what: 'memory that comes and goes, and nothing that reloads',
    change: { '/sys/devices/system/memory/auto_online_blocks': 'online\n' },
    id: 'hotplug',
    state: 'info',
    found: /nothing loads it anew/,
    mend: /setup/,
  },
  {
    what: 'SysRq that is locked',
    change: { '/proc/sys/kernel/sysrq': '0\n' },
    id: 'sysrq',
    state: 'info',
    found: /sysrq is 0/,
    mend: /kernel.sysrq=8/,
  },
  {
    what: 'a warning that is a panic',
    change: { '/proc/sys/kernel/panic_on_warn': '1\n' },
    id: 'panic-on-warn',
    state: 'info',
    found: /a warning is a panic/,
    mend: /panic_on_warn=0/,
  },
  {
    what: 'lockups that are no panic',
    change: { '/proc/sys/kernel/softlockup_panic': '0\n', '/proc/sys/kernel/hung_task_panic': '1\n' },
    id: 'panic-on-lockup',
    state: 'info',
    found: /panic: kernel.hung_task_panic; goes on: kernel.softlockup_panic/,
    mend: /set those to 1/,
  },
  {
    what: 'a detector of lockups that is off',
    change: { '/proc/sys/kernel/nmi_watchdog': '0\n' },
    id: 'nmi-watchdog',
    state: 'info',
    found: /is off/,
    mend: /nmi_watchdog=1/,
  },
  {
    what: 'an NMI that does nothing',
    change: { '/proc/sys/kernel/unknown_nmi_panic': '0\n' },
    id: 'panic-on-nmi',
    state: 'info',
    found: /unknown_nmi_panic is 0/,
    mend: /unknown_nmi_panic=1/,
  },
  {
    what: 'notifiers before the capture',
    change: { '/sys/module/kernel/parameters/crash_kexec_post_notifiers': 'Y\n' },
    id: 'post-notifiers',
    state: 'info',
    found: /a notifier that hangs/,
    mend: /crash_kexec_post_notifiers/,
  },
  {
    what: 'no second way out',
    change: line('crashkernel=256M'),
    id: 'second-way-out',
    state: 'info',
    found: /no pstore, netconsole or serial console/,
    mend: /efi-pstore/,
  },
];

for (const { what, change, newer, free, id, state, found, mend } of broken) {
  test(`broken: ${what}`, () => {
    const report = check(change, newer ?? [], free ?? null);
    const hit = of(report, id).find((one) => one.state === state && found.test(one.found));
    assert.ok(hit, `no ${state} of ${id} in ${JSON.stringify(of(report, id), null, 1)}`);
    assert.match(hit.mend ?? '', mend);
    assert.notEqual(hit.why, '');
    assert.equal(
      report.state === 'not-ready',
      state === 'failed' || report.findings.some((one) => one.state === 'failed'),
    );
    if (state === 'failed') assert.equal(exitStatus(report), 3);
  });
}

test('every check is broken by one of these', () => {
  const folder = fileURLToPath(new URL('../../src/host/checks/', import.meta.url));
  const ids = readdirSync(folder).flatMap((name) =>
    [...readFileSync(join(folder, name), 'utf8').matchAll(/\bid: '([\w-]+)'/g)].map(([, id]) => id!),
  );
  assert.ok(ids.length > 25);
  assert.deepEqual(
    ids.filter((id) => !broken.some((one) => one.id === id)),
    [],
  );
});

test('an image that does not run is not called ready: what decides could not be seen', () => {
  const files = Object.fromEntries(Object.entries(readyMachine).filter(([path]) => !/^\/(proc|sys)\//.test(path)));
  const report = checkHost(new Host(hostTree(files)));
  assert.equal(report.state, 'unknown');
  assert.equal(exitStatus(report), 4);
  assert.equal(report.release, release);
});

test('zeroes in /proc/iomem, which others than root get, are not taken for a missing reservation', () => {
  const report = check({ '/proc/iomem': '00000000-00000000 : System RAM\n  00000000-00000000 : Crash kernel\n' });
  assert.equal(report.state, 'ready');
  assert.match(of(report, 'reservation')[0]!.found, /256 MiB/);
});

test('a symbolic link of an image leads nowhere out of it', () => {
  const root = hostTree({
    '/etc/kdump.conf': { link: '/etc/passwd' },
    '/etc/sysconfig/kdump': { link: '../../../../../../../../etc/passwd' },
    '/loop': { link: '/loop' },
  });
  assert.equal(root.text('/etc/kdump.conf'), null);
  assert.equal(root.text('/etc/sysconfig/kdump'), null);
  assert.equal(root.text('/loop'), null);
});

test('nothing is written or deleted through a link that leads out of an image', () => {
  const outside = hostTree({ '/crash/2026/vmcore': 'theirs', '/units/': '' });
  const root = hostTree({
    '/var/crash': { link: `${outside.dir}/crash` },
    '/etc/systemd': { link: `${outside.dir}/units` },
  });
  assert.deepEqual(readCrashes(root, ['/var/crash']), []);
  assert.throws(() => root.placeToWrite('/etc/systemd/system/x.service'), /leads to nothing/);
  const inside = hostTree({ '/etc/systemd': { link: '/usr/units' }, '/usr/units/a': '' });
  assert.equal(inside.placeToWrite('/etc/systemd/new/x'), `${inside.dir}/usr/units/new/x`);
  assert.equal(outside.text('/crash/2026/vmcore'), 'theirs');
});
