// Keys are found where each kind of holder has them, with just the bytes that are secret.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KernelObject } from '../../../src/debuginfo/object.ts';
import { keySecrets } from '../../../src/kernel/secrets/key.ts';
import { wireguardSecrets } from '../../../src/kernel/secrets/wireguard.ts';
import { SyntheticKernel } from '../../support/synthetic_kernel.ts';

const list = 'struct list_head { struct list_head *next, *prev; };';
const keyTypes = `${list}
  struct rb_node { unsigned long __rb_parent_color; struct rb_node *rb_right, *rb_left; };
  struct rb_root { struct rb_node *rb_node; };
  struct key_type { const char *name; };
  union key_payload { void *data[4]; };
  struct key { int usage; int serial; union { struct list_head graveyard_link; struct rb_node serial_node; };
    unsigned short datalen; struct { struct key_type *type; char *description; };
    union { union key_payload payload; struct { struct list_head name_link; }; }; };
  struct user_key_payload { struct list_head rcu; unsigned short datalen; char data[64]; };
  struct encrypted_key_payload { struct list_head rcu; unsigned short decrypted_datalen; unsigned char *decrypted_data; };
  struct trusted_key_payload { struct list_head rcu; unsigned int key_len; unsigned char key[129]; };
  struct big_key_payload { unsigned char *data; void *path[2]; unsigned long length; };
`;

class Keys {
  readonly kernel = new SyntheticKernel(keyTypes);
  private last: KernelObject | null = null;
  private readonly root = this.kernel.allocate('struct rb_root', 'key_serial_tree');

  add(type: string, payload: KernelObject | bigint): KernelObject {
    const { kernel } = this;
    const text = (value: string): bigint => {
      const at = kernel.reserve(64);
      kernel.space.write(at, Buffer.from(`${value}\0`));
      return at;
    };
    const keyType = kernel.allocate('struct key_type');
    kernel.set(keyType, 'name', text(type));
    const key = kernel.allocate('struct key');
    kernel.set(key, 'type', keyType);
    kernel.set(key, 'description', text(`my ${type}`));
    kernel.set(key, 'serial', 0x1234);
    kernel.set(key, 'payload.data[0]', payload);
    const node = key.member('serial_node').address;
    if (this.last === null) kernel.space.words(this.root.address, node);
    else kernel.set(this.last, 'serial_node.rb_right', node);
    this.last = key;
    return key;
  }

  bytes(text: string): bigint {
    const at = this.kernel.reserve(64);
    this.kernel.space.write(at, Buffer.from(text));
    return at;
  }
}

describe('keys of keyrings', () => {
  it('are payloads, as each type has them; public keys and rings are none', () => {
    const keys = new Keys();
    const { kernel } = keys;
    const user = kernel.allocate('struct user_key_payload');
    kernel.set(user, 'datalen', 9);
    kernel.set(user, 'data', 'user-pass and more');
    keys.add('logon', user);
    const encrypted = kernel.allocate('struct encrypted_key_payload');
    kernel.set(encrypted, 'decrypted_datalen', 8);
    kernel.set(encrypted, 'decrypted_data', keys.bytes('decrypt-XX'));
    keys.add('encrypted', encrypted);
    const trusted = kernel.allocate('struct trusted_key_payload');
    kernel.set(trusted, 'key_len', 7);
    kernel.set(trusted, 'key', 'trusted-XX');
    keys.add('trusted', trusted);
    const big = keys.add('big_key', keys.bytes('big-value-XX'));
    const payload = kernel.object('struct big_key_payload', big.member('payload').address);
    kernel.space.write(payload.member('length').address, Buffer.from([9, 0, 0, 0, 0, 0, 0, 0]));
    keys.add('asymmetric', user);
    keys.add('keyring', user);
    const found = keySecrets(kernel);
    assert.deepEqual(
      found.map(({ what, values }) => [what, Buffer.from(values[0]!).toString()]),
      [
        ['logon key 1234 my logon', 'user-pass'],
        ['encrypted key 1234 my encrypted', 'decrypt-'],
        ['trusted key 1234 my trusted', 'trusted'],
        ['big_key key 1234 my big_key', 'big-value'],
      ],
    );
    for (const { address, length } of found) assert.ok(address !== 0n && length > 0);
  });

  it('that cannot be read cost themselves', () => {
    const keys = new Keys();
    const { kernel } = keys;
    keys.add('user', 0xffff_dead_0000_0000n);
    const user = kernel.allocate('struct user_key_payload');
    kernel.set(user, 'datalen', 4);
    kernel.set(user, 'data', 'here');
    keys.add('user', user);
    const { value, faults } = kernel.faults.collect(() => keySecrets(kernel));
    assert.equal(value.length, 1);
    assert.equal(faults.length, 1);
  });
});

const wireguardTypes = `${list}
  struct rtnl_link_ops { struct list_head list; const char *kind; };
  struct net { struct list_head list; struct list_head dev_base_head; };
  struct net_device { char name[16]; struct list_head dev_list; struct rtnl_link_ops *rtnl_link_ops; char rest[40]; };
  struct noise_symmetric_key { unsigned char key[32]; };
  struct noise_keypair { int index; struct noise_symmetric_key sending, receiving; };
  struct noise_handshake { unsigned char ephemeral_private[32]; unsigned char preshared_key[32]; unsigned char hash[32];
    unsigned char chaining_key[32]; };
  struct noise_keypairs { struct noise_keypair *current_keypair, *previous_keypair, *next_keypair; };
  struct noise_static_identity { unsigned char static_public[32]; unsigned char static_private[32]; };
  struct wg_peer { struct noise_keypairs keypairs; struct noise_handshake handshake; struct list_head peer_list; };
  struct wg_device { void *dev; struct noise_static_identity static_identity; struct list_head peer_list; };
`;

it('WireGuard keys are those of the device, of its peers, and of their sessions', () => {
  const kernel = new SyntheticKernel(wireguardTypes);
  const namespaces = kernel.allocate('struct list_head', 'net_namespace_list');
  const net = kernel.allocate('struct net', 'init_net');
  kernel.link(namespaces.address, net.member('list').address);
  const at = kernel.reserve(4096);
  const device = kernel.object('struct net_device', at);
  kernel.set(device, 'name', 'wg0');
  const ops = kernel.allocate('struct rtnl_link_ops');
  const kind = kernel.reserve(16);
  kernel.space.write(kind, Buffer.from('wireguard\0'));
  kernel.set(ops, 'kind', kind);
  kernel.set(device, 'rtnl_link_ops', ops);
  kernel.link(net.member('dev_base_head').address, device.member('dev_list').address);
  const wg = kernel.object('struct wg_device', (at + 96n) as typeof at); // 80 bytes of device, aligned to 32
  const fill = (object: KernelObject, byte: number) =>
    kernel.space.write(object.address, new Uint8Array(32).fill(byte));
  fill(wg.member('static_identity.static_public'), 1);
  fill(wg.member('static_identity.static_private'), 2);
  const peer = kernel.allocate('struct wg_peer');
  kernel.link(wg.member('peer_list').address, peer.member('peer_list').address);
  fill(peer.member('handshake.preshared_key'), 3);
  const pair = kernel.allocate('struct noise_keypair');
  kernel.set(peer, 'keypairs.current_keypair', pair);
  fill(pair.member('sending.key'), 4);
  fill(pair.member('receiving.key'), 5);
  const bytes = wireguardSecrets(kernel).map(({ values }) => values[0]![0]);
  assert.deepEqual(bytes, [2, 0, 3, 0, 0, 4, 5]);
});
