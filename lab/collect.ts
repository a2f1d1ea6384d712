// Real kernels send netconsole to `inquest listen` and die; a region of memory keeps what ramoops wrote over a warm reset. What
// inquest has of it is compared with what the serial console showed.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IncidentAlert } from '../src/collect/netconsole/alerts.ts';
import { Listener } from '../src/collect/netconsole/listener.ts';
import { parseExtendedHeader } from '../src/oops/extended_record.ts';
import { type Fetched, fetchKernel } from './fetch.ts';
import { packOverlay } from './initrd.ts';
import { kernelNamed } from './kernels.ts';
import { place, say } from './place.ts';
import { needPrograms, runProgram } from './programs.ts';
import { Guest } from './qemu.ts';

/** The host as a guest with QEMU's own network sees it. */
const host = { address: '10.0.2.2', mac: '52:55:0a:00:02:02' };
const guestAddress = '10.0.2.15';
const marker = 'lab: from here on';

export interface NetconsoleOptions {
  /** Plain text instead of records. */
  readonly basic: boolean;
  /** Packets are dropped, doubled and reordered on the way. */
  readonly lossy: boolean;
  /** Shell lines that kill the guest. */
  readonly provoke: string;
}

/** What came of it: equal lines, and what was not as it should be. */
export interface CollectResult {
  readonly lines: number;
  readonly wrong: readonly string[];
  readonly incidents: readonly string[];
}

/** @throws Error when the guest does not come up or does not die */
export async function netconsole(kernelName: string, options: NetconsoleOptions): Promise<CollectResult> {
  needPrograms('qemu-system-x86_64', 'xz', 'mkfs.ext4');
  const fetched = fetchKernel(kernelNamed(kernelName));
  const name = [kernelName, 'netconsole', ...(options.basic ? ['basic'] : []), ...(options.lossy ? ['lossy'] : [])];
  const folder = place.run(name.join('-'));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const alerts: IncidentAlert[] = [];
  const port = await freePort();
  const listener = await Listener.start(
    {
      directory: join(folder, 'logs'),
      limits: { sourcePackets: 1e6, sourceBytes: 1e9, sources: 10, fileBytes: 1e9, fileAge: 1e9, hostBytes: 1e10 },
      networks: [],
      sockets: { addresses: ['127.0.0.1'], ports: [port], count: 1 },
      threads: 1,
      follow: [],
      command: null,
      metricsPort: null,
    },
    { incident: (alert) => alerts.push(alert), trouble: say },
  );
  const way = await badWay(port, options.lossy);
  const guest = boot(fetched, folder, {
    modules: ['netconsole'],
    init: [
      'ip link set lo up',
      `ip addr add ${guestAddress}/24 dev eth0`,
      'ip link set eth0 up',
      'sleep 2',
      `for m in $(cat /lib/modules/netconsole.order); do case $m in netconsole) insmod /lib/modules/$m.ko netconsole=${options.basic ? '' : '+'}6665@${guestAddress}/eth0,${way.port}@${host.address}/${host.mac};; *) insmod /lib/modules/$m.ko;; esac; done`,
      '[ -f /lib/modules/perish.ko ] && insmod /lib/modules/perish.ko',
      'sleep 1',
      `echo "<4>${marker}" > /dev/kmsg`,
      'for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo "<4>lab: line $n of twenty" > /dev/kmsg; done',
      `echo "<4>lab: long $(head -c 900 /dev/zero | tr '\\0' y)" > /dev/kmsg`,
      'sleep 1',
      options.provoke,
    ],
    // with a time to reboot after, Linux 7 leaves before its netconsole was flushed
    append: 'loglevel=8 panic=0 oops=panic',
    network: 'user',
  });
  try {
    if (!(await guest.shows(/end Kernel panic|reboot: |Restarting system/, 600)))
      throw new Error('the guest did not die');
    await sleep(5000);
  } finally {
    guest.stop();
    await guest.ended;
    way.close();
    await listener.end();
  }
  return { ...compare(folder, guest.text, way.dropped), incidents: alerts.map(({ incident }) => incident.title) };
}

interface BootPlan {
  readonly modules: readonly string[];
  readonly init: readonly string[];
  readonly append: string;
  readonly network?: string;
  readonly extra?: readonly string[];
  readonly reboots?: boolean;
}

function boot({ kernel, vmlinuz, initrd }: Fetched, folder: string, plan: BootPlan): Guest {
  const init = [
    '#!/bin/busybox sh',
    'export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/busybox',
    '/bin/busybox mkdir -p /busybox /proc /sys /dev /tmp',
    '/bin/busybox --install -s /busybox',
    'mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs devtmpfs /dev',
    'for m in $(cat /lib/modules/boot.order); do insmod /lib/modules/$m.ko; done',
    'load() { for m in $(cat /lib/modules/$1.order); do insmod /lib/modules/$m.ko; done; }',
    'echo 1 > /proc/sys/kernel/sysrq',
    ...plan.init,
    'sleep 1000000',
    '',
  ].join('\n');
  const both = join(folder, 'initrd.gz');
  const overlay = packOverlay(place.kernel(kernel), plan.modules, { init });
  writeFileSync(both, Buffer.concat([readFileSync(initrd), overlay]));
  const disk = join(folder, 'disk.img');
  writeFileSync(disk, Buffer.alloc(8 << 20));
  return new Guest({
    kind: kernel.machine,
    vmlinuz,
    initrd: both,
    append: `console=ttyS0 ${plan.append}`,
    disk,
    memory: 600,
    cpus: 2,
    la57: false,
    console: join(folder, 'console.log'),
    ...(plan.network === undefined ? {} : { network: plan.network }),
    ...(plan.extra === undefined ? {} : { extra: plan.extra }),
    ...(plan.reboots === undefined ? {} : { reboots: plan.reboots }),
  });
}

interface BadWay {
  readonly port: number;
  /** Sequence numbers of records of which no packet came through. */
  readonly dropped: ReadonlySet<number>;
  close(): void;
}

/** Passes packets on; a bad way drops every eleventh, doubles every seventh and lets every fifth wait for the next. */
async function badWay(to: number, lossy: boolean): Promise<BadWay> {
  const dropped = new Set<number>();
  const receiving = createSocket('udp4');
  const sending = createSocket('udp4');
  let count = 0;
  let held: Buffer | null = null;
  receiving.on('message', (packet) => {
    const send = (bytes: Buffer): void => sending.send(bytes, to, '127.0.0.1');
    if (!lossy) return send(packet);
    count++;
    if (count % 11 === 0) {
      const head = parseExtendedHeader(packet.toString('latin1'));
      if (head !== null) dropped.add(head.sequence);
      return;
    }
    if (count % 5 === 0 && held === null) {
      held = packet;
      return;
    }
    send(packet);
    if (count % 7 === 0) send(packet);
    if (held !== null) send(held);
    held = null;
  });
  receiving.bind(0, '127.0.0.1');
  await once(receiving, 'listening');
  return {
    port: receiving.address().port,
    dropped,
    close: () => {
      receiving.close();
      sending.close();
    },
  };
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** Lines of the console from the marker on against those of the log; a record that was dropped must be said in its place. */
function compare(folder: string, console: string, dropped: ReadonlySet<number>): Omit<CollectResult, 'incidents'> {
  const logs = join(folder, 'logs');
  const files = readdirSync(logs)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) => readdirSync(join(logs, name)).map((file) => join(logs, name, file)))
    .filter((file) => file.endsWith('.log'));
  const wrong: string[] = [];
  if (files.length !== 1) wrong.push(`${files.length} logs`);
  const log = files
    .map((file) => readFileSync(file, 'utf8'))
    .join('')
    .split('\n')
    .filter(Boolean);
  const shown = console.split(/\r?\n/).filter((line) => /^\[ *\d+\.\d{6}\]/.test(line));
  const from = shown.findIndex((line) => line.includes(marker));
  const begun = log.findIndex((line) => line.includes(marker));
  if (from < 0 || begun < 0) return { lines: 0, wrong: [...wrong, 'no beginning'] };
  const gaps = log
    .filter((line) => line.includes('netconsole message'))
    .flatMap((line) => {
      const m = /missing: (\d+)(?:-(\d+))?/.exec(line)!;
      return Array.from({ length: Number(m[2] ?? m[1]) - Number(m[1]) + 1 }, (_, n) => Number(m[1]) + n);
    });
  for (const number of gaps) if (!dropped.has(number)) wrong.push(`record ${number} is called missing, and was sent`);
  const wanted = shown.slice(from);
  const had = log.slice(begun).filter((line) => !line.includes('netconsole message'));
  let lost = 0;
  let at = 0;
  for (const line of wanted) {
    if (had[at] === line || (had[at]?.includes('bytes missing') ?? false)) at++;
    else lost++;
  }
  if (at < had.length) wrong.push(`not as on the console: ${had[at]}`);
  if (dropped.size === 0 && lost > 0)
    wrong.push(`${lost} lines are not in the log, the first: ${wanted.find((line) => !had.includes(line))}`);
  if (dropped.size > 0 && gaps.length === 0) wrong.push('no gap is said');
  return { lines: at, wrong };
}

export interface RamoopsOptions {
  /** ramoops.ecc, in bytes; 0: none. */
  readonly ecc: number;
  /** Bits that are flipped in each kibibyte of the image. */
  readonly flips: number;
}

/** Where ramoops has its region, and how large: at the end of the guest's memory, which the kernel is told to leave alone. */
const region = { address: 0x1c000000, size: 0x100000, record: 0x20000, console: 0x20000 };

/**
 * A kernel with ramoops dies, the machine is reset, and the next kernel's memory still has the region: an image of it is taken
 * by QEMU and read by `inquest pstore`.
 */
export async function ramoops(kernelName: string, { ecc, flips }: RamoopsOptions): Promise<CollectResult> {
  needPrograms('qemu-system-x86_64', 'xz');
  const fetched = fetchKernel(kernelNamed(kernelName));
  const folder = place.run(`${kernelName}-ramoops-ecc${ecc}-flips${flips}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const parameters = `mem_address=0x${region.address.toString(16)} mem_size=0x${region.size.toString(16)} record_size=0x${region.record.toString(16)} console_size=0x${region.console.toString(16)} ecc=${ecc}`;
  const guest = boot(fetched, folder, {
    modules: ['ramoops'],
    init: [
      `for m in $(cat /lib/modules/ramoops.order); do case $m in ramoops) insmod /lib/modules/$m.ko ${parameters};; *) insmod /lib/modules/$m.ko;; esac; done`,
      'if dmesg | grep -q "lab: second boot"; then sleep 1000000; fi',
      'mkdir -p /tmp/pstore; mount -t pstore pstore /tmp/pstore',
      'if ls /tmp/pstore | grep -q dmesg; then echo LAB SECOND; sleep 1000000; fi',
      '[ -f /lib/modules/perish.ko ] && insmod /lib/modules/perish.ko',
      `echo "<4>${marker}" > /dev/kmsg`,
      'sleep 1',
      'echo null > /proc/perish',
    ],
    append: `loglevel=8 panic=2 oops=panic memmap=0x${region.size.toString(16)}$0x${region.address.toString(16)}`,
    reboots: true,
  });
  const image = join(folder, 'ramoops.img');
  try {
    if (!(await guest.shows(/^LAB SECOND/m, 900))) throw new Error('no second boot that found records');
    await guest.qmp('stop');
    await guest.qmp('pmemsave', { val: region.address, size: region.size, filename: image });
  } finally {
    guest.stop();
    await guest.ended;
  }
  if (flips > 0) flipBits(image, flips);
  const answer = runProgram(process.execPath, [
    'src/cli/main.ts',
    'pstore',
    image,
    '--log',
    '--ecc',
    String(ecc),
    '--record-size',
    String(region.record),
    '--console-size',
    String(region.console),
  ]).toString('latin1');
  copyFileSync(image, join(folder, 'kept.img'));
  const shown = guest.text.split(/\r?\n/).filter((line) => /^\[ *\d+\.\d{6}\]/.test(line));
  const from = shown.findIndex((line) => line.includes(marker));
  const to = shown.findIndex((line, n) => n > from && line.includes('end Kernel panic'));
  // the log is saved in panic(), before its last lines
  const wanted = shown
    .slice(from, to < 0 ? undefined : to)
    .filter((line) => /Oops|RIP|BUG|Call Trace|perish|lab:/.test(line));
  const lines = wanted.filter((line) => answer.includes(line.replace(/^\[ *[\d.]+\](?:\[ *[TC]\d+\])? /, '')));
  const wrong =
    lines.length === wanted.length
      ? []
      : [`${wanted.length - lines.length} of ${wanted.length} lines are not in the record`];
  return { lines: lines.length, wrong, incidents: answer.split('\n').filter((line) => /ramoops/.test(line)) };
}

function flipBits(image: string, each: number): void {
  const bytes = readFileSync(image);
  let seed = 99;
  for (let at = 0; at < bytes.length; at += 1024)
    for (let n = 0; n < each; n++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      const place = at + ((seed >>> 8) % 1024);
      if (place < bytes.length) bytes[place]! ^= 1 << ((seed >>> 4) & 7);
    }
  writeFileSync(image, bytes);
}
