// The files that setup puts into a machine, besides the configuration: units, rules, hooks.

export const unitName = 'inquest-kdump.service';
export const unitPath = `/etc/systemd/system/${unitName}`;
export const udevPath = '/etc/udev/rules.d/98-inquest-kdump.rules';
export const postinstPath = '/etc/kernel/postinst.d/zz-inquest-kdump';
export const kernelInstallPath = '/etc/kernel/install.d/95-inquest-kdump.install';
export const grubPath = '/etc/default/grub.d/zz-inquest-kdump.cfg';
/** What setup did, for \`remove\`. */
export const setupRecordPath = '/var/lib/inquest/kdump/setup.json';

/** @param inquest the words that start the program */
export function unitText(inquest: string): string {
  return `[Unit]
Description=Capture kernel that saves the dump after a panic
Documentation=man:inquest(1)
After=local-fs.target network-online.target
Wants=network-online.target
ConditionKernelCommandLine=crashkernel
ConditionPathExists=!/proc/vmcore

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStartPre=-${inquest} kdump notice
ExecStart=${inquest} kdump load --rebuild
ExecStop=${inquest} kdump unload
ExecReload=${inquest} kdump load --rebuild
TimeoutStartSec=15min

[Install]
WantedBy=multi-user.target
`;
}

/** Memory and processors that come and go: kernels that do not keep the capture kernel's list true (crash_hotplug) get it loaded anew. */
export function udevText(): string {
  return `SUBSYSTEM=="memory", ATTR{crash_hotplug}=="1", GOTO="inquest_kdump_end"
SUBSYSTEM=="cpu", ATTR{crash_hotplug}=="1", GOTO="inquest_kdump_end"
SUBSYSTEM=="memory", ACTION=="online|offline", RUN+="/bin/systemctl --no-block try-reload-or-restart ${unitName}"
SUBSYSTEM=="cpu", ACTION=="add|remove|online|offline", RUN+="/bin/systemctl --no-block try-reload-or-restart ${unitName}"
LABEL="inquest_kdump_end"
`;
}

/** Debian's hook after a kernel package was installed: its first argument is the release. */
export function postinstText(): string {
  return `#!/bin/sh
# A new kernel gets its capture initramfs at its first boot; a running one that was installed anew gets it now.
[ "$1" = "$(uname -r)" ] || exit 0
[ -d /run/systemd/system ] && systemctl --no-block try-reload-or-restart ${unitName}
exit 0
`;
}

/** The same for kernel-install(8): \`add RELEASE ...\`. */
export function kernelInstallText(): string {
  return `#!/bin/sh
[ "$1" = add ] && [ "$2" = "$(uname -r)" ] || exit 0
[ -d /run/systemd/system ] && systemctl --no-block try-reload-or-restart ${unitName}
exit 0
`;
}

export function grubText(crashkernel: string): string {
  return `# Made by inquest kdump setup; inquest kdump remove takes it away.
GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT crashkernel=${crashkernel}"
`;
}
