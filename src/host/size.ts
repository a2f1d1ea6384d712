// How much memory the capture kernel of a machine needs, item by item, and how large its dumps get.
import { FormatError } from '../base/errors.ts';
import type { Host } from './host.ts';

const mib = 1024 * 1024;

export interface SizeItem {
  readonly name: string;
  readonly bytes: number;
  /** Where the number comes from. */
  readonly from: string;
}

/** What is needed; `total` is rounded up to a MiB. */
export interface NeededSize {
  readonly items: readonly SizeItem[];
  readonly total: number;
}

/** What decides the need, as numbers: of this machine, or described by another. */
export interface SizeFacts {
  readonly release: string | null;
  readonly machine: string;
  readonly ram: number;
  readonly cpus: number;
  readonly pageSize: number;
  /** Bytes of the kernel in memory; null where not known. */
  readonly kernel: number | null;
  /** Bytes of all modules that the capture kernel loads. */
  readonly modules: number;
  /** Bytes of the initramfs as it is packed, and what stays of it unpacked; null where there is none yet. */
  readonly initramfs: { readonly packed: number; readonly unpacked: number } | null;
  /** Bytes of video memory that a framebuffer takes. */
  readonly framebuffer: number;
  /** Whether a network is set up. */
  readonly network: boolean;
  /** Bytes that opening encrypted devices takes (Argon2). */
  readonly encryption: number;
  readonly meminfo: Readonly<Record<string, number>>;
}

/** The facts of a machine. */
export function sizeFacts(host: Host): SizeFacts {
  const { root, memory, stacks, modules, image, service } = host;
  const { order } = modules?.closure(['loop', 'squashfs', ...stacks.flatMap((stack) => stack.modules)]) ?? {
    order: [],
  };
  const loaded = moduleSizes(host);
  const packed = service?.initramfs == null ? null : root.size(service.initramfs);
  return {
    release: host.release,
    machine: machineOf(host),
    ram: memory?.ram ?? 0,
    cpus: cpuCount(
      root.word('/sys/devices/system/cpu/possible') ?? root.word('/sys/devices/system/cpu/present') ?? '0',
    ),
    pageSize: host.config?.get('CONFIG_ARM64_64K_PAGES') === 'y' ? 65536 : 4096,
    kernel: kernelSize(host),
    modules: order.reduce((sum, name) => sum + (loaded.get(name) ?? 128 * 1024), 0),
    initramfs:
      packed === null || image === null || typeof image === 'string'
        ? null
        : // inquest's script deletes the files of modules once they are loaded
          { packed, unpacked: image.unpacked - (service?.family === 'inquest' ? image.modules : 0) },
    framebuffer: framebufferSize(host),
    network: stacks.some((stack) => stack.network !== null),
    encryption: stacks.some(({ devices }) => devices.some(({ kind }) => kind === 'crypt')) ? 1024 * mib : 0,
    meminfo: Object.fromEntries(memory?.meminfo ?? []),
  };
}

/** What a machine needs for its capture kernel. */
export function neededSize(host: Host): NeededSize {
  return neededOf(sizeFacts(host));
}

/** Bytes of the initramfs that inquest builds: Node, the program, busybox; packed, and unpacked in the initial root. */
const usualInitramfs = { packed: 44 * mib, unpacked: 42 * mib };

export function neededOf(facts: SizeFacts): NeededSize {
  const items: SizeItem[] = [];
  const add = (name: string, bytes: number, from: string): void => {
    if (bytes > 0) items.push({ name, bytes: Math.round(bytes), from });
  };
  const initramfs = facts.initramfs ?? usualInitramfs;
  const pages = facts.ram / facts.pageSize;
  add(
    'kernel',
    facts.kernel ?? 48 * mib,
    facts.kernel === null ? 'as kernels of distributions are' : 'its image in memory',
  );
  add('modules', facts.modules, 'those that the targets need');
  add('initramfs, unpacked', initramfs.unpacked, facts.initramfs === null ? 'as it will be' : 'what the image holds');
  // the capture kernel has the reservation alone: 64 bytes a page of at most 1 GiB
  add('page structs and tables', 8 * mib, 'of the reservation itself');
  add('bitmap', Math.min(pages / 8, 64 * mib) * 2, "a bit a page of the dead machine's memory, twice");
  add('per-CPU', facts.cpus * 0.02 * mib, `notes of ${facts.cpus} processors; the capture kernel starts one`);
  add(
    'drivers',
    (facts.network ? 32 : 16) * mib + facts.framebuffer * 2,
    facts.network ? 'queues of disks and network' : 'queues of disks',
  );
  add('encryption', facts.encryption, 'opening a LUKS2 device');
  // the mini dump of a machine with 2 GiB: 60 MiB of heap and buffers, 30 MiB of Node's file that run, 15 MiB of what waits for it;
  // with less, it takes many times as long before it is killed
  add('saver', 112 * mib, 'inquest at its peak, with the parts of Node that run');
  // the kernel gives the packed image back before anything of these starts (init/initramfs.c, do_populate_rootfs)
  const later = items.filter(({ name }) => ['bitmap', 'drivers', 'encryption', 'saver'].includes(name));
  const given = later.reduce((total, { bytes }) => total + bytes, 0);
  add('initramfs, packed', initramfs.packed - given, 'until it is unpacked, beyond what is needed later');
  const sum = items.reduce((total, { bytes }) => total + bytes, 0);
  return { items, total: Math.ceil(sum / mib) * mib };
}

/** How large a filtered dump gets, in bytes; null where nothing tells. */
export function estimatedDump(host: Host): { readonly likely: number; readonly most: number } | null {
  return host.memory === null
    ? null
    : dumpSize(
        Object.fromEntries(host.memory.meminfo),
        host.memory.ram,
        host.service?.configuration.config.level ?? 31,
      );
}

function dumpSize(
  meminfo: Readonly<Record<string, number>>,
  ram: number,
  level: number,
): { readonly likely: number; readonly most: number } {
  const of = (name: string): number => meminfo[name] ?? 0;
  const left = [
    ...(level & 16 ? [of('MemFree')] : []),
    ...(level & 2 ? [Math.max(0, of('Cached') + of('Buffers') - of('Shmem'))] : []),
    ...(level & 8 ? [of('AnonPages') + of('Hugetlb')] : []),
  ].reduce((sum, bytes) => sum + bytes, 0);
  const kept = Math.max(ram - left, ram * 0.016);
  // kernel memory shrinks to between a third and a quarter; at the worst all processes die in the kernel's hands
  return { likely: Math.round(kept * 0.35), most: Math.round(kept) };
}

/** Machines by how Debian, and how others, end the names of their releases. */
const machines: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
  x86_64: 'x86_64',
  aarch64: 'aarch64',
  ppc64le: 'ppc64le',
  s390x: 's390x',
};
/** Options that the kernel of an architecture has, where its release does not tell. */
const machineOptions: Readonly<Record<string, string>> = {
  CONFIG_X86_64: 'x86_64',
  CONFIG_ARM64: 'aarch64',
  CONFIG_PPC64: 'ppc64le',
  CONFIG_S390: 's390x',
};

function machineOf({ release, config }: Host): string {
  const suffix = (release ?? '').split(/[-.]/).at(-1)!;
  if (Object.hasOwn(machines, suffix)) return machines[suffix]!;
  const option = Object.keys(machineOptions).find((name) => config?.get(name) === 'y');
  return option === undefined ? 'unknown' : machineOptions[option]!;
}

/** How many processors `0-3,8` are. */
export function cpuCount(list: string): number {
  return list.split(',').reduce((sum, part) => {
    const [from = 0, to = from] = part.split('-').map(Number);
    return Number.isFinite(to - from) ? sum + Math.max(0, to - from) + 1 : sum;
  }, 0);
}

/** Bytes of the kernel's image in memory: from /proc/iomem, where it is shown. */
function kernelSize({ root }: Host): number | null {
  const text = root.text('/proc/iomem') ?? '';
  const parts = [...text.matchAll(/^ {1,32}([0-9a-f]{1,16})-([0-9a-f]{1,16}) : Kernel (?:code|rodata|data|bss)$/gm)];
  const sum = parts.reduce(
    (total, [, start, end]) => total + Number.parseInt(end!, 16) - Number.parseInt(start!, 16),
    0,
  );
  return sum < mib ? null : sum;
}

/** Bytes of each module that is loaded now. */
function moduleSizes({ root }: Host): ReadonlyMap<string, number> {
  return new Map(
    [...(root.text('/proc/modules') ?? '').matchAll(/^(\w+) (\d+) /gm)].map(([, name, bytes]) => [
      name!,
      Number(bytes),
    ]),
  );
}

function framebufferSize({ root }: Host): number {
  const [width = 0, height = 0] = (root.word('/sys/class/graphics/fb0/virtual_size') ?? '').split(',').map(Number);
  const bits = Number(root.word('/sys/class/graphics/fb0/bits_per_pixel') ?? 0);
  return Number.isFinite(width * height * bits) ? (width * height * bits) / 8 : 0;
}

/**
 * Facts as `describe` wrote them.
 * @param name of the file, for errors
 * @throws FormatError where they are none
 */
export function parseSizeFacts(text: string, name: string): SizeFacts {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FormatError(name, `is no JSON (${(error as Error).message})`);
  }
  const table = (given: unknown): Readonly<Record<string, unknown>> =>
    typeof given === 'object' && given !== null ? { ...given } : {};
  const all = table(value);
  const number = (from: Readonly<Record<string, unknown>>, key: string, least = 0): number => {
    const one = from[key];
    if (typeof one !== 'number' || !Number.isFinite(one) || one < least || one > 2 ** 53)
      throw new FormatError(name, `${key} is not a number from ${least} up`);
    return one;
  };
  if (typeof all['machine'] !== 'string')
    throw new FormatError(name, 'is not what `inquest kdump describe` prints: it names no machine');
  const initramfs = all['initramfs'] === null ? null : table(all['initramfs']);
  return {
    release: typeof all['release'] === 'string' ? all['release'] : null,
    machine: /^\w{1,32}$/.exec(all['machine'])?.[0] ?? 'unknown',
    ram: number(all, 'ram', 1),
    cpus: number(all, 'cpus', 1),
    pageSize: number(all, 'pageSize', 4096),
    kernel: all['kernel'] === null ? null : number(all, 'kernel'),
    modules: number(all, 'modules'),
    initramfs:
      initramfs === null ? null : { packed: number(initramfs, 'packed'), unpacked: number(initramfs, 'unpacked') },
    framebuffer: number(all, 'framebuffer'),
    network: all['network'] === true,
    encryption: number(all, 'encryption'),
    meminfo: Object.fromEntries(
      Object.entries(table(all['meminfo'])).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
    ),
  };
}
