// include/net/sock.h, inet_sock.h, af_unix.h, linux/tcp.h: sockets, their ends and their queues.
import type { VirtAddr } from '../base/address.ts';
import { latin1 } from '../base/byte_reader.ts';
import { ipv4Text, ipv6Text } from '../base/ip_address.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';

/** AF_* (include/linux/socket.h). */
export const family = { unix: 1, inet: 2, inet6: 10, netlink: 16, packet: 17 } as const;
/** TCP_* (include/net/tcp_states.h), which every family uses. */
export const tcpState = { established: 1, timeWait: 6, close: 7, listen: 10, newSynRecv: 12 } as const;
/** IPPROTO_TCP. */
const protocolTcp = 6;

/** An Internet address and a port. */
export interface SocketEnd {
  readonly address: string;
  readonly port: number;
}

/** What a socket is bound to and talks with, as its family has it. */
export type SocketEnds =
  | { readonly kind: 'inet'; readonly local: SocketEnd; readonly peer: SocketEnd }
  /** `name`: a path, `@` before an abstract name, or null; `peer`: the virtual address of the other `struct sock`, 0 for none. */
  | { readonly kind: 'unix'; readonly name: string | null; readonly peer: VirtAddr }
  /** `port`: a process id, mostly; 0 for the kernel's own. */
  | { readonly kind: 'netlink'; readonly port: number }
  /** `protocol`: ETH_P_*; `device`: its index, 0 for all. */
  | { readonly kind: 'packet'; readonly protocol: number; readonly device: number }
  | { readonly kind: 'none' };

/** A `struct sock`. */
export interface Sock {
  readonly address: VirtAddr;
  /** AF_*. */
  readonly family: number;
  /** SOCK_*; null for what is left of a closed or not yet made connection, which is no whole socket. */
  readonly type: number | null;
  readonly protocol: number | null;
  /** TCP_*. */
  readonly state: number;
  /** Virtual address of its `struct net`. */
  readonly net: VirtAddr;
  /** Virtual address of its `struct socket`; 0 if no process has it open. */
  readonly socket: VirtAddr;
  readonly ends: SocketEnds;
  /** Bytes that wait to be read; of a listening socket, connections that wait to be accepted. Null where not known. */
  readonly receiveQueue: number | null;
  /** Bytes sent and not yet acknowledged, or still to be sent; of a listening socket, how many may wait. */
  readonly sendQueue: number | null;
}

/** The socket of an inode of sockfs: `struct socket` lies before it. @throws NotFoundError, MemoryFault */
export function socketOfInode(kernel: Kernel, inode: VirtAddr): { socket: KernelObject; sock: KernelObject } {
  const alloc = kernel.object('struct inode', inode).containerOf('struct socket_alloc', 'vfs_inode');
  const socket = alloc.member('socket');
  return { socket, sock: socket.member('sk') };
}

/** @param address of a `struct sock`. Parts that cannot be read are faults. @throws NotFoundError, MemoryFault */
export function sockAt(kernel: Kernel, address: VirtAddr): Sock {
  const { faults } = kernel;
  const sock = kernel.object('struct sock', address);
  const common = sock.member('__sk_common');
  const state = common.member('skc_state').number();
  const of = common.member('skc_family').number();
  const isWhole = state !== tcpState.newSynRecv && !(state === tcpState.timeWait && isInternet(of));
  const protocol = isWhole ? faults.attempt('sk_protocol', () => sock.member('sk_protocol').number(), null) : null;
  const queues = isWhole
    ? faults.attempt('socket queues', () => queuesOf(kernel, sock, state, of, protocol), null)
    : { receive: 0, send: 0 };
  return {
    address,
    family: of,
    type: isWhole ? faults.attempt('sk_type', () => sock.member('sk_type').number(), null) : null,
    protocol,
    state,
    net: common.optional('skc_net.net')?.pointer() ?? (0n as VirtAddr),
    socket: isWhole ? sock.member('sk_socket').pointer() : (0n as VirtAddr),
    ends: faults.attempt('socket ends', () => endsOf(kernel, sock, common, of, isWhole), { kind: 'none' }),
    receiveQueue: queues?.receive ?? null,
    sendQueue: queues?.send ?? null,
  };
}

function isInternet(of: number): boolean {
  return of === family.inet || of === family.inet6;
}

function endsOf(kernel: Kernel, sock: KernelObject, common: KernelObject, of: number, isWhole: boolean): SocketEnds {
  switch (of) {
    case family.inet:
    case family.inet6: {
      const text = of === family.inet ? ipv4Text : ipv6Text;
      const [here, there] = of === family.inet ? ['skc_rcv_saddr', 'skc_daddr'] : ['skc_v6_rcv_saddr', 'skc_v6_daddr'];
      // what is no whole socket has its port in the common part alone, in the machine's order
      const port = isWhole
        ? networkOrder(as(kernel, sock, 'struct inet_sock').member('inet_sport').number())
        : common.member('skc_num').number();
      return {
        kind: 'inet',
        local: { address: text(common.member(here!).bytes()), port },
        peer: {
          address: text(common.member(there!).bytes()),
          port: networkOrder(common.member('skc_dport').number()),
        },
      };
    }
    case family.unix: {
      const unix = as(kernel, sock, 'struct unix_sock');
      return { kind: 'unix', name: unixName(unix.member('addr')), peer: unix.member('peer').pointer() };
    }
    case family.netlink:
      return { kind: 'netlink', port: as(kernel, sock, 'struct netlink_sock').member('portid').number() };
    case family.packet: {
      const packet = as(kernel, sock, 'struct packet_sock');
      return {
        kind: 'packet',
        protocol: networkOrder(packet.member('num').number()),
        device: packet.member('ifindex').number(),
      };
    }
    default:
      return { kind: 'none' };
  }
}

/** A `struct unix_address`: a sockaddr_un of `len` bytes, its family among them. */
function unixName(address: KernelObject): string | null {
  if (address.isNull) return null;
  const { space } = address.context;
  const bytes = space.read(address.member('name').address, Math.min(110, address.member('len').number())).subarray(2);
  if (bytes.length === 0) return null;
  return bytes[0] === 0 ? `@${Buffer.from(bytes.subarray(1)).toString('latin1').replaceAll('\0', '@')}` : latin1(bytes);
}

function queuesOf(
  kernel: Kernel,
  sock: KernelObject,
  state: number,
  of: number,
  protocol: number | null,
): { receive: number; send: number } {
  if (state === tcpState.listen) {
    return { receive: sock.member('sk_ack_backlog').number(), send: sock.member('sk_max_ack_backlog').number() };
  }
  if (isInternet(of) && protocol === protocolTcp) {
    // as get_tcp4_sock in net/ipv4/tcp_ipv4.c: sequence numbers wrap at 32 bits
    const tcp = as(kernel, sock, 'struct tcp_sock');
    const between = (from: string, to: string) =>
      Math.max(0, (tcp.member(to).number() - tcp.member(from).number()) | 0);
    return { receive: between('copied_seq', 'rcv_nxt'), send: between('snd_una', 'write_seq') };
  }
  // sk_rmem_alloc is this, and sk_wmem_alloc counts one from the start (include/net/sock.h)
  const sent = sock.member('sk_wmem_alloc');
  return {
    receive: sock.member('sk_backlog.rmem_alloc.counter').number(),
    send: Math.max(0, sent.memberAmong('counter', 'refs.counter').number() - 1),
  };
}

/** The struct of a family that begins with this sock. @throws NotFoundError */
function as(kernel: Kernel, sock: KernelObject, type: string): KernelObject {
  return kernel.object(type, sock.address);
}

/** A 16-bit number of the network, read as the machine's. */
function networkOrder(value: number): number {
  return ((value & 0xff) << 8) | (value >> 8);
}
