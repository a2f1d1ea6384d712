// One machine as the checks see it: each thing is read when first asked for, once.
import { FormatError } from '../base/errors.ts';
import { type CrashkernelRequest, crashkernelRequest } from './command_line.ts';
import type { Target } from './config/capture_config.ts';
import { type ImageContent, listImage } from './cpio.ts';
import { activeService, type KdumpService, kdumpServices } from './kdump_services.ts';
import { type KernelConfig, readKernelConfig, releaseOf } from './kernel_build.ts';
import { type MemoryFacts, type Reservation, readMemory, readReservation } from './memory.ts';
import { ModuleTree } from './modules.ts';
import type { HostRoot } from './root.ts';
import { type TargetStack, targetStack } from './target_stack.ts';

/** Most bytes of an initramfs image that are looked into. */
const mostImage = 1 << 30;

export class Host {
  readonly root: HostRoot;
  readonly #kept = new Map<string, unknown>();

  constructor(root: HostRoot) {
    this.root = root;
  }

  #once<T>(name: string, read: () => T): T {
    if (!this.#kept.has(name)) this.#kept.set(name, read());
    return this.#kept.get(name) as T;
  }

  /** The kernel that runs, or would; null where there is none. */
  get release(): string | null {
    return this.#once('release', () => releaseOf(this.root));
  }

  /** Whether the facts are of a running kernel: /proc is there. */
  get isRunning(): boolean {
    return this.root.exists('/proc/sys/kernel/osrelease') || this.root.exists('/proc/cmdline');
  }

  get config(): KernelConfig | null {
    return this.#once('config', () => readKernelConfig(this.root, this.release));
  }

  get commandLine(): string | null {
    return this.#once('commandLine', () => this.root.word('/proc/cmdline'));
  }

  get memory(): MemoryFacts | null {
    return this.#once('memory', () => readMemory(this.root));
  }

  get reservation(): Reservation {
    return this.#once('reservation', () => readReservation(this.root));
  }

  /** What crashkernel= asks for; null where the command line is not known. */
  get request(): CrashkernelRequest | null {
    return this.commandLine === null ? null : crashkernelRequest(this.commandLine, this.memory?.ram ?? 0);
  }

  get services(): readonly KdumpService[] {
    return this.#once('services', () => kdumpServices(this.root, this.release));
  }

  get service(): KdumpService | null {
    return activeService(this.services);
  }

  get modules(): ModuleTree | null {
    return this.#once('modules', () => (this.release === null ? null : ModuleTree.of(this.root, this.release)));
  }

  /** Where dumps go. */
  get targets(): readonly Target[] {
    return this.service?.configuration.config.targets ?? [];
  }

  get stacks(): readonly TargetStack[] {
    return this.#once('stacks', () => this.targets.map((target) => targetStack(this.root, target)));
  }

  /** What the capture initramfs holds; in words where it cannot be read, null where there is none. */
  get image(): ImageContent | string | null {
    return this.#once('image', () => {
      const path = this.service?.initramfs ?? null;
      const bytes = path === null ? null : this.root.bytes(path, mostImage);
      if (bytes === null) return null;
      try {
        return listImage(bytes);
      } catch (error) {
        if (error instanceof FormatError) return error.problem;
        throw error;
      }
    });
  }
}
