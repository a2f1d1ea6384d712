// What the distributions' own models say of crashkernel=, for comparison.
import { crashkernelSize, parseCrashkernel } from './command_line.ts';
import type { SizeFacts } from './size.ts';

const mib = 1024 * 1024;

export interface ModelSize {
  readonly name: string;
  /** Bytes; null where the model has nothing for this machine. */
  readonly bytes: number | null;
  readonly says: string;
}

/** Fedora's and RHEL's defaults by architecture (kdump-utils 63f248c, kdump-lib.sh). */
const redHat: Readonly<Record<string, string>> = {
  x86_64: '2G-64G:256M,64G-:512M',
  s390x: '2G-64G:256M,64G-:512M',
  aarch64: '2G-4G:256M,4G-64G:320M,64G-:576M',
  ppc64le: '2G-4G:384M,4G-16G:512M,16G-64G:1G,64G-128G:2G,128G-:4G',
};
/** Debian's drop-in for grub (kdump-tools 1:1.8.1). */
const debian = '384M-:128M';

export function modelSizes(facts: SizeFacts): readonly ModelSize[] {
  return [
    byRanges('Fedora, RHEL', redHat[facts.machine] ?? null, facts.ram),
    byRanges('Debian, Ubuntu', debian, facts.ram),
    {
      name: 'SUSE',
      bytes: suseSize(facts),
      says: "the sum of its parts, a third more, and 64 MiB; with this machine's numbers for its measured constants",
    },
  ];
}

function byRanges(name: string, ranges: string | null, ram: number): ModelSize {
  const parsed = ranges === null ? null : parseCrashkernel(ranges);
  if (parsed === null || typeof parsed === 'string')
    return { name, bytes: null, says: 'nothing for this architecture' };
  return {
    name,
    bytes: crashkernelSize(parsed, Math.ceil(ram / (128 * mib)) * 128 * mib),
    says: `crashkernel=${ranges}`,
  };
}

/** The terms of openSUSE's kdumptool calibrate (34da4b8, calibrate.cc). */
function suseSize({
  ram,
  cpus,
  pageSize,
  kernel,
  modules,
  initramfs,
  framebuffer,
  network,
  encryption,
}: SizeFacts): number {
  const usedCpus = Math.min(cpus, 32);
  const perCpu = usedCpus * (256 * 1024 + 103 * pageSize + 5 * 1024);
  const user = (network ? 34 : 24) * mib;
  const bitmap = Math.min(ram / pageSize / 8, 32 * mib);
  const sections = (ram / (128 * mib)) * 96;
  const base =
    (kernel ?? 48 * mib) +
    modules +
    (initramfs?.unpacked ?? 50 * mib) +
    2 * framebuffer +
    perCpu +
    user +
    bitmap +
    sections;
  const dirty = base * 0.2;
  const swiotlb = ram > 4 * 1024 * mib ? 64 * mib : 0;
  return Math.ceil(((base + dirty) * 1.3 + 64 * mib + swiotlb + encryption) / mib) * mib;
}
