// Which package of a distribution has a kernel's debug information, by the kernel's release string: nobody should have
// to hunt for it.

/** A package, and how it is installed. */
export interface DebugPackage {
  readonly distribution: string;
  readonly name: string;
  /** What to type. */
  readonly install: string;
}

interface Rule {
  readonly distribution: string;
  /** Matches the release. */
  readonly release: RegExp;
  /** Matches the kernel's banner (`linux_banner`), where releases of several distributions look alike. */
  readonly banner?: RegExp;
  readonly name: (match: RegExpExecArray) => string;
  readonly install: (name: string, match: RegExpExecArray) => string;
}

const apt = (name: string): string => `apt install ${name}`;
const dnf = (name: string): string => `dnf --enablerepo='*debug*' install ${name}`;

/** In this order; the first that matches counts. */
const rules: readonly Rule[] = [
  {
    // 6.1.0-50-cloud-amd64, 6.12.117+deb12-amd64, 6.1.0-0.deb11.13-amd64
    distribution: 'Debian',
    release:
      /^\d[\d.]*(-\d|\+deb|-0\.deb|\+bpo).*-(amd64|arm64|686|686-pae|armmp|riscv64|s390x|powerpc64le)(-16k|-64k)?$/,
    name: ([release]) => `linux-image-${release}-dbg`,
    install: apt,
  },
  {
    // 5.15.0-91-generic, 6.8.0-1021-aws, 6.5.0-1014-nvidia-64k
    distribution: 'Ubuntu',
    release:
      /^\d+\.\d+\.\d+-\d+-(generic|lowlatency|aws|azure|gcp|gke|gkeop|ibm|kvm|oracle|raspi|realtime|nvidia|intel|oem|virtual|starfive)[\w-]*$/,
    banner: /Ubuntu|buildd@/,
    name: ([release]) => `linux-image-unsigned-${release}-dbgsym`,
    install: (name, [release]) =>
      `apt install ${name}   (from the ddebs archive; linux-image-${release}-dbgsym where that is not there)`,
  },
  {
    // 5.15.0-101.103.2.1.el8uek.x86_64
    distribution: 'Oracle Linux (UEK)',
    release: /^(\d.*\.el\d+uek)\.(x86_64|aarch64)$/,
    name: ([release]) => `kernel-uek-debuginfo-${release}`,
    install: dnf,
  },
  {
    // 6.1.61-85.141.amzn2023.x86_64
    distribution: 'Amazon Linux',
    release: /^(\d.*\.amzn\d+)\.(x86_64|aarch64)$/,
    name: ([release]) => `kernel-debuginfo-${release}`,
    install: dnf,
  },
  {
    // 5.14.0-362.8.1.el9_3.x86_64, 4.18.0-513.el8.x86_64+debug, 5.14.0-427.el9.aarch64+64k
    distribution: 'RHEL and its rebuilds',
    release: /^(\d.*\.el\d+[\w.]*?\.(?:x86_64|aarch64|ppc64le|s390x))(?:\+([\w-]+))?$/,
    name: ([, release, variant]) => `kernel${variant === undefined ? '' : `-${variant}`}-debuginfo-${release}`,
    install: dnf,
  },
  {
    // 6.5.6-300.fc39.x86_64
    distribution: 'Fedora',
    release: /^(\d.*\.fc\d+\.(?:x86_64|aarch64|ppc64le|s390x))(?:\+([\w-]+))?$/,
    name: ([, release, variant]) => `kernel${variant === undefined ? '' : `-${variant}`}-debuginfo-${release}`,
    install: dnf,
  },
  {
    // 5.14.21-150500.55.39-default, 6.4.0-150600.23.17-default, 6.6.3-1-default
    distribution: 'SUSE',
    release:
      /^(\d+\.\d+\.\d+-[\d.]+(?:\.g[0-9a-f]+)?)-(default|azure|rt|64kb|kvmsmall|preempt|vanilla|debug|longterm)$/,
    name: ([, version, flavour]) => `kernel-${flavour}-debuginfo-${version}`,
    install: (name) => `zypper --plus-content debug install ${name}`,
  },
];

/**
 * @param release `uname -r`
 * @param banner what the kernel says of itself at boot; empty where it is not known
 * @returns null for a kernel of no distribution that is known: its vmlinux is where it was built
 */
export function debugPackage(release: string, banner: string): DebugPackage | null {
  for (const rule of rules) {
    const match = rule.release.exec(release);
    if (match === null || (rule.banner !== undefined && banner !== '' && !rule.banner.test(banner))) continue;
    const name = rule.name(match);
    return { distribution: rule.distribution, name, install: rule.install(name, match) };
  }
  return null;
}
