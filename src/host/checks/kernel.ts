// Checks of the kernel: what it was built with, and whether it may load another one.
import type { Host } from '../host.ts';
import { type Finding, finding, type Question } from './finding.ts';

const support: Question = {
  id: 'kernel-support',
  why: 'without these options no capture kernel can be loaded, or it cannot read the memory of the dead one',
  decides: true,
};
const analysis: Question = {
  id: 'kernel-analysis',
  why: 'types and symbols of the dead kernel are read from its own memory; without them the verdict needs a vmlinux',
};
const capture: Question = {
  id: 'kernel-capture',
  why: 'the capture initramfs holds the program in a compressed image, which the kernel must be able to mount',
};
const locked: Question = {
  id: 'lockdown',
  why: 'a locked-down kernel takes signed capture kernels alone, by kexec_file_load; and hides /proc/kcore',
};
const disabled: Question = {
  id: 'kexec-disabled',
  why: 'once set it stays until the next boot, and nothing can be loaded any more',
  decides: true,
};

export function kernelChecks(host: Host): Finding[] {
  return [...configChecks(host), ...lockChecks(host), ...disabledChecks(host)];
}

function configChecks({ config, release }: Host): Finding[] {
  if (config === null) {
    const found = release === null ? 'no kernel was found' : `the configuration of ${release} is not there`;
    return [
      finding(
        { ...support, decides: false },
        'unknown',
        `${found} (/boot/config-RELEASE, /proc/config.gz)`,
        'install the package that holds /boot/config-RELEASE',
      ),
    ];
  }
  const has = (name: string): boolean => config.get(`CONFIG_${name}`) === 'y' || config.get(`CONFIG_${name}`) === 'm';
  const found: Finding[] = [];
  const missing = [
    ...(has('KEXEC') || has('KEXEC_FILE') ? [] : ['CONFIG_KEXEC or CONFIG_KEXEC_FILE']),
    ...['CRASH_DUMP', 'PROC_VMCORE', 'BLK_DEV_INITRD'].filter((name) => !has(name)).map((name) => `CONFIG_${name}`),
  ];
  found.push(
    missing.length === 0
      ? finding(support, 'ok', `${release} can load a capture kernel and read /proc/vmcore`)
      : finding(
          support,
          'failed',
          `${release} was built without ${missing.join(', ')}`,
          "boot the distribution's own kernel, or build one with these options",
        ),
  );
  const unnamed = ['KALLSYMS', 'DEBUG_INFO_BTF'].filter((name) => !has(name)).map((name) => `CONFIG_${name}`);
  found.push(
    unnamed.length === 0
      ? finding(analysis, 'ok', 'the kernel carries its types and symbols')
      : finding(
          analysis,
          'warning',
          `${release} was built without ${unnamed.join(', ')}`,
          'keep the vmlinux with debug information of this build',
        ),
  );
  const unmounted = ['SQUASHFS', 'BLK_DEV_LOOP', 'DEVTMPFS', 'TMPFS']
    .filter((name) => !has(name))
    .map((name) => `CONFIG_${name}`);
  found.push(
    unmounted.length === 0
      ? finding(capture, 'ok', 'squashfs and loop devices are there')
      : finding(
          capture,
          'warning',
          `${release} was built without ${unmounted.join(', ')}`,
          'the dump is then copied without a verdict',
        ),
  );
  return found;
}

function lockChecks({ root, config, service }: Host): Finding[] {
  const modes = root.word('/sys/kernel/security/lockdown');
  const mode = /\[(\w+)\]/.exec(modes ?? '')?.[1] ?? null;
  const secureBoot = root.bytes('/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c', 16);
  const enforced = secureBoot !== null && secureBoot.length >= 5 && secureBoot[4] === 1;
  if (modes === null && secureBoot === null) return [];
  if ((mode === null || mode === 'none') && !enforced)
    return [finding(locked, 'ok', 'neither secure boot nor lockdown')];
  const state = `${enforced ? 'secure boot is on' : 'secure boot is off'}${mode === null ? '' : `, lockdown is ${mode}`}`;
  if (config !== null && config.get('CONFIG_KEXEC_FILE') !== 'y') {
    return [
      finding(
        { ...locked, decides: true },
        'failed',
        `${state}, and the kernel has no kexec_file_load (CONFIG_KEXEC_FILE)`,
        "boot the distribution's own kernel",
      ),
    ];
  }
  const kexecArgs =
    service?.configuration.files
      .flatMap(({ settings }) => settings)
      .findLast(({ name }) => name === 'KEXEC_ARGS' || name === 'KDUMP_KEXEC_ARGS')?.value ?? '';
  if (/(^|\s)-c(\s|$)|--kexec-syscall(\s|$)/.test(kexecArgs)) {
    return [
      finding(
        { ...locked, decides: true },
        'failed',
        `${state}, and ${kexecArgs} asks for the system call that is refused then`,
        'take -c out of the kexec arguments: the file system call is then used',
      ),
    ];
  }
  return [finding(locked, 'info', `${state}: the capture kernel must be signed, and is loaded with kexec -s`)];
}

function disabledChecks({ root }: Host): Finding[] {
  const value = root.word('/proc/sys/kernel/kexec_load_disabled');
  const limit = root.word('/proc/sys/kernel/kexec_load_limit_panic');
  const isLoaded = root.word('/sys/kernel/kexec_crash_loaded') === '1';
  if (value === null) return [];
  if (value === '1' && !isLoaded)
    return [
      finding(
        disabled,
        'failed',
        'kernel.kexec_load_disabled is 1, and no capture kernel is loaded',
        'load it before the setting is made (order it behind the kdump service), and reboot',
      ),
    ];
  if (limit === '0' && !isLoaded)
    return [
      finding(
        disabled,
        'failed',
        'kernel.kexec_load_limit_panic is 0, and no capture kernel is loaded',
        'reboot, and load the capture kernel before the limit is set',
      ),
    ];
  if (value === '1')
    return [
      finding(
        disabled,
        'info',
        'a capture kernel is loaded, and kernel.kexec_load_disabled forbids to load another: a rebuild takes effect at the next boot',
      ),
    ];
  return [finding(disabled, 'ok', 'a capture kernel may be loaded')];
}
