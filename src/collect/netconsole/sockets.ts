// The receiver's sockets. The kernel keeps some hundred packets a socket for a program that is busy for a moment, and not
// more without privileges; so a thread opens many sockets on one port (SO_REUSEPORT), among which the kernel divides the
// senders, and what a machine sends stays with one of them.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';

export interface SocketOptions {
  /** Addresses to listen on: `0.0.0.0`, `::`, ... */
  readonly addresses: readonly string[];
  readonly ports: readonly number[];
  /** Sockets a port and address. */
  readonly count: number;
}

export type PacketHandler = (bytes: Buffer, address: string, port: number) => void;

/** Asked for; the kernel gives what net.core.rmem_max allows. */
const receiveBuffer = 8 << 20;

const noProtocol: ReadonlySet<string> = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EPROTONOSUPPORT']);

/** @throws the system's error if a port cannot be had, or none of the addresses */
export async function openSockets(options: SocketOptions, onPacket: PacketHandler): Promise<Socket[]> {
  const sockets: Socket[] = [];
  let missing: unknown = null;
  for (const address of options.addresses)
    for (const port of options.ports)
      for (let n = 0; n < options.count; n++)
        try {
          sockets.push(await openSocket(address, port, onPacket));
        } catch (error) {
          // a machine without IPv6
          if (!noProtocol.has((error as NodeJS.ErrnoException).code ?? '')) {
            for (const socket of sockets) socket.close();
            throw error;
          }
          missing = error;
        }
  if (sockets.length === 0 && missing !== null) throw missing;
  return sockets;
}

async function openSocket(address: string, port: number, onPacket: PacketHandler): Promise<Socket> {
  const v6 = isIPv6(address);
  const socket = createSocket({
    type: v6 ? 'udp6' : 'udp4',
    ipv6Only: v6,
    reusePort: true,
    recvBufferSize: receiveBuffer,
  });
  socket.on('message', (bytes, from) => onPacket(bytes, from.address, from.port));
  const listening = once(socket, 'listening');
  socket.bind(port, address);
  await listening;
  return socket;
}

/**
 * Packets that the kernel dropped because nobody took them in time, on these ports, since the sockets were opened: the last
 * column of /proc/net/udp. Null: the system does not say.
 */
export function droppedPackets(ports: readonly number[]): number | null {
  const wanted = new Set(ports.map((port) => port.toString(16).toUpperCase().padStart(4, '0')));
  let dropped: number | null = null;
  for (const file of ['/proc/net/udp', '/proc/net/udp6']) {
    let text: string;
    try {
      text = readFileSync(file, 'latin1');
    } catch {
      continue; // no such protocol, or not Linux
    }
    dropped ??= 0;
    for (const line of text.split('\n').slice(1)) {
      const fields = line.trim().split(/\s{1,20}/);
      if (wanted.has(fields[1]?.split(':')[1] ?? '')) dropped += Number(fields.at(-1));
    }
  }
  return dropped;
}
