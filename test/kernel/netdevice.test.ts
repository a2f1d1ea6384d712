// Network devices, their addresses and their neighbours.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { neighbours } from '../../src/kernel/neighbour.ts';
import { networkNamespaces } from '../../src/kernel/net_namespace.ts';
import { networkDevices } from '../../src/kernel/netdevice.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

/** @param link how a bucket's neighbours are chained: by an hlist (6.13), or by a pointer */
const types = (link: 'hlist' | 'pointer' = 'hlist') => `
  struct list_head { struct list_head *next, *prev; };
  struct hlist_node { struct hlist_node *next; struct hlist_node **pprev; };
  struct hlist_head { struct hlist_node *first; };
  struct in6_addr { u8 bytes[16]; };
  struct in_ifaddr { struct in_ifaddr *ifa_next; u32 ifa_local; u32 ifa_address; };
  struct in_device { struct in_ifaddr *ifa_list; };
  struct inet6_ifaddr { struct in6_addr addr; struct list_head if_list; };
  struct inet6_dev { struct list_head addr_list; };
  struct possible_net { struct net *net; };
  struct net_device { char name[16]; struct list_head dev_list; int ifindex; u16 type; u32 flags; u32 mtu; u8 addr_len;
    u8 *dev_addr; struct in_device *ip_ptr; struct inet6_dev *ip6_ptr; struct possible_net nd_net; };
  struct net { struct list_head list; struct list_head dev_base_head; };
  struct neighbour { ${link === 'hlist' ? 'struct hlist_node hash;' : 'struct neighbour *next;'} u8 nud_state; u8 ha[32];
    struct net_device *dev; u8 primary_key[]; };
  struct neigh_hash_table { ${link === 'hlist' ? 'struct hlist_head *hash_heads' : 'struct neighbour **hash_buckets'};
    unsigned int hash_shift; };
  struct neigh_table { u32 key_len; struct neigh_hash_table *nht; };
`;

class World {
  readonly kernel: SyntheticKernel;
  readonly net: KernelObject;

  constructor(link?: 'hlist' | 'pointer') {
    this.kernel = new SyntheticKernel(types(link));
    this.net = this.kernel.allocate('struct net', 'init_net');
    this.kernel.link(this.net.member('dev_base_head').address);
  }

  device(name: string, ipv4: readonly string[] = [], ipv6: readonly string[] = []): KernelObject {
    const { kernel } = this;
    const device = kernel.allocate('struct net_device');
    kernel.set(device, 'name', name);
    kernel.set(device, 'type', 1);
    kernel.set(device, 'addr_len', 6);
    const hardware = kernel.reserve(6);
    kernel.space.write(hardware, Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56));
    kernel.set(device, 'dev_addr', hardware);
    const holder = kernel.allocate('struct in_device');
    kernel.set(device, 'ip_ptr', holder);
    let previous: KernelObject | null = null;
    for (const address of ipv4) {
      const held = kernel.allocate('struct in_ifaddr');
      const bytes = Uint8Array.from(address.split('.').map(Number));
      kernel.space.write(held.member('ifa_local').address, bytes);
      if (previous === null) kernel.set(holder, 'ifa_list', held);
      else kernel.set(previous, 'ifa_next', held);
      previous = held;
    }
    const holder6 = kernel.allocate('struct inet6_dev');
    kernel.set(device, 'ip6_ptr', holder6);
    const nodes = ipv6.map((hex) => {
      const held = kernel.allocate('struct inet6_ifaddr');
      kernel.space.write(held.address, Buffer.from(hex, 'hex'));
      return held.member('if_list').address;
    });
    kernel.link(holder6.member('addr_list').address, ...nodes);
    return device;
  }

  link(...devices: readonly KernelObject[]): void {
    this.kernel.link(
      this.net.member('dev_base_head').address,
      ...devices.map((device) => device.member('dev_list').address),
    );
  }

  read() {
    const { value, faults } = this.kernel.faults.collect(() => networkDevices(this.kernel, this.net));
    return { rows: value.map(({ name, ipv4, ipv6 }) => [name, ...ipv4, ...ipv6]), faults: faults.length, value };
  }
}

describe('network devices', () => {
  test('names and addresses', () => {
    const world = new World();
    const loopback = `${'00'.repeat(15)}01`;
    world.link(world.device('lo', ['127.0.0.1'], [loopback]), world.device('eth0', ['10.0.2.15', '10.0.2.16']));
    const { rows, faults, value } = world.read();
    assert.deepEqual(rows, [
      ['lo', '127.0.0.1', '::1'],
      ['eth0', '10.0.2.15', '10.0.2.16'],
    ]);
    assert.equal(value[1]?.hardware, '52:54:00:12:34:56');
    assert.equal(faults, 0);
  });

  test('addresses that lead back end with a fault, and the next device stands', () => {
    const world = new World();
    const eth0 = world.device('eth0', ['10.0.2.15']);
    const held = eth0.member('ip_ptr').member('ifa_list').deref();
    world.kernel.set(held, 'ifa_next', held);
    world.link(eth0, world.device('eth1'));
    const { rows, faults } = world.read();
    assert.deepEqual(rows, [['eth0', '10.0.2.15'], ['eth1']]);
    assert.equal(faults, 1);
  });

  test('addresses on a page that is missing cost themselves', () => {
    const world = new World();
    const eth0 = world.device('eth0', ['10.0.2.15'], [`${'00'.repeat(15)}01`]);
    world.kernel.space.exclude(eth0.member('ip_ptr').pointer());
    world.link(eth0);
    const { rows, faults } = world.read();
    assert.deepEqual(rows, [['eth0', '::1']]);
    assert.equal(faults, 1);
  });

  test('the first namespace comes first, wherever it is on the list', () => {
    const world = new World();
    const other = world.kernel.allocate('struct net');
    const list = world.kernel.allocate('struct list_head', 'net_namespace_list');
    world.kernel.link(list.address, other.member('list').address, world.net.member('list').address);
    assert.deepEqual(
      networkNamespaces(world.kernel).map(({ address }) => address),
      [world.net.address, other.address],
    );
  });
});

for (const link of ['hlist', 'pointer'] as const) {
  describe(`neighbours chained by ${link}`, () => {
    /** A table of two buckets, with neighbours in the second. */
    const table = (world: World, ips: readonly string[]) => {
      const { kernel } = world;
      const device = world.device('eth0');
      const heads = kernel.reserve(16);
      const nht = kernel.allocate('struct neigh_hash_table');
      kernel.set(nht, link === 'hlist' ? 'hash_heads' : 'hash_buckets', heads);
      kernel.set(nht, 'hash_shift', 1);
      const held = kernel.allocate('struct neigh_table', 'arp_tbl');
      kernel.set(held, 'key_len', 4);
      kernel.set(held, 'nht', nht);
      let at = heads + 8n;
      const made = ips.map((ip, i) => {
        const neighbour = kernel.allocate('struct neighbour');
        kernel.set(neighbour, 'nud_state', 2);
        kernel.set(neighbour, 'dev', device);
        kernel.space.write(neighbour.member('ha').address, Uint8Array.of(0x52, 0x54, 0, 0, 0, i));
        kernel.space.write(neighbour.member('primary_key').address, Uint8Array.from(ip.split('.').map(Number)));
        kernel.space.words(at, neighbour.address);
        at = neighbour.address;
        return neighbour;
      });
      return { held, made };
    };
    const read = (world: World, held: KernelObject) => {
      const { value, faults } = world.kernel.faults.collect(() => [...neighbours(world.kernel, held)]);
      return { rows: value.map(({ ip, hardware, device }) => `${ip} ${hardware} ${device}`), faults: faults.length };
    };

    test('address, hardware address and device of each', () => {
      const world = new World(link);
      assert.deepEqual(read(world, table(world, ['10.0.2.2', '10.0.2.3']).held), {
        rows: ['10.0.2.2 52:54:00:00:00:00 eth0', '10.0.2.3 52:54:00:00:00:01 eth0'],
        faults: 0,
      });
    });

    test('a chain that leads back ends', () => {
      const world = new World(link);
      const { held, made } = table(world, ['10.0.2.2', '10.0.2.3']);
      world.kernel.space.words(made[1]!.address, made[0]!.address);
      const { rows, faults } = read(world, held);
      assert.equal(rows.length, 2);
      assert.equal(faults, 1);
    });

    test('a table of absurd size is told', () => {
      const world = new World(link);
      const { held } = table(world, []);
      world.kernel.set(held.member('nht').deref(), 'hash_shift', 60);
      assert.throws(() => read(world, held), /buckets/);
    });
  });
}
