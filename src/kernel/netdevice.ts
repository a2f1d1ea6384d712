// include/linux/netdevice.h, inetdevice.h, include/net/if_inet6.h: network devices and their addresses.
import type { VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import { ipv4Text, ipv6Text } from '../base/ip_address.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { listEntries } from './list.ts';

/** Most IPv4 addresses of a device that are followed. */
const maxAddresses = 100_000;

/** A network device. Texts are as in memory: escape them before printing. */
export interface NetDevice {
  /** Virtual address of the `struct net_device`. */
  readonly address: VirtAddr;
  /** Null where it cannot be read. */
  readonly name: string | null;
  readonly index: number | null;
  /** ARPHRD_* (include/uapi/linux/if_arp.h): 1 Ethernet, 772 loopback. */
  readonly type: number | null;
  /** IFF_* (include/uapi/linux/if.h). */
  readonly flags: number | null;
  readonly mtu: number | null;
  /** `52:54:00:12:34:56`; null for a device without one. */
  readonly hardware: string | null;
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

/** The devices of a network namespace, in the kernel's order. What cannot be read is a fault. @param net a `struct net` */
export function networkDevices(kernel: Kernel, net: KernelObject): NetDevice[] {
  const devices: NetDevice[] = [];
  kernel.faults.attempt(
    'network devices',
    () => {
      for (const device of listEntries(net.member('dev_base_head'), 'struct net_device', 'dev_list')) {
        devices.push(deviceAt(kernel, device));
      }
    },
    undefined,
  );
  return devices;
}

function deviceAt(kernel: Kernel, device: KernelObject): NetDevice {
  const { faults } = kernel;
  const what = 'network device';
  const number = (member: string) => faults.attempt(what, () => device.member(member).number(), null);
  return {
    address: device.address,
    name: faults.attempt(what, () => device.member('name').string(), null),
    index: number('ifindex'),
    type: number('type'),
    flags: number('flags'),
    mtu: number('mtu'),
    hardware: faults.attempt('hardware address', () => hardwareAddress(device), null),
    ipv4: ipv4Addresses(kernel, device),
    ipv6: ipv6Addresses(kernel, device),
  };
}

function hardwareAddress(device: KernelObject): string | null {
  const length = Math.min(32, device.member('addr_len').number());
  const bytes =
    length === 0 ? new Uint8Array() : device.context.space.read(device.member('dev_addr').pointer(), length);
  return bytes.some((byte) => byte !== 0) ? hardwareText(bytes) : null;
}

/** `52:54:00:12:34:56`. */
export function hardwareText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

function ipv4Addresses(kernel: Kernel, device: KernelObject): string[] {
  const found: string[] = [];
  kernel.faults.attempt(
    'IPv4 addresses',
    () => {
      const holder = device.member('ip_ptr');
      if (holder.isNull) return;
      const seen = new Set<bigint>();
      for (let at = holder.member('ifa_list'); !at.isNull; at = at.member('ifa_next')) {
        if (seen.has(at.pointer()) || seen.size >= maxAddresses) throw new FormatError('IPv4 addresses', 'have no end');
        seen.add(at.pointer());
        // ifa_address is the other end's on a point-to-point link
        found.push(ipv4Text(at.member('ifa_local').bytes()));
      }
    },
    undefined,
  );
  return found;
}

function ipv6Addresses(kernel: Kernel, device: KernelObject): string[] {
  const found: string[] = [];
  kernel.faults.attempt(
    'IPv6 addresses',
    () => {
      const holder = device.optional('ip6_ptr');
      if (holder === null || holder.isNull) return;
      for (const held of listEntries(holder.member('addr_list'), 'struct inet6_ifaddr', 'if_list')) {
        found.push(ipv6Text(held.member('addr').bytes()));
      }
    },
    undefined,
  );
  return found;
}
