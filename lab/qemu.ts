// One guest: starts QEMU, follows its console for the lines "LAB ...", and talks QMP to it.
import { spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { MachineKind } from './kernels.ts';
import { programPath } from './programs.ts';

export interface Disk {
  readonly file: string;
  readonly format: 'raw' | 'qcow2';
}

export interface Machine {
  readonly kind: MachineKind;
  /** The kernel it boots, with its initrd and command line; without, it boots from the first disk. */
  readonly vmlinuz?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly disks: readonly Disk[];
  /** Megabytes. */
  readonly memory: number;
  readonly cpus: number;
  /** QEMU's -cpu. */
  readonly cpu: string;
  /** Where the console's output is kept. */
  readonly console: string;
  /** Further arguments of QEMU. */
  readonly extra?: readonly string[];
  /** The network's back end, QEMU's -netdev; without: one that reaches nobody. */
  readonly network?: string;
  /** It may start again: a warm reset. */
  readonly reboots?: boolean;
}

export class Guest {
  readonly #qemu;
  readonly #folder = mkdtempSync(join(tmpdir(), 'lab-qmp-'));
  readonly #waiters = new Set<() => void>();
  #text = '';
  #ended = false;
  readonly ended: Promise<void>;

  constructor(machine: Machine) {
    const program = `qemu-system-${machine.kind}`;
    const log = createWriteStream(machine.console);
    this.#qemu = spawn(
      programPath(program) ?? program,
      [...qemuArguments(machine), '-qmp', `unix:${this.#socket},server,nowait`],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    for (const stream of [this.#qemu.stdout, this.#qemu.stderr]) {
      stream.on('data', (bytes: Buffer) => {
        log.write(bytes);
        this.#text += bytes.toString('latin1');
        for (const wake of this.#waiters) wake();
      });
    }
    this.ended = new Promise((resolve) => {
      this.#qemu.on('close', () => {
        this.#ended = true;
        log.end(resolve);
        rmSync(this.#folder, { recursive: true, force: true });
        for (const wake of this.#waiters) wake();
      });
    });
  }

  get #socket(): string {
    return join(this.#folder, 'qmp');
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** All that the console has shown. */
  get text(): string {
    return this.#text;
  }

  /**
   * Waits until the console shows `what`, the guest ends or the seconds are over: all of them, or those since it wrote
   * anything (`silence`). True when it was shown.
   */
  async shows(what: RegExp, seconds: number, silence = seconds): Promise<boolean> {
    const deadline = Date.now() + seconds * 1000;
    let silentUntil = deadline;
    let searched = 0;
    for (;;) {
      // A guest writes its console for minutes: only the new end is searched, with some overlap.
      if (what.test(this.#text.slice(Math.max(0, searched - 500)))) return true;
      if (searched < this.#text.length) silentUntil = Date.now() + silence * 1000;
      searched = this.#text.length;
      const left = Math.min(deadline, silentUntil) - Date.now();
      if (this.#ended || left <= 0) return false;
      await this.#change(Math.min(left, 1000));
    }
  }

  #change(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      this.#waiters.add(done);
    });
  }

  /** Sends one command over QEMU's own protocol and gives its answer. @throws Error with QEMU's words when it fails */
  async qmp(execute: string, args: Record<string, unknown> = {}): Promise<unknown> {
    const socket = await opened(this.#socket);
    try {
      const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
      await lines.next(); // the greeting
      await answer(socket, lines, 'qmp_capabilities', {});
      return await answer(socket, lines, execute, args);
    } finally {
      socket.destroy();
    }
  }

  stop(): void {
    this.#qemu.kill('SIGKILL');
  }
}

function qemuArguments(machine: Machine): string[] {
  return [
    ...(machine.kind === 'aarch64' ? ['-M', 'virt,gic-version=3'] : []),
    ...['-cpu', machine.cpu],
    ...[
      '-accel',
      process.env.INQUEST_LAB_ACCEL ?? 'tcg,thread=multi',
      '-m',
      String(machine.memory),
      '-smp',
      String(machine.cpus),
    ],
    ...['-nographic', ...(machine.reboots ? [] : ['-no-reboot'])],
    ...boot(machine),
    ...machine.disks.flatMap(({ file, format }, i) => [
      '-drive',
      `file=${file},if=none,id=disk${i},format=${format},cache=unsafe`,
      '-device',
      `virtio-blk-pci,drive=disk${i}`,
    ]),
    ...['-netdev', `${machine.network ?? 'user,restrict=on'},id=net`, '-device', 'virtio-net-pci,netdev=net,romfile='],
    ...['-device', 'vmcoreinfo', ...(machine.extra ?? [])],
  ];
}

function boot({ vmlinuz, initrd, append }: Machine): string[] {
  return [
    ...(vmlinuz === undefined ? [] : ['-kernel', vmlinuz]),
    ...(initrd === undefined ? [] : ['-initrd', initrd]),
    ...(append === undefined ? [] : ['-append', append]),
  ];
}

function opened(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => resolve(socket));
    socket.on('error', reject);
  });
}

async function answer(
  socket: Socket,
  lines: AsyncIterator<string>,
  execute: string,
  args: Record<string, unknown>,
): Promise<unknown> {
  socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
  for (;;) {
    const line = await lines.next();
    if (line.done) throw new Error(`QEMU closed its socket during ${execute}`);
    const message = JSON.parse(line.value) as { return?: unknown; error?: { desc?: string } };
    if (message.error !== undefined) throw new Error(`QEMU: ${execute}: ${message.error.desc ?? 'failed'}`);
    if ('return' in message) return message.return; // anything else is an event
  }
}
