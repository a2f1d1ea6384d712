// The proof on a whole machine: inquest's package on a Debian that has nothing of it, set up as its user would, a crash, and
// what lies where after the reboot.
import { copyFileSync, globSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { StepRecord } from '../../src/host/capture/record.ts';
import { Archive } from '../archive.ts';
import { type DebianSuite, kernels, newestRelease } from '../kernels.ts';
import { place, projectFolder, say } from '../place.ts';
import { OutOfReach, runProgram } from '../programs.ts';
import { baseImage, overlay } from './image.ts';
import { bootMachine, type HostMachine, type MachinePlan } from './machine.ts';
import { lackingAt, type Service, startServices } from './services.ts';

/** Megabytes. */
export const memory = 2048;

export interface ProveOptions {
  /** Beside an installed kdump-tools, whose place inquest takes. */
  readonly beside: boolean;
  /** A newer kernel is installed at the end, and booted. */
  readonly upgrade: boolean;
}

/** What was expected and did not come. */
export interface Proof {
  readonly wrong: readonly string[];
}

/** The disks of the machine, besides its first: what they are for. */
const extraDisks = ['raw', 'md0', 'md1'] as const;

/** From the package to the dumps at every kind of target. */
export async function prove(suite: DebianSuite, options: ProveOptions): Promise<Proof> {
  const base = await baseImage(suite);
  const folder = join(place.host(suite), options.beside ? 'beside' : 'proof');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const services = await startServices(folder, memory);
  const disk = overlay(base, join(folder, 'disk.qcow2'));
  const parcel = join(folder, 'parcel');
  packParcel(suite, services, parcel, options);
  const disks: MachinePlan['disks'] = [
    { file: disk, format: 'qcow2' },
    ...extraDisks.map((name) => ({ file: emptyDisk(join(folder, `${name}.qcow2`)), format: 'qcow2' as const })),
    { file: parcel, format: 'raw' },
  ];
  const wrong: string[] = [];
  const extra = services.flatMap(({ qemu }) => qemu);
  const machine = await bootMachine({ folder, name: 'proof', disks, memory, extra });
  try {
    await setUp(machine, services, options);
    say('set up; it reboots');
    await machine.reboot();
    const { status, output } = await machine.tell(
      // the unit builds the capture kernel, which takes minutes here
      'systemctl is-system-running --wait; systemctl --failed --no-legend; findmnt -n /srv/crash; inquest kdump status',
      3600,
    );
    process.stdout.write(`\n== status, after the reboot\n${output}`);
    if (status !== 0) wrong.push(`status: exit status ${status}`);
    process.stdout.write(`\n== check\n${(await machine.tell('inquest kdump check', 600)).output}`);
    process.stdout.write(`\n== size\n${(await machine.tell('inquest kdump size', 600)).output}`);
    if (status !== 0) return { wrong };
    const { started, ofLog, verdict } = await crash(machine);
    say(
      `panic to verdict: ${verdict.toFixed(1)} s, to that of the log alone ${ofLog.toFixed(1)} s (by the console, ${started.toFixed(1)} s of it until the capture kernel ran)`,
    );
    await machine.isUp(3600);
    await machine.tell('systemctl is-system-running --wait', 3600);
    await look(machine, services, wrong);
    if (options.upgrade) await upgrade(machine, wrong);
    await machine.powerOff();
  } finally {
    await machine.stop();
    for (const service of services) service.stop();
  }
  return { wrong };
}

/** The disk that carries files into the machine: a tar archive. */
function packParcel(
  suite: DebianSuite,
  services: readonly Service[],
  file: string,
  { beside, upgrade }: ProveOptions,
): void {
  const folder = `${file}.d`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'debs'), { recursive: true });
  const [deb] = globSync('build/inquest_*_amd64.deb', { cwd: projectFolder });
  if (deb === undefined) throw new Error('there is no package: npm run package');
  copyFileSync(join(projectFolder, deb), join(folder, 'inquest.deb'));
  // what inquest is measured with; it is not set up to use it
  const names = ['makedumpfile', ...(beside ? ['kdump-tools'] : [])];
  const archive = new Archive(suite);
  for (const path of archive.downloadWithDependencies(names)) copyFileSync(path, join(folder, 'debs', basename(path)));
  if (upgrade) {
    mkdirSync(join(folder, 'kernel'));
    for (const path of archive.download([newerKernel(suite, archive)]))
      copyFileSync(path, join(folder, 'kernel', basename(path)));
  }
  for (const [path, text] of services.flatMap(({ files }) => [...files])) {
    mkdirSync(join(folder, 'files', path, '..'), { recursive: true });
    writeFileSync(join(folder, 'files', path), text, { mode: 0o600 });
  }
  runProgram('tar', ['-c', '-f', file, '--owner=0', '--group=0', '-C', folder, '.']);
  runProgram('truncate', ['-s', '%1M', file]);
  rmSync(folder, { recursive: true });
}

/** The package of a kernel that is newer than the one in the image. */
function newerKernel(suite: DebianSuite, archive: Archive): string {
  const kernel = kernels.find((one) => one.suite === suite && one.name === '6.12');
  const release = kernel && newestRelease(kernel, archive.names('linux-image-'));
  if (release === undefined) throw new OutOfReach(`the archive of ${suite} has no other kernel`);
  return `linux-image-${release}`;
}

function emptyDisk(file: string): string {
  runProgram('qemu-img', ['create', '-q', '-f', 'qcow2', file, '1G']);
  return file;
}

/** Disks as they are called in the machine. */
const device = { raw: '/dev/vdb', md0: '/dev/vdc', md1: '/dev/vdd', parcel: '/dev/vde' } as const;

async function setUp(machine: HostMachine, services: readonly Service[], { beside }: ProveOptions): Promise<void> {
  await machine.run(`mkdir -p /root/parcel && tar -x -C /root/parcel -f ${device.parcel}`);
  await machine.run(
    [
      'set -e',
      'export DEBIAN_FRONTEND=noninteractive',
      // xfs on LVM on a mirror
      `mdadm --create /dev/md0 --run --level=1 --raid-devices=2 --metadata=1.2 ${device.md0} ${device.md1}`,
      'pvcreate -q /dev/md0; vgcreate -q dumps /dev/md0; lvcreate -q -y -l 100%FREE -n crash dumps',
      'mkfs.xfs -q /dev/dumps/crash; mkdir -p /srv/crash',
      // systemd waits 90 s for a device, in which emulated disks are not put together
      "echo '/dev/dumps/crash /srv/crash xfs defaults,nofail,x-systemd.device-timeout=900 0 2' >>/etc/fstab",
      'mount /srv/crash',
      'mdadm --detail --scan >>/etc/mdadm/mdadm.conf',
    ].join('\n'),
    600,
  );
  if (beside) {
    process.stdout.write(
      await machine.run(`DEBIAN_FRONTEND=noninteractive dpkg -i /root/parcel/debs/*.deb 2>&1 | tail -n 20`, 1800),
    );
  }
  const installed = Date.now();
  process.stdout.write(await machine.run('dpkg -i /root/parcel/inquest.deb 2>&1', 600));
  say(`the package was installed in ${((Date.now() - installed) / 1000).toFixed(0)} s`);
  const setup = 'inquest kdump setup --target /var/crash --crashkernel 256M';
  if (beside) {
    const refused = await machine.tell(setup);
    process.stdout.write(`== setup, beside kdump-tools: status ${refused.status}\n${refused.output}`);
    if (refused.status === 0) throw new Error('setup did not see kdump-tools');
  }
  process.stdout.write(`\n== setup\n${await machine.run(`${setup}${beside ? ' --replace' : ''}`, 900)}`);
  if (!beside)
    await machine.run(
      'DEBIAN_FRONTEND=noninteractive dpkg -i /root/parcel/debs/*.deb >/dev/null 2>&1 || dpkg -l makedumpfile',
      900,
    );
  const targets = [
    'type = "directory"\npath = "/srv/crash"',
    `type = "raw"\ndevice = "${device.raw}"`,
    ...services.map(({ target }) => target),
  ];
  await machine.run(
    [
      'cp -a /root/parcel/files/. / 2>/dev/null',
      // emulation is slower by more than a factor of ten
      "sed -i 's/^every-target = false/every-target = true/; s/^verdict = [0-9]*/verdict = 1500/; s/^mini = [0-9]\\+/mini = 3000/; s/^target = [0-9]\\+/target = 400/' /etc/inquest/kdump.toml",
      `cat >>/etc/inquest/kdump.toml <<'END'\n${targets.map((text) => `\n[[target]]\n${text}\n`).join('')}END`,
      // what the verdict is measured against, in the same capture kernel
      'mkdir -p /etc/inquest/kdump.d/before',
      `printf '#!/bin/sh\\nmakedumpfile --dump-dmesg /proc/vmcore /run/dmesg-of-makedumpfile\\n' >/etc/inquest/kdump.d/before/makedumpfile-dmesg`,
      'chmod +x /etc/inquest/kdump.d/before/makedumpfile-dmesg',
    ].join('\n'),
  );
}

/** Crashes it as its user would. @returns seconds from the panic until the capture kernel ran, and until each verdict was told */
export async function crash(machine: HostMachine): Promise<{
  readonly started: number;
  readonly ofLog: number;
  readonly verdict: number;
}> {
  machine.start(`(sleep 20; hostname; sleep 5) | script -qc 'inquest kdump test' /dev/console`);
  const seen = async (what: RegExp, seconds: number): Promise<number> => {
    if (!(await machine.guest.shows(what, seconds)))
      throw new Error(`${what} was not seen on the console, which ended with\n${machine.guest.text.slice(-3000)}`);
    return Date.now() / 1000;
  };
  const panic = await seen(/Kernel panic - not syncing/, 600);
  const started = await seen(/inquest: capture kernel \S+ started/, 1200);
  const ofLog = await seen(/VERDICT of the log alone: .*/, 2400);
  const verdict = await seen(/VERDICT: .*/, 2400);
  await seen(/inquest: (reboot|poweroff|halt)\s/, 3 * 3600);
  return { started: started - panic, ofLog: ofLog - panic, verdict: verdict - panic };
}

/** A kernel comes by the package manager, as on any other day: the next panic is captured by its own capture kernel. */
async function upgrade(machine: HostMachine, wrong: string[]): Promise<void> {
  say('a newer kernel is installed');
  const { status, output } = await machine.tell(
    'mkdir -p /root/kernel && tar -x -C /root/kernel -f /dev/vde ./kernel && DEBIAN_FRONTEND=noninteractive dpkg -i --force-depends /root/kernel/kernel/*.deb 2>&1 | tail -n 30; ls /boot; inquest kdump status',
    3600,
  );
  process.stdout.write(`\n== upgrade (status ${status})\n${output}`);
  if (status !== 0) wrong.push(`status, with a newer kernel installed: exit status ${status}`);
  const before = (await machine.run('uname -r')).trim();
  await machine.reboot();
  const after = await machine.tell('uname -r; systemctl is-system-running --wait; inquest kdump status', 3600);
  process.stdout.write(`\n== status, after the upgrade (status ${after.status})\n${after.output}`);
  if (after.status !== 0) wrong.push(`status, after the upgrade: exit status ${after.status}`);
  if (after.output.startsWith(`${before}\n`)) wrong.push(`upgrade: ${before} was booted again`);
}

/** After the reboot: what the program tells, and what lies there. */
async function look(machine: HostMachine, services: readonly Service[], wrong: string[]): Promise<void> {
  const tell = async (title: string, script: string): Promise<string> => {
    const { status, output } = await machine.tell(script, 3000);
    process.stdout.write(`\n== ${title}${status === 0 ? '' : ` (status ${status})`}\n${output}`);
    if (status !== 0) wrong.push(`${title}: exit status ${status}`);
    return output;
  };
  await tell('status', 'inquest kdump status');
  await tell('test, after the reboot', 'inquest kdump test');
  await tell('list', 'inquest kdump list');
  await tell(
    'journal',
    'journalctl -b -u inquest-kdump --no-pager | tail -n 30; cat /run/motd.d/* 2>/dev/null || true',
  );
  await tell('files', 'ls -l /var/crash/* /srv/crash/*');
  const steps = JSON.parse(await machine.run('cat /var/crash/*/capture.json | head -c 200000')) as {
    readonly steps: readonly StepRecord[];
  };
  process.stdout.write(
    `\n== steps in the capture kernel: seconds since it started\n${steps.steps.map(({ step, at, by, isGood, problem, from, to }) => `${from.toFixed(1).padStart(7)} ${to.toFixed(1).padStart(7)}  ${step.padEnd(8)}${at}${by === '' ? '' : ` by ${by}`}${isGood ? '' : `  FAILED: ${problem}`}\n`).join('')}`,
  );
  const took = (step: string, at?: string): number => {
    const found = steps.steps.find((one) => one.step === step && (at === undefined || one.at === at));
    return found === undefined ? Number.NaN : found.to - found.from;
  };
  const [ofLog, verdict, dmesg] = [
    took('verdict', 'its log'),
    took('verdict', '/proc/vmcore'),
    took('hook', 'before/makedumpfile-dmesg'),
  ];
  process.stdout.write(
    `verdict ${verdict.toFixed(1)} s, of the log alone ${ofLog.toFixed(1)} s, makedumpfile --dump-dmesg ${dmesg.toFixed(1)} s: ${(verdict / dmesg).toFixed(1)} times\n`,
  );
  await tell(
    'the dumps are read',
    'cd /var/crash/*/ && inquest info vmcore | head -n 20 && inquest crash -s -c sys vmcore.mini && inquest verify vmcore',
  );
  for (const place of ['/var/crash', '/srv/crash'])
    for (const name of ['verdict.txt', 'verdict.json', 'vmcore-dmesg.txt', 'vmcore.mini', 'vmcore', 'capture.log'])
      if ((await machine.tell(`ls ${place}/*/${name}`)).status !== 0) wrong.push(`${place}: no ${name}`);
  for (const { name, folder } of services) wrong.push(...lackingAt(name, folder));
}
