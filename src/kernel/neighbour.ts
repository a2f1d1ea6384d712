// include/net/neighbour.h: who is where on a link: ARP's table and IPv6's.
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import { ipv4Text, ipv6Text } from '../base/ip_address.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { hardwareText } from './netdevice.ts';

/** Most buckets of a table: 2^hash_shift, which grows with the entries. */
const maxShift = 24;
/** Most entries of one bucket that are followed. */
const maxChain = 100_000;

/** One neighbour. */
export interface Neighbour {
  /** Virtual address of the `struct neighbour`. */
  readonly address: VirtAddr;
  /** Its IPv4 or IPv6 address. */
  readonly ip: string;
  /** ARPHRD_* of the device. */
  readonly deviceType: number;
  /** `52:54:00:12:34:56`, with as many bytes as the device's addresses have. */
  readonly hardware: string;
  readonly device: string;
  /** Virtual address of the device's `struct net`. */
  readonly net: VirtAddr;
  /** NUD_* (include/uapi/linux/neighbour.h). */
  readonly state: number;
}

/**
 * The entries of a table in the order of its buckets. Buckets and entries that cannot be read are faults.
 * @param table a `struct neigh_table`: `arp_tbl`, `nd_tbl`
 * @throws NotFoundError, MemoryFault, FormatError when the table cannot be read
 */
export function* neighbours(kernel: Kernel, table: KernelObject): Generator<Neighbour> {
  const { faults } = kernel;
  const keyLength = table.member('key_len').number();
  const buckets = table.member('nht');
  const shift = buckets.member('hash_shift').number();
  if (shift > maxShift) throw new FormatError('neighbours', `2^${shift} buckets`);
  // chained by an hlist since 41b3caa7c077 (6.13), by a pointer before: the first word of each in both
  const heads = buckets.memberAmong('hash_heads', 'hash_buckets').pointer();
  for (let bucket = 0; bucket < 2 ** shift; bucket++) {
    const seen = new Set<bigint>();
    let at = faults.attempt('neighbours', () => kernel.space.pointer(offsetBy(heads, bucket * 8)), 0n as VirtAddr);
    while (at !== 0n) {
      const neighbour = kernel.object('struct neighbour', at);
      const found = faults.attempt(
        'neighbour',
        () => {
          if (seen.has(neighbour.address) || seen.size >= maxChain) throw new FormatError('neighbours', 'have no end');
          seen.add(neighbour.address);
          const next = neighbour.optional('next') ?? neighbour.member('hash.next');
          return { next: next.pointer(), neighbour: neighbourAt(neighbour, keyLength) };
        },
        null,
      );
      if (found === null) break;
      yield found.neighbour;
      at = found.next;
    }
  }
}

function neighbourAt(neighbour: KernelObject, keyLength: number): Neighbour {
  const { space } = neighbour.context;
  const device = neighbour.member('dev');
  const key = space.read(neighbour.member('primary_key').address, keyLength === 4 ? 4 : 16);
  return {
    address: neighbour.address,
    ip: keyLength === 4 ? ipv4Text(key) : ipv6Text(key),
    deviceType: device.member('type').number(),
    hardware: hardwareText(neighbour.member('ha').bytes().subarray(0, device.member('addr_len').number())),
    device: device.member('name').string(),
    net: device.optional('nd_net.net')?.pointer() ?? (0n as VirtAddr),
    state: neighbour.member('nud_state').number(),
  };
}
