// The kernels that the lab knows, one line each. A kernel is a Debian package; of all packages that match,
// the newest is taken. Whatever else a line says is where that kernel needs other handling than the rest.

export type MachineKind = 'x86_64' | 'aarch64';

/** Debian's releases. */
export const debianSuites = ['bullseye', 'bookworm', 'trixie', 'sid', 'experimental'] as const;
export type DebianSuite = (typeof debianSuites)[number];
/** Ubuntu's, each with the kernels of later releases. */
export const ubuntuSuites = ['jammy', 'noble'] as const;
export type UbuntuSuite = (typeof ubuntuSuites)[number];
/** A release of a distribution: where the kernel's packages come from, and the compiler and tools that fit it. */
export type Suite = DebianSuite | UbuntuSuite;

export interface Kernel {
  /** What the command line calls it. */
  readonly name: string;
  readonly suite: Suite;
  readonly machine: MachineKind;
  /** The name of its image package; the first group is the release (`uname -r`). */
  readonly image: RegExp;
  /** Its flavour is PREEMPT_RT. */
  readonly realTime: boolean;
  /** Bytes of a page. */
  readonly pageSize: number;
  /** makedumpfile's -d unless the run asks for another. */
  readonly level: number;
  /** The lab's modules can be built for it. */
  readonly headers: boolean;
}

/**
 * Where the guest's programs come from, whatever the kernel: makedumpfile must know the kernel, and an old one takes
 * pages of a new kernel for user pages and leaves them out (1.7.2 of bookworm does so with Linux 6.12's slabs).
 */
export const guestSuite: DebianSuite = 'sid';

// makedumpfile 1.7.8 does not know the page types of Linux 7: with level 31 it takes slab pages for user pages
// and leaves them out, so those kernels are dumped with user pages kept (23).
export const kernels: readonly Kernel[] = [
  kernel('5.10', 'bullseye', 'x86_64', /^linux-image-(5\.10\.\d+-\d+-cloud-amd64)$/),
  kernel('5.10-generic', 'bullseye', 'x86_64', /^linux-image-(5\.10\.\d+-\d+-amd64)$/),
  kernel('6.1', 'bookworm', 'x86_64', /^linux-image-(6\.1\.\d+-\d+-cloud-amd64)$/),
  kernel('6.1-generic', 'bookworm', 'x86_64', /^linux-image-(6\.1\.\d+-\d+-amd64)$/),
  kernel('6.1-rt', 'bookworm', 'x86_64', /^linux-image-(6\.1\.\d+-\d+-rt-amd64)$/),
  kernel('6.1-arm64', 'bookworm', 'aarch64', /^linux-image-(6\.1\.\d+-\d+-cloud-arm64)$/),
  kernel('6.1-arm64-generic', 'bookworm', 'aarch64', /^linux-image-(6\.1\.\d+-\d+-arm64)$/),
  kernel('6.12', 'bookworm', 'x86_64', /^linux-image-(6\.12\.\d+\+deb12-cloud-amd64)$/),
  kernel('6.12-generic', 'bookworm', 'x86_64', /^linux-image-(6\.12\.\d+\+deb12-amd64)$/),
  kernel('6.12-rt', 'bookworm', 'x86_64', /^linux-image-(6\.12\.\d+\+deb12-rt-amd64)$/),
  kernel('6.12-arm64', 'bookworm', 'aarch64', /^linux-image-(6\.12\.\d+\+deb12-cloud-arm64)$/),
  kernel('6.12-arm64-generic', 'bookworm', 'aarch64', /^linux-image-(6\.12\.\d+\+deb12-arm64)$/),
  kernel('6.12-arm64-16k', 'bookworm', 'aarch64', /^linux-image-(6\.12\.\d+\+deb12-arm64-16k)$/),
  // the archive still has the images of these, but not their headers
  withoutHeaders(kernel('6.16', 'trixie', 'x86_64', /^linux-image-(6\.16\.\d+\+deb13-cloud-amd64)$/)),
  withoutHeaders(kernel('6.17', 'trixie', 'x86_64', /^linux-image-(6\.17\.\d+\+deb13-cloud-amd64)$/)),
  withoutHeaders(kernel('6.18', 'trixie', 'x86_64', /^linux-image-(6\.18\.\d+\+deb13-cloud-amd64)$/)),
  withoutHeaders(kernel('6.18-generic', 'trixie', 'x86_64', /^linux-image-(6\.18\.\d+\+deb13-amd64)$/)),
  withoutHeaders(kernel('6.18-arm64', 'trixie', 'aarch64', /^linux-image-(6\.18\.\d+\+deb13-cloud-arm64)$/)),
  kernel('7.3', 'trixie', 'x86_64', /^linux-image-(7\.3\.\d+\+deb13-cloud-amd64)$/, 23),
  kernel('7.3-generic', 'trixie', 'x86_64', /^linux-image-(7\.3\.\d+\+deb13-amd64)$/, 23),
  kernel('7.3-rt', 'trixie', 'x86_64', /^linux-image-(7\.3\.\d+\+deb13-rt-amd64)$/, 23),
  kernel('7.3-arm64', 'trixie', 'aarch64', /^linux-image-(7\.3\.\d+\+deb13-cloud-arm64)$/, 23),
  kernel('newest', 'sid', 'x86_64', /^linux-image-(\d[\d.]*\+deb\d+-cloud-amd64)$/, 23),
  kernel('newest-arm64', 'sid', 'aarch64', /^linux-image-(\d[\d.]*\+deb\d+-cloud-arm64)$/, 23),
  kernel('newest-arm64-generic', 'sid', 'aarch64', /^linux-image-(\d[\d.]*\+deb\d+-arm64)$/, 23),
  kernel('newest-arm64-16k', 'sid', 'aarch64', /^linux-image-(\d[\d.]*\+deb\d+-arm64-16k)$/, 23),
  kernel('newest-generic', 'sid', 'x86_64', /^linux-image-(\d[\d.]*\+deb\d+-amd64)$/, 23),
  kernel('newest-rt', 'sid', 'x86_64', /^linux-image-(\d[\d.]*\+deb\d+-rt-amd64)$/, 23),
  // release candidates of the kernel that comes next, when Debian has some
  kernel('next', 'experimental', 'x86_64', /^linux-image-(\d\.\d+-cloud-amd64)$/, 23),
  kernel('next-generic', 'experimental', 'x86_64', /^linux-image-(\d\.\d+-amd64)$/, 23),
  // another distribution's configuration, and versions that no Debian release has
  kernel('ubuntu-5.15', 'jammy', 'x86_64', /^linux-image-(5\.15\.0-\d+-generic)$/),
  kernel('ubuntu-5.19', 'jammy', 'x86_64', /^linux-image-(5\.19\.0-\d+-generic)$/),
  kernel('ubuntu-6.8', 'noble', 'x86_64', /^linux-image-(6\.8\.0-\d+-generic)$/),
  kernel('ubuntu-6.11', 'noble', 'x86_64', /^linux-image-(6\.11\.0-\d+-generic)$/),
  kernel('ubuntu-6.14', 'noble', 'x86_64', /^linux-image-(6\.14\.0-\d+-generic)$/),
  kernel('ubuntu-6.17', 'noble', 'x86_64', /^linux-image-(6\.17\.0-\d+-generic)$/),
  kernel('ubuntu-7.0', 'noble', 'x86_64', /^linux-image-(7\.0\.0-\d+-generic)$/, 23),
];

function kernel(name: string, suite: Suite, machine: MachineKind, image: RegExp, level = 31): Kernel {
  const pageSize = name.endsWith('-16k') ? 16384 : 4096;
  return { name, suite, machine, realTime: name.endsWith('-rt'), pageSize, image, level, headers: true };
}

/** It dies without the lab's modules. */
function withoutHeaders(kernel: Kernel): Kernel {
  return { ...kernel, headers: false };
}

/** @throws Error naming the kernels there are */
export function kernelNamed(name: string): Kernel {
  const found = kernels.find((kernel) => kernel.name === name);
  if (found === undefined) throw new Error(`no kernel ${name}; there are ${kernels.map((k) => k.name).join(', ')}`);
  return found;
}

/** The newest of the releases whose package is called as `kernel.image` says, by version order; undefined if none is. */
export function newestRelease(kernel: Kernel, packages: readonly string[]): string | undefined {
  return packages
    .map((name) => kernel.image.exec(name)?.[1])
    .filter((release) => release !== undefined)
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .at(-1);
}
