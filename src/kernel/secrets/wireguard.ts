// drivers/net/wireguard/{device,peer,noise}.h: keys of WireGuard's tunnels.

import { offsetBy } from '../../base/address.ts';
import type { KernelObject } from '../../debuginfo/object.ts';
import { sizeOf } from '../../debuginfo/type.ts';
import type { Kernel } from '../kernel.ts';
import { listEntries } from '../list.ts';
import { networkNamespaces } from '../net_namespace.ts';
import { objectSecret, type Secret } from './secret.ts';

/** NETDEV_ALIGN: what drivers keep lies behind the device, aligned so; a member of its own since 6.8 or so. */
const privateAlign = 32;

/** The private keys, preshared keys and session keys of all tunnels. */
export function wireguardSecrets(kernel: Kernel): Secret[] {
  const found: Secret[] = [];
  if (kernel.types.find('struct wg_device') === null) return found;
  for (const net of networkNamespaces(kernel)) {
    kernel.faults.attempt(
      'WireGuard devices',
      () => {
        for (const device of listEntries(net.member('dev_base_head'), 'struct net_device', 'dev_list')) {
          const ops = device.member('rtnl_link_ops');
          if (ops.isNull || ops.member('kind').string() !== 'wireguard') continue;
          found.push(...deviceSecrets(kernel, device));
        }
      },
      undefined,
    );
  }
  return found;
}

function deviceSecrets(kernel: Kernel, device: KernelObject): Secret[] {
  const what = device.member('name').string();
  const own = device.optional('priv');
  const behind = Math.ceil(sizeOf(device.type) / privateAlign) * privateAlign;
  const wg = kernel.object('struct wg_device', own === null ? offsetBy(device.address, behind) : own.address);
  const found: Secret[] = [];
  const add = (object: KernelObject | null, isValue = true): void => {
    if (object !== null) found.push(...objectSecret(kernel, 'WireGuard key', what, object, isValue));
  };
  add(wg.member('static_identity.static_private'));
  for (const peer of listEntries(wg.member('peer_list'), 'struct wg_peer', 'peer_list')) {
    kernel.faults.attempt(
      'WireGuard peer',
      () => {
        const handshake = peer.member('handshake');
        for (const name of [
          'ephemeral_private',
          'precomputed_static_static',
          'preshared_key',
          'chaining_key',
          'hash',
        ]) {
          add(handshake.optional(name));
        }
        for (const name of ['current_keypair', 'previous_keypair', 'next_keypair']) {
          const pair = peer.member(`keypairs.${name}`);
          if (pair.isNull) continue;
          for (const side of ['sending', 'receiving']) add(pair.member(`${side}.key`));
        }
      },
      undefined,
    );
  }
  return found;
}
