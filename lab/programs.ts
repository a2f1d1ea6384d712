// Running the host's programs, and saying which Debian packages bring the ones that are missing.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** The lab cannot work on this machine as it is: a program, a package or the archive is out of reach. */
export class OutOfReach extends Error {}

const packageOf: Record<string, string> = {
  'apt-get': 'apt',
  'dpkg-deb': 'dpkg',
  'mkfs.ext4': 'e2fsprogs',
  debugfs: 'e2fsprogs',
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-system-aarch64': 'qemu-system-arm',
  mmdebstrap: 'mmdebstrap',
  'qemu-img': 'qemu-utils',
  tar: 'tar',
  unshare: 'util-linux',
  xz: 'xz-utils',
};

/** @throws OutOfReach naming the packages to install when one of the programs is not on this machine */
export function needPrograms(...programs: string[]): void {
  const missing = programs.filter((program) => programPath(program) === undefined);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((program) => packageOf[program] ?? program))];
  throw new OutOfReach(`no ${missing.join(', ')} here; in Debian: apt-get install ${packages.join(' ')}`);
}

/** The full path of a program, also where an ordinary user's PATH does not look (/usr/sbin). */
export function programPath(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];
  return folders.map((folder) => join(folder, program)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs a program to its end and gives what it wrote to standard output.
 * @throws Error with the last lines of its standard error when it fails
 */
export function runProgram(
  program: string,
  args: readonly string[],
  options: { env?: Record<string, string>; input?: Uint8Array; cwd?: string } = {},
): Buffer {
  const path = programPath(program) ?? program;
  const result = spawnSync(path, args, {
    maxBuffer: 1 << 30,
    env: { ...process.env, LC_ALL: 'C', ...options.env },
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  if (result.error !== undefined) throw new Error(`${program}: ${result.error.message}`);
  if (result.status !== 0) {
    const words = [result.stderr, result.stdout].map((bytes) => lastLines(bytes.toString(), 12)).join('\n');
    throw new Error(`${program} ${args.slice(0, 4).join(' ')}: exit status ${result.status}\n${words.trim()}`);
  }
  return result.stdout;
}

export function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

/** Runs a shell command inside an unpacked Debian root, as its root; needs no root outside. */
export function runInRoot(root: string, command: string): Buffer {
  const privileges = process.getuid?.() === 0 ? ['--mount'] : ['--map-root-user', '--mount'];
  const enter = 'mount --rbind /dev "$0/dev" && mount --rbind /proc "$0/proc" && exec chroot "$0" /bin/sh -c "$1"';
  return runProgram('unshare', [...privileges, 'sh', '-c', enter, root, command], {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
}
