// `inquest kdump list`, `show`, `prune`, `recover`, `notice`: the crashes of this machine.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { UsageError } from '../base/errors.ts';
import { escapeJson, escapeLine, escapeTerminal } from '../base/text.ts';
import { findDevice } from '../host/capture/devices.ts';
import { recoverRaw } from '../host/capture/raw_target.ts';
import { captureCommandLine, readManifest } from '../host/capture_image.ts';
import { sizeText } from '../host/checks/finding.ts';
import { sizeOf } from '../host/command_line.ts';
import { type Retention, targetText } from '../host/config/capture_config.ts';
import { type Crash, pruneCrash, readCrashes, toPrune } from '../host/crashes.ts';
import { Host } from '../host/host.ts';
import { captureFolder } from '../host/kdump_services.ts';
import { receive } from '../host/receive.ts';
import { HostRoot } from '../host/root.ts';
import { writeOut } from './output.ts';

/** What `list --json` prints. */
export type CrashList = readonly Crash[];

/** How this machine is set up to be captured. */
export interface KdumpSetup {
  /** Whose kdump it is: `inquest`, or a distribution's. */
  readonly family: string;
  readonly unit: string;
  /** Started at boot. */
  readonly isEnabled: boolean;
  /** Paths of configuration files. */
  readonly configuration: readonly string[];
  readonly targets: readonly string[];
  /** Paths of the capture kernel and its initramfs; null for none. */
  readonly kernel: string | null;
  readonly initramfs: string | null;
  /** What inquest's own initramfs was built for; null where it is another's. */
  readonly builtFor: { readonly release: string; readonly modules: readonly string[] } | null;
  /** Whether a capture kernel is loaded; null where that cannot be seen. */
  readonly loaded: boolean | null;
  /** Bytes of memory reserved for it; null where that cannot be seen. */
  readonly reserved: number | null;
  /** Of the capture kernel; null where another's kdump makes it. */
  readonly commandLine: string | null;
}

/** What `show --json` prints: one crash, or without an ID what is set up; null for nothing. */
export type KdumpShown = Crash | KdumpSetup | null;

/** Folders in which crashes lie: local targets, and /var/crash. */
function crashesOf(host: Host): CrashList {
  const configured = host.services.flatMap(({ configuration }) => configuration.config.targets);
  const folders = configured.flatMap((target) =>
    target.kind === 'directory' ? [mountedPath(host, target.device, target.path)] : [],
  );
  return readCrashes(host.root, [...folders, '/var/crash']);
}

/** Where the folder of a target lies now: its device may be mounted somewhere. */
function mountedPath(host: Host, device: string | null, path: string): string {
  if (device === null) return path;
  const at = host.stacks.find(({ target }) => target.kind === 'directory' && target.device === device)?.mount?.at;
  return at === undefined || at === '/' ? path : `${at}${path}`;
}

export function runList(root: string, json: boolean): number {
  const crashes = crashesOf(new Host(new HostRoot(root)));
  if (json) {
    writeOut(`${escapeJson(JSON.stringify(crashes, null, 2))}\n`);
    return 0;
  }
  // one crash may lie at several targets
  const folders = crashes.map(({ path }) => dirname(path));
  const width = new Set(folders).size > 1 ? Math.max(...folders.map((folder) => folder.length)) : 0;
  for (const [i, { id, bytes, state, verdict }] of crashes.entries()) {
    const where = width === 0 ? '' : `${escapeLine(folders[i]!).padEnd(width)}  `;
    writeOut(
      `${escapeLine(id).padEnd(28)} ${sizeText(bytes).padStart(9)}  ${state.padEnd(8)}  ${where}${escapeLine(verdict ?? '-')}\n`,
    );
  }
  if (crashes.length === 0) writeOut('no crash lies on this machine\n');
  return 0;
}

/** One crash, or without an ID what is set up. */
export function runShow(root: string, id: string | null, json: boolean): number {
  const host = new Host(new HostRoot(root));
  if (id === null) {
    const setup = setupOf(host);
    writeOut(json ? `${escapeJson(JSON.stringify(setup, null, 2))}\n` : setupText(setup));
    return 0;
  }
  const crash = crashesOf(host).find((one) => one.id === id);
  if (crash === undefined) throw new UsageError(`no crash is called ${id}: inquest kdump list`);
  if (json) writeOut(`${escapeJson(JSON.stringify(crash, null, 2))}\n`);
  else writeOut(crashText(host, crash));
  return 0;
}

function crashText({ root }: Host, { path, files, state, record }: Crash): string {
  const lines = files.map(
    (name) => `  ${escapeLine(name).padEnd(24)} ${sizeText(root.size(`${path}/${name}`) ?? 0).padStart(9)}\n`,
  );
  const steps = (record?.steps ?? []).map(
    ({ step, at, by, isGood, problem, from, to }) =>
      `  ${step.padEnd(8)} ${escapeLine(at)}${by === '' ? '' : ` by ${by}`}: ${isGood ? `${(to - from).toFixed(1)} s` : `FAILED: ${escapeLine(problem)}`}\n`,
  );
  return [
    `${escapeLine(path)}: ${state}\n`,
    ...lines,
    ...(steps.length === 0 ? [] : ['in the capture kernel\n', ...steps]),
    '\n',
    escapeTerminal(root.text(`${path}/verdict.txt`) ?? ''),
  ].join('');
}

function setupOf({ root, service, commandLine, reservation }: Host): KdumpSetup | null {
  if (service === null) return null;
  const { family, unit, isEnabled, kernel, initramfs } = service;
  const { config, files } = service.configuration;
  const manifest = readManifest(`${root.dir}/${captureFolder}`);
  return {
    family,
    unit,
    isEnabled,
    configuration: files.map(({ path }) => path),
    targets: config.targets.map(targetText),
    kernel,
    initramfs,
    builtFor: manifest === null ? null : { release: manifest.release, modules: manifest.modules },
    loaded: reservation.loaded,
    reserved: reservation.size,
    commandLine: family === 'inquest' ? captureCommandLine(commandLine ?? '', config.append) : null,
  };
}

function setupText(setup: KdumpSetup | null): string {
  if (setup === null) return 'no kdump is configured\n';
  const { builtFor, loaded, reserved, commandLine } = setup;
  const row = (name: string, value: string): string => `${name.padEnd(16)}${escapeLine(value)}\n`;
  return [
    row('kdump of', setup.family),
    row('unit', `${setup.unit}${setup.isEnabled ? '' : ' (not started at boot)'}`),
    ...setup.configuration.map((path) => row('configuration', path)),
    ...setup.targets.map((target, i) => row(i === 0 ? 'targets' : '', target)),
    row('capture kernel', setup.kernel ?? 'none'),
    row('initramfs', setup.initramfs ?? 'none'),
    ...(builtFor === null ? [] : [row('built for', `${builtFor.release}, modules ${builtFor.modules.join(' ')}`)]),
    row('loaded', loaded === null ? 'not known' : loaded ? 'yes' : 'no'),
    row('reserved', reserved === null ? 'not known' : sizeText(reserved)),
    ...(commandLine === null ? [] : [row('command line', commandLine)]),
  ].join('');
}

export interface PruneArguments {
  readonly keep?: string;
  readonly days?: string;
  readonly size?: string;
  readonly dryRun?: boolean;
}

export function runPrune(root: string, given: PruneArguments): number {
  const host = new Host(new HostRoot(root));
  const configured = host.services.find(({ family }) => family === 'inquest')?.configuration.config.retention;
  const number = (option: string, word: string | undefined): number | null => {
    if (word === undefined) return null;
    if (!/^\d{1,6}$/.test(word)) throw new UsageError(`${option} takes a number, not ${word}`);
    return Number(word);
  };
  const size = given.size === undefined ? null : sizeOf(given.size);
  if (given.size !== undefined && size === null)
    throw new UsageError(`--size takes a size such as 20G, not ${given.size}`);
  const asked: Retention = { number: number('--keep', given.keep), days: number('--days', given.days), size };
  const isAsked = asked.number !== null || asked.days !== null || asked.size !== null;
  if (!isAsked && configured === undefined) throw new UsageError('say what is to be kept: --keep, --days or --size');
  const gone = toPrune(crashesOf(host), isAsked ? asked : configured!, Date.now());
  for (const crash of gone) {
    if (given.dryRun !== true) pruneCrash(host.root, crash);
    writeOut(
      `${given.dryRun === true ? 'would delete' : 'deleted'} ${escapeLine(crash.path)} (${sizeText(crash.bytes)})\n`,
    );
  }
  if (gone.length === 0) writeOut('nothing is to go\n');
  return 0;
}

/** Reads raw partitions back into /var/crash. */
export function runRecover(devices: readonly string[]): number {
  const host = new Host(new HostRoot());
  const named =
    devices.length > 0 ? devices : host.targets.flatMap((target) => (target.kind === 'raw' ? [target.device] : []));
  if (named.length === 0) throw new UsageError('no raw partition is configured, and none was named');
  for (const name of named) {
    const device = findDevice(name);
    const found = device === null ? null : recoverRaw(device, '/var/crash');
    if (device === null) writeOut(`${escapeLine(name)} is not there\n`);
    else if (found === null) writeOut(`${escapeLine(name)}: no crash is in it\n`);
    else
      writeOut(
        `${found.folder}: ${found.files.map((file) => `${file.name}${file.isWhole ? '' : ' (incomplete)'}`).join(', ')}\n`,
      );
  }
  return 0;
}

const noticePath = '/run/motd.d/inquest';
const seenPath = '/var/lib/inquest/kdump/noticed';

/** At boot: reads raw partitions back, and tells of crashes since the last boot in the journal and at the next login. */
export function runNotice(): number {
  const host = new Host(new HostRoot());
  if (host.targets.some(({ kind }) => kind === 'raw')) runRecover([]);
  const since = host.root.changed(seenPath) ?? 0;
  const fresh = crashesOf(host).filter(({ time }) => time > since);
  const last = fresh.at(-1);
  if (last === undefined) {
    if (existsSync(noticePath)) rmSync(noticePath);
    writeOut('no crash since the last boot\n');
  } else {
    // a crash that lies at several targets is one
    const deaths = new Set(fresh.map(({ id }) => id)).size;
    const text = `The kernel of this machine died (${deaths === 1 ? 'once' : `${deaths} times`} since this was looked at): ${escapeLine(last.verdict ?? 'no verdict')}\n  ${escapeLine(last.path)}: inquest kdump show ${escapeLine(last.id)}\n`;
    mkdirSync('/run/motd.d', { recursive: true });
    writeFileSync(noticePath, text);
    writeOut(text);
  }
  mkdirSync('/var/lib/inquest/kdump', { recursive: true, mode: 0o700 });
  writeFileSync(seenPath, '');
  return 0;
}

/** What sshd(8) runs for a key that may only write. */
export function runReceive(into: string): number {
  receive(into.endsWith('/') ? into.slice(0, -1) : into, process.env['SSH_ORIGINAL_COMMAND'] ?? '', 0);
  return 0;
}
