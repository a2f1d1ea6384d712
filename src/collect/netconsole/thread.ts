// One thread of the receiver: its sockets, its machines, a timer.
import type { Socket } from 'node:dgram';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { UsageError } from '../../base/errors.ts';
import { Receiver, type ReceiverCounts, type ReceiverEvents, type ReceiverLimits } from './receiver.ts';
import { openSockets, type SocketOptions } from './sockets.ts';
import type { TestMessage } from './test_message.ts';

/** Plain data, so that a thread can be given it. */
export interface ThreadOptions {
  readonly directory: string;
  readonly limits: ReceiverLimits;
  /** Networks that may send, `192.0.2.0/24`; empty: all. */
  readonly networks: readonly string[];
  readonly sockets: SocketOptions;
}

/** How often what waits is looked at, in ms. */
const interval = 5;
/** When all is over sockets are read until nothing came for so long, and as long as this at most, in ms. */
const lastRead = 30;
const longestEnd = 5000;

export interface ReceiverThread {
  counts(): ReceiverCounts;
  /** Reads what the sockets still hold, writes everything, and ends. */
  end(): Promise<void>;
}

/** @throws the system's error if a port cannot be had; UsageError for a network that is none */
export async function startThread(
  options: ThreadOptions,
  events: Omit<ReceiverEvents, 'tested'>,
): Promise<ReceiverThread> {
  const allowed = options.networks.length === 0 ? null : networkList(options.networks);
  const tested = (address: string, { mark, port }: TestMessage): void => {
    const family = isIPv6(address) ? 'IPv6' : 'IPv4';
    sockets.find((socket) => socket.address().family === family)?.send(mark, port, address, () => {});
  };
  const receiver = new Receiver(
    { directory: options.directory, limits: options.limits, allowed },
    { ...events, tested },
  );
  let now = performance.now();
  let wall = Date.now();
  const sockets: Socket[] = await openSockets(options.sockets, (bytes, address, port) =>
    receiver.packet(bytes, address, port, now, wall),
  );
  const timer = setInterval(() => {
    // a clock for the packets of a few milliseconds: asking for each costs as much as reading it
    now = performance.now();
    wall = Date.now();
    receiver.tick(now, wall);
  }, interval);
  return {
    counts: () => receiver.sum(),
    end: async () => {
      const latest = performance.now() + longestEnd;
      for (let before = -1; before !== receiver.packets && performance.now() < latest; ) {
        before = receiver.packets;
        await setTimeout(lastRead);
      }
      clearInterval(timer);
      for (const socket of sockets) socket.close();
      receiver.end();
    },
  };
}

/** @throws UsageError for a network that is none */
export function networkList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const m = /^([0-9a-fA-F.:]{2,45})(?:\/(\d{1,3}))?$/.exec(network);
    const address = m?.[1] ?? '';
    const most = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0;
    const prefix = Number(m?.[2] ?? most);
    if (most === 0 || prefix > most) throw new UsageError(`not a network: ${network}`);
    list.addSubnet(address, prefix, most === 32 ? 'ipv4' : 'ipv6');
  }
  return list;
}
