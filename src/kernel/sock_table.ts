// The tables that sockets are looked up in: include/net/inet_hashtables.h, udp.h, raw.h, netns/unix.h, netns/packet.h,
// net/netlink/af_netlink.h. Each is of the whole machine, of a network namespace, or of one after the other, by kernel.
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { assertNever, FormatError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { findMember, offsetOf, sizeOf, strip, type Type } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { rhashEntries } from './rhashtable.ts';
import { type Sock, sockAt } from './sock.ts';

export const socketKinds = ['tcp', 'udp', 'raw', 'unix', 'netlink', 'packet'] as const;
/** Kinds of sockets by how they are kept; both Internet families of a protocol are one kind. */
export type SocketKind = (typeof socketKinds)[number];

/** Most buckets of a table, and most sockets in one. */
const maxBuckets = 1 << 24;
const maxChain = 4_000_000;
/** MAX_LINKS (include/uapi/linux/netlink.h): protocols of netlink. */
const netlinkProtocols = 32;

/**
 * The sockets of a kind in a network namespace, in the order of the kernel's tables. Tables and sockets that cannot be
 * read are faults.
 * @param net a `struct net`
 */
export function* socketsOf(kernel: Kernel, net: KernelObject, kind: SocketKind): Generator<Sock> {
  for (const address of addressesOf(kernel, net, kind)) {
    const sock = kernel.faults.attempt('socket', () => sockAt(kernel, address), null);
    // a table of the whole machine has those of other namespaces, too
    if (sock !== null && (sock.net === net.address || sock.net === 0n)) yield sock;
  }
}

function* addressesOf(kernel: Kernel, net: KernelObject, kind: SocketKind): Generator<VirtAddr> {
  switch (kind) {
    case 'tcp':
      yield* guarded(kernel, 'TCP sockets', () => tcpSockets(kernel, net));
      return;
    case 'udp':
      for (const name of ['udp_table', 'udplite_table']) {
        yield* guarded(kernel, 'UDP sockets', () => udpSockets(kernel, net, name));
      }
      return;
    case 'raw':
      for (const name of ['raw_v4_hashinfo', 'raw_v6_hashinfo']) {
        yield* guarded(kernel, 'raw sockets', () => rawSockets(kernel, name));
      }
      return;
    case 'unix':
      yield* guarded(kernel, 'UNIX sockets', () => unixSockets(kernel, net));
      return;
    case 'netlink':
      yield* guarded(kernel, 'netlink sockets', () => netlinkSockets(kernel));
      return;
    case 'packet':
      yield* guarded(kernel, 'packet sockets', () => packetSockets(kernel, net));
      return;
    default:
      assertNever(kind);
  }
}

/** Yields what a walk finds until the dump's content ends it, which is a fault. */
function* guarded(kernel: Kernel, what: string, walk: () => Generator<VirtAddr>): Generator<VirtAddr> {
  const found = walk();
  for (;;) {
    const next = kernel.faults.attempt(what, () => found.next(), null);
    if (next === null || next.done) return;
    yield next.value;
  }
}

function* tcpSockets(kernel: Kernel, net: KernelObject): Generator<VirtAddr> {
  // a namespace may have a table of its own since d1e5e6408b30 (6.1)
  const own = net.optional('ipv4.tcp_death_row.hashinfo');
  const info = own === null || own.isNull ? kernel.variable('tcp_hashinfo') : own.deref();
  const node = skNode(kernel);
  const established = info.member('ehash').pointer();
  yield* buckets(
    kernel,
    established,
    info.member('ehash_mask').number() + 1,
    'struct inet_ehash_bucket',
    'chain',
    node,
  );
  // those that listen: 32 buckets before cae3873c5b3a (5.19), a table since
  const old = info.optional('listening_hash');
  const type = kernel.type('struct inet_listen_hashbucket');
  if (old !== null) {
    const held = strip(old.type);
    const count = held.kind === 'array' ? held.length : 0;
    yield* buckets(kernel, old.address, count, type, headMember(type), node);
  } else {
    const count = info.member('lhash2_mask').number() + 1;
    yield* buckets(kernel, info.member('lhash2').pointer(), count, type, headMember(type), node);
  }
}

function* udpSockets(kernel: Kernel, net: KernelObject, name: string): Generator<VirtAddr> {
  // a namespace may have a table of its own since 9804985bf27f (6.2)
  const own = name === 'udp_table' ? net.optional('ipv4.udp_table') : null;
  if (own === null && kernel.ownSymbol(name) === null) return; // UDP-Lite is gone since 7.1
  const table = own === null || own.isNull ? kernel.object('struct udp_table', kernel.address(name)) : own.deref();
  const type = kernel.type('struct udp_hslot');
  const count = table.member('mask').number() + 1;
  yield* buckets(kernel, table.member('hash').pointer(), count, type, headMember(type), skNode(kernel));
}

function* rawSockets(kernel: Kernel, name: string): Generator<VirtAddr> {
  const symbol = kernel.symbols.find(name);
  if (symbol === null) return;
  const table = kernel.object('struct raw_hashinfo', symbol.address).member('ht');
  const held = strip(table.type);
  if (held.kind !== 'array') throw new FormatError('raw_hashinfo', 'has no table');
  yield* chains(kernel, table.address, held.length, 8, skNode(kernel));
}

function* unixSockets(kernel: Kernel, net: KernelObject): Generator<VirtAddr> {
  // of each namespace since cf2f225e2653 (6.0), in UNIX_HASH_SIZE buckets, which is twice 256 in both
  const own = net.optional('unx.table.buckets');
  const table = own !== null ? own.pointer() : kernel.address('unix_socket_table');
  yield* chains(kernel, table, 512, 8, skNode(kernel));
}

function* netlinkSockets(kernel: Kernel): Generator<VirtAddr> {
  const tables = kernel.space.pointer(kernel.address('nl_table'));
  const type = kernel.type('struct netlink_table');
  for (let protocol = 0; protocol < netlinkProtocols; protocol++) {
    const table = kernel.object(type, offsetBy(tables, protocol * sizeOf(type)));
    if (table.member('hash.tbl').isNull) continue;
    for (const sock of rhashEntries(table.member('hash'), 'struct netlink_sock', 'node', kernel.faults)) {
      yield sock.address;
    }
  }
}

function* packetSockets(kernel: Kernel, net: KernelObject): Generator<VirtAddr> {
  const list = net.optional('packet.sklist');
  if (list !== null) yield* chains(kernel, list.address, 1, 8, skNode(kernel));
}

/** Byte offset in a sock of the node that most tables link it by. */
function skNode(kernel: Kernel): number {
  return offsetOf(kernel.type('struct sock'), '__sk_common.skc_node');
}

/** What the bucket of a table calls its chain. */
function headMember(type: Type): string {
  const found = ['nulls_head', 'head', 'ilb_head'].find((name) => findMember(type, name) !== null);
  if (found === undefined) throw new FormatError('socket table', 'has buckets without a head');
  return found;
}

function buckets(
  kernel: Kernel,
  first: VirtAddr,
  count: number,
  type: Type | string,
  head: string,
  node: number,
): Generator<VirtAddr> {
  const bucket = typeof type === 'string' ? kernel.type(type) : type;
  return chains(kernel, offsetBy(first, offsetOf(bucket, head)), count, sizeOf(bucket), node);
}

/**
 * Socks on a table of chains (hlist and hlist_nulls, which end with an odd word).
 * @param first virtual address of the first head; @param stride bytes from one head to the next
 * @param node byte offset of the links in a sock
 */
function* chains(kernel: Kernel, first: VirtAddr, count: number, stride: number, node: number): Generator<VirtAddr> {
  const { space, faults } = kernel;
  if (count > maxBuckets) throw new FormatError('socket table', `has ${count} buckets`);
  const chunk = Math.max(1, Math.floor(65536 / stride));
  for (let from = 0; from < count; from += chunk) {
    const here = Math.min(chunk, count - from);
    const bytes = faults.attempt(
      'socket table',
      () => space.read(offsetBy(first, from * stride), (here - 1) * stride + 8),
      null,
    );
    if (bytes === null) continue;
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < here; i++) {
      const seen = new Set<bigint>();
      for (let at = view.getBigUint64(i * stride, true) as VirtAddr; at !== 0n && (at & 1n) === 0n; ) {
        if (seen.has(at) || seen.size >= maxChain) {
          faults.record('socket table', new FormatError('socket table', `loops at ${at.toString(16)}`));
          break;
        }
        seen.add(at);
        yield offsetBy(at, -node);
        const link = at;
        const next = faults.attempt('socket table', () => space.pointer(link), null);
        if (next === null) break;
        at = next;
      }
    }
  }
}
