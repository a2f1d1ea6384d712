// Debian's and Ubuntu's: /etc/default/kdump-tools (kdump-tools, kdump-config).
import type { HostRoot } from '../root.ts';
import { parseAssignments, type Remark, type Setting } from './assignments.ts';
import { type CaptureConfig, defaultConfig, type Target } from './capture_config.ts';
import { type Configuration, makedumpfileOptions } from './distribution.ts';
import { checkSettings, type Known, lineOf, settingValue, wholeNumber, zeroOne } from './known_settings.ts';

const path = '/etc/default/kdump-tools';

const settingsOfFile: readonly Known[] = [
  { name: 'USE_KDUMP', ...zeroOne },
  { name: 'KDUMP_KERNEL', values: /^\//, says: 'an absolute path' },
  { name: 'KDUMP_INITRD', values: /^\//, says: 'an absolute path' },
  { name: 'KDUMP_COREDIR', values: /^\//, says: 'an absolute path' },
  { name: 'KDUMP_FAIL_CMD' },
  { name: 'KDUMP_DUMP_DMESG', ...zeroOne },
  { name: 'KDUMP_NUM_DUMPS', ...wholeNumber },
  { name: 'KDUMP_COMPRESSION', values: /^(bzip2|gzip|lz4|xz)$/, says: 'bzip2, gzip, lz4 or xz' },
  { name: 'MAKEDUMP_ARGS' },
  { name: 'KDUMP_KEXEC_ARGS' },
  { name: 'KDUMP_CMDLINE' },
  { name: 'KDUMP_CMDLINE_APPEND' },
  { name: 'HOSTTAG', values: /^(ip|hostname)$/, says: 'ip or hostname' },
  { name: 'NFS', values: /^(\[.+\]|[^:]+):\/.*$/, says: 'HOST:/PATH' },
  { name: 'NFS_TIMEO', ...wholeNumber },
  { name: 'NFS_RETRANS', ...wholeNumber },
  { name: 'NFS_MOUNT_RETRY', ...wholeNumber },
  { name: 'FTP' },
  { name: 'FTP_USER' },
  { name: 'FTP_PASSWORD' },
  { name: 'FTP_PORT', ...wholeNumber },
  { name: 'SSH', values: /^"?[^@\s]+@\S+"?$/, says: 'USER@HOST' },
  { name: 'SSH_KEY', values: /^\//, says: 'an absolute path' },
  { name: 'SSH_KDUMP_RETRY', ...wholeNumber },
];

/** Null where kdump-tools is not there. */
export function readKdumpTools(root: HostRoot): Configuration | null {
  const text = root.text(path);
  if (text === null) return null;
  const parsed = parseAssignments(text);
  const { settings } = parsed;
  return {
    family: 'kdump-tools',
    files: [
      { path, settings, remarks: [...checkSettings(parsed, settingsOfFile, 'warning'), ...contradictions(settings)] },
    ],
    ...translate(settings),
    isOn: settingValue(settings, 'USE_KDUMP') === '1',
  };
}

function contradictions(settings: readonly Setting[]): Remark[] {
  const found: Remark[] = [];
  const remotes = ['SSH', 'NFS', 'FTP'].filter((name) => settingValue(settings, name) !== null);
  for (const name of remotes.slice(1)) {
    found.push({
      severity: 'error',
      line: lineOf(settings, name),
      text: `${name} has no effect beside ${remotes[0]!}: one remote target is used`,
    });
  }
  const needs = (name: string, other: string): void => {
    if (settingValue(settings, name) !== null && settingValue(settings, other) === null) {
      found.push({ severity: 'warning', line: lineOf(settings, name), text: `${name} has no effect without ${other}` });
    }
  };
  needs('SSH_KEY', 'SSH');
  for (const name of ['NFS_TIMEO', 'NFS_RETRANS', 'NFS_MOUNT_RETRY']) needs(name, 'NFS');
  for (const name of ['FTP_USER', 'FTP_PASSWORD', 'FTP_PORT']) needs(name, 'FTP');
  const args = settingValue(settings, 'MAKEDUMP_ARGS');
  if (args !== null && /(^|\s)-\w*[clpz]/.test(args) && settingValue(settings, 'KDUMP_COMPRESSION') !== null) {
    found.push({
      severity: 'warning',
      line: lineOf(settings, 'KDUMP_COMPRESSION'),
      text: 'KDUMP_COMPRESSION compresses what MAKEDUMP_ARGS has compressed already, and hides whether makedumpfile failed',
    });
  }
  if (args !== null && /(^|\s)-\w*E/.test(args)) {
    found.push({
      severity: 'error',
      line: lineOf(settings, 'MAKEDUMP_ARGS'),
      text: 'MAKEDUMP_ARGS has -E, which does not go with the flattened form that is always written',
    });
  }
  if (settingValue(settings, 'USE_KDUMP') !== '1') {
    found.push({
      severity: 'error',
      line: lineOf(settings, 'USE_KDUMP'),
      text: 'USE_KDUMP is not 1: no capture kernel is loaded',
    });
  }
  const append = settingValue(settings, 'KDUMP_CMDLINE_APPEND');
  if (append !== null && !/systemd\.unit=kdump-tools-dump/.test(append)) {
    found.push({
      severity: 'warning',
      line: lineOf(settings, 'KDUMP_CMDLINE_APPEND'),
      text: 'KDUMP_CMDLINE_APPEND lacks systemd.unit=kdump-tools-dump.service: the capture kernel starts everything there is',
    });
  }
  return found;
}

function translate(settings: readonly Setting[]): Pick<Configuration, 'config' | 'without'> {
  const folder = settingValue(settings, 'KDUMP_COREDIR') ?? '/var/crash';
  const keep = Number(settingValue(settings, 'KDUMP_NUM_DUMPS') ?? 0);
  const config: CaptureConfig = {
    ...defaultConfig,
    targets: [targetOf(settings, folder)],
    ...makedumpfileOptions(settingValue(settings, 'MAKEDUMP_ARGS') ?? '-c -d 31'),
    retention: { ...defaultConfig.retention, number: keep === 0 ? null : keep },
  };
  const without: Remark[] = [];
  const say = (name: string, text: string): void => {
    if (settingValue(settings, name) !== null)
      without.push({ severity: 'warning', line: lineOf(settings, name), text: `${name}: ${text}` });
  };
  say('FTP', 'dumps are not sent by FTP: name an https, ssh or nfs target');
  say('KDUMP_COMPRESSION', 'pages are compressed inside the dump');
  say('KDUMP_FAIL_CMD', 'failure-action says what follows a failure; a program goes into /etc/inquest/kdump.d/failure');
  for (const name of ['KDUMP_KERNEL', 'KDUMP_INITRD', 'KDUMP_KEXEC_ARGS', 'KDUMP_CMDLINE'])
    say(name, 'the running kernel is the capture kernel, with an initramfs of its own');
  if (settingValue(settings, 'KDUMP_DUMP_DMESG') === '0') say('KDUMP_DUMP_DMESG', 'the log is always saved');
  return { config, without };
}

function targetOf(settings: readonly Setting[], folder: string): Target {
  const ssh = settingValue(settings, 'SSH')?.replaceAll('"', '') ?? null;
  if (ssh !== null)
    return {
      kind: 'ssh',
      host: ssh,
      port: null,
      key: settingValue(settings, 'SSH_KEY') ?? '/root/.ssh/id_rsa',
      knownHosts: '/root/.ssh/known_hosts',
      path: folder,
    };
  const nfs = settingValue(settings, 'NFS');
  if (nfs !== null) {
    const timeout = settingValue(settings, 'NFS_TIMEO') ?? '600';
    const again = settingValue(settings, 'NFS_RETRANS') ?? '3';
    return { kind: 'nfs', source: nfs, options: `timeo=${timeout},retrans=${again}`, path: '/' };
  }
  return { kind: 'directory', device: null, fstype: null, path: folder };
}
