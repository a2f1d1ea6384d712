// net: what of sockets, neighbours and devices people read, and what is not told where it cannot be read.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CommandContext } from '../../src/commands/context.ts';
import { net } from '../../src/commands/network/net.ts';
import { FileWriter, fileTypes } from '../support/file_writer.ts';
import { run } from '../support/run_command.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

const { task, types } = fileTypes();
const more = {
  task,
  types: `${types.replace('struct file {', 'struct file { struct inode *f_inode;')}
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
    struct socket { int state; struct sock *sk; };
    struct socket_alloc { struct socket socket; struct inode vfs_inode; };
    struct unix_sock { struct sock sk; };
    struct inet_ehash_bucket { struct hlist_head chain; };
    struct inet_listen_hashbucket { int lock; struct hlist_head nulls_head; };
    struct inet_hashinfo { struct inet_ehash_bucket *ehash; u32 ehash_mask; u32 lhash2_mask;
      struct inet_listen_hashbucket *lhash2; };
    struct net_device { char name[16]; struct list_head dev_list; int ifindex; u16 type; u32 flags; u32 mtu; u8 addr_len;
      u8 *dev_addr; struct in_device *ip_ptr; };
    struct net { struct list_head dev_base_head; };
    struct neigh_hash_table { struct hlist_head *hash_heads; unsigned int hash_shift; };
    struct neigh_table { u32 key_len; struct neigh_hash_table *nht; };
    struct neighbour { struct hlist_node hash; u8 nud_state; u8 ha[32]; struct net_device *dev; u8 primary_key[]; };
  `,
};

/** A process (5) with a TCP connection as descriptor 3. */
function world() {
  const kernel = machine({ more });
  const writer = new FileWriter(kernel);
  const object = newTask(kernel, { pid: 5, comm: 'rlogin' });
  const space = kernel.allocate('struct net', 'init_net');
  kernel.link(space.member('dev_base_head').address);
  const alloc = kernel.allocate('struct socket_alloc');
  const tcp = kernel.allocate('struct tcp_sock');
  const sock = kernel.object('struct sock', tcp.address);
  kernel.set(alloc, 'vfs_inode.i_mode', 0o140777);
  kernel.set(alloc, 'socket.sk', sock);
  kernel.set(sock, 'sk_type', 1);
  kernel.set(sock, 'sk_protocol', 6);
  kernel.set(sock, 'sk_socket', alloc.member('socket'));
  kernel.set(sock, '__sk_common.skc_family', 2);
  kernel.set(sock, '__sk_common.skc_state', 1);
  kernel.set(sock, '__sk_common.skc_net.net', space);
  kernel.set(sock, '__sk_common.skc_dport', 0x0102); // 513
  kernel.set(tcp, 'inet.inet_sport', 0xff03); // 1023
  kernel.space.write(sock.member('__sk_common.skc_rcv_saddr').address, Uint8Array.of(10, 1, 8, 20));
  kernel.space.write(sock.member('__sk_common.skc_daddr').address, Uint8Array.of(10, 1, 16, 62));
  const file = kernel.allocate('struct file');
  kernel.set(file, 'f_inode', alloc.member('vfs_inode'));
  writer.open(object, { 3: file });
  linkTasks(kernel, [object]);
  const context = new CommandContext(kernel);
  context.task = kernel.tasks.byPid(5)!;
  const text = (line = '') => run(net, context, line.split(' ').filter(Boolean)).text;
  return { kernel, space, alloc, sock, file, text };
}

/** Addresses differ with how a test allocates: they are not what is looked at. */
const masked = (text: string): string => text.replace(/ffff8[0-9a-f]{11}/g, 'ADDRESS'.padEnd(16));
const header = 'PID: 5        TASK: ADDRESS           CPU: 0    COMMAND: "rlogin"\n';

describe('net', () => {
  test('wrong usage', () => {
    const { text } = world();
    for (const line of ['-s -S', '-l nosuch', '-R 3', '-N zz', '-l tcp -s']) assert.throws(() => text(line), line);
  });

  test('-s: the ends of a connection', () => {
    assert.equal(
      masked(world().text('-s')),
      `${header}FD      SOCKET            SOCK       FAMILY:TYPE SOURCE-PORT DESTINATION-PORT\n 3 ADDRESS          ADDRESS          INET:STREAM  10.1.8.20-1023 10.1.16.62-513\n`,
    );
  });

  test('-s: none; and where files cannot be read, it is not told that there are none', () => {
    const { kernel, alloc, file, text } = world();
    kernel.set(alloc, 'vfs_inode.i_mode', 0o100644);
    assert.equal(masked(text('-s')), `${header}No open sockets.\n`);
    kernel.space.exclude(file.address);
    assert.equal(masked(text('-s')), header);
  });

  test('-S: both structs', () => {
    const shown = world().text('-S -x');
    assert.match(shown, /^struct socket \{/m);
    assert.match(shown, /^struct inet_sock \{/m);
    assert.match(shown, /sk_protocol = 0x6,/);
  });

  test('-R: by descriptor and by address, and nothing for another', () => {
    const { alloc, sock, text } = world();
    for (const reference of ['3', sock.address.toString(16), alloc.member('socket').address.toString(16)]) {
      assert.match(text(`-s -R ${reference}`), /INET:STREAM/, reference);
    }
    assert.equal(text('-s -R 4'), '');
  });

  test('-l: a socket of the namespace, and whose it is', () => {
    const { kernel, sock, text } = world();
    const info = kernel.allocate('struct inet_hashinfo', 'tcp_hashinfo');
    const [ehash, lhash] = [kernel.reserve(8), kernel.reserve(16)];
    kernel.space.words(ehash, sock.member('__sk_common.skc_node').address);
    kernel.set(info, 'ehash', ehash);
    kernel.set(info, 'lhash2', lhash);
    assert.match(
      text('-l tcp'),
      / INET:STREAM +ESTABLISHED +0 +0 10\.1\.8\.20-1023 +10\.1\.16\.62-513 +rlogin\/5\/3$/m,
    );
  });

  test('-a: an entry of the ARP cache', () => {
    const { kernel, text } = world();
    const device = kernel.allocate('struct net_device');
    kernel.set(device, 'name', 'eth0');
    kernel.set(device, 'type', 1);
    kernel.set(device, 'addr_len', 6);
    const neighbour = kernel.allocate('struct neighbour');
    kernel.set(neighbour, 'nud_state', 4);
    kernel.set(neighbour, 'dev', device);
    kernel.space.write(neighbour.member('ha').address, Uint8Array.of(0x52, 0x55, 10, 0, 2, 2));
    kernel.space.write(neighbour.member('primary_key').address, Uint8Array.of(10, 0, 2, 2));
    const [table, nht, heads] = [
      kernel.allocate('struct neigh_table', 'arp_tbl'),
      kernel.allocate('struct neigh_hash_table'),
      kernel.reserve(8),
    ];
    kernel.space.words(heads, neighbour.address);
    kernel.set(nht, 'hash_heads', heads);
    kernel.set(table, 'nht', nht);
    kernel.set(table, 'key_len', 4);
    assert.equal(
      masked(text('-a')),
      'NEIGHBOUR        IP ADDRESS      HW TYPE    HW ADDRESS         DEVICE  STATE\nADDRESS          10.0.2.2        ETHER      52:55:0a:00:02:02  eth0    STALE\n',
    );
  });

  test('devices, none; and an address in the usual form', () => {
    const { text } = world();
    assert.equal(text(), '   NET_DEVICE     NAME       IP ADDRESS(ES)\n');
    assert.equal(text('-N 1041236234'), '10.1.16.62\n');
  });
});
