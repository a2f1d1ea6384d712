// How kernels of a machine were built, and which of them there are.
import { gunzipSync } from 'node:zlib';
import type { HostRoot } from './root.ts';

/** Options of a kernel: `CONFIG_KEXEC` is `y`. What is not set is not there. */
export type KernelConfig = ReadonlyMap<string, string>;

/** The configuration of a release; null where nothing has it. */
export function readKernelConfig(root: HostRoot, release: string | null): KernelConfig | null {
  const places = release === null ? [] : [`/boot/config-${release}`, `/lib/modules/${release}/config`];
  for (const place of places) {
    const text = root.text(place);
    if (text !== null) return parse(text);
  }
  const packed = root.bytes('/proc/config.gz');
  if (packed === null || (release !== null && root.word('/proc/sys/kernel/osrelease') !== release)) return null;
  try {
    return parse(gunzipSync(packed, { maxOutputLength: 8 << 20 }).toString('utf8'));
  } catch {
    return null; // cut: a copy of /proc that somebody made
  }
}

function parse(text: string): KernelConfig {
  return new Map([...text.matchAll(/^(CONFIG_\w+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]));
}

/** The release that runs; on a root that is not running, the newest that has modules. */
export function releaseOf(root: HostRoot): string | null {
  return root.word('/proc/sys/kernel/osrelease') ?? installedReleases(root).at(-1) ?? null;
}

/** Releases whose modules are installed, oldest first as versions go. */
export function installedReleases(root: HostRoot): readonly string[] {
  const byNumbers = new Intl.Collator('en', { numeric: true });
  return root
    .list('/lib/modules')
    .filter((name) => root.exists(`/lib/modules/${name}/modules.dep`))
    .sort(byNumbers.compare);
}

/** The file of a release's kernel; null if there is none. */
export function kernelImage(root: HostRoot, release: string): string | null {
  const places = [`/boot/vmlinuz-${release}`, `/lib/modules/${release}/vmlinuz`, `/boot/Image-${release}`];
  return places.find((place) => root.exists(place)) ?? null;
}

/**
 * The release that a kernel's file says it is (Documentation/arch/x86/boot.rst, kernel_version); null where the file does
 * not say it: another architecture, or no kernel.
 */
export function imageRelease(root: HostRoot, path: string): string | null {
  const head = root.bytes(path, 1 << 16);
  if (head === null || head.length < 0x210 || head.toString('latin1', 0x202, 0x206) !== 'HdrS') return null;
  const at = head.readUInt16LE(0x20e) + 0x200;
  if (at === 0x200 || at >= head.length) return null;
  const end = head.indexOf(0, at);
  return head.toString('latin1', at, end < 0 ? at + 64 : Math.min(end, at + 256)).split(' ')[0] ?? null;
}
