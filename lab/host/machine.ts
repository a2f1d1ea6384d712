// A machine that boots from its disks, does what it is told through a serial port, and may boot again by itself.
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Disk, Guest } from '../qemu.ts';

export interface MachinePlan {
  readonly folder: string;
  /** Of the file with its console. */
  readonly name: string;
  readonly disks: readonly Disk[];
  /** Booted past the boot loader. */
  readonly kernel?: { readonly vmlinuz: string; readonly initrd: string; readonly append: string };
  /** Megabytes. */
  readonly memory?: number;
  readonly extra?: readonly string[];
}

/** What a command in the machine came to. */
export interface Ran {
  readonly status: number;
  /** Both outputs. */
  readonly output: string;
}

/** Seconds that a boot may take under emulation. */
const bootSeconds = 600;

/** Starts a machine, and waits until it takes commands. */
export async function bootMachine(plan: MachinePlan): Promise<HostMachine> {
  const machine = new HostMachine(plan);
  try {
    await machine.isUp();
    return machine;
  } catch (error) {
    await machine.stop();
    throw error;
  }
}

export class HostMachine {
  readonly guest: Guest;
  readonly #folder = mkdtempSync(join(tmpdir(), 'lab-host-'));
  readonly #lines: string[] = [];
  #socket: Socket | null = null;
  #wake: () => void = () => undefined;
  #boot = '';

  constructor({ folder, name, disks, kernel, memory, extra }: MachinePlan) {
    const path = join(this.#folder, 'agent');
    this.guest = new Guest({
      kind: 'x86_64',
      ...(kernel ?? {}),
      disks,
      memory: memory ?? 2048,
      cpus: 2,
      cpu: 'max,la57=off',
      network: 'user',
      reboots: true,
      console: join(folder, `${name}.console`),
      extra: [
        ...['-chardev', `socket,id=agent,path=${path},server=on,wait=off`],
        ...['-device', 'virtio-serial-pci', '-device', 'virtserialport,chardev=agent,name=lab'],
        ...['-device', 'virtio-rng-pci', '-vga', 'none'],
        ...(extra ?? []),
      ],
    });
    void this.#follow(path);
  }

  async #follow(path: string): Promise<void> {
    for (let turn = 0; turn < 100; turn++) {
      try {
        this.#socket = await opened(path);
        break;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    let rest = '';
    this.#socket?.on('error', () => undefined); // the machine was stopped
    this.#socket?.on('data', (bytes) => {
      const lines = (rest + bytes.toString('latin1')).split('\n');
      rest = lines.pop()!;
      this.#lines.push(...lines);
      this.#wake();
    });
  }

  /** The next line of the agent. @throws Error after the seconds */
  async #line(what: string, seconds: number): Promise<string> {
    const deadline = Date.now() + seconds * 1000;
    while (this.#lines.length === 0) {
      const left = deadline - Date.now();
      if (left <= 0 || this.guest.hasEnded)
        throw new Error(`${what}: nothing after ${seconds} s; the console ended with\n${this.guest.text.slice(-3000)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, 1000));
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#lines.shift()!;
  }

  /** Waits for a boot that was not seen yet. */
  async isUp(seconds = bootSeconds): Promise<void> {
    for (;;) {
      const line = await this.#line('boot', seconds);
      const boot = /^up (\S+)/.exec(line)?.[1];
      if (boot === undefined || boot === this.#boot) continue;
      this.#boot = boot;
      return;
    }
  }

  /** Runs a script of bash, and gives what it said. */
  async tell(script: string, seconds = 300): Promise<Ran> {
    this.start(script);
    for (;;) {
      const done = /^done (\d+) ?(\S*)/.exec(await this.#line(script, seconds));
      if (done !== null) return { status: Number(done[1]), output: Buffer.from(done[2]!, 'base64').toString() };
    }
  }

  /** The same for what must succeed. @throws Error with what it said */
  async run(script: string, seconds?: number): Promise<string> {
    const { status, output } = await this.tell(script, seconds);
    if (status !== 0) throw new Error(`${script}: status ${status}\n${output}`);
    return output;
  }

  /** Has a script run, whose end is not waited for. */
  start(script: string): void {
    this.#socket!.write(`${Buffer.from(script).toString('base64')}\n`);
  }

  /** Ends this boot, and waits for the next one. */
  async reboot(): Promise<void> {
    this.start('systemctl reboot');
    await this.isUp(2 * bootSeconds);
  }

  async powerOff(): Promise<void> {
    this.start('sync; systemctl poweroff');
    const timer = setTimeout(() => this.guest.stop(), 120_000);
    await this.guest.ended;
    clearTimeout(timer);
  }

  async stop(): Promise<void> {
    this.guest.stop();
    await this.guest.ended;
    this.#socket?.destroy();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function opened(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => resolve(socket));
    socket.on('error', reject);
  });
}
