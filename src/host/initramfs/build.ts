// Builds the capture initramfs out of the machine's own parts: the modules that its targets need, busybox or the machine's
// own tools, and this program in a squashfs. The same input gives the same bytes.
//
//   initramfs    init, busybox, modules (deleted once they are loaded), configuration, links to what is in
//   /program     squashfs, packed: Node and the program, and below machine/ other programs, libraries and firmware
import { createHash } from 'node:crypto';
import { constants, gzipSync } from 'node:zlib';
import { FormatError, NotFoundError } from '../../base/errors.ts';
import type { CaptureConfig } from '../config/capture_config.ts';
import { writeConfig } from '../config/inquest_config.ts';
import { type CpioNode, writeCpio } from '../cpio.ts';
import type { Host } from '../host.ts';
import { ModuleTree } from '../modules.ts';
import { HostRoot } from '../root.ts';
import { targetStack } from '../target_stack.ts';
import { unpack } from '../unpack.ts';
import { type CapturePlan, capturePlan, hookFolder, planPath } from './capture_plan.ts';
import { firmwareFiles } from './firmware.ts';
import { initScript } from './init_script.ts';
import { librariesOf } from './libraries.ts';
import { type Program, programFiles } from './program_files.ts';
import { writeSquashfs } from './squashfs.ts';

export interface BuiltInitramfs {
  /** Packs it, which takes most of the time: the recipe tells before whether it must be. */
  readonly image: () => Buffer;
  readonly plan: CapturePlan;
  readonly modules: readonly string[];
  readonly programs: readonly string[];
  /** What went into it, as one number: another one, and it must be built anew. */
  readonly recipe: string;
  /** What it goes without, and what follows from that. */
  readonly warnings: readonly string[];
}

const busyboxes = [
  '/bin/busybox',
  '/usr/bin/busybox',
  '/sbin/busybox',
  '/usr/sbin/busybox',
  '/usr/lib/initramfs-tools/bin/busybox',
];
/** What the script runs, and what a shell at failure wants. */
const applets = [
  'sh',
  'mount',
  'umount',
  'insmod',
  'mkdir',
  'cat',
  'cp',
  'mv',
  'rm',
  'date',
  'sync',
  'sleep',
  'timeout',
  'grep',
  'setsid',
  'reboot',
  'poweroff',
  'halt',
  'ls',
  'df',
  'dmesg',
  'ip',
];
/** Those without which nothing works, where there is no busybox. */
const needed = [
  'sh',
  'mount',
  'umount',
  'insmod',
  'mkdir',
  'cat',
  'cp',
  'mv',
  'rm',
  'date',
  'sync',
  'sleep',
  'timeout',
];
const binFolders = ['/usr/bin', '/usr/sbin', '/bin', '/sbin'];

export function findProgram(root: HostRoot, name: string): string | null {
  return binFolders.map((folder) => `${folder}/${name}`).find((path) => root.exists(path)) ?? null;
}

/**
 * Builds it.
 * @throws NotFoundError for a release without modules, and where there is neither busybox nor the tools in its place;
 *   FormatError for a module that cannot be unpacked; UsageError where the program is not built
 */
export function buildInitramfs(host: Host, config: CaptureConfig, program: Program = programFiles()): BuiltInitramfs {
  const { root, release } = host;
  const tree = release === null ? null : ModuleTree.of(root, release);
  if (release === null || tree === null) throw new NotFoundError('modules', release ?? 'of any kernel');
  const stacks = config.targets.map((target) => targetStack(root, target));
  const plan = capturePlan(host, config, stacks);
  const warnings: string[] = [];
  const nodes = new Map<string, CpioNode>();
  const packed = new Map<string, CpioNode>();
  /** Memory is short: what is used once the program is mounted lies beside it, packed. */
  const addPacked = (path: string, bytes: Buffer, mode?: number): void => {
    if (nodes.has(path)) return;
    packed.set(`machine/${path}`, { kind: 'file', bytes, ...(mode === undefined ? {} : { mode }) });
    nodes.set(path, { kind: 'link', target: `/program/machine/${path}` });
  };

  const first = tree.closure(['loop', 'squashfs']).order;
  const wanted = [
    'loop',
    'squashfs',
    ...stacks.flatMap((stack) => stack.modules).filter((name) => name !== 'crc32c_generic'),
    ...config.modules,
  ];
  const { order, missing } = tree.closure(
    tree.file('crc32c_generic') === null ? wanted : ['crc32c_generic', ...wanted],
  );
  for (const name of missing) warnings.push(`there is no module ${name} of ${release}`);
  for (const name of order) {
    const bytes = moduleBytes(root, `${tree.folder}/${tree.file(name)!}`);
    nodes.set(`lib/modules/${name}.ko`, { kind: 'file', bytes });
    for (const [path, file] of firmwareFiles(root, release, bytes)) addPacked(path, file);
  }
  const list = (names: readonly string[]): CpioNode => ({
    kind: 'file',
    bytes: Buffer.from(names.map((name) => `${name}\n`).join('')),
  });
  nodes.set('lib/modules/first', list(first));
  nodes.set('lib/modules/order', list(order.filter((name) => !first.includes(name))));

  const tools = addTools(root, nodes, warnings);
  for (const [at, path] of tools) nodes.set(at, { kind: 'file', bytes: root.bytes(path, 1 << 30)!, mode: 0o755 });
  const librariesFor = (from: HostRoot, paths: readonly string[]): readonly string[] => {
    const needed = librariesOf(from, paths);
    for (const name of needed.missing) warnings.push(`there is no library ${name}`);
    return needed.paths;
  };
  for (const path of librariesFor(
    root,
    tools.map(([, path]) => path),
  ))
    nodes.set(path.slice(1), { kind: 'file', bytes: root.bytes(path, 1 << 28)!, mode: 0o755 });

  const programs: (readonly [string, string])[] = [];
  for (const name of [...new Set(stacks.flatMap((stack) => stack.programs))]) {
    const path = findProgram(root, name);
    if (path === null) warnings.push(`there is no ${name}, which a target needs`);
    else programs.push([`bin/${name}`, path]);
  }
  const makedumpfile = findProgram(root, 'makedumpfile');
  if (makedumpfile !== null) programs.push(['bin/makedumpfile', makedumpfile]);
  addHooks(root, nodes, programs);
  for (const [at, path] of programs) addPacked(at, root.bytes(path, 1 << 30)!, 0o755);
  for (const path of librariesFor(
    root,
    programs.map(([, path]) => path),
  ))
    addPacked(path.slice(1), root.bytes(path, 1 << 28)!, 0o755);
  // the program is this machine's, whatever root the initramfs is for
  const own = root.isLive ? root : new HostRoot();
  for (const path of librariesFor(own, [program.node])) addPacked(path.slice(1), own.bytes(path, 1 << 28)!, 0o755);
  for (const path of config.targets.flatMap((target) =>
    target.kind === 'ssh'
      ? [target.key, target.knownHosts]
      : target.kind === 'https'
        ? [target.tokenFile, target.caFile]
        : [],
  )) {
    const bytes = path === null ? null : root.bytes(path);
    if (path !== null && bytes === null) warnings.push(`${path} is not there`);
    else if (path !== null && bytes !== null) nodes.set(path.slice(1), { kind: 'file', bytes, mode: 0o600 });
  }

  nodes.set('init', { kind: 'file', bytes: Buffer.from(initScript(plan)), mode: 0o755 });
  nodes.set(planPath.slice(1), { kind: 'file', bytes: Buffer.from(`${JSON.stringify(plan, null, 1)}\n`), mode: 0o600 });
  nodes.set('etc/inquest/kdump.toml', { kind: 'file', bytes: Buffer.from(writeConfig(config)), mode: 0o600 });
  nodes.set('etc/passwd', { kind: 'file', bytes: Buffer.from('root:x:0:0:root:/root:/bin/sh\n') });
  if (plan.network !== null) addNames(root, nodes);
  for (const folder of ['proc', 'sys', 'dev', 'run', 'tmp', 'mnt', 'root', 'program'])
    nodes.set(folder, { kind: 'folder' });

  const squashfs = new Map([...program.files, ...packed]);
  return {
    image: () => pack(nodes, writeSquashfs(squashfs)),
    plan,
    modules: order,
    programs: [...tools, ...programs].map(([, path]) => path),
    recipe: recipeOf(nodes, squashfs),
    warnings,
  };
}

/** A number for all that goes in, without packing it. */
function recipeOf(nodes: ReadonlyMap<string, CpioNode>, squashfs: ReadonlyMap<string, CpioNode>): string {
  const hash = createHash('sha256').update(writeCpio(nodes));
  for (const [path, node] of [...squashfs].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${path}\0`).update(node.kind === 'file' ? node.bytes : '');
  }
  return hash.digest('hex');
}

/** The squashfs, which is most of it, is packed already: it lies in an archive of its own, before the compressed one. */
function pack(nodes: ReadonlyMap<string, CpioNode>, squashfs: Buffer): Buffer {
  const program = writeCpio(new Map([['program.squashfs', { kind: 'file', bytes: squashfs }]]));
  return Buffer.concat([program, gzipSync(writeCpio(nodes), { level: constants.Z_BEST_SPEED })]);
}

/** Busybox under the names of its applets; else the machine's own programs. @returns programs to copy: where to, from where */
function addTools(root: HostRoot, nodes: Map<string, CpioNode>, warnings: string[]): (readonly [string, string])[] {
  const busybox = busyboxes.find((path) => root.exists(path));
  if (busybox !== undefined) {
    for (const name of applets) nodes.set(`bin/${name}`, { kind: 'link', target: 'busybox' });
    return [['bin/busybox', busybox]];
  }
  const found: (readonly [string, string])[] = [];
  for (const name of applets) {
    const path = findProgram(root, name);
    if (path !== null) found.push([`bin/${name}`, path]);
    else if (needed.includes(name)) throw new NotFoundError('program', `busybox, or ${name}`);
  }
  warnings.push('there is no busybox: larger programs of this machine take its place');
  return found;
}

function addHooks(root: HostRoot, nodes: Map<string, CpioNode>, programs: (readonly [string, string])[]): void {
  for (const when of ['before', 'after', 'failure', 'bin']) {
    for (const name of root.list(`${hookFolder}/${when}`)) {
      const path = `${hookFolder}/${when}/${name}`;
      const bytes = root.bytes(path, 1 << 28);
      if (bytes === null) continue;
      if (when === 'bin') programs.push([`bin/${name}`, path]);
      else nodes.set(path.slice(1), { kind: 'file', bytes, mode: 0o755 });
    }
  }
}

/** How names of hosts are found. What systemd-resolved listens on is not there after the panic: its own servers are. */
function addNames(root: HostRoot, nodes: Map<string, CpioNode>): void {
  const servers = root.text('/etc/resolv.conf');
  const isStub = /^[ \t]*nameserver[ \t]+127\./m.test(servers ?? '');
  const resolv = isStub ? (root.text('/run/systemd/resolve/resolv.conf') ?? servers) : servers;
  for (const [name, text] of [
    ['hosts', root.text('/etc/hosts')],
    ['resolv.conf', resolv],
    ['nsswitch.conf', 'hosts: files dns\n'],
  ] as const)
    if (text !== null) nodes.set(`etc/${name}`, { kind: 'file', bytes: Buffer.from(text) });
}

/** A module as the kernel loads it, unpacked. */
function moduleBytes(root: HostRoot, path: string): Buffer {
  const bytes = root.bytes(path, 1 << 28);
  if (bytes === null) throw new FormatError(path, 'cannot be read');
  return /\.ko$/.test(path) ? bytes : unpack(bytes, path, 1 << 30);
}
