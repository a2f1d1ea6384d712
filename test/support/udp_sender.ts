// Sends packets as other machines do: each from a port of its own.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** A port that nobody has. */
export async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

export class UdpSender {
  private readonly socket: Socket;
  private readonly to: number;

  private constructor(socket: Socket, to: number) {
    this.socket = socket;
    this.to = to;
  }

  /** @param to port on the loopback address */
  static async open(to: number): Promise<UdpSender> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    socket.unref();
    return new UdpSender(socket, to);
  }

  /** As a receiver names the folder of what comes from here. */
  get folder(): string {
    return `127.0.0.1_${this.socket.address().port}`;
  }

  async send(packets: readonly Buffer[]): Promise<void> {
    await Promise.all(
      packets.map(
        (packet) => new Promise<void>((resolve) => this.socket.send(packet, this.to, '127.0.0.1', () => resolve())),
      ),
    );
  }

  close(): void {
    this.socket.close();
  }
}
