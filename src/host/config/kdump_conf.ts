// Fedora's and RHEL's: /etc/kdump.conf and /etc/sysconfig/kdump (kdump-utils, kdump.conf(5), kdumpctl's parse_config).
import type { HostRoot } from '../root.ts';
import { parseAssignments, parseDirectives, type Remark, type Setting } from './assignments.ts';
import {
  type CaptureConfig,
  defaultConfig,
  type FailureAction,
  type FinalAction,
  type Target,
} from './capture_config.ts';
import { type Configuration, makedumpfileOptions } from './distribution.ts';
import { checkSettings, type Known, lineOf, settingValue, yesNo, zeroOne } from './known_settings.ts';

const fileSystems = ['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'minix', 'virtiofs'];
const targetNames = ['raw', 'nfs', 'ssh', ...fileSystems];

const confSettings: readonly Known[] = [
  { name: 'auto_reset_crashkernel', ...yesNo },
  { name: 'raw', values: /^\/dev\//, says: 'a device' },
  { name: 'nfs', values: /^(\[.+\]|[^:]+):\/.*$/, says: 'HOST:/PATH' },
  { name: 'ssh', values: /^[^@\s]+@\S+$/, says: 'USER@HOST' },
  { name: 'sshkey', values: /^\//, says: 'an absolute path' },
  ...fileSystems.map((name): Known => ({ name })),
  { name: 'path', values: /^\//, says: 'an absolute path' },
  {
    name: 'core_collector',
    values: /^(makedumpfile|inquest|cp|scp|dd)\b/,
    says: 'a program that copies: makedumpfile, cp, scp',
  },
  { name: 'kdump_pre' },
  { name: 'kdump_post' },
  { name: 'kdump_emergency' },
  { name: 'extra_bins' },
  { name: 'extra_modules' },
  {
    name: 'failure_action',
    values: /^(reboot|halt|poweroff|shell|dump_to_rootfs)$/,
    says: 'reboot, halt, poweroff, shell or dump_to_rootfs',
  },
  {
    name: 'default',
    values: /^(reboot|halt|poweroff|shell|dump_to_rootfs)$/,
    says: 'as failure_action',
    deprecated: 'failure_action says the same',
  },
  { name: 'final_action', values: /^(reboot|halt|poweroff)$/, says: 'reboot, halt or poweroff' },
  { name: 'force_rebuild', ...zeroOne },
  { name: 'force_no_rebuild', ...zeroOne },
  { name: 'dracut_args' },
  { name: 'fence_kdump_args' },
  { name: 'fence_kdump_nodes' },
  { name: 'net', removed: 'nfs or ssh say what is meant' },
  { name: 'options', removed: 'module options go to /etc/modprobe.d' },
  { name: 'link_delay', removed: 'the network is waited for without it' },
  { name: 'disk_timeout', removed: 'devices are waited for without it' },
  { name: 'debug_mem_level', removed: 'rd.memdebug on the command line does it' },
  { name: 'blacklist', removed: 'rd.driver.blacklist on the command line does it' },
];

const sysconfigSettings: readonly Known[] = [
  { name: 'KDUMP_KERNELVER' },
  { name: 'KDUMP_COMMANDLINE' },
  { name: 'KDUMP_COMMANDLINE_REMOVE' },
  { name: 'KDUMP_COMMANDLINE_APPEND' },
  { name: 'FADUMP_COMMANDLINE_APPEND' },
  { name: 'KEXEC_ARGS' },
  { name: 'KDUMP_BOOTDIR' },
  { name: 'KDUMP_IMG' },
  { name: 'KDUMP_IMG_EXT' },
  { name: 'VMCORE_CREATION_NOTIFICATION' },
  ...['KDUMP_STDLOGLVL', 'KDUMP_SYSLOGLVL', 'KDUMP_KMSGLOGLVL'].map(
    (name): Known => ({ name, values: /^[0-4]$/, says: '0 to 4' }),
  ),
];

/** Null where there is no /etc/kdump.conf. */
export function readKdumpUtils(root: HostRoot): Configuration | null {
  const text = root.text('/etc/kdump.conf');
  if (text === null) return null;
  const conf = parseDirectives(text);
  const sysconfig = root.text('/etc/sysconfig/kdump');
  const shell = sysconfig === null ? null : parseAssignments(sysconfig);
  return {
    family: 'kdump-utils',
    files: [
      {
        path: '/etc/kdump.conf',
        settings: conf.settings,
        remarks: [...checkSettings(conf, confSettings, 'error'), ...contradictions(conf.settings)],
      },
      ...(shell === null
        ? []
        : [
            {
              path: '/etc/sysconfig/kdump',
              settings: shell.settings,
              remarks: [...checkSettings(shell, sysconfigSettings, 'warning'), ...commandLineRemarks(shell.settings)],
            },
          ]),
    ],
    ...translate(conf.settings, shell?.settings ?? []),
    isOn: true,
  };
}

function contradictions(settings: readonly Setting[]): Remark[] {
  const found: Remark[] = [];
  const targets = settings.filter(({ name }) => targetNames.includes(name));
  for (const { name, line } of targets.slice(1)) {
    found.push({
      severity: 'error',
      line,
      text: `${name} is a second target, after ${targets[0]!.name} on line ${targets[0]!.line}: there may be one`,
    });
  }
  const collector = settingValue(settings, 'core_collector');
  const remote = targets.find(({ name }) => name === 'ssh' || name === 'raw');
  if (remote !== undefined && collector?.startsWith('makedumpfile') && !/(^|\s)-\w*F/.test(collector)) {
    found.push({
      severity: 'error',
      line: lineOf(settings, 'core_collector'),
      text: `core_collector needs -F where the target is ${remote.name}: a stream cannot be sought in`,
    });
  }
  if (collector !== null && remote === undefined && /(^|\s)-\w*F/.test(collector)) {
    found.push({
      severity: 'warning',
      line: lineOf(settings, 'core_collector'),
      text: 'core_collector has -F without need: a flattened dump must be rearranged before it is read',
    });
  }
  if (settingValue(settings, 'force_rebuild') === '1' && settingValue(settings, 'force_no_rebuild') === '1') {
    found.push({
      severity: 'error',
      line: lineOf(settings, 'force_no_rebuild'),
      text: 'force_rebuild and force_no_rebuild exclude each other',
    });
  }
  if (settingValue(settings, 'sshkey') !== null && !targets.some(({ name }) => name === 'ssh')) {
    found.push({ severity: 'warning', line: lineOf(settings, 'sshkey'), text: 'sshkey has no effect without ssh' });
  }
  if (settingValue(settings, 'default') !== null && settingValue(settings, 'failure_action') !== null) {
    found.push({
      severity: 'error',
      line: lineOf(settings, 'default'),
      text: 'default and failure_action say the same thing twice',
    });
  }
  if ((settingValue(settings, 'dracut_args')?.match(/--mount\b/g)?.length ?? 0) > 1) {
    found.push({ severity: 'error', line: lineOf(settings, 'dracut_args'), text: 'dracut_args may have one --mount' });
  }
  const nodes = settingValue(settings, 'fence_kdump_nodes');
  if (settingValue(settings, 'fence_kdump_args') !== null && nodes === null) {
    found.push({
      severity: 'warning',
      line: lineOf(settings, 'fence_kdump_args'),
      text: 'fence_kdump_args has no effect without fence_kdump_nodes',
    });
  }
  return found;
}

function commandLineRemarks(settings: readonly Setting[]): Remark[] {
  const append = `${settingValue(settings, 'KDUMP_COMMANDLINE') ?? ''} ${settingValue(settings, 'KDUMP_COMMANDLINE_APPEND') ?? ''}`;
  const line = lineOf(settings, 'KDUMP_COMMANDLINE_APPEND');
  const found: Remark[] = [];
  if (/(^|\s)crashkernel=/.test(append))
    found.push({
      severity: 'error',
      line,
      text: "crashkernel= on the capture kernel's command line takes away its memory",
    });
  const cpus = /(^|\s)nr_cpus=(\d+)/.exec(append)?.[2];
  if (cpus !== undefined && Number(cpus) > 32)
    found.push({ severity: 'warning', line, text: `nr_cpus=${cpus}: each processor takes memory of the reservation` });
  return found;
}

function translate(conf: readonly Setting[], shell: readonly Setting[]): Pick<Configuration, 'config' | 'without'> {
  const path = settingValue(conf, 'path') ?? '/var/crash';
  const failure = settingValue(conf, 'failure_action') ?? settingValue(conf, 'default');
  const config: CaptureConfig = {
    ...defaultConfig,
    targets: [targetOf(conf, path)],
    ...makedumpfileOptions(settingValue(conf, 'core_collector') ?? '-l -d 31'),
    finalAction: (settingValue(conf, 'final_action') as FinalAction | null) ?? 'reboot',
    failureAction: failure === 'dump_to_rootfs' ? 'root' : ((failure as FailureAction | null) ?? 'reboot'),
    modules: settingValue(conf, 'extra_modules')?.split(/\s+/) ?? [],
    append: '',
  };
  const without: Remark[] = [];
  const say = (settings: readonly Setting[], name: string, text: string): void => {
    if (settingValue(settings, name) !== null)
      without.push({ severity: 'warning', line: lineOf(settings, name), text: `${name}: ${text}` });
  };
  for (const [name, folder] of [
    ['kdump_pre', 'before'],
    ['kdump_post', 'after'],
    ['kdump_emergency', 'failure'],
  ] as const) {
    say(
      conf,
      name,
      `put the program into /etc/inquest/kdump.d/${folder}; it gets the verdict in its environment, and not its arguments`,
    );
  }
  say(conf, 'extra_bins', 'hooks bring their programs: a folder /etc/inquest/kdump.d/bin is copied');
  say(conf, 'dracut_args', 'the capture initramfs is not made by dracut');
  say(conf, 'fence_kdump_nodes', 'no fence_kdump messages are sent; a hook in /etc/inquest/kdump.d/before can');
  say(conf, 'auto_reset_crashkernel', 'crashkernel= is changed by `inquest kdump setup --crashkernel` alone');
  say(conf, 'force_rebuild', 'the initramfs is rebuilt when what went into it changed');
  say(conf, 'force_no_rebuild', 'the initramfs is rebuilt when what went into it changed');
  if (settingValue(conf, 'core_collector')?.startsWith('makedumpfile') === false)
    say(conf, 'core_collector', 'the dump is filtered and compressed by inquest');
  if (config.targets[0]?.kind === 'directory' && config.targets[0].fstype === 'btrfs')
    say(conf, 'btrfs', 'inquest saves to ext4 and xfs');
  for (const name of ['KDUMP_KERNELVER', 'KDUMP_COMMANDLINE', 'KEXEC_ARGS', 'KDUMP_IMG'])
    say(shell, name, 'the running kernel, with its own command line, is the capture kernel');
  return { config, without };
}

function targetOf(conf: readonly Setting[], path: string): Target {
  const found = conf.find(({ name }) => targetNames.includes(name));
  if (found === undefined) return { kind: 'directory', device: null, fstype: null, path };
  switch (found.name) {
    case 'raw':
      return { kind: 'raw', device: found.value };
    case 'nfs':
      return { kind: 'nfs', source: found.value, options: null, path };
    case 'ssh':
      return {
        kind: 'ssh',
        host: found.value,
        port: null,
        key: settingValue(conf, 'sshkey') ?? '/root/.ssh/kdump_id_rsa',
        knownHosts: '/root/.ssh/known_hosts',
        path,
      };
    case 'virtiofs':
      return { kind: 'virtiofs', tag: found.value, path };
    default:
      return { kind: 'directory', device: found.value, fstype: found.name, path };
  }
}
