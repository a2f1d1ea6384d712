// The capture kernel with every kind of target, and failures provoked in it: each must end in a saved log, a clear message and the
// configured action, and none may hang.
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { recoverRaw } from '../../src/host/capture/raw_target.ts';
import { parseConfig } from '../../src/host/config/inquest_config.ts';
import type { DebianSuite } from '../kernels.ts';
import { place, say } from '../place.ts';
import { runProgram } from '../programs.ts';
import type { Disk } from '../qemu.ts';
import { bootCapture, captureRoot, type DeadMemory, layOut } from './capture_kernel.ts';
import { lackingAt, type Service, startServices } from './services.ts';

interface Provoked {
  readonly name: string;
  /** `[[target]]` tables besides the last one, which is a directory on ext4. */
  readonly targets?: (services: readonly Service[]) => readonly string[];
  /** Scripts of kdump.d/before, by name, besides the one that sets up the network. */
  readonly before?: Readonly<Record<string, string>>;
  /** Megabytes reserved. */
  readonly reserved?: number;
  readonly lacks?: readonly string[];
  /** Done to the dead kernel's memory. */
  readonly damage?: (memory: Buffer) => void;
  /** What the console tells. */
  readonly says: readonly RegExp[];
  /** What it must not tell. */
  readonly never?: readonly RegExp[];
  /** Files at the target that works, with what they hold. */
  readonly saved: Readonly<Record<string, RegExp>>;
  /** Whether every target of a service has it all. */
  readonly everywhere?: boolean;
}

const wholeDump = /^KDUMP {3}/;
const all = { 'verdict.txt': /\S/, 'verdict.json': /"panic"/, 'vmcore-dmesg.txt': /\S/, 'capture.log': /VERDICT: / };

export const provocations: readonly Provoked[] = [
  {
    name: 'none',
    targets: (services) => ['type = "raw"\ndevice = "/dev/vdb"', ...services.map(({ target }) => target)],
    says: [/VERDICT: /, /inquest: poweroff/],
    never: [/FAILED/, /Out of memory/],
    saved: { ...all, 'vmcore.mini': wholeDump, vmcore: wholeDump },
    everywhere: true,
  },
  {
    name: 'targets',
    targets: (services) => [
      'type = "nfs"\nsource = "10.0.2.2:/dumps"\noptions = "vers=4.2,port=21050,soft,timeo=50,retrans=1"\npath = "/"',
      ...services
        .filter(({ name }) => name === 'ssh')
        .map(({ target }) => target.replace('kdump_known_hosts', 'other_hosts')),
      'type = "https"\nurl = "https://10.0.2.2:21051/files"',
      'type = "directory"\ndevice = "UUID=00000000-dead-4bad-8bad-000000000000"\nfstype = "ext4"\npath = "/"',
      'type = "directory"\ndevice = "/dev/vdd"\nfstype = "xfs"\npath = "/"',
      'type = "directory"\ndevice = "/dev/vdc"\nfstype = "ext4"\npath = "/"',
    ],
    lacks: ['xfs'],
    says: [
      /reach: nfs .*FAILED/,
      /reach: ssh .*FAILED: .*(Host key verification failed|REMOTE HOST IDENTIFICATION)/,
      /: https:.*FAILED/,
      /UUID=00000000-dead.* is not there/,
      /reach: \/dev\/vdd:\/: FAILED: .*xfs/,
      /\/dev\/vdc:\/: FAILED: .*(ENOSPC|[Nn]o space|room)/,
      /inquest: poweroff/,
    ],
    saved: { ...all, 'vmcore.mini': wholeDump, vmcore: wholeDump, 'capture.log': /reach: nfs .*FAILED/ },
  },
  {
    name: 'second-panic',
    before: {
      // once the verdict is at the target, and the mini dump is being written
      panic:
        '(while ! ls /mnt/*/*/vmcore.mini* /mnt/*/*/*/vmcore.mini* 2>/dev/null | grep -q .; do sleep 1; done; echo c >/proc/sysrq-trigger) </dev/null >/dev/null 2>&1 &',
    },
    says: [/VERDICT: /, /verdict: \/dev\/vda:\/: done/, /Kernel panic - not syncing: sysrq/, /Rebooting in 10 seconds/],
    saved: { 'verdict.txt': /\S/, 'vmcore-dmesg.txt': /\S/ },
  },
  {
    name: 'too-small',
    reserved: 176,
    says: [/inquest: (poweroff|reboot)/, /Out of memory|FAILED|did not run to its end|cannot be mounted/],
    saved: { vmcore: /^(KDUMP {3}|\x7fELF)/ },
  },
  {
    name: 'no-room',
    // not even for the initramfs: the kernel says so, and boots again
    reserved: 140,
    says: [/Initramfs unpacking failed|Unable to mount root fs|Out of memory/, /Rebooting in 10 seconds/],
    saved: {},
  },
  {
    name: 'unreadable',
    // what is left of it: the notes
    damage: (memory) => void memory.fill(0x5a),
    says: [/VERDICT: (Nothing in this dump|no verdict)/, /mini by inquest: .*FAILED: /, /inquest: poweroff/],
    saved: { vmcore: /^(KDUMP {3}|\x7fELF)/, 'capture.log': /mini by inquest: .*FAILED: / },
  },
  {
    name: 'other-release',
    // as if every module were of another release
    lacks: ['virtio_blk', 'virtio_net', 'ext4'],
    says: [/reach: \/dev\/vda:\/: FAILED/, /VERDICT: /, /inquest: poweroff/],
    saved: {},
  },
];

/** Sets up the network as the plan of a running machine would. */
const networkUp = 'ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; sleep 1';
/** What the verdict is measured against, in the same capture kernel. */
const measureDmesg = 'makedumpfile --dump-dmesg /proc/vmcore /run/dmesg-of-makedumpfile';

/** @returns what did not end as it should */
export async function provoke(suite: DebianSuite, names: readonly string[], dump: string): Promise<readonly string[]> {
  const folder = join(place.host(suite), 'provoked');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const dead = layOut(dump, folder);
  const services = await startServices(folder, dead.megabytes);
  const wrong: string[] = [];
  try {
    for (const one of provocations.filter(({ name }) => names.length === 0 || names.includes(name))) {
      say(`${one.name}: provoked`);
      const found = await provokeOne(suite, one, services, dead, folder);
      process.stdout.write(`${one.name}: ${found.length === 0 ? 'ended as it should' : found.join('; ')}\n`);
      wrong.push(...found.map((text) => `${one.name}: ${text}`));
    }
  } finally {
    for (const service of services) service.stop();
  }
  return wrong;
}

async function provokeOne(
  suite: DebianSuite,
  one: Provoked,
  services: readonly Service[],
  dead: DeadMemory,
  folder: string,
): Promise<readonly string[]> {
  const root = captureRoot(suite);
  prepareRoot(root, one, services);
  const tables = [
    ...(one.targets?.(services) ?? []),
    'type = "directory"\ndevice = "/dev/vda"\nfstype = "ext4"\npath = "/"',
  ];
  const { config, remarks } = parseConfig(tables.map((text) => `[[target]]\n${text}\n`).join('\n'));
  if (remarks.length > 0) throw new Error(`${one.name}: ${remarks[0]!.text}`);
  const disks = makeDisks(folder);
  const guest = bootCapture({
    root,
    folder,
    name: one.name,
    config: {
      ...config,
      everyTarget: true,
      // emulation is slower by more than a factor of ten
      limits: { verdict: 900, mini: 900, full: 900, target: 100 },
      finalAction: 'poweroff',
      failureAction: 'poweroff',
      modules: ['virtio_pci', 'virtio_blk', 'virtio_net'],
    },
    dead: one.damage === undefined ? dead : damaged(dead, one.damage),
    disks,
    reserved: one.reserved ?? 256,
    lacks: one.lacks ?? [],
    // virtiofsd serves one machine, and ends with it
    extra: services.filter(({ name }) => one.everywhere === true || name !== 'virtiofs').flatMap(({ qemu }) => qemu),
  });
  const timer = setTimeout(() => guest.stop(), 3000_000);
  await guest.ended;
  clearTimeout(timer);
  const lines = guest.text.split('\n').filter((line) => /inquest: |Kernel panic|Out of memory/.test(line));
  process.stdout.write(`${lines.join('\n')}\n`);
  return [
    ...one.says.filter((what) => !what.test(guest.text)).map((what) => `the console does not say ${what}`),
    ...(one.never ?? []).filter((what) => what.test(guest.text)).map((what) => `the console says ${what}`),
    ...lackingOnDisk(disks[0]!.file, join(folder, `${one.name}.files`), one.saved),
    ...(one.everywhere ? services.flatMap(({ name, folder: at }) => lackingAt(name, at)) : []),
    ...(one.everywhere ? lackingInPartition(disks[1]!.file, join(folder, 'recovered')) : []),
  ];
}

/** What a machine with these targets would have. */
function prepareRoot(root: string, one: Provoked, services: readonly Service[]): void {
  const write = (path: string, text: string, mode = 0o600): void => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text, { mode });
  };
  rmSync(join(root, 'etc/inquest'), { recursive: true, force: true });
  for (const [path, text] of services.flatMap(({ files }) => [...files])) write(path, text);
  const known = services.flatMap(({ files }) => files.get('/etc/inquest/kdump_known_hosts') ?? [])[0] ?? '';
  write(
    '/etc/inquest/other_hosts',
    known.replace(/AAAA\S*/, 'AAAAC3NzaC1lZDI1NTE5AAAAIFh5bm90dGhpc2tleW5vdHRoaXNrZXlub3R0aGlza2V5'),
  );
  const before = { '00-network': networkUp, dmesg: measureDmesg, ...one.before };
  for (const [name, script] of Object.entries(before))
    write(`/etc/inquest/kdump.d/before/${name}`, `#!/bin/sh\n${script}\n`, 0o755);
}

/** An ext4 that takes dumps, a partition, an ext4 that is full, and an xfs whose module may lack. */
function makeDisks(folder: string): readonly Disk[] {
  const disk = (name: string, megabytes: number): Disk => {
    const file = join(folder, `${name}.raw`);
    rmSync(file, { force: true });
    runProgram('truncate', ['-s', `${megabytes}M`, file]);
    return { file, format: 'raw' };
  };
  const [dumps, raw, full, lost] = [disk('dumps', 1024), disk('raw', 1024), disk('full', 2), disk('lost', 64)];
  runProgram('mkfs.ext4', ['-q', '-F', dumps.file]);
  runProgram('mkfs.ext4', ['-q', '-F', '-O', '^has_journal', full.file]);
  return [dumps, raw, full, lost];
}

function damaged(dead: DeadMemory, damage: (memory: Buffer) => void): DeadMemory {
  const bytes = readFileSync(dead.memory);
  damage(bytes);
  const memory = `${dead.memory}.damaged`;
  writeFileSync(memory, bytes);
  return { ...dead, memory };
}

/** Files that a disk with ext4 lacks, or that hold something else. */
function lackingOnDisk(disk: string, into: string, files: Readonly<Record<string, RegExp>>): readonly string[] {
  rmSync(into, { recursive: true, force: true });
  mkdirSync(into);
  runProgram('debugfs', ['-R', `rdump / ${into}`, disk]);
  return Object.entries(files).flatMap(([file, what]) => {
    const [path] = globSync(`**/${file}`, { cwd: into });
    if (path === undefined) return [`${file} was not saved`];
    const start = readFileSync(join(into, path)).subarray(0, 1 << 20);
    return what.test(start.toString('latin1')) ? [] : [`${file} is not ${what}`];
  });
}

/** What lies in a partition once it is read back, as at the next boot. */
function lackingInPartition(disk: string, into: string): readonly string[] {
  rmSync(into, { recursive: true, force: true });
  const found = recoverRaw(disk, into);
  if (found === null) return ['raw: nothing is in the partition'];
  const names = found.files.filter(({ isWhole }) => isWhole).map(({ name }) => name);
  return [...Object.keys(all), 'vmcore.mini.flat', 'vmcore.flat']
    .filter((name) => !names.includes(name))
    .map((name) => `raw: no ${name}`);
}
