// Failures provoked on a whole machine: each must end in a saved log, a clear message and the configured action, and none may
// hang. One boot serves all: the machine is put back to how it was before each.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Suite } from '../kernels.ts';
import { place, say } from '../place.ts';
import { runProgram } from '../programs.ts';
import { overlay } from './image.ts';
import { bootMachine, type HostMachine } from './machine.ts';
import { type Service, startServices } from './services.ts';

interface Failure {
  readonly name: string;
  /** Run before the capture kernel is loaded anew; with kdump.toml before its targets already written. */
  readonly prepare: (services: readonly Service[]) => string;
  /** Targets, besides the last one, which works. */
  readonly targets?: (services: readonly Service[]) => readonly string[];
  /** What the console tells. */
  readonly says: readonly RegExp[];
  /** Files at the target that works, with what they say. */
  readonly saved: Readonly<Record<string, RegExp>>;
  /** The configured action that must follow. */
  readonly action: 'poweroff' | 'reboot';
}

const goodTarget = 'type = "directory"\npath = "/srv/dumps"';
const wholeDump = /^KDUMP {3}/;

export const failures: readonly Failure[] = [
  {
    name: 'targets',
    prepare: (services) =>
      [
        'mkfs.ext4 -q -F /dev/vdc; mkdir -p /srv/full /srv/lost; mount /dev/vdc /srv/full',
        'head -c 2G /dev/zero >/srv/full/filler 2>/dev/null; sync',
        'mkfs.xfs -q -f /dev/vdd; mount /dev/vdd /srv/lost',
        'mv /lib/modules/$(uname -r)/kernel/fs/xfs/xfs.ko* /root/',
        "sed 's/AAAA[^ ]*/AAAAC3NzaC1lZDI1NTE5AAAAIFh5bm90dGhpc2tleW5vdHRoaXNrZXlub3R0aGlza2V5/' /etc/inquest/kdump_known_hosts >/etc/inquest/other_hosts",
        ...(services.length === 0 ? [] : ['true']),
      ].join('\n'),
    targets: (services) => [
      'type = "nfs"\nsource = "10.0.2.2:/dumps"\noptions = "vers=4.2,port=21050,soft,timeo=50,retrans=1"\npath = "/"',
      ...services
        .filter(({ name }) => name === 'ssh')
        .map(({ target }) => target.replace('kdump_known_hosts', 'other_hosts')),
      'type = "https"\nurl = "https://10.0.2.2:21051/files"',
      'type = "directory"\ndevice = "UUID=00000000-dead-4bad-8bad-000000000000"\nfstype = "ext4"\npath = "/"',
      'type = "directory"\npath = "/srv/lost"',
      'type = "directory"\npath = "/srv/full"',
    ],
    says: [
      /reach: nfs .*FAILED/,
      /reach: ssh .*FAILED: .*(Host key verification failed|REMOTE HOST IDENTIFICATION)/,
      /: https:.*FAILED/,
      /UUID=00000000-dead.* is not there/,
      /reach: \/srv\/lost: FAILED: .*xfs/,
      /\/srv\/full: FAILED: .*(ENOSPC|[Nn]o space)/,
    ],
    saved: {
      'verdict.txt': /sysrq/i,
      'vmcore.mini': wholeDump,
      vmcore: wholeDump,
      'capture.log': /reach: nfs .*FAILED/,
    },
    action: 'poweroff',
  },
  {
    name: 'second-panic',
    prepare: () =>
      [
        'mkdir -p /etc/inquest/kdump.d/before',
        // panics once the verdict is at the target, and the mini dump is being written
        `cat >/etc/inquest/kdump.d/before/panic <<'END'
#!/bin/sh
(while ! ls /mnt/*/*/vmcore.mini* /mnt/*/*/*/vmcore.mini* 2>/dev/null | grep -q .; do sleep 1; done; echo c >/proc/sysrq-trigger) </dev/null >/dev/null 2>&1 &
END`,
        'chmod +x /etc/inquest/kdump.d/before/panic',
      ].join('\n'),
    says: [/VERDICT: /, /verdict: \/srv\/dumps: done/, /Kernel panic[\s\S]*Kernel panic/, /Rebooting in 10 seconds/],
    saved: { 'verdict.txt': /sysrq/i, 'vmcore-dmesg.txt': /Kernel panic/ },
    action: 'reboot',
  },
  {
    name: 'too-small',
    // as if crashkernel=144M had been reserved: the program does not fit beside its own image
    prepare: () => 'inquest kdump unload && echo $((144 << 20)) >/sys/kernel/kexec_crash_size',
    says: [/the program did not run to its end|out of memory|FAILED/i, /inquest: (poweroff|reboot)/],
    saved: { vmcore: /^(KDUMP {3}|\x7fELF)/ },
    action: 'poweroff',
  },
];

/** @returns what did not end as it should */
export async function provoke(suite: Suite, names: readonly string[]): Promise<readonly string[]> {
  const proven = join(place.host(suite), 'proof', 'disk.qcow2');
  if (!existsSync(proven)) throw new Error(`${suite}: the proof comes first: npm run lab -- host prove ${suite}`);
  const folder = join(place.host(suite), 'failures');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const services = await startServices(folder, 0);
  const disk = (name: string, size: string): { readonly file: string; readonly format: 'qcow2' } => {
    const file = join(folder, `${name}.qcow2`);
    runProgram('qemu-img', ['create', '-q', '-f', 'qcow2', file, size]);
    return { file, format: 'qcow2' };
  };
  const dumps = disk('dumps', '1G');
  const disks = [
    { file: overlay(proven, join(folder, 'root.qcow2')), format: 'qcow2' as const },
    dumps,
    disk('full', '64M'),
    disk('lost', '512M'),
  ];
  const machine = await bootMachine({ folder, name: 'failures', disks, extra: ['-no-shutdown'] });
  const wrong: string[] = [];
  try {
    await machine.tell('systemctl is-system-running --wait', 900);
    await machine.run(
      [
        'set -e',
        'mkfs.ext4 -q -F /dev/vdb; mkdir -p /srv/dumps; mount /dev/vdb /srv/dumps',
        'rm -rf /etc/inquest/kdump.d; sed -i "/srv.crash/d" /etc/fstab',
        ...services
          .flatMap(({ files }) => [...files])
          .map(([path, text]) => `cat >${path} <<'END'\n${text}END\nchmod 600 ${path}`),
        'sed -i \'/^\\[\\[target/,$d; s/^final-action.*/final-action = "poweroff"/; s/^failure-action.*/failure-action = "poweroff"/; s/^target = .*/target = 45/; s/^every-target.*/every-target = true/\' /etc/inquest/kdump.toml',
      ].join('\n'),
      300,
    );
    await machine.guest.qmp('human-monitor-command', { 'command-line': 'savevm ready' });
    for (const failure of failures.filter(({ name }) => names.length === 0 || names.includes(name))) {
      say(`${failure.name}: provoked`);
      const found = await provoked(machine, failure, services, dumps.file, folder);
      process.stdout.write(`${failure.name}: ${found.length === 0 ? 'ended as it should' : found.join('; ')}\n`);
      wrong.push(...found.map((one) => `${failure.name}: ${one}`));
    }
  } finally {
    await machine.stop();
    for (const service of services) service.stop();
  }
  return wrong;
}

async function provoked(
  machine: HostMachine,
  { name, prepare, targets, says, saved, action }: Failure,
  services: readonly Service[],
  dumps: string,
  folder: string,
): Promise<readonly string[]> {
  await machine.guest.qmp('human-monitor-command', { 'command-line': 'loadvm ready' });
  await machine.guest.qmp('cont');
  const all = [...(targets?.(services) ?? []), goodTarget];
  const made = await machine.run(
    [
      prepare(services),
      `cat >>/etc/inquest/kdump.toml <<'END'\n${all.map((text) => `\n[[target]]\n${text}\n`).join('')}END`,
      'inquest kdump load --rebuild 2>&1',
    ].join('\n'),
    1800,
  );
  process.stdout.write(`== ${name}\n${made}`);
  const before = machine.guest.text.length;
  machine.start('sync; echo c >/proc/sysrq-trigger');
  const ending =
    action === 'poweroff' ? /inquest: poweroff[\s\S]*(reboot: Power down|Power off)/ : /Rebooting in 10 seconds/;
  const deadline = Date.now() + 3600_000;
  while (!ending.test(machine.guest.text.slice(before)) && Date.now() < deadline && !machine.guest.hasEnded)
    await new Promise((resolve) => setTimeout(resolve, 2000));
  // time for what is still written
  await new Promise((resolve) => setTimeout(resolve, 15_000));
  const console = machine.guest.text.slice(before);
  process.stdout.write(
    console
      .split('\n')
      .filter((line) => /inquest: /.test(line))
      .join('\n'),
  );
  const wrong = says.filter((what) => !what.test(console)).map((what) => `the console does not say ${what}`);
  if (!ending.test(console)) wrong.push(`no ${action} followed`);
  const raw = join(folder, 'dumps.raw');
  const into = join(folder, name);
  runProgram('qemu-img', ['convert', '-U', '-O', 'raw', dumps, raw]);
  rmSync(into, { recursive: true, force: true });
  mkdirSync(into);
  runProgram('debugfs', ['-R', `rdump / ${into}`, raw]);
  for (const [file, what] of Object.entries(saved)) {
    const path = runProgram('find', [into, '-name', file]).toString().split('\n')[0]!;
    if (path === '') wrong.push(`${file} was not saved`);
    else if (
      !what.test(
        readFileSync(path)
          .subarray(0, 1 << 20)
          .toString('latin1'),
      )
    )
      wrong.push(`${file} is not ${what}`);
  }
  return wrong;
}
