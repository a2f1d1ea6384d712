// How much memory a machine has, and what is reserved for the capture kernel.
import type { HostRoot } from './root.ts';

/** Memory of a machine, in bytes. */
export interface MemoryFacts {
  /** RAM that the kernel was given, what it reserved for itself included. */
  readonly ram: number;
  /** As /proc/meminfo names them: `MemTotal`, `Slab`, ... */
  readonly meminfo: ReadonlyMap<string, number>;
}

/** Null where nothing tells. */
export function readMemory(root: HostRoot): MemoryFacts | null {
  const text = root.text('/proc/meminfo');
  if (text === null) return null;
  const meminfo = new Map(
    [...text.matchAll(/^(\S+):\s+(\d+) kB$/gm)].map(([, name, kib]) => [name!, Number(kib) * 1024]),
  );
  const total = meminfo.get('MemTotal');
  if (total === undefined) return null;
  const ranges = resources(root)?.filter(({ name }) => name === 'System RAM') ?? [];
  const ram = ranges.reduce((sum, { start, end }) => sum + (end - start), 0);
  // /proc/iomem shows zeroes to whoever is not root
  return { ram: Math.max(ram, total), meminfo };
}

/** One line of /proc/iomem; `end` is exclusive. */
export interface Resource {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

/** /proc/iomem; null if it is not there. */
export function resources(root: HostRoot): readonly Resource[] | null {
  const text = root.text('/proc/iomem');
  if (text === null) return null;
  return [...text.matchAll(/^ {0,32}([0-9a-f]{1,16})-([0-9a-f]{1,16}) : (.+)$/gm)].map(([, start, end, name]) => ({
    start: Number.parseInt(start!, 16),
    end: Number.parseInt(end!, 16) + 1,
    name: name!.trim(),
  }));
}

/** What is reserved for a capture kernel, and whether one is there. */
export interface Reservation {
  /** Bytes, of all areas; null where nothing tells. */
  readonly size: number | null;
  /** Areas of /proc/iomem; empty where they are hidden. */
  readonly areas: readonly Resource[];
  /** Whether a capture kernel is loaded; null where nothing tells. */
  readonly loaded: boolean | null;
}

export function readReservation(root: HostRoot): Reservation {
  // Linux 6.19 moved these to /sys/kernel/kexec and kept the old names as links (kernel/kexec_core.c)
  const of = (name: string): string | null =>
    root.word(`/sys/kernel/kexec_crash_${name}`) ?? root.word(`/sys/kernel/kexec/crash_${name}`);
  const areas = resources(root)?.filter(({ name, start, end }) => name === 'Crash kernel' && end - start > 1) ?? [];
  const told = of('size');
  const sum = areas.reduce((total, { start, end }) => total + (end - start), 0);
  const loaded = of('loaded');
  return {
    // the file tells of the main area alone, /proc/iomem of the low one too
    size: told === null && areas.length === 0 ? null : Math.max(sum, Number(told ?? 0)),
    areas,
    loaded: loaded === null ? null : loaded === '1',
  };
}
