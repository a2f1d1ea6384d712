// SUSE's: /etc/sysconfig/kdump (openSUSE kdump 2.x, kdump(5)).
import { sizeOf } from '../command_line.ts';
import type { HostRoot } from '../root.ts';
import { parseAssignments, type Remark, type Setting } from './assignments.ts';
import { type CaptureConfig, defaultConfig, type Target } from './capture_config.ts';
import type { Configuration } from './distribution.ts';
import { boolean, checkSettings, type Known, lineOf, settingValue, wholeNumber } from './known_settings.ts';

const path = '/etc/sysconfig/kdump';
const schemes = ['file', 'ftp', 'sftp', 'scp', 'ssh', 'nfs', 'cifs', 'smb'];

const settingsOfFile: readonly Known[] = [
  { name: 'KDUMP_CRASHKERNEL' },
  { name: 'KDUMP_UPDATE_BOOTLOADER', ...boolean },
  { name: 'KDUMP_KERNELVER' },
  { name: 'KDUMP_CPUS', ...wholeNumber },
  { name: 'KDUMP_COMMANDLINE' },
  { name: 'KDUMP_COMMANDLINE_APPEND' },
  { name: 'KDUMP_AUTO_RESIZE', ...boolean },
  { name: 'KDUMP_FADUMP', ...boolean },
  { name: 'KDUMP_FADUMP_SHELL', ...boolean },
  { name: 'FADUMP_COMMANDLINE_APPEND' },
  { name: 'KEXEC_OPTIONS' },
  { name: 'MAKEDUMPFILE_OPTIONS' },
  { name: 'KDUMP_IMMEDIATE_REBOOT', ...boolean },
  { name: 'KDUMP_TRANSFER' },
  {
    name: 'KDUMP_SAVEDIR',
    values: new RegExp(`^(/|(${schemes.join('|')}):/)`),
    says: `a path, or a URL of ${schemes.join(', ')}`,
  },
  { name: 'KDUMP_KEEP_OLD_DUMPS', values: /^-?\d{1,6}$/, says: 'a whole number' },
  { name: 'KDUMP_FREE_DISK_SIZE', ...wholeNumber },
  { name: 'KDUMP_VERBOSE', values: /^([0-9]|[12]\d|3[01])$/, says: '0 to 31' },
  { name: 'KDUMP_DUMPLEVEL', values: /^([0-9]|[12]\d|3[01])$/, says: '0 to 31' },
  {
    name: 'KDUMP_DUMPFORMAT',
    values: /^(none|ELF|compressed|lzo|snappy|zstd|raw)$/i,
    says: 'none, ELF, compressed, lzo, snappy, zstd or raw',
  },
  { name: 'KDUMP_CONTINUE_ON_ERROR', ...boolean },
  { name: 'KDUMP_REQUIRED_PROGRAMS' },
  { name: 'KDUMP_PRESCRIPT' },
  { name: 'KDUMP_POSTSCRIPT' },
  {
    name: 'KDUMP_NETCONFIG',
    values: /^(auto|\S+:(static|dhcp|dhcp4|dhcp6|auto6|auto)(:force)?)$/,
    says: 'auto, or DEVICE:MODE[:force]',
  },
  { name: 'KDUMP_NET_TIMEOUT', ...wholeNumber },
  { name: 'KDUMP_SMTP_SERVER' },
  { name: 'KDUMP_SMTP_USER' },
  { name: 'KDUMP_SMTP_PASSWORD' },
  { name: 'KDUMP_NOTIFICATION_TO' },
  { name: 'KDUMP_NOTIFICATION_CC' },
  { name: 'KDUMP_HOST_KEY' },
  { name: 'KDUMP_SSH_IDENTITY' },
  { name: 'KDUMPTOOL_FLAGS', deprecated: 'it has no effect' },
  { name: 'KDUMP_COPY_KERNEL', deprecated: 'it has no effect' },
];

/** Null where SUSE's kdump is not there: Fedora's file has the same name and other settings. */
export function readSuse(root: HostRoot): Configuration | null {
  const text = root.text(path);
  if (text === null || root.exists('/etc/kdump.conf')) return null;
  const parsed = parseAssignments(text);
  const { settings } = parsed;
  return {
    family: 'suse',
    files: [
      { path, settings, remarks: [...checkSettings(parsed, settingsOfFile, 'warning'), ...contradictions(settings)] },
    ],
    ...translate(settings),
    isOn: true,
  };
}

function isYes(value: string | null): boolean {
  return value !== null && /^(yes|1|true)$/i.test(value);
}

function contradictions(settings: readonly Setting[]): Remark[] {
  const found: Remark[] = [];
  const without = (name: string, text: string): void => {
    if (settingValue(settings, name) !== null)
      found.push({ severity: 'warning', line: lineOf(settings, name), text: `${name} has no effect ${text}` });
  };
  const scheme = /^(\w+):/.exec(settingValue(settings, 'KDUMP_SAVEDIR') ?? '')?.[1] ?? 'file';
  if (!['ssh', 'sftp', 'scp'].includes(scheme)) {
    without('KDUMP_HOST_KEY', 'without a target by SSH');
    without('KDUMP_SSH_IDENTITY', 'without a target by SSH');
  } else if (settingValue(settings, 'KDUMP_HOST_KEY') === '*') {
    found.push({
      severity: 'warning',
      line: lineOf(settings, 'KDUMP_HOST_KEY'),
      text: 'KDUMP_HOST_KEY is *: the dump goes to whoever answers at that address',
    });
  }
  if (scheme !== 'file') without('KDUMP_FREE_DISK_SIZE', 'with a target that is not a local file system');
  if (
    settingValue(settings, 'KDUMP_NOTIFICATION_TO') !== null &&
    settingValue(settings, 'KDUMP_SMTP_SERVER') === null
  ) {
    found.push({
      severity: 'error',
      line: lineOf(settings, 'KDUMP_NOTIFICATION_TO'),
      text: 'KDUMP_NOTIFICATION_TO needs KDUMP_SMTP_SERVER',
    });
  }
  if (!isYes(settingValue(settings, 'KDUMP_FADUMP'))) without('KDUMP_FADUMP_SHELL', 'without KDUMP_FADUMP');
  const level = settingValue(settings, 'KDUMP_DUMPLEVEL');
  if (
    /^(raw|none)$/i.test(settingValue(settings, 'KDUMP_DUMPFORMAT') ?? '') &&
    level !== null &&
    level !== '0' &&
    /^raw$/i.test(settingValue(settings, 'KDUMP_DUMPFORMAT')!)
  ) {
    found.push({
      severity: 'warning',
      line: lineOf(settings, 'KDUMP_DUMPLEVEL'),
      text: 'KDUMP_DUMPLEVEL has no effect where KDUMP_DUMPFORMAT is raw',
    });
  }
  if (hasPassword(settingValue(settings, 'KDUMP_SAVEDIR') ?? '')) {
    found.push({
      severity: 'warning',
      line: lineOf(settings, 'KDUMP_SAVEDIR'),
      text: 'KDUMP_SAVEDIR holds a password, which goes into the initramfs in clear',
    });
  }
  return found;
}

function translate(settings: readonly Setting[]): Pick<Configuration, 'config' | 'without'> {
  const without: Remark[] = [];
  const say = (name: string, text: string): void => {
    if (settingValue(settings, name) !== null)
      without.push({ severity: 'warning', line: lineOf(settings, name), text: `${name}: ${text}` });
  };
  const keep = Number(settingValue(settings, 'KDUMP_KEEP_OLD_DUMPS') ?? 0);
  const format = settingValue(settings, 'KDUMP_DUMPFORMAT')?.toLowerCase() ?? 'compressed';
  const level = settingValue(settings, 'KDUMP_DUMPLEVEL');
  const crashkernel = settingValue(settings, 'KDUMP_CRASHKERNEL');
  const target = targetOf(settings);
  const config: CaptureConfig = {
    ...defaultConfig,
    targets: target === null ? [] : [target],
    level: level === null || !/^\d+$/.test(level) || Number(level) > 31 ? 31 : Number(level),
    compression: format === 'lzo' ? 'lzo' : format === 'snappy' ? 'snappy' : format === 'zstd' ? 'zstd' : 'zlib',
    finalAction:
      settingValue(settings, 'KDUMP_IMMEDIATE_REBOOT') === null ||
      isYes(settingValue(settings, 'KDUMP_IMMEDIATE_REBOOT'))
        ? 'reboot'
        : 'halt',
    failureAction: 'reboot',
    crashkernel: crashkernel === null || sizeOf(crashkernel) === null ? null : crashkernel,
    // it counts the old ones
    retention: { ...defaultConfig.retention, number: keep > 0 ? keep + 1 : keep < 0 ? 1 : null },
  };
  if (target === null)
    say('KDUMP_SAVEDIR', 'dumps are not sent by FTP or to Windows shares: name an https, ssh or nfs target');
  for (const name of ['KDUMP_PRESCRIPT', 'KDUMP_POSTSCRIPT'])
    say(name, `put the program into /etc/inquest/kdump.d/${name === 'KDUMP_PRESCRIPT' ? 'before' : 'after'}`);
  say('KDUMP_TRANSFER', 'the dump is saved by inquest');
  say('KDUMP_REQUIRED_PROGRAMS', 'hooks bring their programs: a folder /etc/inquest/kdump.d/bin is copied');
  say('KDUMP_NOTIFICATION_TO', 'no mail is sent from the capture kernel; the next boot tells of the crash');
  say(
    'KDUMP_FREE_DISK_SIZE',
    'a file system may be filled; the dump is then saved at a higher level, or left incomplete',
  );
  say('KDUMP_NETCONFIG', 'the addresses of the running machine are used');
  if (isYes(settingValue(settings, 'KDUMP_FADUMP'))) say('KDUMP_FADUMP', 'firmware-assisted dumps are left to kdump');
  for (const name of ['KDUMP_KERNELVER', 'KDUMP_COMMANDLINE', 'KEXEC_OPTIONS', 'MAKEDUMPFILE_OPTIONS'])
    say(name, 'the running kernel is the capture kernel, and inquest saves the dump');
  if (format === 'elf' || format === 'none' || format === 'raw') say('KDUMP_DUMPFORMAT', 'dumps are kdump-compressed');
  return { config, without };
}

function targetOf(settings: readonly Setting[]): Target | null {
  const where = settingValue(settings, 'KDUMP_SAVEDIR') ?? '/var/crash';
  const url = /^(\w+):\/\/?(.*)$/.exec(where);
  if (url === null) return { kind: 'directory', device: null, fstype: null, path: where };
  const [, scheme, rest = ''] = url;
  const remote = /^(?:([^@/]*)@)?([^/:]+)(?::(\d+))?(\/.*)?$/.exec(rest);
  const folder = remote?.[4] ?? '/';
  switch (scheme) {
    case 'file':
      return { kind: 'directory', device: null, fstype: null, path: rest.startsWith('/') ? rest : `/${rest}` };
    case 'nfs':
      return remote === null ? null : { kind: 'nfs', source: `${remote[2]!}:${folder}`, options: null, path: '/' };
    case 'ssh':
    case 'sftp':
    case 'scp':
      if (remote === null) return null;
      return {
        kind: 'ssh',
        host: `${remote[1]?.split(':')[0] ?? 'root'}@${remote[2]!}`,
        port: remote[3] === undefined ? null : Number(remote[3]),
        key: settingValue(settings, 'KDUMP_SSH_IDENTITY')?.split(/\s+/)[0] ?? '/root/.ssh/id_rsa',
        knownHosts: '/root/.ssh/known_hosts',
        path: folder,
      };
    default:
      return null;
  }
}

function hasPassword(url: string): boolean {
  const [user, host] = (url.split('//')[1] ?? '').split('/', 1)[0]!.split('@');
  return host !== undefined && user!.includes(':');
}
