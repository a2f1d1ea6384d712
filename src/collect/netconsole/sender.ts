// The sending side: what netconsole on this machine has to be told so that its packets reach a receiver. Everything is looked
// up as the kernel sees it; `root` stands before the paths of /proc and /sys.
//
// Documentation/networking/netconsole.rst; drivers/net/netconsole.c, net/core/netpoll.c.
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isIP, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { FormatError } from '../../base/errors.ts';

export interface SenderSettings {
  readonly device: string;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Of the receiver or of the router on the way to it; null: it does not answer, and packets go to everybody. */
  readonly remoteMac: string | null;
  /** The router on the way; null: the receiver is on the same network. */
  readonly gateway: string | null;
  readonly extended: boolean;
  /** Whether each packet names the kernel's release. */
  readonly release: boolean;
}

/** Sentences on what netconsole will not do here. */
export interface SenderPlan {
  readonly settings: SenderSettings;
  readonly warnings: readonly string[];
}

export interface SenderWishes {
  /** Null: the one on the way to the receiver. */
  readonly device: string | null;
  readonly localPort: number;
  /** Plain text, for receivers that know no records. */
  readonly basic: boolean;
}

/**
 * Works out how this machine reaches a receiver.
 * @param host name or address of the receiver
 * @throws FormatError if there is no way to it, or it is this machine
 */
export async function planSender(host: string, port: number, wishes: SenderWishes, root = '/'): Promise<SenderPlan> {
  const remoteAddress = isIP(host) > 0 ? host : await resolve(host);
  const { localAddress, device: routed } = await wayTo(remoteAddress, port);
  const device = wishes.device ?? routed;
  const interfaces = networkInterfaces();
  if (Object.values(interfaces).some((own) => own?.some(({ address }) => address === remoteAddress)))
    throw new FormatError(host, 'is this machine: netconsole sends to others');
  const own = interfaces[device]?.find(({ family }) => (family === 'IPv6') === isIPv6(remoteAddress));
  const gateway = gatewayTo(remoteAddress, device, root);
  const remoteMac = await macOf(gateway ?? remoteAddress, device, port, root);
  const settings: SenderSettings = {
    device,
    localAddress: device === routed ? localAddress : (own?.address ?? localAddress),
    localPort: wishes.localPort,
    remoteAddress,
    remotePort: port,
    remoteMac,
    gateway,
    extended: !wishes.basic,
    release: !wishes.basic && knowsRelease(root),
  };
  return { settings, warnings: warningsOf(settings, root) };
}

async function resolve(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw new FormatError(host, `has no address (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** Asks the kernel, which chooses an address of its own for a socket that is connected. */
async function wayTo(address: string, port: number): Promise<{ localAddress: string; device: string }> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  try {
    socket.connect(port, address);
    await once(socket, 'connect');
    const localAddress = socket.address().address;
    for (const [device, addresses] of Object.entries(networkInterfaces()))
      if (addresses?.some((own) => own.address === localAddress)) return { localAddress, device };
    throw new FormatError(address, `is reached from ${localAddress}, which no device has`);
  } catch (error) {
    if (error instanceof FormatError) throw error;
    throw new FormatError(address, `cannot be reached (${(error as NodeJS.ErrnoException).code})`);
  } finally {
    socket.close();
  }
}

/** The router on the way, by the routing table of IPv4 or IPv6; null: there is none. */
export function gatewayTo(address: string, device: string, root: string): string | null {
  return isIPv6(address) ? gateway6(address, device, root) : gateway4(address, device, root);
}

function gateway4(address: string, device: string, root: string): string | null {
  const wanted = address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
  let best: { mask: number; metric: number; gateway: number } | null = null;
  for (const line of textOf(join(root, 'proc/net/route')).split('\n').slice(1)) {
    const [name, to, via, flags, , , metric, mask] = line.split('\t');
    if (name !== device || mask === undefined || (Number.parseInt(flags!, 16) & 1) === 0) continue;
    const route = { mask: swapped(mask), metric: Number(metric), gateway: swapped(via!) };
    if ((wanted & route.mask) >>> 0 !== swapped(to!)) continue;
    if (best === null || route.mask > best.mask || (route.mask === best.mask && route.metric < best.metric))
      best = route;
  }
  if (best === null || best.gateway === 0) return null;
  return [24, 16, 8, 0].map((shift) => (best.gateway >>> shift) & 0xff).join('.');
}

/** /proc/net/route prints addresses as this machine's integers of them. */
function swapped(hex: string): number {
  return Buffer.from(hex.padStart(8, '0'), 'hex').readUInt32LE();
}

function gateway6(address: string, device: string, root: string): string | null {
  const wanted = bytes6(address);
  let best: { length: number; metric: number; via: string } | null = null;
  for (const line of textOf(join(root, 'proc/net/ipv6_route')).split('\n')) {
    const [to, length, , , via, metric, , , , name] = line.trim().split(/\s+/);
    if (name !== device || to === undefined) continue;
    const bits = Number.parseInt(length!, 16);
    if (!sameBits(Buffer.from(to, 'hex'), wanted, bits)) continue;
    const route = { length: bits, metric: Number.parseInt(metric!, 16), via: via! };
    if (best === null || route.length > best.length || (route.length === best.length && route.metric < best.metric))
      best = route;
  }
  if (best === null || /^0+$/.test(best.via)) return null;
  return best.via
    .match(/.{4}/g)!
    .map((part) => part.replace(/^0{1,3}/, ''))
    .join(':');
}

function bytes6(address: string): Buffer {
  const [head = '', tail] = address.split('%')[0]!.split('::');
  const words = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const before = words(head);
  const after = words(tail ?? '');
  const zeroes = tail === undefined ? [] : new Array<string>(8 - before.length - after.length).fill('0');
  return Buffer.from([...before, ...zeroes, ...after].map((word) => word.padStart(4, '0')).join(''), 'hex');
}

function sameBits(a: Buffer, b: Buffer, bits: number): boolean {
  for (let n = 0; n < bits; n++) {
    const mask = 0x80 >> (n & 7);
    if (((a[n >> 3] ?? 0) & mask) !== ((b[n >> 3] ?? 0) & mask)) return false;
  }
  return true;
}

/** Has the kernel ask for the hardware address, and looks whether it got it. */
async function macOf(address: string, device: string, port: number, root: string): Promise<string | null> {
  for (const wait of [0, 100, 400, 1000]) {
    if (wait > 0) await setTimeout(wait);
    const known = isIPv6(address) ? neighbour6(address, device) : neighbour4(address, device, root);
    if (known !== null) return known;
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    socket.on('error', () => {}); // whether it was heard is seen above
    await new Promise<void>((done) => socket.send(Buffer.from('\n'), port, address, () => done()));
    socket.close();
  }
  return null;
}

export function neighbour4(address: string, device: string, root: string): string | null {
  for (const line of textOf(join(root, 'proc/net/arp')).split('\n').slice(1)) {
    const [ip, , flags, mac, , name] = line.trim().split(/\s+/);
    // flags: ATF_COM, the entry is complete
    if (ip === address && name === device && (Number(flags) & 2) !== 0) return mac!;
  }
  return null;
}

/** There is no file of IPv6's neighbours: iproute2 asks for them. */
function neighbour6(address: string, device: string): string | null {
  try {
    const text = execFileSync('ip', ['-6', 'neigh', 'show', 'to', address, 'dev', device], { encoding: 'utf8' });
    return /lladdr ((?:[0-9a-f]{2}:){5}[0-9a-f]{2})/.exec(text)?.[1] ?? null;
  } catch {
    return null; // no iproute2
  }
}

/** Whether this kernel's netconsole can name its release: seen in its own text, since no interface tells before it is used. */
function knowsRelease(root: string): boolean {
  const release = textOf(join(root, 'proc/sys/kernel/osrelease')).trim();
  const target = join(root, 'sys/kernel/config/netconsole');
  for (const name of listed(target)) if (existsSync(join(target, name, 'release'))) return true;
  const m = /^(\d+)\.(\d+)/.exec(release);
  // c62c0a17f9b7 (6.6); where it is wrong, configfs has no such attribute, and --apply says so
  return m !== null && (Number(m[1]) > 6 || (Number(m[1]) === 6 && Number(m[2]) >= 6));
}

function warningsOf({ device, remoteMac, remoteAddress, gateway }: SenderSettings, root: string): string[] {
  const warnings: string[] = [];
  const own = join(root, 'sys/class/net', device);
  const printk = textOf(join(root, 'proc/sys/kernel/printk')).trim().split(/\s+/).map(Number);
  const ignores = /^[Y1]/.test(textOf(join(root, 'sys/module/printk/parameters/ignore_loglevel')));
  const [level] = printk;
  if (level !== undefined && level < 8 && !ignores)
    warnings.push(
      `the console log level is ${level}: messages of level ${level} and higher are not sent (dmesg -n 8 sends all; loglevel=8 on the command line from the start)`,
    );
  if (/^[Y1]/.test(textOf(join(root, 'sys/module/netconsole/parameters/oops_only'))))
    warnings.push('netconsole.oops_only is set: nothing is sent before an oops');
  if (existsSync(join(own, 'master')))
    warnings.push(`${device} is part of another device (bond, bridge or team): netconsole refuses it; use that device`);
  if (existsSync(join(own, 'bonding'))) {
    const members = textOf(join(own, 'bonding/slaves'))
      .trim()
      .split(/\s+/)
      .filter((name) => name !== '');
    warnings.push(
      `${device} is a bond: the drivers of ${members.join(', ') || 'its members'} must all be able to poll`,
    );
  }
  if (existsSync(join(own, 'wireless')) || existsSync(join(own, 'phy80211')))
    warnings.push(`${device} is wireless: such drivers cannot send while the kernel dies`);
  if (existsSync(join(own, 'tun_flags')))
    warnings.push(`${device} is a tunnel of a program, which does not run while the kernel dies`);
  const state = textOf(join(own, 'operstate')).trim();
  if (state === 'down') warnings.push(`${device} is down`);
  if (remoteMac === null)
    warnings.push(
      `${gateway ?? remoteAddress} does not answer: without its hardware address packets go to everybody on the network, and not through a router`,
    );
  if (!existsSync(join(root, 'sys/module/netconsole')) && !hasModule(root))
    warnings.push('this kernel has no netconsole module');
  return warnings;
}

function hasModule(root: string): boolean {
  const release = textOf(join(root, 'proc/sys/kernel/osrelease')).trim();
  for (const list of ['modules.dep', 'modules.builtin'])
    for (const place of ['lib/modules', 'usr/lib/modules'])
      if (/(?:^|\/)netconsole\.ko/m.test(textOf(join(root, place, release, list)))) return true;
  return false;
}

/** The value of the module's parameter, and of `netconsole=` on the kernel's command line. */
export function moduleParameter(settings: SenderSettings): string {
  const { device, localAddress, localPort, remoteAddress, remotePort, remoteMac, extended, release } = settings;
  const flags = `${extended ? '+' : ''}${release ? 'r' : ''}`;
  return `${flags}${localPort}@${localAddress}/${device},${remotePort}@${remoteAddress}/${remoteMac ?? ''}`;
}

/** Where targets are made while the kernel runs, under the root. */
const configfs = 'sys/kernel/config/netconsole';

/** The attributes of a target in configfs, in the order in which they are written. */
export function attributes(settings: SenderSettings): [string, string][] {
  const { device, localAddress, localPort, remoteAddress, remotePort, remoteMac, extended, release } = settings;
  return [
    ['dev_name', device],
    ['local_port', String(localPort)],
    ['remote_port', String(remotePort)],
    ['local_ip', localAddress],
    ['remote_ip', remoteAddress],
    ...(remoteMac === null ? [] : [['remote_mac', remoteMac] as [string, string]]),
    ['extended', extended ? '1' : '0'],
    ...(release ? [['release', '1'] as [string, string]] : []),
    ['enabled', '1'],
  ];
}

/** The same as commands for a shell. */
export function configfsCommands(settings: SenderSettings, name: string): string[] {
  const folder = `/${configfs}/${name}`;
  return [
    'modprobe netconsole',
    `mkdir ${folder}`,
    ...attributes(settings).map(([attribute, value]) => `echo ${value} > ${folder}/${attribute}`),
  ];
}

/** Files that set it up at each boot: for modprobe, and to have the module loaded. */
export function bootFiles(settings: SenderSettings): { readonly path: string; readonly text: string }[] {
  return [
    { path: '/etc/modprobe.d/netconsole.conf', text: `options netconsole netconsole=${moduleParameter(settings)}\n` },
    { path: '/etc/modules-load.d/netconsole.conf', text: 'netconsole\n' },
  ];
}

export function targetFolder(root: string, name: string): string {
  return join(root, configfs, name);
}

/** Targets that are set up, with their attributes. */
export function targets(root = '/'): { readonly name: string; readonly attributes: ReadonlyMap<string, string> }[] {
  return listed(join(root, configfs)).map((name) => ({
    name,
    attributes: new Map(
      listed(join(root, configfs, name))
        .filter((attribute) => attribute !== 'userdata')
        .map((attribute): [string, string] => [attribute, textOf(join(root, configfs, name, attribute)).trim()]),
    ),
  }));
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return []; // configfs is not mounted, or the module is not there
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // not there, not readable, or without a value: nothing is known of it
  }
}
