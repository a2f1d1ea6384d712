// net: network devices, neighbours and sockets.
import type { VirtAddr } from '../../base/address.ts';
import { assertNever, UsageError } from '../../base/errors.ts';
import { ipv4Text } from '../../base/ip_address.ts';
import { escapeLine, hex16 } from '../../base/text.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { type Neighbour, neighbours } from '../../kernel/neighbour.ts';
import { initNet, networkOf } from '../../kernel/net_namespace.ts';
import { type NetDevice, networkDevices } from '../../kernel/netdevice.ts';
import { family, type Sock, sockAt } from '../../kernel/sock.ts';
import { type SocketKind, socketKinds, socketsOf } from '../../kernel/sock_table.ts';
import { openSockets, type SocketUser, socketUsers } from '../../kernel/socket_users.ts';
import type { Task } from '../../kernel/task.ts';
import { type Answer, defineStream, noItems } from '../command.ts';
import { type CommandContext, parseHex, parseNumber, type TaskLabel, taskHeader, taskLabel } from '../context.ts';
import { flag, type Options, radixOf, radixParams, rest, valued, values } from '../params.ts';
import { structTexts } from '../types/shown_structs.ts';
import { structSpec } from '../types/struct_spec.ts';
import { type StructValue, structValue } from '../types/struct_value.ts';
import { valueReading } from '../types/value_reading.ts';
import { endTexts, socketType, stateName, wholeIpv6 } from './socket_names.ts';

/** A socket that a task has open. */
export interface OpenSocket {
  readonly fd: number;
  /** Virtual address of the `struct socket`. */
  readonly socket: VirtAddr;
  /** Virtual address of its `struct sock`; 0 for one that has been closed below. */
  readonly address: VirtAddr;
  /** Null where it cannot be read. */
  readonly sock: Sock | null;
  /** With -S: both structs. */
  readonly structs: readonly StructValue[];
}

/** The open sockets of a task. */
export interface TaskSockets {
  readonly task: TaskLabel;
  /** With -R those alone that were looked for. */
  readonly sockets: readonly OpenSocket[];
  /** Open files of which it cannot be read what they are; null where the table of files cannot be read. */
  readonly unreadable: number | null;
}

export type NetItem =
  | ({ readonly kind: 'device' } & NetDevice)
  | ({ readonly kind: 'neighbour' } & Neighbour)
  | ({ readonly kind: 'task' } & TaskSockets)
  | ({ readonly kind: 'socket'; readonly table: SocketKind; readonly users: readonly SocketUser[] } & Sock);

export interface NetHead {
  readonly show: 'devices' | 'neighbours' | 'task sockets' | 'sockets' | 'address';
  /** -N: the address in the usual form. */
  readonly address: string | null;
}

const params = {
  neighbours: flag('a', 'the ARP cache: who is where on a link'),
  ipv6: flag('6', "with -a: IPv6's neighbours"),
  sockets: flag('s', 'the sockets that tasks have open, with their ends', { excludes: ['S'] }),
  structs: flag('S', 'the sockets that tasks have open, with both structs of each'),
  reference: valued('R', 'reference', values.word, 'with -s or -S: only this descriptor, or this socket or sock'),
  all: valued(
    'l',
    'family',
    values.word,
    `every socket of the namespace, open or not: tcp, udp, raw, unix, netlink, packet or all. With state, bytes (of a
listening one, connections) that wait to be read and to be sent, both ends, and who has it open`,
    { excludes: ['s', 'S', 'a', 'N'] },
  ),
  namespace: flag('n', "the devices of the current task's network namespace, or of the task named"),
  number: valued('N', 'number', values.word, 'an IPv4 address as it lies in memory, in the usual form'),
  ...radixParams,
  tasks: rest('pid|task', values.task),
};

type NetOptions = Options<typeof params>;

export const net = defineStream({
  name: 'net',
  help: {
    summary: 'network devices, neighbours and sockets',
    usage: [
      '[-n [pid|task]]',
      '-a [-6] | -N number',
      '-s|-S [-xd] [-R reference] [pid|task]...',
      '-l tcp|udp|raw|unix|netlink|packet|all [-n pid|task]',
    ],
    description: `Without options, lists the network devices of the first network namespace with their addresses.`,
    examples: [
      ['net -n 1234', 'the devices of a container, by one of its processes'],
      ['foreach net -s', 'the sockets of every task'],
      ['net -l tcp', 'every TCP socket, and whose it is'],
    ],
  },
  params,
  items: 'entries',
  collect: collectNet,
  text: {
    head: ({ show, address }) => {
      if (address !== null) return `${address}\n`;
      return show === 'devices' ? '   NET_DEVICE     NAME       IP ADDRESS(ES)\n' : '';
    },
    item: (item, view, _head, index) => itemText(item, view.options, index, radixOf(view, view.options)),
  },
});

function collectNet(context: CommandContext, options: NetOptions): Answer<NetHead, NetItem, null> {
  const { kernel } = context;
  if (options.number !== null) {
    return { head: { show: 'address', address: addressOf(options.number) }, items: noItems(null) };
  }
  if (options.sockets || options.structs) {
    const tasks = options.tasks.length === 0 ? [context.task] : options.tasks;
    return { head: { show: 'task sockets', address: null }, items: taskSockets(context, tasks, options) };
  }
  if (options.reference !== null) throw new UsageError('-R needs -s or -S');
  if (options.all !== null) {
    const kinds = kindsOf(options.all);
    return {
      head: { show: 'sockets', address: null },
      items: allSockets(kernel, namespaceOf(context, options), kinds),
    };
  }
  if (options.neighbours) {
    const table = options.ipv6 ? 'nd_tbl' : 'arp_tbl';
    return { head: { show: 'neighbours', address: null }, items: neighbourItems(kernel, table) };
  }
  const devices = networkDevices(kernel, namespaceOf(context, options));
  return {
    head: { show: 'devices', address: null },
    items: noItems(
      null,
      devices.map((device): NetItem => ({ kind: 'device', ...device })),
    ),
  };
}

function namespaceOf(context: CommandContext, { namespace, tasks }: NetOptions) {
  if (!namespace) return initNet(context.kernel);
  const task = tasks[0] ?? context.task;
  const found = networkOf(task);
  if (found === null) throw new UsageError(`PID ${task.pid} has left its namespaces`);
  return found;
}

function kindsOf(word: string): readonly SocketKind[] {
  if (word === 'all') return socketKinds;
  const found = socketKinds.find((kind) => kind === word);
  if (found === undefined) throw new UsageError(`not a family of sockets: ${escapeLine(word)}`);
  return [found];
}

/** Four bytes of memory, read as a number of the machine, as an address. */
function addressOf(word: string): string {
  const value = parseNumber(word);
  if (value === null || value > 0xffff_ffffn) throw new UsageError(`not an IPv4 address: ${escapeLine(word)}`);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, Number(value), true);
  return ipv4Text(bytes);
}

function* neighbourItems(kernel: Kernel, name: string): Generator<NetItem, null> {
  // IPv6 may be a module
  for (const one of neighbours(kernel, kernel.object('struct neigh_table', kernel.address(name)))) {
    yield { kind: 'neighbour', ...one };
  }
  return null;
}

function* allSockets(
  kernel: Kernel,
  namespace: ReturnType<typeof initNet>,
  kinds: readonly SocketKind[],
): Generator<NetItem, null> {
  const users = socketUsers(kernel);
  for (const table of kinds) {
    for (const sock of socketsOf(kernel, namespace, table)) {
      kernel.work.charge('nodes', 1);
      yield { kind: 'socket', table, users: users.get(sock.socket) ?? [], ...sock };
    }
  }
  return null;
}

function* taskSockets(context: CommandContext, tasks: readonly Task[], options: NetOptions): Generator<NetItem, null> {
  const { kernel } = context;
  for (const task of tasks) {
    kernel.work.charge('nodes', 1);
    const sockets: OpenSocket[] = [];
    const open = openSockets(kernel, task);
    for (const { fd, socket } of open?.sockets ?? []) {
      const held = kernel.object('struct socket', socket);
      const address = kernel.faults.attempt('socket', () => held.member('sk').pointer(), null);
      if (address === null) continue;
      if (options.reference !== null && !refersTo(options.reference, fd, socket, address)) continue;
      const sock = address === 0n ? null : kernel.faults.attempt('sock', () => sockAt(kernel, address), null);
      const structs = options.structs ? structsOf(context, socket, address, sock) : [];
      sockets.push({ fd, socket, address, sock, structs });
    }
    yield { kind: 'task', task: taskLabel(task), sockets, unreadable: open?.unreadable ?? null };
  }
  return null;
}

function refersTo(reference: string, fd: number, socket: VirtAddr, sock: VirtAddr): boolean {
  if (/^\d{1,7}$/.test(reference) && fd === Number(reference)) return true;
  const address = parseHex(reference);
  return address !== null && (address === socket || address === sock);
}

/** Structs that a sock of a family begins. */
const sockTypes: Readonly<Record<number, string>> = {
  [family.unix]: 'unix_sock',
  [family.inet]: 'inet_sock',
  [family.inet6]: 'inet_sock',
  [family.netlink]: 'netlink_sock',
  [family.packet]: 'packet_sock',
};

function structsOf(context: CommandContext, socket: VirtAddr, address: VirtAddr, sock: Sock | null): StructValue[] {
  const { kernel } = context;
  const named = sock === null ? 'sock' : (sockTypes[sock.family] ?? 'sock');
  const type = kernel.types.find(`struct ${named}`) === null ? 'sock' : named;
  const both: readonly (readonly [string, VirtAddr])[] = [
    ['socket', socket],
    [type, address],
  ];
  return both.flatMap(([name, at]) => {
    if (at === 0n) return [];
    const spec = structSpec(context, name, 'any');
    const read = () => structValue(kernel.object(spec.type, at), spec, 'values', valueReading(context));
    const value = kernel.faults.attempt(name, read, null);
    return value === null ? [] : [value];
  });
}

function itemText(item: NetItem, options: NetOptions, index: number, radix: 10 | 16): string {
  switch (item.kind) {
    case 'device': {
      const addresses = [...item.ipv4, ...item.ipv6].join(', ');
      return `${hex16(item.address)}  ${escapeLine(item.name ?? '?').padEnd(10)} ${addresses}\n`;
    }
    case 'neighbour':
      return (index === 0 ? neighbourHeader : '') + neighbourText(item);
    case 'task':
      return taskText(item, options, radix);
    case 'socket':
      return (index === 0 ? socketHeader : '') + socketText(item);
    default:
      return assertNever(item);
  }
}

const neighbourHeader = 'NEIGHBOUR        IP ADDRESS      HW TYPE    HW ADDRESS         DEVICE  STATE\n';

/** ARPHRD_* (include/uapi/linux/if_arp.h). */
const hardwareTypes: Readonly<Record<number, string>> = {
  0: 'NETROM',
  1: 'ETHER',
  2: 'EETHER',
  3: 'AX25',
  4: 'PRONET',
  5: 'CHAOS',
  6: 'IEEE802',
  7: 'ARCNET',
  8: 'APPLETLK',
  15: 'DLCI',
  23: 'METRICOM',
};

/** NUD_* by bit (include/uapi/linux/neighbour.h). */
const neighbourStates = ['INCOMPLETE', 'REACHABLE', 'STALE', 'DELAY', 'PROBE', 'FAILED', 'NOARP', 'PERMANENT'];

function neighbourText({ address, ip, deviceType, hardware, device, state }: Neighbour): string {
  const type = hardwareTypes[deviceType] ?? 'UNKNOWN';
  const where = deviceType === 1 ? `${hardware} ` : `${hardware.replaceAll(':', ' ')} `;
  const names = neighbourStates.filter((_, bit) => (state & (1 << bit)) !== 0).join('|');
  return `${hex16(address)} ${ip.padEnd(15)} ${type.padEnd(10)} ${where} ${escapeLine(device).padEnd(6)}  ${names}\n`;
}

function taskText(
  { task, sockets, unreadable }: TaskSockets,
  { structs, reference }: NetOptions,
  radix: 10 | 16,
): string {
  if (sockets.length === 0) {
    // that there are none can be told only where all open files can be read
    const none = unreadable === 0 ? 'No open sockets.\n' : '';
    return reference === null ? `${taskHeader(task)}\n${none}` : '';
  }
  const rows = structs
    ? sockets.map((one) => `${structsHeader}${oneText(one)}\n${structTexts(one.structs, radix)}`)
    : [openHeader, ...sockets.map((one) => `${oneText(one)}${one.sock === null ? '' : openEndsText(one.sock)}\n`)];
  return `${taskHeader(task)}\n${rows.join(structs ? '\n' : '')}${reference === null ? '' : '\n'}`;
}

const openHeader = 'FD      SOCKET            SOCK       FAMILY:TYPE SOURCE-PORT DESTINATION-PORT\n';
const structsHeader = 'FD       SOCKET            SOCK      \n';

function oneText({ fd, socket, address }: OpenSocket): string {
  return `${String(fd).padStart(2)} ${hex16(socket)} ${hex16(address)} `;
}

function openEndsText({ family: of, type, ends }: Sock): string {
  const [local, peer] = endTexts(ends);
  const named = `${socketType(of, type)} `;
  // crash leaves out what is no Internet socket's
  if (ends.kind !== 'inet') return named;
  if (of === family.inet) return `${named} ${local} ${peer}`;
  return named + [ends.local, ends.peer].map(({ address, port }) => `${wholeIpv6(address)}-${port}  `).join('');
}

const socketHeader =
  'SOCK             FAMILY:TYPE         STATE        RECV-Q  SEND-Q LOCAL                  PEER                   USERS\n';

function socketText(sock: Sock & { readonly users: readonly SocketUser[] }): string {
  const [local, peer] = endTexts(sock.ends);
  const users = sock.users.map(({ pid, comm, fd }) => `${escapeLine(comm)}/${pid}/${fd}`).join(',');
  const columns = [
    hex16(sock.address),
    socketType(sock.family, sock.type).trimEnd().padEnd(19),
    stateName(sock.state).padEnd(11),
    String(sock.receiveQueue ?? '?').padStart(7),
    String(sock.sendQueue ?? '?').padStart(7),
    local.padEnd(22),
    peer.padEnd(22),
    users,
  ];
  return `${columns.join(' ').trimEnd()}\n`;
}
