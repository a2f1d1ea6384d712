// What `inquest kdump setup` and `remove` do, worked out from what a machine has.
import { UsageError } from '../../base/errors.ts';
import { parseCrashkernel } from '../command_line.ts';
import type { CaptureConfig, Target } from '../config/capture_config.ts';
import { configPath, parseConfig, writeConfig } from '../config/inquest_config.ts';
import type { Host } from '../host.ts';
import { findProgram } from '../initramfs/build.ts';
import { neededSize } from '../size.ts';
import type { Action } from './actions.ts';
import {
  grubPath,
  grubText,
  kernelInstallPath,
  kernelInstallText,
  postinstPath,
  postinstText,
  setupRecordPath,
  udevPath,
  udevText,
  unitName,
  unitPath,
  unitText,
} from './files.ts';

export interface SetupOptions {
  /** A path, or a target as its table in kdump.toml: `ssh host=... key=...`. */
  readonly targets: readonly Target[];
  /** A value for crashkernel=; null: what the machine needs, where it has less. */
  readonly crashkernel: string | null;
  /** Takes the place of another kdump service. */
  readonly replace: boolean;
  /** The words that start this program. */
  readonly inquest: string;
}

/** What setup records for remove. */
interface SetupRecord {
  readonly files: readonly string[];
  /** Units that were started before. */
  readonly replaced: readonly string[];
  readonly bootLoader: 'grub' | 'grubby' | null;
  readonly crashkernel: string | null;
}

export interface SetupPlan {
  readonly config: CaptureConfig;
  readonly actions: readonly Action[];
  /** Whether the machine must boot before a capture kernel can be loaded. */
  readonly needsReboot: boolean;
  readonly notes: readonly string[];
}

/**
 * Works out what is to be done; does nothing.
 * @throws UsageError where another kdump is in place and is not to be replaced, and for a crashkernel= that no kernel takes
 */
export function planSetup(host: Host, options: SetupOptions): SetupPlan {
  const others = host.services.filter(({ family, isEnabled }) => family !== 'inquest' && isEnabled);
  if (others.length > 0 && !options.replace) {
    throw new UsageError(
      `${others[0]!.unit} saves dumps on this machine: --replace takes its place (inquest kdump import shows its settings), and two would replace each other's capture kernel`,
    );
  }
  if (options.crashkernel !== null) {
    const parsed = parseCrashkernel(options.crashkernel);
    if (typeof parsed === 'string') throw new UsageError(parsed);
  }
  const notes: string[] = [];
  const config = configFor(host, options);
  const boot = bootLoaderActions(host, options.crashkernel);
  notes.push(...boot.notes);
  const write = (path: string, text: string, mode: number, why: string): Action => ({
    kind: 'write',
    path,
    text,
    mode,
    why,
  });
  const run = (command: readonly string[], why: string, mayFail = false): Action => ({
    kind: 'run',
    command,
    mayFail,
    why,
  });
  const files: Action[] = [
    ...(host.root.exists(configPath) && options.targets.length === 0
      ? []
      : [write(configPath, writeConfig(config), 0o600, 'what is done after a panic')]),
    // a package brings it
    ...(host.root.exists(`/usr/lib/systemd/system/${unitName}`)
      ? []
      : [write(unitPath, unitText(options.inquest), 0o644, 'loads the capture kernel at every boot')]),
    ...(host.root.exists('/etc/udev')
      ? [write(udevPath, udevText(), 0o644, 'loads it anew when memory or processors come and go')]
      : []),
    ...(host.root.exists('/etc/kernel/postinst.d')
      ? [write(postinstPath, postinstText(), 0o755, 'loads it anew when the running kernel was installed anew')]
      : []),
    ...(findProgram(host.root, 'kernel-install') === null
      ? []
      : [
          write(
            kernelInstallPath,
            kernelInstallText(),
            0o755,
            'the same, where kernels are installed by kernel-install',
          ),
        ]),
  ];
  const hasMemory = (host.reservation.size ?? 0) > 0;
  const record: SetupRecord = {
    files: [...files, ...boot.actions].flatMap((action) => (action.kind === 'write' ? [action.path] : [])),
    replaced: others.map(({ unit }) => unit),
    bootLoader: boot.by,
    crashkernel: boot.crashkernel,
  };
  const actions: Action[] = [
    write(
      setupRecordPath,
      `${JSON.stringify(record, null, 1)}\n`,
      0o600,
      'so that `inquest kdump remove` can undo this',
    ),
    ...files,
    ...boot.actions,
    ...others.map(({ unit }) =>
      run(['systemctl', 'disable', '--now', unit], "two services would replace each other's capture kernel"),
    ),
    run(['systemctl', 'daemon-reload'], 'systemd reads the unit'),
    run(['systemctl', 'enable', unitName], 'it is started at boot'),
    ...(hasMemory
      ? [run(['systemctl', 'restart', unitName], 'builds the capture initramfs and loads the capture kernel')]
      : []),
  ];
  if (!hasMemory) notes.push('no memory is reserved yet: the capture kernel is built and loaded at the next boot');
  return { config, actions, needsReboot: !hasMemory || boot.actions.length > 0, notes };
}

function configFor(host: Host, { targets }: SetupOptions): CaptureConfig {
  const own = host.services.find(({ family }) => family === 'inquest')?.configuration.config;
  const other = host.services.find(({ family, isEnabled }) => family !== 'inquest' && isEnabled)?.configuration.config;
  const base = own ?? other ?? parseConfig('[[target]]\ntype = "directory"\npath = "/var/crash"\n').config;
  return targets.length === 0 ? base : { ...base, targets };
}

interface BootLoader {
  readonly by: SetupRecord['bootLoader'];
  readonly crashkernel: string | null;
  readonly actions: readonly Action[];
  readonly notes: readonly string[];
}

/** crashkernel= into the boot loader's configuration, by the distribution's own tool. */
function bootLoaderActions(host: Host, asked: string | null): BootLoader {
  const { total } = neededSize(host);
  const has = Math.max(host.reservation.size ?? 0, host.request?.main ?? 0);
  const value = asked ?? (has >= total ? null : `${Math.max(256, Math.ceil(total / (64 << 20)) * 64)}M`);
  if (value === null) return { by: null, crashkernel: null, actions: [], notes: [] };
  const { root } = host;
  if (findProgram(root, 'grubby') !== null) {
    const command = ['grubby', '--update-kernel=ALL', `--args=crashkernel=${value}`];
    return {
      by: 'grubby',
      crashkernel: value,
      actions: [{ kind: 'run', command, mayFail: false, why: "changes the boot loader's entries" }],
      notes: [],
    };
  }
  if (findProgram(root, 'update-grub') !== null) {
    return {
      by: 'grub',
      crashkernel: value,
      actions: [
        {
          kind: 'write',
          path: grubPath,
          text: grubText(value),
          mode: 0o644,
          why: 'memory for the capture kernel, from the next boot on',
        },
        { kind: 'run', command: ['update-grub'], mayFail: false, why: "makes grub's configuration anew" },
      ],
      notes: [],
    };
  }
  return {
    by: null,
    crashkernel: null,
    actions: [],
    notes: [`add crashkernel=${value} to the kernel's command line: this machine has neither update-grub nor grubby`],
  };
}

/**
 * What undoes setup. The configuration and the crashes stay.
 * @throws UsageError where setup was not done
 */
export function planRemove(host: Host): readonly Action[] {
  const text = host.root.text(setupRecordPath);
  if (text === null) throw new UsageError(`nothing to remove: there is no ${setupRecordPath}`);
  const record = parseRecord(text);
  const run = (command: readonly string[], why: string, mayFail = true): Action => ({
    kind: 'run',
    command,
    mayFail,
    why,
  });
  const files = record.files.filter((path) => path !== configPath && host.root.exists(path));
  return [
    run(['systemctl', 'disable', '--now', unitName], 'takes the capture kernel out of memory'),
    ...files.map((path): Action => ({ kind: 'delete', path, why: 'setup wrote it' })),
    ...['vmlinuz', 'initramfs.img', 'manifest.json']
      .map((name) => `/var/lib/inquest/kdump/${name}`)
      .filter((path) => host.root.exists(path))
      .map((path): Action => ({ kind: 'delete', path, why: 'it was built by setup' })),
    ...(record.bootLoader === 'grub' ? [run(['update-grub'], "makes grub's configuration anew")] : []),
    ...(record.bootLoader === 'grubby'
      ? [
          run(
            ['grubby', '--update-kernel=ALL', `--remove-args=crashkernel=${record.crashkernel}`],
            "changes the boot loader's entries",
          ),
        ]
      : []),
    run(['systemctl', 'daemon-reload'], 'systemd forgets the unit'),
    ...record.replaced.map((unit) => run(['systemctl', 'enable', '--now', unit], 'it was in place before')),
    { kind: 'delete', path: setupRecordPath, why: 'all of it is undone' },
  ];
}

function parseRecord(text: string): SetupRecord {
  try {
    const { files, replaced, bootLoader, crashkernel } = JSON.parse(text) as SetupRecord;
    const own = [unitPath, udevPath, postinstPath, kernelInstallPath, grubPath, configPath];
    return {
      // nothing but what setup may have written is deleted, whatever the record says
      files: files.filter((path) => own.includes(path)),
      replaced: replaced.filter((unit) => /^[\w.-]+\.service$/.test(unit)),
      bootLoader,
      crashkernel,
    };
  } catch {
    throw new UsageError(`${setupRecordPath} is damaged`);
  }
}

/**
 * A target from the command line: a path; `UUID=...:/path`; `raw:/dev/...`; `nfs:host:/export`; `ssh:user@host:/path`;
 * `https://...`; `virtiofs:tag`.
 * @throws UsageError
 */
export function parseTarget(text: string): Target {
  const bad = (): UsageError =>
    new UsageError(
      `--target ${text}: it is a path, DEVICE:/path, raw:DEVICE, nfs:HOST:/EXPORT, ssh:USER@HOST:/path, https://..., or virtiofs:TAG`,
    );
  if (text.startsWith('/') && !text.startsWith('/dev/'))
    return { kind: 'directory', device: null, fstype: null, path: text };
  if (text.startsWith('https://')) return { kind: 'https', url: text, tokenFile: null, caFile: null };
  const device = /^((?:UUID|LABEL)=[^:]+|\/dev\/[^:]+):(\/.*)$/.exec(text);
  if (device !== null) return { kind: 'directory', device: device[1]!, fstype: null, path: device[2]! };
  const cut = text.indexOf(':');
  const rest = text.slice(cut + 1);
  switch (text.slice(0, Math.max(cut, 0))) {
    case 'raw':
      return { kind: 'raw', device: rest };
    case 'nfs':
      if (!/^[^\s:]+:\/\S*$/.test(rest)) throw bad();
      return { kind: 'nfs', source: rest, options: null, path: '/' };
    case 'ssh': {
      const match = /^([^@\s:-][^@\s:]*@[^\s:-][^\s:]*):(\/.*)$/.exec(rest);
      if (match === null) throw bad();
      return {
        kind: 'ssh',
        host: match[1]!,
        port: null,
        key: '/etc/inquest/kdump_id',
        knownHosts: '/etc/inquest/kdump_known_hosts',
        path: match[2]!,
      };
    }
    case 'virtiofs':
      return { kind: 'virtiofs', tag: rest, path: '/' };
    default:
      throw bad();
  }
}
