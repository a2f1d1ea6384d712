// Sockets of a namespace: each family's table, and what a socket says of itself.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import type { SocketEnds } from '../../src/kernel/sock.ts';
import { type SocketKind, socketsOf } from '../../src/kernel/sock_table.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const types = `
  struct hlist_node { struct hlist_node *next; struct hlist_node **pprev; };
  struct hlist_head { struct hlist_node *first; };
  struct in6_addr { u8 bytes[16]; };
  struct possible_net { struct net *net; };
  struct counter { int counter; };
  struct sock_common { u32 skc_daddr; u32 skc_rcv_saddr; u16 skc_dport; u16 skc_num; u16 skc_family; u8 skc_state;
    struct possible_net skc_net; struct in6_addr skc_v6_daddr; struct in6_addr skc_v6_rcv_saddr;
    struct hlist_node skc_node; };
  struct backlog { struct counter rmem_alloc; };
  struct sock { struct sock_common __sk_common; u16 sk_type; u16 sk_protocol; struct backlog sk_backlog;
    struct counter sk_wmem_alloc; u32 sk_ack_backlog; u32 sk_max_ack_backlog; struct socket *sk_socket; };
  struct inet_sock { struct sock sk; u16 inet_sport; };
  struct tcp_sock { struct inet_sock inet; u32 rcv_nxt; u32 copied_seq; u32 write_seq; u32 snd_una; };
  struct sockaddr_un { u16 sun_family; char sun_path[108]; };
  struct unix_address { int len; struct sockaddr_un name[]; };
  struct unix_sock { struct sock sk; struct unix_address *addr; struct sock *peer; };
  struct packet_sock { struct sock sk; int ifindex; u16 num; };
  struct rhash_head { struct rhash_head *next; };
  struct bucket_table { u32 size; u32 nest; struct bucket_table *future_tbl; void *buckets[4]; };
  struct rhashtable { struct bucket_table *tbl; };
  struct netlink_sock { struct sock sk; u32 portid; struct rhash_head node; };
  struct netlink_table { struct rhashtable hash; int registered; };
  struct inet_ehash_bucket { struct hlist_head chain; };
  struct inet_listen_hashbucket { int lock; struct hlist_head nulls_head; };
  struct inet_hashinfo { struct inet_ehash_bucket *ehash; u32 ehash_mask; u32 lhash2_mask;
    struct inet_listen_hashbucket *lhash2; };
  struct unix_table { struct hlist_head *buckets; };
  struct netns_unix { struct unix_table table; };
  struct netns_packet { struct hlist_head sklist; };
  struct net { struct netns_unix unx; struct netns_packet packet; };
`;

class World {
  readonly kernel = new SyntheticKernel(types);
  readonly net = this.kernel.allocate('struct net', 'init_net');

  /** A socket of a kind of struct, on a chain. @param head address of the chain's head */
  sock(type: string, family: number, state: number, head: bigint, net = this.net): KernelObject {
    const { kernel } = this;
    const object = kernel.allocate(type);
    const sock = kernel.object('struct sock', object.address);
    kernel.set(sock, '__sk_common.skc_family', family);
    kernel.set(sock, '__sk_common.skc_state', state);
    kernel.set(sock, '__sk_common.skc_net.net', net);
    kernel.set(sock, 'sk_wmem_alloc.counter', 1);
    const node = sock.member('__sk_common.skc_node').address;
    kernel.space.words(node, kernel.space.u64(head as never));
    kernel.space.words(head, node);
    return object;
  }

  tcp() {
    const { kernel } = this;
    const info = kernel.allocate('struct inet_hashinfo', 'tcp_hashinfo');
    const [ehash, lhash] = [kernel.reserve(32), kernel.reserve(32)];
    // the end of a chain of nulls is odd
    kernel.space.words(ehash, 1n, 3n, 5n, 7n);
    kernel.space.words(lhash + 8n, 1n);
    kernel.space.words(lhash + 24n, 3n);
    kernel.set(info, 'ehash', ehash);
    kernel.set(info, 'ehash_mask', 3);
    kernel.set(info, 'lhash2', lhash);
    kernel.set(info, 'lhash2_mask', 1);
    return { established: ehash, listening: lhash + 8n };
  }

  read(kind: SocketKind) {
    const { value, faults } = this.kernel.faults.collect(() => [...socketsOf(this.kernel, this.net, kind)]);
    return { socks: value, faults: faults.length };
  }
}

const ends = (found: SocketEnds | undefined) =>
  found?.kind === 'inet'
    ? `${found.local.address}:${found.local.port} ${found.peer.address}:${found.peer.port}`
    : found;

describe('sockets', () => {
  test('a connection: its ends, and what waits in its queues across the wrap of sequence numbers', () => {
    const world = new World();
    const { kernel } = world;
    const tcp = world.sock('struct tcp_sock', 2, 1, world.tcp().established);
    const common = kernel.object('struct sock_common', tcp.address);
    kernel.set(kernel.object('struct sock', tcp.address), 'sk_protocol', 6);
    kernel.space.write(common.member('skc_rcv_saddr').address, Uint8Array.of(10, 0, 0, 1));
    kernel.space.write(common.member('skc_daddr').address, Uint8Array.of(10, 0, 0, 2));
    kernel.set(common, 'skc_dport', 0x5000); // 80 as the network has it
    kernel.set(tcp, 'inet.inet_sport', 0x9a02);
    kernel.set(tcp, 'copied_seq', 0xffff_fff0);
    kernel.set(tcp, 'rcv_nxt', 0x10);
    kernel.set(tcp, 'snd_una', 100);
    kernel.set(tcp, 'write_seq', 107);
    const { socks, faults } = world.read('tcp');
    assert.equal(ends(socks[0]?.ends), '10.0.0.1:666 10.0.0.2:80');
    assert.deepEqual([socks[0]?.receiveQueue, socks[0]?.sendQueue, faults], [32, 7, 0]);
  });

  test('of a connection in TIME_WAIT the common part alone is read', () => {
    const world = new World();
    const { established } = world.tcp();
    const sock = world.sock('struct sock_common', 2, 6, established);
    world.kernel.set(sock, 'skc_num', 666);
    const { socks, faults } = world.read('tcp');
    assert.deepEqual([ends(socks[0]?.ends), socks[0]?.type, faults], ['0.0.0.0:666 0.0.0.0:0', null, 0]);
  });

  test('one that listens: how many wait to be accepted, and may', () => {
    const world = new World();
    const tcp = world.sock('struct tcp_sock', 2, 10, world.tcp().listening);
    const sock = world.kernel.object('struct sock', tcp.address);
    world.kernel.set(sock, 'sk_ack_backlog', 2);
    world.kernel.set(sock, 'sk_max_ack_backlog', 128);
    const { socks } = world.read('tcp');
    assert.deepEqual([socks[0]?.receiveQueue, socks[0]?.sendQueue], [2, 128]);
  });

  test('sockets of another namespace in a table of the whole machine are not shown', () => {
    const world = new World();
    const { established } = world.tcp();
    world.sock('struct tcp_sock', 2, 1, established, world.kernel.allocate('struct net'));
    assert.deepEqual(world.read('tcp').socks, []);
  });

  test('a chain that leads back ends', () => {
    const world = new World();
    const { established } = world.tcp();
    const tcp = world.sock('struct tcp_sock', 2, 1, established);
    const node = world.kernel.object('struct sock', tcp.address).member('__sk_common.skc_node').address;
    world.kernel.space.words(node, node);
    const { socks, faults } = world.read('tcp');
    assert.deepEqual([socks.length, faults], [1, 1]);
  });

  test('a table that is missing is a fault, not a failure', () => {
    assert.deepEqual(new World().read('tcp'), { socks: [], faults: 1 });
  });

  test('UNIX sockets by path, abstract and without a name', () => {
    const world = new World();
    const { kernel } = world;
    const buckets = kernel.reserve(512 * 8);
    kernel.set(world.net, 'unx.table.buckets', buckets);
    const named = (path: string) => {
      const unix = world.sock('struct unix_sock', 1, 7, buckets);
      const address = kernel.reserve(120);
      const bytes = Buffer.from(`\x01\x00${path}`, 'latin1');
      kernel.space.write(address, Buffer.concat([Uint8Array.of(bytes.length, 0, 0, 0), bytes]));
      kernel.set(unix, 'addr', address);
    };
    world.sock('struct unix_sock', 1, 7, buckets);
    named('\0abstract');
    named('/run/x\0');
    const names = world.read('unix').socks.map((sock) => (sock.ends.kind === 'unix' ? sock.ends.name : sock.ends));
    assert.deepEqual(names, ['/run/x', '@abstract', null]);
  });

  test('netlink sockets in a hash table that is being moved', () => {
    const world = new World();
    const { kernel } = world;
    const size = kernel.allocate('struct netlink_table').size;
    const tables = kernel.reserve(32 * size);
    kernel.space.words(kernel.reserve(8), 0n);
    kernel.define('nl_table', kernel.reserve(8));
    kernel.space.words(kernel.address('nl_table'), tables);
    const [old, next] = [kernel.allocate('struct bucket_table'), kernel.allocate('struct bucket_table')];
    kernel.set(old, 'size', 2);
    kernel.set(next, 'size', 4);
    kernel.set(old, 'future_tbl', next);
    kernel.set(kernel.object('struct netlink_table', tables), 'hash.tbl', old);
    for (const [table, port] of [
      [old, 7],
      [next, 8],
    ] as const) {
      const sock = kernel.allocate('struct netlink_sock');
      kernel.set(kernel.object('struct sock_common', sock.address), 'skc_family', 16);
      kernel.set(sock, 'portid', port);
      kernel.set(sock, 'node.next', 1);
      kernel.set(table, 'buckets[1]', sock.member('node').address | 1n);
    }
    const ports = world.read('netlink').socks.map((sock) => (sock.ends.kind === 'netlink' ? sock.ends.port : -1));
    assert.deepEqual(ports, [7, 8]);
  });

  test('packet sockets', () => {
    const world = new World();
    const packet = world.sock('struct packet_sock', 17, 7, world.net.member('packet.sklist').address);
    world.kernel.set(packet, 'ifindex', 2);
    world.kernel.set(packet, 'num', 0x0300);
    assert.deepEqual(world.read('packet').socks[0]?.ends, { kind: 'packet', protocol: 3, device: 2 });
  });
});
