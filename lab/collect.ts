// Real kernels send netconsole to `inquest listen` and die; a region of memory keeps what ramoops wrote over a warm reset. What
// inquest has of it is compared with what the serial console showed.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hardwareAdvice } from '../src/collect/hardware/advice.ts';
import { hardwareErrors } from '../src/collect/hardware/log_errors.ts';
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
    if (!guest.text.includes(marker)) throw new Error('the guest died before it was provoked');
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
    // where other machines take the processors, the kernel finds no timer that works, and gives up
    append: `console=ttyS0 no_timer_check ${plan.append}`,
    disks: [{ file: disk, format: 'raw' }],
    memory: 600,
    cpus: 2,
    cpu: 'max,la57=off',
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
  // a kernel sends all it has said when netconsole begins, at once
  const receiving = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
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

export const stores = ['ramoops', 'efi', 'erst', 'blk', 'mtdoops'] as const;
export type Store = (typeof stores)[number];

export interface PstoreOptions {
  readonly store: Store;
  /** ramoops.ecc, in bytes; 0: none. */
  readonly ecc: number;
  /** Bits that are flipped in each kibibyte of the image. */
  readonly flips: number;
}

/** Where ramoops and phram have their region, and how large: in the guest's memory, which the kernel is told to leave alone. */
const region = { address: 0x1c000000, size: 0x100000, record: 0x20000, console: 0x20000 };

interface StorePlan {
  /** Modules in the order in which they are loaded, and what each is told. */
  readonly modules: readonly (readonly [name: string, parameters: string])[];
  readonly append: string;
  readonly extra: readonly string[];
  /** The file in which QEMU keeps the store; null: it is in memory. */
  readonly image: string | null;
  /** What `inquest pstore` is told. */
  readonly options: readonly string[];
  /** It is written by work that a panic would not let run: the kernel oopses, and lives. Else memory is kept over a warm reset. */
  readonly lives: boolean;
}

function storePlan({ store, ecc }: PstoreOptions, folder: string): StorePlan {
  const none = { modules: [], append: '', extra: [], options: [], lives: false };
  const hex = (value: number): string => `0x${value.toString(16)}`;
  const reserved = `memmap=${hex(region.size)}$${hex(region.address)}`;
  switch (store) {
    case 'ramoops':
      return {
        ...none,
        modules: [
          [
            'ramoops',
            `mem_address=${hex(region.address)} mem_size=${hex(region.size)} record_size=${hex(region.record)} console_size=${hex(region.console)} ecc=${ecc}`,
          ],
        ],
        append: reserved,
        image: null,
        options: [
          '--ecc',
          String(ecc),
          '--record-size',
          String(region.record),
          '--console-size',
          String(region.console),
        ],
      };
    case 'efi': {
      const image = join(folder, 'OVMF_VARS.fd');
      copyFileSync('/usr/share/OVMF/OVMF_VARS.fd', image);
      return {
        ...none,
        modules: [['efi_pstore', '']],
        extra: [
          ...['-drive', 'if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE.fd'],
          ...['-drive', `if=pflash,format=raw,file=${image}`],
        ],
        image,
      };
    }
    case 'erst': {
      const image = join(folder, 'erst.img');
      writeFileSync(image, Buffer.alloc(0x40000));
      return {
        ...none,
        extra: [
          ...['-object', `memory-backend-file,id=erst,mem-path=${image},size=0x40000,share=on`],
          ...['-device', 'acpi-erst,memdev=erst'],
        ],
        image,
      };
    }
    case 'blk':
      return {
        ...none,
        modules: [['pstore_blk', 'blkdev=/dev/vda kmsg_size=64 best_effort=Y']],
        image: join(folder, 'disk.img'),
        lives: true,
      };
    case 'mtdoops':
      // flash that is memory; generic kernels have it
      return {
        ...none,
        modules: [
          ['phram', `phram=lab,${hex(region.address)},${hex(region.size)},${hex(region.record)}`],
          ['mtdoops', `mtddev=lab record_size=${region.record} dump_oops=1`],
        ],
        append: reserved,
        image: null,
        lives: true,
      };
    default:
      return store satisfies never;
  }
}

/**
 * A kernel dies; what it left in its store is read by `inquest pstore` and compared with the console. Of ramoops an image is taken
 * after the machine was reset and another kernel had found the records, of mtdoops while the kernel that oopsed still runs.
 * @throws Error when the guest does not come up, does not die, or its store has no records
 */
export async function pstore(kernelName: string, options: PstoreOptions): Promise<CollectResult> {
  needPrograms('qemu-system-x86_64', 'xz');
  const { store, ecc, flips } = options;
  const fetched = fetchKernel(kernelNamed(kernelName));
  const folder = place.run(
    [kernelName, store, ...(ecc > 0 ? [`ecc${ecc}`] : []), ...(flips > 0 ? [`flips${flips}`] : [])].join('-'),
  );
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const plan = storePlan(options, folder);
  const again = plan.image === null && !plan.lives;
  const guest = boot(fetched, folder, {
    modules: plan.modules.map(([name]) => name),
    init: [
      ...plan.modules.map(
        ([name, parameters]) =>
          `for m in $(cat /lib/modules/${name}.order); do case $m in ${name}) insmod /lib/modules/$m.ko ${parameters};; *) [ -d /sys/module/$m ] || insmod /lib/modules/$m.ko;; esac; done`,
      ),
      'mkdir -p /tmp/pstore; mount -t pstore pstore /tmp/pstore',
      'if ls /tmp/pstore | grep -q dmesg; then echo LAB SECOND; sleep 1000000; fi',
      '[ -f /lib/modules/perish.ko ] && insmod /lib/modules/perish.ko',
      `echo "<4>${marker}" > /dev/kmsg`,
      'sleep 1',
      ...(plan.lives
        ? ["sh -c 'echo null > /proc/perish'", 'sleep 15', 'sync', 'echo LAB OVER']
        : ['echo null > /proc/perish']),
    ],
    append: `loglevel=8 panic=${again ? 2 : 0} ${plan.lives ? '' : 'oops=panic '}${plan.append}`,
    extra: plan.extra,
    reboots: again,
  });
  const image = plan.image ?? join(folder, `${store}.img`);
  try {
    const shown = again ? /^LAB SECOND/m : plan.lives ? /^LAB OVER/m : /end Kernel panic/;
    if (!(await guest.shows(shown, 900))) throw new Error(`the console did not show ${shown}`);
    if (plan.image === null) {
      await guest.qmp('stop');
      await guest.qmp('pmemsave', { val: region.address, size: region.size, filename: image });
    }
    await sleep(2000);
  } finally {
    guest.stop();
    await guest.ended;
  }
  if (flips > 0) flipBits(image, flips);
  const words = ['src/cli/main.ts', 'pstore', image, '--log', ...plan.options];
  const answer = runProgram(process.execPath, words).toString('latin1');
  const shown = guest.text.split(/\r?\n/).filter((line) => /^\[ *\d+\.\d{6}\]/.test(line));
  const from = shown.findIndex((line) => line.includes(marker));
  // the log is saved in panic() or behind the end of the trace, before the last lines
  const last = plan.lives ? /end trace/ : /Kernel Offset|Rebooting in|end Kernel panic/;
  const to = shown.findIndex((line, n) => n > from && last.test(line));
  const bare = (line: string): string => line.replace(/^\[ *[\d.]+\](?:\[ *[TC]\d+\])? /, '');
  const wanted = shown.slice(from, to < 0 ? undefined : to);
  const missing = wanted.filter((line) => !answer.includes(bare(line)));
  const wrong =
    missing.length === 0
      ? []
      : [`${missing.length} of ${wanted.length} lines are in no record, the first: ${missing[0]}`];
  return {
    lines: wanted.length - missing.length,
    wrong,
    incidents: answer.split('\n').filter((line) => /^\w.*#\d+, /.test(line)),
  };
}

/** A machine check that is injected: its bank, and what the bank's registers hold. An uncorrected read of memory. */
const injected = { bank: 9, status: 0xbd00000000000091n, globalStatus: 0x5n, address: 0x62000000n, misc: 0x8cn };

/** Who injects a machine check: QEMU, into the processor; or the kernel's own mce-inject (generic kernels), into its log of them. */
export const injectors = ['qemu', 'mce-inject'] as const;

/** A kernel meets a machine check; what `inquest mce` reads of its console is compared with what was injected. */
export async function machineCheck(kernelName: string, injector: (typeof injectors)[number]): Promise<CollectResult> {
  needPrograms('qemu-system-x86_64', 'xz');
  const fetched = fetchKernel(kernelNamed(kernelName));
  const isOwn = injector === 'mce-inject';
  const folder = place.run(`${kernelName}-${isOwn ? 'mce-inject' : 'mce'}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { bank, status, globalStatus, address, misc } = injected;
  const hex = (value: bigint): string => `0x${value.toString(16)}`;
  const guest = boot(fetched, folder, {
    modules: isOwn ? ['mce-inject'] : [],
    init: isOwn
      ? [
          'mount -t debugfs debugfs /sys/kernel/debug; load mce_inject; cd /sys/kernel/debug/mce-inject',
          'echo LAB READY; sleep 2',
          `echo sw > flags; echo 0 > cpu; echo ${hex(status)} > status; echo ${hex(address)} > addr; echo ${hex(misc)} > misc`,
          // this one sets it off
          `echo ${bank} > bank`,
        ]
      : ['echo LAB READY'],
    append: 'loglevel=8 panic=0',
  });
  try {
    if (!(await guest.shows(/^LAB READY/m, 900))) throw new Error('the guest did not come up');
    await sleep(3000);
    if (!isOwn)
      await guest.qmp('human-monitor-command', {
        'command-line': `mce 0 ${bank} ${hex(status)} ${hex(globalStatus)} ${hex(address)} ${hex(misc)}`,
      });
    if (!(await guest.shows(/PROCESSOR \d+:|end Kernel panic/, 120)))
      throw new Error('the guest said nothing of a machine check');
    await sleep(3000);
  } finally {
    guest.stop();
    await guest.ended;
  }
  const console = guest.text.replaceAll('\r', '');
  const [error, ...others] = hardwareErrors(console).filter(({ source }) => source === 'mce');
  const wrong: string[] = [];
  const same = (what: string, found: unknown, wanted: unknown): void => {
    if (found !== wanted) wrong.push(`${what} is ${found}, not ${wanted}`);
  };
  same('bank', error?.bank, bank);
  same('CPU', error?.cpu, 0);
  same('status', error?.status, hex(status));
  same('address', error?.address, hex(address));
  same('unit', error?.unit, 'memory');
  if (others.some(({ status: more }) => more !== hex(status))) wrong.push('another machine check');
  const advice = error === undefined ? [] : hardwareAdvice([error]).map(({ sentence }) => sentence);
  return {
    lines: console.split('\n').filter((line) => line.includes('[Hardware Error]')).length,
    wrong,
    incidents: advice,
  };
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
